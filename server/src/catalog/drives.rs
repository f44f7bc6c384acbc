//! Drives and who may use them.

use uuid::Uuid;

use super::changes::{self, Actor, Side};
use super::db::Tx;
use super::nodes;
use super::sql::{self, row};
use crate::domain::drives::Capacity;
use crate::error::Result;

/// A drive as the catalogue knows it.
#[derive(Debug, Clone)]
pub struct Drive {
    /// Internal key.
    pub id: i64,
    /// Public id.
    pub uuid: Uuid,
    /// Internal key of its owner.
    pub owner_id: i64,
    /// Its name, unique among its owner's.
    pub name: String,
    /// `nas`, `usb`, `internal`, `network` or `cloud`.
    pub kind: String,
    /// Says it is the same drive wherever it is seen.
    pub unique_identifier: String,
    /// Who provides it, for cloud drives.
    pub provider: Option<String>,
    /// Absolute path of its folder; `None`: known from reports alone.
    pub root: Option<String>,
    /// Internal key of the node that is its root folder.
    pub root_node_id: Option<i64>,
    /// By what its medium is known again where that can only be read and carries no signature.
    pub medium: Option<String>,
    /// Whether its file system takes names that differ in case alone for one.
    pub folds_case: bool,
    /// Why new writes are refused, in public words.
    pub degraded: Option<String>,
    /// Since when its owner wants it out of reach, in microseconds since 1970.
    pub offline_since: Option<i64>,
    /// Sequence of its last committed change.
    pub head_seq: i64,
    /// Every op up to this is on disk and durable there.
    pub placed_seq: i64,
    /// Changes before this are no longer told one by one.
    pub prune_floor: i64,
    /// Microseconds since 1970.
    pub created_at: i64,
    total_bytes: Option<i64>,
    available_bytes: Option<i64>,
    /// When its capacity was noted, in microseconds since 1970.
    pub measured_at: Option<i64>,
    /// When a device last told what is on it, in microseconds since 1970.
    pub reported_at: Option<i64>,
}

row!(Drive {
    id,
    uuid,
    owner_id,
    name,
    kind,
    unique_identifier,
    provider,
    root,
    root_node_id,
    medium,
    folds_case,
    degraded,
    offline_since,
    head_seq,
    placed_seq,
    prune_floor,
    created_at,
    total_bytes,
    available_bytes,
    measured_at,
    reported_at,
});

impl Drive {
    /// How large it is, as whoever saw it last said.
    pub fn capacity(&self) -> Capacity {
        let bytes = |bytes: Option<i64>| bytes.map(i64::cast_unsigned);
        Capacity { total: bytes(self.total_bytes), available: bytes(self.available_bytes) }
    }
}

macro_rules! columns {
    () => {
        "d.id, d.uuid, d.owner_id, d.name, d.kind, d.unique_identifier, d.provider, d.root, d.root_node_id, d.medium, \
         d.folds_case, d.degraded, d.offline_since, d.head_seq, d.placed_seq, d.prune_floor, d.created_at, d.total_bytes, \
         d.available_bytes, d.measured_at, d.reported_at"
    };
}

/// What a user may do with a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Look and read.
    View,
    /// Write, move, delete.
    Edit,
    /// Everything, sharing and forgetting included.
    Own,
}

/// A drive together with what the asking user may do with it.
#[derive(Debug, Clone)]
pub struct Visible {
    /// The drive.
    pub drive: Drive,
    /// The asking user's right.
    pub right: Right,
}

/// What a new drive starts with.
#[derive(Debug, Clone)]
pub struct NewDrive<'a> {
    /// Public id, also in the signature on its root.
    pub uuid: Uuid,
    /// Internal key of the owner.
    pub owner_id: i64,
    /// Its name.
    pub name: &'a str,
    /// The name's folded key.
    pub name_key: &'a str,
    /// See [`Drive::kind`].
    pub kind: &'a str,
    /// See [`Drive::unique_identifier`].
    pub unique_identifier: &'a str,
    /// Who provides it, for cloud drives.
    pub provider: Option<&'a str>,
    /// Absolute path of its folder.
    pub root: Option<&'a str>,
    /// Microseconds since 1970.
    pub now: i64,
}

const INSERT: &str = "INSERT INTO drives (uuid, owner_id, name, name_key, kind, unique_identifier, provider, root, \
     is_available, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE, $9, $9) RETURNING id";
const SET_ROOT_NODE: &str = "UPDATE drives SET root_node_id = $2 WHERE id = $1";

/// Adds a drive and its root folder's node; returns their internal keys.
///
/// # Errors
/// The catalogue's, also when owner and name or identifier exist already.
pub async fn insert(tx: &mut Tx, new: &NewDrive<'_>) -> Result<(i64, i64)> {
    let id: i64 = sql::query(INSERT)
        .bind(new.uuid)
        .bind(new.owner_id)
        .bind(new.name)
        .bind(new.name_key)
        .bind(new.kind)
        .bind(new.unique_identifier)
        .bind(new.provider)
        .bind(new.root)
        .bind(new.now)
        .fetch_one(tx)
        .await?;
    let root = nodes::insert_root(tx, id, new.now).await?;
    sql::query(SET_ROOT_NODE).bind(id).bind(root).execute(tx).await?;
    // Change 0 is the drive's making: an empty drive, too, has a token (algorithms B).
    let actor = Actor { user_id: Some(new.owner_id), device_id: None, action: Uuid::new_v4(), now: new.now };
    let node = nodes::by_id(tx, root).await?;
    changes::insert(tx, id, 0, "add", &actor, &Side::default(), &node).await?;
    Ok((id, root))
}

const BY_ID: &str =
    concat!("SELECT ", columns!(), " FROM drives d WHERE d.id = $1 AND d.forgotten_at IS NULL");

/// A drive by its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Option<Drive>> {
    Ok(sql::query(BY_ID).bind(id).fetch_optional(tx).await?)
}

// The update takes the row lock on Postgres; on SQLite the writer is alone anyway.
const LOCK: &str = concat!(
    "UPDATE drives AS d SET head_seq = head_seq WHERE d.id = $1 AND d.forgotten_at IS NULL RETURNING ",
    "id, uuid, owner_id, name, kind, \
     unique_identifier, provider, root, root_node_id, medium, folds_case, degraded, offline_since, head_seq, placed_seq, \
     prune_floor, created_at, total_bytes, available_bytes, measured_at, reported_at"
);

/// A drive by its internal key, its row locked until the transaction ends: changes of a drive are serialised by it.
///
/// # Errors
/// The catalogue's.
pub async fn lock(tx: &mut Tx, id: i64) -> Result<Option<Drive>> {
    Ok(sql::query(LOCK).bind(id).fetch_optional(tx).await?)
}

const ROOTED: &str = concat!("SELECT ", columns!(), " FROM drives d WHERE d.root IS NOT NULL ORDER BY d.id");

/// Every drive that has a root; none that was forgotten.
///
/// # Errors
/// The catalogue's.
pub async fn rooted(tx: &mut Tx) -> Result<Vec<Drive>> {
    Ok(sql::query(ROOTED).fetch_all(tx).await?)
}

struct VisibleRow {
    drive: Drive,
    member: Option<String>,
}

row!(VisibleRow [drive: Drive] { member });

impl VisibleRow {
    fn seen_by(self, user: i64) -> Visible {
        let right = match self.member.as_deref() {
            _ if self.drive.owner_id == user => Right::Own,
            Some("editor") => Right::Edit,
            _ => Right::View,
        };
        Visible { drive: self.drive, right }
    }
}

const VISIBLE: &str = concat!(
    "SELECT ",
    columns!(),
    ", m.role AS member FROM drives d LEFT JOIN drive_members m ON m.drive_id = d.id AND m.user_id = $1 \
     WHERE d.forgotten_at IS NULL AND (d.owner_id = $1 OR m.user_id IS NOT NULL) ORDER BY CASE WHEN d.owner_id = $1 THEN 0 ELSE 1 END, d.name, d.id"
);

/// Every drive a user may see: own before shared, then by name.
///
/// # Errors
/// The catalogue's.
pub async fn visible(tx: &mut Tx, user: i64) -> Result<Vec<Visible>> {
    let rows: Vec<VisibleRow> = sql::query(VISIBLE).bind(user).fetch_all(tx).await?;
    Ok(rows.into_iter().map(|row| row.seen_by(user)).collect())
}

const VISIBLE_ONE: &str = concat!(
    "SELECT ",
    columns!(),
    ", m.role AS member FROM drives d LEFT JOIN drive_members m ON m.drive_id = d.id AND m.user_id = $1 \
     WHERE d.id = $2 AND d.forgotten_at IS NULL AND (d.owner_id = $1 OR m.user_id IS NOT NULL)"
);

/// A drive by its internal key, if a user may see it.
///
/// # Errors
/// The catalogue's.
pub async fn visible_one(tx: &mut Tx, user: i64, id: i64) -> Result<Option<Visible>> {
    let row: Option<VisibleRow> = sql::query(VISIBLE_ONE).bind(user).bind(id).fetch_optional(tx).await?;
    Ok(row.map(|row| row.seen_by(user)))
}

const RIGHT: &str = "SELECT CASE WHEN d.owner_id = $2 THEN 'owner' ELSE m.role END FROM drives d \
     LEFT JOIN drive_members m ON m.drive_id = d.id AND m.user_id = $2 WHERE d.id = $1 AND d.forgotten_at IS NULL";

/// What a user may do with a drive; `None` when the drive is not for them to see.
///
/// # Errors
/// The catalogue's.
pub async fn right(tx: &mut Tx, drive: i64, user: i64) -> Result<Option<Right>> {
    let role: Option<Option<String>> = sql::query(RIGHT).bind(drive).bind(user).fetch_optional(tx).await?;
    Ok(match role.flatten().as_deref() {
        Some("owner") => Some(Right::Own),
        Some("editor") => Some(Right::Edit),
        Some(_) => Some(Right::View),
        None => None,
    })
}

const SET_HEAD: &str = "UPDATE drives SET head_seq = $2 WHERE id = $1";

/// Sets the sequence of the last committed change; whoever follows the drive is told after the commit.
///
/// # Errors
/// The catalogue's.
pub async fn set_head(tx: &mut Tx, id: i64, seq: i64) -> Result<()> {
    sql::query(SET_HEAD).bind(id).bind(seq).execute(tx).await?;
    tx.after.heads.push((id, seq));
    Ok(())
}

const SET_PLACED: &str = "UPDATE drives SET placed_seq = $2 WHERE id = $1 AND placed_seq < $2";

/// Raises the watermark: every op up to it is on disk and durable there.
///
/// # Errors
/// The catalogue's.
pub async fn set_placed(tx: &mut Tx, id: i64, seq: i64) -> Result<()> {
    sql::query(SET_PLACED).bind(id).bind(seq).execute(tx).await?;
    Ok(())
}

const SET_DEGRADED: &str = "UPDATE drives SET degraded = $2 WHERE id = $1";

/// Says why new writes are refused, or that they are no longer.
///
/// # Errors
/// The catalogue's.
pub async fn set_degraded(tx: &mut Tx, id: i64, why: Option<&str>) -> Result<()> {
    sql::query(SET_DEGRADED).bind(id).bind(why).execute(tx).await?;
    Ok(())
}

const SET_FOLDS_CASE: &str = "UPDATE drives SET folds_case = $2 WHERE id = $1";

/// Says whether a drive's file system takes names that differ in case alone for one.
///
/// # Errors
/// The catalogue's.
pub async fn set_folds_case(tx: &mut Tx, id: i64, folds_case: bool) -> Result<()> {
    sql::query(SET_FOLDS_CASE).bind(id).bind(folds_case).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, SET_ROOT_NODE, BY_ID, LOCK, ROOTED, VISIBLE, VISIBLE_ONE, RIGHT, SET_HEAD, SET_PLACED, SET_DEGRADED,
    SET_FOLDS_CASE
};
