//! tus 1.0 over HTTP: its header fields, and the bytes of a part on their way in
//! (<https://tus.io/protocols/resumable-upload>).

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{Stream, stream};
use http_body::Body as _;

use super::fields::{self, MTIME_NS, PLACEMENT};
use super::problem::Problem;
use super::upload::arriving;
use crate::domain::uploads::checksum;
use crate::error::{Error, Kind, Result};
use crate::service::uploads::{Finished, Part, Standing};

/// The one version that is spoken.
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
/// What the body of a part is sent as.
pub const PART: &str = "application/offset+octet-stream";
/// Which version a message is of.
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// Versions that are spoken.
const VERSIONS: HeaderName = HeaderName::from_static("tus-version");
/// Where an upload stands, or a part begins.
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Bytes of the whole.
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// What it is to become.
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// A part's checksum.
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// When an upload is removed.
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// The id of the file that an upload has become.
const NODE: HeaderName = HeaderName::from_static("holdfast-node");
/// The number of its version.
const NODE_VERSION: HeaderName = HeaderName::from_static("holdfast-version");

/// A layer: every answer says which version it is of, and which there are.
pub async fn layer(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(RESUMABLE, VERSION);
    response.headers_mut().insert(VERSIONS, VERSION);
    response
}

/// Proof that a request is of the version that is spoken. To be asked for after the caller.
#[derive(Debug)]
pub struct Spoken;

impl<S: Send + Sync> FromRequestParts<S> for Spoken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Problem> {
        if parts.headers.get(RESUMABLE) == Some(&VERSION) {
            return Ok(Self);
        }
        Err(Error::precondition("Tus-Resumable must be 1.0.0").code("other-tus-version").into())
    }
}

/// `Upload-Length`.
///
/// # Errors
/// 400 where it is missing or no number: no upload is begun without.
pub fn length(headers: &HeaderMap) -> Result<u64> {
    number(headers, &LENGTH)?
        .ok_or_else(|| Error::malformed("Upload-Length is missing; it cannot be told later here"))
}

/// `Upload-Metadata`, as it came.
///
/// # Errors
/// 400 when it is no text.
pub fn metadata(headers: &HeaderMap) -> Result<&str> {
    let bad = |_| Error::malformed("Upload-Metadata is not text");
    headers.get(METADATA).map_or(Ok(""), |value| value.to_str().map_err(bad))
}

/// The part in a request's body. Without `at` it begins where `Upload-Offset` says.
///
/// # Errors
/// 415 for a body of another type, 400 for an offset or checksum that cannot be one.
pub fn part(headers: &HeaderMap, at: Option<u64>, body: &Body) -> Result<Part> {
    if !is_part(headers) {
        return Err(Error::new(Kind::UnsupportedMedia, "a part must be application/offset+octet-stream"));
    }
    let offset = match at {
        Some(at) => at,
        None => number(headers, &OFFSET)?.ok_or_else(|| Error::malformed("Upload-Offset is missing"))?,
    };
    let bad = || Error::malformed("Upload-Checksum must be sha1, sha256 or md5 and the value in base64");
    let checksum = match headers.get(CHECKSUM) {
        Some(value) => Some(value.to_str().ok().and_then(checksum).ok_or_else(bad)?),
        None => None,
    };
    Ok(Part { offset, length: body.size_hint().exact(), checksum })
}

/// Whether a request brings a part.
pub fn is_part(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == PART.as_bytes())
}

/// The bytes of a body as they arrive.
pub fn bytes(body: Body) -> impl Stream<Item = Result<Bytes>> + Send + Unpin {
    Box::pin(stream::unfold(Some(body.into_data_stream()), |stream| async {
        let mut stream = stream?;
        match arriving(&mut stream).await.transpose()? {
            Ok(bytes) => Some((Ok(bytes), Some(stream))),
            Err(error) => Some((Err(error), None)),
        }
    }))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>> {
    let bad = || Error::malformed(format!("{name} is not a whole number"));
    let read = |value: &HeaderValue| {
        let text = value.to_str().ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        text.and_then(|text| text.parse().ok()).ok_or_else(bad)
    };
    headers.get(name).map(read).transpose()
}

/// What an answer says of an upload: where it stands, how long it lasts, and the file it has become.
pub fn told(standing: &Standing) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OFFSET, standing.offset.into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(date) = fields::http_date(standing.expires_at.div_euclid(1_000_000)) {
        headers.insert(EXPIRES, date);
    }
    if let Some(finished) = &standing.finished {
        become_file(&mut headers, finished);
    }
    headers
}

/// As [`told`], with what it is to become: the answer to HEAD.
pub fn described(standing: &Standing) -> HeaderMap {
    let mut headers = told(standing);
    headers.insert(LENGTH, standing.size.into());
    if let Ok(metadata) = HeaderValue::try_from(&standing.metadata)
        && !metadata.is_empty()
    {
        headers.insert(METADATA, metadata);
    }
    headers
}

/// As [`told`], with where it is found: the answer to its creation.
pub fn begun(standing: &Standing) -> HeaderMap {
    let mut headers = told(standing);
    if let Ok(location) = HeaderValue::try_from(format!("/api/uploads/{}", standing.id)) {
        headers.insert(LOCATION, location);
    }
    headers
}

fn become_file(headers: &mut HeaderMap, finished: &Finished) {
    if let Some(Ok(tag)) = finished.hash.map(|hash| HeaderValue::try_from(format!("\"{hash}\""))) {
        headers.insert(ETAG, tag);
    }
    headers.insert(MTIME_NS, finished.mtime_ns.into());
    if let Ok(id) = HeaderValue::try_from(finished.id.to_string()) {
        headers.insert(NODE, id);
    }
    if let Some(version) = finished.version {
        headers.insert(NODE_VERSION, version.into());
    }
    if !finished.placed {
        headers.insert(PLACEMENT, HeaderValue::from_static("pending"));
    }
}
