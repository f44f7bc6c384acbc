//! `PATCH /api/uploads/{upload}`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::http::tus::{self, Spoken};
use crate::service::uploads;

/// Adds a part to an upload.
///
/// What arrived before it broke off is kept, unless the part has a checksum. The newest of several requests at once goes
/// on, the others are told 409 (`taken-over`). The answer to the last part comes when the upload is a file, and says of it
/// what the answer to a PUT says. A 412 (its condition does not hold) or 422 (it is not the content of `hash`) then ends
/// the upload; after any other refusal it stays whole, and a HEAD or an empty part tries again.
#[utoipa::path(patch, path = "/api/uploads/{upload}", tag = "uploads",
    params(
        ("upload" = Uuid, Path, description = "Its id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "Where the part begins; 409 `other-offset` where that is not its end"),
        ("Upload-Checksum" = Option<String>, Header, description = "sha1, sha256 or md5 and the value in base64; 460 when the part has another"),
    ),
    request_body(content_type = "application/offset+octet-stream", description = "The part", content = String),
    responses((status = 204, description = "It has arrived and is durable", headers(
        ("Upload-Offset" = u64, description = "Bytes that have arrived"),
        ("Upload-Expires" = String, description = "When it is removed if nothing more arrives"),
        ("ETag" = Option<String>, description = "Of the file it has become: the SHA-256 in quotes"),
        ("Holdfast-Node" = Option<Uuid>, description = "Likewise: its id"),
        ("Holdfast-Version" = Option<i64>, description = "Likewise: the number of its version"),
        ("Holdfast-Mtime-Ns" = Option<i64>, description = "Likewise: its modification time"),
        ("Holdfast-Placement" = Option<String>, description = "pending: not in the plain folder yet")))))]
pub async fn append(
    State(app): State<App>,
    caller: CallerOn,
    _: Spoken,
    Path(upload): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let part = tus::part(&headers, None, &body)?;
    let appending = uploads::append(app.clone(), caller.who(), upload, part, tus::bytes(body));
    let standing = app.act(appending).await?;
    Ok((StatusCode::NO_CONTENT, tus::told(&standing)))
}
