//! Changes: one row per step of a drive's history, in the drive's order.

use uuid::Uuid;

use super::db::Tx;
use super::nodes::Node;
use super::sql;
use crate::error::Result;

/// Who does something and when.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    /// Internal key of the account; `None`: another program on the disk.
    pub user_id: Option<i64>,
    /// Internal key of the device.
    pub device_id: Option<i64>,
    /// Groups the changes of one act.
    pub action: Uuid,
    /// Microseconds since 1970.
    pub now: i64,
}

/// One side of a change: what a node was, or is now.
#[derive(Debug, Clone, Default)]
pub struct Side {
    /// Internal key of its folder.
    pub parent_id: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// Internal key of its current version.
    pub version_id: Option<i64>,
    /// Its state.
    pub state: Option<String>,
}

impl From<&Node> for Side {
    fn from(node: &Node) -> Self {
        Self {
            parent_id: node.parent_id,
            name: Some(node.name.clone()),
            version_id: node.current_version_id,
            state: Some(node.state.clone()),
        }
    }
}

const INSERT: &str = "INSERT INTO changes (uuid, drive_id, seq, node_id, at, actor_id, device_id, action, kind, old_parent_id, \
     old_name, old_version_id, old_state, new_parent_id, new_name, new_version_id, new_state) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

/// Adds a change: what a node was and what it is now.
///
/// # Errors
/// The catalogue's.
pub async fn insert(
    tx: &mut Tx,
    drive: i64,
    seq: i64,
    kind: &'static str,
    actor: &Actor,
    old: &Side,
    new: &Node,
) -> Result<()> {
    sql::query(INSERT)
        .bind(sql::new_id())
        .bind(drive)
        .bind(seq)
        .bind(new.id)
        .bind(actor.now)
        .bind(actor.user_id)
        .bind(actor.device_id)
        .bind(actor.action)
        .bind(kind)
        .bind(old.parent_id)
        .bind(old.name.as_deref())
        .bind(old.version_id)
        .bind(old.state.as_deref())
        .bind(new.parent_id)
        .bind(&new.name)
        .bind(new.current_version_id)
        .bind(&new.state)
        .execute(tx)
        .await?;
    Ok(())
}

const TOKEN_AT: &str = "SELECT uuid FROM changes WHERE drive_id = $1 AND seq = $2";

/// The public id of a drive's change: the token that names the drive's state after it.
///
/// # Errors
/// The catalogue's.
pub async fn token_at(tx: &mut Tx, drive: i64, seq: i64) -> Result<Option<Uuid>> {
    Ok(sql::query(TOKEN_AT).bind(drive).bind(seq).fetch_optional(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, TOKEN_AT
};
