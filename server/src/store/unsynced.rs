//! Content that was written and is not yet known to be on the disk. Its files stay open: a failure to write back is told
//! to a file that was open when it happened, and perhaps to no other.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_disk as disk;

use super::SlotId;

/// So many files at most are held open, enough for what a device has on its way in batches; others are synced before they are
/// closed, each by itself.
const OPEN: usize = 512;
/// Beyond so many at once the whole file system is synced in one call: one commit of its journal, where each file alone
/// would take one. But not when there is much to write: that of other programs would be waited for.
const ONE_BY_ONE: usize = 2;

pub(crate) struct Unsynced {
    /// Whether syncing the whole file system in one call makes them durable.
    syncs_whole: bool,
    next: AtomicU64,
    files: Mutex<HashMap<SlotId, (Age, File)>>,
}

/// When a slot's file was opened, in the order of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age(u64);

impl Unsynced {
    pub(crate) fn new(syncs_whole: bool) -> Self {
        Self { syncs_whole, next: AtomicU64::default(), files: Mutex::default() }
    }

    /// To be called before the file is opened.
    pub(crate) fn age(&self) -> Age {
        Age(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps a finished file until it is synced.
    pub(crate) fn keep(&self, slot: SlotId, age: Age, file: File) -> io::Result<()> {
        let mut files = self.files();
        if files.len() < OPEN {
            files.insert(slot, (age, file));
            return Ok(());
        }
        drop(files);
        file.sync_all()
    }

    pub(crate) fn forget(&self, slot: SlotId) {
        self.files().remove(&slot);
    }

    /// Makes the content of these slots durable; says whether everything else on the file system is, too.
    pub(crate) fn sync(&self, slots: &[SlotId]) -> io::Result<bool> {
        let taken: Vec<(Age, File)> = {
            let mut files = self.files();
            slots.iter().filter_map(|slot| files.remove(slot)).collect()
        };
        if self.syncs_whole && taken.len() > ONE_BY_ONE && disk::sync::is_quicker_whole(taken.len()) {
            // The oldest was open before any of them was written, so it is told of each one's failure.
            let Some((_, oldest)) = taken.iter().min_by_key(|(age, _)| *age) else { return Ok(false) };
            rustix::fs::syncfs(oldest)?;
            return Ok(true);
        }
        // All on their way before the first is waited for, which then waits for the journal on behalf of all.
        taken.iter().for_each(|(_, file)| disk::sync::begin_writing(file, 0));
        taken.iter().try_for_each(|(_, file)| file.sync_all())?;
        Ok(false)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.files().is_empty()
    }

    fn files(&self) -> MutexGuard<'_, HashMap<SlotId, (Age, File)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
