//! WebDAV's locks (RFC 4918, section 6): each belongs to a node and holds until its time is over.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A lock that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Internal key.
    pub id: i64,
    /// Public id; see [`crate::domain::locks::token`].
    pub uuid: Uuid,
    /// Internal key of what is locked.
    pub node_id: i64,
    /// Internal key of who holds it.
    pub user_id: i64,
    /// Their name.
    pub username: String,
    /// Others may hold a shared lock, too.
    pub shared: bool,
    /// It covers all beneath the node.
    pub deep: bool,
    /// The client's word for who holds it: XML that needs nothing around it.
    pub owner: Option<String>,
    /// Microseconds from each refresh to its end.
    pub timeout: i64,
    /// Microseconds since 1970.
    pub expires_at: i64,
    /// Microseconds since 1970.
    pub created_at: i64,
}

row!(Lock { id, uuid, node_id, user_id, username, shared, deep, owner, timeout, expires_at, created_at });

/// A lock to be made.
#[derive(Debug, Clone)]
pub struct NewLock {
    /// Internal key of the drive.
    pub drive_id: i64,
    /// Internal key of what is locked.
    pub node_id: i64,
    /// Internal key of who holds it.
    pub user_id: i64,
    /// Others may hold a shared lock, too.
    pub shared: bool,
    /// It covers all beneath the node.
    pub deep: bool,
    /// See [`Lock::owner`].
    pub owner: Option<String>,
    /// Microseconds.
    pub timeout: i64,
    /// Microseconds since 1970.
    pub now: i64,
}

macro_rules! columns {
    () => {
        "l.id, l.uuid, l.node_id, l.user_id, u.username, l.shared, l.deep, l.owner, l.timeout, l.expires_at, l.created_at"
    };
}

const INSERT: &str = "INSERT INTO dav_locks (uuid, drive_id, node_id, user_id, shared, deep, owner, timeout, expires_at, \
     created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";

/// Adds a lock; returns its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: &NewLock) -> Result<i64> {
    Ok(sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(new.drive_id)
        .bind(new.node_id)
        .bind(new.user_id)
        .bind(new.shared)
        .bind(new.deep)
        .bind(new.owner.as_deref())
        .bind(new.timeout)
        .bind(new.now.saturating_add(new.timeout))
        .bind(new.now)
        .fetch_one(tx)
        .await?)
}

const OF_DRIVE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM dav_locks l JOIN users u ON u.id = l.user_id WHERE l.drive_id = $1 AND l.expires_at > $2 ORDER BY l.id"
);

/// Every lock of a drive that holds, oldest first.
///
/// # Errors
/// The catalogue's.
pub async fn of_drive(tx: &mut Tx, drive: i64, now: i64) -> Result<Vec<Lock>> {
    Ok(sql::query(OF_DRIVE).bind(drive).bind(now).fetch_all(tx).await?)
}

const ANY: &str =
    "SELECT COUNT(*) FROM (SELECT 1 FROM dav_locks WHERE drive_id = $1 AND expires_at > $2 LIMIT 1) l";

/// Whether anything in a drive is locked.
///
/// # Errors
/// The catalogue's.
pub async fn any(tx: &mut Tx, drive: i64, now: i64) -> Result<bool> {
    let count: i64 = sql::query(ANY).bind(drive).bind(now).fetch_one(tx).await?;
    Ok(count > 0)
}

const COUNT: &str = "SELECT COUNT(*) FROM dav_locks WHERE drive_id = $1";

/// How many locks of a drive are stored.
///
/// # Errors
/// The catalogue's.
pub async fn count(tx: &mut Tx, drive: i64) -> Result<i64> {
    Ok(sql::query(COUNT).bind(drive).fetch_one(tx).await?)
}

const BY_UUID: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM dav_locks l JOIN users u ON u.id = l.user_id WHERE l.drive_id = $1 AND l.uuid = $2 AND l.expires_at > $3"
);

/// A lock of a drive that holds, by its public id.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, drive: i64, uuid: Uuid, now: i64) -> Result<Option<Lock>> {
    Ok(sql::query(BY_UUID).bind(drive).bind(uuid).bind(now).fetch_optional(tx).await?)
}

const ON_LINEAGE: &str = concat!(
    "WITH RECURSIVE up (id) AS (SELECT CAST($1 AS BIGINT) UNION ALL \
     SELECT n.parent_id FROM up JOIN nodes n ON n.id = up.id WHERE n.parent_id IS NOT NULL) SELECT ",
    columns!(),
    " FROM up JOIN dav_locks l ON l.node_id = up.id JOIN users u ON u.id = l.user_id WHERE l.expires_at > $2 ORDER BY l.id"
);

/// Every lock that holds on a node or anything above it, whether or not it covers the node.
///
/// # Errors
/// The catalogue's.
pub async fn on_lineage(tx: &mut Tx, node: i64, now: i64) -> Result<Vec<Lock>> {
    Ok(sql::query(ON_LINEAGE).bind(node).bind(now).fetch_all(tx).await?)
}

// From each lock upwards: locks are few, and what lies beneath a folder may be many.
const BENEATH: &str = concat!(
    "WITH RECURSIVE up (lock_id, node_id) AS (SELECT id, node_id FROM dav_locks WHERE drive_id = $1 UNION ALL \
     SELECT up.lock_id, n.parent_id FROM up JOIN nodes n ON n.id = up.node_id WHERE n.parent_id IS NOT NULL) SELECT ",
    columns!(),
    " FROM up JOIN dav_locks l ON l.id = up.lock_id JOIN users u ON u.id = l.user_id \
     WHERE up.node_id = $2 AND l.node_id <> $2 AND l.expires_at > $3 ORDER BY l.id"
);

/// Every lock that holds on something beneath a folder.
///
/// # Errors
/// The catalogue's.
pub async fn beneath(tx: &mut Tx, drive: i64, folder: i64, now: i64) -> Result<Vec<Lock>> {
    Ok(sql::query(BENEATH).bind(drive).bind(folder).bind(now).fetch_all(tx).await?)
}

const REFRESH: &str = "UPDATE dav_locks SET timeout = $2, expires_at = $3 WHERE id = $1";

/// Lets a lock hold on from now.
///
/// # Errors
/// The catalogue's.
pub async fn refresh(tx: &mut Tx, id: i64, timeout: i64, now: i64) -> Result<()> {
    sql::query(REFRESH).bind(id).bind(timeout).bind(now.saturating_add(timeout)).execute(tx).await?;
    Ok(())
}

const DELETE: &str = "DELETE FROM dav_locks WHERE id = $1";

/// Ends a lock.
///
/// # Errors
/// The catalogue's.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(DELETE).bind(id).execute(tx).await?;
    Ok(())
}

const DELETE_EXPIRED: &str = "DELETE FROM dav_locks WHERE drive_id = $1 AND expires_at <= $2";

/// Forgets the locks of a drive whose time is over.
///
/// # Errors
/// The catalogue's.
pub async fn delete_expired(tx: &mut Tx, drive: i64, now: i64) -> Result<()> {
    sql::query(DELETE_EXPIRED).bind(drive).bind(now).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, OF_DRIVE, ANY, COUNT, BY_UUID, ON_LINEAGE, BENEATH, REFRESH, DELETE, DELETE_EXPIRED
};
