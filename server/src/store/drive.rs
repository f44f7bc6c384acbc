//! A drive that is a folder: made, opened, looked after.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_disk::attrs::Lost;
use holdfast_disk::signature::README;
use holdfast_disk::stat::{stat_of, stat_path};
use holdfast_disk::sync::{sync_folder, write_atomic};
use holdfast_disk::{RESERVED, Signature, SignatureError, beneath};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::barrier::Barriers;
use super::caps::{self, Caps};
use super::log::{Log, LogEntries, LogEntry};
use super::op::{Op, Outcome};
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
    log: Mutex<Log>,
    barriers: Mutex<Barriers>,
    pub(super) gathering: Gathering,
    /// When its signature was read last and found right.
    signature_read: Mutex<Option<Instant>>,
}

/// How long a signature counts as read.
const SIGNATURE_GOOD_FOR: Duration = Duration::from_secs(1);

/// What content on its way in needs, too, after the drive was let go.
pub(super) struct Shared {
    pub(super) root: Root,
    pub(super) unsynced: Unsynced,
    told_lost: AtomicBool,
    /// Held open: it carries the lock.
    _lock: File,
}

impl Shared {
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
    /// The file system cannot swap two names in one step.
    #[error(
        "the file system of {0} cannot exchange two files in one step, which Holdfast needs to keep every version; \
         ext4, btrfs, xfs and tmpfs can"
    )]
    NoExchange(PathBuf),
    /// The file system does not let files be told apart reliably.
    #[error(
        "the file system of {0} does not keep inode numbers and times of creation, by which Holdfast tells files \
         apart after a crash; ext4, btrfs and xfs do"
    )]
    NoStableInodes(PathBuf),
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
    /// Makes a folder, empty or not, a drive: adds the reserved folder, its signature last.
    ///
    /// # Errors
    /// [`Refusal`]; then the folder is as it was, or can be tried again.
    pub fn create(root: &Path, signature: &Signature) -> Result<Self, Refusal> {
        let fd = open_root(root)?;
        match Signature::read(&fd) {
            Ok(there) => return Err(Refusal::AlreadyADrive { path: root.to_owned(), found: there.drive_id }),
            Err(SignatureError::Absent) => {}
            Err(why) => return Err(Refusal::BadSignature { path: root.to_owned(), why }),
        }
        let refuse = |error| refusal(root, error);
        let made = make_folder(&fd, RESERVED, 0o755).map_err(refuse)?;
        let reserved = beneath::open_folder(&fd, RESERVED).map_err(refuse)?;
        let lock = take_lock(root, &reserved)?;
        if let Err(refusal) = probe(root, &reserved) {
            if made {
                let _ = rustix::fs::unlinkat(&reserved, "lock", AtFlags::empty());
                let _ = rustix::fs::unlinkat(&fd, RESERVED, AtFlags::REMOVEDIR);
            }
            return Err(refusal);
        }
        make_reserved(&reserved).map_err(refuse)?;
        sync_folder(&fd).map_err(refuse)?;
        signature.write(&fd).map_err(refuse)?;
        drop(lock);
        Self::open(root, signature.drive_id)
    }

    /// Opens the root of a drive, if it is that, and takes hold of it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(root: &Path, drive: Uuid) -> Result<Self, Refusal> {
        let fd = open_root(root)?;
        let refuse = |error| refusal(root, error);
        match Signature::read(&fd) {
            Ok(there) if there.drive_id == drive => {}
            Ok(there) => {
                return Err(Refusal::WrongSignature { path: root.to_owned(), found: Some(there.drive_id) });
            }
            Err(SignatureError::Absent) => {
                return Err(if is_empty(&fd).map_err(refuse)? {
                    Refusal::Empty(root.to_owned())
                } else {
                    Refusal::WrongSignature { path: root.to_owned(), found: None }
                });
            }
            Err(why) => return Err(Refusal::BadSignature { path: root.to_owned(), why }),
        }
        let reserved = beneath::open_folder(&fd, RESERVED).map_err(refuse)?;
        let lock = take_lock(root, &reserved)?;
        let caps = match probe(root, &reserved) {
            // What is there can still be read, and the drive says that it takes nothing more.
            Err(Refusal::Io { error, .. }) if is_full(&error) => Caps::untried(),
            tried => tried?,
        };
        make_reserved(&reserved).map_err(refuse)?;
        let log = Log::open(&fd).map_err(refuse)?;
        let shared = Shared {
            root: Root::new(fd).map_err(refuse)?,
            unsynced: Unsynced::default(),
            told_lost: AtomicBool::new(false),
            _lock: lock,
        };
        Ok(Self {
            shared: Arc::new(shared),
            path: root.to_owned(),
            drive,
            caps,
            log: Mutex::new(log),
            barriers: Mutex::default(),
            gathering: Gathering::default(),
            signature_read: Mutex::default(),
        })
    }

    /// Takes away what [`FolderDrive::create`] made, of a drive that has held nothing yet.
    ///
    /// # Errors
    /// What the file system says; nothing where the folder is not that drive.
    pub fn unmake(root: &Path, drive: Uuid) -> io::Result<()> {
        let fd = open_root(root).map_err(io::Error::other)?;
        match Signature::read(&fd) {
            Ok(there) if there.drive_id == drive => std::fs::remove_dir_all(root.join(RESERVED)),
            _ => Ok(()),
        }
    }

    /// What its file system can do.
    pub fn caps(&self) -> &Caps {
        &self.caps
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
        self.log.lock().unwrap_or_else(PoisonError::into_inner).append(entries)?;
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

fn open_root(path: &Path) -> Result<OwnedFd, Refusal> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => Refusal::Missing(path.to_owned()),
        errno => Refusal::Io { path: path.to_owned(), error: errno.into() },
    })
}

fn refusal(root: &Path, error: io::Error) -> Refusal {
    let path = root.to_owned();
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Refusal::ReadOnly(path),
        _ => Refusal::Io { path, error },
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    // A new ext4 file system has this folder, and only this.
    Ok(holdfast_disk::walk::list_folder(folder)?.iter().all(|(name, _)| name == "lost+found"))
}

/// True when it was made just now.
fn make_folder(parent: impl AsFd, name: &str, mode: u32) -> io::Result<bool> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The lock is the open file's; the text in it is for people.
fn take_lock(root: &Path, reserved: &OwnedFd) -> Result<File, Refusal> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(reserved, "lock", flags, Mode::from_raw_mode(0o644))
        .map_err(|e| refusal(root, e.into()))?;
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(Refusal::InUse(root.to_owned())),
        Err(e) => return Err(refusal(root, e.into())),
    }
    let mut file = File::from(fd);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let holder = format!("held by holdfastd, process {}, on {}\n", std::process::id(), host.trim());
    // Who holds it is told where it can be; the lock holds without.
    let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
    Ok(file)
}

fn probe(root: &Path, reserved: &OwnedFd) -> Result<Caps, Refusal> {
    let caps = caps::probe(reserved.as_fd()).map_err(|e| refusal(root, e))?;
    if !caps.exchange {
        return Err(Refusal::NoExchange(root.to_owned()));
    }
    if !caps.stable_ino {
        return Err(Refusal::NoStableInodes(root.to_owned()));
    }
    Ok(caps)
}

/// Everything in the reserved folder but the signature; what is there already stays.
fn make_reserved(reserved: &OwnedFd) -> io::Result<()> {
    let mut made = make_folder(reserved, "versions", 0o700)?;
    let versions = beneath::open_folder(reserved, "versions")?;
    for bucket in 0..=u8::MAX {
        made |= make_folder(&versions, &format!("{bucket:02x}"), 0o700)?;
    }
    if make_folder(reserved, "uploads", 0o700)? {
        sync_folder(reserved)?;
    }
    if made {
        sync_folder(&versions)?;
        write_atomic(reserved, "README.txt", README.as_bytes())?;
    }
    Ok(())
}
