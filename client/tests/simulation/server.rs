//! A server in memory with the rules of the real one: nodes with one sequence, a feed that is state, conditional acts.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_client::agent::trees::{NodeId, RemoteNode, RemoteTree, State};
use holdfast_client::agent::{Feed, Trouble};
use holdfast_disk::Hasher;
use holdfast_protocol::{ContentHash, Kind};

/// The hash of bytes.
pub fn hash_of(bytes: &[u8]) -> ContentHash {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn refused<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::Changed(why.to_owned()))
}

/// The server.
#[derive(Debug, Default)]
pub struct Server {
    nodes: BTreeMap<NodeId, RemoteNode>,
    versions: BTreeMap<NodeId, BTreeSet<ContentHash>>,
    contents: BTreeMap<ContentHash, Vec<u8>>,
    seq: i64,
    made: u128,
    /// Tokens of earlier ones are not known any more.
    epoch: i64,
}

impl Server {
    fn next(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    /// Forgets what tokens meant.
    pub fn prune(&mut self) {
        self.epoch += 1;
    }

    pub fn keeps(&self, hash: &ContentHash) -> bool {
        self.contents.contains_key(hash)
    }

    pub fn content(&self, hash: &ContentHash) -> Option<&Vec<u8>> {
        self.contents.get(hash)
    }

    pub fn history(&self, id: NodeId) -> Vec<ContentHash> {
        self.versions.get(&id).into_iter().flatten().copied().collect()
    }

    fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        let live = |node: &&RemoteNode| {
            node.state != State::Dead && node.parent == Some(parent) && node.name == name
        };
        self.nodes.values().find(live).map(|node| node.id)
    }

    fn children(&self, parent: NodeId) -> Vec<NodeId> {
        let live = |node: &&RemoteNode| node.state != State::Dead && node.parent == Some(parent);
        self.nodes.values().filter(live).map(|node| node.id).collect()
    }

    pub fn find(&self, path: &str) -> Option<NodeId> {
        path.split('/').try_fold(RemoteTree::ROOT, |at, name| self.child(at, name))
    }

    pub fn get(&self, id: NodeId) -> Option<&RemoteNode> {
        self.nodes.get(&id)
    }

    fn folder_above<'p>(&self, path: &'p str) -> Result<(NodeId, &'p str), Trouble> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if folder.is_empty() { Some(RemoteTree::ROOT) } else { self.find(folder) };
        match parent {
            Some(id) if self.nodes.get(&id).is_none_or(|node| node.kind == Kind::Folder) => Ok((id, name)),
            _ => refused("no such folder"),
        }
    }

    fn has_files(&self, id: NodeId) -> bool {
        self.children(id)
            .into_iter()
            .any(|child| self.nodes[&child].kind == Kind::File || self.has_files(child))
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

    /// A page of the feed. Without a token, or with one that is not known any more, it begins from nothing.
    pub fn feed(&self, since: Option<&str>, limit: usize) -> Feed {
        let asked = since.and_then(|token| token.split_once(' '));
        let asked =
            asked.and_then(|(epoch, seq)| Some((epoch.parse::<i64>().ok()?, seq.parse::<i64>().ok()?)));
        let known = asked.filter(|(epoch, _)| *epoch == self.epoch).map(|(_, seq)| seq);
        let reset = since.is_some() && known.is_none();
        let seq = known.unwrap_or(0);
        let mut rows: Vec<&RemoteNode> = self.nodes.values().filter(|node| node.seq > seq).collect();
        rows.retain(|node| node.state != State::Dead || known.is_some());
        rows.sort_by_key(|node| node.seq);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let seq = if more { rows.last().map_or(seq, |node| node.seq) } else { self.seq };
        let token = format!("{} {seq}", self.epoch);
        Feed { changes: rows.into_iter().cloned().collect(), token, more, reset }
    }

    pub fn put(
        &mut self,
        path: &str,
        bytes: &[u8],
        mtime_ns: i64,
        expect: Option<Option<ContentHash>>,
    ) -> Result<NodeId, Trouble> {
        let (folder, name) = self.folder_above(path)?;
        let hash = hash_of(bytes);
        let there = self.child(folder, name);
        let current = there.and_then(|id| self.nodes[&id].hash);
        if let Some(id) = there
            && current == Some(hash)
        {
            return Ok(id);
        }
        if expect.is_some_and(|expect| expect != current) {
            return refused("another content is there");
        }
        if let Some(id) = there
            && self.nodes[&id].kind == Kind::Folder
        {
            if self.has_files(id) {
                return refused("a folder is in the way");
            }
            self.kill(id);
        }
        let id = self.child(folder, name).unwrap_or_else(|| self.file_to_fill(folder, name));
        let seq = self.next();
        self.contents.insert(hash, bytes.to_vec());
        self.versions.entry(id).or_default().insert(hash);
        let size = bytes.len() as u64;
        self.nodes.insert(
            id,
            RemoteNode {
                id,
                parent: Some(folder),
                name: name.to_owned(),
                kind: Kind::File,
                state: State::Live,
                hash: Some(hash),
                size,
                mtime_ns,
                seq,
            },
        );
        Ok(id)
    }

    /// The node that died there last lives again; else a new one.
    fn file_to_fill(&mut self, folder: NodeId, name: &str) -> NodeId {
        let died = |node: &&RemoteNode| {
            node.state == State::Dead
                && node.kind == Kind::File
                && node.parent == Some(folder)
                && node.name == name
        };
        let dead = self.nodes.values().filter(died).max_by_key(|node| node.seq).map(|node| node.id);
        dead.unwrap_or_else(|| self.new_id())
    }

    fn new_id(&mut self) -> NodeId {
        self.made += 1;
        // Neither in the order in which they are made.
        NodeId::from_u128(self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    pub fn make_folder(&mut self, path: &str) -> Result<NodeId, Trouble> {
        let (folder, name) = self.folder_above(path)?;
        if let Some(id) = self.child(folder, name) {
            return if self.nodes[&id].kind == Kind::Folder {
                Ok(id)
            } else {
                refused("a file is in the way")
            };
        }
        let (id, seq) = (self.new_id(), self.next());
        let node = RemoteNode {
            id,
            parent: Some(folder),
            name: name.to_owned(),
            kind: Kind::Folder,
            state: State::Live,
            hash: None,
            size: 0,
            mtime_ns: 0,
            seq,
        };
        self.nodes.insert(id, node);
        Ok(id)
    }

    pub fn rename(&mut self, from: &str, to: &str, expect: Option<ContentHash>) -> Result<(), Trouble> {
        let Some(id) = self.find(from) else { return refused("nothing is there") };
        if expect.is_some() && self.nodes[&id].hash != expect {
            return refused("another content is there");
        }
        if to == from || to.starts_with(&format!("{from}/")) {
            return refused("into itself");
        }
        if let Some(there) = self.find(to) {
            let is_empty_folder = self.nodes[&there].kind == Kind::Folder && !self.has_files(there);
            if !is_empty_folder || from.starts_with(&format!("{to}/")) {
                return refused("something is there");
            }
            self.kill(there);
        }
        let (folder, name) = self.folder_above(to)?;
        let seq = self.next();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.parent = Some(folder);
            node.name = name.to_owned();
            node.seq = seq;
        }
        Ok(())
    }

    fn kill(&mut self, id: NodeId) {
        let seq = self.next();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.state = State::Dead;
            node.seq = seq;
        }
    }

    /// With all that is in it: what is in it keeps its own state.
    pub fn delete(&mut self, path: &str, expect: Option<ContentHash>) -> Result<(), Trouble> {
        let Some(id) = self.find(path) else { return refused("nothing is there") };
        if expect.is_some() && self.nodes[&id].hash != expect {
            return refused("another content is there");
        }
        self.kill(id);
        Ok(())
    }

    pub fn delete_empty_folder(&mut self, path: &str) -> Result<(), Trouble> {
        let Some(id) = self.find(path) else { return refused("nothing is there") };
        if self.nodes[&id].kind != Kind::Folder || !self.children(id).is_empty() {
            return refused("something is in it");
        }
        self.kill(id);
        Ok(())
    }

    /// What is dead itself, in folders that are not.
    pub fn trash(&self) -> Vec<NodeId> {
        self.nodes.values().filter(|node| node.state == State::Dead).map(|node| node.id).collect()
    }

    /// Brings something back to where it was.
    pub fn restore(&mut self, id: NodeId) -> Result<(), Trouble> {
        let Some(node) = self.nodes.get(&id).cloned() else { return refused("nothing has this id") };
        let Some(parent) = node.parent.filter(|parent| *parent == RemoteTree::ROOT || self.is_live(*parent))
        else {
            return refused("its folder is gone");
        };
        if node.state != State::Dead || self.child(parent, &node.name).is_some() {
            return refused("something is there");
        }
        let seq = self.next();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.state = State::Live;
            node.seq = seq;
        }
        Ok(())
    }

    fn is_live(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| {
            node.state != State::Dead
                && node.parent.is_some_and(|parent| parent == RemoteTree::ROOT || self.is_live(parent))
        })
    }
}
