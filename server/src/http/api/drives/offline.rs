//! `POST /api/drives/{drive}/offline`

use axum::extract::State;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::manage;

/// Takes a drive offline (owners only), after all that was promised of it is durable on its disk: this can be unplugged then. Until it
/// is brought back it answers 503 over every protocol, and nothing of it counts as deleted.
#[utoipa::path(post, path = "/api/drives/{drive}/offline", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), responses((status = 200, body = Drive)))]
pub async fn offline(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Drive>, Problem> {
    Ok(Json(manage::set_offline(&app, &caller, drive, true).await?.into()))
}
