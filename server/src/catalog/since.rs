//! What has changed in a drive since one of its changes, by node (RFC 6578). No journal is read: a node knows the sequence
//! of its latest change, and `node_names` what it was called before.

use super::db::Tx;
use super::members::Member;
use super::sql::{self, row};
use crate::error::Result;

/// A file or folder, live or dead, with when and what it was.
#[derive(Debug, Clone)]
pub struct Changed {
    /// What a listing tells of it.
    pub member: Member,
    /// Internal key of the folder it is in, or was in when it was deleted.
    pub parent_id: i64,
    state: String,
    /// Sequence of its latest change.
    pub seq: i64,
    /// Since when it has this parent and name.
    pub named_seq: i64,
}

row!(Changed [member: Member] { parent_id, state, seq, named_seq });

impl Changed {
    /// Whether it is itself dead; folders above are not looked at.
    pub fn is_dead(&self) -> bool {
        self.state == "dead"
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, uuid, name, kind, hash, size, mtime_ns, created_at, parent_id, state, seq, named_seq FROM nodes ",
            $rest
        )
    };
}

const CHANGED: &str = select!(
    "WHERE drive_id = $1 AND seq > $2 AND seq <= $3 AND parent_id IS NOT NULL ORDER BY seq, id LIMIT $4"
);

/// Files and folders of a drive whose latest change lies after a sequence and up to another, in the order of these.
///
/// # Errors
/// The catalogue's.
pub async fn changed(tx: &mut Tx, drive: i64, after: i64, up_to: i64, limit: i64) -> Result<Vec<Changed>> {
    Ok(sql::query(CHANGED).bind(drive).bind(after).bind(up_to).bind(limit).fetch_all(tx).await?)
}

const MEMBERS: &str =
    select!("WHERE parent_id = $1 AND state <> 'dead' AND name > $2 ORDER BY name LIMIT $3");

/// Live members of a folder after a name, in byte order of their names.
///
/// # Errors
/// The catalogue's.
pub async fn members(tx: &mut Tx, folder: i64, after: &str, limit: i64) -> Result<Vec<Changed>> {
    Ok(sql::query(MEMBERS).bind(folder).bind(after).bind(limit).fetch_all(tx).await?)
}

const UNCHANGED: &str = select!("WHERE parent_id = $1 AND state <> 'dead' AND named_seq <= $2 ORDER BY name");

/// Members of a folder, which may be dead, that are where they were at a sequence, whatever else became of them.
///
/// # Errors
/// The catalogue's.
pub async fn unchanged(tx: &mut Tx, folder: i64, since: i64) -> Result<Vec<Changed>> {
    Ok(sql::query(UNCHANGED).bind(folder).bind(since).fetch_all(tx).await?)
}

const NAME_AT: &str = "SELECT parent_id, name FROM node_names WHERE node_id = $1 AND from_seq <= $2 AND to_seq > $2 \
     ORDER BY to_seq DESC LIMIT 1";

/// The folder and name that a node had at a sequence, of those it has no longer.
///
/// # Errors
/// The catalogue's.
pub async fn name_at(tx: &mut Tx, node: i64, seq: i64) -> Result<Option<(i64, String)>> {
    Ok(sql::query(NAME_AT).bind(node).bind(seq).fetch_optional(tx).await?)
}

const SEQ_OF: &str = "SELECT seq FROM changes WHERE drive_id = $1 AND uuid = $2";

/// The sequence of a drive's change, by its public id.
///
/// # Errors
/// The catalogue's.
pub async fn seq_of(tx: &mut Tx, drive: i64, change: uuid::Uuid) -> Result<Option<i64>> {
    Ok(sql::query(SEQ_OF).bind(drive).bind(change).fetch_optional(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { CHANGED, MEMBERS, UNCHANGED, NAME_AT, SEQ_OF };
