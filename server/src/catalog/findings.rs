//! Findings: where disk and catalogue disagree, for people to settle.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

const INSERT: &str = "INSERT INTO findings (uuid, drive_id, node_id, kind, path, detail, created_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM findings \
     WHERE drive_id = $2 AND kind = $4 AND path = $5 AND resolved_at IS NULL)";

/// Adds a finding, unless the same one is open already.
///
/// # Errors
/// The catalogue's.
pub async fn add(
    tx: &mut Tx,
    drive: i64,
    node: Option<i64>,
    kind: &str,
    path: &str,
    detail: &str,
    now: i64,
) -> Result<()> {
    sql::query(INSERT)
        .bind(Uuid::new_v4())
        .bind(drive)
        .bind(node)
        .bind(kind)
        .bind(path)
        .bind(detail)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

const RESOLVE: &str = "UPDATE findings SET resolved_at = $3, resolution = $4 \
     WHERE node_id = $1 AND kind = $2 AND resolved_at IS NULL";

/// Settles the open findings of a kind about a node.
///
/// # Errors
/// The catalogue's.
pub async fn resolve_of_node(tx: &mut Tx, node: i64, kind: &str, resolution: &str, now: i64) -> Result<()> {
    sql::query(RESOLVE).bind(node).bind(kind).bind(now).bind(resolution).execute(tx).await?;
    Ok(())
}

const ANY_OPEN: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM findings WHERE drive_id = $1 AND kind = $2 AND resolved_at IS NULL)";

/// Whether a drive has an open finding of a kind.
///
/// # Errors
/// The catalogue's.
pub async fn any_open(tx: &mut Tx, drive: i64, kind: &str) -> Result<bool> {
    let found: Option<i32> = sql::query(ANY_OPEN).bind(drive).bind(kind).fetch_optional(tx).await?;
    Ok(found.is_some())
}

/// A finding that nobody has settled.
#[derive(Debug, Clone)]
pub struct Open {
    /// Internal key.
    pub id: i64,
    /// Internal key of the node it is about.
    pub node_id: Option<i64>,
    /// The path it is about.
    pub path: String,
}

row!(Open { id, node_id, path });

const OPEN: &str = "SELECT id, node_id, path FROM findings WHERE drive_id = $1 AND kind = $2 AND resolved_at IS NULL ORDER BY id";

/// The open findings of a kind about a drive.
///
/// # Errors
/// The catalogue's.
pub async fn open(tx: &mut Tx, drive: i64, kind: &str) -> Result<Vec<Open>> {
    Ok(sql::query(OPEN).bind(drive).bind(kind).fetch_all(tx).await?)
}

const RESOLVE_ONE: &str =
    "UPDATE findings SET resolved_at = $2, resolution = $3 WHERE id = $1 AND resolved_at IS NULL";

/// Settles a finding.
///
/// # Errors
/// The catalogue's.
pub async fn resolve(tx: &mut Tx, id: i64, resolution: &str, now: i64) -> Result<()> {
    sql::query(RESOLVE_ONE).bind(id).bind(now).bind(resolution).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { INSERT, RESOLVE, ANY_OPEN, OPEN, RESOLVE_ONE };
