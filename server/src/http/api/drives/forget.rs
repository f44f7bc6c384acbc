//! `DELETE /api/drives/{drive}`

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::manage;

/// Forgets a drive: its history, its trash, and what devices reported of it (owners only). Its files stay where they are. 409
/// `unresolved-conflicts` while it has any, `home-drive` for the one that every account has.
#[utoipa::path(delete, path = "/api/drives/{drive}", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")), responses((status = 204)))]
pub async fn forget(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<StatusCode, Problem> {
    manage::forget(&app, &caller, drive).await?;
    Ok(StatusCode::NO_CONTENT)
}
