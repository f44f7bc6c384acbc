//! Changes: one row per step of a drive's history, in the drive's order.

use uuid::Uuid;

use super::db::Tx;
use super::nodes::Node;
use super::sql::{self, Builder, Value, wide_portions};
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

/// A change to be added: what a node was and what it is now.
#[derive(Debug, Clone, Copy)]
pub struct NewChange<'a> {
    /// Its place in the drive's order.
    pub seq: i64,
    /// `add`, `modify`, ..
    pub kind: &'static str,
    /// Who did it and when.
    pub actor: &'a Actor,
    /// What the node was.
    pub old: &'a Side,
    /// What it is.
    pub new: &'a Node,
}

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO changes (uuid, drive_id, seq, node_id, at, actor_id, device_id, action, kind, old_parent_id, \
             old_name, old_version_id, old_state, new_parent_id, new_name, new_version_id, new_state) ",
            $values
        )
    };
}

const INSERT: &str =
    insert!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)");

impl<'a> NewChange<'a> {
    /// In the order of the columns.
    fn values(&self, drive: i64) -> [Value<'a>; 17] {
        let Self { seq, kind, actor, old, new } = *self;
        [
            sql::new_id().into(),
            drive.into(),
            seq.into(),
            new.id.into(),
            actor.now.into(),
            actor.user_id.into(),
            actor.device_id.into(),
            actor.action.into(),
            kind.into(),
            old.parent_id.into(),
            old.name.as_deref().into(),
            old.version_id.into(),
            old.state.as_deref().into(),
            new.parent_id.into(),
            (&new.name).into(),
            new.current_version_id.into(),
            (&new.state).into(),
        ]
    }
}

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
    let change = NewChange { seq, kind, actor, old, new };
    sql::query(INSERT).bind_all(change.values(drive)).execute(tx).await?;
    Ok(())
}

/// As [`insert()`], of many.
///
/// # Errors
/// The catalogue's.
pub async fn insert_all(tx: &mut Tx, drive: i64, new: &[NewChange<'_>]) -> Result<()> {
    for (_, new) in wide_portions(new) {
        let mut query = Builder::new(tx.engine_name(), insert!(""));
        query.rows(new.iter().map(|change| change.values(drive)));
        query.build().execute(tx).await?;
    }
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
