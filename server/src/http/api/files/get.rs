//! `GET /api/drives/{drive}/files/{path}`

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::target::At;
use crate::http::{content, delta};
use crate::service::caller::Caller;
use crate::service::content as contents;

/// Sends a file's content.
///
/// Conditional by `If-None-Match`, `If-Modified-Since`, `If-Match` and `If-Unmodified-Since`. Ranges by `Range` and
/// `If-Range`: several are sent as `multipart/byteranges`, very many as the whole content. The `ETag` is the content's
/// SHA-256. A file that another program has just changed on the disk is sent as it is, with a weak tag and no digest, until
/// it was looked at.
///
/// With `A-IM: holdfast-delta` and the hash of a content that the client has in `If-None-Match`, a large file is sent as the
/// difference to that (RFC 3229), if the drive still keeps it.
#[utoipa::path(get, path = "/api/drives/{drive}/files/{*path}", tag = "files",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
        ("Range" = Option<String>, Header, description = "bytes=first-last, several comma-separated"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags the client has"),
        ("A-IM" = Option<String>, Header, description = "holdfast-delta: the difference to what If-None-Match names will do"),
        ("If-Match" = Option<String>, Header, description = "Entity tags it must have"),
    ),
    responses(
        (status = 200, description = "The content", content_type = "application/octet-stream", headers(
            ("ETag" = String, description = "The SHA-256 in quotes"),
            ("Repr-Digest" = String, description = "RFC 9530"),
            ("Last-Modified" = String, description = "When it was last written"),
            ("Holdfast-Mtime-Ns" = i64, description = "The same in nanoseconds since 1970"))),
        (status = 206, description = "A range of it, or several", content_type = "application/octet-stream"),
        (status = 226, description = "The difference to the content in Delta-Base", content_type = "application/x-holdfast-delta"),
        (status = 304, description = "The client has it"),
    ))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    at: At,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.user_id, Some(&at.drive)).await?;
    let (opened, node) = contents::open(&mounted, &at.path).await?;
    match delta::answer(&mounted, opened, &node.name, &headers).await? {
        Ok(difference) => Ok(difference),
        Err(opened) => Ok(content::send(opened, &node.name, &method, &headers)?),
    }
}
