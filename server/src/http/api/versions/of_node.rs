//! `GET /api/drives/{drive}/nodes/{id}/versions`

use axum::extract::State;
use uuid::Uuid;

use super::{Version, next, seen};
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::history;

/// Lists the versions of a file, the newest first, whatever it was called then.
#[utoipa::path(get, path = "/api/drives/{drive}/nodes/{id}/versions", tag = "versions",
    params(("drive" = String, Path, description = "A UUID or a name of the caller's"),
        ("id" = Uuid, Path, description = "The file's id"), PageQuery),
    responses((status = 200, body = Page<Version>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path((drive, id)): Path<(String, Uuid)>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Version>>, Problem> {
    let limit = page.limit();
    let entries = history::of_node(&app, &caller, drive, id, seen(&page)?, limit).await?;
    let next = next(&entries, limit);
    Ok(Json(Page { items: Version::all(entries)?, next }))
}
