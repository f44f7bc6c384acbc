//! Reading what lies in the tree and in slots, by identity.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_disk::stat::stat_of;
use holdfast_disk::walk::list_folder;
use holdfast_disk::{self as disk, RESERVED, hash_reader};
use holdfast_protocol::ContentHash;
use rustix::fs::OFlags;

use super::drive::FolderDrive;
use super::root::is_absence;
use super::seam::{Means, Seam as _};
use super::{Phys, SlotId};
use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::failpoint;

/// A file is quiet when its inode was not changed for this long.
pub const QUIET: Duration = Duration::from_secs(2);

/// Why no file was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// None of the candidates is a file.
    #[error("the file is not where it was")]
    Absent,
    /// There is a file, and it is not the one that was expected.
    #[error("the file was replaced by another program")]
    Changed(Stat),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<OpenError> for io::Error {
    fn from(e: OpenError) -> Self {
        match e {
            OpenError::Io(e) => e,
            OpenError::Absent | OpenError::Changed(_) => Self::new(ErrorKind::NotFound, e),
        }
    }
}

/// As much of a stat as tells whether a file is still the one that was seen, unchanged. Equal is no proof: a mapped page
/// can be written without a trace (algorithms, "what the probes said").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which file.
    pub ident: Ident,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl From<&Stat> for Seen {
    fn from(stat: &Stat) -> Self {
        Self { ident: stat.ident, size: stat.size, mtime_ns: stat.mtime_ns }
    }
}

/// What is in a folder, in byte order of the names.
#[derive(Debug, Default)]
pub struct Listing {
    /// What is of the drive.
    pub entries: Vec<(OsString, Stat)>,
    /// Where something else is mounted, or another subvolume begins: what the drive has under that name is hidden.
    pub elsewhere: Vec<OsString>,
}

/// What became of a displaced file (algorithms A, step 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It is what the catalogue knew.
    Sealed,
    /// A program may still write to it: it was changed just now, or has another name. Ask again later.
    Busy,
    /// It is something else: an outside edit, to be kept as a version of its own.
    Changed {
        /// What it holds.
        hash: ContentHash,
        /// And what it is.
        stat: Stat,
    },
    /// No file is in the slot.
    Absent,
}

impl FolderDrive {
    /// Opens the first candidate that is the expected file; without an expectation, the first that is a file. Returns it,
    /// what it is, and which candidate it was. Nothing is followed and the root not left.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_file(
        &self,
        candidates: &[Phys],
        expect: Option<Ident>,
    ) -> Result<(File, Stat, usize), OpenError> {
        let mut other = None;
        for (index, path) in candidates.iter().enumerate() {
            for path in [Some(path), self.aside(path).as_ref()].into_iter().flatten() {
                match self.open_one(path)? {
                    Some((file, stat)) if expect.is_none_or(|ident| ident == stat.ident) => {
                        return Ok((file, stat, index));
                    }
                    Some((_, stat)) => other = other.or(Some(stat)),
                    None => {}
                }
            }
        }
        Err(other.map_or(OpenError::Absent, OpenError::Changed))
    }

    /// As [`FolderDrive::open_file`], where no disk has to be waited for; `None`: it would have to.
    pub fn open_file_at_once(
        &self,
        candidates: &[Phys],
        expect: Option<Ident>,
    ) -> Option<Result<(File, Stat, usize), OpenError>> {
        let mut other = None;
        for (index, path) in candidates.iter().enumerate() {
            for path in [Some(path), self.aside(path).as_ref()].into_iter().flatten() {
                match self.open_one_at_once(path) {
                    Err(e) => return Some(Err(e.into())),
                    Ok(Known::Unsure) => return None,
                    Ok(Known::Here(file, stat)) if expect.is_none_or(|ident| ident == stat.ident) => {
                        return Some(Ok((file, stat, index)));
                    }
                    Ok(Known::Here(_, stat)) => other = other.or(Some(stat)),
                    Ok(Known::Not) => {}
                }
            }
        }
        Some(Err(other.map_or(OpenError::Absent, OpenError::Changed)))
    }

    /// Where what a slot should hold may be as well: an op that could not be finished on a file system that cannot swap two
    /// names leaves there what it has displaced.
    fn aside(&self, path: &Phys) -> Option<Phys> {
        if self.shared.root.means() == Means::Exchange { None } else { path.aside_of_slot() }
    }

    /// What stands there; `None` when nothing does, or no folder for it to stand in.
    ///
    /// # Errors
    /// `EXDEV` for another file system's mount point; what the file system says.
    pub fn lstat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        Ok(self.shared.root.lstat(path)?.map(Stat::from))
    }

    /// What is in a folder; at the root without the reserved folder.
    ///
    /// # Errors
    /// What the file system says, of the folder or of one entry: half a listing is none (P8).
    pub fn list_dir(&self, path: &Phys) -> io::Result<Listing> {
        let root = &self.shared.root;
        let mut listing = Listing::default();
        for (name, stat) in list_folder(root.open_folder(path)?)? {
            match stat {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
                Ok(_) if path.is_root() && name == RESERVED => {}
                Ok(stat) if root.is_elsewhere(&stat) => listing.elsewhere.push(name),
                Ok(stat) => listing.entries.push((name, stat.into())),
            }
        }
        Ok(listing)
    }

    /// Hashes a file that stands still meanwhile.
    ///
    /// # Errors
    /// `NotFound` when no file stands there; `ResourceBusy` when it was changed or replaced meanwhile; what the file system
    /// says.
    pub fn hash_file(&self, path: &Phys) -> io::Result<(ContentHash, Stat)> {
        let (file, ..) = self.open_file(std::slice::from_ref(path), None).map_err(io::Error::from)?;
        self.hash_open(&file, path).map(|(hash, stat)| (hash, stat.into()))
    }

    /// Whether a file's inode was not changed for [`QUIET`], by the machine's clock: a copy that is still being written
    /// shows in that even where it sets an old mtime. False when nothing stands there.
    ///
    /// # Errors
    /// As [`FolderDrive::lstat`].
    pub fn is_quiet(&self, path: &Phys) -> io::Result<bool> {
        Ok(self.shared.root.lstat(path)?.is_some_and(|stat| is_quiet(&stat, QUIET)))
    }

    /// Judges what lies in a slot against what the catalogue knew of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn seal_check(&self, slot: SlotId, expected: &Seen, hash: &ContentHash) -> io::Result<Judgement> {
        self.seal_check_after(slot, expected, hash, QUIET)
    }

    pub(super) fn seal_check_after(
        &self,
        slot: SlotId,
        expected: &Seen,
        hash: &ContentHash,
        quiet: Duration,
    ) -> io::Result<Judgement> {
        failpoint::hit("seal.before");
        let path = Phys::slot(slot);
        let Some((file, _)) = self.open_one(&path)? else { return Ok(Judgement::Absent) };
        let stat = stat_of(&file)?;
        if stat.nlink > 1 || !is_quiet(&stat, quiet) {
            return Ok(Judgement::Busy);
        }
        let judged = match self.hash_open(&file, &path) {
            Ok((found, stat)) if found == *hash && Ident::from(stat.ident) == expected.ident => {
                Judgement::Sealed
            }
            Ok((hash, stat)) => Judgement::Changed { hash, stat: stat.into() },
            Err(e) if e.kind() == ErrorKind::ResourceBusy => Judgement::Busy,
            Err(e) => return Err(e),
        };
        failpoint::hit("seal.after");
        Ok(judged)
    }

    fn hash_open(&self, file: &File, path: &Phys) -> io::Result<(ContentHash, disk::Stat)> {
        let before = stat_of(file)?;
        let (hash, size) = hash_reader(file)?;
        let same = stat_of(file)? == before
            && size == before.size
            && self.shared.root.lstat(path)?.is_some_and(|now| now.ident == before.ident);
        if same { Ok((hash, before)) } else { Err(ErrorKind::ResourceBusy.into()) }
    }

    fn open_one_at_once(&self, path: &Phys) -> io::Result<Known> {
        let root = &self.shared.root;
        let open = |flags| match root.open_at_once(path, flags) {
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
            Ok(None) => Ok(Some(None)),
            Ok(Some(fd)) => Ok(Some(Some(fd))),
        };
        // Without opening what may be a device or a pipe.
        let there = match open(OFlags::PATH)? {
            None => return Ok(Known::Not),
            Some(None) => return Ok(Known::Unsure),
            Some(Some(fd)) => stat_of(&fd)?,
        };
        if root.is_elsewhere(&there) || Stat::from(there).kind != EntryKind::File {
            return Ok(Known::Not);
        }
        match open(OFlags::RDONLY)? {
            Some(Some(fd)) => {
                let stat = Stat::from(stat_of(&fd)?);
                Ok(if stat.kind == EntryKind::File { Known::Here(File::from(fd), stat) } else { Known::Not })
            }
            _ => Ok(Known::Unsure),
        }
    }

    /// `None` when no regular file stands there.
    fn open_one(&self, path: &Phys) -> io::Result<Option<(File, Stat)>> {
        // Looked at before it is opened: opening a device or a pipe does something to it.
        if self.lstat(path)?.is_none_or(|stat| stat.kind != EntryKind::File) {
            return Ok(None);
        }
        match self.shared.root.open(path, OFlags::RDONLY) {
            Ok(fd) => {
                let stat = Stat::from(stat_of(&fd)?);
                Ok((stat.kind == EntryKind::File).then(|| (File::from(fd), stat)))
            }
            Err(e) if is_absence(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// What is known of a name without asking the disk.
enum Known {
    Here(File, Stat),
    Not,
    Unsure,
}

fn is_quiet(stat: &disk::Stat, quiet: Duration) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
    let changed = u128::try_from(stat.ctime_ns).unwrap_or(0);
    // A clock that was put back must not make a file busy for years.
    changed > now || now - changed >= quiet.as_nanos()
}
