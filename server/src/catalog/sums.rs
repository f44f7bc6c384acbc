//! SHA-1 and MD5 of versions: kept where a client sent or asked for them.

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// The checksums of a file's current version, as far as they are known of it or of another version with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summed {
    /// Internal key of the file.
    pub node_id: i64,
    /// Internal key of its current version.
    pub version_id: i64,
    /// SHA-1.
    pub sha1: Option<Vec<u8>>,
    /// MD5.
    pub md5: Option<Vec<u8>>,
}

row!(Summed { node_id, version_id, sha1, md5 });

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT n.id AS node_id, v.id AS version_id, \
             COALESCE(v.sha1, (SELECT o.sha1 FROM file_versions o WHERE o.drive_id = v.drive_id AND o.hash = v.hash \
             AND o.sha1 IS NOT NULL LIMIT 1)) AS sha1, \
             COALESCE(v.md5, (SELECT o.md5 FROM file_versions o WHERE o.drive_id = v.drive_id AND o.hash = v.hash \
             AND o.md5 IS NOT NULL LIMIT 1)) AS md5 \
             FROM nodes n JOIN file_versions v ON v.id = n.current_version_id ",
            $rest
        )
    };
}

const OF_NODE: &str = select!("WHERE n.id = $1");

/// The checksums of a file; `None` for a folder.
///
/// # Errors
/// The catalogue's.
pub async fn of_node(tx: &mut Tx, node: i64) -> Result<Option<Summed>> {
    Ok(sql::query(OF_NODE).bind(node).fetch_optional(tx).await?)
}

const OF_CHILDREN: &str =
    select!("WHERE n.parent_id = $1 AND n.state <> 'dead' AND n.name > $2 AND n.name <= $3");

/// The checksums of the live files in a folder whose names lie after one name and up to another.
///
/// # Errors
/// The catalogue's.
pub async fn of_children(tx: &mut Tx, folder: i64, after: &str, up_to: &str) -> Result<Vec<Summed>> {
    Ok(sql::query(OF_CHILDREN).bind(folder).bind(after).bind(up_to).fetch_all(tx).await?)
}

const SET: &str = "UPDATE file_versions SET sha1 = $2, md5 = $3 WHERE id = $1";

/// Says what the checksums of a version's content are.
///
/// # Errors
/// The catalogue's.
pub async fn set(tx: &mut Tx, version: i64, sha1: &[u8], md5: &[u8]) -> Result<()> {
    sql::query(SET).bind(version).bind(sha1).bind(md5).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { OF_NODE, OF_CHILDREN, SET };
