//! Reading a manifest from a body that arrives as a stream. Memory is what the claims take, not the body (promise P7),
//! and a slow sender holds no thread that others need.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt as _};
use holdfast_protocol::manifest::{Limits, Manifest, ManifestError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::{Error, Kind, Result};

/// Up to this, a body is gathered before it is read: most are, and gathering takes no thread.
const GATHERED: usize = 1024 * 1024;
/// So many larger lists are read and judged at a time, each read by a thread of its own while it arrives; others wait in
/// line.
pub(super) const AT_ONCE: usize = 8;
/// A sender that is silent for so long has gone away.
const SILENCE: Duration = Duration::from_secs(60);
/// Pieces that wait for the reading thread.
const PIECES: usize = 16;

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

/// A place among the few for which much is held in memory at once; the next one's when it is dropped.
pub type Turn = OwnedSemaphorePermit;

/// Waits for a turn.
///
/// # Errors
/// When the server ends.
pub(super) async fn turn() -> Result<Turn> {
    Arc::clone(&TURNS).acquire_owned().await.map_err(Error::internal)
}

/// A manifest that was read.
#[derive(Debug)]
pub struct Heard {
    /// It.
    pub manifest: Manifest,
    /// Of a large one, the turn it was read in: to be held as long as it is.
    pub turn: Option<Turn>,
}

/// A body with a manifest, and its limits.
pub struct Told<S> {
    /// Its pieces.
    pub body: S,
    /// Most bytes of it.
    pub limit: u64,
    /// Most entries of its list.
    pub entries: usize,
}

/// Reads a manifest.
///
/// # Errors
/// 400 for what is no JSON or breaks off, 422 for an entry that is not usable (naming it), 413 beyond a limit, 408 for a
/// sender that falls silent.
pub async fn read_manifest<S, E>(told: Told<S>) -> Result<Heard>
where
    S: Stream<Item = std::result::Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let limits = Limits { max_entries: told.entries };
    let mut body = Counted { body: std::pin::pin!(told.body), left: told.limit, limit: told.limit };
    let mut gathered = Vec::new();
    while gathered.len() < GATHERED {
        match body.next().await? {
            Some(piece) => gathered.extend_from_slice(&piece),
            None => {
                let read = move || Manifest::from_slice(&gathered, limits);
                let manifest = tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
                return Ok(Heard { manifest: manifest.map_err(refused)?, turn: None });
            }
        }
    }
    let turn = turn().await?;
    let (pieces, arriving) = mpsc::channel(PIECES);
    let reader = std::thread::Builder::new().name("manifest".to_owned());
    let (done, read) = tokio::sync::oneshot::channel();
    let arriving = Arriving { now: gathered.into(), later: arriving };
    let work = move || {
        let manifest = Manifest::from_reader(BufReader::with_capacity(64 * 1024, arriving), limits);
        // Who asked may have gone away.
        let _ = done.send((manifest, turn));
    };
    reader.spawn(work).map_err(Error::internal)?;
    let failed = loop {
        match body.next().await {
            Ok(Some(piece)) => {
                // The reader has stopped: it says why below.
                if pieces.send(Ok(piece)).await.is_err() {
                    break None;
                }
            }
            Ok(None) => break None,
            Err(error) => {
                let _ = pieces.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
                break Some(error);
            }
        }
    };
    drop(pieces);
    let (manifest, turn) = read.await.map_err(Error::internal)?;
    match failed {
        Some(error) => Err(error),
        None => Ok(Heard { manifest: manifest.map_err(refused)?, turn: Some(turn) }),
    }
}

/// A body's pieces, counted and waited for a bounded time.
struct Counted<S> {
    body: S,
    left: u64,
    limit: u64,
}

impl<S, E> Counted<S>
where
    S: Stream<Item = std::result::Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let next = tokio::time::timeout(SILENCE, self.body.next()).await;
        let next = next.map_err(|_| Error::new(Kind::Malformed, "the body stopped arriving"))?;
        let Some(piece) = next
            .transpose()
            .map_err(|source| Error::malformed("the body could not be read to its end").because(source))?
        else {
            return Ok(None);
        };
        match self.left.checked_sub(piece.len() as u64) {
            Some(left) => self.left = left,
            None => {
                let error = Error::new(Kind::TooLarge, "the list is larger than this server takes");
                return Err(error.code("too-large").with("limit", self.limit));
            }
        }
        Ok(Some(piece))
    }
}

/// What has arrived and what is still arriving, as a reader for a thread of its own.
struct Arriving {
    now: Bytes,
    later: mpsc::Receiver<io::Result<Bytes>>,
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.later.blocking_recv() {
                Some(piece) => self.now = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.now.len());
        self.now.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

fn refused(error: ManifestError) -> Error {
    let text = error.to_string();
    match error {
        ManifestError::Syntax(_) => Error::malformed(text),
        ManifestError::Shape(_) => Error::invalid(text),
        ManifestError::Entry { index, .. } => {
            Error::invalid(text).code("bad-entry").with("entry", u64::try_from(index).unwrap_or(u64::MAX))
        }
        ManifestError::TooMany { limit } => {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX);
            Error::new(Kind::TooLarge, text).code("too-many-entries").with("limit", limit)
        }
        ManifestError::Io(source) => {
            Error::malformed("the body could not be read to its end").because(source)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    async fn heard(padding: usize) -> Heard {
        let body = format!(r#"{{"device_id": "x", "padding": "{}", "file_list": []}}"#, "p".repeat(padding));
        let body = futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from(body))]);
        read_manifest(Told { body, limit: u64::MAX, entries: 1 }).await.unwrap()
    }

    #[tokio::test]
    async fn a_large_list_holds_its_turn_until_it_is_let_go() {
        let small = heard(0).await;
        assert_eq!(TURNS.available_permits(), AT_ONCE, "a small one needs none");
        let large = heard(GATHERED).await;
        assert_eq!(TURNS.available_permits(), AT_ONCE - 1);
        drop((small, large));
        assert_eq!(TURNS.available_permits(), AT_ONCE);
    }
}
