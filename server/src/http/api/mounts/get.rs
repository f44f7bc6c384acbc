//! `GET /api/drives/{drive}/mounts/{device_id}`

use axum::extract::State;

use super::Mount;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Shows where one of the caller's devices has a drive; 404 `not-mounted` where it has not reported it.
#[utoipa::path(get, path = "/api/drives/{drive}/mounts/{device_id}", tag = "mounts",
    params(("drive" = String, Path, description = "UUID or name"),
        ("device_id" = String, Path, description = "What the device calls itself")),
    responses((status = 200, body = Mount)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path((drive, device)): Path<(String, String)>,
) -> Result<Json<Mount>, Problem> {
    Ok(Json(mounts::get(&app, &caller, drive, device).await?.into()))
}
