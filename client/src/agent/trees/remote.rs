//! The server's tree, as its feed told it.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::{ContentHash, Kind};

use super::NodeId;

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is, if all above it are.
    Live,
    /// It was deleted.
    Dead,
    /// The server's disk lost it: neither there nor deleted (P8).
    Missing,
}

/// One node as the feed tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteNode {
    /// Its id; stays when it is renamed or moved.
    pub id: NodeId,
    /// The folder it is in, [`RemoteTree::ROOT`] for what is in the drive's root; `None` for that root alone.
    pub parent: Option<NodeId>,
    /// Its name.
    pub name: String,
    /// File or folder.
    pub kind: Kind,
    /// Its own state.
    pub state: State,
    /// A file's content.
    pub hash: Option<ContentHash>,
    /// Bytes.
    pub size: u64,
    /// When it was last written, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The drive's sequence of its latest change.
    pub seq: i64,
}

/// The server's nodes. Those of deleted folders stay: when the folder comes back, the feed tells of the folder alone.
///
/// The drive's root, of which the feed does not speak, is [`RemoteTree::ROOT`].
#[derive(Debug, Clone)]
pub struct RemoteTree {
    nodes: BTreeMap<NodeId, RemoteNode>,
    children: BTreeMap<NodeId, BTreeSet<NodeId>>,
}

impl Default for RemoteTree {
    fn default() -> Self {
        let root = RemoteNode {
            id: Self::ROOT,
            parent: None,
            name: String::new(),
            kind: Kind::Folder,
            state: State::Live,
            hash: None,
            size: 0,
            mtime_ns: 0,
            seq: 0,
        };
        Self { nodes: BTreeMap::from([(Self::ROOT, root)]), children: BTreeMap::new() }
    }
}

impl RemoteTree {
    /// The drive's root.
    pub const ROOT: NodeId = NodeId::nil();

    /// Takes what the feed says of a node. Older news than what is known changes nothing.
    pub fn take(&mut self, node: RemoteNode) {
        if let Some(known) = self.nodes.get(&node.id) {
            if known.seq > node.seq {
                return;
            }
            if let Some(siblings) = known.parent.and_then(|parent| self.children.get_mut(&parent)) {
                siblings.remove(&node.id);
            }
        }
        if let Some(parent) = node.parent {
            self.children.entry(parent).or_default().insert(node.id);
        }
        self.nodes.insert(node.id, node);
    }

    /// A node, dead or alive.
    pub fn get(&self, id: NodeId) -> Option<&RemoteNode> {
        self.nodes.get(&id)
    }

    /// The nodes whose folder this is, dead or alive.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = &RemoteNode> {
        self.children.get(&id).into_iter().flatten().filter_map(|child| self.nodes.get(child))
    }

    /// How many nodes are known, dead or alive.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing but the root is known.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// Everything, dead or alive.
    pub fn iter(&self) -> impl Iterator<Item = &RemoteNode> {
        self.nodes.values()
    }

    /// The names from the drive's root down to a node, which has to be live with all above it.
    pub fn names_to(&self, id: NodeId) -> Option<Vec<&str>> {
        let mut names = Vec::new();
        let mut node = self.nodes.get(&id)?;
        // A tree that was told in pieces might, for a while, lead round in circles.
        while names.len() <= self.nodes.len() {
            if node.state != State::Live {
                return None;
            }
            let Some(parent) = node.parent else {
                names.reverse();
                return Some(names);
            };
            names.push(node.name.as_str());
            node = self.nodes.get(&parent)?;
        }
        None
    }
}
