//! Whole trees: every live path of a drive, and which nodes ever lived at a path.

use std::collections::HashMap;

use holdfast_protocol::{ContentHash, DrivePath};
use uuid::Uuid;

use super::db::Tx;
use super::nodes::{Node, columns};
use super::sql::{self, row};
use crate::error::Result;

/// A live file or folder with its path.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path without a leading slash.
    pub path: String,
    /// Internal key of its node.
    pub node_id: i64,
    /// Public id of its node.
    pub uuid: Uuid,
    /// Its content; `None` for a folder.
    pub hash: Option<ContentHash>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Microseconds since 1970: when the server last changed it.
    pub modified_at: i64,
    /// Sequence of the latest change of the node or of any folder above it: what an agreement remembers, since a
    /// folder's move or restore happens to everything beneath it though only one row changes.
    pub seq: i64,
}

struct Slim {
    id: i64,
    uuid: Uuid,
    parent_id: Option<i64>,
    name: String,
    hash: Option<Vec<u8>>,
    size: i64,
    mtime_ns: i64,
    modified_at: i64,
    seq: i64,
}

row!(Slim { id, uuid, parent_id, name, hash, size, mtime_ns, modified_at, seq });

// Dead nodes are left out here; what is beneath a dead folder finds no parent and falls out below.
const LIVE: &str = "SELECT id, uuid, parent_id, name, hash, size, mtime_ns, modified_at, seq FROM nodes \
     WHERE drive_id = $1 AND state <> 'dead' ORDER BY id";

/// Every live file and folder of a drive except its root, sorted by path.
///
/// # Errors
/// The catalogue's.
pub async fn snapshot(tx: &mut Tx, drive: i64) -> Result<Vec<Entry>> {
    let rows: Vec<Slim> = sql::query(LIVE).bind(drive).fetch_all(tx).await?;
    let index: HashMap<i64, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
    let mut paths: Vec<Option<Reached>> = vec![None; rows.len()];
    let mut state = vec![Visit::New; rows.len()];
    for at in 0..rows.len() {
        reach(at, &rows, &index, &mut paths, &mut state);
    }
    let mut entries: Vec<Entry> = rows
        .into_iter()
        .zip(paths)
        .filter_map(|(row, reached)| {
            let reached = reached.filter(|r| !r.path.is_empty())?;
            Some(Entry {
                path: reached.path,
                node_id: row.id,
                uuid: row.uuid,
                hash: row.hash.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok()),
                size: row.size,
                mtime_ns: row.mtime_ns,
                modified_at: row.modified_at,
                seq: reached.seq,
            })
        })
        .collect();
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

#[derive(Clone)]
struct Reached {
    path: String,
    seq: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Done,
}

/// Finds the path of a row by climbing to the nearest folder already reached, then filling in on the way back.
fn reach(
    start: usize,
    rows: &[Slim],
    index: &HashMap<i64, usize>,
    paths: &mut [Option<Reached>],
    state: &mut [Visit],
) {
    let mut climb = Vec::new();
    let mut at = start;
    while state[at] == Visit::New && climb.len() <= rows.len() {
        climb.push(at);
        match rows[at].parent_id.map(|parent| index.get(&parent)) {
            Some(Some(parent)) => at = *parent,
            _ => break,
        }
    }
    for at in climb.into_iter().rev() {
        let row = &rows[at];
        paths[at] = match row.parent_id {
            None => Some(Reached { path: String::new(), seq: row.seq }),
            Some(parent) => index.get(&parent).and_then(|p| paths[*p].as_ref()).map(|above| Reached {
                path: if above.path.is_empty() {
                    row.name.clone()
                } else {
                    format!("{}/{}", above.path, row.name)
                },
                seq: row.seq.max(above.seq),
            }),
        };
        state[at] = Visit::Done;
    }
}

/// The path of a node from a lineage (root first), and the sequence of the latest change to it or above it.
pub fn path_of(lineage: &[Node]) -> (DrivePath, i64) {
    let names: Vec<&str> = lineage.iter().skip(1).map(|node| node.name.as_str()).collect();
    let seq = lineage.iter().map(|node| node.seq).max().unwrap_or(0);
    (DrivePath::from_checked(names.join("/")), seq)
}

/// Whether a node is live: itself and every folder above it.
pub fn is_live(lineage: &[Node]) -> bool {
    !lineage.is_empty() && lineage.iter().all(|node| !node.is_dead())
}

#[derive(Debug, Clone, Copy)]
struct Stay {
    node_id: i64,
    from_seq: i64,
    to_seq: i64,
}

row!(Stay { node_id, from_seq, to_seq });

// Under a name now (a dead node's stay ends at its death), or under it once.
const STAYS: &str = "SELECT n.id AS node_id, n.named_seq AS from_seq, \
         CASE WHEN n.state = 'dead' THEN n.seq ELSE 9223372036854775807 END AS to_seq \
         FROM nodes n WHERE n.parent_id = $1 AND n.name = $2 \
     UNION ALL SELECT m.node_id, m.from_seq, m.to_seq FROM node_names m WHERE m.parent_id = $1 AND m.name = $2";

/// Internal keys of every node that ever lived at a path, whatever became of it.
///
/// # Errors
/// The catalogue's.
pub async fn ever_at(tx: &mut Tx, root: i64, path: &DrivePath) -> Result<Vec<i64>> {
    let mut here = vec![Stay { node_id: root, from_seq: 0, to_seq: i64::MAX }];
    for name in path.components() {
        let mut next: Vec<Stay> = Vec::new();
        for above in &here {
            let stays: Vec<Stay> = sql::query(STAYS).bind(above.node_id).bind(name).fetch_all(tx).await?;
            for stay in stays {
                let both = Stay {
                    node_id: stay.node_id,
                    from_seq: stay.from_seq.max(above.from_seq),
                    to_seq: stay.to_seq.min(above.to_seq),
                };
                if both.from_seq <= both.to_seq {
                    next.push(both);
                }
            }
        }
        here = next;
    }
    let mut ids: Vec<i64> = here.into_iter().map(|stay| stay.node_id).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

const BENEATH: &str = concat!(
    "WITH RECURSIVE down (id) AS (SELECT CAST($1 AS BIGINT) UNION ALL \
     SELECT n.id FROM down JOIN nodes n ON n.parent_id = down.id WHERE n.state <> 'dead') SELECT ",
    columns!("n"),
    " FROM down JOIN nodes n ON n.id = down.id WHERE n.id <> $1 ORDER BY n.id"
);

/// Every node beneath a folder that is not itself dead (the folder may be).
///
/// # Errors
/// The catalogue's.
pub async fn beneath(tx: &mut Tx, folder: i64) -> Result<Vec<Node>> {
    Ok(sql::query(BENEATH).bind(folder).fetch_all(tx).await?)
}

const FILE_BENEATH: &str = "WITH RECURSIVE down (id, kind) AS (SELECT n.id, n.kind FROM nodes n WHERE n.id = $1 UNION ALL \
     SELECT n.id, n.kind FROM down JOIN nodes n ON n.parent_id = down.id WHERE n.state <> 'dead') \
     SELECT 1 FROM down WHERE kind <> 'folder' LIMIT 1";

/// Whether a folder has a file anywhere beneath it.
///
/// # Errors
/// The catalogue's.
pub async fn has_files(tx: &mut Tx, folder: i64) -> Result<bool> {
    let found: Option<i32> = sql::query(FILE_BENEATH).bind(folder).fetch_optional(tx).await?;
    Ok(found.is_some())
}

const COUNT: &str =
    "SELECT COUNT(*) FROM nodes WHERE drive_id = $1 AND state <> 'dead' AND parent_id IS NOT NULL";

/// How many nodes of a drive are not dead themselves.
///
/// # Errors
/// The catalogue's.
pub async fn count(tx: &mut Tx, drive: i64) -> Result<i64> {
    Ok(sql::query(COUNT).bind(drive).fetch_one(tx).await?)
}

const FILES_PLACED: &str = "WITH RECURSIVE down (id, kind, state) AS (SELECT n.id, n.kind, n.state FROM nodes n WHERE n.id = $1 \
     UNION ALL SELECT n.id, n.kind, n.state FROM down JOIN nodes n ON n.parent_id = down.id WHERE n.state <> 'dead') \
     SELECT COUNT(*) FROM down WHERE kind = 'file' AND state = 'live'";

/// How many files there should be on disk beneath a folder (which may be dead itself).
///
/// # Errors
/// The catalogue's.
pub async fn files_placed(tx: &mut Tx, folder: i64) -> Result<usize> {
    let count: i64 = sql::query(FILES_PLACED).bind(folder).fetch_one(tx).await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

const TRASH: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.drive_id = $1 AND n.state = 'dead' AND n.seq < $2 ORDER BY n.seq DESC LIMIT $3"
);

/// What was deleted from a drive, newest first, before a sequence.
///
/// # Errors
/// The catalogue's.
pub async fn dead(tx: &mut Tx, drive: i64, before: i64, limit: i64) -> Result<Vec<Node>> {
    Ok(sql::query(TRASH).bind(drive).bind(before).bind(limit).fetch_all(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    LIVE, STAYS, BENEATH, FILE_BENEATH, COUNT, FILES_PLACED, TRASH
};
