//! `POST /api/drives/{drive}/online`

use axum::extract::State;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::manage;

/// Brings a drive back that was taken offline (owners only).
#[utoipa::path(post, path = "/api/drives/{drive}/online", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), responses((status = 200, body = Drive)))]
pub async fn online(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Drive>, Problem> {
    Ok(Json(manage::set_offline(&app, &caller, drive, false).await?.into()))
}
