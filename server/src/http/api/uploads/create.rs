//! `POST /api/uploads`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::problem::Problem;
use crate::http::tus::{self, Spoken};
use crate::service::uploads;

/// Begins a resumable upload.
///
/// `Upload-Metadata` says what it is to become, values in base64: `path` (or what browsers send: `relativePath`,
/// `filename`, `name`) and as one likes `drive` (home when absent), `hash` (SHA-256 of the whole in hexadecimal digits,
/// checked), `mtime` (seconds since 1970, with an optional fraction) or `mtime_ns`, `expect` (what it may replace: a content
/// hash, `*` for any file, `none` for nothing) and `parents` (true: missing folders are made). The file appears when all
/// bytes have arrived, by the same act as a PUT, with the rights, locks and contents of then. A body is its first part.
#[utoipa::path(post, path = "/api/uploads", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = u64, Header, description = "Bytes of the whole"),
        ("Upload-Metadata" = String, Header, description = "Keys with base64 values, comma-separated"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1, sha256 or md5 of the body, and the value in base64"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body(content_type = "application/offset+octet-stream", description = "The first part, or nothing",
        content = Option<String>),
    responses((status = 201, description = "It may be added to", headers(
        ("Location" = String, description = "Where"),
        ("Upload-Offset" = u64, description = "Bytes that have arrived"),
        ("Upload-Expires" = String, description = "When it is removed if nothing more arrives")))))]
pub async fn create(
    State(app): State<App>,
    caller: CallerOn,
    _: Spoken,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let size = tus::length(&headers)?;
    let part = tus::is_part(&headers).then(|| tus::part(&headers, Some(0), &body)).transpose()?;
    let mut standing = uploads::begin(&app, &caller.who(), tus::metadata(&headers)?, size).await?;
    let (id, who) = (standing.id, caller.who());
    if let Some(part) = part {
        standing = app.act(uploads::append(app.clone(), who, id, part, tus::bytes(body))).await?;
    } else if size == 0 {
        standing = app.act(uploads::look(app.clone(), who, id)).await?;
    }
    Ok((StatusCode::CREATED, tus::begun(&standing)))
}
