//! The device's folder, as it was walked.

use std::collections::BTreeMap;

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

/// The folder. Index 0 is its root; a folder comes before what is in it.
#[derive(Debug, Clone)]
pub struct LocalTree {
    nodes: Vec<LocalNode>,
    children: Vec<BTreeMap<String, usize>>,
    ignore: Ignore,
}

impl LocalTree {
    /// With nothing but a root, and nothing ignored.
    pub fn new(look: Look) -> Self {
        Self::ignoring(look, Ignore::default())
    }

    /// With nothing but a root, and the rules by which it is walked.
    pub fn ignoring(look: Look, ignore: Ignore) -> Self {
        let root = LocalNode { parent: 0, name: String::new(), what: What::Folder, look };
        Self { nodes: vec![root], children: vec![BTreeMap::new()], ignore }
    }

    /// The rules by which it was walked.
    pub fn ignore(&self) -> &Ignore {
        &self.ignore
    }

    /// Adds an entry to a folder and returns its index; one of that name is replaced.
    pub fn add(&mut self, parent: usize, name: &str, what: What, look: Look) -> usize {
        let index = self.nodes.len();
        self.nodes.push(LocalNode { parent, name: name.to_owned(), what, look });
        self.children.push(BTreeMap::new());
        self.children[parent].insert(name.to_owned(), index);
        index
    }

    /// An entry.
    pub fn get(&self, index: usize) -> &LocalNode {
        &self.nodes[index]
    }

    /// What is in a folder, by name.
    pub fn children(&self, index: usize) -> &BTreeMap<String, usize> {
        &self.children[index]
    }

    /// How many entries there are, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is in the root.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// All entries with their index, the root first, a folder before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &LocalNode)> {
        self.nodes.iter().enumerate()
    }

    /// Notes that what is in a folder could not be seen.
    pub fn close(&mut self, index: usize) {
        self.nodes[index].what = What::Closed;
    }

    /// The index of a path relative to the root.
    pub fn find(&self, path: &str) -> Option<usize> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .try_fold(0, |at, name| self.children[at].get(name).copied())
    }
}
