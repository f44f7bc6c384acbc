//! What owners do with their drives: names, roots, members. The end of one is in `forgetting`.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::domain::drives::Capacity;
use crate::error::Result;

/// Somebody with whom a drive is shared.
#[derive(Debug, Clone)]
pub struct Sharer {
    /// Public id of the account.
    pub uuid: Uuid,
    /// Its user name.
    pub username: String,
    /// What people read.
    pub display_name: String,
    /// `editor` or `viewer`.
    pub role: String,
    /// Since when, in microseconds since 1970.
    pub created_at: i64,
}

row!(Sharer { uuid, username, display_name, role, created_at });

const RENAME: &str = "UPDATE drives SET name = $2, name_key = $3, updated_at = $4 WHERE id = $1";
const SET_PROVIDER: &str = "UPDATE drives SET provider = $2, updated_at = $3 WHERE id = $1";
const SET_ROOT: &str = "UPDATE drives SET root = $2, updated_at = $3 WHERE id = $1";
const SET_MEDIUM: &str = "UPDATE drives SET medium = $2 WHERE id = $1";
const SET_OFFLINE: &str = "UPDATE drives SET offline_since = $2, updated_at = $3 WHERE id = $1";
const SET_CAPACITY: &str =
    "UPDATE drives SET total_bytes = $2, available_bytes = $3, measured_at = $4 WHERE id = $1";
const OPEN_CONFLICTS: &str = "SELECT COUNT(*) FROM conflicts WHERE drive_id = $1 AND state = 'open'";
const SHARERS: &str = "SELECT u.uuid, u.username, u.display_name, m.role, m.created_at FROM drive_members m \
     JOIN users u ON u.id = m.user_id WHERE m.drive_id = $1 ORDER BY u.username_key";
const SHARE: &str = "INSERT INTO drive_members (drive_id, user_id, role, created_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (drive_id, user_id) DO UPDATE SET role = excluded.role";
const UNSHARE: &str = "DELETE FROM drive_members WHERE drive_id = $1 AND user_id = $2";

/// Gives a drive another name.
///
/// # Errors
/// The catalogue's, also when its owner has another drive of that name.
pub async fn rename(tx: &mut Tx, id: i64, name: &str, key: &str, now: i64) -> Result<(), sql::Error> {
    sql::query(RENAME).bind(id).bind(name).bind(key).bind(now).execute(tx).await.map(drop)
}

/// Says who provides a drive.
///
/// # Errors
/// The catalogue's.
pub async fn set_provider(tx: &mut Tx, id: i64, provider: Option<&str>, now: i64) -> Result<()> {
    sql::query(SET_PROVIDER).bind(id).bind(provider).bind(now).execute(tx).await?;
    Ok(())
}

/// Says where a drive's folder is.
///
/// # Errors
/// The catalogue's.
pub async fn set_root(tx: &mut Tx, id: i64, root: &str, now: i64) -> Result<()> {
    sql::query(SET_ROOT).bind(id).bind(root).bind(now).execute(tx).await?;
    Ok(())
}

/// Says by what a drive's medium is known again that carries no signature.
///
/// # Errors
/// The catalogue's.
pub async fn set_medium(tx: &mut Tx, id: i64, medium: &str) -> Result<()> {
    sql::query(SET_MEDIUM).bind(id).bind(medium).execute(tx).await?;
    Ok(())
}

/// Takes a drive out of reach, or brings it back.
///
/// # Errors
/// The catalogue's.
pub async fn set_offline(tx: &mut Tx, id: i64, since: Option<i64>, now: i64) -> Result<()> {
    sql::query(SET_OFFLINE).bind(id).bind(since).bind(now).execute(tx).await?;
    Ok(())
}

/// Notes how large a drive is.
///
/// # Errors
/// The catalogue's.
pub async fn set_capacity(tx: &mut Tx, id: i64, capacity: Capacity, now: i64) -> Result<()> {
    let bytes = |bytes: Option<u64>| bytes.and_then(|bytes| i64::try_from(bytes).ok());
    sql::query(SET_CAPACITY)
        .bind(id)
        .bind(bytes(capacity.total))
        .bind(bytes(capacity.available))
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// How many conflicts of a drive wait to be resolved.
///
/// # Errors
/// The catalogue's.
pub async fn open_conflicts(tx: &mut Tx, id: i64) -> Result<i64> {
    Ok(sql::query(OPEN_CONFLICTS).bind(id).fetch_one(tx).await?)
}

/// With whom a drive is shared, by user name.
///
/// # Errors
/// The catalogue's.
pub async fn sharers(tx: &mut Tx, id: i64) -> Result<Vec<Sharer>> {
    Ok(sql::query(SHARERS).bind(id).fetch_all(tx).await?)
}

/// Shares a drive with somebody, or says anew what they may do.
///
/// # Errors
/// The catalogue's.
pub async fn share(tx: &mut Tx, id: i64, user: i64, role: &str, now: i64) -> Result<()> {
    sql::query(SHARE).bind(id).bind(user).bind(role).bind(now).execute(tx).await?;
    Ok(())
}

/// Shares a drive with somebody no longer; whether it was.
///
/// # Errors
/// The catalogue's.
pub async fn unshare(tx: &mut Tx, id: i64, user: i64) -> Result<bool> {
    Ok(sql::query(UNSHARE).bind(id).bind(user).execute(tx).await? > 0)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    RENAME, SET_PROVIDER, SET_ROOT, SET_MEDIUM, SET_OFFLINE, SET_CAPACITY, OPEN_CONFLICTS, SHARERS, SHARE, UNSHARE
};
