//! `DELETE /api/drives/{drive}/files/{path}`

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Which;
use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::entry::placement;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::http::target::At;
use crate::http::upload;
use crate::service::files::{self, Deletion};

/// Deletes a file, or a folder with all that is in it, into the trash.
///
/// Conditional by `If-Match`; a folder with `empty=true` only where it holds nothing, else that is 409 `not-empty`, and
/// `not-a-folder` where a file has taken its name that `If-Match` does not tell. With `Holdfast-Device` it is an explicit
/// sync act: then a folder with files in it is 409, since a device deletes what it means to delete, child by child.
#[utoipa::path(delete, path = "/api/drives/{drive}/files/{*path}", tag = "files",
    params(
        Which,
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
        ("If-Match" = Option<String>, Header, description = "What is to be deleted: the content hash in quotes, or *"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    responses((status = 204, description = "It is in the trash", headers(
        ("Holdfast-Placement" = String, description = "pending: still in the plain folder")))))]
pub async fn delete(
    State(app): State<App>,
    caller: CallerOn,
    at: At,
    headers: HeaderMap,
    Query(how): Query<Which>,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.0.user_id, Some(&at.drive)).await?;
    let expect = upload::expectation(&mounted, &at.path, &headers).await?;
    let (who, drive) = (caller.who(), Arc::clone(&mounted));
    let deletion = Deletion { path: at.path, expect, only_empty: how.empty };
    let done = app.act(async move { files::delete(&drive, who, deletion).await }).await?;
    Ok((StatusCode::NO_CONTENT, placement(done.placed)).into_response())
}
