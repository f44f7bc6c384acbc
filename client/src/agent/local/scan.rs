//! Walking the folder.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use holdfast_disk::stat::{stat_at, stat_of};
use holdfast_disk::{EntryKind, Found, Problem, Stat, Walk, beneath, hash_reader};
use holdfast_protocol::ContentHash;
use rustix::fs::OFlags;

use super::{LocalFolder, look_of, split};
use crate::agent::OWN;
use crate::agent::contract::{Scan, Trouble};
use crate::agent::trees::{LocalTree, Look, What};

/// A walk in the making.
struct Scanning<'s> {
    folder: &'s LocalFolder,
    known: &'s dyn Fn(&Look) -> Option<ContentHash>,
    tree: LocalTree,
    folders: HashMap<String, usize>,
    notices: Vec<(String, String)>,
}

impl LocalFolder {
    /// Walks the folder; hashes what is not known.
    ///
    /// # Errors
    /// [`Trouble::Side`] when the root is not the folder it was.
    pub(super) fn walk(&self, known: &dyn Fn(&Look) -> Option<ContentHash>) -> Result<Scan, Trouble> {
        self.check()?;
        let failed = |error: io::Error| Trouble::Side(format!("{}: {error}", self.path.display()));
        let root = look_of(&stat_of(&self.root).map_err(failed)?);
        let (ignore, notices) = self.rules().map_err(failed)?;
        let mut scanning = Scanning {
            folder: self,
            known,
            tree: LocalTree::ignoring(root, ignore),
            folders: HashMap::from([(String::new(), 0)]),
            notices,
        };
        let mut walk = Walk::new(&self.root).map_err(failed)?;
        while let Some(found) = walk.next() {
            match found {
                Found::Entry { path, stat } => {
                    if !scanning.entry(&path, &stat) {
                        walk.pass_over(&path);
                    }
                }
                Found::Problem { path, why } => scanning.problem(&path, &why)?,
            }
        }
        // A folder that was unmounted during the walk looks empty from then on.
        self.check()?;
        Ok(Scan { tree: scanning.tree, notices: scanning.notices })
    }
}

impl Scanning<'_> {
    /// False for a folder that is not to be looked into.
    fn entry(&mut self, path: &str, stat: &Stat) -> bool {
        let (above, name) = split(path);
        let Some(&parent) = self.folders.get(above).filter(|_| !is_own(path)) else { return false };
        let look = look_of(stat);
        let what = match stat.kind {
            kind if self.tree.ignore().is_ignored(path, kind == EntryKind::Folder) => What::Ignored,
            EntryKind::Folder => What::Folder,
            EntryKind::File => match (self.known)(&look) {
                Some(hash) => What::File(Some(hash)),
                None => self.content(path, &look),
            },
            EntryKind::Link => self.other(path, "a symbolic link is left alone"),
            EntryKind::Other => self.other(path, "neither a file nor a folder; left alone"),
        };
        let index = self.tree.add(parent, name, what, look);
        if what == What::Folder {
            self.folders.insert(path.to_owned(), index);
        }
        what == What::Folder || stat.kind != EntryKind::Folder
    }

    fn other(&mut self, path: &str, why: &str) -> What {
        self.notices.push((path.to_owned(), why.to_owned()));
        What::Other
    }

    fn content(&mut self, path: &str, look: &Look) -> What {
        match self.hash(path, look) {
            Ok(hash) => What::File(hash),
            Err(error) if error.kind() == io::ErrorKind::NotFound => What::File(None),
            Err(error) => self.other(path, &format!("cannot be read: {error}")),
        }
    }

    /// `None` when it changed meanwhile.
    fn hash(&self, path: &str, look: &Look) -> io::Result<Option<ContentHash>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(beneath::open(&self.folder.root, path, flags)?);
        if look_of(&stat_of(&file)?) != *look {
            return Ok(None);
        }
        let (hash, size) = hash_reader(&file)?;
        let (above, name) = split(path);
        let there = stat_at(beneath::open_folder(&self.folder.root, above)?, name)?;
        let is_still = look_of(&stat_of(&file)?) == *look && look_of(&there) == *look && size == look.size;
        Ok(is_still.then_some(hash))
    }

    fn problem(&mut self, path: &Path, why: &Problem) -> Result<(), Trouble> {
        let text = path.to_string_lossy().into_owned();
        if is_own(&text) {
            return Ok(());
        }
        let told = match why {
            Problem::NotUtf8 => "the name is not UTF-8; left alone".to_owned(),
            Problem::OtherFileSystem => "another file system is mounted here; left alone".to_owned(),
            Problem::Unreadable(error) => format!("cannot be read: {error}; left alone"),
        };
        if let Some(&index) = self.folders.get(&text) {
            if index == 0 {
                return Err(Trouble::Side(format!("{}: {told}", self.folder.path.display())));
            }
            self.tree.close(index);
        } else {
            let (above, name) = split(&text);
            let is_ignored = self.tree.ignore().is_ignored(&text, true);
            if let Some(&parent) = self.folders.get(above) {
                let what = if is_ignored { What::Ignored } else { What::Other };
                self.tree.add(parent, name, what, Look::default());
            }
            if is_ignored {
                return Ok(());
            }
        }
        self.notices.push((text, told));
        Ok(())
    }
}

fn is_own(path: &str) -> bool {
    path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(OWN))
}
