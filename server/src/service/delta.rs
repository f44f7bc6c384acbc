//! Differences between contents of a drive: what of a new one a client lacks that has an old one, and a new one put
//! together of the current one and what a client sends (`docs/design/008-deltas.md`).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use holdfast_disk::Recorder;
use holdfast_protocol::delta::{self, Chunk, DeltaError, Part, Reader, Recipe, Step};
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
/// Contents of which it is remembered how they were put together, and the most steps and new chunks of one: 10 MB in all.
const RECIPES: usize = 64;
const HEAVIEST: usize = 4_096;
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
    /// How the contents that came last as differences were put together: of which base, and of what.
    recipes: VecDeque<(ContentHash, ContentHash, Recipe)>,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { held: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Chunks {
    async fn of(&self, opened: &Arc<Opened>, hash: ContentHash) -> Result<Arc<[Chunk]>> {
        let known = self.held.lock().unwrap_or_else(PoisonError::into_inner).of(hash);
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

    /// Those of two contents. One that was put together of the other is not read.
    async fn of_both(
        &self,
        old: (&Arc<Opened>, ContentHash),
        new: (&Arc<Opened>, ContentHash),
    ) -> Result<(Arc<[Chunk]>, Arc<[Chunk]>)> {
        let is_made_of_it = self.held.lock().unwrap_or_else(PoisonError::into_inner).recipe(new.1, old.1);
        if is_made_of_it {
            let old = self.of(old.0, old.1).await?;
            return Ok((old, self.of(new.0, new.1).await?));
        }
        tokio::try_join!(self.of(old.0, old.1), self.of(new.0, new.1))
    }

    /// Remembers how a content was put together.
    fn made(&self, content: ContentHash, base: ContentHash, recipe: Recipe) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).made(content, base, recipe);
    }
}

impl Held {
    /// Chunks that are known, or told by those of the base.
    fn of(&mut self, hash: ContentHash) -> Option<Arc<[Chunk]>> {
        if let Some(chunks) = self.chunks.get(&hash) {
            return Some(Arc::clone(chunks));
        }
        let (_, base, recipe) = self.recipes.iter().find(|(content, ..)| *content == hash)?;
        let chunks: Arc<[Chunk]> = recipe.chunks(self.chunks.get(base)?)?.into();
        self.keep(hash, &chunks);
        Some(chunks)
    }

    fn recipe(&self, content: ContentHash, base: ContentHash) -> bool {
        self.recipes.iter().any(|(made, of, _)| (*made, *of) == (content, base))
    }

    fn made(&mut self, content: ContentHash, base: ContentHash, recipe: Recipe) {
        if recipe.weight() <= HEAVIEST && content != base {
            self.recipes.retain(|(made, ..)| *made != content);
            self.recipes.push_back((content, base, recipe));
            if self.recipes.len() > RECIPES {
                self.recipes.pop_front();
            }
        }
    }

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
        let (old, new) = chunks.of_both((&old, base), (opened, hash)).await?;
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
    of: ContentHash,
    reader: Reader,
    recorder: Recorder,
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
        Ok(Self {
            mounted: Arc::clone(mounted),
            base: Arc::new(opened),
            of: base,
            reader,
            recorder: Recorder::default(),
            declared,
            upload: None,
        })
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
                Part::Bytes(bytes) => {
                    self.recorder.told(bytes).map_err(Error::internal)?;
                    upload.write(arrived.slice_ref(bytes)).await?;
                }
                Part::Copy(range) => {
                    self.recorder.copied(range.clone()).map_err(Error::internal)?;
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
        let blob = upload.finish(hints).await?;
        if let Some(recipe) = self.recorder.finish().map_err(Error::internal)? {
            self.mounted.recent.chunks.made(blob.hash, self.of, recipe);
        }
        Ok(blob)
    }
}

fn refused(error: DeltaError) -> Error {
    Error::invalid(error.to_string()).code("bad-delta")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_of_a_known_content_is_known_without_being_cut() {
        let chunk = |n: u8| Chunk { hash: ContentHash::from_bytes([n; 32]), length: 10 };
        let content = |n: u8| ContentHash::from_bytes([100 + n; 32]);
        let mut held = Held::default();
        let mut recipe = Recipe::default();
        recipe.copied(10..30);
        recipe.told(vec![chunk(9)]);
        held.made(content(2), content(1), recipe);
        assert_eq!(held.of(content(2)), None, "nothing is known of its base");
        held.keep(content(1), &vec![chunk(1), chunk(2), chunk(3)].into());
        assert_eq!(held.of(content(2)), Some(vec![chunk(2), chunk(3), chunk(9)].into()));
        for n in 3..100 {
            held.made(content(n), content(1), Recipe::default());
        }
        assert_eq!(held.recipes.len(), RECIPES);
    }

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
