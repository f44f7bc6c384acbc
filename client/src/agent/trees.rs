//! The three trees, and nothing but what they are.

mod local;
mod remote;

use std::collections::{BTreeMap, HashMap};

use holdfast_protocol::{ContentHash, Kind};
use uuid::Uuid;

pub use local::{LocalNode, LocalTree, What};
pub use remote::{RemoteNode, RemoteTree, State};

/// By inode number. There are as many as files, and each is asked for several times in a sync, so a quick hash counts.
pub type ByInode<T> = HashMap<u64, T, foldhash::fast::RandomState>;

/// Which node of the server's it is, whatever its name.
pub type NodeId = Uuid;

/// What a device's disk said of a file or folder: equal, and it is taken for the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Look {
    /// Inode number; 0: not known.
    pub ino: u64,
    /// When the inode was made, nanoseconds since 1970; 0 where the file system does not tell.
    pub btime_ns: i64,
    /// Bytes.
    pub size: u64,
    /// When it was last written, as it says itself: nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When its inode last changed, by the machine's clock: nanoseconds since 1970. 0 in a base row: so fresh then that a
    /// change might not show, so it is hashed once more.
    pub ctime_ns: i64,
}

impl Look {
    /// Whether both are one file, whatever was written to it.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.ino != 0 && self.ino == other.ino && self.btime_ns == other.btime_ns
    }

    /// Whether it is one file and nobody wrote to it since. Where the file system does not tell when a file was made, only
    /// size and time can tell it from another that got its number.
    pub fn is_untouched(&self, other: &Self) -> bool {
        self == other && self.ctime_ns != 0
    }
}

/// What device and server last both held of one node, and how it looked on the device then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseRow {
    /// The node.
    pub id: NodeId,
    /// The folder it was in.
    pub parent: NodeId,
    /// Its name.
    pub name: String,
    /// File or folder.
    pub kind: Kind,
    /// A file's content.
    pub hash: Option<ContentHash>,
    /// The server's sequence of it; `None` when it was not told yet. A deletion is only meant for what had this one
    /// (algorithms B rule 3).
    pub seq: Option<i64>,
    /// How it looked; `None`: to be known again by its name alone.
    pub look: Option<Look>,
}

/// What both last held. The root of what is synced is not in it: it is there or nothing is decided.
#[derive(Debug, Clone, Default)]
pub struct BaseTree {
    rows: BTreeMap<NodeId, BaseRow>,
}

impl BaseTree {
    /// The row of a node.
    pub fn get(&self, id: NodeId) -> Option<&BaseRow> {
        self.rows.get(&id)
    }

    /// All rows, by id.
    pub fn iter(&self) -> impl Iterator<Item = &BaseRow> {
        self.rows.values()
    }

    /// Writes a row.
    pub fn set(&mut self, row: BaseRow) {
        self.rows.insert(row.id, row);
    }

    /// Changes a row, if it is there.
    pub fn get_mut(&mut self, id: NodeId) -> Option<&mut BaseRow> {
        self.rows.get_mut(&id)
    }

    /// Forgets a row.
    pub fn remove(&mut self, id: NodeId) {
        self.rows.remove(&id);
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was ever agreed on.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl FromIterator<BaseRow> for BaseTree {
    fn from_iter<T: IntoIterator<Item = BaseRow>>(rows: T) -> Self {
        Self { rows: rows.into_iter().map(|row| (row.id, row)).collect() }
    }
}
