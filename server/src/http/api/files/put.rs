//! `PUT /api/drives/{drive}/files/{path}`

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::DrivePath;

use super::{How, Written};
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::http::auth::CallerOn;
use crate::http::entry::time_of;
use crate::http::extract::{Json, Query};
use crate::http::fields::{MTIME_NS, PLACEMENT};
use crate::http::problem::Problem;
use crate::http::target::At;
use crate::http::upload::{self, Target};
use crate::service::files::{Done, PutDone, Who};
use crate::service::placement::Mounted;

/// Writes a file.
///
/// The content is received whole, checked against the length and digest it declares, and replaces the file in one step;
/// what was there before stays in history. Conditional by `If-Match` (the content hash, or `*`) and `If-None-Match: *`; a
/// content that is already there succeeds whatever is expected, for it is a request whose answer was lost. With
/// `Holdfast-Device` it is an explicit sync act: the device now holds the result, and a 412 keeps the bytes as the
/// candidate of a conflict.
#[utoipa::path(put, path = "/api/drives/{drive}/files/{*path}", tag = "files",
    params(
        How,
        ("drive" = String, Path, description = "UUID or name"),
        ("path" = String, Path, description = "Path in the drive, slashes raw or as %2F"),
        ("If-Match" = Option<String>, Header, description = "What it may replace: the content hash in quotes, or *"),
        ("If-None-Match" = Option<String>, Header, description = "*: only where no file is"),
        ("Repr-Digest" = Option<String>, Header, description = "sha-256=:<base64>:, checked (RFC 9530); Content-Digest likewise"),
        ("OC-Checksum" = Option<String>, Header, description = "SHA1:, MD5:, SHA256: or ADLER32:<hex>, checked"),
        ("Holdfast-Mtime-Ns" = Option<i64>, Header, description = "Modification time in nanoseconds since 1970"),
        ("X-OC-Mtime" = Option<String>, Header, description = "The same in seconds, with an optional fraction"),
        ("Last-Modified" = Option<String>, Header, description = "The same as an HTTP date"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body(content_type = "application/octet-stream", description = "The content", content = String),
    responses(
        (status = 201, description = "A file that was not there", body = Written, headers(
            ("ETag" = String, description = "The SHA-256 in quotes"),
            ("Holdfast-Placement" = String, description = "pending: not in the plain folder yet"))),
        (status = 200, description = "A file that was", body = Written),
    ))]
pub async fn put(
    State(app): State<App>,
    caller: CallerOn,
    at: At,
    Query(how): Query<How>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (visible, mounted) = app.drives.reach(caller.0.user_id, Some(&at.drive)).await?;
    let target = target(&visible, &mounted, caller.who(), &at.path, &how);
    let done = upload::put(&app, target, &headers, body).await?;
    Ok(answer(at.path, done))
}

/// Where a content goes that somebody sends to this API.
pub fn target<'a>(
    drive: &'a Visible,
    mounted: &'a Arc<Mounted>,
    who: Who,
    path: &'a DrivePath,
    how: &How,
) -> Target<'a> {
    let syncing = who.syncing.is_some();
    let (parents, reason) = (how.parents.unwrap_or(syncing), if syncing { "sync" } else { "manual" });
    Target { drive, mounted, who, path, parents, reason }
}

/// What was written: 201 for a new file, 200 for one that was there.
pub fn answer(path: DrivePath, done: Done<PutDone>) -> Response {
    let node = &done.value.node;
    let mut headers = HeaderMap::new();
    if let Some(tag) = node.content_hash().and_then(|hash| HeaderValue::try_from(format!("\"{hash}\"")).ok())
    {
        headers.insert(ETAG, tag);
    }
    headers.insert(MTIME_NS, node.mtime_ns.into());
    if !done.placed {
        headers.insert(PLACEMENT, HeaderValue::from_static("pending"));
    }
    let status = if done.value.created { StatusCode::CREATED } else { StatusCode::OK };
    let written = Written {
        path,
        hash: node.content_hash(),
        size: node.size.cast_unsigned(),
        id: node.uuid,
        version: done.value.version,
        modified_at: time_of(node.mtime_ns),
        mtime_ns: node.mtime_ns,
    };
    (status, headers, Json(written)).into_response()
}
