//! `GET /api/drives/{drive}/mounts`

use axum::extract::State;

use super::Mounts;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Lists where devices have a drive: all devices of an own drive, the caller's devices of another's (000-15).
#[utoipa::path(get, path = "/api/drives/{drive}/mounts", tag = "mounts",
    params(("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = Mounts)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Mounts>, Problem> {
    Ok(Json(mounts::of_drive(&app, &caller, drive).await?.into()))
}
