//! `GET /api/devices/{device_id}/drive-for-path`

use axum::extract::State;

use super::{DriveForPath, WhichPath};
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Tells which drive a path on one of the caller's devices lies in (000-12): the innermost that is there, by whole names and by
/// the rules of the device's system. 404 `no-drive-for-path` when there is none.
#[utoipa::path(get, path = "/api/devices/{device_id}/drive-for-path", tag = "mounts",
    params(WhichPath, ("device_id" = String, Path, description = "What the device calls itself")),
    responses((status = 200, body = DriveForPath)))]
pub async fn for_path(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Query(which): Query<WhichPath>,
) -> Result<Json<DriveForPath>, Problem> {
    Ok(Json(mounts::find(&app, &caller, device, which.path).await?.into()))
}
