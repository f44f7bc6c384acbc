//! A server in memory with the rules of the real one: nodes with one sequence, a feed that is state, conditional acts.
//! [`Twin`](super::Twin) shows that it is a good likeness.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use holdfast_client::agent::trees::{NodeId, RemoteNode, RemoteTree, State};
use holdfast_client::agent::{Feed, Trouble};
use holdfast_protocol::{ContentHash, Kind};

use super::{Became, Deed, Expect, Server, hash_of};

fn refused<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::Changed(why.to_owned()))
}

/// A content that a file has had.
#[derive(Debug, Clone, Copy)]
struct Version {
    hash: ContentHash,
    mtime_ns: i64,
}

/// The server.
#[derive(Debug, Default)]
pub struct Memory {
    nodes: BTreeMap<NodeId, RemoteNode>,
    /// What is in a folder and not dead itself, by name.
    names: BTreeMap<NodeId, BTreeMap<String, NodeId>>,
    /// Every node by the sequence of its latest change.
    order: BTreeMap<i64, NodeId>,
    /// The oldest first.
    versions: BTreeMap<NodeId, Vec<Version>>,
    contents: BTreeMap<ContentHash, Rc<[u8]>>,
    seq: i64,
    made: u128,
    /// Tokens of earlier ones are not known any more.
    epoch: i64,
}

impl Memory {
    fn next(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    /// Sequence of the last change.
    pub fn head(&self) -> i64 {
        self.seq
    }

    /// Whether a content is in the history of a file, dead or alive.
    pub fn keeps(&self, hash: &ContentHash) -> bool {
        self.contents.contains_key(hash)
    }

    /// The bytes of a content that some file has or had.
    pub fn content(&self, hash: &ContentHash) -> Option<&Rc<[u8]>> {
        self.contents.get(hash)
    }

    /// All contents that some file has or had.
    pub fn contents(&self) -> impl Iterator<Item = &ContentHash> {
        self.contents.keys()
    }

    /// Whether a token is of the present epoch.
    pub fn is_of_now(&self, token: &str) -> bool {
        token.split_once(' ').is_some_and(|(epoch, _)| epoch.parse() == Ok(self.epoch))
    }

    fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.names.get(&parent)?.get(name).copied()
    }

    fn children(&self, parent: NodeId) -> impl Iterator<Item = NodeId> {
        self.names.get(&parent).into_iter().flat_map(BTreeMap::values).copied()
    }

    pub fn find(&self, path: &str) -> Option<NodeId> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(RemoteTree::ROOT, |at, name| self.child(at, name))
    }

    pub fn get(&self, id: NodeId) -> Option<&RemoteNode> {
        self.nodes.get(&id)
    }

    fn kind(&self, id: NodeId) -> Kind {
        self.nodes.get(&id).map_or(Kind::Folder, |node| node.kind)
    }

    fn folder_above<'p>(&self, path: &'p str) -> Result<(NodeId, &'p str), Trouble> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.find(folder) {
            Some(id) if self.kind(id) == Kind::Folder => Ok((id, name)),
            _ => refused("no such folder"),
        }
    }

    fn has_files(&self, id: NodeId) -> bool {
        self.children(id).any(|child| self.kind(child) == Kind::File || self.has_files(child))
    }

    /// All that is live, by path; `None` for a folder.
    pub fn tree(&self) -> BTreeMap<String, Option<ContentHash>> {
        let mut tree = BTreeMap::new();
        let mut next = vec![(RemoteTree::ROOT, String::new())];
        while let Some((folder, path)) = next.pop() {
            for child in self.children(folder) {
                let node = &self.nodes[&child];
                let path = if path.is_empty() { node.name.clone() } else { format!("{path}/{}", node.name) };
                tree.insert(path.clone(), node.hash);
                if node.kind == Kind::Folder {
                    next.push((child, path));
                }
            }
        }
        tree
    }

    /// Every file that nobody is to leave alone, dead or alive.
    pub fn files(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.values().filter(|node| node.kind == Kind::File).map(|node| node.id)
    }

    /// What is dead itself, the newest first.
    pub fn trash(&self) -> Vec<NodeId> {
        let dead = |id: &&NodeId| self.nodes[*id].state == State::Dead;
        self.order.values().rev().filter(dead).copied().collect()
    }

    /// Nodes after a sequence, and whether there are more.
    pub fn after(&self, seq: i64, limit: usize, with_dead: bool) -> (Vec<RemoteNode>, bool) {
        let mut rows = Vec::new();
        for (_, id) in self.order.range(seq + 1..) {
            let node = &self.nodes[id];
            if node.state == State::Dead && !with_dead {
                continue;
            }
            if rows.len() == limit {
                return (rows, true);
            }
            rows.push(node.clone());
        }
        (rows, false)
    }

    /// Whether this has become of a node.
    fn set(&mut self, node: RemoteNode) {
        if let Some(was) = self.nodes.get(&node.id) {
            self.order.remove(&was.seq);
            let (parent, name) = (was.parent.unwrap_or(RemoteTree::ROOT), was.name.clone());
            if was.state != State::Dead
                && let Some(names) = self.names.get_mut(&parent)
            {
                names.remove(&name);
            }
        }
        self.order.insert(node.seq, node.id);
        if node.state != State::Dead {
            let parent = node.parent.unwrap_or(RemoteTree::ROOT);
            self.names.entry(parent).or_default().insert(node.name.clone(), node.id);
        }
        self.nodes.insert(node.id, node);
    }

    fn put(&mut self, path: &str, bytes: &Rc<[u8]>, mtime_ns: i64, expect: Expect) -> Became {
        let hash = hash_of(bytes);
        let there = self.find(path);
        let current = there.and_then(|id| self.nodes.get(&id)?.hash);
        if let Some(node) = there.and_then(|id| self.nodes.get(&id))
            && current == Some(hash)
            && (node.mtime_ns == mtime_ns || !expect.holds(current))
        {
            return Ok(Some(node.id));
        }
        if !expect.holds(current) {
            return refused("another content is there");
        }
        let (folder, name) = self.folder_above(path)?;
        if let Some(id) = there
            && self.kind(id) == Kind::Folder
        {
            if self.has_files(id) {
                return refused("a folder is in the way");
            }
            self.kill(id);
        }
        self.contents.insert(hash, Rc::clone(bytes));
        Ok(Some(self.fill(folder, name, Version { hash, mtime_ns })))
    }

    /// Makes a content the current one of the file in a folder that has a name.
    fn fill(&mut self, folder: NodeId, name: &str, version: Version) -> NodeId {
        let id = self.child(folder, name).unwrap_or_else(|| self.file_to_fill(folder, name));
        let seq = self.next();
        self.versions.entry(id).or_default().push(version);
        let size = self.contents.get(&version.hash).map_or(0, |bytes| bytes.len() as u64);
        self.set(RemoteNode {
            id,
            parent: Some(folder),
            name: name.to_owned(),
            kind: Kind::File,
            state: State::Live,
            hash: Some(version.hash),
            size,
            mtime_ns: version.mtime_ns,
            seq,
        });
        id
    }

    /// The file that died there last lives again; else a new one.
    fn file_to_fill(&mut self, folder: NodeId, name: &str) -> NodeId {
        let died = |node: &&RemoteNode| {
            node.state == State::Dead
                && node.kind == Kind::File
                && node.parent == Some(folder)
                && node.name == name
        };
        let dead = self.order.values().rev().map(|id| &self.nodes[id]).find(died).map(|node| node.id);
        dead.unwrap_or_else(|| self.new_id())
    }

    fn new_id(&mut self) -> NodeId {
        self.made += 1;
        // Neither in the order in which they are made.
        NodeId::from_u128(self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    fn make_folder(&mut self, path: &str) -> Became {
        let (folder, name) = self.folder_above(path)?;
        match self.child(folder, name) {
            Some(id) if self.kind(id) == Kind::Folder => Ok(Some(id)),
            Some(_) => refused("a file is in the way"),
            None => Ok(Some(self.folder_in(folder, name))),
        }
    }

    fn folder_in(&mut self, folder: NodeId, name: &str) -> NodeId {
        let (id, seq) = (self.new_id(), self.next());
        self.set(RemoteNode {
            id,
            parent: Some(folder),
            name: name.to_owned(),
            kind: Kind::Folder,
            state: State::Live,
            hash: None,
            size: 0,
            mtime_ns: 0,
            seq,
        });
        id
    }

    fn rename(&mut self, from: &str, to: &str, expect: Option<ContentHash>) -> Became {
        let Some(id) = self.find(from) else { return refused("nothing is there") };
        let node = self.nodes[&id].clone();
        if expect.is_some() && node.hash != expect {
            return refused("another content is there");
        }
        if to == from || to.starts_with(&format!("{from}/")) {
            return refused("into itself");
        }
        if let Some(there) = self.find(to) {
            let is_empty_folder = self.kind(there) == Kind::Folder && !self.has_files(there);
            if !is_empty_folder || from.starts_with(&format!("{to}/")) {
                return refused("something is there");
            }
            self.kill(there);
        }
        let (folder, name) = self.folder_above(to)?;
        let (parent, name, seq) = (Some(folder), name.to_owned(), self.next());
        self.set(RemoteNode { parent, name, seq, ..node });
        Ok(Some(id))
    }

    fn kill(&mut self, id: NodeId) {
        let seq = self.next();
        if let Some(node) = self.nodes.get(&id).cloned() {
            self.set(RemoteNode { state: State::Dead, seq, ..node });
        }
    }

    /// With all that is in it: what is in it keeps its own state.
    fn delete(&mut self, path: &str, expect: Option<ContentHash>, only_empty: bool) -> Became {
        let Some(id) = self.find(path) else { return refused("nothing is there") };
        if expect.is_some() && self.nodes[&id].hash != expect {
            return refused("another content is there");
        }
        let is_other = self.kind(id) == Kind::File && expect.is_none();
        if only_empty && (is_other || self.children(id).next().is_some()) {
            return refused("no folder, or something is in it");
        }
        self.kill(id);
        Ok(None)
    }

    /// Where a node is, or was when it was deleted.
    fn path_of(&self, id: NodeId) -> Option<String> {
        let mut names = Vec::new();
        let mut next = id;
        while next != RemoteTree::ROOT {
            let node = self.nodes.get(&next)?;
            names.push(node.name.as_str());
            if names.len() > self.nodes.len() {
                return None;
            }
            next = node.parent?;
        }
        names.reverse();
        Some(names.join("/"))
    }

    /// Whether a node and all above it live.
    fn is_live(&self, id: NodeId) -> bool {
        id == RemoteTree::ROOT
            || self.nodes.get(&id).is_some_and(|node| {
                node.state != State::Dead && node.parent.is_some_and(|parent| self.is_live(parent))
            })
    }

    /// The folder at a path, made with what is missing above it.
    fn folder_at(&mut self, path: &str) -> Result<NodeId, Trouble> {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let mut here = RemoteTree::ROOT;
        let mut missing = names.as_slice();
        while let Some((name, rest)) = missing.split_first() {
            let Some(next) = self.child(here, name) else { break };
            if self.kind(next) != Kind::Folder {
                return refused("a file is in the way");
            }
            (here, missing) = (next, rest);
        }
        for name in missing {
            here = self.folder_in(here, name);
        }
        Ok(here)
    }

    /// Brings something back to where it was: a folder itself, of a file its last content.
    fn restore(&mut self, id: NodeId) -> Became {
        let Some(node) = self.nodes.get(&id).cloned() else { return refused("nothing has this id") };
        if self.is_live(id) || (node.kind == Kind::Folder && node.state != State::Dead) {
            return refused("it is not deleted");
        }
        let Some(path) = self.path_of(id) else { return refused("it is nowhere") };
        if self.find(&path).is_some() {
            return refused("something is there");
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let parent = self.folder_at(folder)?;
        if node.kind == Kind::File {
            let Some(&last) = self.versions.get(&id).and_then(|versions| versions.last()) else {
                return refused("it never had a content");
            };
            return Ok(Some(self.fill(parent, name, last)));
        }
        let seq = self.next();
        self.set(RemoteNode { state: State::Live, parent: Some(parent), seq, ..node });
        Ok(Some(id))
    }

    /// Makes an earlier content of a file the current one, where it is, or was.
    fn go_back(&mut self, id: NodeId, back: usize) -> Became {
        let versions = self.versions.get(&id).map(Vec::as_slice).unwrap_or_default();
        let Some(&version) = versions.len().checked_sub(back + 1).and_then(|at| versions.get(at)) else {
            return refused("there is no such version");
        };
        let Some(path) = self.path_of(id) else { return refused("it is nowhere") };
        if let Some(there) = self.find(&path) {
            if self.kind(there) == Kind::Folder || !self.is_live(id) {
                return refused("something is there");
            }
            if self.nodes[&there].hash == Some(version.hash) {
                return Ok(Some(there));
            }
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let parent = self.folder_at(folder)?;
        Ok(Some(self.fill(parent, name, version)))
    }

    /// Does one thing.
    pub fn act(&mut self, deed: &Deed) -> Became {
        match deed {
            Deed::Put { path, bytes, mtime_ns, expect } => self.put(path, bytes, *mtime_ns, *expect),
            Deed::MakeFolder(path) => self.make_folder(path),
            Deed::Rename { from, to, expect } => self.rename(from, to, *expect),
            Deed::Delete { path, expect, only_empty } => self.delete(path, *expect, *only_empty),
            Deed::Restore(id) => self.restore(*id),
            Deed::GoBack(id, back) => self.go_back(*id, *back),
        }
    }

    /// Nodes whose folders lead nowhere, or round in a circle.
    fn orphans(&self) -> Vec<NodeId> {
        self.nodes.keys().filter(|id| self.path_of(**id).is_none()).copied().collect()
    }
}

impl Server for Memory {
    fn acts(&mut self, deeds: &[Deed]) -> Vec<Became> {
        deeds.iter().map(|deed| self.act(deed)).collect()
    }

    fn dies(&mut self, _: &[Deed]) {}

    /// Without a token, or with one that is not known any more, it begins from nothing.
    fn feed(&mut self, since: Option<&str>, limit: usize) -> Feed {
        let asked = since.and_then(|token| token.split_once(' '));
        let asked =
            asked.and_then(|(epoch, seq)| Some((epoch.parse::<i64>().ok()?, seq.parse::<i64>().ok()?)));
        let known = asked.filter(|(epoch, _)| *epoch == self.epoch).map(|(_, seq)| seq);
        let reset = since.is_some() && known.is_none();
        let (changes, more) = self.after(known.unwrap_or(0), limit, known.is_some());
        let seq = changes.last().filter(|_| more).map_or(self.seq, |node| node.seq);
        Feed { changes, token: format!("{} {seq}", self.epoch), more, reset }
    }

    fn history(&mut self, id: NodeId) -> Vec<ContentHash> {
        self.versions.get(&id).into_iter().flatten().rev().map(|version| version.hash).collect()
    }

    fn look(&mut self, path: &str) -> Option<(NodeId, ContentHash)> {
        let node = self.nodes.get(&self.find(path)?)?;
        Some((node.id, node.hash?))
    }

    fn forget(&mut self) {
        self.epoch += 1;
    }

    fn memory(&self) -> &Memory {
        self
    }

    fn fault(&mut self) -> Option<String> {
        None
    }

    fn check(&mut self) -> Result<(), String> {
        let kept: BTreeSet<&ContentHash> =
            self.versions.values().flatten().map(|version| &version.hash).collect();
        if let Some(lost) = self.contents.keys().find(|hash| !kept.contains(hash)) {
            return Err(format!("{lost} is in no file's history"));
        }
        match self.orphans().first() {
            Some(id) => Err(format!("{id} is in no folder, or in itself")),
            None => Ok(()),
        }
    }
}
