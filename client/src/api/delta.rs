//! Large files as differences (`docs/design/008-deltas.md`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::{self, Step};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::error::ApiError;
use super::send::Ask;
use super::types::Written;
use super::upload::{self, MTIME_NS, PIECE, Put, REPR_DIGEST};
use super::{Api, tag};

/// A delta on its way out; it can be sent again from the beginning.
pub(super) struct OutgoingDelta {
    path: PathBuf,
    steps: Vec<Step>,
    /// Bytes of the result.
    result: u64,
}

impl OutgoingDelta {
    pub(super) fn size(&self) -> u64 {
        delta::size_of(&self.steps)
    }

    /// The delta's bytes; `moved` is told of each piece.
    pub(super) async fn open(
        &self,
        moved: Arc<AtomicU64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static, ApiError> {
        let file = tokio::fs::File::open(&self.path).await;
        let file = file.map_err(|error| ApiError::local(&self.path, error))?;
        let pieces = pieces(self.result, &self.steps);
        Ok(stream::try_unfold((file, pieces.into_iter()), move |(mut file, mut pieces)| {
            let moved = Arc::clone(&moved);
            async move {
                let Some(piece) = pieces.next() else { return Ok(None) };
                let bytes = match piece {
                    Piece::Told(bytes) => bytes,
                    Piece::Read(from, length) => {
                        file.seek(io::SeekFrom::Start(from)).await?;
                        let mut bytes = BytesMut::zeroed(length);
                        file.read_exact(&mut bytes).await?;
                        bytes.freeze()
                    }
                };
                moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(Some((bytes, (file, pieces))))
            }
        }))
    }
}

/// What is sent at once.
enum Piece {
    Told(Bytes),
    Read(u64, usize),
}

fn pieces(result: u64, steps: &[Step]) -> Vec<Piece> {
    let mut pieces = vec![Piece::Told(Bytes::copy_from_slice(&delta::head(result)))];
    for step in steps {
        pieces.push(Piece::Told(Bytes::from(delta::written(step))));
        if let Step::New(range) = step {
            let mut at = range.start;
            while at < range.end {
                let length = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE);
                pieces.push(Piece::Read(at, length));
                at += length as u64;
            }
        }
    }
    pieces.push(Piece::Told(Bytes::copy_from_slice(&delta::end())));
    pieces
}

impl Api {
    /// Changes a file of a drive to what a file of this device is, which is told as a difference to `base`. The server checks
    /// the result against `put.hash`.
    ///
    /// # Errors
    /// 412 when the file is another than `base` by now, [`ApiError::Changed`], [`ApiError::Local`], and the server's.
    pub async fn patch_file(
        &self,
        put: &Put<'_>,
        base: ContentHash,
        steps: Vec<Step>,
        local: &Path,
    ) -> Result<Written, ApiError> {
        let hash = put.hash.ok_or_else(|| ApiError::nonsense("a delta to an unknown content"))?;
        let result = tokio::fs::metadata(local).await.map_err(|error| ApiError::local(local, error))?.len();
        let outgoing = OutgoingDelta { path: local.to_owned(), steps, result };
        let parts = ["api", "drives", put.drive, "files", put.path.as_str()];
        // Its condition lets it happen once: a second finds another content and is refused.
        let mut ask = Ask::new(Method::PATCH, self.address.at(&parts))
            .repeatable()
            .header(REPR_DIGEST, &upload::digest(&hash))?
            .header(IF_MATCH, &tag(&base))?;
        if let Some(mtime_ns) = put.mtime_ns {
            ask = ask.header(MTIME_NS, &mtime_ns.to_string())?;
        }
        let written: Written =
            self.ask_json(ask.delta(outgoing)).await.map_err(|error| upload::changed(error, local))?;
        match written.hash {
            Some(stored) if stored != hash => Err(ApiError::WrongContent { expected: hash, actual: stored }),
            _ => Ok(written),
        }
    }
}
