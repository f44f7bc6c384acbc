//! Getting a content: streamed, resumed where the connection breaks, and believed only when its hash is right.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use holdfast_protocol::{ContentHash, DrivePath, delta};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH,
    RANGE,
};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use url::Url;
use uuid::Uuid;

use super::error::ApiError;
use super::limit::Limits;
use super::retry::{Patience, Repeat};
use super::send::Ask;
use super::{Address, Api, Progress, answer, tag};
use crate::platform;

/// Where a content is.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// The current content of a file.
    File {
        /// A name or id.
        drive: &'a str,
        /// Where.
        path: &'a DrivePath,
    },
    /// A version, current or not.
    Version {
        /// A name or id.
        drive: &'a str,
        /// The version's id.
        id: Uuid,
    },
    /// A device's content of a conflict.
    Candidate {
        /// The conflict's id.
        conflict: Uuid,
    },
}

/// A content as it arrives.
#[derive(Debug)]
pub struct Content {
    response: Response,
    address: Address,
    patience: Patience,
    limits: Limits,
    at: u64,
    size: Option<u64>,
    hash: Option<ContentHash>,
    etag: Option<String>,
    mtime_ns: Option<i64>,
}

/// A content that has arrived whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// What it hashes to.
    pub hash: ContentHash,
    /// Its bytes.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970, as far as the server said so.
    pub mtime_ns: Option<i64>,
}

impl Content {
    /// The next bytes; `None` after the last one. What has come is not to be believed before its hash was compared.
    ///
    /// # Errors
    /// [`ApiError::Broken`] when it ends too early, [`ApiError::Timeout`] when nothing more comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match answer::chunk(&mut self.response, &self.address, self.patience.stall).await? {
            Some(bytes) => {
                self.limits.received(bytes.len()).await;
                self.at += bytes.len() as u64;
                match self.size {
                    Some(size) if self.at > size => Err(ApiError::nonsense("more bytes than announced")),
                    _ => Ok(Some(bytes)),
                }
            }
            None => match self.size {
                Some(size) if self.at < size => {
                    Err(ApiError::Broken { detail: format!("{} of {size} bytes came", self.at) })
                }
                _ => Ok(None),
            },
        }
    }

    /// The size of the whole content, if the server told it.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The hash that the server says it has.
    pub fn hash(&self) -> Option<ContentHash> {
        self.hash
    }

    /// When it was last written, in nanoseconds since 1970, as far as the server said so.
    pub fn mtime_ns(&self) -> Option<i64> {
        self.mtime_ns
    }
}

impl Api {
    fn url_of(&self, source: &Source<'_>) -> Url {
        match source {
            Source::File { drive, path } => {
                self.address.at(&["api", "drives", drive, "files", path.as_str()])
            }
            Source::Version { drive, id } => {
                self.address.at(&["api", "drives", drive, "versions", &id.to_string(), "content"])
            }
            Source::Candidate { conflict } => {
                self.address.at(&["api", "conflicts", &conflict.to_string(), "candidate"])
            }
        }
    }

    /// Opens a content from a byte on. With `expect` it has to be that one.
    ///
    /// # Errors
    /// 404, 412 when it is another than the expected one, and the server's.
    pub async fn content(
        &self,
        source: &Source<'_>,
        from: u64,
        expect: Option<&ContentHash>,
    ) -> Result<Content, ApiError> {
        self.content_with(source, from, expect.map(tag)).await
    }

    /// Opens a file's content, which has to be `hash`; told as a delta to `base` if the server finds that worth it.
    ///
    /// # Errors
    /// 404, 412 when it is another than the expected one, and the server's.
    pub async fn content_from(
        &self,
        source: &Source<'_>,
        hash: &ContentHash,
        base: &ContentHash,
    ) -> Result<(Content, bool), ApiError> {
        let ask = Ask::get(self.url_of(source))
            .header(ACCEPT_ENCODING, "identity")?
            .header(IF_MATCH, &tag(hash))?
            .header(IF_NONE_MATCH, &tag(base))?
            .header(HeaderName::from_static("a-im"), delta::CODING)?;
        let response = self.ask(ask).await?;
        let is_delta = response.status() == StatusCode::IM_USED;
        let size = number(response.headers(), CONTENT_LENGTH);
        Ok((self.opened(response, 0, size), is_delta))
    }

    async fn content_with(
        &self,
        source: &Source<'_>,
        from: u64,
        expect: Option<String>,
    ) -> Result<Content, ApiError> {
        // The bytes are wanted as they are, and their ranges counted so.
        let mut ask = Ask::get(self.url_of(source)).header(ACCEPT_ENCODING, "identity")?;
        if from > 0 {
            ask = ask.header(RANGE, &format!("bytes={from}-"))?;
        }
        if let Some(expect) = &expect {
            ask = ask.header(IF_MATCH, expect)?;
        }
        let response = self.ask(ask).await?;
        let size = match (from, response.status()) {
            (0, StatusCode::OK) => number(response.headers(), CONTENT_LENGTH),
            (_, StatusCode::PARTIAL_CONTENT) if from > 0 => Some(continued(response.headers(), from)?),
            (_, status) => {
                return Err(ApiError::nonsense(format!("{status} for a content from byte {from}")));
            }
        };
        Ok(self.opened(response, from, size))
    }

    fn opened(&self, response: Response, from: u64, size: Option<u64>) -> Content {
        let headers = response.headers();
        let etag = headers.get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let hash = etag.as_deref().and_then(|etag| etag.trim_matches('"').parse().ok());
        let mtime_ns = number(headers, HeaderName::from_static("holdfast-mtime-ns"));
        let (address, patience, limits) = (self.address.clone(), self.patience, self.limits.clone());
        Content { response, address, patience, limits, at: from, size, hash, etag, mtime_ns }
    }

    /// Writes a content to `into`, going on where it stopped when the connection breaks off, and compares its hash at the
    /// end. What was written before an error is worth nothing.
    ///
    /// # Errors
    /// [`ApiError::WrongContent`] when it is not what it is said to be, 412 when it is not what is expected or changed
    /// on the server in between, [`ApiError::Local`] with an empty path when it cannot be written.
    pub async fn fetch(
        &self,
        source: &Source<'_>,
        expect: Option<&ContentHash>,
        into: &mut (impl AsyncWrite + Unpin + Send),
        progress: Option<&Progress>,
    ) -> Result<Fetched, ApiError> {
        let mut hasher = Sha256::new();
        let mut content = self.content(source, 0, expect).await?;
        let (size, mtime_ns, etag) = (content.size, content.mtime_ns, content.etag.take());
        let promised = expect.copied().or(content.hash);
        let (mut got, mut made, mut got_before) = (0, 1, 0);
        loop {
            let error = match content.next().await {
                Ok(Some(bytes)) => {
                    into.write_all(&bytes).await.map_err(|error| ApiError::local("", error))?;
                    hasher.update(&bytes);
                    got += bytes.len() as u64;
                    if let Some(progress) = progress {
                        progress(got);
                    }
                    continue;
                }
                Ok(None) => break,
                Err(error) => error,
            };
            // As long as each attempt brings something, it is only the network.
            if got > got_before {
                (made, got_before) = (1, got);
            }
            let wait = self.patience.before_next(made, &error, Repeat::Freely);
            // Only of a content that is named can be said that the rest belongs to the beginning.
            let (Some(wait), Some(etag), true) = (wait, &etag, got > 0) else { return Err(error) };
            made += 1;
            tokio::time::sleep(wait).await;
            content = self.content_with(source, got, Some(etag.clone())).await?;
            if content.size != size {
                return Err(ApiError::nonsense("its size is another than before"));
            }
        }
        into.flush().await.map_err(|error| ApiError::local("", error))?;
        let hash = ContentHash::from_bytes(hasher.finalize().into());
        match promised {
            Some(expected) if expected != hash => Err(ApiError::WrongContent { expected, actual: hash }),
            _ => Ok(Fetched { hash, size: got, mtime_ns }),
        }
    }

    /// Gets a content into a file: written beside it, compared, made durable and then exchanged for it, so that at all
    /// times the old file or the whole new one is there. The file gets the content's modification time. Without `replace`,
    /// a file that is there is left alone.
    ///
    /// # Errors
    /// As [`Api::fetch`]; [`ApiError::Local`] with the path otherwise. Nothing is left behind then.
    pub async fn fetch_to_file(
        &self,
        source: &Source<'_>,
        expect: Option<&ContentHash>,
        target: &Path,
        replace: bool,
        progress: Option<&Progress>,
    ) -> Result<Fetched, ApiError> {
        let local = |error| ApiError::local(target, error);
        let part = Part::beside(target).map_err(local)?;
        let file = platform::create_new(&part.0).map_err(local)?;
        let mut file = tokio::fs::File::from_std(file);
        let fetched = self.fetch(source, expect, &mut file, progress).await;
        let fetched = fetched.map_err(|error| match error {
            ApiError::Local { error, .. } => local(error),
            other => other,
        })?;
        let file = file.into_std().await;
        let target = target.to_owned();
        let placed = tokio::task::spawn_blocking(move || {
            if let Some(mtime_ns) = fetched.mtime_ns {
                platform::set_mtime(&file, mtime_ns)?;
            }
            file.sync_all()?;
            drop(file);
            platform::place(&part.0, &target, replace)
        });
        placed.await.map_err(std::io::Error::other).flatten().map_err(local)?;
        Ok(fetched)
    }
}

/// A file that is not yet what it is to be; gone when it is dropped, unless it was moved away.
struct Part(PathBuf);

impl Part {
    fn beside(target: &Path) -> std::io::Result<Self> {
        if target.file_name().is_none() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        // Not made from the target's name, which may be as long as names can be.
        Ok(Self(target.with_file_name(format!(".holdfast-{}.part", Uuid::new_v4().simple()))))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The whole size that a part of a content tells, if the part begins at `from`.
fn continued(headers: &HeaderMap, from: u64) -> Result<u64, ApiError> {
    let told = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parsed = told.strip_prefix("bytes ").and_then(|range| {
        let (span, size) = range.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, size.parse::<u64>().ok()?))
    });
    match parsed {
        Some((first, last, size)) if first == from && last.checked_add(1) == Some(size) => Ok(size),
        _ => Err(ApiError::nonsense(format!("not the range that was asked for: {told:?}"))),
    }
}

fn number<T: std::str::FromStr>(headers: &HeaderMap, name: HeaderName) -> Option<T> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}
