//! What a decision is made from.

use holdfast_protocol::manifest::{Claim, Claims, Manifest};
use holdfast_protocol::plan::Reason;
use holdfast_protocol::{ContentHash, DrivePath, PathMap, Value};

use super::Guard;

/// A live file or folder of the drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerNode {
    /// Survives renames and moves.
    pub id: i64,
    /// Its content, or that it is a folder.
    pub value: Value,
    /// When anything last happened to what stands at this path: the highest `seq` of the node and of the folders above
    /// it. (A folder that was deleted and restored, or moved away and back, is one change of that folder alone, and yet
    /// all beneath it died and came back; algorithms B rule 3.) Above 0.
    pub seq: i64,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// When the server last changed it, in nanoseconds since 1970.
    pub modified_at_ns: i64,
    /// Number of the current version, as in the history; 0 for a folder.
    pub version: u32,
}

/// The live nodes of a drive by path, without the root.
pub type ServerNodes = PathMap<ServerNode>;

/// What device and server last both held at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agreed {
    /// Nothing: `keep_local` was chosen for a file that the server had deleted.
    Gone,
    /// This.
    Held(Value),
}

/// What is kept of one path for a device without a base of its own. For an agent the same is made of the base it sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// C as last claimed.
    pub claimed: Option<Claim>,
    /// B.
    pub agreed: Option<Agreed>,
    /// [`ServerNode::seq`] when B was written; 0 when B names nothing that was live then.
    pub agreed_seq: i64,
    /// The node that B was written for; 0 when that is not known.
    pub node: i64,
    /// The client's content for which `keep_local` wrote this row.
    pub forced: Option<Box<ContentHash>>,
}

/// A device's rows by path.
pub type Rows = PathMap<Row>;

impl Row {
    /// True when nothing is left worth keeping.
    pub fn is_empty(&self) -> bool {
        self.claimed.is_none() && self.agreed.is_none()
    }

    /// Without its agreement; what was claimed stays.
    #[must_use]
    pub fn forget(self) -> Self {
        Self { claimed: self.claimed, ..Self::default() }
    }

    /// With the agreement on a value that the server has, or with [`Agreed::Gone`].
    #[must_use]
    pub fn agree(self, agreed: Agreed, node: Option<&ServerNode>) -> Self {
        let node = node.filter(|node| agreed == Agreed::Held(node.value));
        Self {
            claimed: self.claimed,
            agreed: Some(agreed),
            agreed_seq: node.map_or(0, |node| node.seq),
            node: node.map_or(0, |node| node.id),
            forced: None,
        }
    }
}

/// The token that came with a manifest (algorithms B: made per answer, only the last one issued counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// None was sent.
    Absent,
    /// The last one issued to this device.
    Current,
    /// Any other. A delta is refused then; a whole list infers no deletion.
    Outdated,
}

/// How the manifest was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent<'a> {
    /// Folders are listed, too.
    pub folders: bool,
    /// What is absent and agreed was deleted by the client.
    pub infer_deletions: bool,
    /// It carries the last token issued: nobody restored the device from an older copy since.
    pub current_token: bool,
    /// The client carries out moves.
    pub moves: bool,
    /// The confirmation token sent along.
    pub confirmed: Option<&'a str>,
}

impl<'a> Sent<'a> {
    /// What the manifest's fields and the state of its token mean.
    pub fn new(manifest: &'a Manifest, token: Token) -> Self {
        Self {
            folders: manifest.folders,
            infer_deletions: token != Token::Outdated,
            current_token: token == Token::Current,
            moves: manifest.moves,
            confirmed: manifest.confirm.as_deref(),
        }
    }
}

/// Why a device is not to hold a path, or cannot: its scope and `domain::names` say so.
pub type Limits<'a> = &'a dyn Fn(&str) -> Option<Reason>;

/// Everything a decision is made from. A caller may leave out paths where claim, agreement and server are alike
/// (same value, same seq), as long as it counts them in `alike`, keeps every ancestor of a kept path and all beneath a
/// kept path, every path with an open conflict of the device, and, where moves are accepted, every path that holds a
/// content which some kept path has, too.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// C: what the device says it holds. A delta is to be patched onto what was claimed before ([`super::patch`]).
    pub claims: &'a Claims,
    /// S: what the server has.
    pub nodes: &'a ServerNodes,
    /// B, and what was claimed before.
    pub rows: &'a Rows,
    /// How many files were left out because claim, agreement and server are alike.
    pub alike: usize,
    /// How the manifest was sent.
    pub sent: Sent<'a>,
    /// When a person has to confirm.
    pub guard: Guard,
    /// Why the device cannot hold a path or is not to (algorithms B rule 0); absent: it can hold all.
    pub unsyncable: Option<Limits<'a>>,
}

/// A look into the history that a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// Where.
    pub path: &'a str,
    /// Which content.
    pub hash: ContentHash,
    /// What the catalogue says; to be filled in.
    pub answer: Answer,
}

/// What the catalogue knows of a content and every node that ever lived at a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// One of these nodes had this content as a version whose bytes are kept.
    pub kept: bool,
    /// One of these nodes is dead and its last path was this one.
    pub died: bool,
    /// Where one of these nodes, live, has this content now.
    pub lives_at: Option<DrivePath>,
}
