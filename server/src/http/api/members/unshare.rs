//! `DELETE /api/drives/{drive}/members/{username}`

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::members;

/// Shares a drive with somebody no longer (its owner, or they themselves).
#[utoipa::path(delete, path = "/api/drives/{drive}/members/{username}", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name"),
        ("username" = String, Path, description = "What they sign in with")),
    responses((status = 204)))]
pub async fn unshare(
    State(app): State<App>,
    caller: Caller,
    Path((drive, username)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    members::unshare(&app, &caller, drive, username).await?;
    Ok(StatusCode::NO_CONTENT)
}
