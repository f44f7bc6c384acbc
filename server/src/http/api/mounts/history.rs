//! `GET /api/drives/{drive}/mounts/{device_id}/history`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::mounts::Past;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;
use crate::service::mounts;

/// What was the case from a time on (000-31).
#[derive(Debug, Serialize, ToSchema)]
pub struct PastMount {
    /// Its id.
    id: Uuid,
    /// Since when.
    at: Timestamp,
    /// Where.
    mount_point: String,
    /// Whether it was there.
    is_available: bool,
    /// `reported`, `moved`, `not-reported`, `displaced` (another drive is there) or `revoked` (the device is).
    reason: String,
}

/// Lists what changed about a drive on one of the caller's devices, the newest first.
#[utoipa::path(get, path = "/api/drives/{drive}/mounts/{device_id}/history", tag = "mounts",
    params(PageQuery, ("drive" = String, Path, description = "UUID or name"),
        ("device_id" = String, Path, description = "What the device calls itself")),
    responses((status = 200, body = Page<PastMount>)))]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    Path((drive, device)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PastMount>>, Problem> {
    let limit = page.limit();
    let rows = mounts::history(&app, &caller, drive, device, page.after_id()?, limit).await?;
    let shown = |past: Past| PastMount {
        id: past.uuid,
        at: Timestamp(past.at),
        mount_point: past.mount_point,
        is_available: past.is_available,
        reason: past.reason,
    };
    Ok(Json(Page::by_id(rows, limit, |past| past.id, shown)))
}
