//! `GET /api/drives/{drive}/trash`

use axum::extract::State;

use super::Deleted;
use crate::app::App;
use crate::http::extract::{Json, Path, Query};
use crate::http::page::{Page, PageQuery};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::trash;

/// Lists what was deleted from a drive, latest first.
#[utoipa::path(get, path = "/api/drives/{drive}/trash", tag = "files",
    params(PageQuery, ("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = Page<Deleted>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Deleted>>, Problem> {
    let (_, mounted) = app.drives.reach(caller.user_id, Some(&drive)).await?;
    let limit = page.limit();
    let before = match page.after_id()? {
        0 => i64::MAX,
        seq => seq,
    };
    let deleted = trash::list(&mounted, before, limit).await?;
    Ok(Json(Page::by_id(deleted, limit, |one| one.node.seq, Deleted::from)))
}
