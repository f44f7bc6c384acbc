//! `PUT /api/drives/{drive}/mounts/{device_id}`

use axum::extract::State;

use super::{Mount, MountReport};
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Reports where one of the caller's devices has a drive (000-16). Another drive that it had there counts as gone from it.
#[utoipa::path(put, path = "/api/drives/{drive}/mounts/{device_id}", tag = "mounts",
    params(("drive" = String, Path, description = "UUID or name"),
        ("device_id" = String, Path, description = "What the device calls itself")),
    request_body = MountReport, responses((status = 200, body = Mount)))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Path((drive, device)): Path<(String, String)>,
    Json(body): Json<MountReport>,
) -> Result<Json<Mount>, Problem> {
    Ok(Json(mounts::report_one(&app, &caller, drive, device, body.into()).await?.into()))
}
