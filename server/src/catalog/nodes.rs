//! Nodes: the tree of each drive as an adjacency list.

use holdfast_protocol::{ContentHash, DrivePath, fold_key};
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
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
    hash: Option<Vec<u8>>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    ino: i64,
    btime_ns: i64,
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

/// What a new node starts with.
#[derive(Debug, Clone)]
pub struct NewNode<'a> {
    /// Internal key of its drive.
    pub drive_id: i64,
    /// Internal key of its folder.
    pub parent_id: i64,
    /// Its name.
    pub name: &'a str,
    /// `file` or `folder`.
    pub kind: &'static str,
    /// Sequence of the change that makes it.
    pub seq: i64,
    /// The inode it is.
    pub ident: Ident,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The slot it waits in; `None` when it is in the tree already.
    pub slot: Option<Uuid>,
    /// Microseconds since 1970.
    pub now: i64,
}

const INSERT: &str = "INSERT INTO nodes (uuid, drive_id, parent_id, name, name_key, kind, state, seq, named_seq, size, \
     mtime_ns, ino, btime_ns, slot, created_at, modified_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $13, $7, $7, 0, $8, $9, $10, $11, $12, $12) RETURNING id";

/// Adds a live node; a file's content is set by [`set_content`].
///
/// # Errors
/// The catalogue's, also when a live node has that name already.
pub async fn insert(tx: &mut Tx, new: &NewNode<'_>) -> Result<Node> {
    insert_as(tx, new, "live").await
}

/// Adds a node that is dead from the start: something unknown that was displaced into a slot.
///
/// # Errors
/// The catalogue's.
pub async fn insert_dead(tx: &mut Tx, new: &NewNode<'_>) -> Result<i64> {
    Ok(insert_as(tx, new, "dead").await?.id)
}

async fn insert_as(tx: &mut Tx, new: &NewNode<'_>, state: &str) -> Result<Node> {
    let uuid = sql::new_id();
    let id = sql::query(INSERT)
        .bind(uuid)
        .bind(new.drive_id)
        .bind(new.parent_id)
        .bind(new.name)
        .bind(fold_key(new.name))
        .bind(new.kind)
        .bind(new.seq)
        .bind(new.mtime_ns)
        .bind(new.ident.ino.cast_signed())
        .bind(new.ident.btime_ns)
        .bind(new.slot)
        .bind(new.now)
        .bind(state)
        .fetch_one(tx)
        .await?;
    Ok(Node {
        id,
        uuid,
        drive_id: new.drive_id,
        parent_id: Some(new.parent_id),
        name: new.name.to_owned(),
        kind: new.kind.to_owned(),
        state: state.to_owned(),
        seq: new.seq,
        named_seq: new.seq,
        hash: None,
        size: 0,
        mtime_ns: new.mtime_ns,
        ino: new.ident.ino.cast_signed(),
        btime_ns: new.ident.btime_ns,
        current_version_id: None,
        last_version: 0,
        slot: new.slot,
        modified_at: new.now,
        deleted_at: None,
    })
}

const INSERT_ROOT: &str = "INSERT INTO nodes (uuid, drive_id, parent_id, name, name_key, kind, state, seq, named_seq, size, \
     mtime_ns, ino, btime_ns, created_at, modified_at) \
     VALUES ($1, $2, NULL, '', '', 'folder', 'live', 0, 0, 0, 0, 0, 0, $3, $3) RETURNING id";

/// Adds the node of a drive's root folder.
///
/// # Errors
/// The catalogue's.
pub async fn insert_root(tx: &mut Tx, drive: i64, now: i64) -> Result<i64> {
    Ok(sql::query(INSERT_ROOT).bind(Uuid::new_v4()).bind(drive).bind(now).fetch_one(tx).await?)
}

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

const SET_CONTENT: &str = "UPDATE nodes SET state = 'live', seq = $2, hash = $3, size = $4, mtime_ns = $5, ino = $6, btime_ns = $7, \
     current_version_id = $8, last_version = $9, slot = $10, modified_at = $11, deleted_at = NULL WHERE id = $1";

/// A file's new content.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// Hash of the bytes.
    pub hash: ContentHash,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The inode that holds it.
    pub ident: Ident,
    /// Internal key of the version.
    pub version: i64,
    /// The version's number.
    pub number: i64,
    /// The slot it waits in; `None` when it is in the tree already.
    pub slot: Option<Uuid>,
}

/// Makes a content a file's current one and the file live; gives the file as it is then.
///
/// # Errors
/// The catalogue's.
pub async fn set_content(tx: &mut Tx, node: &Node, seq: i64, content: &Content, now: i64) -> Result<Node> {
    sql::query(SET_CONTENT)
        .bind(node.id)
        .bind(seq)
        .bind(&content.hash.as_bytes()[..])
        .bind(content.size)
        .bind(content.mtime_ns)
        .bind(content.ident.ino.cast_signed())
        .bind(content.ident.btime_ns)
        .bind(content.version)
        .bind(content.number)
        .bind(content.slot)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(Node {
        state: "live".to_owned(),
        seq,
        hash: Some(content.hash.as_bytes().to_vec()),
        size: content.size,
        mtime_ns: content.mtime_ns,
        ino: content.ident.ino.cast_signed(),
        btime_ns: content.ident.btime_ns,
        current_version_id: Some(content.version),
        last_version: content.number,
        slot: content.slot,
        modified_at: now,
        deleted_at: None,
        ..node.clone()
    })
}

const RESEEN: &str = "UPDATE nodes SET size = $2, mtime_ns = $3, ino = $4, btime_ns = $5 WHERE id = $1";

/// Records what `stat` says now, where the content is the same.
///
/// # Errors
/// The catalogue's.
pub async fn set_stat(tx: &mut Tx, id: i64, stat: &crate::domain::stat::Stat) -> Result<()> {
    sql::query(RESEEN)
        .bind(id)
        .bind(stat.size.cast_signed())
        .bind(stat.mtime_ns)
        .bind(stat.ident.ino.cast_signed())
        .bind(stat.ident.btime_ns)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_MTIME: &str = "UPDATE nodes SET mtime_ns = $2 WHERE id = $1";

/// Says when a node was last written, in nanoseconds since 1970.
///
/// # Errors
/// The catalogue's.
pub async fn set_mtime(tx: &mut Tx, id: i64, mtime_ns: i64) -> Result<()> {
    sql::query(SET_MTIME).bind(id).bind(mtime_ns).execute(tx).await?;
    Ok(())
}

const SET_DEAD: &str =
    "UPDATE nodes SET state = 'dead', seq = $2, slot = $3, modified_at = $4, deleted_at = $4 WHERE id = $1";

/// Makes a node dead; it lies in `slot`, if anywhere.
///
/// # Errors
/// The catalogue's.
pub async fn set_dead(tx: &mut Tx, id: i64, seq: i64, slot: Option<Uuid>, now: i64) -> Result<()> {
    sql::query(SET_DEAD).bind(id).bind(seq).bind(slot).bind(now).execute(tx).await?;
    Ok(())
}

const SET_PLACE: &str = "UPDATE nodes SET state = 'live', seq = $2, named_seq = $2, parent_id = $3, name = $4, name_key = $5, \
     slot = $6, modified_at = $7, deleted_at = NULL WHERE id = $1";

/// Gives a node a parent and name, and makes it live.
///
/// # Errors
/// The catalogue's, also when a live node has that name already.
pub async fn set_place(
    tx: &mut Tx,
    id: i64,
    seq: i64,
    parent: i64,
    name: &str,
    slot: Option<Uuid>,
    now: i64,
) -> Result<()> {
    sql::query(SET_PLACE)
        .bind(id)
        .bind(seq)
        .bind(parent)
        .bind(name)
        .bind(fold_key(name))
        .bind(slot)
        .bind(now)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_NAMED: &str = "UPDATE nodes SET named_seq = $2 WHERE id = $1";

/// Says since when a revived node has its name.
///
/// # Errors
/// The catalogue's.
pub async fn set_named(tx: &mut Tx, id: i64, seq: i64) -> Result<()> {
    sql::query(SET_NAMED).bind(id).bind(seq).execute(tx).await?;
    Ok(())
}

const SET_STATE: &str = "UPDATE nodes SET state = $2, slot = $3 WHERE id = $1 AND state <> 'dead'";

/// Says that a node is `live` in the tree, `missing` from it, or `unplaced` and lying in a slot or elsewhere in the tree.
///
/// # Errors
/// The catalogue's.
pub async fn set_state(tx: &mut Tx, id: i64, state: &'static str, slot: Option<Uuid>) -> Result<()> {
    sql::query(SET_STATE).bind(id).bind(state).bind(slot).execute(tx).await?;
    Ok(())
}

const REMEMBER_NAME: &str =
    "INSERT INTO node_names (node_id, parent_id, name, from_seq, to_seq) VALUES ($1, $2, $3, $4, $5)";

/// Remembers a name that a node had from its `named_seq` until `to_seq`.
///
/// # Errors
/// The catalogue's.
pub async fn remember_name(tx: &mut Tx, node: &Node, to_seq: i64) -> Result<()> {
    let Some(parent) = node.parent_id else { return Ok(()) };
    sql::query(REMEMBER_NAME)
        .bind(node.id)
        .bind(parent)
        .bind(&node.name)
        .bind(node.named_seq)
        .bind(to_seq)
        .execute(tx)
        .await?;
    Ok(())
}

const SET_LAST_VERSION: &str = "UPDATE nodes SET last_version = $2 WHERE id = $1 AND last_version < $2";

/// Raises the highest version number a node ever gave.
///
/// # Errors
/// The catalogue's.
pub async fn set_last_version(tx: &mut Tx, id: i64, number: i64) -> Result<()> {
    sql::query(SET_LAST_VERSION).bind(id).bind(number).execute(tx).await?;
    Ok(())
}

const SET_IDENT: &str = "UPDATE nodes SET ino = $2, btime_ns = $3 WHERE id = $1";

/// Says which inode a node is now.
///
/// # Errors
/// The catalogue's.
pub async fn set_ident(tx: &mut Tx, id: i64, ident: Ident) -> Result<()> {
    sql::query(SET_IDENT).bind(id).bind(ident.ino.cast_signed()).bind(ident.btime_ns).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, INSERT_ROOT, BY_ID, BY_UUID, CHILD, DEAD_FILE, CHILDREN, BY_INODE, LINEAGE, SET_CONTENT,
    RESEEN, SET_MTIME, SET_DEAD, SET_PLACE, SET_NAMED, SET_STATE, REMEMBER_NAME, SET_LAST_VERSION, SET_IDENT
};
