//! `GET /api/devices/{device_id}`

use axum::extract::State;

use super::Device;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::devices;

/// Shows one of the caller's devices.
#[utoipa::path(get, path = "/api/devices/{device_id}", tag = "devices",
    params(("device_id" = String, Path, description = "What it calls itself")),
    responses((status = 200, body = Device)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(device_id): Path<String>,
) -> Result<Json<Device>, Problem> {
    Ok(Json(devices::get(&app, &caller, device_id).await?.into()))
}
