//! Sending a content from a file on this device.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use holdfast_protocol::{ContentHash, DrivePath};
use reqwest::Method;
use reqwest::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use uuid::Uuid;

use super::error::ApiError;
use super::send::Ask;
use super::types::{StoredConflict, Written};
use super::{Api, Progress, parts, tag};

/// How much is read and sent at once.
pub(super) const PIECE: usize = 128 * 1024;
pub(super) const MTIME_NS: HeaderName = HeaderName::from_static("holdfast-mtime-ns");
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// What an upload may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there; it stays in history.
    Any,
    /// Nothing: only where no file is.
    New,
    /// This content alone.
    Replaces(ContentHash),
}

/// A content to be put into a drive.
#[derive(Debug, Clone)]
pub struct Put<'a> {
    /// A name or id.
    pub drive: &'a str,
    /// Where to.
    pub path: &'a DrivePath,
    /// What it may replace.
    pub condition: Condition,
    /// When the content was last written, in nanoseconds since 1970; `None` for now.
    pub mtime_ns: Option<i64>,
    /// Whether missing folders above are made.
    pub parents: bool,
    /// Its hash, where that is known already; the file is read once more otherwise.
    pub hash: Option<ContentHash>,
}

impl Api {
    /// Puts a file of this device into a drive. The server checks what arrives against the hash, so a file that changes
    /// while it is being sent is refused and never stored half old and half new. May be repeated: a content that is there
    /// already is a success.
    ///
    /// # Errors
    /// 412 when the condition does not hold, [`ApiError::Changed`], [`ApiError::Local`], and the server's.
    pub async fn put_file(
        &self,
        put: &Put<'_>,
        local: &Path,
        progress: Option<Progress>,
    ) -> Result<Written, ApiError> {
        let (content, hash) = Outgoing::of(local, put.hash, progress).await?;
        if content.size() >= parts::FROM
            && let Some(written) =
                self.put_in_parts(put, &content, hash).await.map_err(|error| changed(error, local))?
        {
            return right_content(written, hash);
        }
        let parts = ["api", "drives", put.drive, "files", put.path.as_str()];
        let mut ask = Ask::new(Method::PUT, self.address.at(&parts)).header(REPR_DIGEST, &digest(&hash))?;
        if put.parents {
            ask = ask.query("parents", "true");
        }
        ask = match put.condition {
            Condition::Any => ask,
            Condition::New => ask.header(IF_NONE_MATCH, "*")?,
            Condition::Replaces(hash) => ask.header(IF_MATCH, &tag(&hash))?,
        };
        if let Some(mtime_ns) = put.mtime_ns {
            ask = ask.header(MTIME_NS, &mtime_ns.to_string())?;
        }
        let written: Written =
            self.ask_json(ask.content(content)).await.map_err(|error| changed(error, local))?;
        right_content(written, hash)
    }

    /// Sends this device's content of an open conflict, so that it can be resolved by keeping both.
    ///
    /// # Errors
    /// 409 when it is not the content that the conflict is about, [`ApiError::Local`], and the server's.
    pub async fn put_candidate(
        &self,
        conflict: Uuid,
        local: &Path,
        progress: Option<Progress>,
    ) -> Result<StoredConflict, ApiError> {
        let (content, _) = Outgoing::of(local, None, progress).await?;
        let url = self.address.at(&["api", "conflicts", &conflict.to_string(), "candidate"]);
        self.ask_json(Ask::new(Method::PUT, url).content(content)).await
    }
}

fn right_content(written: Written, expected: ContentHash) -> Result<Written, ApiError> {
    match written.hash {
        Some(actual) if actual != expected => Err(ApiError::WrongContent { expected, actual }),
        _ => Ok(written),
    }
}

/// A digest that does not fit says that the file is not what was hashed just before.
pub(super) fn changed(error: ApiError, local: &Path) -> ApiError {
    match error.problem().map(super::Problem::name) {
        Some("other-digest" | "other-length") => ApiError::Changed { path: local.to_owned() },
        _ => error,
    }
}

/// `Repr-Digest` of RFC 9530.
pub(super) fn digest(hash: &ContentHash) -> String {
    format!("sha-256=:{}:", STANDARD.encode(hash.as_bytes()))
}

/// A file, or a part of one, on its way out; it can be sent again from the beginning.
pub(super) struct Outgoing {
    path: PathBuf,
    from: u64,
    until: u64,
    progress: Option<Progress>,
    is_short: Arc<AtomicBool>,
}

impl Outgoing {
    async fn of(
        path: &Path,
        hash: Option<ContentHash>,
        progress: Option<Progress>,
    ) -> Result<(Self, ContentHash), ApiError> {
        let local = |error| ApiError::local(path, error);
        let (size, hash) = match hash {
            Some(hash) => (tokio::fs::metadata(path).await.map_err(local)?.len(), hash),
            None => {
                let of = path.to_owned();
                let read = tokio::task::spawn_blocking(move || hash_of(&of)).await;
                let (hash, size) = read.map_err(io::Error::other).flatten().map_err(local)?;
                (size, hash)
            }
        };
        let outgoing =
            Self { path: path.to_owned(), from: 0, until: size, progress, is_short: Arc::default() };
        Ok((outgoing, hash))
    }

    pub(super) fn size(&self) -> u64 {
        self.until - self.from
    }

    /// A part of it, in bytes of the file. Its progress is that of the whole.
    pub(super) fn part(&self, from: u64, until: u64) -> Self {
        let (progress, is_short) = (self.progress.clone(), Arc::clone(&self.is_short));
        Self { path: self.path.clone(), from, until, progress, is_short }
    }

    /// Exactly as many bytes as were announced, or an error; `moved` and the progress are told of each piece.
    pub(super) async fn open(
        &self,
        moved: Arc<AtomicU64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, ApiError> {
        let local = |error| ApiError::local(&self.path, error);
        let mut file = tokio::fs::File::open(&self.path).await.map_err(local)?;
        if self.from > 0 {
            file.seek(io::SeekFrom::Start(self.from)).await.map_err(local)?;
        }
        let (from, until) = (self.from, self.until);
        let (progress, is_short) = (self.progress.clone(), Arc::clone(&self.is_short));
        Ok(stream::try_unfold((file, from), move |(mut file, sent)| {
            let (moved, progress, is_short) = (Arc::clone(&moved), progress.clone(), Arc::clone(&is_short));
            async move {
                moved.store(sent - from, Ordering::Relaxed);
                if let Some(progress) = &progress {
                    progress(sent);
                }
                if sent == until {
                    return Ok(None);
                }
                let most = usize::try_from(until - sent).unwrap_or(PIECE).min(PIECE);
                let mut piece = BytesMut::with_capacity(most);
                let read = (&mut file).take(most as u64).read_buf(&mut piece).await;
                match read {
                    Ok(0) => {
                        is_short.store(true, Ordering::Relaxed);
                        Err(io::ErrorKind::UnexpectedEof.into())
                    }
                    Ok(n) => Ok(Some((piece.freeze(), (file, sent + n as u64)))),
                    Err(error) => Err(error),
                }
            }
        }))
    }

    /// Whether a broken upload is this device's own fault.
    pub(super) fn fault(&self) -> Result<(), ApiError> {
        if self.is_short.load(Ordering::Relaxed) {
            return Err(ApiError::Changed { path: self.path.clone() });
        }
        Ok(())
    }
}

/// The hash and size of a file as it is now. Blocks; needs little memory whatever the size.
///
/// # Errors
/// What the system says.
pub fn hash_of(path: &Path) -> io::Result<(ContentHash, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 2 * PIECE];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((ContentHash::from_bytes(hasher.finalize().into()), size)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use futures_util::TryStreamExt as _;

    use super::*;

    async fn sent(outgoing: &Outgoing) -> io::Result<Vec<u8>> {
        let pieces: Vec<Bytes> = outgoing.open(Arc::default()).await.unwrap().try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_not_sent_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = vec![7; 3 * PIECE];
        std::fs::write(&path, &content).unwrap();
        let (outgoing, hash) = Outgoing::of(&path, None, None).await.unwrap();
        assert_eq!(hash_of(&path).unwrap(), (hash, content.len() as u64));
        assert_eq!(sent(&outgoing).await.unwrap(), content);
        std::fs::write(&path, &content[1..]).unwrap();
        assert!(sent(&outgoing).await.is_err());
        assert!(matches!(outgoing.fault(), Err(ApiError::Changed { .. })));
    }

    #[tokio::test]
    async fn what_is_added_to_a_file_meanwhile_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "one\n").unwrap();
        let (outgoing, _) = Outgoing::of(&path, None, None).await.unwrap();
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(sent(&outgoing).await.unwrap(), b"one\n");
        assert!(outgoing.fault().is_ok());
    }

    #[test]
    fn a_digest_is_written_as_rfc_9530_has_it() {
        assert_eq!(digest(&ContentHash::EMPTY), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    }
}
