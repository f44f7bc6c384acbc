//! Nodes: the tree of each drive as an adjacency list.

use std::collections::HashSet;

use holdfast_protocol::{ContentHash, DrivePath, fold_key};
use uuid::Uuid;

use super::db::Tx;
pub use super::node_writes::*;
use super::sql::{self, Builder, portions, row};
use crate::domain::stat::Ident;
use crate::error::{Error, Result};

/// A file or folder of a drive.
#[derive(Debug, Clone)]
pub struct Node {
    /// Internal key.
    pub id: i64,
    /// Public id; survives renames and moves.
    pub uuid: Uuid,
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Internal key of the folder it is in; `None` for a drive's root.
    pub parent_id: Option<i64>,
    /// Its name, as given.
    pub name: String,
    /// `file` or `folder`.
    pub kind: String,
    /// `live`, `dead`, `unplaced` or `missing`. Also dead: whatever is beneath a dead folder.
    pub state: String,
    /// Sequence of its latest change.
    pub seq: i64,
    /// Since when it has this parent and name.
    pub named_seq: i64,
    pub(super) hash: Option<Vec<u8>>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    pub(super) ino: i64,
    pub(super) btime_ns: i64,
    /// Internal key of its current version.
    pub current_version_id: Option<i64>,
    /// Highest version number it ever gave.
    pub last_version: i64,
    /// The slot it lies in while not placed, or once dead. An unplaced one without a slot lies in the tree, where the
    /// source of its parked move is.
    pub slot: Option<Uuid>,
    /// Microseconds since 1970: when the server last changed it.
    pub modified_at: i64,
    /// Microseconds since 1970.
    pub deleted_at: Option<i64>,
}

row!(Node {
    id,
    uuid,
    drive_id,
    parent_id,
    name,
    kind,
    state,
    seq,
    named_seq,
    hash,
    size,
    mtime_ns,
    ino,
    btime_ns,
    current_version_id,
    last_version,
    slot,
    modified_at,
    deleted_at,
});

impl Node {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == "folder"
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        self.kind == "file"
    }

    /// Whether it is itself dead; folders above are not looked at.
    pub fn is_dead(&self) -> bool {
        self.state == "dead"
    }

    /// A file's current content.
    pub fn content_hash(&self) -> Option<ContentHash> {
        self.hash.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok())
    }

    /// The inode it was last seen as.
    pub fn ident(&self) -> Ident {
        Ident { ino: self.ino.cast_unsigned(), btime_ns: self.btime_ns }
    }
}

macro_rules! columns {
    ($alias:literal) => {
        concat!(
            $alias,
            ".id, ",
            $alias,
            ".uuid, ",
            $alias,
            ".drive_id, ",
            $alias,
            ".parent_id, ",
            $alias,
            ".name, ",
            $alias,
            ".kind, ",
            $alias,
            ".state, ",
            $alias,
            ".seq, ",
            $alias,
            ".named_seq, ",
            $alias,
            ".hash, ",
            $alias,
            ".size, ",
            $alias,
            ".mtime_ns, ",
            $alias,
            ".ino, ",
            $alias,
            ".btime_ns, ",
            $alias,
            ".current_version_id, ",
            $alias,
            ".last_version, ",
            $alias,
            ".slot, ",
            $alias,
            ".modified_at, ",
            $alias,
            ".deleted_at"
        )
    };
}
pub(crate) use columns;

const BY_ID: &str = concat!("SELECT ", columns!("n"), " FROM nodes n WHERE n.id = $1");

/// A node by its internal key, dead or live.
///
/// # Errors
/// The catalogue's; a missing row is [`Error::not_found`].
pub async fn by_id(tx: &mut Tx, id: i64) -> Result<Node> {
    let found: Option<Node> = sql::query(BY_ID).bind(id).fetch_optional(tx).await?;
    found.ok_or_else(|| Error::not_found("there is no such file or folder"))
}

const BY_UUID: &str =
    concat!("SELECT ", columns!("n"), " FROM nodes n WHERE n.drive_id = $1 AND n.uuid = $2");

/// A node of a drive by its public id, dead or live.
///
/// # Errors
/// The catalogue's.
pub async fn by_uuid(tx: &mut Tx, drive: i64, uuid: Uuid) -> Result<Option<Node>> {
    Ok(sql::query(BY_UUID).bind(drive).bind(uuid).fetch_optional(tx).await?)
}

const CHILD: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.parent_id = $1 AND n.name = $2 AND n.state <> 'dead'"
);

/// The live child of a folder that has a name.
///
/// # Errors
/// The catalogue's.
pub async fn child(tx: &mut Tx, parent: i64, name: &str) -> Result<Option<Node>> {
    Ok(sql::query(CHILD).bind(parent).bind(name).fetch_optional(tx).await?)
}

const TWIN: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.parent_id = $1 AND n.name_key = $2 AND n.name <> $3 AND n.state <> 'dead' ORDER BY n.id LIMIT 1"
);

/// What in a folder has another name that differs from this one in case or form alone.
///
/// # Errors
/// The catalogue's.
pub async fn twin(tx: &mut Tx, parent: i64, name: &str) -> Result<Option<Node>> {
    Ok(sql::query(TWIN).bind(parent).bind(fold_key(name)).bind(name).fetch_optional(tx).await?)
}

const DEAD_FILE: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.parent_id = $1 AND n.name = $2 AND n.state = 'dead' AND n.kind = 'file' ORDER BY n.seq DESC LIMIT 1"
);

/// The file that died last under a name in a folder: a new one there is the same node revived (algorithms B, rule 5).
///
/// # Errors
/// The catalogue's.
pub async fn dead_file(tx: &mut Tx, parent: i64, name: &str) -> Result<Option<Node>> {
    Ok(sql::query(DEAD_FILE).bind(parent).bind(name).fetch_optional(tx).await?)
}

/// Which of these names in folders, by their place in the list, a node has or had when it died.
///
/// # Errors
/// The catalogue's.
pub async fn ever_named(tx: &mut Tx, names: &[(i64, &str)]) -> Result<HashSet<usize>> {
    let mut found = HashSet::new();
    for (begin, names) in portions(names) {
        let mut query = Builder::new(tx.engine_name(), "WITH wanted (i, parent_id, name) AS (");
        query.rows(names.iter().enumerate().map(|(i, (parent, name))| {
            [i64::try_from(begin + i).unwrap_or(i64::MAX).into(), (*parent).into(), (*name).into()]
        }));
        query.push(
            ") SELECT DISTINCT w.i FROM wanted w JOIN nodes n ON n.parent_id = w.parent_id AND n.name = w.name",
        );
        for i in query.build().fetch_all::<i64>(tx).await? {
            found.insert(usize::try_from(i).map_err(Error::internal)?);
        }
    }
    Ok(found)
}

const CHILDREN: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.parent_id = $1 AND n.state <> 'dead' AND n.name > $2 ORDER BY n.name LIMIT $3"
);

/// Live children of a folder after a name, in byte order of their names.
///
/// # Errors
/// The catalogue's.
pub async fn children(tx: &mut Tx, parent: i64, after: &str, limit: i64) -> Result<Vec<Node>> {
    Ok(sql::query(CHILDREN).bind(parent).bind(after).bind(limit).fetch_all(tx).await?)
}

const BY_INODE: &str = concat!(
    "SELECT ",
    columns!("n"),
    " FROM nodes n WHERE n.drive_id = $1 AND n.ino = $2 AND n.btime_ns = $3 AND n.state <> 'dead' ORDER BY n.id LIMIT 2"
);

/// Live nodes that were last seen as an inode (two at most: more than one says nothing).
///
/// # Errors
/// The catalogue's.
pub async fn by_inode(tx: &mut Tx, drive: i64, ident: Ident) -> Result<Vec<Node>> {
    Ok(sql::query(BY_INODE)
        .bind(drive)
        .bind(ident.ino.cast_signed())
        .bind(ident.btime_ns)
        .fetch_all(tx)
        .await?)
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The live node at the path.
    pub node: Option<Node>,
    /// The live nodes above it, the drive's root first, as far as they exist.
    pub above: Vec<Node>,
    /// How many of the path's components have no live node (0 when `node` is there).
    pub missing: usize,
}

impl Resolved {
    /// The folder that directly holds the path, if it exists and is a folder.
    pub fn folder(&self) -> Option<&Node> {
        (self.missing <= 1).then(|| self.above.last()).flatten().filter(|node| node.is_folder())
    }

    /// A file that stands where the path needs a folder.
    pub fn blocked_by(&self) -> Option<&Node> {
        self.above.iter().find(|node| !node.is_folder())
    }
}

/// Walks a path from a drive's root node over live nodes.
///
/// # Errors
/// The catalogue's.
pub async fn resolve(tx: &mut Tx, root: i64, path: &DrivePath) -> Result<Resolved> {
    let mut here = by_id(tx, root).await?;
    let mut above = Vec::new();
    let names: Vec<&str> = path.components().collect();
    for (depth, name) in names.iter().enumerate() {
        let next = if here.is_folder() { child(tx, here.id, name).await? } else { None };
        above.push(here);
        match next {
            Some(node) => here = node,
            None => return Ok(Resolved { node: None, above, missing: names.len() - depth }),
        }
    }
    Ok(Resolved { node: Some(here), above, missing: 0 })
}

const LINEAGE: &str = concat!(
    "WITH RECURSIVE up (id, depth) AS (SELECT CAST($1 AS BIGINT), 0 UNION ALL \
     SELECT p.parent_id, up.depth + 1 FROM up JOIN nodes p ON p.id = up.id WHERE p.parent_id IS NOT NULL) SELECT ",
    columns!("n"),
    " FROM up JOIN nodes n ON n.id = up.id ORDER BY up.depth DESC"
);

/// A node and all above it, the drive's root first.
///
/// # Errors
/// The catalogue's.
pub async fn lineage(tx: &mut Tx, id: i64) -> Result<Vec<Node>> {
    Ok(sql::query(LINEAGE).bind(id).fetch_all(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { BY_ID, BY_UUID, CHILD, TWIN, DEAD_FILE, CHILDREN, BY_INODE, LINEAGE };
