//! Writes to nodes: new ones, what a file's content is, where something stands. Part of [`nodes`](super::nodes).

use holdfast_protocol::{ContentHash, fold_key};
use uuid::Uuid;

use super::db::Tx;
use super::nodes::Node;
use super::sql::{self, Builder, wide_portions};
use crate::domain::stat::{Ident, Stat};
use crate::error::Result;

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

/// A file where none ever was, with its first content, which waits in a slot.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Internal key of its folder.
    pub parent_id: i64,
    /// Its name.
    pub name: &'a str,
    /// Sequence of the change that makes it.
    pub seq: i64,
    /// Hash of its bytes.
    pub hash: ContentHash,
    /// What `stat` says of it.
    pub stat: Stat,
    /// The slot it waits in.
    pub slot: Uuid,
}

/// Adds live files that give their first version; which that is, [`set_first_versions`] tells once it is there.
///
/// # Errors
/// The catalogue's, also when a live node has one of the names already.
pub async fn insert_files(tx: &mut Tx, drive: i64, files: &[NewFile<'_>], now: i64) -> Result<Vec<Node>> {
    let ids: Vec<Uuid> = files.iter().map(|_| sql::new_id()).collect();
    let mut given = Vec::with_capacity(files.len());
    for (begin, files) in wide_portions(files) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO nodes (uuid, drive_id, parent_id, name, name_key, kind, state, seq, named_seq, hash, size, mtime_ns, \
             ino, btime_ns, last_version, slot, created_at, modified_at) ",
        );
        query.rows(files.iter().zip(&ids[begin..]).map(|(file, id)| {
            [
                (*id).into(),
                drive.into(),
                file.parent_id.into(),
                file.name.into(),
                fold_key(file.name).into(),
                "file".into(),
                "live".into(),
                file.seq.into(),
                file.seq.into(),
                file.hash.as_bytes()[..].into(),
                file.stat.size.cast_signed().into(),
                file.stat.mtime_ns.into(),
                file.stat.ident.ino.cast_signed().into(),
                file.stat.ident.btime_ns.into(),
                1_i64.into(),
                file.slot.into(),
                now.into(),
                now.into(),
            ]
        }));
        query.push(" RETURNING id, uuid");
        given.extend(query.build().fetch_all::<(i64, Uuid)>(tx).await?);
    }
    let keys = sql::in_order(&ids, given)?;
    Ok(files.iter().zip(ids).zip(keys).map(|((file, uuid), id)| file.node(id, uuid, drive, now)).collect())
}

impl NewFile<'_> {
    fn node(&self, id: i64, uuid: Uuid, drive_id: i64, now: i64) -> Node {
        Node {
            id,
            uuid,
            drive_id,
            parent_id: Some(self.parent_id),
            name: self.name.to_owned(),
            kind: "file".to_owned(),
            state: "live".to_owned(),
            seq: self.seq,
            named_seq: self.seq,
            hash: Some(self.hash.as_bytes().to_vec()),
            size: self.stat.size.cast_signed(),
            mtime_ns: self.stat.mtime_ns,
            ino: self.stat.ident.ino.cast_signed(),
            btime_ns: self.stat.ident.btime_ns,
            current_version_id: None,
            last_version: 1,
            slot: Some(self.slot),
            modified_at: now,
            deleted_at: None,
        }
    }
}

const SET_FIRST_VERSIONS: &str = "UPDATE nodes SET current_version_id = \
     (SELECT v.id FROM file_versions v WHERE v.node_id = nodes.id AND v.n = 1) \
     WHERE drive_id = $1 AND seq >= $2 AND seq <= $3";

/// Says which version is current of the files of a drive that were made from one sequence to another.
///
/// # Errors
/// The catalogue's.
pub async fn set_first_versions(tx: &mut Tx, drive: i64, from_seq: i64, to_seq: i64) -> Result<()> {
    sql::query(SET_FIRST_VERSIONS).bind(drive).bind(from_seq).bind(to_seq).execute(tx).await?;
    Ok(())
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
pub async fn set_stat(tx: &mut Tx, id: i64, stat: &Stat) -> Result<()> {
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
    INSERT, SET_FIRST_VERSIONS, INSERT_ROOT, SET_CONTENT, RESEEN, SET_MTIME, SET_DEAD, SET_PLACE, SET_NAMED, SET_STATE, REMEMBER_NAME,
    SET_LAST_VERSION, SET_IDENT
};
