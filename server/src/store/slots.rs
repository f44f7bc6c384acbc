//! Slots: where content waits on its way in, and where what it displaced is kept.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use holdfast_disk::RESERVED;
use holdfast_disk::sync::sync_folder;
use holdfast_disk::walk::list_folder;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::drive::{FolderDrive, Shared};
use super::root::Root;
use super::{Phys, SlotId};
use crate::domain::stat::Stat;
use crate::failpoint;

/// So many slots one after the other are in the same folder.
pub const TOGETHER: u32 = 1024;

/// An id for a new slot: random, but for the byte that says in which folder it lies. Each folder that was changed is synced
/// by itself, so slots that are made one after the other should lie together.
pub fn new_slot() -> SlotId {
    static MADE: LazyLock<AtomicU32> = LazyLock::new(|| {
        let [first, ..] = Uuid::new_v4().into_bytes();
        AtomicU32::new(u32::from(first) * TOGETHER)
    });
    let mut bytes = Uuid::new_v4().into_bytes();
    let [.., bucket] = (MADE.fetch_add(1, Ordering::Relaxed) / TOGETHER).to_be_bytes();
    bytes[0] = bucket;
    SlotId::from_bytes(bytes)
}

/// A new slot's file, open for reading and writing, with the mode a new file of this process has anywhere.
pub(super) fn create_file(root: &Root, slot: SlotId) -> io::Result<File> {
    let path = Phys::slot(slot);
    let (folder, name) = root.parent(&path)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?))
}

/// A new slot's empty folder, open.
pub(super) fn create_folder(root: &Root, slot: SlotId) -> io::Result<OwnedFd> {
    let path = Phys::slot(slot);
    let (folder, name) = root.parent(&path)?;
    rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o777))?;
    root.open_folder(&path)
}

/// Removes what was staged and not committed: a file, or an empty folder.
pub(super) fn discard(shared: &Shared, slot: SlotId) {
    shared.unsynced.forget(slot);
    let path = Phys::slot(slot);
    let Ok((folder, name)) = shared.root.parent(&path) else { return };
    let removed = match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR),
        other => other,
    };
    match removed {
        Ok(()) | Err(Errno::NOENT) => {}
        // It is found again among the unknown slots at the next start.
        Err(error) => tracing::warn!(%slot, %error, "a slot could not be removed"),
    }
}

impl FolderDrive {
    /// Makes staged contents and folders durable, names included (step 2). Before it returned well, nothing of them may be
    /// committed.
    ///
    /// # Errors
    /// What syncing says: discard all of them. They cannot be synced again, the bytes may be gone.
    pub fn make_durable(&self, slots: &[SlotId]) -> io::Result<()> {
        let root = &self.shared.root;
        if !self.shared.unsynced.sync(slots)? {
            let mut buckets: Vec<u8> = slots.iter().map(|slot| slot.as_bytes()[0]).collect();
            buckets.sort_unstable();
            buckets.dedup();
            for bucket in buckets {
                sync_folder(root.open_folder(&Phys::bucket(bucket))?)?;
            }
        }
        failpoint::hit("stage.synced");
        Ok(())
    }

    /// Makes the content that lies in a slot durable: what another program wrote may be in memory only.
    ///
    /// # Errors
    /// What syncing says; another attempt may say otherwise and prove nothing, so copy the file then.
    pub fn sync_displaced(&self, slot: SlotId) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.shared.root.open(&Phys::slot(slot), OFlags::RDONLY)?)?)
    }

    /// Removes a slot that was staged and not committed. What cannot be removed now is found by [`FolderDrive::slots`].
    pub fn discard(&self, slot: SlotId) {
        discard(&self.shared, slot);
    }

    /// Moves what another catalogue left in a slot to `.holdfast/lost-and-found/<slot>`, where people find it.
    ///
    /// # Errors
    /// What the file system says; then it stays where it is.
    pub fn keep_lost(&self, slot: SlotId) -> io::Result<()> {
        let root = self.shared.root.open_folder(&Phys::root())?;
        let folder = format!("{RESERVED}/lost-and-found");
        match rustix::fs::mkdirat(&root, &folder, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let path = Phys::slot(slot);
        let (from, name) = self.shared.root.parent(&path)?;
        let into = holdfast_disk::beneath::open_folder(&root, &folder)?;
        self.shared.root.rename_ours((&from, name), (&into, &slot.to_string()))?;
        sync_folder(&into)?;
        sync_folder(&from)
    }

    /// All slots, in the order of their ids; one folder of them is read at a time. Names that are no slot's are passed
    /// over.
    pub fn slots(&self) -> impl Iterator<Item = io::Result<(SlotId, Stat)>> {
        (0..=u8::MAX).flat_map(move |bucket| {
            let listed = self.shared.root.open_folder(&Phys::bucket(bucket)).and_then(list_folder);
            match listed {
                Err(e) => vec![Err(e)],
                Ok(entries) => {
                    entries.into_iter().filter_map(|(name, stat)| in_bucket(bucket, &name, stat)).collect()
                }
            }
        })
    }
}

fn in_bucket(
    bucket: u8,
    name: &std::ffi::OsStr,
    stat: io::Result<holdfast_disk::Stat>,
) -> Option<io::Result<(SlotId, Stat)>> {
    let name = name.to_str()?;
    let slot: Uuid = name.parse().ok().filter(|slot: &Uuid| slot.as_bytes()[0] == bucket)?;
    match stat {
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        stat => (slot.to_string() == name).then(|| stat.map(|stat| (slot, stat.into()))),
    }
}
