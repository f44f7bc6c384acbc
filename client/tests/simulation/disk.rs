//! A device's disk in memory: inodes, names, times that may be nonsense.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_client::agent::Heard;
use holdfast_client::agent::trees::Look;
use holdfast_protocol::ContentHash;

use crate::server::hash_of;

/// What an inode is.
#[derive(Debug, Clone)]
pub enum Body {
    File(Vec<u8>),
    Folder(BTreeMap<String, u64>),
    /// Something that is not synced.
    Link,
}

/// An inode.
#[derive(Debug, Clone)]
pub struct Inode {
    pub body: Body,
    pub btime: i64,
    pub mtime: i64,
    pub ctime: i64,
}

/// The disk. The root is inode 1.
#[derive(Debug)]
pub struct SimDisk {
    pub inodes: BTreeMap<u64, Inode>,
    free: Vec<u64>,
    next: u64,
    /// Ticks; several acts may fall into one.
    pub now: i64,
    /// The file system tells when an inode was made.
    pub tells_birth: bool,
    /// It takes names for one that differ by case only.
    pub folds: bool,
    /// What a watch has noticed.
    pub heard: Heard,
    /// So many more times there is no room.
    pub full: usize,
    /// Every content that it ever held.
    pub held: BTreeSet<ContentHash>,
}

impl SimDisk {
    pub fn new() -> Self {
        let root = Inode { body: Body::Folder(BTreeMap::new()), btime: 1, mtime: 1, ctime: 1 };
        let inodes = BTreeMap::from([(1, root)]);
        Self {
            inodes,
            free: Vec::new(),
            next: 2,
            now: 1,
            tells_birth: true,
            folds: false,
            heard: Heard::default(),
            full: 0,
            held: BTreeSet::new(),
        }
    }

    fn names(&self, folder: u64) -> Option<&BTreeMap<String, u64>> {
        match self.inodes.get(&folder).map(|inode| &inode.body) {
            Some(Body::Folder(names)) => Some(names),
            _ => None,
        }
    }

    /// The name as it is stored.
    fn stored(&self, folder: u64, name: &str) -> Option<String> {
        let names = self.names(folder)?;
        if names.contains_key(name) {
            return Some(name.to_owned());
        }
        let key = holdfast_protocol::fold_key(name);
        self.folds
            .then(|| names.keys().find(|other| holdfast_protocol::fold_key(other) == key).cloned())
            .flatten()
    }

    fn child(&self, folder: u64, name: &str) -> Option<u64> {
        let stored = self.stored(folder, name)?;
        self.names(folder)?.get(&stored).copied()
    }

    pub fn find(&self, path: &str) -> Option<u64> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(1, |at, name| self.child(at, name))
    }

    fn above<'p>(&self, path: &'p str) -> Option<(u64, &'p str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.find(folder).filter(|&folder| self.names(folder).is_some()).map(|folder| (folder, name))
    }

    pub fn look(&self, ino: u64) -> Look {
        let inode = &self.inodes[&ino];
        let size = if let Body::File(bytes) = &inode.body { bytes.len() as u64 } else { 0 };
        let btime_ns = if self.tells_birth { inode.btime } else { 0 };
        Look { ino, btime_ns, size, mtime_ns: inode.mtime, ctime_ns: inode.ctime }
    }

    pub fn bytes(&self, ino: u64) -> Option<&Vec<u8>> {
        match self.inodes.get(&ino).map(|inode| &inode.body) {
            Some(Body::File(bytes)) => Some(bytes),
            _ => None,
        }
    }

    fn link(&mut self, folder: u64, name: &str, ino: u64) {
        let now = self.now;
        if let Some(inode) = self.inodes.get_mut(&folder)
            && let Body::Folder(names) = &mut inode.body
        {
            names.insert(name.to_owned(), ino);
            inode.mtime = now;
            inode.ctime = now;
        }
    }

    fn unlink(&mut self, folder: u64, name: &str) -> Option<u64> {
        let stored = self.stored(folder, name)?;
        match self.inodes.get_mut(&folder).map(|inode| &mut inode.body) {
            Some(Body::Folder(names)) => names.remove(&stored),
            _ => None,
        }
    }

    fn drop_inode(&mut self, ino: u64) {
        if let Some(Inode { body: Body::Folder(names), .. }) = self.inodes.remove(&ino) {
            names.into_values().for_each(|child| self.drop_inode(child));
        }
        // The number is given out again.
        self.free.push(ino);
    }

    /// Makes something where nothing is.
    pub fn make(&mut self, path: &str, body: Body, mtime: i64) -> Option<u64> {
        let (folder, name) = self.above(path)?;
        if self.child(folder, name).is_some() {
            return None;
        }
        let ino = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        if let Body::File(bytes) = &body {
            self.held.insert(hash_of(bytes));
        }
        let inode = Inode { body, btime: self.now, mtime, ctime: self.now };
        self.inodes.insert(ino, inode);
        self.heard.about(path);
        self.link(folder, name, ino);
        Some(ino)
    }

    /// Writes to a file that is there.
    pub fn write(&mut self, path: &str, bytes: Vec<u8>, mtime: i64) -> bool {
        let now = self.now;
        self.heard.about(path);
        let Some(inode) = self.find(path).and_then(|ino| self.inodes.get_mut(&ino)) else { return false };
        let Body::File(content) = &mut inode.body else { return false };
        self.held.insert(hash_of(&bytes));
        *content = bytes;
        inode.mtime = mtime;
        inode.ctime = now;
        true
    }

    /// Renames, over a file if `over`.
    pub fn rename(&mut self, from: &str, to: &str, over: bool) -> bool {
        let (Some((source, old)), Some((target, new))) = (self.above(from), self.above(to)) else {
            return false;
        };
        let Some(ino) = self.child(source, old) else { return false };
        if from == to || format!("{to}/").starts_with(&format!("{from}/")) || self.is_within(target, ino) {
            return false;
        }
        match self.child(target, new) {
            Some(there) if there != ino => {
                if !over || self.bytes(there).is_none() || self.bytes(ino).is_none() {
                    return false;
                }
                self.unlink(target, new);
                self.drop_inode(there);
            }
            _ => {}
        }
        self.heard.about(from);
        self.heard.about(to);
        self.unlink(source, old);
        self.link(target, new, ino);
        let now = self.now;
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.ctime = now;
        }
        true
    }

    fn is_within(&self, folder: u64, ino: u64) -> bool {
        folder == ino
            || self.names(ino).is_some_and(|names| names.values().any(|&child| self.is_within(folder, child)))
    }

    pub fn remove(&mut self, path: &str) -> bool {
        let Some((folder, name)) = self.above(path) else { return false };
        self.heard.about(path);
        match self.unlink(folder, name) {
            Some(ino) => {
                self.drop_inode(ino);
                true
            }
            None => false,
        }
    }

    /// What is directly in a folder.
    pub fn inside(&self, folder: u64) -> impl Iterator<Item = (&String, u64)> {
        self.names(folder).into_iter().flatten().map(|(name, ino)| (name, *ino))
    }

    /// All names, a folder before what is in it.
    pub fn paths(&self) -> Vec<(String, u64)> {
        let mut paths = Vec::new();
        let mut next = vec![(String::new(), 1)];
        while let Some((path, ino)) = next.pop() {
            for (name, &child) in self.names(ino).into_iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                paths.push((path.clone(), child));
                next.push((path, child));
            }
        }
        paths.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
        paths
    }
}
