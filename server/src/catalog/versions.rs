//! Versions: every content that a file has had, and where its bytes are.

use holdfast_protocol::ContentHash;
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, Builder, Value, row, wide_portions};
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Result};

/// One content that a file has had.
#[derive(Debug, Clone)]
pub struct Version {
    /// Internal key.
    pub id: i64,
    /// Public id.
    pub uuid: Uuid,
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Internal key of its file.
    pub node_id: Option<i64>,
    /// Its number within the file; `None`: a conflict's candidate, not history.
    pub n: Option<i64>,
    /// The path the file had then, without a leading slash.
    pub path: String,
    hash: Vec<u8>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
    ino: i64,
    btime_ns: i64,
    /// The slot it was staged in.
    pub origin: Option<Uuid>,
    /// The slot that what displaced it left it in.
    pub slot: Option<Uuid>,
    /// Its bytes were found to be right after it was displaced.
    pub sealed: bool,
    /// An outside program destroyed its bytes.
    pub lost: bool,
    /// `sync`, `conflict`, `manual`, `webdav`, `external`, `import` or `restore` (003-23).
    pub reason: String,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Internal key of the device that wrote it.
    pub device_id: Option<i64>,
    /// The device's own name for itself.
    pub device: Option<String>,
    /// The account that wrote it.
    pub author: Option<String>,
}

row!(Version {
    id,
    uuid,
    drive_id,
    node_id,
    n,
    path,
    hash,
    size,
    mtime_ns,
    ino,
    btime_ns,
    origin,
    slot,
    sealed,
    lost,
    reason,
    created_at,
    device_id,
    device,
    author,
});

impl Version {
    /// Hash of its bytes.
    ///
    /// # Errors
    /// A row that does not hold a hash.
    pub fn content_hash(&self) -> Result<ContentHash> {
        ContentHash::try_from(self.hash.as_slice()).map_err(Error::internal)
    }

    /// The inode that holds it, wherever that lies now.
    pub fn ident(&self) -> Ident {
        Ident { ino: self.ino.cast_unsigned(), btime_ns: self.btime_ns }
    }

    /// Whether its bytes, in a file of which `stat` says this, are those that were found to be right (algorithms A, step
    /// 7). Any other must be hashed before it is used.
    pub fn vouches_for(&self, stat: &Stat) -> bool {
        self.sealed
            && (self.ident(), self.size, self.mtime_ns)
                == (stat.ident, stat.size.cast_signed(), stat.mtime_ns)
    }
}

macro_rules! columns {
    () => {
        "v.id, v.uuid, v.drive_id, v.node_id, v.n, v.path, v.hash, v.size, v.mtime_ns, v.ino, v.btime_ns, v.origin, v.slot, \
         v.sealed, v.lost, v.reason, v.created_at, v.device_id, e.device_id AS device, u.username AS author"
    };
}
macro_rules! joined {
    () => {
        " FROM file_versions v LEFT JOIN devices e ON e.id = v.device_id LEFT JOIN users u ON u.id = v.created_by "
    };
}

/// A content on its way into the catalogue.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Internal key of its file; `None` only for a candidate where no file ever was.
    pub node_id: Option<i64>,
    /// Its number; `None` for a candidate.
    pub n: Option<i64>,
    /// The path, without a leading slash.
    pub path: &'a str,
    /// Hash of its bytes.
    pub hash: ContentHash,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The inode that holds it.
    pub ident: Ident,
    /// The slot it was staged in.
    pub origin: Option<Uuid>,
    /// The slot it stays in, when it is not placed.
    pub slot: Option<Uuid>,
    /// Its bytes are known to be right and nobody else writes to them.
    pub sealed: bool,
    /// See [`Version::reason`].
    pub reason: &'a str,
    /// Microseconds since 1970.
    pub now: i64,
    /// Internal key of the account.
    pub created_by: Option<i64>,
    /// Internal key of the device.
    pub device_id: Option<i64>,
}

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO file_versions (uuid, drive_id, node_id, n, path, hash, size, mtime_ns, ino, btime_ns, origin, \
             slot, sealed, reason, created_at, created_by, device_id) ",
            $values
        )
    };
}

const INSERT: &str = insert!(
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING id"
);

impl NewVersion<'_> {
    /// In the order of the columns.
    fn values(&self, uuid: Uuid) -> [Value<'_>; 17] {
        [
            uuid.into(),
            self.drive_id.into(),
            self.node_id.into(),
            self.n.into(),
            self.path.into(),
            self.hash.as_bytes()[..].into(),
            self.size.into(),
            self.mtime_ns.into(),
            self.ident.ino.cast_signed().into(),
            self.ident.btime_ns.into(),
            self.origin.into(),
            self.slot.into(),
            self.sealed.into(),
            self.reason.into(),
            self.now.into(),
            self.created_by.into(),
            self.device_id.into(),
        ]
    }
}

/// Adds a version; returns its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: &NewVersion<'_>) -> Result<i64> {
    Ok(sql::query(INSERT).bind_all(new.values(sql::new_id())).fetch_one(tx).await?)
}

/// As [`insert()`], of many; their internal keys in their order.
///
/// # Errors
/// The catalogue's.
pub async fn insert_all(tx: &mut Tx, new: &[NewVersion<'_>]) -> Result<Vec<i64>> {
    let ids: Vec<Uuid> = new.iter().map(|_| sql::new_id()).collect();
    let mut given = Vec::with_capacity(new.len());
    for (begin, new) in wide_portions(new) {
        let mut query = Builder::new(tx.engine_name(), insert!(""));
        query.rows(new.iter().zip(&ids[begin..]).map(|(version, id)| version.values(*id)));
        query.push(" RETURNING id, uuid");
        given.extend(query.build().fetch_all::<(i64, Uuid)>(tx).await?);
    }
    Ok(sql::in_order(&ids, given)?)
}

const BY_ID: &str = concat!("SELECT ", columns!(), joined!(), "WHERE v.id = $1");

/// A version by its internal key.
///
/// # Errors
/// The catalogue's; a missing row is [`Error::not_found`].
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Version> {
    let found: Option<Version> = sql::query(BY_ID).bind(id).fetch_optional(tx).await?;
    found.ok_or_else(|| Error::not_found("there is no such version"))
}

const BY_UUID: &str = concat!("SELECT ", columns!(), joined!(), "WHERE v.drive_id = $1 AND v.uuid = $2");

/// A version of a drive by its public id.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, drive: i64, uuid: Uuid) -> Result<Option<Version>> {
    Ok(sql::query(BY_UUID).bind(drive).bind(uuid).fetch_optional(tx).await?)
}

const OF_NODE: &str = concat!(
    "SELECT ",
    columns!(),
    joined!(),
    "WHERE v.node_id = $1 AND v.n IS NOT NULL AND v.id < $2 ORDER BY v.id DESC LIMIT $3"
);

/// A file's versions before an internal key, newest first.
///
/// # Errors
/// The catalogue's.
pub async fn of_node(tx: &mut Tx, node: i64, before: i64, limit: i64) -> Result<Vec<Version>> {
    Ok(sql::query(OF_NODE).bind(node).bind(before).bind(limit).fetch_all(tx).await?)
}

/// Whose history is asked for.
#[derive(Debug, Clone, Default)]
pub struct HistoryOf {
    /// Internal keys of files.
    pub nodes: Vec<i64>,
    /// A path (with its drive's internal key) whose own versions belong to it: contents kept where no file ever was.
    pub path: Option<(i64, String)>,
}

/// Where a history goes on: the time and key of the last version seen.
pub type Seen = (i64, i64);

/// Versions, the newest first, after one that was seen.
///
/// # Errors
/// The catalogue's.
pub async fn history(tx: &mut Tx, of: &HistoryOf, after: Option<Seen>, limit: i64) -> Result<Vec<Version>> {
    let (time, id) = after.unwrap_or((i64::MAX, i64::MAX));
    let begin = concat!("SELECT ", columns!(), joined!(), "WHERE v.n IS NOT NULL AND (v.node_id IN (");
    let mut query = Builder::new(tx.engine_name(), begin);
    // No node has the key 0; an empty list is no SQL.
    query.list(std::iter::once(&0).chain(&of.nodes).copied()).push(")");
    if let Some((drive, path)) = &of.path {
        query.push(" OR (v.node_id IS NULL AND v.drive_id = ").bind(*drive);
        query.push(" AND v.path = ").bind(path.as_str()).push(")");
    }
    query.push(") AND (v.created_at < ").bind(time).push(" OR (v.created_at = ").bind(time);
    query.push(" AND v.id < ").bind(id).push(")) ORDER BY v.created_at DESC, v.id DESC LIMIT ").bind(limit);
    Ok(query.build().fetch_all(tx).await?)
}

const HOLDING: &str = concat!(
    "SELECT ",
    columns!(),
    joined!(),
    "WHERE v.drive_id = $1 AND v.hash = $2 AND NOT v.lost ORDER BY v.id DESC LIMIT $3"
);

/// Versions of a drive with a content whose bytes are kept, newest first.
///
/// # Errors
/// The catalogue's.
pub async fn holding(tx: &mut Tx, drive: i64, hash: ContentHash, limit: i64) -> Result<Vec<Version>> {
    Ok(sql::query(HOLDING).bind(drive).bind(&hash.as_bytes()[..]).bind(limit).fetch_all(tx).await?)
}

const SET_SLOT: &str = "UPDATE file_versions SET slot = $2 WHERE id = $1";

/// Says in which slot a displaced version lies.
///
/// # Errors
/// The catalogue's.
pub async fn set_slot(tx: &mut Tx, id: i64, slot: Option<Uuid>) -> Result<()> {
    sql::query(SET_SLOT).bind(id).bind(slot).execute(tx).await?;
    Ok(())
}

const FOUND: &str = "UPDATE file_versions SET slot = $2, lost = FALSE WHERE id = $1";

/// Says that a version that was thought displaced or destroyed in the tree never left the slot it was staged in.
///
/// # Errors
/// The catalogue's.
pub async fn found_in_slot(tx: &mut Tx, id: i64, slot: Uuid) -> Result<()> {
    sql::query(FOUND).bind(id).bind(slot).execute(tx).await?;
    Ok(())
}

const SEAL: &str = "UPDATE file_versions SET sealed = TRUE, ino = $2, btime_ns = $3, slot = $4 WHERE id = $1";

/// Says that a displaced version's bytes are right, and which inode in which slot holds them.
///
/// # Errors
/// The catalogue's.
pub async fn seal(tx: &mut Tx, id: i64, ident: Ident, slot: Uuid) -> Result<()> {
    sql::query(SEAL)
        .bind(id)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .bind(slot)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_MTIME: &str = "UPDATE file_versions SET mtime_ns = $2 WHERE id = $1";

/// Says when the file that holds a version was last written, as it says itself; in nanoseconds since 1970.
///
/// # Errors
/// The catalogue's.
pub async fn set_mtime(tx: &mut Tx, id: i64, mtime_ns: i64) -> Result<()> {
    sql::query(SET_MTIME).bind(id).bind(mtime_ns).execute(tx).await?;
    Ok(())
}

const SET_LOST: &str = "UPDATE file_versions SET lost = TRUE, slot = NULL WHERE id = $1";

/// Says that an outside program destroyed a version's bytes.
///
/// # Errors
/// The catalogue's.
pub async fn set_lost(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(SET_LOST).bind(id).execute(tx).await?;
    Ok(())
}

const LOST_BENEATH: &str = "WITH RECURSIVE down (id) AS (SELECT CAST($1 AS BIGINT) UNION ALL \
     SELECT n.id FROM down JOIN nodes n ON n.parent_id = down.id WHERE n.state <> 'dead') \
     UPDATE file_versions SET lost = TRUE WHERE id IN (\
     SELECT n.current_version_id FROM nodes n JOIN down ON down.id = n.id WHERE n.state = 'live' AND n.current_version_id IS NOT NULL)";

/// Says that an outside program destroyed the current contents of a node and all beneath it. What waits in slots stays.
///
/// # Errors
/// The catalogue's.
pub async fn set_lost_beneath(tx: &mut Tx, node: i64) -> Result<()> {
    sql::query(LOST_BENEATH).bind(node).execute(tx).await?;
    Ok(())
}

const RESEEN: &str = "UPDATE file_versions SET ino = $2, btime_ns = $3 WHERE id = $1";

/// Says which inode holds a version now.
///
/// # Errors
/// The catalogue's.
pub async fn set_ident(tx: &mut Tx, id: i64, ident: Ident) -> Result<()> {
    sql::query(RESEEN).bind(id).bind(ident.ino.cast_signed()).bind(ident.btime_ns).execute(tx).await?;
    Ok(())
}

const PROMOTE: &str =
    "UPDATE file_versions SET node_id = $2, n = $3, path = $4, reason = $5, created_at = $6 WHERE id = $1";

/// Makes a conflict's candidate a numbered version, of a file or (where none ever was) of its path alone.
///
/// # Errors
/// The catalogue's.
pub async fn promote(
    tx: &mut Tx,
    id: i64,
    node: Option<i64>,
    n: i64,
    path: &str,
    reason: &str,
    now: i64,
) -> Result<()> {
    sql::query(PROMOTE).bind(id).bind(node).bind(n).bind(path).bind(reason).bind(now).execute(tx).await?;
    Ok(())
}

const LEAVE_SLOT: &str = "UPDATE file_versions SET slot = NULL, sealed = FALSE WHERE id = $1";

/// Says that a version leaves its slot for the tree, where other programs may write to it.
///
/// # Errors
/// The catalogue's.
pub async fn leave_slot(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(LEAVE_SLOT).bind(id).execute(tx).await?;
    Ok(())
}

const LAST_OF_PATH: &str =
    "SELECT COALESCE(MAX(n), 0) FROM file_versions WHERE drive_id = $1 AND path = $2 AND node_id IS NULL";

/// The highest number that a version of a path without a file has.
///
/// # Errors
/// The catalogue's.
pub async fn last_of_path(tx: &mut Tx, drive: i64, path: &str) -> Result<i64> {
    Ok(sql::query(LAST_OF_PATH).bind(drive).bind(path).fetch_one(tx).await?)
}

// A slot belongs to someone while any row names it; a version's origin alone is no claim, it is only where to look.
const CLAIMED: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM ops WHERE uuid = $1) \
     OR EXISTS (SELECT 1 FROM file_versions WHERE slot = $1) OR EXISTS (SELECT 1 FROM nodes WHERE slot = $1)";

/// Whether any row of the catalogue says that something lies in a slot.
///
/// # Errors
/// The catalogue's.
pub async fn slot_is_claimed(tx: &mut Tx, slot: Uuid) -> Result<bool> {
    let found: Option<i32> = sql::query(CLAIMED).bind(slot).fetch_optional(tx).await?;
    Ok(found.is_some())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, BY_ID, BY_UUID, OF_NODE, HOLDING, SET_SLOT, FOUND, SEAL, SET_MTIME, SET_LOST, LOST_BENEATH, RESEEN, PROMOTE,
    LEAVE_SLOT, LAST_OF_PATH, CLAIMED
};
