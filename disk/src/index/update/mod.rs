//! Writing a root's index from its disk, with what the index before knew: what looks as it did is not read again.

mod before;
mod merging;
mod scan;

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use holdfast_protocol::ContentHash;
use rustix::fs::{FlockOperation, Mode, OFlags};
use time::OffsetDateTime;

use self::before::usable;
use self::merging::Merging;
use super::{Header, IndexEnd, IndexError, Totals, write};
use crate::signature::{README, RESERVED};
use crate::{Signature, SignatureError, beneath, sync};

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Contents are read, so that files can be found by them.
    pub hash: bool,
    /// Also those that look as they did; finds what changed on the disk by itself.
    pub again: bool,
}

/// How far it is.
#[derive(Debug)]
pub struct Progress<'p> {
    /// What is being looked at.
    pub path: &'p str,
    /// Entries so far.
    pub entries: u64,
    /// Bytes read so far.
    pub bytes: u64,
}

/// Told about each entry and each piece that was read; a break ends it, and the old index stands.
pub type Tell<'t> = &'t mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The drive's signature as it is now.
    pub signature: Signature,
    /// What the index says in its end.
    pub end: IndexEnd,
    /// Why the index before was not used; `None` where it was, or where there was none.
    pub before: Option<IndexError>,
    /// Entries that the index before did not have.
    pub added: u64,
    /// Files that look other than they did.
    pub changed: u64,
    /// Entries of the index before that are not there.
    pub gone: u64,
    /// Entries of the index before that could not be looked at, and are told as they were.
    pub kept: u64,
    /// Files whose content is known from another place where they were before.
    pub moved: u64,
    /// Files whose content was read.
    pub read: u64,
    /// Bytes in them.
    pub read_bytes: u64,
    /// What was not looked at, or not read, and why; the first of them.
    pub problems: Vec<(PathBuf, String)>,
    /// All of them.
    pub problem_count: u64,
}

impl Report {
    fn new(signature: Signature, before: Option<IndexError>) -> Self {
        Self {
            signature,
            end: IndexEnd { entries: 0, totals: Totals::default(), sha256: ContentHash::EMPTY },
            before,
            added: 0,
            changed: 0,
            gone: 0,
            kept: 0,
            moved: 0,
            read: 0,
            read_bytes: 0,
            problems: Vec::new(),
            problem_count: 0,
        }
    }
}

/// Why no index was written. The old one stands.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The folder is no drive.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A server, or another run, is at work on it.
    #[error("another program, perhaps a server, is using this drive")]
    InUse,
    /// It was asked to stop.
    #[error("it was asked to stop")]
    Cancelled,
    /// The disk refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Writes the index of a root that carries a signature, and into the signature what it counted.
///
/// # Errors
/// [`UpdateError`]; then the index is what it was.
pub fn update(root: impl AsFd, by: &str, options: Options, tell: Tell<'_>) -> Result<Report, UpdateError> {
    let root = root.as_fd();
    let mut signature = Signature::read(root)?;
    let _lock = take_lock(root)?;
    let at = OffsetDateTime::now_utc();
    let has_inodes = has_lasting_inodes(root);
    let wants_moved = options.hash && !options.again && has_inodes;
    let (old, before) = usable(root, &signature, wants_moved);
    let header = Header {
        drive_id: signature.drive_id,
        name: short(&signature.name),
        written_at: at,
        written_by: by.to_owned(),
        head: None,
    };
    let report = Report::new(signature.clone(), before);
    let mut merging = Merging::new(beneath::open_folder(root, "")?, options, has_inodes, old, tell, report);
    let end = write(root, &header, |writer| merging.run(writer))?;
    let mut report = merging.into_report();
    signature.last_indexed = Some(at);
    signature.file_count = end.totals.files;
    signature.total_size_bytes = end.totals.total_size_bytes;
    signature.write(root)?;
    explain(root)?;
    report.end = end;
    report.signature = signature;
    Ok(report)
}

/// Holds the drive as a server does; given back when it is dropped.
fn take_lock(root: impl AsFd) -> Result<OwnedFd, UpdateError> {
    let reserved = beneath::open_folder(root, RESERVED)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock =
        rustix::fs::openat(reserved, "lock", flags, Mode::from_raw_mode(0o644)).map_err(io::Error::from)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(UpdateError::InUse),
        Err(e) => Err(io::Error::from(e).into()),
    }
}

/// Writes the page for whoever finds the folder, where it is missing or of an earlier version.
fn explain(root: impl AsFd) -> io::Result<()> {
    let reserved = beneath::open_folder(root, RESERVED)?;
    let mut text = Vec::new();
    if let Ok(fd) =
        beneath::open(&reserved, "README.txt", OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK)
    {
        File::from(fd).take(README.len() as u64 + 1).read_to_end(&mut text)?;
    }
    if text == README.as_bytes() {
        return Ok(());
    }
    sync::write_atomic(reserved, "README.txt", README.as_bytes())
}

/// A name that fits the first line, whatever a signature holds.
fn short(name: &str) -> String {
    name.chars().take(255).collect()
}

/// Whether an inode number means the same file after the disk was plugged in again. FAT and its like have none, and what is
/// behind FUSE cannot be told.
fn has_lasting_inodes(root: impl AsFd) -> bool {
    const FAT: i128 = 0x4d44;
    const EXFAT: i128 = 0x2011_bab0;
    const FUSE: i128 = 0x6573_5546;
    match rustix::fs::fstatfs(root) {
        // The type's width differs from one machine to another.
        Ok(found) => ![FAT, EXFAT, FUSE].contains(&(i128::from(found.f_type) & 0xffff_ffff)),
        Err(_) => false,
    }
}
