//! What a manifest is judged against, in the compact form of `domain::reconcile`: a drive's live tree and a device's
//! rows, read as streams so that memory is what the result takes; and the rows that change, written in batches.

use std::collections::HashMap;

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::path_map::{Full, PathMapBuilder};
use holdfast_protocol::{ContentHash, PathMap, Value};

use super::agreements::Stored;
use super::db::Tx;
use super::sql::{self, Builder, STATEMENT, portions, row};
use crate::domain::reconcile::{Agreed, Row, Rows, ServerNode, ServerNodes};
use crate::error::{Error, Kind, Result};

/// Too many paths to be held at once (promise P7).
pub fn too_many(_: Full) -> Error {
    Error::new(Kind::TooLarge, "the drive and the list together have more paths than this server can compare")
}

struct Folder {
    path: String,
    seq: i64,
}

struct FolderRow {
    id: i64,
    parent_id: Option<i64>,
    name: String,
    mtime_ns: i64,
    seq: i64,
}

row!(FolderRow { id, parent_id, name, mtime_ns, seq });

struct FileRow {
    id: i64,
    parent_id: i64,
    name: String,
    hash: Vec<u8>,
    size: i64,
    mtime_ns: i64,
    seq: i64,
}

row!(FileRow { id, parent_id, name, hash, size, mtime_ns, seq });

const FOLDERS: &str = "SELECT id, parent_id, name, mtime_ns, seq FROM nodes WHERE drive_id = $1 AND kind = 'folder' AND state <> 'dead'";
const FILES: &str = "SELECT id, parent_id, name, hash, size, mtime_ns, seq FROM nodes \
     WHERE drive_id = $1 AND kind = 'file' AND state <> 'dead' AND hash IS NOT NULL AND parent_id IS NOT NULL";

/// Every live file and folder of a drive by path, without the root. [`ServerNode::version`] stays 0: see
/// [`version_numbers`].
///
/// # Errors
/// The catalogue's, and [`too_many`].
pub async fn nodes(tx: &mut Tx, drive: i64) -> Result<ServerNodes> {
    let mut found = PathMapBuilder::new();
    let folders = folders(tx, drive, &mut found).await?;
    let mut path = String::new();
    let files = sql::query(FILES).bind(drive);
    files
        .for_each(tx, |file: FileRow| {
            // What is beneath a dead folder finds none.
            let Some(folder) = folders.get(&file.parent_id) else { return Ok(()) };
            join(&mut path, &folder.path, &file.name);
            let node = ServerNode {
                id: file.id,
                value: Value::File(ContentHash::try_from(&file.hash[..]).map_err(Error::internal)?),
                seq: file.seq.max(folder.seq),
                size: file.size.cast_unsigned(),
                modified_at_ns: file.mtime_ns,
                version: 0,
            };
            found.push(&path, node).map_err(too_many)
        })
        .await?;
    // A folder has each name once: two live nodes with one path cannot be.
    found.finish().map_err(Error::internal)
}

/// Reads the live folders, adds them to `found`, and returns them by their keys.
async fn folders(
    tx: &mut Tx,
    drive: i64,
    found: &mut PathMapBuilder<ServerNode>,
) -> Result<HashMap<i64, Folder>> {
    let rows: Vec<FolderRow> = sql::query(FOLDERS).bind(drive).fetch_all(tx).await?;
    let mut within: HashMap<i64, Vec<FolderRow>> = HashMap::new();
    let mut left = Vec::new();
    for row in rows {
        match row.parent_id {
            Some(parent) => within.entry(parent).or_default().push(row),
            None => left.push((row.id, Folder { path: String::new(), seq: row.seq })),
        }
    }
    let mut folders = HashMap::new();
    while let Some((id, folder)) = left.pop() {
        for row in within.remove(&id).unwrap_or_default() {
            let mut path = String::new();
            join(&mut path, &folder.path, &row.name);
            let seq = row.seq.max(folder.seq);
            let node = ServerNode {
                id: row.id,
                value: Value::Folder,
                seq,
                size: 0,
                modified_at_ns: row.mtime_ns,
                version: 0,
            };
            found.push(&path, node).map_err(too_many)?;
            left.push((row.id, Folder { path, seq }));
        }
        folders.insert(id, folder);
    }
    Ok(folders)
}

fn join(path: &mut String, folder: &str, name: &str) {
    path.clear();
    path.push_str(folder);
    if !folder.is_empty() {
        path.push('/');
    }
    path.push_str(name);
}

struct MetadataRow {
    path: String,
    claim: Option<Vec<u8>>,
    agreed: Option<Vec<u8>>,
    agreed_seq: Option<i64>,
    forced: Option<Vec<u8>>,
}

row!(MetadataRow { path, claim, agreed, agreed_seq, forced });

const ROWS: &str = "SELECT path, claim, agreed, agreed_seq, forced FROM sync_metadata WHERE sync_state_id = $1 ORDER BY path";

/// A device's rows by path. The node that an agreement was written for is known where nothing happened to it since.
///
/// # Errors
/// The catalogue's, and [`too_many`].
pub async fn rows(tx: &mut Tx, state: i64, nodes: &ServerNodes) -> Result<Rows> {
    let mut found = PathMapBuilder::new();
    let mut nodes = nodes.iter().peekable();
    let rows = sql::query(ROWS).bind(state);
    rows.for_each(tx, |row: MetadataRow| {
        while nodes.next_if(|(path, _)| *path < row.path.as_str()).is_some() {}
        let node = nodes.peek().filter(|(path, _)| *path == row.path).map(|(_, node)| *node);
        found.push(&row.path, parsed(&row, node)).map_err(too_many)
    })
    .await?;
    // The path is part of the primary key.
    found.finish().map_err(Error::internal)
}

fn parsed(row: &MetadataRow, node: Option<&ServerNode>) -> Row {
    let agreed_seq = row.agreed_seq.unwrap_or(0);
    let forced = row.forced.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok());
    Row {
        claimed: row.claim.as_deref().and_then(Stored::parse).and_then(Stored::claim),
        agreed: row.agreed.as_deref().and_then(Stored::parse).and_then(Stored::agreed),
        agreed_seq,
        node: node.filter(|node| agreed_seq != 0 && node.seq == agreed_seq).map_or(0, |node| node.id),
        forced: forced.map(Box::new),
    }
}

const ROW: &str = "SELECT path, claim, agreed, agreed_seq, forced FROM sync_metadata WHERE sync_state_id = $1 AND path = $2";

/// A device's row at one path; `node` is what is there.
///
/// # Errors
/// The catalogue's.
pub async fn row_at(tx: &mut Tx, state: i64, path: &str, node: Option<&ServerNode>) -> Result<Option<Row>> {
    let row: Option<MetadataRow> = sql::query(ROW).bind(state).bind(path).fetch_optional(tx).await?;
    Ok(row.map(|row| parsed(&row, node)))
}

/// Writes rows that changed; `None` removes one.
///
/// # Errors
/// The catalogue's.
pub async fn write_rows<'a>(
    tx: &mut Tx,
    state: i64,
    changed: impl Iterator<Item = (&'a str, &'a Option<Row>)>,
) -> Result<()> {
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for (path, row) in changed {
        match row {
            Some(row) => set.push((path, row)),
            None => gone.push(path),
        }
        if set.len() == STATEMENT {
            upsert(tx, state, &set).await?;
            set.clear();
        }
        if gone.len() == STATEMENT {
            remove(tx, state, &gone).await?;
            gone.clear();
        }
    }
    upsert(tx, state, &set).await?;
    remove(tx, state, &gone).await
}

async fn upsert(tx: &mut Tx, state: i64, rows: &[(&str, &Row)]) -> Result<()> {
    for (_, rows) in portions(rows) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO sync_metadata (sync_state_id, path, claim, agreed, agreed_seq, forced) ",
        );
        query.rows(rows.iter().map(|(path, row)| {
            let agreed = row.agreed.map(Stored::from);
            [
                state.into(),
                (*path).into(),
                row.claimed.and_then(Stored::of_claim).map(Stored::bytes).into(),
                agreed.map(Stored::bytes).into(),
                agreed.and((row.agreed_seq != 0).then_some(row.agreed_seq)).into(),
                row.forced.as_ref().map(|hash| &hash.as_bytes()[..]).into(),
            ]
        }));
        query.push(
            " ON CONFLICT (sync_state_id, path) DO UPDATE SET claim = excluded.claim, agreed = excluded.agreed, \
             agreed_seq = excluded.agreed_seq, forced = excluded.forced",
        );
        query.build().execute(tx).await?;
    }
    Ok(())
}

async fn remove(tx: &mut Tx, state: i64, paths: &[&str]) -> Result<()> {
    for (_, paths) in portions(paths) {
        let mut query = Builder::new(tx.engine_name(), "DELETE FROM sync_metadata WHERE sync_state_id = ");
        query.bind(state).push(" AND path IN (").list(paths.iter().copied()).push(")");
        query.build().execute(tx).await?;
    }
    Ok(())
}

/// The numbers of the current versions of some files.
///
/// # Errors
/// The catalogue's.
pub async fn version_numbers(tx: &mut Tx, files: &[i64]) -> Result<HashMap<i64, i64>> {
    let mut numbers = HashMap::with_capacity(files.len());
    for (_, files) in portions(files) {
        let mut query = Builder::new(
            tx.engine_name(),
            "SELECT n.id, v.n FROM nodes n JOIN file_versions v ON v.id = n.current_version_id \
             WHERE v.n IS NOT NULL AND n.id IN (",
        );
        query.list(files.iter().copied()).push(")");
        let found: Vec<(i64, i64)> = query.build().fetch_all(tx).await?;
        numbers.extend(found);
    }
    Ok(numbers)
}

impl Stored {
    /// As what a device claims; `None` for what no claim can be.
    fn claim(self) -> Option<Claim> {
        match self {
            Self::File(hash) => Some(Claim::Held(Value::File(hash))),
            Self::Folder => Some(Claim::Held(Value::Folder)),
            Self::Unreadable => Some(Claim::Unreadable),
            Self::Gone => None,
        }
    }

    /// As what is agreed; `None` for what no agreement can be.
    fn agreed(self) -> Option<Agreed> {
        match self {
            Self::File(hash) => Some(Agreed::Held(Value::File(hash))),
            Self::Folder => Some(Agreed::Held(Value::Folder)),
            Self::Gone => Some(Agreed::Gone),
            Self::Unreadable => None,
        }
    }

    /// Of a claim; a deletion is stored as no claim.
    fn of_claim(claim: Claim) -> Option<Self> {
        match claim {
            Claim::Held(value) => Some(Self::from(Agreed::Held(value))),
            Claim::Unreadable => Some(Self::Unreadable),
            Claim::Deleted => None,
        }
    }
}

impl From<Agreed> for Stored {
    fn from(agreed: Agreed) -> Self {
        match agreed {
            Agreed::Held(Value::File(hash)) => Self::File(hash),
            Agreed::Held(Value::Folder) => Self::Folder,
            Agreed::Gone => Self::Gone,
        }
    }
}

/// Rows that change, with the paths they belong to.
pub type Changed = PathMap<Option<Row>>;

/// Every SQL text of this file that is not built at run time, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    FOLDERS, FILES, ROWS, ROW
};
