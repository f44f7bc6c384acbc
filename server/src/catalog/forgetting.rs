//! The end of a drive: nobody sees it any more at once, and what is known of it goes in portions, so that nobody waits for it
//! however many files it had. Its row stays, emptied, for the activity log to name it.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// Changes or rows of one portion: some hundredths of a second.
const PORTION: i64 = 2_000;

// Another drive may have its id, name and identifier from now on: its folder still has its signature.
const FORGET: &str = "UPDATE drives SET forgotten_at = $2, updated_at = $2, uuid = $3, name_key = $4, unique_identifier = $4, \
     root = NULL, offline_since = NULL, degraded = NULL WHERE id = $1";
const MEMBERS: &str = "DELETE FROM drive_members WHERE drive_id = $1";
const MOUNTS: &str = "DELETE FROM drive_client_mounts WHERE drive_id = $1";
const MOUNT_HISTORY: &str = "DELETE FROM mount_history WHERE drive_id = $1";
const REPORTS: &str = "DELETE FROM drive_reports WHERE drive_id = $1";
const LOCKS: &str = "DELETE FROM dav_locks WHERE drive_id = $1";
const UPLOADS: &str = "DELETE FROM uploads WHERE drive_id = $1";
const FINDINGS: &str = "DELETE FROM findings WHERE drive_id = $1";
const CONFLICTS: &str = "DELETE FROM conflicts WHERE drive_id = $1";

/// Forgets a drive for everybody. What is on its disk stays there; what the catalogue knows of its files goes by [`clear`].
///
/// # Errors
/// The catalogue's.
pub async fn forget(tx: &mut Tx, drive: i64, now: i64) -> Result<()> {
    let id = Uuid::new_v4();
    let nobodys = format!("forgotten {id}");
    sql::query(FORGET).bind(drive).bind(now).bind(id).bind(&nobodys).execute(tx).await?;
    for text in [MEMBERS, MOUNTS, MOUNT_HISTORY, REPORTS, LOCKS, UPLOADS, FINDINGS, CONFLICTS] {
        sql::query(text).bind(drive).execute(tx).await?;
    }
    Ok(())
}

/// A forgotten drive of which something is left.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// Internal key.
    pub id: i64,
    /// Sequence of its last change.
    pub head_seq: i64,
}

row!(Left { id, head_seq });

// One that is cleared has no root folder any more.
const NEXT: &str = "SELECT id, head_seq FROM drives WHERE forgotten_at IS NOT NULL AND root_node_id IS NOT NULL ORDER BY id LIMIT 1";

/// A forgotten drive of which something is left, if there is one.
///
/// # Errors
/// The catalogue's.
pub async fn next(tx: &mut Tx) -> Result<Option<Left>> {
    Ok(sql::query(NEXT).fetch_optional(tx).await?)
}

/// What goes in portions, in this order: what others refer to goes after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What devices were believed to hold.
    Agreements,
    /// Contents.
    Versions,
    /// Placements.
    Ops,
    /// Changes after a sequence.
    Changes(i64),
    /// Nodes whose latest change is after a sequence are taken out of their folders: none then takes others with it, and a tree
    /// may be deeper than an engine likes to go.
    TakeApart(i64),
    /// Such nodes go.
    Nodes(i64),
    /// The row is all that is left.
    Done,
}

const AGREEMENTS: &str = "DELETE FROM sync_metadata WHERE (sync_state_id, path) IN (SELECT m.sync_state_id, m.path \
     FROM sync_states s JOIN sync_metadata m ON m.sync_state_id = s.id WHERE s.drive_id = $1 LIMIT $2)";
const STATES: &str = "DELETE FROM sync_states WHERE drive_id = $1";
const VERSIONS: &str =
    "DELETE FROM file_versions WHERE id IN (SELECT id FROM file_versions WHERE drive_id = $1 LIMIT $2)";
const OPS: &str = "DELETE FROM ops WHERE id IN (SELECT id FROM ops WHERE drive_id = $1 LIMIT $2)";
const CHANGES: &str = "DELETE FROM changes WHERE drive_id = $1 AND seq > $2 AND seq <= $3";
const TAKE_APART: &str = "UPDATE nodes SET parent_id = NULL WHERE drive_id = $1 AND seq > $2 AND seq <= $3 AND parent_id IS NOT NULL";
const NODES: &str = "DELETE FROM nodes WHERE drive_id = $1 AND seq > $2 AND seq <= $3";
const EMPTY: &str = "UPDATE drives SET root_node_id = NULL WHERE id = $1";

/// Takes a portion of what is left of a forgotten drive, and says what is next.
///
/// # Errors
/// The catalogue's.
pub async fn clear(tx: &mut Tx, drive: Left, step: Step) -> Result<Step> {
    let id = drive.id;
    let some = |text: &'static str| sql::query(text).bind(id).bind(PORTION);
    let range = |text: &'static str, after: i64| sql::query(text).bind(id).bind(after).bind(after + PORTION);
    // The root folder and the making of a drive have sequence 0.
    let first = -1;
    let on = |after: i64, same: fn(i64) -> Step, then: Step| {
        if after + PORTION < drive.head_seq { same(after + PORTION) } else { then }
    };
    Ok(match step {
        Step::Agreements if some(AGREEMENTS).execute(tx).await? > 0 => step,
        Step::Agreements => {
            sql::query(STATES).bind(id).execute(tx).await?;
            Step::Versions
        }
        Step::Versions if some(VERSIONS).execute(tx).await? > 0 => step,
        Step::Versions => Step::Ops,
        Step::Ops if some(OPS).execute(tx).await? > 0 => step,
        Step::Ops => Step::Changes(first),
        Step::Changes(after) => {
            range(CHANGES, after).execute(tx).await?;
            on(after, Step::Changes, Step::TakeApart(first))
        }
        Step::TakeApart(after) => {
            range(TAKE_APART, after).execute(tx).await?;
            on(after, Step::TakeApart, Step::Nodes(first))
        }
        Step::Nodes(after) => {
            range(NODES, after).execute(tx).await?;
            on(after, Step::Nodes, Step::Done)
        }
        Step::Done => {
            sql::query(EMPTY).bind(id).execute(tx).await?;
            Step::Done
        }
    })
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    FORGET, MEMBERS, MOUNTS, MOUNT_HISTORY, REPORTS, LOCKS, UPLOADS, FINDINGS, CONFLICTS, NEXT, AGREEMENTS, STATES, VERSIONS, OPS,
    CHANGES, TAKE_APART, NODES, EMPTY
};
