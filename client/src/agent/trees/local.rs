//! The device's folder, as it was walked.

use std::collections::HashSet;

use holdfast_protocol::ContentHash;

use super::Look;
use crate::agent::ignore::Ignore;

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A file, and its content; `None` while it is being written or cannot be read.
    File(Option<ContentHash>),
    /// A folder that was listed.
    Folder,
    /// A folder that could not be listed: what is in it is unknown, not absent.
    Closed,
    /// A link, a socket, a device, another file system: it has the name, and is left alone.
    Other,
    /// Somebody said that it is not to be synced: likewise, and what is in it was not looked at.
    Ignored,
}

/// One entry of the folder.
#[derive(Debug, Clone)]
pub struct LocalNode {
    /// Index of the folder it is in; the root is its own.
    pub parent: usize,
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: What,
    /// How it looks.
    pub look: Look,
}

/// The folder. Index 0 is its root; a folder comes before what is in it. An entry keeps its index until it is removed, and no
/// other gets it.
#[derive(Debug, Clone)]
pub struct LocalTree {
    nodes: Vec<LocalNode>,
    /// By name.
    children: Vec<Vec<usize>>,
    gone: usize,
    ignore: Ignore,
    /// Files that were read so soon after they were written that a change since might not show in how they look.
    fresh: HashSet<usize>,
}

/// Whose folder an entry is in that was removed.
const NOWHERE: usize = usize::MAX;

impl LocalTree {
    /// With nothing but a root, and nothing ignored.
    pub fn new(look: Look) -> Self {
        Self::ignoring(look, Ignore::default())
    }

    /// With nothing but a root, and the rules by which it is walked.
    pub fn ignoring(look: Look, ignore: Ignore) -> Self {
        let root = LocalNode { parent: 0, name: String::new(), what: What::Folder, look };
        Self { nodes: vec![root], children: vec![Vec::new()], gone: 0, ignore, fresh: HashSet::new() }
    }

    /// The rules by which it was walked.
    pub fn ignore(&self) -> &Ignore {
        &self.ignore
    }

    /// Adds an entry to a folder and returns its index; one of that name is replaced, with all that was in it.
    pub fn add(&mut self, parent: usize, name: &str, what: What, look: Look) -> usize {
        let index = self.nodes.len();
        match self.position(parent, name) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.children[parent][at], index);
                self.bury(old);
            }
            Err(at) => self.children[parent].insert(at, index),
        }
        self.nodes.push(LocalNode { parent, name: name.to_owned(), what, look });
        self.children.push(Vec::new());
        index
    }

    /// Where a name is, or would be, among those of a folder.
    fn position(&self, parent: usize, name: &str) -> Result<usize, usize> {
        let names = &self.children[parent];
        // A walk finds them in order.
        match names.last() {
            Some(&last) if self.nodes[last].name.as_str() < name => Err(names.len()),
            _ => names.binary_search_by(|&child| self.nodes[child].name.as_str().cmp(name)),
        }
    }

    /// Removes an entry, with all that is in it.
    pub fn remove(&mut self, index: usize) {
        let LocalNode { parent, name, .. } = &self.nodes[index];
        if let Ok(at) = self.position(*parent, name) {
            self.children[*parent].remove(at);
        }
        self.bury(index);
    }

    fn bury(&mut self, index: usize) {
        let mut next = vec![index];
        while let Some(index) = next.pop() {
            next.append(&mut self.children[index]);
            self.nodes[index].parent = NOWHERE;
            self.nodes[index].name = String::new();
            self.fresh.remove(&index);
            self.gone += 1;
        }
    }

    /// An entry.
    pub fn get(&self, index: usize) -> &LocalNode {
        &self.nodes[index]
    }

    /// What has a name in a folder.
    pub fn child(&self, folder: usize, name: &str) -> Option<usize> {
        self.position(folder, name).ok().map(|at| self.children[folder][at])
    }

    /// What is in a folder, by name.
    pub fn children(&self, folder: usize) -> impl Iterator<Item = usize> {
        self.children[folder].iter().copied()
    }

    /// An entry's path from the root.
    pub fn path(&self, mut index: usize) -> String {
        let mut names = Vec::new();
        while index != 0 {
            let node = &self.nodes[index];
            names.push(node.name.as_str());
            index = node.parent;
        }
        names.reverse();
        names.join("/")
    }

    /// All indexes are below this.
    pub fn end(&self) -> usize {
        self.nodes.len()
    }

    /// Whether so much was removed that it is better walked anew.
    pub fn is_worn(&self) -> bool {
        self.gone > self.len() + 1_000
    }

    /// How many entries there are, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len() - self.gone
    }

    /// Whether nothing is in the root.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// All entries with their index, the root first, a folder before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &LocalNode)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.parent != NOWHERE)
    }

    /// Notes that a file was read so soon after it was written that a change since might not show in how it looks.
    pub fn mark_fresh(&mut self, index: usize) {
        self.fresh.insert(index);
    }

    /// Whether that was noted of it.
    pub fn is_fresh(&self, index: usize) -> bool {
        self.fresh.contains(&index)
    }

    /// Notes how an entry looks by now.
    pub fn looks(&mut self, index: usize, look: Look) {
        self.nodes[index].look = look;
    }

    /// Notes that what is in a folder could not be seen.
    pub fn close(&mut self, index: usize) {
        for child in std::mem::take(&mut self.children[index]) {
            self.bury(child);
        }
        self.nodes[index].what = What::Closed;
    }

    /// The index of a path relative to the root.
    pub fn find(&self, path: &str) -> Option<usize> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(0, |at, name| self.child(at, name))
    }
}
