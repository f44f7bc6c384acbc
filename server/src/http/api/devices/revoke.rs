//! `DELETE /api/devices/{device_id}`

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::devices;

/// Revokes one of the caller's devices: its logins, tokens and app passwords stop at once. What it stored stays.
#[utoipa::path(delete, path = "/api/devices/{device_id}", tag = "devices",
    params(("device_id" = String, Path, description = "What it calls itself")), responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(device_id): Path<String>,
) -> Result<StatusCode, Problem> {
    devices::revoke(&app, &caller, device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
