//! Facts about this catalogue itself.

use super::db::Tx;
use super::sql;
use crate::error::Result;

const GET: &str = "SELECT value FROM settings WHERE key = $1";
const SET_ONCE: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";

/// A fact, if it is known.
///
/// # Errors
/// The catalogue's.
pub async fn get(tx: &mut Tx, key: &str) -> Result<Option<String>> {
    Ok(sql::query(GET).bind(key).fetch_optional(tx).await?)
}

/// A fact; the first who says it is right for ever. Returns what holds.
///
/// # Errors
/// The catalogue's.
pub async fn get_or_set(tx: &mut Tx, key: &str, value: &str) -> Result<String> {
    sql::query(SET_ONCE).bind(key).bind(value).execute(tx).await?;
    Ok(get(tx, key).await?.unwrap_or_else(|| value.to_owned()))
}

/// The server's public id, made at its first start.
///
/// # Errors
/// The catalogue's.
pub async fn server_id(tx: &mut Tx) -> Result<String> {
    get_or_set(tx, "server_id", &uuid::Uuid::new_v4().to_string()).await
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    GET, SET_ONCE
};
