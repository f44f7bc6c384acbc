//! What requests with an `Idempotency-Key` were answered.

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A kept answer.
#[derive(Debug, Clone)]
pub struct Kept {
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
    /// The body of the answer.
    pub answer: String,
}

row!(Kept { fingerprint, answer });

const FIND: &str =
    "SELECT fingerprint, answer FROM idempotency_keys WHERE user_id = $1 AND key = $2 AND created_at > $3";
const KEEP: &str = "INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, created_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
     answer = excluded.answer, created_at = excluded.created_at";
const PRUNE: &str = "DELETE FROM idempotency_keys WHERE user_id = $1 AND key IN (SELECT key FROM (SELECT key, \
     ROW_NUMBER() OVER (ORDER BY created_at DESC, key) AS place, \
     SUM(LENGTH(answer)) OVER (ORDER BY created_at DESC, key) AS total FROM idempotency_keys WHERE user_id = $1) \
     AS ranked WHERE place > $2 OR total > $3)";
const EXPIRE: &str = "DELETE FROM idempotency_keys WHERE created_at <= $1";

/// The answer that was kept under an account's key after a time.
///
/// # Errors
/// The catalogue's.
pub async fn find(tx: &mut Tx, user: i64, key: &str, after: i64) -> Result<Option<Kept>> {
    Ok(sql::query(FIND).bind(user).bind(key).bind(after).fetch_optional(tx).await?)
}

/// Keeps an answer.
///
/// # Errors
/// The catalogue's.
pub async fn keep(tx: &mut Tx, (user, key): (i64, &str), kept: &Kept, now: i64) -> Result<()> {
    sql::query(KEEP)
        .bind(user)
        .bind(key)
        .bind(&kept.fingerprint[..])
        .bind(&kept.answer)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets an account's but for the newest `most`, as far as they have `bytes` together.
///
/// # Errors
/// The catalogue's.
pub async fn prune(tx: &mut Tx, user: i64, most: i64, bytes: i64) -> Result<()> {
    sql::query(PRUNE).bind(user).bind(most).bind(bytes).execute(tx).await?;
    Ok(())
}

/// Forgets what is as old as this.
///
/// # Errors
/// The catalogue's.
pub async fn expire(tx: &mut Tx, at: i64) -> Result<()> {
    sql::query(EXPIRE).bind(at).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    FIND, KEEP, PRUNE, EXPIRE
};
