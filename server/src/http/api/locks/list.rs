//! `GET /api/drives/{drive}/locks`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Lock;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::locks;

/// The locks of a drive that hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct Locks {
    /// Oldest first.
    items: Vec<Lock>,
    /// Always null: a drive has no more locks than one page holds.
    next: Option<String>,
}

/// Lists what is locked in a drive, and by whom.
#[utoipa::path(get, path = "/api/drives/{drive}/locks", tag = "locks",
    params(("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = Locks)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Locks>, Problem> {
    let (_, mounted) = app.drives.reach(caller.user_id, Some(&drive)).await?;
    let items = locks::list(&mounted).await?.into_iter().map(Lock::from).collect();
    Ok(Json(Locks { items, next: None }))
}
