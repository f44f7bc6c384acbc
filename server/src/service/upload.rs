//! Content on its way in over any protocol: staged while it arrives, and checked against what its sender declared before
//! anything is committed (algorithms A, step 1). What is dropped before it is finished leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::ContentHash;

use super::files::{self, Done, Put, PutDone, Who, disk_error};
use super::placement::Mounted;
use crate::domain::checksums::Checksum;
use crate::error::{Error, Kind, Result};
use crate::store::{Blob, FinishHints, Staged};

/// What a sender said of a content beforehand, and how large it may be.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Bytes.
    pub size: Option<u64>,
    /// SHA-256 of them.
    pub hash: Option<ContentHash>,
    /// Other checksums of them.
    pub checksums: Vec<Checksum>,
    /// Checksums are to be kept with the version: its sender is one of those who compare by them.
    pub sum: bool,
    /// Most bytes that are taken.
    pub limit: Option<u64>,
}

impl Declared {
    /// A staged content, if it is what was declared; else nothing is left of it.
    fn is_met(&self, mounted: &Mounted, blob: Blob) -> Result<Blob> {
        let refused = match self.hash {
            Some(hash) if hash != blob.hash => Some(other_digest(hash, blob.hash)),
            _ if self.checksums.iter().all(|declared| is_so(declared, &blob)) => None,
            _ => Some(Error::malformed("the content is not what its checksum says").code("other-checksum")),
        };
        let Some(refused) = refused else { return Ok(blob) };
        mounted.store.discard(blob.slot);
        Err(refused)
    }
}

/// Stages a small content that is here as a whole, and of which no checksums are declared or kept. Blocks. It is not durable yet.
///
/// # Errors
/// As [`Upload::begin`] and [`Upload::finish`]; then nothing is left.
pub fn stage_whole(
    mounted: &Mounted,
    declared: &Declared,
    bytes: &[u8],
    hints: &FinishHints,
) -> Result<Blob> {
    fits(mounted, bytes.len() as u64, declared.limit)?;
    let blob = mounted.store.stage_whole(bytes, hints).map_err(disk_error)?;
    declared.is_met(mounted, blob)
}

/// A content that is arriving.
pub struct Upload {
    mounted: Arc<Mounted>,
    staged: Staged,
    declared: Declared,
    received: u64,
}

impl Upload {
    /// Makes room for a content; what is known to be too large is refused before its first byte.
    ///
    /// # Errors
    /// 413 beyond the limit, 507 when the drive has not that much room, 503 when it cannot be looked at.
    pub fn begin(mounted: &Arc<Mounted>, declared: Declared) -> Result<Self> {
        if let Some(size) = declared.size {
            fits(mounted, size, declared.limit)?;
        }
        let staged = mounted.store.stage(declared.sum || !declared.checksums.is_empty());
        Ok(Self { mounted: Arc::clone(mounted), staged, declared, received: 0 })
    }

    /// Has its slot made by now: its sender takes time.
    pub fn make_room(&mut self) {
        self.staged.begin();
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// 422 beyond the declared length, 413 beyond the limit, 507 or 503 when they cannot be written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.received += bytes.len() as u64;
        within(self.received, self.declared.limit)?;
        if self.declared.size.is_some_and(|size| self.received > size) {
            return Err(self.other_length());
        }
        if self.declared.size != Some(self.received) {
            self.make_room();
        }
        self.staged.write(bytes).await.map_err(disk_error)
    }

    /// Ends the content. It is not durable yet: that is the next step, together with the commit.
    ///
    /// # Errors
    /// 422 when length or hash are not the declared ones, 400 when another checksum is not, 507 or 503 when it cannot be
    /// written; then nothing is left.
    pub async fn finish(self, hints: FinishHints) -> Result<Blob> {
        if self.declared.size.is_some_and(|size| self.received != size) {
            return Err(self.other_length());
        }
        let blob = self.staged.finish(hints).await.map_err(disk_error)?;
        self.declared.is_met(&self.mounted, blob)
    }

    fn other_length(&self) -> Error {
        Error::invalid("the content is not as long as was declared")
            .code("other-length")
            .with("expected_size", self.declared.size)
            .with("actual_size", self.received)
    }
}

/// A content that is not what its sender said.
pub(super) fn other_digest(expected: ContentHash, actual: ContentHash) -> Error {
    Error::invalid("the content is not what its digest says")
        .code("other-digest")
        .with("expected_hash", expected.to_string())
        .with("actual_hash", actual.to_string())
}

/// Whether a checksum that was declared is the content's.
fn is_so(declared: &Checksum, blob: &Blob) -> bool {
    match (declared, &blob.sums) {
        (Checksum::Sha256(hash), _) => *hash == blob.hash,
        (Checksum::Sha1(sha1), Some(sums)) => *sha1 == sums.sha1,
        (Checksum::Md5(md5), Some(sums)) => *md5 == sums.md5,
        (Checksum::Adler32(adler32), Some(sums)) => *adler32 == sums.adler32,
        (_, None) => false,
    }
}

/// Makes a staged content durable and commits it. To be run apart from the request that brought it (algorithms A): once
/// it was begun it is brought to an end.
///
/// # Errors
/// 507 or 503 when it cannot be made durable, and those of [`files::put`].
pub async fn commit(mounted: &Arc<Mounted>, who: Who, put: Put) -> Result<Done<PutDone>> {
    make_durable(mounted, &put.blob).await?;
    files::put(mounted, who, put).await
}

/// Makes a staged content durable; what cannot be made so is removed again.
///
/// # Errors
/// 507 or 503.
pub async fn make_durable(mounted: &Arc<Mounted>, blob: &Blob) -> Result<()> {
    mounted.store.make_durable_together(blob.slot).await.map_err(|error| {
        mounted.store.discard(blob.slot);
        disk_error(error)
    })
}

/// Refuses what is too large, or larger than the drive has room for, before its first byte.
///
/// # Errors
/// 413, 507, 503 when the drive cannot be looked at.
pub(super) fn fits(mounted: &Mounted, size: u64, limit: Option<u64>) -> Result<()> {
    within(size, limit)?;
    let (free, _) = mounted.store.free_space().map_err(disk_error)?;
    if size > free {
        return Err(Error::new(Kind::NoSpace, "no space is left on the drive"));
    }
    Ok(())
}

fn within(size: u64, limit: Option<u64>) -> Result<()> {
    match limit {
        Some(limit) if size > limit => {
            let error = Error::new(Kind::TooLarge, "the file is larger than this server takes");
            Err(error.code("too-large").with("limit", limit))
        }
        _ => Ok(()),
    }
}
