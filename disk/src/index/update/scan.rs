//! A walk in the order of an index, so that disk and index are read side by side and neither is held in memory.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use holdfast_protocol::{DrivePath, PathError};

use crate::beneath;
use crate::stat::{EntryKind, Stat, stat_of};
use crate::walk::list_folder;

/// One thing that a scan came upon.
#[derive(Debug)]
pub(super) enum Seen {
    /// A folder comes before what is in it, and that before what is beside it.
    Entry { path: DrivePath, stat: Stat },
    /// Something that was not looked at, or a folder that was not looked into: then it came as an entry before.
    Unseen { path: PathBuf, why: Unseen },
}

/// Why something was not looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unseen {
    #[error("the name is not UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Refused(#[from] PathError),
    #[error("another file system is mounted here")]
    OtherFileSystem,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
}

/// A walk, name by name; holds the listings of the folders that lead to where it is. No link is followed and no mount crossed.
pub(super) struct Scan {
    root: OwnedFd,
    dev: u64,
    levels: Vec<Level>,
    enter: Option<DrivePath>,
}

struct Level {
    folder: DrivePath,
    names: std::vec::IntoIter<(OsString, io::Result<Stat>)>,
}

impl Scan {
    /// Starts at a root.
    ///
    /// # Errors
    /// When the root itself cannot be read: that is no empty drive.
    pub fn new(root: impl AsFd) -> io::Result<Self> {
        let root = beneath::open_folder(root, "")?;
        let dev = stat_of(&root)?.dev;
        let names = list_folder(&root)?.into_iter();
        let levels = vec![Level { folder: DrivePath::root(), names }];
        Ok(Self { root, dev, levels, enter: None })
    }

    /// Lists a folder that was told of; what stands in the way of that.
    fn descend(&mut self, folder: DrivePath) -> Option<Seen> {
        match beneath::open_folder(&self.root, folder.as_str()).and_then(list_folder) {
            Ok(names) => {
                self.levels.push(Level { folder, names: names.into_iter() });
                None
            }
            // Gone since: then there is nothing in it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                let is_mount = e.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error());
                let why = if is_mount { Unseen::OtherFileSystem } else { Unseen::Unreadable(e) };
                Some(Seen::Unseen { path: folder.as_str().into(), why })
            }
        }
    }

    /// What a name stands for; `None` for what is no part of a drive, or gone.
    fn judge(&mut self, folder: &DrivePath, name: OsString, stat: io::Result<Stat>) -> Option<Seen> {
        let unseen = |path: PathBuf, why| Some(Seen::Unseen { path, why });
        let whole = PathBuf::from(folder.as_str()).join(&name);
        let Ok(name) = name.into_string() else { return unseen(whole, Unseen::NotUtf8) };
        let path = match folder.join(&name) {
            Ok(path) => path,
            Err(PathError::Reserved) => return None,
            Err(why) => return unseen(whole, why.into()),
        };
        match stat {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => unseen(whole, Unseen::Unreadable(e)),
            Ok(stat) if stat.dev != self.dev => unseen(whole, Unseen::OtherFileSystem),
            Ok(stat) => {
                self.enter = (stat.kind == EntryKind::Folder).then(|| path.clone());
                Some(Seen::Entry { path, stat })
            }
        }
    }
}

impl Iterator for Scan {
    type Item = Seen;

    fn next(&mut self) -> Option<Seen> {
        if let Some(folder) = self.enter.take()
            && let Some(problem) = self.descend(folder)
        {
            return Some(problem);
        }
        loop {
            let level = self.levels.last_mut()?;
            let Some((name, stat)) = level.names.next() else {
                self.levels.pop();
                continue;
            };
            let folder = level.folder.clone();
            if let Some(seen) = self.judge(&folder, name, stat) {
                return Some(seen);
            }
        }
    }
}
