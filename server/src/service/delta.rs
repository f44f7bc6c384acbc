//! Differences between contents of a drive: what of a new one a client lacks that has an old one, and a new one put
//! together of the current one and what a client sends (`docs/design/008-deltas.md`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use holdfast_protocol::delta::{self, Chunk, DeltaError, Part, Reader, Step};
use holdfast_protocol::{ContentHash, DrivePath};
use tokio::sync::Semaphore;

use super::content::{self, Opened};
use super::placement::Mounted;
use super::upload::{Declared, Upload};
use crate::catalog::versions;
use crate::error::{Error, Result};
use crate::store::{Blob, FinishHints};

/// Chunks that are remembered, of all contents together: those of some 30 GiB, 18 MB of memory.
const REMEMBERED: usize = 500_000;
/// Contents of a drive that are cut at once.
const AT_ONCE: usize = 2;
/// Versions of a content that are tried as a base: one that is gone or damaged is no reason to send everything.
const TRIES: i64 = 3;

/// The chunks of contents that were asked for last. They can be made again.
pub(in crate::service) struct Chunks {
    held: Mutex<Held>,
    turns: Semaphore,
}

#[derive(Default)]
struct Held {
    chunks: HashMap<ContentHash, Arc<[Chunk]>>,
    order: VecDeque<ContentHash>,
    count: usize,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { held: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Chunks {
    async fn of(&self, opened: &Arc<Opened>, hash: ContentHash) -> Result<Arc<[Chunk]>> {
        let known = self.held.lock().unwrap_or_else(PoisonError::into_inner).chunks.get(&hash).cloned();
        if let Some(chunks) = known {
            return Ok(chunks);
        }
        let _turn = self.turns.acquire().await.map_err(Error::internal)?;
        let opened = Arc::clone(opened);
        let cut = tokio::task::spawn_blocking(move || opened.chunks()).await.map_err(Error::internal)?;
        let cut =
            cut.map_err(|source| Error::unavailable("the file cannot be read now", 30).because(source))?;
        let chunks: Arc<[Chunk]> = cut.into();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).keep(hash, &chunks);
        Ok(chunks)
    }
}

impl Held {
    fn keep(&mut self, hash: ContentHash, chunks: &Arc<[Chunk]>) {
        if chunks.len() > REMEMBERED || self.chunks.insert(hash, Arc::clone(chunks)).is_some() {
            return;
        }
        self.order.push_back(hash);
        self.count += chunks.len();
        while self.count > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.count -= self.chunks.remove(&oldest).map_or(0, |chunks| chunks.len());
        }
    }
}

/// How an opened content is made of another one of its drive; `None` where it is better sent whole: one of the two is
/// small or very large, another program is writing to it, or the base's bytes are not kept.
///
/// # Errors
/// 503 when one of them cannot be read now.
pub async fn between(
    mounted: &Arc<Mounted>,
    base: ContentHash,
    opened: &Arc<Opened>,
) -> Result<Option<Vec<Step>>> {
    let Some(hash) = opened.hash.filter(|_| is_worth_it(opened.size())) else { return Ok(None) };
    let drive = mounted.id;
    let holding = mounted
        .db()
        .glance(move |tx| Box::pin(async move { versions::holding(tx, drive, base, TRIES).await }))
        .await?;
    for version in holding {
        // Before it is opened, for one that was not judged yet is hashed then.
        if !is_worth_it(version.size.cast_unsigned()) {
            return Ok(None);
        }
        let Ok(old) = content::open_version(mounted, &version).await else { continue };
        let (old, chunks) = (Arc::new(old), &mounted.recent.chunks);
        let (old, new) = tokio::try_join!(chunks.of(&old, base), chunks.of(opened, hash))?;
        // Its tables take as much again as the chunks: not for more requests at once than are cut for.
        let _turn = chunks.turns.acquire().await.map_err(Error::internal)?;
        let compared = tokio::task::spawn_blocking(move || delta::steps(&old, &new)).await;
        return Ok(Some(compared.map_err(Error::internal)?));
    }
    Ok(None)
}

/// Whether a content of so many bytes is sent as a difference.
fn is_worth_it(size: u64) -> bool {
    (delta::FROM..=delta::UP_TO).contains(&size)
}

/// A content that is put together of a file's current one and of what arrives.
pub struct Patch {
    mounted: Arc<Mounted>,
    base: Arc<Opened>,
    reader: Reader,
    declared: Declared,
    upload: Option<Upload>,
}

impl Patch {
    /// On the current content of a file, which must be this one. `declared` is said of the result.
    ///
    /// # Errors
    /// 404, 409 for a folder, 412 when it has another content, 503 when that cannot be read now.
    pub async fn begin(
        mounted: &Arc<Mounted>,
        path: &DrivePath,
        base: ContentHash,
        declared: Declared,
    ) -> Result<Self> {
        let (opened, _) = content::open(mounted, path).await?;
        if opened.hash != Some(base) {
            let error = Error::precondition("the content is not the one that the delta is based on");
            return Err(error
                .with("expected_hash", base.to_string())
                .with("actual_hash", opened.hash.map(|hash| hash.to_string())));
        }
        let reader = Reader::new(opened.size());
        Ok(Self { mounted: Arc::clone(mounted), base: Arc::new(opened), reader, declared, upload: None })
    }

    /// Adds what arrived of the delta.
    ///
    /// # Errors
    /// 422 for what is no delta, and those of [`Upload::begin`] and [`Upload::write`].
    pub async fn write(&mut self, arrived: &Bytes) -> Result<()> {
        let mut rest = &arrived[..];
        while let Some(part) = self.reader.next(&mut rest).map_err(refused)? {
            let upload = match &mut self.upload {
                Some(upload) => upload,
                none => {
                    let declared = Declared { size: self.reader.size(), ..self.declared.clone() };
                    none.insert(Upload::begin(&self.mounted, declared)?)
                }
            };
            match part {
                Part::Bytes(bytes) => upload.write(arrived.slice_ref(bytes)).await?,
                Part::Copy(range) => {
                    let mut stream = std::pin::pin!(Arc::clone(&self.base).shared(range));
                    while let Some(bytes) = stream.next().await {
                        let bytes = bytes.map_err(|source| {
                            Error::unavailable("the file cannot be read now", 30).because(source)
                        })?;
                        upload.write(bytes).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the content.
    ///
    /// # Errors
    /// 422 for a delta that breaks off, and those of [`Upload::finish`].
    pub async fn finish(self, hints: FinishHints) -> Result<Blob> {
        self.reader.finish().map_err(refused)?;
        let upload = match self.upload {
            Some(upload) => upload,
            // The result is empty.
            None => Upload::begin(&self.mounted, Declared { size: self.reader.size(), ..self.declared })?,
        };
        upload.finish(hints).await
    }
}

fn refused(error: DeltaError) -> Error {
    Error::invalid(error.to_string()).code("bad-delta")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunks_of_the_oldest_contents_make_room() {
        let mut held = Held::default();
        let chunk = Chunk { hash: ContentHash::from_bytes([0; 32]), length: 1 };
        let chunks: Arc<[Chunk]> = vec![chunk; REMEMBERED / 4].into();
        for content in 0..9 {
            held.keep(ContentHash::from_bytes([content; 32]), &chunks);
            held.keep(ContentHash::from_bytes([content; 32]), &chunks);
        }
        assert_eq!((held.count, held.chunks.len(), held.order.len()), (REMEMBERED, 4, 4));
        assert!(held.chunks.contains_key(&ContentHash::from_bytes([8; 32])));
        let too_many: Arc<[Chunk]> = vec![chunk; REMEMBERED + 1].into();
        held.keep(ContentHash::from_bytes([9; 32]), &too_many);
        assert_eq!(held.chunks.len(), 4);
    }
}
