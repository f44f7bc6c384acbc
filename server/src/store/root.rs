//! The real file system beneath one root: names resolved without leaving it, and the folders remembered that were
//! changed since they were last made durable.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_disk::stat::{stat_at, stat_of};
use holdfast_disk::{self as disk, beneath};
use rustix::fs::{AtFlags, OFlags, RenameFlags};
use rustix::io::Errno;

use super::Phys;
use super::seam::{Means, Seam};
use crate::domain::stat::Stat;
use crate::failpoint;

/// Up to so many folders are held open, to be synced one by one; beyond, the whole file system is, in one call.
const FOLDERS: usize = 64;
/// Beyond so many the whole file system is synced already where others have left little to write.
const ONE_BY_ONE: usize = 3;

/// A drive's root folder, held open.
pub(crate) struct Root {
    fd: OwnedFd,
    dev: u64,
    ident: disk::Ident,
    means: Means,
    syncs_whole: bool,
    changed: Mutex<Changed>,
}

#[derive(Default)]
struct Changed {
    folders: HashMap<disk::Ident, OwnedFd>,
    /// Too many to hold open, or an earlier attempt failed, or an earlier process died: what it changed is seen and not
    /// yet durable, and a redo finds it done.
    everything: bool,
}

impl Root {
    pub(crate) fn new(fd: OwnedFd, means: Means, syncs_whole: bool) -> io::Result<Self> {
        let disk::Stat { dev, ident, .. } = stat_of(&fd)?;
        let changed = Mutex::new(Changed { folders: HashMap::new(), everything: true });
        Ok(Self { fd, dev, ident, means, syncs_whole, changed })
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Which folder of which file system it is; means something within one run only.
    pub(crate) fn place(&self) -> (u64, disk::Ident) {
        (self.dev, self.ident)
    }

    /// Opens something beneath the root; a pipe without waiting for its other end.
    pub(crate) fn open(&self, path: &Phys, flags: OFlags) -> io::Result<OwnedFd> {
        beneath::open(&self.fd, path.as_str(), flags | OFlags::NOFOLLOW | OFlags::NONBLOCK)
    }

    /// As [`Root::open`], where no disk has to be waited for; `None`: it would have to.
    pub(crate) fn open_at_once(&self, path: &Phys, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        // With `PATH` nothing is waited for, and the kernel takes no other flag than these.
        let quick = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK };
        beneath::open_at_once(&self.fd, path.as_str(), flags | OFlags::NOFOLLOW | quick)
    }

    pub(crate) fn open_folder(&self, path: &Phys) -> io::Result<OwnedFd> {
        beneath::open_folder(&self.fd, path.as_str())
    }

    /// The folder something is in, open, and its name there.
    pub(crate) fn parent<'p>(&self, path: &'p Phys) -> io::Result<(OwnedFd, &'p str)> {
        let (folder, name) = path.split().ok_or(Errno::INVAL)?;
        Ok((beneath::open_folder(&self.fd, folder)?, name))
    }

    /// As [`Seam::stat`], with all that the disk says.
    pub(crate) fn lstat(&self, path: &Phys) -> io::Result<Option<disk::Stat>> {
        let stat = if path.is_root() {
            stat_of(&self.fd)
        } else {
            self.parent(path).and_then(|(folder, name)| stat_at(folder, name))
        };
        match stat {
            Ok(stat) if !path.is_root() && self.is_elsewhere(&stat) => Err(Errno::XDEV.into()),
            Ok(stat) => Ok(Some(stat)),
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether something within the root is no part of it: another file system or subvolume, or a folder of the same file
    /// system that was mounted there.
    pub(crate) fn is_elsewhere(&self, stat: &disk::Stat) -> bool {
        stat.dev != self.dev || stat.is_mount
    }

    /// Gives what nobody else looks for another name, where nothing has it.
    pub(crate) fn rename_ours(&self, from: (&OwnedFd, &str), to: (&OwnedFd, &str)) -> io::Result<()> {
        let flags = match self.means {
            Means::Exchange | Means::NoReplace => RenameFlags::NOREPLACE,
            Means::Links => match stat_at(to.0, to.1) {
                Ok(_) => return Err(Errno::EXIST.into()),
                Err(e) if e.kind() == ErrorKind::NotFound => RenameFlags::empty(),
                Err(e) => return Err(e),
            },
        };
        Ok(rustix::fs::renameat_with(from.0, from.1, to.0, to.1, flags)?)
    }

    /// Makes all name changes since the last flush durable.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let Changed { folders, everything } = std::mem::take(&mut *self.changed());
        let is_quicker = || folders.len() > ONE_BY_ONE && disk::sync::is_quicker_whole(folders.len());
        let synced = if everything || (self.syncs_whole && is_quicker()) {
            self.sync_everything()
        } else {
            folders.values().try_for_each(disk::sync::sync_folder)
        };
        if synced.is_err() {
            // A folder that failed to sync says so once; the next attempt must not find a clean slate.
            self.changed().everything = true;
        }
        synced
    }

    /// Makes all that any program wrote to this file system durable.
    pub(crate) fn sync_everything(&self) -> io::Result<()> {
        rustix::fs::syncfs(&self.fd)?;
        if !self.syncs_whole {
            // The program behind it is not told of that call, but of this one; those that we know sync all they have then.
            rustix::fs::fsync(&self.fd)?;
        }
        Ok(())
    }

    /// One call makes everything on the file system durable; else each file and folder is synced by itself.
    pub(crate) fn syncs_whole(&self) -> bool {
        self.syncs_whole
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, folders: impl IntoIterator<Item = OwnedFd>) {
        let mut changed = self.changed();
        for folder in folders {
            if changed.everything {
                return;
            }
            match stat_of(&folder) {
                Ok(stat) if changed.folders.len() < FOLDERS => {
                    changed.folders.insert(stat.ident, folder);
                }
                Ok(stat) if changed.folders.contains_key(&stat.ident) => {}
                _ => *changed = Changed { folders: HashMap::new(), everything: true },
            }
        }
    }

    fn rename_with(&self, a: &Phys, b: &Phys, flags: RenameFlags) -> io::Result<()> {
        let ((folder_a, name_a), (folder_b, name_b)) = (self.parent(a)?, self.parent(b)?);
        rustix::fs::renameat_with(&folder_a, name_a, &folder_b, name_b, flags)?;
        self.touch([folder_a, folder_b]);
        failpoint::hit("place.exchanged");
        Ok(())
    }

    fn remove(&self, path: &Phys, flags: AtFlags) -> io::Result<()> {
        let (folder, name) = self.parent(path)?;
        rustix::fs::unlinkat(&folder, name, flags)?;
        self.touch([folder]);
        Ok(())
    }
}

impl Seam for Root {
    fn means(&self) -> Means {
        self.means
    }

    fn stat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        Ok(self.lstat(path)?.map(Stat::from))
    }

    fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()> {
        self.rename_with(a, b, RenameFlags::EXCHANGE)
    }

    fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.rename_with(from, to, RenameFlags::NOREPLACE)
    }

    fn replace(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.rename_with(from, to, RenameFlags::empty())
    }

    fn link(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        let ((folder_a, name_a), (folder_b, name_b)) = (self.parent(from)?, self.parent(to)?);
        rustix::fs::linkat(&folder_a, name_a, &folder_b, name_b, AtFlags::empty())?;
        self.touch([folder_a, folder_b]);
        failpoint::hit("place.linked");
        Ok(())
    }

    fn remove_file(&self, path: &Phys) -> io::Result<()> {
        self.remove(path, AtFlags::empty())
    }

    fn remove_folder(&self, path: &Phys) -> io::Result<()> {
        self.remove(path, AtFlags::REMOVEDIR)
    }
}

/// Whether an error says that nothing of that name is there: also when what should be a folder is none.
pub(crate) fn is_absence(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || Errno::from_io_error(e) == Some(Errno::LOOP)
}
