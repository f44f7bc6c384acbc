//! Accounts.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::domain::accounts::Role;
use crate::error::{Error, Result};

/// An account.
#[derive(Debug, Clone)]
pub struct User {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// What it signs in with.
    pub username: String,
    /// What people read.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// An Argon2id PHC string.
    pub password_hash: String,
    /// Since when it may not sign in, in microseconds since 1970.
    pub disabled_at: Option<i64>,
    /// Since when it exists, in microseconds since 1970.
    pub created_at: i64,
    /// When it was last changed, in microseconds since 1970.
    pub updated_at: i64,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Its public id.
    pub uuid: Uuid,
    /// What it signs in with.
    pub username: String,
    /// The folded name ([`crate::domain::accounts::username_key`]).
    pub username_key: String,
    /// What people read.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// An Argon2id PHC string.
    pub password_hash: String,
    /// Now, in microseconds since 1970.
    pub at: i64,
}

struct Row {
    id: i64,
    uuid: Uuid,
    username: String,
    display_name: String,
    role: String,
    password_hash: String,
    disabled_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

row!(Row { id, uuid, username, display_name, role, password_hash, disabled_at, created_at, updated_at });

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            uuid: row.uuid,
            username: row.username,
            display_name: row.display_name,
            role: role(&row.role)?,
            password_hash: row.password_hash,
            disabled_at: row.disabled_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The role in a row; the table's CHECK admits no other.
pub(super) fn role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| Error::internal(format!("unknown role {text:?} in the catalogue")))
}

const INSERT: &str = "INSERT INTO users (uuid, username, username_key, display_name, role, password_hash, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
    RETURNING id, uuid, username, display_name, role, password_hash, disabled_at, created_at, updated_at";
const ANY: &str = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM users LIMIT 1) AS found";
const BY_UUID: &str = "SELECT id, uuid, username, display_name, role, password_hash, disabled_at, created_at, updated_at \
    FROM users WHERE uuid = $1";
const BY_KEY: &str = "SELECT id, uuid, username, display_name, role, password_hash, disabled_at, created_at, updated_at \
    FROM users WHERE username_key = $1";
const PAGE: &str = "SELECT id, uuid, username, display_name, role, password_hash, disabled_at, created_at, updated_at \
    FROM users WHERE id > $1 ORDER BY id LIMIT $2";
const UPDATE: &str =
    "UPDATE users SET display_name = $2, role = $3, disabled_at = $4, updated_at = $5 WHERE id = $1";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1";
const OTHER_ADMINS: &str =
    "SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL AND id <> $1";
const LOCK_ADMINS: &str = "UPDATE users SET updated_at = updated_at WHERE role = 'admin'";

/// Makes an account.
///
/// # Errors
/// `username-taken`, or the catalogue's.
pub async fn insert(tx: &mut Tx, new: NewUser) -> Result<User> {
    let row: Result<Row, sql::Error> = sql::query(INSERT)
        .bind(new.uuid)
        .bind(&new.username)
        .bind(&new.username_key)
        .bind(&new.display_name)
        .bind(new.role.as_str())
        .bind(&new.password_hash)
        .bind(new.at)
        .fetch_one(tx)
        .await;
    match row {
        Err(error) if error.is_unique_violation() => {
            Err(Error::conflict("this user name is taken").code("username-taken"))
        }
        row => row?.try_into(),
    }
}

/// Whether there is any account.
///
/// # Errors
/// The catalogue's.
pub async fn any(tx: &mut Tx) -> Result<bool> {
    let some: i64 = sql::query(ANY).fetch_one(tx).await?;
    Ok(some > 0)
}

/// The account with a public id.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, uuid: Uuid) -> Result<Option<User>> {
    let row: Option<Row> = sql::query(BY_UUID).bind(uuid).fetch_optional(tx).await?;
    row.map(User::try_from).transpose()
}

/// The account with a folded name.
///
/// # Errors
/// The catalogue's.
pub async fn by_key(tx: &mut Tx, username_key: &str) -> Result<Option<User>> {
    let row: Option<Row> = sql::query(BY_KEY).bind(username_key).fetch_optional(tx).await?;
    row.map(User::try_from).transpose()
}

/// Accounts after an internal id, in the order they were made.
///
/// # Errors
/// The catalogue's.
pub async fn page(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<User>> {
    let rows: Vec<Row> = sql::query(PAGE).bind(after).bind(limit).fetch_all(tx).await?;
    rows.into_iter().map(User::try_from).collect()
}

/// Stores what may change of an account: display name, role, disabled, and when it was changed.
///
/// # Errors
/// The catalogue's.
pub async fn update(tx: &mut Tx, user: &User) -> Result<()> {
    tx.after.accounts = true;
    sql::query(UPDATE)
        .bind(user.id)
        .bind(&user.display_name)
        .bind(user.role.as_str())
        .bind(user.disabled_at)
        .bind(user.updated_at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Stores a new password hash.
///
/// # Errors
/// The catalogue's.
pub async fn set_password(tx: &mut Tx, id: i64, password_hash: &str, at: i64) -> Result<()> {
    tx.after.accounts = true;
    sql::query(SET_PASSWORD).bind(id).bind(password_hash).bind(at).execute(tx).await?;
    Ok(())
}

/// Whether an admin other than this one can sign in. Locks the admins first, so that two who dismiss each other at
/// once cannot both succeed.
///
/// # Errors
/// The catalogue's.
pub async fn other_admin_exists(tx: &mut Tx, id: i64) -> Result<bool> {
    sql::query(LOCK_ADMINS).execute(tx).await?;
    let others: i64 = sql::query(OTHER_ADMINS).bind(id).fetch_one(tx).await?;
    Ok(others > 0)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, ANY, BY_UUID, BY_KEY, PAGE, UPDATE, SET_PASSWORD, OTHER_ADMINS, LOCK_ADMINS
};
