//! Conflicts: both sides changed since the agreement.

use holdfast_protocol::{ContentHash, DrivePath, Kind};
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A conflict.
#[derive(Debug, Clone)]
pub struct Conflict {
    /// Internal key.
    pub id: i64,
    /// Public id.
    pub uuid: Uuid,
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Public id of its drive.
    pub drive: Uuid,
    /// Internal key of the drive's owner.
    pub owner_id: i64,
    /// Internal key of the device; `None`: another program on the disk.
    pub device_id: Option<i64>,
    /// The device's own name for itself.
    pub device: Option<String>,
    /// Internal key of the device's user.
    pub device_user_id: Option<i64>,
    /// Path without a leading slash.
    pub path: String,
    base_hash: Option<Vec<u8>>,
    client_hash: Vec<u8>,
    server_hash: Option<Vec<u8>>,
    server_kind: Option<String>,
    server_modified_at: Option<i64>,
    /// A file of the server that stands where the path needs a folder.
    pub blocked_by: Option<String>,
    /// Internal key of the version that holds the client's content, once it is here.
    pub candidate_version_id: Option<i64>,
    candidate_hash: Option<Vec<u8>>,
    /// `open`, `resolved` or `obsolete`.
    pub state: String,
    /// How it was settled.
    pub resolution: Option<String>,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// Microseconds since 1970.
    pub resolved_at: Option<i64>,
}

row!(Conflict {
    id,
    uuid,
    drive_id,
    drive,
    owner_id,
    device_id,
    device,
    device_user_id,
    path,
    base_hash,
    client_hash,
    server_hash,
    server_kind,
    server_modified_at,
    blocked_by,
    candidate_version_id,
    candidate_hash,
    state,
    resolution,
    created_at,
    updated_at,
    resolved_at,
});

/// What stands on the server's side of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerSide {
    /// Its content; `None`: nothing, or a folder.
    pub hash: Option<ContentHash>,
    /// What it is; `None`: nothing.
    pub kind: Option<Kind>,
    /// When it was last changed, in microseconds since 1970.
    pub modified_at: Option<i64>,
}

impl ServerSide {
    fn word(self) -> Option<&'static str> {
        self.kind.map(|kind| match kind {
            Kind::File => "file",
            Kind::Folder => "folder",
        })
    }
}

fn hash(bytes: Option<&Vec<u8>>) -> Option<ContentHash> {
    bytes.and_then(|bytes| ContentHash::try_from(bytes.as_slice()).ok())
}

impl Conflict {
    /// Whether a user who may see its drive may see it: the drive's owner, and the device's user.
    pub fn is_for(&self, user: i64) -> bool {
        self.owner_id == user || self.device_user_id == Some(user)
    }

    /// What both last agreed on, when it was a file.
    pub fn base(&self) -> Option<ContentHash> {
        hash(self.base_hash.as_ref())
    }

    /// The client's content.
    pub fn client(&self) -> Option<ContentHash> {
        hash(Some(&self.client_hash))
    }

    /// What the server had when the conflict was last looked at.
    pub fn server(&self) -> ServerSide {
        ServerSide {
            hash: hash(self.server_hash.as_ref()),
            kind: self
                .server_kind
                .as_deref()
                .map(|kind| if kind == "folder" { Kind::Folder } else { Kind::File }),
            modified_at: self.server_modified_at,
        }
    }

    /// The content of the candidate, once it is here.
    pub fn candidate(&self) -> Option<ContentHash> {
        hash(self.candidate_hash.as_ref())
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.uuid, c.drive_id, d.uuid AS drive, d.owner_id, c.device_id, e.device_id AS device, \
             e.user_id AS device_user_id, c.path, c.base_hash, c.client_hash, \
             c.server_hash, c.server_kind, c.server_modified_at, c.blocked_by, c.candidate_version_id, \
             v.hash AS candidate_hash, c.state, c.resolution, c.created_at, c.updated_at, c.resolved_at \
             FROM conflicts c JOIN drives d ON d.id = c.drive_id LEFT JOIN devices e ON e.id = c.device_id \
             LEFT JOIN file_versions v ON v.id = c.candidate_version_id ",
            $rest
        )
    };
}

/// A conflict to be stored.
#[derive(Debug, Clone)]
pub struct NewConflict<'a> {
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Internal key of the device.
    pub device_id: Option<i64>,
    /// The path.
    pub path: &'a DrivePath,
    /// What both last agreed on, when it was a file.
    pub base: Option<ContentHash>,
    /// The client's content.
    pub client: ContentHash,
    /// What the server has.
    pub server: ServerSide,
    /// A file of the server in the way.
    pub blocked_by: Option<&'a str>,
    /// Internal key of the version that holds the client's content.
    pub candidate: Option<i64>,
    /// Microseconds since 1970.
    pub now: i64,
}

const INSERT: &str = "INSERT INTO conflicts (uuid, drive_id, device_id, path, base_hash, client_hash, server_hash, server_kind, \
     server_modified_at, blocked_by, candidate_version_id, state, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open', $12, $12) RETURNING id";

/// Opens a conflict; returns its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: &NewConflict<'_>) -> Result<i64> {
    Ok(sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(new.drive_id)
        .bind(new.device_id)
        .bind(new.path.as_str())
        .bind(new.base.as_ref().map(|h| &h.as_bytes()[..]))
        .bind(&new.client.as_bytes()[..])
        .bind(new.server.hash.as_ref().map(|h| &h.as_bytes()[..]))
        .bind(new.server.word())
        .bind(new.server.modified_at)
        .bind(new.blocked_by)
        .bind(new.candidate)
        .bind(new.now)
        .fetch_one(tx)
        .await?)
}

const REFRESH: &str = "UPDATE conflicts SET base_hash = $2, client_hash = $3, server_hash = $4, server_kind = $5, \
     server_modified_at = $6, blocked_by = $7, candidate_version_id = $8, updated_at = $9 WHERE id = $1";

/// Brings an open conflict up to date; its candidate becomes the given one.
///
/// # Errors
/// The catalogue's.
pub async fn refresh(tx: &mut Tx, id: i64, new: &NewConflict<'_>) -> Result<()> {
    sql::query(REFRESH)
        .bind(id)
        .bind(new.base.as_ref().map(|h| &h.as_bytes()[..]))
        .bind(&new.client.as_bytes()[..])
        .bind(new.server.hash.as_ref().map(|h| &h.as_bytes()[..]))
        .bind(new.server.word())
        .bind(new.server.modified_at)
        .bind(new.blocked_by)
        .bind(new.candidate)
        .bind(new.now)
        .execute(tx)
        .await?;
    Ok(())
}

const BY_ID: &str = select!("WHERE c.id = $1");

/// A conflict by its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Conflict>> {
    Ok(sql::query(BY_ID).bind(id).fetch_optional(tx).await?)
}

const BY_UUID: &str = select!("WHERE c.uuid = $1");

/// A conflict by its public id.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, uuid: Uuid) -> Result<Option<Conflict>> {
    Ok(sql::query(BY_UUID).bind(uuid).fetch_optional(tx).await?)
}

const OPEN_AT: &str = select!("WHERE c.drive_id = $1 AND c.path = $2 AND c.state = 'open' ORDER BY c.id");

/// Open conflicts at a path of a drive.
///
/// # Errors
/// The catalogue's.
pub async fn open_at(tx: &mut Tx, drive: i64, path: &DrivePath) -> Result<Vec<Conflict>> {
    Ok(sql::query(OPEN_AT).bind(drive).bind(path.as_str()).fetch_all(tx).await?)
}

const OPEN_OF: &str =
    select!("WHERE c.drive_id = $1 AND c.device_id = $2 AND c.state = 'open' ORDER BY c.id");

/// A device's open conflicts in a drive.
///
/// # Errors
/// The catalogue's.
pub async fn open_of(tx: &mut Tx, drive: i64, device: i64) -> Result<Vec<Conflict>> {
    Ok(sql::query(OPEN_OF).bind(drive).bind(device).fetch_all(tx).await?)
}

const LIST: &str = select!(
    "WHERE (d.owner_id = $1 OR (e.user_id = $1 \
         AND EXISTS (SELECT 1 FROM drive_members m WHERE m.drive_id = c.drive_id AND m.user_id = $1))) \
     AND ($2 = 'all' OR c.state = $2) AND c.id > $3 ORDER BY c.id LIMIT $4"
);

/// Conflicts that a user may see, in a state or `all`, after an internal key: all of their own drives, and of their own
/// devices in drives that are shared with them.
///
/// # Errors
/// The catalogue's.
pub async fn list(tx: &mut Tx, user: i64, state: &str, after: i64, limit: i64) -> Result<Vec<Conflict>> {
    Ok(sql::query(LIST).bind(user).bind(state).bind(after).bind(limit).fetch_all(tx).await?)
}

const SET_CANDIDATE: &str = "UPDATE conflicts SET candidate_version_id = $2, updated_at = $3 WHERE id = $1";

/// Says which version holds the client's content.
///
/// # Errors
/// The catalogue's.
pub async fn set_candidate(tx: &mut Tx, id: i64, version: i64, now: i64) -> Result<()> {
    sql::query(SET_CANDIDATE).bind(id).bind(version).bind(now).execute(tx).await?;
    Ok(())
}

const CLOSE: &str = "UPDATE conflicts SET state = $2, resolution = $3, resolved_by = $4, resolved_at = $5, updated_at = $5 \
     WHERE id = $1 AND state = 'open'";

/// Closes an open conflict as `resolved` or `obsolete`.
///
/// # Errors
/// The catalogue's.
pub async fn close(
    tx: &mut Tx,
    id: i64,
    state: &str,
    resolution: Option<&str>,
    by: Option<i64>,
    now: i64,
) -> Result<()> {
    sql::query(CLOSE).bind(id).bind(state).bind(resolution).bind(by).bind(now).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, REFRESH, BY_ID, BY_UUID, OPEN_AT, OPEN_OF, LIST, SET_CANDIDATE, CLOSE
};
