//! The server's answer to a manifest (document 003's `POST /api/sync/changes`, extended as of 003-12). The client
//! carries it out in this order: moves, deletes, downloads, uploads (algorithms B). Every step names what it expects to
//! replace; where that does not hold any more, the step is left to the next plan.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{ContentHash, DrivePath, Kind};

/// What the device and the server have to do to hold the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Get these from the server (003-07).
    pub to_download: Vec<Download>,
    /// Removed on the server: remove them here (003-08).
    pub to_delete: Vec<Delete>,
    /// Both sides changed since they agreed (003-09).
    pub conflicts: Vec<Conflict>,
    /// PUT these.
    pub to_upload: Vec<Upload>,
    /// Moved on the server: rename them here. Only for clients that accept moves.
    pub to_move: Vec<Move>,
    /// Renamed here: MOVE them on the server. Only for clients that accept moves.
    pub moved_by_client: Vec<Move>,
    /// Deleted here: DELETE them on the server, if that was meant.
    pub deleted_by_client: Vec<DeletedByClient>,
    /// Held here, but long deleted or replaced on the server: remove them here, or PUT them to bring them back.
    pub deleted_elsewhere: Vec<DeletedElsewhere>,
    /// Left alone, and why.
    pub unsyncable: Vec<Unsyncable>,
    /// So much would go that a person has to say yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_confirmation: Option<NeedsConfirmation>,
    /// The token is not the last one issued to this device: send the whole list. All lists are empty then.
    pub full_list_required: bool,
    /// Names this answer; send it with the next manifest once this answer is stored.
    pub change_token: String,
}

/// Whether something comes new or replaces something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing was there.
    Add,
    /// Something else was there.
    Modify,
}

/// A file to get, or a folder to make. A folder without files beneath that stands where a file is to be gives way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Download {
    /// Where.
    pub path: DrivePath,
    /// New or changed.
    pub action: Action,
    /// File or folder.
    pub kind: Kind,
    /// Content; null for a folder.
    pub hash: Option<ContentHash>,
    /// Number of the version that is current, as in the history; null for a folder.
    pub version: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// When the content was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub modified_at: OffsetDateTime,
    /// What the client holds is an older version; nothing is lost by replacing it.
    pub stale: bool,
    /// What the client is believed to hold there, to be checked before it is replaced; null for nothing or a folder.
    pub replaces: Option<ContentHash>,
}

/// A file or folder to remove on the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delete {
    /// Where.
    pub path: DrivePath,
    /// File or folder; a folder only if nothing is left in it.
    pub kind: Kind,
    /// What the client is believed to hold there, to be checked before it is removed; null for a folder.
    pub replaces: Option<ContentHash>,
}

/// A file to PUT, or a folder to make on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// Where.
    pub path: DrivePath,
    /// New or changed.
    pub action: Action,
    /// File or folder.
    pub kind: Kind,
    /// The client's content; null for a folder.
    pub hash: Option<ContentHash>,
    /// What it replaces: send it as `If-Match`; null: send `If-None-Match: *`.
    pub expect: Option<ContentHash>,
    /// Something that was deleted at this path lives on by this upload.
    pub resurrects: bool,
}

/// A file that only changed its name. A folder without files beneath that stands at `to` gives way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Move {
    /// From here.
    pub from: DrivePath,
    /// To here.
    pub to: DrivePath,
    /// Its content.
    pub hash: ContentHash,
    /// What has to be at `from` for the move to be right.
    pub expect: ContentHash,
}

/// A file or folder that the client no longer has and nobody changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedByClient {
    /// Where.
    pub path: DrivePath,
    /// Send it as `If-Match`; null for a folder, which goes only when it is empty.
    pub expect: Option<ContentHash>,
    /// File or folder.
    pub kind: Kind,
}

/// A file that the client still has in a version the server let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedElsewhere {
    /// Where.
    pub path: DrivePath,
    /// What the client holds.
    pub hash: ContentHash,
    /// Where the server has that content now, if it was moved.
    pub moved_to: Option<DrivePath>,
}

/// Both sides changed it since they agreed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// Names the conflict until it is settled.
    pub id: Uuid,
    /// Where.
    pub path: DrivePath,
    /// What the client holds.
    pub client_hash: ContentHash,
    /// What the server holds; null when it is deleted there, or a folder.
    pub server_hash: Option<ContentHash>,
    /// What both held last; null when there was nothing.
    pub base_hash: Option<ContentHash>,
    /// What the server has at the path; `file` when nothing is there.
    pub server_kind: Kind,
    /// When the server's side was last changed; null when it is deleted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub server_modified_at: Option<OffsetDateTime>,
    /// A file on the server that stands where the client has a folder above the path.
    pub blocked_by: Option<DrivePath>,
    /// The client's content is already here, so that `create_version` and `keep_both` need no upload.
    pub candidate_present: bool,
}

/// Something the sync leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unsyncable {
    /// Where.
    pub path: DrivePath,
    /// Why.
    pub reason: Reason,
}

/// Why the sync leaves something alone (algorithms B rule 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The client could not read it; nothing at or beneath it counts as deleted.
    Unreadable,
    /// Outside what this device is to sync.
    OutOfScope,
    /// A name that the device's system reserves.
    ReservedName,
    /// Characters or an ending that the device's system cannot store.
    UnholdableName,
    /// Differs from a sibling only by case or Unicode form, which the device cannot tell apart.
    Twin,
    /// Longer than the device's system allows.
    NameTooLong,
}

/// What is withheld until a person confirms it (algorithms B rule 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedsConfirmation {
    /// Send it as `confirm` with the same manifest; it releases exactly this set.
    pub token: String,
    /// What would be deleted on the server.
    pub deletes: Vec<DrivePath>,
    /// What would go back to an earlier content on the server.
    pub reverts: Vec<DrivePath>,
}
