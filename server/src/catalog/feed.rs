//! A drive's nodes in the order of their latest changes, with the ids of their folders (algorithms C, feed).

use holdfast_protocol::ContentHash;
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A file or folder, live or dead, as the feed tells it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Public id.
    pub uuid: Uuid,
    /// Public id of its folder; `None` for the drive's root.
    pub parent: Option<Uuid>,
    /// Its name there.
    pub name: String,
    kind: String,
    /// `live`, `dead`, `unplaced` or `missing`.
    pub state: String,
    hash: Option<Vec<u8>>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    /// Sequence of its latest change.
    pub seq: i64,
}

row!(Told { uuid, parent, name, kind, state, hash, size, mtime_ns, seq });

impl Told {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == "folder"
    }

    /// A file's content.
    pub fn content_hash(&self) -> Option<ContentHash> {
        self.hash.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok())
    }
}

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT n.uuid, CASE WHEN p.parent_id IS NULL THEN NULL ELSE p.uuid END AS parent, n.name, n.kind, n.state, \
             n.hash, n.size, n.mtime_ns, n.seq FROM nodes n JOIN nodes p ON p.id = n.parent_id \
             WHERE n.drive_id = $1 AND n.seq > $2 ",
            $condition,
            "ORDER BY n.seq LIMIT $3"
        )
    };
}

const AFTER: &str = select!("");

/// Nodes of a drive, its root apart, whose latest change lies after a sequence, in the order of these.
///
/// # Errors
/// The catalogue's.
pub async fn after(tx: &mut Tx, drive: i64, seq: i64, limit: i64) -> Result<Vec<Told>> {
    Ok(sql::query(AFTER).bind(drive).bind(seq).bind(limit).fetch_all(tx).await?)
}

const FIRST: &str = select!("AND n.state <> 'dead' ");

/// The first nodes of a drive in that order, of those that are not dead themselves.
///
/// # Errors
/// The catalogue's.
pub async fn first(tx: &mut Tx, drive: i64, limit: i64) -> Result<Vec<Told>> {
    Ok(sql::query(FIRST).bind(drive).bind(0i64).bind(limit).fetch_all(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! { AFTER, FIRST };
