//! Ops: placements that are committed but not yet done, marked and judged.

use holdfast_protocol::ContentHash;
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, Builder, Value, row, wide_portions};
use crate::domain::stat::{Ident, Stat};
use crate::error::Result;

/// A placement with what it needs to be redone and judged.
#[derive(Debug, Clone)]
pub struct OpRow {
    /// Internal key.
    pub id: i64,
    /// Public id and name of its slot.
    pub uuid: Uuid,
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Its change's sequence.
    pub seq: i64,
    /// `put`, `mkdir`, `del`, `mv` or `mvover`.
    pub kind: String,
    /// Internal key of the node it places.
    pub node_id: i64,
    /// Internal key of the version it places (puts).
    pub version_id: Option<i64>,
    /// Physical path as of its seq (the source of a move).
    pub path: String,
    /// Physical path a move leads to.
    pub dst: Option<String>,
    ino: i64,
    btime_ns: i64,
    hash: Option<Vec<u8>>,
    /// Internal key of the version that should be displaced into its slot.
    pub displaced_version_id: Option<i64>,
    displaced_ino: Option<i64>,
    displaced_btime_ns: Option<i64>,
    displaced_size: Option<i64>,
    displaced_mtime_ns: Option<i64>,
    /// `pending`, `placed` or `parked`.
    pub state: String,
    /// Why it is parked.
    pub detail: Option<String>,
}

row!(OpRow {
    id,
    uuid,
    drive_id,
    seq,
    kind,
    node_id,
    version_id,
    path,
    dst,
    ino,
    btime_ns,
    hash,
    displaced_version_id,
    displaced_ino,
    displaced_btime_ns,
    displaced_size,
    displaced_mtime_ns,
    state,
    detail,
});

/// What `stat` should say of the content that an op displaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Displaced {
    /// Its inode.
    pub ident: Ident,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl Displaced {
    /// Whether a stat is just that.
    pub fn is(&self, stat: &Stat) -> bool {
        self.ident == stat.ident && self.size == stat.size.cast_signed() && self.mtime_ns == stat.mtime_ns
    }
}

impl OpRow {
    /// The inode it places.
    pub fn ident(&self) -> Ident {
        Ident { ino: self.ino.cast_unsigned(), btime_ns: self.btime_ns }
    }

    /// The content it places.
    pub fn hash(&self) -> Option<ContentHash> {
        self.hash.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok())
    }

    /// The version it should displace, and its stat.
    pub fn displaced_content(&self) -> Option<(Option<i64>, Displaced)> {
        self.displaced().map(|stat| (self.displaced_version_id, stat))
    }

    /// What it should displace.
    pub fn displaced(&self) -> Option<Displaced> {
        Some(Displaced {
            ident: Ident { ino: self.displaced_ino?.cast_unsigned(), btime_ns: self.displaced_btime_ns? },
            size: self.displaced_size?,
            mtime_ns: self.displaced_mtime_ns?,
        })
    }
}

/// A placement to be committed.
#[derive(Debug, Clone)]
pub struct NewOp {
    /// Public id and name of its slot.
    pub uuid: Uuid,
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Its change's sequence.
    pub seq: i64,
    /// See [`OpRow::kind`].
    pub kind: &'static str,
    /// Internal key of the node it places.
    pub node_id: i64,
    /// Internal key of the version it places.
    pub version_id: Option<i64>,
    /// Physical path, of the source of a move.
    pub path: String,
    /// Physical path a move leads to.
    pub dst: Option<String>,
    /// The inode it places.
    pub ident: Ident,
    /// The content it places.
    pub hash: Option<ContentHash>,
    /// The version it should displace, and its stat.
    pub displaced: Option<(Option<i64>, Displaced)>,
    /// Microseconds since 1970.
    pub now: i64,
}

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO ops (uuid, drive_id, seq, kind, node_id, version_id, path, dst, ino, btime_ns, hash, \
             displaced_version_id, displaced_ino, displaced_btime_ns, displaced_size, displaced_mtime_ns, committed_at) ",
            $values
        )
    };
}

const INSERT: &str =
    insert!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)");

impl NewOp {
    /// In the order of the columns.
    fn values(&self) -> [Value<'_>; 17] {
        let displaced = self.displaced.map(|(_, stat)| stat);
        [
            self.uuid.into(),
            self.drive_id.into(),
            self.seq.into(),
            self.kind.into(),
            self.node_id.into(),
            self.version_id.into(),
            (&self.path).into(),
            self.dst.as_deref().into(),
            self.ident.ino.cast_signed().into(),
            self.ident.btime_ns.into(),
            self.hash.as_ref().map(|hash| &hash.as_bytes()[..]).into(),
            self.displaced.and_then(|(version, _)| version).into(),
            displaced.map(|d| d.ident.ino.cast_signed()).into(),
            displaced.map(|d| d.ident.btime_ns).into(),
            displaced.map(|d| d.size).into(),
            displaced.map(|d| d.mtime_ns).into(),
            self.now.into(),
        ]
    }
}

/// Adds a placement and has the drive's placer told after the commit.
///
/// # Errors
/// The catalogue's.
pub async fn insert(tx: &mut Tx, new: &NewOp) -> Result<()> {
    sql::query(INSERT).bind_all(new.values()).execute(tx).await?;
    has_placements(tx, new.drive_id);
    Ok(())
}

/// As [`insert()`], of many.
///
/// # Errors
/// The catalogue's.
pub async fn insert_all(tx: &mut Tx, new: &[NewOp]) -> Result<()> {
    for (_, new) in wide_portions(new) {
        let mut query = Builder::new(tx.engine_name(), insert!(""));
        query.rows(new.iter().map(NewOp::values));
        query.build().execute(tx).await?;
    }
    new.iter().for_each(|op| has_placements(tx, op.drive_id));
    Ok(())
}

fn has_placements(tx: &mut Tx, drive: i64) {
    if !tx.after.drives.contains(&drive) {
        tx.after.drives.push(drive);
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, uuid, drive_id, seq, kind, node_id, version_id, path, dst, ino, btime_ns, hash, displaced_version_id, \
             displaced_ino, displaced_btime_ns, displaced_size, displaced_mtime_ns, state, detail FROM ops ",
            $rest
        )
    };
}

const PENDING: &str = select!("WHERE drive_id = $1 AND seq > $2 AND state = 'pending' ORDER BY seq LIMIT $3");

/// Pending placements of a drive after a sequence, in order.
///
/// # Errors
/// The catalogue's.
pub async fn pending(tx: &mut Tx, drive: i64, after: i64, limit: i64) -> Result<Vec<OpRow>> {
    Ok(sql::query(PENDING).bind(drive).bind(after).bind(limit).fetch_all(tx).await?)
}

const IN_STATE: &str = select!("WHERE drive_id = $1 AND state = $2 AND id > $3 ORDER BY id LIMIT $4");

/// Placements of a drive in a state after an internal key, oldest first.
///
/// # Errors
/// The catalogue's.
pub async fn in_state(tx: &mut Tx, drive: i64, state: &str, after: i64, limit: i64) -> Result<Vec<OpRow>> {
    Ok(sql::query(IN_STATE).bind(drive).bind(state).bind(after).bind(limit).fetch_all(tx).await?)
}

const PARKED_OF: &str = select!("WHERE node_id = $1 AND state = 'parked' ORDER BY seq");

/// Parked placements of a node, in order.
///
/// # Errors
/// The catalogue's.
pub async fn parked_of(tx: &mut Tx, node: i64) -> Result<Vec<OpRow>> {
    Ok(sql::query(PARKED_OF).bind(node).fetch_all(tx).await?)
}

const FIND: &str = select!("WHERE id = $1");

/// A placement by its internal key, if it is still there.
///
/// # Errors
/// The catalogue's.
pub async fn find(tx: &mut Tx, id: i64) -> Result<Option<OpRow>> {
    Ok(sql::query(FIND).bind(id).fetch_optional(tx).await?)
}

const PARKED_ABOUT: &str =
    select!("WHERE drive_id = $1 AND state = 'parked' AND ino = $2 AND btime_ns = $3 ORDER BY seq LIMIT 1");

/// The parked placement of a drive that is about an inode: what lies there is known, though not under that name.
///
/// # Errors
/// The catalogue's.
pub async fn parked_about(tx: &mut Tx, drive: i64, ident: Ident) -> Result<Option<OpRow>> {
    Ok(sql::query(PARKED_ABOUT)
        .bind(drive)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .fetch_optional(tx)
        .await?)
}

const DISPLACING: &str = select!(
    "WHERE drive_id = $1 AND seq > $2 AND state = 'pending' AND displaced_ino = $3 AND displaced_btime_ns = $4 ORDER BY seq LIMIT 1"
);

/// The first pending placement of a drive after a sequence that should displace an inode.
///
/// # Errors
/// The catalogue's.
pub async fn displacing(tx: &mut Tx, drive: i64, after: i64, ident: Ident) -> Result<Option<OpRow>> {
    Ok(sql::query(DISPLACING)
        .bind(drive)
        .bind(after)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .fetch_optional(tx)
        .await?)
}

const ANY_PENDING: &str =
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM ops WHERE drive_id = $1 AND seq > $2 AND state = 'pending')";

/// Whether a drive has a pending placement after a sequence.
///
/// # Errors
/// The catalogue's.
pub async fn any_pending(tx: &mut Tx, drive: i64, seq: i64) -> Result<bool> {
    let found: Option<i32> = sql::query(ANY_PENDING).bind(drive).bind(seq).fetch_optional(tx).await?;
    Ok(found.is_some())
}

const SET_STATE: &str = "UPDATE ops SET state = $2, detail = $3 WHERE id = $1";

/// Says that a placement is `placed` (and waits to be judged) or `parked`, and why.
///
/// # Errors
/// The catalogue's.
pub async fn set_state(tx: &mut Tx, id: i64, state: &'static str, detail: Option<&str>) -> Result<()> {
    sql::query(SET_STATE).bind(id).bind(state).bind(detail).execute(tx).await?;
    Ok(())
}

// By the nodes' keys: SQLite would else go through all nodes of the drive.
const SETTLE_NODES: &str = "UPDATE nodes SET slot = NULL WHERE state = 'live' \
     AND id IN (SELECT node_id FROM ops WHERE drive_id = $1 AND seq <= $2 AND state = 'pending') \
     AND slot IN (SELECT uuid FROM ops WHERE drive_id = $1 AND seq <= $2 AND state = 'pending')";
const SETTLE_OPS: &str = "UPDATE ops SET state = 'placed' WHERE drive_id = $1 AND seq <= $2 AND state = 'pending' \
     AND (displaced_ino IS NOT NULL OR detail IS NOT NULL)";
const DROP_DONE: &str = "DELETE FROM ops WHERE drive_id = $1 AND seq <= $2 AND state = 'pending'";

/// Settles every pending placement up to a sequence: nodes lie in the tree; what displaced something waits to be judged.
///
/// # Errors
/// The catalogue's.
pub async fn settle(tx: &mut Tx, drive: i64, seq: i64) -> Result<()> {
    for sql in [SETTLE_NODES, SETTLE_OPS, DROP_DONE] {
        sql::query(sql).bind(drive).bind(seq).execute(tx).await?;
    }
    Ok(())
}

const DELETE: &str = "DELETE FROM ops WHERE id = $1";

/// Forgets a placement that is done and judged.
///
/// # Errors
/// The catalogue's.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(DELETE).bind(id).execute(tx).await?;
    Ok(())
}

const SET_DETAIL: &str = "UPDATE ops SET detail = $2 WHERE id = $1";

/// Notes something about a placement that its judgement must know.
///
/// # Errors
/// The catalogue's.
pub async fn set_detail(tx: &mut Tx, id: i64, detail: &str) -> Result<()> {
    sql::query(SET_DETAIL).bind(id).bind(detail).execute(tx).await?;
    Ok(())
}

const SET_IDENT_OF_NODE: &str = "UPDATE ops SET ino = $2, btime_ns = $3 WHERE node_id = $1";

/// Says which inode the placements of a node are about.
///
/// # Errors
/// The catalogue's.
pub async fn set_ident_of_node(tx: &mut Tx, node: i64, ident: Ident) -> Result<()> {
    sql::query(SET_IDENT_OF_NODE)
        .bind(node)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_DISPLACED: &str = "UPDATE ops SET displaced_version_id = $2, displaced_ino = $3, displaced_btime_ns = $4, \
     displaced_size = $5, displaced_mtime_ns = $6 WHERE id = $1";

/// Says what a placement should displace.
///
/// # Errors
/// The catalogue's.
pub async fn set_displaced(tx: &mut Tx, id: i64, displaced: Option<(Option<i64>, Displaced)>) -> Result<()> {
    let stat = displaced.map(|(_, stat)| stat);
    sql::query(SET_DISPLACED)
        .bind(id)
        .bind(displaced.and_then(|(version, _)| version))
        .bind(stat.map(|d| d.ident.ino.cast_signed()))
        .bind(stat.map(|d| d.ident.btime_ns))
        .bind(stat.map(|d| d.size))
        .bind(stat.map(|d| d.mtime_ns))
        .execute(tx)
        .await?;
    Ok(())
}

const BECOME_DELETION: &str = "UPDATE ops SET kind = 'del', version_id = NULL, path = $2, dst = NULL, hash = NULL, ino = $3, \
     btime_ns = $4 WHERE id = $1";

/// Makes a placement the deletion of what lies at a path, into the placement's slot.
///
/// # Errors
/// The catalogue's.
pub async fn become_deletion(tx: &mut Tx, id: i64, path: &str, ident: Ident) -> Result<()> {
    sql::query(BECOME_DELETION)
        .bind(id)
        .bind(path)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_PATH: &str = "UPDATE ops SET path = $2 WHERE id = $1";

/// Says where what a placement moves lies now.
///
/// # Errors
/// The catalogue's.
pub async fn set_path(tx: &mut Tx, id: i64, path: &str) -> Result<()> {
    sql::query(SET_PATH).bind(id).bind(path).execute(tx).await?;
    Ok(())
}

const GO_ALONG: &str = "UPDATE ops SET path = $3 || substr(path, CAST($4 AS INTEGER)) WHERE drive_id = $1 AND state = 'parked' \
     AND kind IN ('del', 'mv', 'mvover') AND substr(path, 1, CAST($4 AS INTEGER)) = $2";

/// Says that what lies beneath a folder goes along with it, also what parked placements are about.
///
/// # Errors
/// The catalogue's.
pub async fn go_along(tx: &mut Tx, drive: i64, from: &str, to: &str) -> Result<()> {
    // Both engines count characters.
    let beneath = format!("{from}/");
    let length = i64::try_from(beneath.chars().count()).unwrap_or(i64::MAX);
    sql::query(GO_ALONG).bind(drive).bind(beneath).bind(to).bind(length).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, PENDING, IN_STATE, PARKED_OF, FIND, PARKED_ABOUT, DISPLACING, ANY_PENDING, SET_STATE, SETTLE_NODES,
    SETTLE_OPS, DROP_DONE, DELETE, SET_DETAIL, SET_IDENT_OF_NODE, SET_DISPLACED, BECOME_DELETION, SET_PATH, GO_ALONG
};
