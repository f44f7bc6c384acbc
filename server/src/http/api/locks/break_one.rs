//! `DELETE /api/drives/{drive}/locks/{lock}`

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::app::App;
use crate::domain::accounts::Role;
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::locks;

/// Breaks a lock that its program left behind. Whoever holds it may, the drive's owner, and an admin who sees the drive.
#[utoipa::path(delete, path = "/api/drives/{drive}/locks/{lock}", tag = "locks",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("lock" = Uuid, Path, description = "The lock's id"),
    ),
    responses((status = 204, description = "It holds no longer")))]
pub async fn break_one(
    State(app): State<App>,
    caller: CallerOn,
    Path((drive, lock)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    let (visible, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    let (who, is_admin, mounted) = (caller.who(), caller.0.role == Role::Admin, Arc::clone(&mounted));
    app.act(async move { locks::break_one(&mounted, &visible, who, is_admin, lock).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
