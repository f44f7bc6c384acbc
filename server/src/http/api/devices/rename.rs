//! `PATCH /api/devices/{device_id}`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Device;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::devices;

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[schema(as = DeviceChange)]
pub struct Rename {
    /// What its owner calls it: 1 to 128 characters.
    device_name: String,
}

/// Gives one of the caller's devices another name.
#[utoipa::path(patch, path = "/api/devices/{device_id}", tag = "devices",
    params(("device_id" = String, Path, description = "What it calls itself")), request_body = Rename,
    responses((status = 200, body = Device)))]
pub async fn rename(
    State(app): State<App>,
    caller: Caller,
    Path(device_id): Path<String>,
    Json(body): Json<Rename>,
) -> Result<Json<Device>, Problem> {
    Ok(Json(devices::rename(&app, &caller, device_id, &body.device_name).await?.into()))
}
