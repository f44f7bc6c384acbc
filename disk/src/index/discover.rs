//! Looking for drives on a machine: folders with a signature, and those of the layouts before (002-06, 002-45 to 002-51). Nothing
//! is written, and nothing becomes a drive by being found.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use time::OffsetDateTime;
use uuid::Uuid;

use super::legacy::{self, Layout};
use crate::signature::RESERVED;
use crate::stat::{EntryKind, Stat, stat_of};
use crate::walk::list_folder;
use crate::{Signature, SignatureError, beneath};

/// How deep a search goes that was not told.
pub const DEPTH: usize = 6;
/// How deep a thorough one goes.
pub const DEEP: usize = 64;
/// Folders that are known and still to be looked into, at most; further ones are passed over and counted.
const MAX_WAITING: usize = 1_000_000;

/// What is looked for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Folders with Holdfast's signature.
    pub signature: bool,
    /// Folders of the layouts before.
    pub legacy: bool,
    /// Also in hidden folders, in what programs install, and in what was found.
    pub deep: bool,
    /// How many folders below a root.
    pub max_depth: usize,
    /// Also on file systems that are mounted below a root.
    pub mounts: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { signature: true, legacy: false, deep: false, max_depth: DEPTH, mounts: false }
    }
}

/// Why a folder is a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// `.holdfast/drive.json`.
    Signature,
    /// A layout of before.
    Legacy(Layout),
}

/// A folder that is, or was, a drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Where it is.
    pub path: PathBuf,
    /// Why it is one.
    pub sign: Sign,
    /// What it says of itself; `None` with a problem. That of a legacy folder is the one it would get.
    pub signature: Option<Signature>,
    /// Why what it says cannot be used.
    pub problem: Option<String>,
}

impl Candidate {
    /// Which drive it is.
    pub fn drive_id(&self) -> Option<Uuid> {
        self.signature.as_ref().map(|signature| signature.drive_id)
    }

    /// When its files were last counted.
    pub fn last_indexed(&self) -> Option<OffsetDateTime> {
        self.signature.as_ref().and_then(|signature| signature.last_indexed)
    }
}

/// What is told while it goes on; a break ends it.
#[derive(Debug)]
pub enum Event<'e> {
    /// This is being looked into.
    Folder(&'e Path),
    /// This was found.
    Found(&'e Candidate),
    /// This could not be looked into.
    Unreadable(&'e Path, &'e io::Error),
}

/// What a search came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Folders that were looked into.
    pub folders: u64,
    /// Candidates.
    pub found: u64,
    /// Folders that could not be looked into.
    pub unreadable: u64,
    /// Folders that lie too deep, or beyond how many are kept in mind.
    pub too_deep: u64,
    /// File systems mounted on the way that were not looked into.
    pub mounts: u64,
    /// It was ended before it was through.
    pub was_ended: bool,
}

/// Looks below roots, each with all below it before the next.
pub fn discover(
    roots: &[PathBuf],
    options: Options,
    tell: &mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
) -> Summary {
    let mut search =
        Search { options, tell, summary: Summary::default(), seen: HashSet::new(), mounts: Vec::new() };
    for root in roots {
        search.mounts.push((root.clone(), 0));
        while let Some((root, depth)) = search.mounts.pop() {
            if search.below(&root, depth).is_break() {
                search.summary.was_ended = true;
                return search.summary;
            }
        }
    }
    search.summary
}

struct Search<'s> {
    options: Options,
    tell: &'s mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
    summary: Summary,
    /// Folders from which a walk began, by device and inode: one that is mounted in itself has no end.
    seen: HashSet<(u64, u64)>,
    /// Where walks are still to begin, and how deep that is.
    mounts: Vec<(PathBuf, usize)>,
}

impl Search<'_> {
    /// Looks below one folder, within its file system.
    fn below(&mut self, top: &Path, depth: usize) -> ControlFlow<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A root that a person named may be a link; what is mounted somewhere is none.
        let flags = if depth == 0 { flags } else { flags | OFlags::NOFOLLOW };
        let opened = rustix::fs::open(top, flags, Mode::empty()).map_err(io::Error::from);
        let (root, dev) = match opened.and_then(|root| Ok((stat_of(&root)?, root))) {
            Ok((stat, root)) => {
                if !self.seen.insert((stat.dev, stat.ident.ino)) {
                    return ControlFlow::Continue(());
                }
                (root, stat.dev)
            }
            Err(error) => return self.unreadable(top, &error),
        };
        let mut waiting = vec![(PathBuf::new(), depth)];
        while let Some((folder, depth)) = waiting.pop() {
            let path = if folder.as_os_str().is_empty() { top.to_owned() } else { top.join(&folder) };
            (self.tell)(&Event::Folder(&path))?;
            let listed = beneath::open_folder(&root, &folder).and_then(|fd| Ok((list_folder(&fd)?, fd)));
            let (entries, fd) = match listed {
                Ok(listed) => listed,
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
                    self.mounted(path, depth);
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => {
                    self.unreadable(&path, &e)?;
                    continue;
                }
            };
            self.summary.folders += 1;
            let is_found = self.judge(&path, &fd, &entries)?;
            if is_found && !self.options.deep {
                continue;
            }
            for (name, stat) in entries.into_iter().rev() {
                let Ok(stat) = stat else { continue };
                if stat.kind != EntryKind::Folder || self.is_passed_over(&name) {
                    continue;
                }
                if stat.dev != dev {
                    self.mounted(path.join(name), depth + 1);
                } else if depth >= self.options.max_depth || waiting.len() >= MAX_WAITING {
                    self.summary.too_deep += 1;
                } else {
                    waiting.push((folder.join(name), depth + 1));
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) -> ControlFlow<()> {
        self.summary.unreadable += 1;
        (self.tell)(&Event::Unreadable(path, error))
    }

    fn mounted(&mut self, path: PathBuf, depth: usize) {
        if self.options.mounts && depth <= self.options.max_depth {
            self.mounts.push((path, depth));
        } else {
            self.summary.mounts += 1;
        }
    }

    fn is_passed_over(&self, name: &OsStr) -> bool {
        // Nothing in there is anybody's drive.
        if name == RESERVED {
            return true;
        }
        let name = name.as_encoded_bytes();
        !self.options.deep && (name.starts_with(b".") || name == b"node_modules" || name == b"lost+found")
    }

    /// Whether a folder is a candidate, which is told then.
    fn judge(
        &mut self,
        path: &Path,
        fd: &OwnedFd,
        entries: &[(OsString, io::Result<Stat>)],
    ) -> ControlFlow<(), bool> {
        let has_reserved = entries.iter().any(|(name, _)| name == RESERVED);
        let candidate = match self.signed(path, fd, has_reserved) {
            Some(candidate) => Some(candidate),
            None if self.options.legacy => legacy_in(path, fd, entries),
            None => None,
        };
        let Some(candidate) = candidate else { return ControlFlow::Continue(false) };
        self.summary.found += 1;
        (self.tell)(&Event::Found(&candidate))?;
        ControlFlow::Continue(true)
    }

    fn signed(&self, path: &Path, fd: &OwnedFd, has_reserved: bool) -> Option<Candidate> {
        if !self.options.signature || !has_reserved {
            return None;
        }
        let (signature, problem) = match Signature::read(fd) {
            Ok(signature) => (Some(signature), None),
            Err(SignatureError::Absent) => return None,
            Err(error) => (None, Some(error.to_string())),
        };
        Some(Candidate { path: path.to_owned(), sign: Sign::Signature, signature, problem })
    }
}

/// A folder of a layout before. One that only has the name of it is none.
fn legacy_in(path: &Path, fd: &OwnedFd, entries: &[(OsString, io::Result<Stat>)]) -> Option<Candidate> {
    let is_file = |stat: &io::Result<Stat>| stat.as_ref().is_ok_and(|stat| stat.kind == EntryKind::File);
    let names = entries.iter().filter(|(_, stat)| is_file(stat)).filter_map(|(name, _)| name.to_str());
    let folder = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let layout = legacy::layout_of(folder, names)?;
    let (signature, problem) = match legacy::look(fd, folder, layout) {
        Ok(found) => (Some(found.signature), found.problems.into_iter().next()),
        Err(legacy::LegacyError::Foreign { .. }) if layout == Layout::V0 => return None,
        Err(error) => (None, Some(error.to_string())),
    };
    Some(Candidate { path: path.to_owned(), sign: Sign::Legacy(layout), signature, problem })
}
