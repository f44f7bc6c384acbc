//! Walking a tree beneath a root: no link followed, no mount crossed, nothing passed in silence (002-50).

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::Dir;

use crate::beneath;
use crate::signature::RESERVED;
use crate::stat::{EntryKind, Stat, stat_at, stat_of};

/// One thing a walk came upon. Paths are relative to the root.
#[derive(Debug)]
pub enum Found {
    /// A file, folder, link or other thing whose name is text. A folder comes before what is in it.
    Entry {
        /// Components joined by `/`, no slash in front.
        path: String,
        /// What it is.
        stat: Stat,
    },
    /// Something that was not looked into.
    Problem {
        /// Where it is, possibly not UTF-8; empty for the root itself.
        path: PathBuf,
        /// Why not.
        why: Problem,
    },
}

/// Why a walk did not look into something.
#[derive(Debug)]
pub enum Problem {
    /// The name is not UTF-8: no device could be told of it.
    NotUtf8,
    /// It could not be read; what is in it is unknown, not absent (P8).
    Unreadable(io::Error),
    /// Something else is mounted there, or another subvolume begins.
    OtherFileSystem,
}

/// A walk, depth first, names in byte order; holds one folder's listing at a time besides the names of the folders
/// still to come. The reserved folder at the root is left out.
pub struct Walk {
    root: OwnedFd,
    dev: u64,
    folders: Vec<String>,
    ready: VecDeque<Found>,
    passed: HashSet<String>,
}

impl Walk {
    /// Starts at a root.
    ///
    /// # Errors
    /// When the root itself cannot be opened.
    pub fn new(root: impl AsFd) -> io::Result<Self> {
        Self::under(root, "")
    }

    /// Starts at a folder of a root; paths stay relative to the root.
    ///
    /// # Errors
    /// When the root itself cannot be opened. A missing folder is a problem of the walk.
    pub fn under(root: impl AsFd, folder: &str) -> io::Result<Self> {
        let root = beneath::open_folder(root, "")?;
        let dev = stat_of(&root)?.dev;
        Ok(Self {
            root,
            dev,
            folders: vec![folder.to_owned()],
            ready: VecDeque::new(),
            passed: HashSet::new(),
        })
    }

    /// Does not look into a folder that was found just now.
    pub fn pass_over(&mut self, folder: &str) {
        self.passed.insert(folder.to_owned());
    }

    fn list(&mut self, folder: &str) {
        let entries = match beneath::open_folder(&self.root, folder).and_then(|fd| list_folder(&fd)) {
            Ok(entries) => entries,
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
                return self.problem(folder.into(), Problem::OtherFileSystem);
            }
            Err(e) => return self.problem(folder.into(), Problem::Unreadable(e)),
        };
        let first = self.folders.len();
        for (name, stat) in entries {
            if folder.is_empty() && name == RESERVED {
                continue;
            }
            let why = match (stat, name.to_str()) {
                (Err(e), _) if e.kind() == io::ErrorKind::NotFound => continue,
                (Err(e), _) => Problem::Unreadable(e),
                (Ok(stat), _) if stat.dev != self.dev || stat.is_mount => Problem::OtherFileSystem,
                (Ok(_), None) => Problem::NotUtf8,
                (Ok(stat), Some(name)) => {
                    let path = joined(folder, name);
                    if stat.kind == EntryKind::Folder {
                        self.folders.push(path.clone());
                    }
                    self.ready.push_back(Found::Entry { path, stat });
                    continue;
                }
            };
            self.problem(Path::new(folder).join(&name), why);
        }
        // The first by name is taken next.
        self.folders[first..].reverse();
    }

    fn problem(&mut self, path: PathBuf, why: Problem) {
        self.ready.push_back(Found::Problem { path, why });
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            let folder = self.folders.pop()?;
            if !self.passed.remove(&folder) {
                self.list(&folder);
            }
        }
    }
}

/// What is in an open folder, in byte order of the names, each with its own stat or why there is none. `.` and `..`
/// are left out.
///
/// # Errors
/// When the folder cannot be read to its end: half a listing is none.
pub fn list_folder(folder: impl AsFd) -> io::Result<Vec<(OsString, io::Result<Stat>)>> {
    let folder = folder.as_fd();
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    let stated = |name: OsString| {
        let stat = stat_at(folder, name.as_os_str());
        (name, stat)
    };
    Ok(names.into_iter().map(stated).collect())
}

/// A path, made in one piece: there are as many of them as entries.
fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        return name.to_owned();
    }
    let mut path = String::with_capacity(folder.len() + 1 + name.len());
    path.push_str(folder);
    path.push('/');
    path.push_str(name);
    path
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    fn paths(root: &Path) -> (Vec<String>, Vec<String>) {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for found in Walk::new(File::open(root).unwrap()).unwrap() {
            match found {
                Found::Entry { path, .. } => entries.push(path),
                Found::Problem { path, why } => problems.push(format!("{} {why:?}", path.display())),
            }
        }
        (entries, problems)
    }

    #[test]
    fn a_walk_meets_every_entry_once_a_folder_before_its_content_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        fs::create_dir_all(root.join(".holdfast/versions")).unwrap();
        fs::create_dir_all(root.join("b/.holdfast")).unwrap();
        fs::write(root.join("b/deep/x"), "x").unwrap();
        fs::write(root.join("a"), "a").unwrap();
        symlink("b", root.join("c")).unwrap();
        symlink("/etc", root.join("b/out")).unwrap();
        let (entries, problems) = paths(root);
        assert_eq!(entries, ["a", "b", "c", "b/.holdfast", "b/deep", "b/out", "b/deep/x"]);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn a_folder_that_is_passed_over_is_told_of_and_not_entered() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/deep", "b/deep", "c"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let mut walk = Walk::new(File::open(dir.path()).unwrap()).unwrap();
        let mut entries = Vec::new();
        while let Some(found) = walk.next() {
            let Found::Entry { path, .. } = found else { continue };
            if path == "a" {
                walk.pass_over(&path);
            }
            entries.push(path);
        }
        assert_eq!(entries, ["a", "b", "c", "b/deep"]);
    }

    #[test]
    fn names_that_are_not_text_are_reported_and_do_not_stop_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        let raw = OsString::from_vec(vec![b'n', 0xff]);
        fs::create_dir(dir.path().join(&raw)).unwrap();
        fs::write(dir.path().join("z"), "").unwrap();
        let (entries, problems) = paths(dir.path());
        assert_eq!(entries, ["z"]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].ends_with("NotUtf8"), "{problems:?}");
    }

    #[test]
    fn a_folder_that_vanished_is_a_problem_and_not_an_empty_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut walk = Walk::under(File::open(dir.path()).unwrap(), "gone").unwrap();
        assert!(matches!(walk.next(), Some(Found::Problem { why: Problem::Unreadable(_), .. })));
        assert!(walk.next().is_none());
    }

    #[test]
    fn another_file_system_is_reported_and_not_entered() {
        let found: Vec<_> = Walk::new(File::open("/").unwrap())
            .unwrap()
            .take_while(|f| !matches!(f, Found::Entry { path, .. } if path.contains('/')))
            .collect();
        assert!(found.iter().any(|f| matches!(f, Found::Problem { path, why: Problem::OtherFileSystem }
            if path == Path::new("proc"))));
    }
}
