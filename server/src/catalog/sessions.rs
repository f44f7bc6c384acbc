//! Logins: what a refresh token and its access tokens stand for.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use super::users::role;
use crate::domain::accounts::Role;
use crate::error::{Error, Result};

/// Who a credential stands for, as the catalogue knows it now.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The session or app password itself (internal id).
    pub credential_id: i64,
    /// Its public id.
    pub credential: Uuid,
    /// When it was last used, in microseconds since 1970.
    pub last_used_at: Option<i64>,
    /// The account (internal id).
    pub user_id: i64,
    /// The account's public id.
    pub user_uuid: Uuid,
    /// The account's name.
    pub username: String,
    /// What the account may do.
    pub role: Role,
    /// The device the credential is bound to.
    pub device: Option<BoundDevice>,
}

/// The device a credential is bound to.
#[derive(Debug, Clone)]
pub struct BoundDevice {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// What it calls itself.
    pub device_id: String,
    /// What its owner calls it.
    pub name: String,
}

/// The row behind an [`Identity`]; also that of an app password.
pub(super) struct IdentityRow {
    credential_id: i64,
    credential: Uuid,
    last_used_at: Option<i64>,
    user_id: i64,
    user_uuid: Uuid,
    username: String,
    role: String,
    device_key: Option<i64>,
    device_uuid: Option<Uuid>,
    device_id: Option<String>,
    device_name: Option<String>,
}

row!(IdentityRow {
    credential_id,
    credential,
    last_used_at,
    user_id,
    user_uuid,
    username,
    role,
    device_key,
    device_uuid,
    device_id,
    device_name,
});

impl TryFrom<IdentityRow> for Identity {
    type Error = Error;

    fn try_from(row: IdentityRow) -> Result<Self> {
        let device = match (row.device_key, row.device_uuid, row.device_id, row.device_name) {
            (Some(id), Some(uuid), Some(device_id), Some(name)) => {
                Some(BoundDevice { id, uuid, device_id, name })
            }
            _ => None,
        };
        Ok(Self {
            credential_id: row.credential_id,
            credential: row.credential,
            last_used_at: row.last_used_at,
            user_id: row.user_id,
            user_uuid: row.user_uuid,
            username: row.username,
            role: role(&row.role)?,
            device,
        })
    }
}

/// A login as its owner sees it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// Which refresh token counts.
    pub generation: i64,
    /// The program that signed in.
    pub user_agent: Option<String>,
    /// The device it is bound to.
    pub device_id: Option<String>,
    /// Since when, in microseconds since 1970.
    pub created_at: i64,
    /// When it was last refreshed, in microseconds since 1970.
    pub last_used_at: i64,
    /// When it ends, in microseconds since 1970.
    pub expires_at: i64,
}

row!(Session { id, uuid, generation, user_agent, device_id, created_at, last_used_at, expires_at });

/// A login to be made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Whose (internal user id).
    pub user_id: i64,
    /// On which device (internal id).
    pub device_id: Option<i64>,
    /// The program that signs in.
    pub user_agent: Option<String>,
    /// Now, in microseconds since 1970.
    pub at: i64,
    /// When it ends unless it is used, in microseconds since 1970.
    pub expires_at: i64,
}

const INSERT: &str = "INSERT INTO sessions (uuid, user_id, device_id, generation, user_agent, created_at, last_used_at, expires_at) \
    VALUES ($1, $2, $3, 1, $4, $5, $5, $6) RETURNING uuid";
const IDENTITY: &str = "SELECT s.id AS credential_id, s.uuid AS credential, s.last_used_at, u.id AS user_id, \
        u.uuid AS user_uuid, u.username, u.role, d.id AS device_key, d.uuid AS device_uuid, d.device_id, \
        d.name AS device_name \
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN devices d ON d.id = s.device_id \
    WHERE s.uuid = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.disabled_at IS NULL \
        AND d.revoked_at IS NULL";
const ROTATE: &str = "UPDATE sessions SET generation = generation + 1, last_used_at = $3, expires_at = $4 \
    WHERE uuid = $1 AND generation = $2 AND revoked_at IS NULL AND expires_at > $3 RETURNING generation";
const OF_USER: &str = "SELECT s.id, s.uuid, s.generation, s.user_agent, d.device_id, s.created_at, s.last_used_at, s.expires_at \
    FROM sessions s LEFT JOIN devices d ON d.id = s.device_id \
    WHERE s.user_id = $1 AND s.id > $2 AND s.revoked_at IS NULL AND s.expires_at > $3 \
    ORDER BY s.id LIMIT $4";
const REVOKE: &str =
    "UPDATE sessions SET revoked_at = $3 WHERE uuid = $1 AND user_id = $2 AND revoked_at IS NULL";
const REVOKE_ALL: &str =
    "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND uuid <> $3";
const DROP_OLD: &str = "DELETE FROM sessions WHERE user_id = $1 AND (expires_at < $2 OR revoked_at < $2)";
const DROP_MANY: &str = "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN ( \
    SELECT id FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, id DESC LIMIT $2)";

/// Makes a login and forgets the user's that ended before `forget_before`, and of the others all but the `most` that
/// were used last; returns its public id.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: NewSession, forget_before: i64, most: i64) -> Result<Uuid> {
    tx.after.accounts = true;
    sql::query(DROP_MANY).bind(new.user_id).bind(most - 1).execute(tx).await?;
    sql::query(DROP_OLD).bind(new.user_id).bind(forget_before).execute(tx).await?;
    Ok(sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(new.user_id)
        .bind(new.device_id)
        .bind(new.user_agent.as_deref())
        .bind(new.at)
        .bind(new.expires_at)
        .fetch_one(tx)
        .await?)
}

/// Who a session stands for, if it still counts.
///
/// # Errors
/// The catalogue's.
pub async fn identity(tx: &mut Tx, session: Uuid, now: i64) -> Result<Option<Identity>> {
    let row: Option<IdentityRow> = sql::query(IDENTITY).bind(session).bind(now).fetch_optional(tx).await?;
    row.map(Identity::try_from).transpose()
}

/// Uses up a generation and returns the next, unless it is not the one that counts.
///
/// # Errors
/// The catalogue's.
pub async fn rotate(
    tx: &mut Tx,
    session: Uuid,
    generation: i64,
    now: i64,
    expires_at: i64,
) -> Result<Option<i64>> {
    tx.after.accounts = true;
    Ok(sql::query(ROTATE)
        .bind(session)
        .bind(generation)
        .bind(now)
        .bind(expires_at)
        .fetch_optional(tx)
        .await?)
}

/// A user's logins after an internal id that still count.
///
/// # Errors
/// The catalogue's.
pub async fn of_user(tx: &mut Tx, user_id: i64, after: i64, now: i64, limit: i64) -> Result<Vec<Session>> {
    Ok(sql::query(OF_USER).bind(user_id).bind(after).bind(now).bind(limit).fetch_all(tx).await?)
}

/// Ends one login of a user; says whether there was one to end.
///
/// # Errors
/// The catalogue's.
pub async fn revoke(tx: &mut Tx, session: Uuid, user_id: i64, at: i64) -> Result<bool> {
    tx.after.accounts = true;
    let ended = sql::query(REVOKE).bind(session).bind(user_id).bind(at).execute(tx).await?;
    Ok(ended > 0)
}

/// Ends all logins of a user, or all but one.
///
/// # Errors
/// The catalogue's.
pub async fn revoke_all(tx: &mut Tx, user_id: i64, but: Option<Uuid>, at: i64) -> Result<()> {
    tx.after.accounts = true;
    // The nil UUID names no session: none is spared.
    let but = but.unwrap_or(Uuid::nil());
    sql::query(REVOKE_ALL).bind(user_id).bind(at).bind(but).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, IDENTITY, ROTATE, OF_USER, REVOKE, REVOKE_ALL, DROP_OLD, DROP_MANY
};
