//! `GET /api/drives/{drive}/members`

use axum::extract::State;

use super::Members;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::members;

/// Lists with whom a drive is shared, for its owner and those.
#[utoipa::path(get, path = "/api/drives/{drive}/members", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = Members)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Members>, Problem> {
    Ok(Json(members::list(&app, &caller, drive).await?.into()))
}
