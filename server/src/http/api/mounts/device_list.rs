//! `GET /api/devices/{device_id}/drives`

use axum::extract::State;

use super::Mounts;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Lists where one of the caller's devices has drives, and those that it had.
#[utoipa::path(get, path = "/api/devices/{device_id}/drives", tag = "mounts",
    params(("device_id" = String, Path, description = "What the device calls itself")),
    responses((status = 200, body = Mounts)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<Json<Mounts>, Problem> {
    Ok(Json(mounts::of_device(&app, &caller, device).await?.into()))
}
