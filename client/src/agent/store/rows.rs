//! Rows as SQLite has them.

use holdfast_protocol::delta::Chunk;
use holdfast_protocol::{ContentHash, Kind};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row, Statement, Transaction, params};

use crate::agent::plan::Intent;
use crate::agent::trees::{BaseRow, Look, NodeId, RemoteNode, State};

pub const REMOTE: &str = "SELECT id, parent, name, kind, state, hash, size, mtime_ns, seq FROM remote";
pub const BASE: &str =
    "SELECT id, parent, name, kind, hash, seq, ino, btime_ns, size, mtime_ns, ctime_ns FROM base";
pub const INTENTS: &str = "SELECT id, parent, name, hash FROM intents ORDER BY n";
pub const PUT_REMOTE: &str =
    "INSERT OR REPLACE INTO remote (id, parent, name, kind, state, hash, size, mtime_ns, seq)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
pub const PUT_BASE: &str =
    "INSERT OR REPLACE INTO base (id, parent, name, kind, hash, seq, ino, btime_ns, size, mtime_ns, ctime_ns)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

fn nonsense(column: usize, what: &str) -> Error {
    Error::FromSqlConversionFailure(column, Type::Null, what.into())
}

fn kind(row: &Row<'_>, column: usize) -> Result<Kind> {
    match row.get::<_, i64>(column)? {
        0 => Ok(Kind::File),
        1 => Ok(Kind::Folder),
        _ => Err(nonsense(column, "no kind")),
    }
}

fn kind_number(kind: Kind) -> i64 {
    i64::from(kind == Kind::Folder)
}

fn hash(row: &Row<'_>, column: usize) -> Result<Option<ContentHash>> {
    let bytes: Option<[u8; 32]> = row.get(column)?;
    Ok(bytes.map(ContentHash::from_bytes))
}

fn bytes(hash: Option<ContentHash>) -> Option<[u8; 32]> {
    hash.map(|hash| *hash.as_bytes())
}

pub fn remote(row: &Row<'_>) -> Result<RemoteNode> {
    let state = match row.get::<_, i64>(4)? {
        0 => State::Live,
        1 => State::Dead,
        2 => State::Missing,
        _ => return Err(nonsense(4, "no state")),
    };
    Ok(RemoteNode {
        id: row.get(0)?,
        parent: row.get(1)?,
        name: row.get(2)?,
        kind: kind(row, 3)?,
        state,
        hash: hash(row, 5)?,
        size: row.get::<_, i64>(6)?.cast_unsigned(),
        mtime_ns: row.get(7)?,
        seq: row.get(8)?,
    })
}

pub fn put_remote(put: &mut Statement<'_>, node: &RemoteNode) -> Result<()> {
    let state: i64 = match node.state {
        State::Live => 0,
        State::Dead => 1,
        State::Missing => 2,
    };
    put.execute(params![
        node.id,
        node.parent,
        node.name,
        kind_number(node.kind),
        state,
        bytes(node.hash),
        node.size.cast_signed(),
        node.mtime_ns,
        node.seq
    ])
    .map(|_| ())
}

pub fn base(row: &Row<'_>) -> Result<BaseRow> {
    let look = match row.get::<_, Option<i64>>(6)? {
        None => None,
        Some(ino) => Some(Look {
            ino: ino.cast_unsigned(),
            btime_ns: row.get(7)?,
            size: row.get::<_, i64>(8)?.cast_unsigned(),
            mtime_ns: row.get(9)?,
            ctime_ns: row.get(10)?,
        }),
    };
    Ok(BaseRow {
        id: row.get(0)?,
        parent: row.get(1)?,
        name: row.get(2)?,
        kind: kind(row, 3)?,
        hash: hash(row, 4)?,
        seq: row.get(5)?,
        look,
    })
}

pub fn put_base(put: &mut Statement<'_>, row: &BaseRow) -> Result<()> {
    let look = row.look.as_ref();
    put.execute(params![
        row.id,
        row.parent,
        row.name,
        kind_number(row.kind),
        bytes(row.hash),
        row.seq,
        look.map(|look| look.ino.cast_signed()),
        look.map(|look| look.btime_ns),
        look.map(|look| look.size.cast_signed()),
        look.map(|look| look.mtime_ns),
        look.map(|look| look.ctime_ns)
    ])
    .map(|_| ())
}

pub fn put_look(tx: &Transaction<'_>, id: NodeId, look: Option<&Look>) -> Result<()> {
    let mut set = tx.prepare_cached(
        "UPDATE base SET ino = ?2, btime_ns = ?3, size = ?4, mtime_ns = ?5, ctime_ns = ?6 WHERE id = ?1",
    )?;
    set.execute(params![
        id,
        look.map(|look| look.ino.cast_signed()),
        look.map(|look| look.btime_ns),
        look.map(|look| look.size.cast_signed()),
        look.map(|look| look.mtime_ns),
        look.map(|look| look.ctime_ns)
    ])
    .map(|_| ())
}

pub fn intent(row: &Row<'_>) -> Result<Intent> {
    let (id, parent, name): (Option<NodeId>, NodeId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    match (id, hash(row, 3)?) {
        (id, Some(hash)) => Ok(Intent::Put { id, parent, name, hash }),
        (Some(id), None) => Ok(Intent::Move { id, parent, name }),
        (None, None) => Ok(Intent::Make { parent, name }),
    }
}

/// As they are kept: no id is a thing that was new, no hash one that is no content.
fn parts(intent: &Intent) -> (Option<NodeId>, NodeId, &str, Option<[u8; 32]>) {
    match intent {
        Intent::Put { id, parent, name, hash } => (*id, *parent, name, bytes(Some(*hash))),
        Intent::Make { parent, name } => (None, *parent, name, None),
        Intent::Move { id, parent, name } => (Some(*id), *parent, name, None),
    }
}

pub fn put_intent(tx: &Transaction<'_>, intent: &Intent) -> Result<()> {
    let mut put =
        tx.prepare_cached("INSERT INTO intents (id, parent, name, hash) VALUES (?1, ?2, ?3, ?4)")?;
    put.execute(parts(intent)).map(|_| ())
}

pub fn forget_intent(tx: &Transaction<'_>, intent: &Intent) -> Result<()> {
    let sql = "DELETE FROM intents WHERE id IS ?1 AND parent = ?2 AND name = ?3 AND hash IS ?4";
    tx.prepare_cached(sql)?.execute(parts(intent)).map(|_| ())
}

/// Bytes of a chunk as it is kept: its hash, and its length, little-endian.
const CHUNK: usize = 36;

pub fn put_chunks(tx: &Transaction<'_>, id: NodeId, hash: ContentHash, chunks: &[Chunk]) -> Result<()> {
    let mut list = Vec::with_capacity(chunks.len() * CHUNK);
    for chunk in chunks {
        list.extend_from_slice(chunk.hash.as_bytes());
        list.extend_from_slice(&chunk.length.to_le_bytes());
    }
    let mut put = tx.prepare_cached("INSERT OR REPLACE INTO chunks (id, hash, list) VALUES (?1, ?2, ?3)")?;
    put.execute(params![id, hash.as_bytes(), list]).map(|_| ())
}

pub fn chunks(list: &[u8]) -> Vec<Chunk> {
    let (chunks, _) = list.as_chunks::<CHUNK>();
    let of = |bytes: &[u8; CHUNK]| {
        let (mut hash, mut length) = ([0; 32], [0; 4]);
        hash.copy_from_slice(&bytes[..32]);
        length.copy_from_slice(&bytes[32..]);
        Chunk { hash: ContentHash::from_bytes(hash), length: u32::from_le_bytes(length) }
    };
    chunks.iter().map(of).collect()
}
