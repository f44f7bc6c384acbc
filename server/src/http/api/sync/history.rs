//! `GET /api/sync/history/{path}`

use axum::extract::State;
use axum::http::Uri;
use holdfast_protocol::DrivePath;
use serde::Serialize;
use utoipa::ToSchema;

use super::{OfDrive, entry_in};
use crate::app::App;
use crate::http::api::versions::{Version, next, seen};
use crate::http::extract::{Json, Query};
use crate::http::page::PageQuery;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::history;

/// What a path held before.
#[derive(Serialize, ToSchema)]
#[schema(as = FileHistory)]
pub struct History {
    file_path: DrivePath,
    /// The newest first.
    versions: Vec<Version>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}

/// Lists the versions of every file that ever was at a path, the newest first, whatever became of it. `{path}` may carry
/// `/` raw or as `%2F`.
#[utoipa::path(get, path = "/api/sync/history/{*path}", tag = "sync",
    params(("path" = String, Path, description = "The path of the file"), OfDrive, PageQuery),
    responses((status = 200, body = History)))]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Query(of): Query<OfDrive>,
    Query(page): Query<PageQuery>,
) -> Result<Json<History>, Problem> {
    let path = entry_in(&uri, "/api/sync/history/", "")?;
    let (after, limit) = (seen(&page)?, page.limit());
    let entries = history::of_path(&app, &caller, of.drive, path.clone(), after, limit).await?;
    let next = next(&entries, limit);
    Ok(Json(History { file_path: path, versions: Version::all(entries)?, next }))
}
