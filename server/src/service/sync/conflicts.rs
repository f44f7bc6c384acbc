//! The conflicts that a plan opens, refreshes or makes obsolete, in the transaction that writes its rows.

use holdfast_protocol::plan;
use holdfast_protocol::{DrivePath, Kind};
use time::OffsetDateTime;

use crate::catalog::conflicts::{self, Conflict, NewConflict, ServerSide};
use crate::catalog::db::Tx;
use crate::domain::reconcile::ConflictWanted;
use crate::error::{Error, Result};
use crate::service::conflicts::open;

/// Whose conflicts, where and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// Internal key of the drive.
    pub(super) drive: i64,
    /// Internal key of its root folder's node.
    pub(super) root: i64,
    /// Internal key of the device.
    pub(super) device: i64,
    /// Internal key of the account.
    pub(super) user: i64,
    /// Microseconds since 1970.
    pub(super) now: i64,
}

/// Makes the device's open conflicts those that are wanted. Others are obsolete, except at and beneath paths that were
/// not judged.
///
/// # Errors
/// The catalogue's.
pub(super) async fn settle(
    tx: &mut Tx,
    opening: Opening,
    wanted: &[ConflictWanted],
    unjudged: &[DrivePath],
) -> Result<Vec<plan::Conflict>> {
    let mut known = conflicts::open_of(tx, opening.drive, opening.device).await?;
    known.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut told = Vec::with_capacity(wanted.len());
    for conflict in wanted {
        let at = known.binary_search_by(|open| open.path.as_str().cmp(conflict.path.as_str())).ok();
        told.push(want(tx, opening, conflict, at.map(|at| &known[at])).await?);
    }
    for open in known {
        let is_wanted = wanted.binary_search_by(|w| w.path.as_str().cmp(&open.path)).is_ok();
        let path = DrivePath::from_checked(open.path);
        let is_unjudged = unjudged.iter().any(|above| path == *above || path.is_beneath(above));
        if !is_wanted && !is_unjudged {
            conflicts::close(tx, open.id, "obsolete", None, None, opening.now).await?;
        }
    }
    Ok(told)
}

async fn want(
    tx: &mut Tx,
    opening: Opening,
    wanted: &ConflictWanted,
    known: Option<&Conflict>,
) -> Result<plan::Conflict> {
    let candidate =
        known.filter(|known| known.client() == Some(wanted.client_hash)).and_then(|k| k.candidate_version_id);
    let new = NewConflict {
        drive_id: opening.drive,
        device_id: Some(opening.device),
        path: &wanted.path,
        base: wanted.base_hash,
        client: wanted.client_hash,
        server: ServerSide {
            hash: wanted.server_hash,
            kind: wanted.server_kind,
            modified_at: wanted.server_modified_at_ns.map(|ns| ns.div_euclid(1000)),
        },
        blocked_by: wanted.blocked_by.as_ref().map(DrivePath::as_str),
        candidate,
        now: opening.now,
    };
    let conflict = open::open(tx, opening.root, Some(opening.user), known, &new).await?;
    Ok(plan::Conflict {
        id: conflict.uuid,
        path: wanted.path.clone(),
        client_hash: wanted.client_hash,
        server_hash: wanted.server_hash,
        base_hash: wanted.base_hash,
        server_kind: wanted.server_kind.unwrap_or(Kind::File),
        server_modified_at: wanted.server_modified_at_ns.map(time_of).transpose()?,
        blocked_by: wanted.blocked_by.clone(),
        candidate_present: candidate.is_some(),
    })
}

fn time_of(ns: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).map_err(Error::internal)
}
