//! What the tree says of slots: which node lies in which.

use uuid::Uuid;

use super::db::Tx;
use super::sql;
use crate::error::Result;

const CLEAR: &str = "UPDATE nodes SET slot = NULL WHERE slot = $1";

/// Says that nothing lies in a slot after all.
///
/// # Errors
/// The catalogue's.
pub async fn clear(tx: &mut Tx, slot: Uuid) -> Result<()> {
    sql::query(CLEAR).bind(slot).execute(tx).await?;
    Ok(())
}

const REPLACE: &str = "UPDATE nodes SET slot = $2 WHERE slot = $1";

/// Says that what lay in one slot lies in another now.
///
/// # Errors
/// The catalogue's.
pub async fn replace(tx: &mut Tx, old: Uuid, new: Uuid) -> Result<()> {
    sql::query(REPLACE).bind(old).bind(new).execute(tx).await?;
    Ok(())
}

// The sign keeps SQLite from an index by drive, in which it would go through all nodes of it.
const FOLDER_IN: &str = "SELECT id FROM nodes WHERE +drive_id = $1 AND slot = $2 AND kind = 'folder'";

/// The dead folder that lies in a slot.
///
/// # Errors
/// The catalogue's.
pub async fn folder_in(tx: &mut Tx, drive: i64, slot: Uuid) -> Result<Option<i64>> {
    Ok(sql::query(FOLDER_IN).bind(drive).bind(slot).fetch_optional(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { CLEAR, REPLACE, FOLDER_IN };
