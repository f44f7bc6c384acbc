//! Which entry of the folder stands for which node: by the file itself, by its name, by its content.
//!
//! A folder is the one with its inode, wherever it is; else the one with its name. (Where the file system does not tell when an
//! inode was made, its number alone says so only if nothing speaks against it.) A file is the one with its name, since
//! many programs save by making a new file and renaming it over the old; unless what has its name now is known to be another
//! that was moved there. Then it is the one with its inode, else one with its content, if that is not empty and unique both
//! among what vanished and among what is new.

use std::collections::BTreeMap;

use holdfast_protocol::{ContentHash, Kind};

use super::View;
use crate::agent::trees::{BaseRow, Look, NodeId, State, What};

/// What stands for what.
pub struct Matches {
    /// By node, the entry's index.
    pub local_of: BTreeMap<NodeId, usize>,
    /// By index, the node.
    pub node_of: Vec<Option<NodeId>>,
}

/// Inode and birth; `None` when a look cannot tell.
type Same = Option<(u64, i64)>;

struct Matching<'a> {
    view: &'a View<'a>,
    found: Matches,
    /// Entries by inode; those with several names are left out.
    by_file: BTreeMap<(u64, i64), Option<usize>>,
    /// Base rows by inode, likewise.
    known: BTreeMap<(u64, i64), Option<NodeId>>,
    /// What is in each folder of the base; where all times of birth are told, folders alone are needed.
    inside: BTreeMap<NodeId, Vec<&'a BaseRow>>,
}

/// Finds what stands for each row of the base.
pub fn find(view: &View<'_>) -> Matches {
    let mut node_of = vec![None; view.local.end()];
    node_of[0] = Some(view.settings.root);
    let local_of = BTreeMap::from([(view.settings.root, 0)]);
    let (mut by_file, mut known) = (BTreeMap::new(), BTreeMap::new());
    for (index, node) in view.local.iter().skip(1) {
        if let (Some(same), true) = (same(&node.look), !matches!(node.what, What::Other | What::Ignored)) {
            by_file.entry(same).and_modify(|one| *one = None).or_insert(Some(index));
        }
    }
    for row in view.base.iter() {
        if let Some(same) = row.look.as_ref().and_then(same) {
            known.entry(same).and_modify(|one| *one = None).or_insert(Some(row.id));
        }
    }
    let is_told = view.base.iter().all(|row| row.look.is_none_or(|look| look.btime_ns != 0));
    let mut inside: BTreeMap<NodeId, Vec<&BaseRow>> = BTreeMap::new();
    for row in view.base.iter().filter(|row| !is_told || row.kind == Kind::Folder) {
        inside.entry(row.parent).or_default().push(row);
    }
    let mut matching = Matching { view, found: Matches { local_of, node_of }, by_file, known, inside };
    let (folders, files): (Vec<_>, Vec<_>) = view.base.iter().partition(|row| row.kind == Kind::Folder);
    matching.folders_by_inode(&folders, Matching::with_inode);
    matching.folders_by_name();
    matching.folders_by_inode(&folders, Matching::with_number);
    matching.folders_by_name();
    matching.files(&files);
    matching.found
}

impl Matching<'_> {
    fn take(&mut self, id: NodeId, index: usize) {
        self.found.local_of.insert(id, index);
        self.found.node_of[index] = Some(id);
    }

    fn is_free(&self, index: usize) -> bool {
        self.found.node_of[index].is_none()
    }

    fn with_inode(&self, row: &BaseRow) -> Option<usize> {
        let look = row.look.as_ref()?;
        let same = same(look)?;
        // Of two rows with one inode at least one is of what is gone: made, deleted, and its number given out again, all within
        // one tick of the clock.
        let _alone = self.known.get(&same).copied().flatten()?;
        let index = self.by_file.get(&same).copied().flatten()?;
        let found = self.view.local.get(index);
        let is_kind = is_folder(found.what) == (row.kind == Kind::Folder);
        // Where the file system does not tell when an inode was made, its number alone may be another's by now.
        let is_told = look.btime_ns != 0
            || match row.kind {
                Kind::Folder => found.what == What::Closed || self.holds_some_of(row, index),
                Kind::File => (look.size, look.mtime_ns) == (found.look.size, found.look.mtime_ns),
            };
        (is_kind && is_told && self.is_free(index)).then_some(index)
    }

    /// Whether a folder has the row's name and place, or something in it that was in the row's folder.
    fn holds_some_of(&self, row: &BaseRow, index: usize) -> bool {
        let local = self.view.local;
        let children = self.inside.get(&row.id).into_iter().flatten();
        self.with_name(row) == Some(index)
            || children.into_iter().any(|child| local.child(index, &child.name).is_some())
    }

    /// What has the row's name in what stands for its folder.
    fn with_name(&self, row: &BaseRow) -> Option<usize> {
        let folder = *self.found.local_of.get(&row.parent)?;
        self.view.local.child(folder, &row.name)
    }

    /// A folder with the row's inode number, where no time of birth is told and nothing else says which it is: unless it
    /// stands where the server has another.
    fn with_number(&self, row: &BaseRow) -> Option<usize> {
        let look = row.look.as_ref().filter(|look| look.btime_ns == 0)?;
        let index = self.by_file.get(&same(look)?).copied().flatten()?;
        let found = self.view.local.get(index);
        let above = self.found.node_of[found.parent];
        let is_anothers = above.is_some_and(|above| {
            let mut there = self.view.remote.children(above);
            there.any(|node| node.state == State::Live && node.name == found.name && node.id != row.id)
        });
        (is_folder(found.what) && self.is_free(index) && !is_anothers).then_some(index)
    }

    fn folders_by_inode(&mut self, folders: &[&BaseRow], which: impl Fn(&Self, &BaseRow) -> Option<usize>) {
        for row in folders {
            if !self.found.local_of.contains_key(&row.id)
                && let Some(index) = which(self, row)
            {
                self.take(row.id, index);
            }
        }
    }

    fn folders_by_name(&mut self) {
        let mut above = vec![self.view.settings.root];
        while let Some(folder) = above.pop() {
            let rows = self.inside.get(&folder).cloned().unwrap_or_default();
            for row in rows.into_iter().filter(|row| row.kind == Kind::Folder) {
                if !self.found.local_of.contains_key(&row.id)
                    && let Some(index) = self.with_name(row)
                    && is_folder(self.view.local.get(index).what)
                    && self.is_free(index)
                {
                    self.take(row.id, index);
                }
                above.push(row.id);
            }
        }
    }

    fn files(&mut self, files: &[&BaseRow]) {
        for row in files {
            if let Some(index) = self.with_name(row)
                && (self.with_inode(row) == Some(index) || self.is_known_by_name(row, index))
            {
                self.take(row.id, index);
            }
        }
        for row in files {
            if self.found.local_of.contains_key(&row.id) {
                continue;
            }
            let taken = self.with_name(row).is_some_and(|there| !self.is_another_that_moved(there, row.id));
            if !taken && let Some(index) = self.with_inode(row) {
                self.take(row.id, index);
            }
        }
        for row in files {
            if !self.found.local_of.contains_key(&row.id)
                && let Some(index) = self.with_name(row)
                && matches!(self.view.local.get(index).what, What::File(_))
                && self.is_free(index)
            {
                self.take(row.id, index);
            }
        }
        self.by_content(files);
    }

    /// Whether what has the name of a row that is known by its name alone holds what the row holds: it was sent from there, and
    /// the answer was lost. Whatever else its inode was once, it is this now.
    fn is_known_by_name(&self, row: &BaseRow, index: usize) -> bool {
        let is_it = row.look.is_none() && self.view.local.get(index).what == What::File(row.hash);
        is_it && row.hash.is_some() && self.is_free(index)
    }

    /// Whether what stands there cannot be a new edition of a row's file: it is no file, or one that another row knows.
    fn is_another_that_moved(&self, index: usize, id: NodeId) -> bool {
        let node = self.view.local.get(index);
        let known = same(&node.look).and_then(|same| self.known.get(&same).copied().flatten());
        !matches!(node.what, What::File(_)) || known.is_some_and(|other| other != id)
    }

    fn by_content(&mut self, files: &[&BaseRow]) {
        let mut vanished: BTreeMap<ContentHash, Option<NodeId>> = BTreeMap::new();
        for row in files.iter().filter(|row| !self.found.local_of.contains_key(&row.id)) {
            if let Some(hash) = row.hash.filter(|hash| *hash != ContentHash::EMPTY) {
                vanished.entry(hash).and_modify(|one| *one = None).or_insert(Some(row.id));
            }
        }
        let mut new: BTreeMap<ContentHash, Option<usize>> = BTreeMap::new();
        for (index, node) in self.view.local.iter() {
            if let What::File(Some(hash)) = node.what
                && self.is_free(index)
            {
                new.entry(hash).and_modify(|one| *one = None).or_insert(Some(index));
            }
        }
        for (hash, id) in vanished {
            if let (Some(id), Some(Some(index))) = (id, new.get(&hash)) {
                self.take(id, *index);
            }
        }
    }
}

fn is_folder(what: What) -> bool {
    matches!(what, What::Folder | What::Closed)
}

fn same(look: &Look) -> Same {
    (look.ino != 0).then_some((look.ino, look.btime_ns))
}
