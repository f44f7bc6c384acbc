//! Many small acts of one request with one durability point (design section 6): their contents are staged while they arrive,
//! made durable together, and the acts are committed one after the other, each as if it had come by itself.
//!
//! An act that is refused takes none of the others along. What is dropped before it was committed leaves nothing behind.

mod carry_out;
mod new_files;

use std::sync::Arc;

use bytes::Bytes;
use holdfast_protocol::{ContentHash, DrivePath};
use tokio::task::{JoinHandle, JoinSet};

#[cfg(test)]
pub use carry_out::commit_one_by_one;
pub use carry_out::{Committed, Todo, Told, commit_in};

use super::files::{Deletion, Expect, Transfer, Who, disk_error};
use super::placement::Mounted;
use super::upload::{self, Declared};
use crate::catalog::nodes::Node;
use crate::error::{Error, Result};
use crate::store::{Blob, FinishHints, Phys, SlotId};

/// Contents that one job writes into their slots, fewer where they come to so many bytes: a job by itself takes as long as a
/// small content does.
const OF_A_JOB: usize = 16;
const BYTES_OF_A_JOB: usize = 1024 * 1024;
/// Jobs at once: what they write is in memory at most.
const AT_ONCE: usize = 4;

/// So many contents are made durable by one sync: until then their files are held open, and the store holds not many more.
const SYNCED_TOGETHER: usize = 128;

/// One of the acts.
#[derive(Debug)]
pub enum Step {
    /// Writes a file.
    Put(NewFile),
    /// Makes a folder.
    Mkdir {
        /// Where.
        path: DrivePath,
        /// Whether missing folders above are made.
        parents: bool,
    },
    /// Deletes a file or folder.
    Delete(Deletion),
    /// Moves a file or folder.
    Move(Transfer),
}

/// A file to be written.
#[derive(Debug)]
pub struct NewFile {
    /// Where.
    pub path: DrivePath,
    /// What it may replace.
    pub expect: Expect,
    /// Whether missing folders above are made.
    pub parents: bool,
    /// SHA-256 that the content must have.
    pub hash: Option<ContentHash>,
    /// When it was last written, in nanoseconds since 1970.
    pub mtime_ns: Option<i64>,
}

/// What became of an act that was done.
#[derive(Debug)]
pub struct Acted {
    /// What was written, made or moved; `None` for what was deleted.
    pub node: Option<Node>,
    /// Whether it was not there before.
    pub created: bool,
    /// Number of the version that is current, where the act was about a content.
    pub version: Option<i64>,
    /// Whether it is in the plain folder already.
    pub placed: bool,
}

/// The acts of a request, as far as they have arrived.
pub struct Batch {
    mounted: Arc<Mounted>,
    who: Who,
    /// Most bytes of a file, where there is a limit.
    limit: Option<u64>,
    acts: Vec<Prepared>,
    /// Contents for the next job.
    arrived: Vec<Arrived>,
    arrived_bytes: usize,
    staging: JoinSet<Vec<(usize, Result<Staged>)>>,
    /// What was staged since the last sync was begun.
    unsynced: Vec<SlotId>,
    syncing: Option<JoinHandle<std::io::Result<()>>>,
}

/// An act that waits to be committed.
struct Prepared {
    step: Result<Step>,
    /// Its content, once it is staged.
    content: Option<Staged>,
}

/// A content that waits to be staged.
struct Arrived {
    /// The place of its act.
    at: usize,
    declared: Declared,
    hints: FinishHints,
    content: Bytes,
}

impl Arrived {
    fn stage(self, mounted: &Arc<Mounted>) -> Result<Staged> {
        let blob = upload::stage_whole(mounted, &self.declared, &self.content, &self.hints)?;
        Ok(Staged { mounted: Arc::clone(mounted), blob, kept: false })
    }
}

/// A content in its slot, which is removed again with this unless it is kept.
struct Staged {
    mounted: Arc<Mounted>,
    blob: Blob,
    kept: bool,
}

impl Staged {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            self.mounted.store.discard(self.blob.slot);
        }
    }
}

impl Batch {
    /// None has arrived yet. Files may have so many bytes, where there is a limit.
    pub fn begin(mounted: &Arc<Mounted>, who: Who, limit: Option<u64>) -> Self {
        Self {
            mounted: Arc::clone(mounted),
            who,
            limit,
            acts: Vec::new(),
            arrived: Vec::new(),
            arrived_bytes: 0,
            staging: JoinSet::new(),
            unsynced: Vec::new(),
            syncing: None,
        }
    }

    /// Adds the next act, or why it will not be done, with its content. Waits while too many contents are being written.
    ///
    /// # Errors
    /// 507 or 503 when contents cannot be made durable: then nothing of the batch can be done.
    pub async fn add(&mut self, step: Result<Step>, content: Bytes) -> Result<()> {
        let at = self.acts.len();
        if let Ok(Step::Put(file)) = &step {
            let declared = Declared { hash: file.hash, limit: self.limit, ..Declared::default() };
            let hints = FinishHints { mtime_ns: file.mtime_ns, at: Some(Phys::from(&file.path)) };
            self.arrived_bytes += content.len();
            self.arrived.push(Arrived { at, declared, hints, content });
        }
        self.acts.push(Prepared { step, content: None });
        if self.arrived.len() >= OF_A_JOB || self.arrived_bytes >= BYTES_OF_A_JOB {
            self.stage().await;
        }
        if self.unsynced.len() >= SYNCED_TOGETHER {
            self.sync().await?;
        }
        Ok(())
    }

    /// Begins to make durable what was staged, once what was before is; it goes on while more arrives (algorithms A, step 2).
    async fn sync(&mut self) -> Result<()> {
        if let Some(syncing) = self.syncing.take() {
            syncing.await.map_err(Error::internal)?.map_err(disk_error)?;
        }
        let slots = std::mem::take(&mut self.unsynced);
        if !slots.is_empty() {
            let store = Arc::clone(&self.mounted.store);
            self.syncing = Some(tokio::task::spawn_blocking(move || store.make_durable(&slots)));
        }
        Ok(())
    }

    /// Has what has arrived written into slots; waits while too many jobs are at that.
    async fn stage(&mut self) {
        while self.staging.len() >= AT_ONCE {
            self.staged().await;
        }
        self.arrived_bytes = 0;
        let arrived = std::mem::take(&mut self.arrived);
        let mounted = Arc::clone(&self.mounted);
        self.staging
            .spawn_blocking(move || arrived.into_iter().map(|one| (one.at, one.stage(&mounted))).collect());
    }

    /// Takes note of contents that were staged.
    async fn staged(&mut self) {
        // A fault of a job leaves its acts without their contents, which is told below.
        let Some(Ok(staged)) = self.staging.join_next().await else { return };
        for (at, staged) in staged {
            let Some(act) = self.acts.get_mut(at) else { continue };
            match staged {
                Ok(staged) => {
                    self.unsynced.push(staged.blob.slot);
                    act.content = Some(staged);
                }
                Err(error) => act.step = Err(error),
            }
        }
    }

    /// Makes the rest durable and commits everything; tells of each act what became of it, in their order. To be run apart from
    /// the request that brought them (algorithms A).
    ///
    /// # Errors
    /// 507 or 503 when the contents cannot be made durable: then nothing was done.
    pub async fn commit(mut self) -> Result<Vec<Result<Acted>>> {
        self.stage().await;
        while !self.staging.is_empty() {
            self.staged().await;
        }
        // The rest is begun, and waited for.
        self.sync().await?;
        self.sync().await?;
        for act in &mut self.acts {
            if matches!(act.step, Ok(Step::Put(_))) && act.content.is_none() {
                act.step = Err(Error::internal("a content was not staged"));
            }
        }
        carry_out::all(&self.mounted, &self.who, std::mem::take(&mut self.acts)).await
    }
}
