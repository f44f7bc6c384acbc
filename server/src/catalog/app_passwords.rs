//! App passwords: one random secret per program or device, found by its keyed hash.

use uuid::Uuid;

use super::db::Tx;
use super::sessions::{Identity, IdentityRow};
use super::sql::{self, row};
use crate::error::Result;

/// An app password as its owner sees it; the secret is not kept.
#[derive(Debug, Clone)]
pub struct AppPassword {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The device it is bound to.
    pub device_id: Option<String>,
    /// Since when, in microseconds since 1970.
    pub created_at: i64,
    /// When it was last used, to some minutes, in microseconds since 1970.
    pub last_used_at: Option<i64>,
}

row!(AppPassword { id, uuid, name, device_id, created_at, last_used_at });

/// An app password to be made.
#[derive(Debug, Clone)]
pub struct NewAppPassword {
    /// Whose (internal user id).
    pub user_id: i64,
    /// For which device (internal id).
    pub device_id: Option<i64>,
    /// What its owner calls it.
    pub name: String,
    /// The keyed hash of the secret.
    pub secret_hash: [u8; 32],
    /// Now, in microseconds since 1970.
    pub at: i64,
}

const INSERT: &str = "INSERT INTO app_passwords (uuid, user_id, device_id, name, secret_hash, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING uuid";
const COUNT: &str = "SELECT COUNT(*) FROM app_passwords WHERE user_id = $1 AND revoked_at IS NULL";
const OF_USER: &str = "SELECT a.id, a.uuid, a.name, d.device_id, a.created_at, a.last_used_at \
    FROM app_passwords a LEFT JOIN devices d ON d.id = a.device_id \
    WHERE a.user_id = $1 AND a.id > $2 AND a.revoked_at IS NULL ORDER BY a.id LIMIT $3";
const REVOKE: &str =
    "UPDATE app_passwords SET revoked_at = $3 WHERE uuid = $1 AND user_id = $2 AND revoked_at IS NULL";
const IDENTITY: &str = "SELECT a.id AS credential_id, a.uuid AS credential, a.last_used_at, u.id AS user_id, \
        u.uuid AS user_uuid, u.username, u.role, d.id AS device_key, d.uuid AS device_uuid, d.device_id, \
        d.name AS device_name \
    FROM app_passwords a JOIN users u ON u.id = a.user_id LEFT JOIN devices d ON d.id = a.device_id \
    WHERE a.secret_hash = $1 AND u.username_key = $2 AND a.revoked_at IS NULL AND u.disabled_at IS NULL \
        AND d.revoked_at IS NULL";
const TOUCH: &str = "UPDATE app_passwords SET last_used_at = $2 WHERE id = $1";

/// Makes an app password; returns its public id.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: NewAppPassword) -> Result<Uuid> {
    Ok(sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(new.user_id)
        .bind(new.device_id)
        .bind(&new.name)
        .bind(&new.secret_hash[..])
        .bind(new.at)
        .fetch_one(tx)
        .await?)
}

/// How many a user has that count.
///
/// # Errors
/// The catalogue's.
pub async fn count(tx: &mut Tx, user_id: i64) -> Result<i64> {
    Ok(sql::query(COUNT).bind(user_id).fetch_one(tx).await?)
}

/// A user's app passwords after an internal id that count.
///
/// # Errors
/// The catalogue's.
pub async fn of_user(tx: &mut Tx, user_id: i64, after: i64, limit: i64) -> Result<Vec<AppPassword>> {
    Ok(sql::query(OF_USER).bind(user_id).bind(after).bind(limit).fetch_all(tx).await?)
}

/// Ends one of a user's; says whether there was one to end.
///
/// # Errors
/// The catalogue's.
pub async fn revoke(tx: &mut Tx, uuid: Uuid, user_id: i64, at: i64) -> Result<bool> {
    tx.after.accounts = true;
    let ended = sql::query(REVOKE).bind(uuid).bind(user_id).bind(at).execute(tx).await?;
    Ok(ended > 0)
}

/// Who an app password stands for, if it counts and is that user's.
///
/// # Errors
/// The catalogue's.
pub async fn identity(tx: &mut Tx, secret_hash: &[u8; 32], username_key: &str) -> Result<Option<Identity>> {
    let row: Option<IdentityRow> =
        sql::query(IDENTITY).bind(&secret_hash[..]).bind(username_key).fetch_optional(tx).await?;
    row.map(Identity::try_from).transpose()
}

/// Remembers that one was used.
///
/// # Errors
/// The catalogue's.
pub async fn touch(tx: &mut Tx, id: i64, at: i64) -> Result<()> {
    sql::query(TOUCH).bind(id).bind(at).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, COUNT, OF_USER, REVOKE, IDENTITY, TOUCH
};
