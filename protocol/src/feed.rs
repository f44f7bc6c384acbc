//! The feed of a drive: what an agent makes its own tree of the server's from (`docs/design/006-the-agent.md`). It is state,
//! not a log (algorithms C): a node comes once, as it is now, at the place of its latest change.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{ContentHash, Kind};

/// Nodes of a page when nobody says.
pub const DEFAULT_LIMIT: u32 = 5_000;
/// Most nodes of a page; a larger limit counts as this.
pub const MAX_LIMIT: u32 = 50_000;

/// A page of a drive's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedPage {
    /// Nodes whose latest change is after the token's, in the order of these changes. Without a token the dead are left out.
    pub changes: Vec<FeedNode>,
    /// Names the state up to which everything is told with this page: `since` of the next request, to be stored together
    /// with the page.
    pub token: Uuid,
    /// There are more pages by now. Only where there are none has a mirror of the drive a state that the drive had.
    pub more: bool,
    /// The token in the request says nothing about this drive (any more): this is the first page of the feed from the
    /// beginning. What was told before is void; what is not told until `more` is false is not there.
    pub reset: bool,
}

/// A file or folder, as it is now. The drive's root is never told: it is where `parent` is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedNode {
    /// Its id; stays when it is renamed, moved, deleted and brought back.
    pub id: Uuid,
    /// The folder that it is in, or was in when it was deleted; null for the drive's root. A folder that is dead itself, and
    /// therefore perhaps not known, may be a parent: then the node is alive as soon as that folder is.
    pub parent: Option<Uuid>,
    /// Its name there.
    pub name: String,
    /// File or folder.
    pub kind: Kind,
    /// What became of itself; folders above are not looked at.
    pub state: NodeState,
    /// A file's content, or its last one; null for a folder.
    pub hash: Option<ContentHash>,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Sequence of its latest change in its drive. No two nodes of a drive have the same.
    pub seq: i64,
}

/// What became of a node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is there, as far as all folders above are.
    Live,
    /// It was deleted.
    Dead,
    /// It should be there, but the disk has lost it; perhaps it is found again. Never a deletion (promise P8). Neither its
    /// loss nor its return is a change by itself: whoever wants its content asks for it again later.
    Missing,
}
