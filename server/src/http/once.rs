//! `Idempotency-Key` over HTTP: which key, and what the request was.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use holdfast_disk::Hasher;
use serde::Serialize;

use crate::app::App;
use crate::error::{Error, Result};
use crate::service::files::{PutDone, Transfer, Who};
use crate::service::once::{self, Asked, Once};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is the one of then.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const LONGEST: usize = 255;

/// What a request is, for comparing it with another one of its key.
pub struct Fingerprint(Hasher);

impl Fingerprint {
    /// Of an act of this name by somebody in a drive.
    ///
    /// # Errors
    /// None that could happen.
    pub fn of(act: &str, drive: uuid::Uuid, who: &Who) -> Result<Self> {
        let mut print = Self(Hasher::new());
        print.add(&(act, drive, who.syncing))?;
        Ok(print)
    }

    /// Adds a part of the request.
    ///
    /// # Errors
    /// None that could happen.
    pub fn add(&mut self, part: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(part).map_err(Error::internal)?;
        self.bytes(&text);
        Ok(())
    }

    /// Adds a content.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The fingerprint.
    pub fn finish(self) -> [u8; 32] {
        *self.0.finish().as_bytes()
    }
}

/// The key of a request, if it has one.
///
/// # Errors
/// 400 for one that cannot be a key.
pub fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    // A string of RFC 9651, whose quotes most leave out.
    let key = value.to_str().ok().map(|text| text.trim().trim_matches('"'));
    match key {
        Some(key) if !key.is_empty() && key.len() <= LONGEST => Ok(Some(key.to_owned())),
        _ => Err(Error::malformed("Idempotency-Key must be text of 1 to 255 characters")),
    }
}

/// Whether a request with a key was made before: what it is to be remembered by, or its answer.
///
/// # Errors
/// 409, 422.
pub async fn asked(
    app: &App,
    who: &Who,
    key: Option<String>,
    print: Fingerprint,
    told: fn(&Transfer, &PutDone) -> Result<String>,
) -> Result<std::result::Result<Option<Arc<Once>>, String>> {
    let Some(key) = key else { return Ok(Ok(None)) };
    match once::asked(app, (who.user_id, key), print.finish(), told).await? {
        Asked::First(once) => Ok(Ok(Some(once))),
        Asked::Again(body) => Ok(Err(body)),
    }
}

/// The answer of then.
pub fn again(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    (status, headers, body).into_response()
}
