//! Walking the folder.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::Path;

use holdfast_disk::stat::{stat_at, stat_of};
use holdfast_disk::{EntryKind, Found, Problem, Stat, Walk, beneath, hash_reader};
use holdfast_protocol::ContentHash;
use rustix::fs::OFlags;

use super::{LocalFolder, look_of, split};
use crate::agent::OWN;
use crate::agent::contract::{Disk as _, Scan, Trouble};
use crate::agent::trees::{LocalTree, Look, What};

/// A walk in the making.
struct Scanning<'s> {
    folder: &'s LocalFolder,
    known: &'s dyn Fn(&Look) -> Option<ContentHash>,
    tree: LocalTree,
    folders: HashMap<String, usize>,
    /// The one that was asked for last: entries come folder by folder.
    last: (String, usize),
    notices: Vec<(String, String)>,
}

impl LocalFolder {
    /// Walks the folder, or what of it may be otherwise than before; hashes what is not known.
    ///
    /// # Errors
    /// [`Trouble::Side`] when the root is not the folder it was.
    pub(super) fn walk(
        &self,
        before: Option<(Scan, &BTreeSet<String>)>,
        known: &dyn Fn(&Look) -> Option<ContentHash>,
    ) -> Result<Scan, Trouble> {
        self.check()?;
        let failed = |error: io::Error| Trouble::Side(format!("{}: {error}", self.path.display()));
        let root = look_of(&stat_of(&self.root).map_err(failed)?);
        let (ignore, notices_of_rules) = self.rules().map_err(failed)?;
        let (folders, last) = (HashMap::from([(String::new(), 0)]), (String::new(), 0));
        // What was walked by other rules tells nothing.
        let before = before.filter(|(scan, _)| scan.tree.ignore().is_same(&ignore));
        let scan = if let Some((Scan { tree, notices }, changed)) = before {
            let mut scanning = Scanning { folder: self, known, tree, folders, last, notices };
            for folder in changed {
                scanning.again(folder)?;
            }
            scanning.forget_notices();
            let new: Vec<_> =
                notices_of_rules.into_iter().filter(|told| !scanning.notices.contains(told)).collect();
            scanning.notices.extend(new);
            scanning
        } else {
            let tree = LocalTree::ignoring(root, ignore);
            let mut scanning =
                Scanning { folder: self, known, tree, folders, last, notices: notices_of_rules };
            scanning.all(Walk::new(&self.root).map_err(failed)?)?;
            scanning
        };
        // A folder that was unmounted during the walk looks empty from then on.
        self.check()?;
        Ok(Scan { tree: scan.tree, notices: scan.notices })
    }
}

impl Scanning<'_> {
    fn all(&mut self, mut walk: Walk) -> Result<(), Trouble> {
        while let Some(found) = walk.next() {
            match found {
                Found::Entry { path, stat } => {
                    if !self.entry(&path, &stat) {
                        walk.pass_over(&path);
                    }
                }
                Found::Problem { path, why } => self.problem(&path, &why)?,
            }
        }
        Ok(())
    }

    /// Looks again at what is in a folder, and at all that is new in it.
    fn again(&mut self, folder: &str) -> Result<(), Trouble> {
        let here = self.tree.find(folder);
        // What is new itself is walked with what it is new in, and what is closed is tried again with what it is in.
        let Some(index) = here.filter(|&index| self.tree.get(index).what == What::Folder) else {
            return Ok(());
        };
        self.notices.retain(|(path, _)| split(path).0 != folder);
        self.walk_into(folder, index);
        let mut absent: HashSet<usize> = self.tree.children(index).collect();
        let failed = |error: io::Error| Trouble::Side(format!("{}: {error}", self.folder.path.display()));
        let mut walk = Walk::under(&self.folder.root, folder).map_err(failed)?;
        while let Some(found) = walk.next() {
            match found {
                Found::Entry { path, stat } => {
                    let (above, name) = split(&path);
                    let known = self.tree.child(index, name).filter(|_| above == folder);
                    let look = look_of(&stat);
                    match known {
                        Some(known) if self.is_still(known, &stat, &look) => {
                            absent.remove(&known);
                            self.tree.looks(known, look);
                            walk.pass_over(&path);
                            continue;
                        }
                        Some(known) => {
                            absent.remove(&known);
                            self.tree.remove(known);
                        }
                        None => {}
                    }
                    if !self.entry(&path, &stat) {
                        walk.pass_over(&path);
                    }
                }
                Found::Problem { path, why } => {
                    let text = path.to_string_lossy();
                    let (above, name) = split(&text);
                    if let Some(known) = self.tree.child(index, name).filter(|_| above == folder) {
                        absent.remove(&known);
                        self.tree.remove(known);
                    }
                    self.problem(&path, &why)?;
                }
            }
        }
        for gone in absent {
            // A folder that was closed is without them by now.
            if self.tree.child(index, &self.tree.get(gone).name) == Some(gone) {
                self.tree.remove(gone);
            }
        }
        Ok(())
    }

    /// A folder whose contents are known: nothing was heard of them, or they are looked at for themselves. Where the file system
    /// does not tell when it was made, it may be another with the same number.
    fn is_still(&self, known: usize, stat: &Stat, look: &Look) -> bool {
        let entry = self.tree.get(known);
        let was_walked = matches!(entry.what, What::Folder | What::Ignored) && entry.look.is_same_file(look);
        was_walked && look.btime_ns != 0 && stat.kind == EntryKind::Folder
    }

    /// What is said of what is not there any more.
    fn forget_notices(&mut self) {
        let tree = &self.tree;
        self.notices.retain(|(path, _)| tree.find(split(path).0).is_some());
    }

    /// False for a folder that is not to be looked into.
    fn entry(&mut self, path: &str, stat: &Stat) -> bool {
        let (above, name) = split(path);
        let Some(parent) = self.folder(above).filter(|_| !is_own(path)) else { return false };
        let look = look_of(stat);
        let mut is_fresh = false;
        let what = match stat.kind {
            kind if self.tree.ignore().is_ignored(path, kind == EntryKind::Folder) => What::Ignored,
            EntryKind::Folder => What::Folder,
            EntryKind::File => match (self.known)(&look) {
                Some(hash) => What::File(Some(hash)),
                None => {
                    // Asked before it is read: what is written from here on has to show.
                    is_fresh = self.folder.settled(look).ctime_ns == 0;
                    self.content(path, &look)
                }
            },
            EntryKind::Link => self.other(path, "a symbolic link is left alone"),
            EntryKind::Other => self.other(path, "neither a file nor a folder; left alone"),
        };
        let index = self.tree.add(parent, name, what, look);
        if is_fresh {
            self.tree.mark_fresh(index);
        }
        if what == What::Folder {
            self.walk_into(path, index);
        }
        what == What::Folder || stat.kind != EntryKind::Folder
    }

    fn walk_into(&mut self, folder: &str, index: usize) {
        if self.last.0 == folder {
            self.last.1 = index;
        }
        self.folders.insert(folder.to_owned(), index);
    }

    /// The index of a folder that is walked into.
    fn folder(&mut self, path: &str) -> Option<usize> {
        if self.last.0 != path {
            let index = *self.folders.get(path)?;
            path.clone_into(&mut self.last.0);
            self.last.1 = index;
        }
        Some(self.last.1)
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
