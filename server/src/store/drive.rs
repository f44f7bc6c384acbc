//! A drive that is a folder, looked after. How it is made and opened is in `open`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_disk::attrs::Lost;
use holdfast_disk::stat::{stat_of, stat_path};
use holdfast_disk::{Signature, SignatureError};
use rustix::io::Errno;
use uuid::Uuid;

use super::barrier::Barriers;
use super::caps::{self, Caps};
use super::log::{Log, LogEntries, LogEntry};
use super::op::{Op, Outcome};
use super::open::open_root;
use super::place;
use super::root::Root;
use super::seam::Seam;
use super::together::Gathering;
use super::unsynced::Unsynced;
use crate::domain::stat::EntryKind;
use crate::failpoint;

/// A drive with a root: its tree, and the slots beside it on the same file system (algorithms D). All calls block but
/// those of [`super::Staged`]. Only one process has a root open at a time.
pub struct FolderDrive {
    pub(super) shared: Arc<Shared>,
    path: PathBuf,
    drive: Uuid,
    caps: Caps,
    /// As the system calls it, where it says so.
    file_system: Option<String>,
    /// `None` where it cannot be written.
    log: Mutex<Option<Log>>,
    /// Whether a signature says which drive it is. A medium that could never be written has none.
    is_signed: bool,
    barriers: Mutex<Barriers>,
    pub(super) gathering: Gathering,
    /// When its signature was read last and found right.
    signature_read: Mutex<Option<Instant>>,
}

/// A root that was opened and found to be the drive.
pub(super) struct Opened {
    pub(super) shared: Shared,
    pub(super) path: PathBuf,
    pub(super) drive: Uuid,
    pub(super) caps: Caps,
    pub(super) file_system: Option<String>,
    pub(super) log: Option<Log>,
    pub(super) is_signed: bool,
}

impl From<Opened> for FolderDrive {
    fn from(opened: Opened) -> Self {
        let Opened { shared, path, drive, caps, file_system, log, is_signed } = opened;
        Self {
            shared: Arc::new(shared),
            path,
            drive,
            caps,
            file_system,
            log: Mutex::new(log),
            is_signed,
            barriers: Mutex::default(),
            gathering: Gathering::default(),
            signature_read: Mutex::default(),
        }
    }
}

/// How long a signature counts as read.
const SIGNATURE_GOOD_FOR: Duration = Duration::from_secs(1);

/// What content on its way in needs, too, after the drive was let go.
pub(super) struct Shared {
    pub(super) root: Root,
    pub(super) unsynced: Unsynced,
    told_lost: AtomicBool,
    /// Held open: it carries the lock. A medium that could never be written has none.
    _lock: Option<File>,
}

impl Shared {
    pub(super) fn new(root: Root, lock: Option<File>) -> Self {
        let unsynced = Unsynced::new(root.syncs_whole());
        Self { root, unsynced, told_lost: AtomicBool::new(false), _lock: lock }
    }

    /// What files cannot keep when they are replaced is said once per drive, not once per file.
    pub(super) fn tell_lost(&self, lost: Lost) {
        if !lost.nothing() && !self.told_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                owner = lost.owner,
                attributes = lost.xattrs,
                "this process may not keep everything that files of this drive carry; it is lost when they are replaced"
            );
        }
    }
}

/// Why a root is not used as the drive it should be.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing of that path is there: the disk is not mounted, or the folder was removed.
    #[error("the folder {0} is not there")]
    Missing(PathBuf),
    /// An empty folder: most likely the place where the disk should be mounted.
    #[error("the folder {0} is empty: is the disk mounted?")]
    Empty(PathBuf),
    /// It is no drive, or another one.
    #[error("the folder {path} is not this drive: {}", found.map_or_else(|| "it has no signature".to_owned(), |id| format!("its signature says {id}")))]
    WrongSignature {
        /// The folder.
        path: PathBuf,
        /// The drive that it is.
        found: Option<Uuid>,
    },
    /// There is a signature that is not understood.
    #[error("the folder {path} has a signature that cannot be used: {why}")]
    BadSignature {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: SignatureError,
    },
    /// A new drive should be made where one is.
    #[error("the folder {path} is already the drive {found}")]
    AlreadyADrive {
        /// The folder.
        path: PathBuf,
        /// The drive that it is.
        found: Uuid,
    },
    /// Another server, or this one for another drive, has it open.
    #[error("the folder {0} is in use by another Holdfast server")]
    InUse(PathBuf),
    /// The file system changes names in no way that is safe.
    #[error(
        "the file system of {0} can neither rename a file without replacing another nor give it a second name, so that what \
         other programs write could be lost"
    )]
    NoSafeRename(PathBuf),
    /// The file system does not let files be told apart reliably.
    #[error(
        "the file system of {0} does not keep inode numbers and times of creation, by which Holdfast tells files apart \
         after a crash: FAT and exFAT do not, nor do many network mounts; ext4, btrfs, xfs and NTFS do"
    )]
    NoStableInodes(PathBuf),
    /// A medium without a signature is another one than it was.
    #[error("another disc than this drive's is mounted at {0}")]
    AnotherMedium(PathBuf),
    /// Nothing can be written there.
    #[error("the folder {0} cannot be written: it is mounted read-only or its rights forbid it")]
    ReadOnly(PathBuf),
    /// Something else.
    #[error("the folder {path} cannot be used: {error}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
}

/// Whether a drive's root is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Online,
    /// It cannot be reached: unplugged, unmounted, unreadable. Nothing was deleted (P8).
    Offline(String),
    /// Another drive is in its place.
    Wrong(String),
}

impl FolderDrive {
    /// What its file system can do.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// What the system calls its file system, `ext4` or `fuse.sshfs`; `None` where it does not say.
    pub fn file_system(&self) -> Option<&str> {
        self.file_system.as_deref()
    }

    /// Whether it cannot be written now, by how it is mounted.
    pub fn is_read_only(&self) -> bool {
        self.caps.read_only || caps::is_read_only(self.shared.root.fd()).unwrap_or(false)
    }

    /// Whether it could only be read when it was opened, and may be written by now: to be opened anew then.
    pub fn has_become_writable(&self) -> bool {
        self.caps.read_only && caps::is_read_only(self.shared.root.fd()).is_ok_and(|is_so| !is_so)
    }

    /// Where its root is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads its signature anew.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn signature(&self) -> Result<Signature, SignatureError> {
        Signature::read(self.shared.root.fd())
    }

    /// Replaces its signature.
    ///
    /// # Errors
    /// What the file system says; then the old one stands.
    pub fn write_signature(&self, signature: &Signature) -> io::Result<()> {
        signature.write(self.shared.root.fd())
    }

    /// As [`FolderDrive::verify`], for each request: whether the root is still the folder at its path is asked of the
    /// kernel, and its signature is read again when that is a second ago.
    pub fn still_there(&self) -> Health {
        let mut read = self.signature_read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_some_and(|at| at.elapsed() < SIGNATURE_GOOD_FOR) && self.same_folder() {
            return Health::Online;
        }
        let health = self.verify();
        *read = (health == Health::Online).then(Instant::now);
        health
    }

    fn same_folder(&self) -> bool {
        let there = stat_path(&self.path);
        let ours = self.shared.root.place();
        there.is_ok_and(|there| (there.dev, there.ident) == ours)
    }

    /// Whether the root is still there, by its path and by its signature.
    pub fn verify(&self) -> Health {
        let there = match stat_path(&self.path) {
            Ok(stat) => stat,
            Err(e) => return Health::Offline(format!("its folder cannot be reached: {e}")),
        };
        let ours = match stat_of(self.shared.root.fd()) {
            Ok(stat) => stat,
            Err(e) => return Health::Offline(format!("its folder cannot be read: {e}")),
        };
        if (there.dev, there.ident) != (ours.dev, ours.ident) {
            return match open_root(&self.path).map(|fd| Signature::read(&fd)) {
                Ok(Ok(other)) if other.drive_id != self.drive => {
                    Health::Wrong(format!("the drive {} is mounted in its place", other.drive_id))
                }
                Ok(Ok(_)) => Health::Offline("it was mounted anew and has to be opened again".to_owned()),
                Ok(Err(_)) | Err(_) => Health::Offline("it is not mounted".to_owned()),
            };
        }
        if !self.is_signed {
            return Health::Online;
        }
        match self.signature() {
            Ok(signature) if signature.drive_id == self.drive => Health::Online,
            Ok(signature) => Health::Wrong(format!("its signature now says {}", signature.drive_id)),
            Err(SignatureError::Absent) => Health::Wrong("its signature was removed".to_owned()),
            Err(e) => Health::Offline(e.to_string()),
        }
    }

    /// Whether [`FolderDrive::flush`], a mark of all ops before, and [`FolderDrive::marked`] must come before this op, at
    /// first run as at redo. To be asked for every op; a put or mkdir is told without a look at the disk.
    ///
    /// # Errors
    /// What looking at the thing that is moved says.
    pub fn barrier_before(&self, op: &Op) -> io::Result<bool> {
        let barriers = self.barriers();
        if barriers.needed(op, false) {
            return Ok(true);
        }
        if !barriers.needed(op, true) {
            return Ok(false);
        }
        let is_folder = |path| -> io::Result<bool> {
            let stat = self.shared.root.stat(path)?;
            Ok(stat.is_some_and(|stat| stat.ident == op.ident && stat.kind == EntryKind::Folder))
        };
        Ok(is_folder(&op.path)? || is_folder(op.target())?)
    }

    /// Places an op (algorithms A, step 4), the same way at first run and at redo. One at a time per drive, in the order
    /// of `seq`, each after the barrier it needs.
    pub fn place(&self, op: &Op) -> Outcome {
        failpoint::hit("place.before");
        let outcome = place::place(&self.shared.root, op);
        self.barriers().placed(op, &outcome);
        failpoint::hit("place.after");
        outcome
    }

    /// Makes durable what was placed so far (step 6). Only after that may it be marked.
    ///
    /// # Errors
    /// What syncing says; then nothing may be marked.
    pub fn flush(&self) -> io::Result<()> {
        failpoint::hit("flush.before");
        self.shared.root.flush()?;
        failpoint::hit("flush.after");
        Ok(())
    }

    /// Takes note that everything placed so far was flushed and that its mark is committed.
    pub fn marked(&self) {
        self.barriers().marked();
    }

    /// Makes durable what any program wrote to the file system so far: before outside content is adopted.
    ///
    /// # Errors
    /// What syncing says.
    pub fn sync_everything(&self) -> io::Result<()> {
        self.shared.root.sync_everything()
    }

    /// Adds to `versions/log` what was placed, durably.
    ///
    /// # Errors
    /// What the file system says; then the entries may be added again.
    pub fn log_append(&self, entries: &[LogEntry]) -> io::Result<()> {
        if !entries.is_empty() {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.as_mut().ok_or(Errno::ROFS)?.append(entries)?;
        }
        failpoint::hit("log.appended");
        Ok(())
    }

    /// Reads `versions/log` from its beginning.
    ///
    /// # Errors
    /// What opening it says.
    pub fn log_read(&self) -> io::Result<LogEntries> {
        LogEntries::open(self.shared.root.fd())
    }

    /// Free and total bytes of its file system, as far as this process may use them.
    ///
    /// # Errors
    /// What the file system says.
    pub fn free_space(&self) -> io::Result<(u64, u64)> {
        let space = rustix::fs::fstatvfs(self.shared.root.fd())?;
        Ok((space.f_bavail.saturating_mul(space.f_frsize), space.f_blocks.saturating_mul(space.f_frsize)))
    }

    fn barriers(&self) -> std::sync::MutexGuard<'_, Barriers> {
        self.barriers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
