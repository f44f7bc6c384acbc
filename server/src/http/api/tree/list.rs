//! `GET /api/drives/{drive}/tree/{path}`

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_protocol::DrivePath;

use super::{Tree, Which};
use crate::app::App;
use crate::error::Error;
use crate::http::entry::Entry;
use crate::http::extract::{Json, Query};
use crate::http::problem::Problem;
use crate::http::target::At;
use crate::service::caller::Caller;
use crate::service::listing::{self, Wanted};

/// Entries of a page when nobody says.
const DEFAULT_LIMIT: u32 = 1000;
/// Most entries of a page.
const MAX_LIMIT: u32 = 10_000;

/// Lists a folder, or with `recursive` all beneath it. For a file, the file alone.
///
/// A page goes on after the last path of the one before, so that what changes meanwhile neither repeats nor hides the rest. Of a
/// drive without a folder on this server it is what devices have told.
#[utoipa::path(get, path = "/api/drives/{drive}/tree/{*path}", tag = "files",
    params(
        Which,
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
    ),
    responses((status = 200, body = Tree)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    at: At,
    Query(which): Query<Which>,
) -> Result<Json<Tree>, Problem> {
    let root = app.drives.find(caller.user_id, Some(&at.drive)).await?.root_node();
    let limit = which.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT) as usize;
    let after = which.cursor.as_deref().filter(|cursor| !cursor.is_empty()).map(after).transpose()?;
    let wanted = Wanted { path: at.path, recursive: which.recursive, after, limit };
    let listed = listing::list(&app.db, root, wanted).await?;
    Ok(Json(Tree {
        entries: listed.entries.into_iter().map(Entry::from).collect(),
        next: listed.next.map(|path| URL_SAFE_NO_PAD.encode(path.as_str())),
    }))
}

/// Lists the top folder of a drive, or with `recursive` all of it.
#[utoipa::path(get, path = "/api/drives/{drive}/tree", tag = "files",
    params(Which, ("drive" = String, Path, description = "UUID or name")),
    responses((status = 200, body = Tree)))]
pub async fn list_root(
    state: State<App>,
    caller: Caller,
    at: At,
    which: Query<Which>,
) -> Result<Json<Tree>, Problem> {
    list(state, caller, at, which).await
}

fn after(cursor: &str) -> Result<DrivePath, Error> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // It may be longer than a path that can be asked for; nothing is opened by it.
    text.map(DrivePath::from_checked).ok_or_else(|| Error::malformed("the cursor is not valid"))
}
