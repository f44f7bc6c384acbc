//! What devices tell of drives without a root: how far each has come with telling it, and the nodes that this makes, by the
//! hundred.

use std::collections::HashMap;

use holdfast_protocol::{ContentHash, fold_key};
use uuid::Uuid;

use super::db::Tx;
use super::nodes::{Node, columns};
use super::sql::{self, Builder, portions, row, wide_portions};
use crate::error::Result;

/// A device's last walk over a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// The device's own id of it.
    pub walk: Uuid,
    /// Microseconds since 1970.
    pub began_at: i64,
    /// When something of it last arrived.
    pub last_at: i64,
    /// When the device said that this was all.
    pub ended_at: Option<i64>,
    /// Files and folders that nobody had told of before.
    pub added: i64,
    /// Those that are otherwise than was known.
    pub changed: i64,
    /// Those that are no longer seen.
    pub gone: i64,
    /// Files no longer seen, since a person last said yes to that.
    pub gone_files: i64,
    /// More are gone, and nobody has said yes yet.
    pub withheld: bool,
}

row!(Walk { walk, began_at, last_at, ended_at, added, changed, gone, gone_files, withheld });

const WALK: &str = "SELECT walk, began_at, last_at, ended_at, added, changed, gone, gone_files, withheld FROM drive_reports \
     WHERE drive_id = $1 AND client_id = $2";
const SAVE: &str = "INSERT INTO drive_reports (drive_id, client_id, walk, began_at, last_at, ended_at, added, changed, gone, \
     gone_files, withheld) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
     ON CONFLICT (drive_id, client_id) DO UPDATE SET walk = excluded.walk, began_at = excluded.began_at, \
         last_at = excluded.last_at, ended_at = excluded.ended_at, added = excluded.added, changed = excluded.changed, \
         gone = excluded.gone, gone_files = excluded.gone_files, withheld = excluded.withheld";
const SET_REPORTED: &str = "UPDATE drives SET reported_at = $2 WHERE id = $1";

/// A device's last walk over a drive.
///
/// # Errors
/// The catalogue's.
pub async fn walk(tx: &mut Tx, drive: i64, device: i64) -> Result<Option<Walk>> {
    Ok(sql::query(WALK).bind(drive).bind(device).fetch_optional(tx).await?)
}

/// Notes how far a device has come, and that the drive was told of.
///
/// # Errors
/// The catalogue's.
pub async fn save(tx: &mut Tx, drive: i64, device: i64, walk: &Walk) -> Result<()> {
    sql::query(SAVE)
        .bind(drive)
        .bind(device)
        .bind(walk.walk)
        .bind(walk.began_at)
        .bind(walk.last_at)
        .bind(walk.ended_at)
        .bind(walk.added)
        .bind(walk.changed)
        .bind(walk.gone)
        .bind(walk.gone_files)
        .bind(walk.withheld)
        .execute(tx)
        .await?;
    sql::query(SET_REPORTED).bind(drive).bind(walk.last_at).execute(tx).await?;
    Ok(())
}

/// A file or folder that a device tells of.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Internal key of its folder.
    pub parent_id: i64,
    /// Its name.
    pub name: &'a str,
    /// `file` or `folder`.
    pub kind: &'static str,
    /// Sequence of the change that makes it.
    pub seq: i64,
    /// A file's content, where the device told.
    pub hash: Option<ContentHash>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl Told<'_> {
    fn node(&self, id: i64, uuid: Uuid, drive_id: i64, now: i64) -> Node {
        Node {
            id,
            uuid,
            drive_id,
            parent_id: Some(self.parent_id),
            name: self.name.to_owned(),
            kind: self.kind.to_owned(),
            state: "live".to_owned(),
            seq: self.seq,
            named_seq: self.seq,
            hash: self.hash.map(|hash| hash.as_bytes().to_vec()),
            size: self.size,
            mtime_ns: self.mtime_ns,
            ino: 0,
            btime_ns: 0,
            current_version_id: None,
            last_version: 0,
            slot: None,
            modified_at: now,
            deleted_at: None,
        }
    }
}

/// Adds live files and folders of which this server has no bytes: they have no version.
///
/// # Errors
/// The catalogue's, also when a live node has one of the names already.
pub async fn insert_all(tx: &mut Tx, drive: i64, told: &[Told<'_>], now: i64) -> Result<Vec<Node>> {
    let ids: Vec<Uuid> = told.iter().map(|_| sql::new_id()).collect();
    let mut given = Vec::with_capacity(told.len());
    for (begin, told) in wide_portions(told) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO nodes (uuid, drive_id, parent_id, name, name_key, kind, state, seq, named_seq, hash, size, mtime_ns, \
             ino, btime_ns, created_at, modified_at) ",
        );
        query.rows(told.iter().zip(&ids[begin..]).map(|(one, id)| {
            [
                (*id).into(),
                drive.into(),
                one.parent_id.into(),
                one.name.into(),
                fold_key(one.name).into(),
                one.kind.into(),
                "live".into(),
                one.seq.into(),
                one.seq.into(),
                one.hash.map(|hash| hash.as_bytes().to_vec()).into(),
                one.size.into(),
                one.mtime_ns.into(),
                0_i64.into(),
                0_i64.into(),
                now.into(),
                now.into(),
            ]
        }));
        query.push(" RETURNING id, uuid");
        given.extend(query.build().fetch_all::<(i64, Uuid)>(tx).await?);
    }
    let keys = sql::in_order(&ids, given)?;
    Ok(told.iter().zip(ids).zip(keys).map(|((one, uuid), id)| one.node(id, uuid, drive, now)).collect())
}

/// A node as it is told of anew, by the change of a sequence.
pub fn retold(node: &Node, seq: i64, hash: Option<ContentHash>, size: i64, mtime_ns: i64) -> Node {
    let hash = hash.map(|hash| hash.as_bytes().to_vec());
    Node { seq, hash, size, mtime_ns, ..node.clone() }
}

/// A node as it is once it is no longer seen, by the change of a sequence.
pub fn dead(node: &Node, seq: i64) -> Node {
    Node { state: "dead".to_owned(), seq, ..node.clone() }
}

/// Writes of nodes what a device tells of them now: their hashes, sizes, times and sequences are those to be written.
///
/// # Errors
/// The catalogue's.
pub async fn set_all(tx: &mut Tx, nodes: &[Node], now: i64) -> Result<()> {
    for (_, nodes) in portions(nodes) {
        let mut query =
            Builder::new(tx.engine_name(), "WITH told (id, seq, hash, size, mtime_ns, modified_at) AS (");
        query.rows(nodes.iter().map(|node| {
            [
                node.id.into(),
                node.seq.into(),
                node.hash.as_deref().into(),
                node.size.into(),
                node.mtime_ns.into(),
                now.into(),
            ]
        }));
        query.push(
            ") UPDATE nodes SET seq = told.seq, hash = told.hash, size = told.size, mtime_ns = told.mtime_ns, \
             modified_at = told.modified_at FROM told WHERE nodes.id = told.id",
        );
        query.build().execute(tx).await?;
    }
    Ok(())
}

/// Makes nodes dead, each by the sequence that stands in it.
///
/// # Errors
/// The catalogue's.
pub async fn set_dead_all(tx: &mut Tx, nodes: &[Node], now: i64) -> Result<()> {
    for (_, nodes) in portions(nodes) {
        let mut query = Builder::new(tx.engine_name(), "WITH gone (id, seq, at) AS (");
        query.rows(nodes.iter().map(|node| [node.id.into(), node.seq.into(), now.into()]));
        query.push(
            ") UPDATE nodes SET state = 'dead', seq = gone.seq, modified_at = gone.at, deleted_at = gone.at \
             FROM gone WHERE nodes.id = gone.id",
        );
        query.build().execute(tx).await?;
    }
    Ok(())
}

struct Numbered {
    node: Node,
    i: i64,
}

row!(Numbered [node: Node] { i });

/// The live nodes of these names in folders, by their place in the list.
///
/// # Errors
/// The catalogue's.
pub async fn named(tx: &mut Tx, names: &[(i64, &str)]) -> Result<HashMap<usize, Node>> {
    let mut found = HashMap::new();
    for (begin, names) in portions(names) {
        let mut query = Builder::new(tx.engine_name(), "WITH wanted (i, parent_id, name) AS (");
        query.rows(names.iter().enumerate().map(|(i, (parent, name))| {
            [i64::try_from(begin + i).unwrap_or(i64::MAX).into(), (*parent).into(), (*name).into()]
        }));
        query.push(concat!(
            ") SELECT ",
            columns!("n"),
            ", w.i AS i FROM wanted w JOIN nodes n ON n.parent_id = w.parent_id AND n.name = w.name AND n.state <> 'dead'"
        ));
        for row in query.build().fetch_all::<Numbered>(tx).await? {
            found.insert(usize::try_from(row.i).unwrap_or(usize::MAX), row.node);
        }
    }
    Ok(found)
}

/// The live nodes in these folders that `keep` says are wanted; the others are read past and not held.
///
/// # Errors
/// The catalogue's.
pub async fn in_folders(
    tx: &mut Tx,
    folders: &[i64],
    mut keep: impl FnMut(&Node) -> bool + Send,
) -> Result<Vec<Node>> {
    let mut kept = Vec::new();
    for (_, folders) in portions(folders) {
        let mut query = Builder::new(
            tx.engine_name(),
            concat!("SELECT ", columns!("n"), " FROM nodes n WHERE n.state <> 'dead' AND n.parent_id IN ("),
        );
        query.list(folders.iter().copied()).push(")");
        let each = |node: Node| {
            if keep(&node) {
                kept.push(node);
            }
            Ok(())
        };
        query.build().for_each(tx, each).await?;
    }
    Ok(kept)
}

const FILES_UP_TO: &str = "WITH RECURSIVE down (id, kind) AS (SELECT n.id, n.kind FROM nodes n WHERE n.id = $1 UNION ALL \
     SELECT n.id, n.kind FROM down JOIN nodes n ON n.parent_id = down.id WHERE n.state <> 'dead') \
     SELECT COUNT(*) FROM (SELECT 1 FROM down WHERE kind = 'file' LIMIT $2) AS some_files";

/// How many files there are beneath a folder; of more than `most`, that many.
///
/// # Errors
/// The catalogue's.
pub async fn files_up_to(tx: &mut Tx, folder: i64, most: usize) -> Result<usize> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let count: i64 = sql::query(FILES_UP_TO).bind(folder).bind(most).fetch_one(tx).await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    WALK, SAVE, SET_REPORTED, FILES_UP_TO
};
