//! What a listing tells of a folder's members: fewer columns than a node has, many rows.

use holdfast_protocol::ContentHash;
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A live file or folder, as a listing tells it.
#[derive(Debug, Clone)]
pub struct Member {
    /// Internal key.
    pub id: i64,
    /// Public id.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    kind: String,
    hash: Option<Vec<u8>>,
    /// Bytes.
    pub size: i64,
    /// Nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    /// Microseconds since 1970: when the server first had it.
    pub created_at: i64,
}

row!(Member { id, uuid, name, kind, hash, size, mtime_ns, created_at });

impl Member {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == "folder"
    }

    /// A file's current content.
    pub fn content_hash(&self) -> Option<ContentHash> {
        self.hash.as_deref().and_then(|bytes| ContentHash::try_from(bytes).ok())
    }
}

const OF_FOLDER: &str = "SELECT id, uuid, name, kind, hash, size, mtime_ns, created_at FROM nodes \
     WHERE parent_id = $1 AND state <> 'dead' AND name > $2 ORDER BY name LIMIT $3";

/// Live members of a folder after a name, in byte order of their names.
///
/// # Errors
/// The catalogue's.
pub async fn of_folder(tx: &mut Tx, folder: i64, after: &str, limit: i64) -> Result<Vec<Member>> {
    Ok(sql::query(OF_FOLDER).bind(folder).bind(after).bind(limit).fetch_all(tx).await?)
}

const ONE: &str = "SELECT id, uuid, name, kind, hash, size, mtime_ns, created_at FROM nodes WHERE id = $1";

/// A file or folder by its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn one(tx: &mut Tx, id: i64) -> Result<Member> {
    Ok(sql::query(ONE).bind(id).fetch_one(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! { OF_FOLDER, ONE };
