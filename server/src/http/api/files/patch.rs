//! `PATCH /api/drives/{drive}/files/{path}`

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::put::{answer, target};
use super::{How, Written};
use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::delta;
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::http::target::At;

/// Changes a file by a delta.
///
/// The delta is applied to the current content, which `If-Match` must name; the result must have the SHA-256 of
/// `Repr-Digest`. It is stored, checked and kept in the history like a whole content sent by PUT, and a request that breaks
/// off changes nothing. For files of 1 MiB and more it is worth it.
#[utoipa::path(patch, path = "/api/drives/{drive}/files/{*path}", tag = "files",
    params(
        How,
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
        ("If-Match" = String, Header, description = "The content hash of the delta's base, in quotes"),
        ("Repr-Digest" = String, Header, description = "sha-256=:<base64>: of the result (RFC 9530)"),
        ("Holdfast-Mtime-Ns" = Option<i64>, Header, description = "Modification time in nanoseconds since 1970"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body(content_type = "application/x-holdfast-delta", description = "The delta", content = String),
    responses((status = 200, description = "The file has the new content", body = Written)))]
pub async fn patch(
    State(app): State<App>,
    caller: CallerOn,
    at: At,
    Query(how): Query<How>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (visible, mounted) = app.drives.reach(caller.0.user_id, Some(&at.drive)).await?;
    let target = target(&visible, &mounted, caller.who(), &at.path, &how);
    let done = delta::patch(&app, target, &headers, body).await?;
    Ok(answer(at.path, done))
}
