//! What is on a drive that only devices have, for the server to know (000-26; docs/design/012-reports.md): folder after folder,
//! in parts that fit a request. What could not be read to its end is never said to be complete (P8).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_disk::stat::{stat_of, stat_path};
use holdfast_disk::walk::list_folder;
use holdfast_disk::{EntryKind, Ident, RESERVED, Stat, beneath};
use holdfast_protocol::{ContentHash, DrivePath, Kind};
use rustix::fs::OFlags;

use super::OWN;
use crate::api::Progress;
use crate::api::types::{ToldEntry, ToldFolder};

/// Most folders and entries of a part.
const MOST: usize = 2_000;
/// Most bytes of a part as JSON, far below what a server takes.
const BYTES: usize = 400 * 1024;

/// A walk over a drive.
pub struct Inventory {
    root: File,
    place: PathBuf,
    /// Which file system and folder it is, for as long as this runs.
    is: (u64, Ident),
    /// Whether contents are read.
    hashes: Option<Progress>,
    read: u64,
    folders: Vec<DrivePath>,
    ready: VecDeque<ToldFolder>,
    /// What is not told, since a server could not name it or it is neither file nor folder.
    pub skipped: u64,
    /// Folders that could not be read to their end.
    pub unread: u64,
}

impl Inventory {
    /// Begins at the place of a drive. `hashes`: contents are read, and told how far that is.
    ///
    /// # Errors
    /// When the place cannot be opened.
    pub fn open(place: &Path, hashes: Option<Progress>) -> io::Result<Self> {
        let root = File::open(place)?;
        let stat = stat_of(&root)?;
        if stat.kind != EntryKind::Folder {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            root,
            place: place.to_owned(),
            is: (stat.dev, stat.ident),
            hashes,
            read: 0,
            folders: vec![DrivePath::root()],
            ready: VecDeque::new(),
            skipped: 0,
            unread: 0,
        })
    }

    /// Whether what is at the place is still what the walk began at: not after the disk was pulled out.
    pub fn is_still_there(&self) -> bool {
        stat_path(&self.place).is_ok_and(|there| (there.dev, there.ident) == self.is)
    }

    /// The next part, and whether it is the last.
    pub fn next_part(&mut self) -> (Vec<ToldFolder>, bool) {
        let mut part: Vec<ToldFolder> = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        loop {
            if self.ready.is_empty()
                && let Some(folder) = self.folders.pop()
            {
                self.list(&folder);
                continue;
            }
            let Some(next) = self.ready.front() else { return (part, true) };
            let (more, size) = (next.entries.len() + 1, size_of(next));
            let is_full = !part.is_empty() && (count + more > MOST || bytes + size > BYTES);
            // Of one folder a request tells once.
            if is_full || part.iter().any(|told| told.path == next.path) {
                return (part, false);
            }
            (count, bytes) = (count + more, bytes + size);
            part.extend(self.ready.pop_front());
        }
    }

    fn list(&mut self, folder: &DrivePath) {
        let listed = beneath::open_folder(&self.root, folder.as_str()).and_then(list_folder);
        let Ok(listed) = listed else {
            self.unread += 1;
            return;
        };
        let (mut entries, mut below, mut is_complete) = (Vec::new(), Vec::new(), true);
        for (name, stat) in listed {
            let is_own = folder.is_root() && (name == RESERVED || name == OWN);
            let path = name.to_str().and_then(|name| folder.join(name).ok());
            match (path, stat) {
                _ if is_own => {}
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                (_, Err(_)) => is_complete = false,
                (None, Ok(_)) => self.skipped += 1,
                (Some(path), Ok(stat)) => match stat.kind {
                    EntryKind::File => entries.push(self.file(&path, &stat)),
                    EntryKind::Folder => {
                        entries.push(told(&path, Kind::Folder, 0, stat.mtime_ns, None));
                        // What is beneath a mount is another drive's, and what it hides is not gone.
                        if stat.dev == self.is.0 {
                            below.push(path);
                        }
                    }
                    EntryKind::Link | EntryKind::Other => self.skipped += 1,
                },
            }
        }
        self.unread += u64::from(!is_complete);
        self.folders.extend(below.into_iter().rev());
        self.ready.extend(divided(folder, is_complete, entries));
    }

    fn file(&mut self, path: &DrivePath, stat: &Stat) -> ToldEntry {
        let hash = match &self.hashes {
            Some(progress) => {
                let hash = hash_of(&self.root, path, stat);
                self.read = self.read.saturating_add(stat.size);
                progress(self.read);
                hash
            }
            None => None,
        };
        told(path, Kind::File, stat.size, stat.mtime_ns, hash)
    }
}

fn told(path: &DrivePath, kind: Kind, size: u64, mtime_ns: i64, hash: Option<ContentHash>) -> ToldEntry {
    ToldEntry { name: path.name().unwrap_or_default().to_owned(), kind, size, mtime_ns, hash }
}

/// The hash of a file that was not written meanwhile.
fn hash_of(root: &File, path: &DrivePath, stat: &Stat) -> Option<ContentHash> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(beneath::open(root, path.as_str(), flags).ok()?);
    let (hash, size) = holdfast_disk::hash_reader(&file).ok()?;
    let now = stat_of(&file).ok()?;
    let same = (now.ident, now.size, now.mtime_ns) == (stat.ident, stat.size, stat.mtime_ns);
    (same && size == stat.size).then_some(hash)
}

/// A folder in as many pieces as it takes, each with the names that it is complete of.
fn divided(folder: &DrivePath, is_complete: bool, entries: Vec<ToldEntry>) -> Vec<ToldFolder> {
    let piece = |after: Option<String>, entries: Vec<ToldEntry>| ToldFolder {
        path: folder.as_str().to_owned(),
        complete: is_complete,
        after: after.filter(|_| is_complete),
        through: None,
        entries,
    };
    let mut pieces = Vec::new();
    let (mut now, mut bytes) = (piece(None, Vec::new()), 0);
    for entry in entries {
        let size = size_of(&entry);
        if now.entries.len() + 1 >= MOST || (bytes + size > BYTES && !now.entries.is_empty()) {
            let last = now.entries.last().map(|last| last.name.clone());
            now.through = last.clone().filter(|_| is_complete);
            pieces.push(std::mem::replace(&mut now, piece(last, Vec::new())));
            bytes = 0;
        }
        bytes += size;
        now.entries.push(entry);
    }
    pieces.push(now);
    pieces
}

/// How long something is as JSON.
fn size_of(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(BYTES, |text| text.len())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStrExt as _;
    use std::sync::Arc;

    use super::*;

    fn parts(place: &Path, hashes: Option<Progress>) -> (Vec<Vec<ToldFolder>>, Inventory) {
        let mut inventory = Inventory::open(place, hashes).unwrap();
        let mut parts = Vec::new();
        loop {
            let (part, is_last) = inventory.next_part();
            parts.push(part);
            if is_last {
                return (parts, inventory);
            }
        }
    }

    #[test]
    fn every_folder_is_told_with_all_that_a_server_can_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/empty")).unwrap();
        std::fs::create_dir(dir.path().join(".holdfast")).unwrap();
        std::fs::write(dir.path().join("a/x"), "x").unwrap();
        std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"n\xff")), "").unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        let (parts, inventory) = parts(dir.path(), None);
        let told: Vec<(&str, bool, Vec<&str>)> = parts[0]
            .iter()
            .map(|folder| {
                let names = folder.entries.iter().map(|entry| entry.name.as_str()).collect();
                (folder.path.as_str(), folder.complete, names)
            })
            .collect();
        assert_eq!(told, [("", true, vec!["a"]), ("a", true, vec!["empty", "x"]), ("a/empty", true, vec![])]);
        assert_eq!((parts.len(), inventory.skipped, inventory.unread), (1, 2, 0));
        assert!(inventory.is_still_there());
    }

    #[test]
    fn a_large_folder_is_told_in_pieces_that_leave_no_name_out() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..4_500 {
            std::fs::write(dir.path().join(format!("{number:05}")), "").unwrap();
        }
        let (parts, _) = parts(dir.path(), None);
        let pieces: Vec<&ToldFolder> = parts.iter().flatten().collect();
        assert_eq!((parts.len(), pieces.len()), (3, 3));
        assert_eq!((&pieces[0].after, &pieces[2].through), (&None, &None));
        for pair in pieces.windows(2) {
            assert_eq!(pair[0].through, pair[1].after);
            assert_eq!(pair[0].through.as_ref(), pair[0].entries.last().map(|last| &last.name));
        }
        let names: BTreeSet<&str> =
            pieces.iter().flat_map(|piece| &piece.entries).map(|entry| entry.name.as_str()).collect();
        assert_eq!(names.len(), 4_500);
    }

    #[test]
    fn a_place_that_another_disk_took_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("stick");
        std::fs::create_dir(&place).unwrap();
        let inventory = Inventory::open(&place, None).unwrap();
        std::fs::rename(&place, dir.path().join("away")).unwrap();
        assert!(!inventory.is_still_there());
        std::fs::create_dir(&place).unwrap();
        assert!(!inventory.is_still_there());
    }

    #[test]
    fn contents_are_read_where_that_was_asked() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        let (parts, _) = parts(dir.path(), Some(Arc::new(|_| {})));
        assert_eq!(parts[0][0].entries[0].hash, Some(ContentHash::EMPTY));
    }
}
