//! How a conflict is settled, and what that does to the agreement (algorithms B rule d, 003-26 to 003-28).

use holdfast_protocol::{ContentHash, Kind, Value};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Agreed, Row, ServerNode};

/// How a conflict is to be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The client's content replaces the server's (003-27).
    KeepLocal,
    /// The client's content gives way (003-26).
    KeepServer,
    /// The server's stays, the client's becomes a version in the history (003-28).
    CreateVersion,
    /// The client's content is stored beside the server's under another name.
    KeepBoth,
}

/// The conflict as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What the client holds.
    pub client_hash: ContentHash,
    /// What the server held when the conflict was last refreshed; `None` for nothing or a folder.
    pub server_hash: Option<ContentHash>,
    /// What stood at the path then; `None` for nothing.
    pub server_kind: Option<Kind>,
    /// The client's content is here.
    pub has_candidate: bool,
}

/// What the server has at the conflict's path now.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// The live node there.
    pub node: Option<&'a ServerNode>,
    /// A file stands in the place of a folder above the path.
    pub is_blocked: bool,
}

/// What has to be done to settle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server's side is not what the person saw: refresh the conflict and answer 409 with it.
    ServerMoved,
    /// A file cannot take the place of a folder here: 409, the other three resolutions remain.
    KindsDiffer,
    /// The client's content is needed and not here: resolved false, needs upload. Nothing changes.
    NeedsUpload,
    /// Store the candidate first, then write the row, in one transaction.
    Settled {
        /// Where the candidate goes.
        store: Option<Store>,
        /// The device's row at the conflict's path.
        row: Row,
    },
}

/// Where the client's content is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// As a version that is not current, of the file at the path, or of a dead one that was there.
    Version,
    /// As a file of its own beside it ([`crate::domain::names::conflict_copy`]).
    Sibling,
}

/// Settles a conflict. `row` is the device's row at its path, `seen` the server's hash that the request says the person
/// saw (`Some(None)`: that it was gone). To be called in the transaction that carries the outcome out.
pub fn resolve(
    resolution: Resolution,
    open: &Open,
    seen: Option<Option<ContentHash>>,
    present: Present<'_>,
    row: Option<Row>,
) -> Outcome {
    let Present { node, is_blocked } = present;
    let server = node.and_then(|node| node.value.hash());
    let kind = node.map(|node| node.value.kind());
    if server != open.server_hash
        || kind != open.server_kind
        || seen.is_some_and(|seen| seen != open.server_hash)
    {
        return Outcome::ServerMoved;
    }
    let row = row.unwrap_or_default();
    let client = Agreed::Held(Value::File(open.client_hash));
    let store = match resolution {
        Resolution::KeepLocal if kind == Some(Kind::Folder) || is_blocked => {
            return Outcome::KindsDiffer;
        }
        Resolution::KeepLocal => {
            let base = open.server_hash.map_or(Agreed::Gone, |hash| Agreed::Held(Value::File(hash)));
            let row = row.agree(base, node);
            return Outcome::Settled {
                store: None,
                row: Row { forced: Some(Box::new(open.client_hash)), ..row },
            };
        }
        Resolution::KeepServer => None,
        Resolution::CreateVersion => Some(Store::Version),
        Resolution::KeepBoth => Some(Store::Sibling),
    };
    if store.is_some() && !open.has_candidate {
        return Outcome::NeedsUpload;
    }
    Outcome::Settled { store, row: row.agree(client, node) }
}
