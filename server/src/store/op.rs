//! One placement: what is to be done in the tree, and what came of it.

use std::fmt;
use std::io;

use super::{Phys, SlotId};
use crate::domain::stat::{Ident, Stat};

/// What a placement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// The file staged in the slot goes to `path`; what stood there goes to the slot.
    Put,
    /// The folder staged in the slot goes to `path`, or a folder that stands there already is adopted.
    Mkdir,
    /// What stands at `path` goes to the slot.
    Del,
    /// What stands at `path` goes to `dst`, where nothing should stand.
    Mv,
    /// What stands at `path` goes to `dst`, and what stood there to the slot.
    MvOver,
}

/// A committed placement. Its paths are physical, as of its `seq` (algorithms A).
#[derive(Debug, Clone)]
pub struct Op {
    /// Its place in the drive's order.
    pub seq: i64,
    /// The op's own uuid, and with it its slot.
    pub slot: SlotId,
    /// What it does.
    pub kind: OpKind,
    /// Where; of a move, from where (possibly a slot).
    pub path: Phys,
    /// Of a move: whereto (possibly a slot).
    pub dst: Option<Phys>,
    /// The file or folder that is placed, moved or deleted: the `I` of algorithms A. For a node whose `mkdir` adopted a
    /// folder ([`How::Adopted`]) this must be the adopted folder's, also in ops that were committed before.
    pub ident: Ident,
    /// What the catalogue expects to be displaced, if anything.
    pub displaced: Option<Ident>,
}

impl Op {
    /// Where the thing ends up that the op is about; of a deletion, where it was.
    pub fn target(&self) -> &Phys {
        self.dst.as_ref().unwrap_or(&self.path)
    }
}

/// What is the case after a placement. Told from the state of the disk alone, so that a first run and a redo after a
/// crash say the same.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing is left to do for this op.
    Done(Done),
    /// It cannot be done now, nothing was changed that needs undoing, and what it places lies where it did: the node is
    /// unplaced. Later ops go on; the same op may be placed again.
    Parked(Parked),
    /// The drive has a problem: stop, keep the order, and place this op again later.
    Degraded(io::Error),
}

/// How the disk looks after an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The two stats in a word.
    pub how: How,
    /// What stands at [`Op::target`] now.
    pub final_stat: Option<Stat>,
    /// What lies in the op's slot now: what it displaced, expected or not.
    pub in_slot: Option<Stat>,
}

/// Where the thing is that an op is about. In a redo, later ops may have moved it on: only after the last of them does
/// this say something about the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is where it belongs: at its path, or of a deletion, in the slot.
    InPlace,
    /// A folder made outside stood at the path of a `mkdir` and is the node's folder from now on.
    Adopted(Ident),
    /// Something else stands at its path: an outside program's, left alone.
    Newcomer(Ident),
    /// Nothing stands at its path, and of a deletion, it is not in the slot: an outside program moved or removed it.
    Absent,
}

/// Why an op waits.
#[derive(Debug)]
pub struct Parked {
    /// In a word, for programs.
    pub why: Why,
    /// What the file system said, for the log.
    pub error: io::Error,
}

/// See [`Parked`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The folder it belongs in is not there, or something else stands in the folder's place.
    ParentMissing,
    /// The folder's or file's rights forbid it.
    Forbidden,
    /// The file system does not take that name.
    NameRefused,
    /// Another program keeps putting things in the way.
    Busy,
    /// A mount point is in the way, or it lies on another file system.
    OtherFileSystem,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ParentMissing => "the folder it belongs in is missing",
            Self::Forbidden => "the rights of the folder forbid it",
            Self::NameRefused => "the file system does not take that name",
            Self::Busy => "another program keeps putting something in its place",
            Self::OtherFileSystem => "another file system is mounted there",
        })
    }
}
