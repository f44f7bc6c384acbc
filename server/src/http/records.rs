//! A body of records (`application/x-holdfast-batch`), read as it arrives.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use futures_util::StreamExt as _;
use holdfast_protocol::batch::{self, Unpacker};
use serde::de::DeserializeOwned;

use super::extract::parse;
use crate::error::{Error, Kind, Result};

/// How long a sender may be silent.
const SILENCE: Duration = Duration::from_secs(300);

/// Takes records out of a body, within its limits.
pub struct Reader {
    body: BodyDataStream,
    unpacker: Unpacker,
    /// Bytes that have arrived.
    received: u64,
    records: usize,
}

impl Reader {
    /// Begins; nothing is read yet.
    ///
    /// # Errors
    /// 415 for another kind of body, 413 for one that is known to be too large.
    pub fn begin(headers: &HeaderMap, body: Body) -> Result<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim();
        let kind = text(CONTENT_TYPE).split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case(batch::CONTENT_TYPE) {
            let wanted = format!("the body must be {}", batch::CONTENT_TYPE);
            return Err(Error::new(Kind::UnsupportedMedia, wanted));
        }
        if !matches!(text(CONTENT_ENCODING).to_ascii_lowercase().as_str(), "" | "identity") {
            return Err(Error::new(Kind::UnsupportedMedia, "the body must not be encoded"));
        }
        within(text(CONTENT_LENGTH).parse().unwrap_or(0), batch::MOST_BYTES, "the body")?;
        let body = body.into_data_stream();
        Ok(Self { body, unpacker: Unpacker::default(), received: 0, records: 0 })
    }

    /// The next record's header; `None` where the body ends as it should.
    ///
    /// # Errors
    /// 400 for a body that breaks off or is no JSON here, 413 beyond a limit, 422 for a header of another shape.
    pub async fn header<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            let line = self.unpacker.header().map_err(|long| too_large(long.to_string()))?;
            if let Some(line) = line {
                let number = self.records;
                self.records += 1;
                if self.records > batch::MOST_RECORDS {
                    return Err(too_large(format!("more than {} acts", batch::MOST_RECORDS)));
                }
                return parse(line)
                    .map(Some)
                    .map_err(|problem| problem.into_error().with("entry", number as u64));
            }
            if !self.more().await? {
                return if self.unpacker.is_empty() { Ok(None) } else { Err(broken_off()) };
            }
        }
    }

    /// The content of the record whose header was read last.
    ///
    /// # Errors
    /// As [`Reader::header`].
    pub async fn content(&mut self, size: u64) -> Result<Bytes> {
        within(size, batch::MOST_EACH, "a content")?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        loop {
            if let Some(content) = self.unpacker.content(size) {
                return Ok(Bytes::copy_from_slice(content));
            }
            if !self.more().await? {
                return Err(broken_off());
            }
        }
    }

    /// Waits for more bytes; false at the body's end.
    async fn more(&mut self) -> Result<bool> {
        let next = tokio::time::timeout(SILENCE, self.body.next()).await;
        match next.map_err(|_| Error::malformed("the body stopped arriving"))? {
            None => Ok(false),
            Some(Err(error)) => Err(broken_off().because(error)),
            Some(Ok(bytes)) => {
                self.received += bytes.len() as u64;
                within(self.received, batch::MOST_BYTES, "the body")?;
                self.unpacker.feed(&bytes);
                Ok(true)
            }
        }
    }
}

fn broken_off() -> Error {
    Error::malformed("the body broke off: nothing of it was done").code("broken-off")
}

fn within(size: u64, limit: u64, what: &str) -> Result<()> {
    if size <= limit { Ok(()) } else { Err(too_large(what.to_owned()).with("limit", limit)) }
}

fn too_large(what: String) -> Error {
    Error::new(Kind::TooLarge, format!("{what} is larger than a batch may be")).code("too-large")
}
