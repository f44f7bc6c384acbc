//! Devices that users registered (003-02). Revoking one ends its sessions and app passwords in the same transaction.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A registered device.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// Whose it is (internal user id).
    pub user_id: i64,
    /// What it calls itself, unique per user.
    pub device_id: String,
    /// What its owner calls it.
    pub name: String,
    /// Its operating system, if it said.
    pub platform: Option<String>,
    /// Since when it is registered, in microseconds since 1970.
    pub created_at: i64,
    /// When it was last changed, in microseconds since 1970.
    pub updated_at: i64,
    /// When it was last heard of, in microseconds since 1970.
    pub last_seen_at: Option<i64>,
    /// Since when its credentials count no more, in microseconds since 1970.
    pub revoked_at: Option<i64>,
}

row!(Device {
    id,
    uuid,
    user_id,
    device_id,
    name,
    platform,
    created_at,
    updated_at,
    last_seen_at,
    revoked_at,
});

/// What registering found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The device is new.
    New,
    /// It was registered before.
    Known,
    /// It had been revoked and is back; its old credentials are not.
    Revived,
}

const BY_NAME: &str = "SELECT id, uuid, user_id, device_id, name, platform, created_at, updated_at, last_seen_at, revoked_at \
    FROM devices WHERE user_id = $1 AND device_id = $2";
const PAGE: &str = "SELECT id, uuid, user_id, device_id, name, platform, created_at, updated_at, last_seen_at, revoked_at \
    FROM devices WHERE user_id = $1 AND id > $2 AND (revoked_at IS NULL OR $3) ORDER BY id LIMIT $4";
const REGISTER: &str = "INSERT INTO devices (uuid, user_id, device_id, name, platform, created_at, updated_at, last_seen_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $6, $6) \
    ON CONFLICT (user_id, device_id) DO UPDATE SET name = excluded.name, \
        platform = COALESCE(excluded.platform, devices.platform), revoked_at = NULL, \
        updated_at = excluded.updated_at, last_seen_at = excluded.last_seen_at \
    RETURNING id, uuid, user_id, device_id, name, platform, created_at, updated_at, last_seen_at, revoked_at";
const RENAME: &str = "UPDATE devices SET name = $2, updated_at = $3 WHERE id = $1";
const TOUCH: &str =
    "UPDATE devices SET last_seen_at = $2 WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < $2)";
const REVOKE: &str = "UPDATE devices SET revoked_at = $2, updated_at = $2 WHERE id = $1";
const REVOKE_SESSIONS: &str =
    "UPDATE sessions SET revoked_at = $2 WHERE device_id = $1 AND revoked_at IS NULL";
const REVOKE_APP_PASSWORDS: &str =
    "UPDATE app_passwords SET revoked_at = $2 WHERE device_id = $1 AND revoked_at IS NULL";
const FORGET_SYNC: &str = "DELETE FROM sync_states WHERE device_id = $1";

/// A user's device by what it calls itself, revoked ones too.
///
/// # Errors
/// The catalogue's.
pub async fn by_name(tx: &mut Tx, user_id: i64, device_id: &str) -> Result<Option<Device>> {
    Ok(sql::query(BY_NAME).bind(user_id).bind(device_id).fetch_optional(tx).await?)
}

/// A user's devices after an internal id, in the order they were registered.
///
/// # Errors
/// The catalogue's.
pub async fn page(
    tx: &mut Tx,
    user_id: i64,
    after: i64,
    revoked_too: bool,
    limit: i64,
) -> Result<Vec<Device>> {
    Ok(sql::query(PAGE).bind(user_id).bind(after).bind(revoked_too).bind(limit).fetch_all(tx).await?)
}

/// Registers a device or renames it (003-03); one that had been revoked counts again, its old credentials do not.
///
/// # Errors
/// The catalogue's.
pub async fn register(
    tx: &mut Tx,
    user_id: i64,
    device_id: &str,
    name: &str,
    platform: Option<&str>,
    at: i64,
) -> Result<(Device, Registered)> {
    tx.after.accounts = true;
    let before = by_name(tx, user_id, device_id).await?;
    let device: Device = sql::query(REGISTER)
        .bind(Uuid::new_v4())
        .bind(user_id)
        .bind(device_id)
        .bind(name)
        .bind(platform)
        .bind(at)
        .fetch_one(tx)
        .await?;
    let registered = match before {
        None => Registered::New,
        Some(before) if before.revoked_at.is_some() => Registered::Revived,
        Some(_) => Registered::Known,
    };
    Ok((device, registered))
}

/// Gives a device another name.
///
/// # Errors
/// The catalogue's.
pub async fn rename(tx: &mut Tx, id: i64, name: &str, at: i64) -> Result<()> {
    tx.after.accounts = true;
    sql::query(RENAME).bind(id).bind(name).bind(at).execute(tx).await?;
    Ok(())
}

/// Remembers when a device was heard of.
///
/// # Errors
/// The catalogue's.
pub async fn touch(tx: &mut Tx, id: i64, at: i64) -> Result<()> {
    sql::query(TOUCH).bind(id).bind(at).execute(tx).await?;
    Ok(())
}

/// Ends a device: its sessions and app passwords stop with it, and what it was believed to hold is forgotten
/// (algorithms B, e), so that it is a new device should it come back. Its conflicts stay: they hold content.
///
/// # Errors
/// The catalogue's.
pub async fn revoke(tx: &mut Tx, id: i64, at: i64) -> Result<()> {
    tx.after.accounts = true;
    for sql in [REVOKE, REVOKE_SESSIONS, REVOKE_APP_PASSWORDS] {
        sql::query(sql).bind(id).bind(at).execute(tx).await?;
    }
    sql::query(FORGET_SYNC).bind(id).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    BY_NAME, PAGE, REGISTER, RENAME, TOUCH, REVOKE, REVOKE_SESSIONS, REVOKE_APP_PASSWORDS, FORGET_SYNC
};
