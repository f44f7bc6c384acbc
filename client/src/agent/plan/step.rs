//! What a plan is made of.

use holdfast_protocol::{ContentHash, DrivePath, Kind};

use crate::agent::trees::{BaseRow, Look, NodeId};

/// Index of an entity in a plan; its node's id is in [`Plan::ids`](super::Plan::ids), once it has one.
pub type Entity = usize;

/// One thing to do. Local paths are relative to the root, remote ones begin at the drive's; both as they will be when all
/// steps before were done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Both hold this.
    Agree {
        /// What to note.
        row: BaseRow,
    },
    /// Neither holds it.
    Forget {
        /// Which.
        id: NodeId,
    },
    /// A folder to make here.
    MakeLocal {
        /// Where.
        path: String,
        /// What to note.
        row: BaseRow,
    },
    /// A folder to make there.
    MakeRemote {
        /// Which.
        entity: Entity,
        /// Where here.
        local: String,
        /// Where there.
        path: DrivePath,
        /// The folder it is in.
        parent: Entity,
        /// Its name there.
        name: String,
        /// How it looks here.
        look: Look,
        /// A node that it was and is no more.
        was: Option<NodeId>,
    },
    /// To rename here.
    MoveLocal {
        /// From here.
        from: String,
        /// To here.
        to: String,
        /// What was judged.
        look: Look,
        /// Whose row then has this folder and name, as the server has it.
        agreed: Option<(NodeId, Entity, String)>,
        /// It is no longer this node's: its row forgets how it looked, before anything is renamed.
        leaves: Option<NodeId>,
    },
    /// To rename there.
    MoveRemote {
        /// Which.
        id: NodeId,
        /// Where it will be, from the root of what is synced.
        below: String,
        /// From here.
        from: DrivePath,
        /// To here.
        to: DrivePath,
        /// Its content.
        expect: Option<ContentHash>,
        /// The folder it will be in.
        parent: Entity,
        /// The name it will have; agreed on then.
        name: String,
    },
    /// To remove here.
    DeleteLocal {
        /// Which.
        id: NodeId,
        /// Where.
        path: String,
        /// File or folder.
        kind: Kind,
        /// What was judged.
        look: Look,
    },
    /// To delete there.
    DeleteRemote {
        /// Which.
        id: NodeId,
        /// Where, from the root of what is synced.
        below: String,
        /// Where.
        path: DrivePath,
        /// A file's content; `None` for a folder.
        expect: Option<ContentHash>,
    },
    /// A content to get.
    Download(Receiving),
    /// A content to send.
    Upload(Sending),
}

/// A content to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiving {
    /// Where there.
    pub from: DrivePath,
    /// Where here.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// What stands there and was judged.
    pub replaces: Option<Look>,
    /// Its content.
    pub base: Option<ContentHash>,
    /// What to note, its hash the content.
    pub row: BaseRow,
}

/// A content to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Which.
    pub entity: Entity,
    /// Where here.
    pub local: String,
    /// Where there.
    pub path: DrivePath,
    /// The folder it is in.
    pub parent: Entity,
    /// Its name there.
    pub name: String,
    /// The content.
    pub hash: ContentHash,
    /// What was judged.
    pub look: Look,
    /// What it replaces.
    pub expect: Option<ContentHash>,
    /// A node that it was and is no more.
    pub was: Option<NodeId>,
}

impl Step {
    /// Tells each path of the device's that the step is about.
    pub fn paths(&self, mut tell: impl FnMut(&str)) {
        match self {
            Self::Agree { .. } | Self::Forget { .. } => {}
            Self::MoveLocal { from, to, .. } => {
                tell(from);
                tell(to);
            }
            other => tell(other.key()),
        }
    }

    /// What the step is about, for people and for whoever counts its failures.
    pub fn key(&self) -> &str {
        match self {
            Self::Agree { row } => &row.name,
            Self::Forget { .. } => "",
            Self::MakeLocal { path, .. } | Self::DeleteLocal { path, .. } => path,
            Self::Download(receiving) => &receiving.path,
            Self::MakeRemote { local, .. } => local,
            Self::Upload(sending) => &sending.local,
            Self::MoveLocal { to, .. } => to,
            Self::MoveRemote { below, .. } | Self::DeleteRemote { below, .. } => below,
        }
    }
}
