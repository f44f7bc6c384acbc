//! Contents that arrive in parts (tus 1.0), under way or become files.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A content that arrives in parts.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Internal key.
    pub id: i64,
    /// Public id, and that of the slot it becomes.
    pub uuid: Uuid,
    /// Internal key of the account it belongs to.
    pub user_id: i64,
    /// Internal key of the drive.
    pub drive_id: i64,
    /// Public id of the drive.
    pub drive: Uuid,
    /// Internal key of the device whose explicit sync act it is.
    pub device_id: Option<i64>,
    /// Bytes of the whole.
    pub size: i64,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// Bytes that are known to be durable.
    pub durable: i64,
    /// What it has become, in JSON; `None`: it is under way.
    pub result: Option<String>,
    /// Microseconds since 1970.
    pub expires_at: i64,
}

row!(Upload { id, uuid, user_id, drive_id, drive, device_id, size, metadata, durable, result, expires_at });

/// An upload to be begun.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Internal key of the account.
    pub user_id: i64,
    /// Internal key of the drive.
    pub drive_id: i64,
    /// Internal key of the device whose explicit sync act it is.
    pub device_id: Option<i64>,
    /// The file it is to become.
    pub path: String,
    /// Bytes of the whole.
    pub size: i64,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// Microseconds since 1970.
    pub now: i64,
    /// Microseconds since 1970.
    pub expires_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.uuid, u.user_id, u.drive_id, d.uuid AS drive, u.device_id, u.size, u.metadata, \
             u.durable, u.result, u.expires_at FROM uploads u JOIN drives d ON d.id = u.drive_id ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO uploads (uuid, user_id, drive_id, device_id, path, size, metadata, created_at, \
     expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING uuid";
const BY_UUID: &str = select!("WHERE u.uuid = $1 AND u.user_id = $2");
const OF_USER: &str = select!(
    "WHERE u.user_id = $1 AND u.result IS NULL AND u.id > $2 AND u.expires_at > $3 ORDER BY u.id LIMIT $4"
);
const COUNT: &str = "SELECT COUNT(*) FROM uploads WHERE user_id = $1 AND result IS NULL AND expires_at > $2";
const STANDS: &str = "UPDATE uploads SET durable = $2, expires_at = $3 WHERE id = $1";
const DONE: &str = "UPDATE uploads SET result = $2, durable = size WHERE id = $1";
const FORGET_OLDEST: &str = "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE user_id = $1 \
     AND result IS NOT NULL ORDER BY id DESC LIMIT 1000 OFFSET $2)";
const REMOVE: &str = "DELETE FROM uploads WHERE id = $1";
const EXPIRED: &str = select!("WHERE u.expires_at <= $1 AND u.id > $2 ORDER BY u.id LIMIT $3");
const IS_OPEN: &str = "SELECT 1 FROM uploads WHERE uuid = $1 AND drive_id = $2 AND result IS NULL";

/// Begins one; returns its public id.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: &NewUpload) -> Result<Uuid> {
    Ok(sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(new.user_id)
        .bind(new.drive_id)
        .bind(new.device_id)
        .bind(&new.path)
        .bind(new.size)
        .bind(&new.metadata)
        .bind(new.now)
        .bind(new.expires_at)
        .fetch_one(tx)
        .await?)
}

/// One of an account's.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, uuid: Uuid, user: i64) -> Result<Option<Upload>> {
    Ok(sql::query(BY_UUID).bind(uuid).bind(user).fetch_optional(tx).await?)
}

/// An account's that are under way, after an internal key.
///
/// # Errors
/// The catalogue's.
pub async fn of_user(tx: &mut Tx, user: i64, after: i64, now: i64, limit: i64) -> Result<Vec<Upload>> {
    Ok(sql::query(OF_USER).bind(user).bind(after).bind(now).bind(limit).fetch_all(tx).await?)
}

/// How many an account has under way.
///
/// # Errors
/// The catalogue's.
pub async fn count(tx: &mut Tx, user: i64, now: i64) -> Result<i64> {
    Ok(sql::query(COUNT).bind(user).bind(now).fetch_one(tx).await?)
}

/// Notes how many bytes are durable, and until when it lasts.
///
/// # Errors
/// The catalogue's.
pub async fn stands(tx: &mut Tx, id: i64, durable: i64, expires_at: i64) -> Result<()> {
    sql::query(STANDS).bind(id).bind(durable).bind(expires_at).execute(tx).await?;
    Ok(())
}

/// Notes what it has become. Of an account's that have become something only the newest `keep` are kept.
///
/// # Errors
/// The catalogue's.
pub async fn done(tx: &mut Tx, id: i64, user: i64, result: &str, keep: i64) -> Result<()> {
    sql::query(DONE).bind(id).bind(result).execute(tx).await?;
    sql::query(FORGET_OLDEST).bind(user).bind(keep).execute(tx).await?;
    Ok(())
}

/// Forgets one.
///
/// # Errors
/// The catalogue's.
pub async fn remove(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(REMOVE).bind(id).execute(tx).await?;
    Ok(())
}

/// Those whose time is over, after an internal key.
///
/// # Errors
/// The catalogue's.
pub async fn expired(tx: &mut Tx, now: i64, after: i64, limit: i64) -> Result<Vec<Upload>> {
    Ok(sql::query(EXPIRED).bind(now).bind(after).bind(limit).fetch_all(tx).await?)
}

/// Whether one of a drive's is under way.
///
/// # Errors
/// The catalogue's.
pub async fn is_open(tx: &mut Tx, uuid: Uuid, drive: i64) -> Result<bool> {
    let found: Option<i32> = sql::query(IS_OPEN).bind(uuid).bind(drive).fetch_optional(tx).await?;
    Ok(found.is_some())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, BY_UUID, OF_USER, COUNT, STANDS, DONE, FORGET_OLDEST, REMOVE, EXPIRED, IS_OPEN
};
