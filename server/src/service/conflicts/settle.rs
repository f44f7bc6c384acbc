//! Carrying out a resolution, in one transaction: the candidate is stored first, then the agreement is written.

use std::collections::HashSet;

use holdfast_protocol::DrivePath;

use super::look::absent;
use super::open;
use super::resolve::{Resolving, not_open};
use super::view::told;
use crate::catalog::conflicts::{self, Conflict, NewConflict};
use crate::catalog::nodes::Resolved as Found;
use crate::catalog::{sync, versions};
use crate::domain::names::conflict_copy;
use crate::domain::reconcile::resolution::{self, Open, Outcome, Present, Resolution, Store};
use crate::domain::reconcile::{Agreed, Row};
use crate::error::{Error, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::agreement;
use crate::service::trash::RESTORE;
use crate::store::Blob;

/// What a copy is called whose content no device brought.
const ANOTHER_PROGRAM: &str = "another program";
/// So many names of copies are tried.
const MOST_COPIES: usize = 1000;

/// A resolution with what it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settling {
    /// Internal key of the conflict.
    pub(super) conflict: i64,
    /// Internal key of the account that settles it.
    pub(super) user: i64,
    /// The way.
    pub(super) how: Resolving,
    /// The client's content, where it has to become a file and is here.
    pub(super) bytes: Option<Bytes>,
}

/// The client's content on its way to become a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bytes {
    /// In the slot where it was received, not yet part of any history: it moves to its place from there.
    Slot {
        /// The content.
        blob: Blob,
        /// Internal key of the candidate's version.
        version: i64,
    },
    /// A copy of its own.
    Copy(Blob),
}

/// What came of it.
pub(super) enum Settled {
    /// It is settled; `copy` is where `keep_both` put the content.
    Done { copy: Option<DrivePath> },
    /// The client's content has to come first.
    NeedsUpload,
    /// The server's side is not what was seen; the conflict as it is now.
    ServerMoved(Box<Conflict>),
}

/// Settles a conflict, or finds that it cannot be.
///
/// # Errors
/// 404, 409 `not-open` and `kinds-differ`; the catalogue's.
pub(super) async fn settle(
    act: &mut Act<'_>,
    settling: &Settling,
    staged: &mut Vec<StagedFolder>,
) -> Result<Settled> {
    let found = conflicts::by_id(act.tx, settling.conflict).await?;
    let conflict = found.filter(|conflict| conflict.is_for(settling.user)).ok_or_else(absent)?;
    if conflict.state != "open" {
        return Err(not_open(&conflict)?);
    }
    let path = DrivePath::from_checked(conflict.path.clone());
    let there = act.resolve(&path).await?;
    let node = agreement::server_node(&there);
    let (mut state, mut row) = (None, None);
    if let Some(device) = conflict.device_id {
        let id = agreement::state(act, device).await?;
        row = sync::row_at(act.tx, id, path.as_str(), node.as_ref()).await?;
        state = Some(id);
    }
    let how = settling.how;
    if is_replaced(settling, &conflict) {
        return Ok(Settled::ServerMoved(Box::new(conflict)));
    }
    let open = as_stored(&conflict)?;
    let present = Present { node: node.as_ref(), is_blocked: there.blocked_by().is_some() };
    match resolution::resolve(how.resolution, &open, how.seen, present, row.clone()) {
        Outcome::ServerMoved => {
            let now = refresh(act, &conflict, &path, &there, row).await?;
            Ok(Settled::ServerMoved(Box::new(now)))
        }
        Outcome::KindsDiffer => Err(kinds_differ(&conflict)?),
        Outcome::NeedsUpload => Ok(Settled::NeedsUpload),
        Outcome::Settled { store, row } => {
            let copy = match (store, how.resolution) {
                (Some(Store::Sibling), _) => Some(put_beside(act, settling, &conflict, &path, staged).await?),
                (Some(Store::Version), _) => {
                    add_to_history(act, &conflict, &path).await?;
                    None
                }
                (None, Resolution::KeepLocal) if state.is_none() => {
                    put_back(act, settling, &path, staged).await?;
                    None
                }
                (None, _) => None,
            };
            if let Some(state) = state {
                sync::write_rows(act.tx, state, std::iter::once((path.as_str(), &Some(row)))).await?;
            }
            let (word, now) = (word(how.resolution), act.actor.now);
            conflicts::close(act.tx, conflict.id, "resolved", Some(word), Some(settling.user), now).await?;
            act.log("conflict-resolved", &path, &[("resolution", word.to_owned())]).await?;
            Ok(Settled::Done { copy })
        }
    }
}

/// Another content came to be the candidate while this one was prepared.
fn is_replaced(settling: &Settling, conflict: &Conflict) -> bool {
    match settling.bytes {
        Some(Bytes::Slot { version, .. }) => conflict.candidate_version_id != Some(version),
        Some(Bytes::Copy(blob)) => conflict.candidate() != Some(blob.hash),
        // It came only now: another try finds it.
        None => settling.how.resolution == Resolution::KeepBoth && conflict.candidate() == conflict.client(),
    }
}

fn as_stored(conflict: &Conflict) -> Result<Open> {
    let client = conflict.client().ok_or_else(|| Error::internal("a conflict without its content"))?;
    Ok(Open {
        client_hash: client,
        server_hash: conflict.server().hash,
        server_kind: conflict.server().kind,
        has_candidate: conflict.candidate() == Some(client),
    })
}

/// The name of a resolution as it is stored and told.
pub(super) fn word(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::KeepLocal => "keep_local",
        Resolution::KeepServer => "keep_server",
        Resolution::CreateVersion => "create_version",
        Resolution::KeepBoth => "keep_both",
    }
}

fn kinds_differ(conflict: &Conflict) -> Result<Error> {
    let error =
        Error::conflict("a file and a folder want the same name: the client's cannot replace the other");
    Ok(error.code("kinds-differ").with("conflict", told(conflict)?))
}

/// Brings the server's side of a conflict up to date.
async fn refresh(
    act: &mut Act<'_>,
    conflict: &Conflict,
    path: &DrivePath,
    there: &Found,
    row: Option<Row>,
) -> Result<Conflict> {
    let client = conflict.client().ok_or_else(|| Error::internal("a conflict without its content"))?;
    let base = match (conflict.device_id, row.and_then(|row| row.agreed)) {
        (None, _) => conflict.base(),
        (_, Some(Agreed::Held(value))) => value.hash(),
        (_, _) => None,
    };
    let blocked_by = agreement::blocking(path, there);
    let new = NewConflict {
        drive_id: conflict.drive_id,
        device_id: conflict.device_id,
        path,
        base,
        client,
        server: agreement::server_side(there),
        blocked_by: blocked_by.as_deref(),
        candidate: conflict.candidate_version_id,
        now: act.actor.now,
    };
    open::open(act.tx, act.root, act.actor.user_id, Some(conflict), &new).await
}

/// The candidate becomes part of the history of its path; another program's content is that already.
async fn add_to_history(act: &mut Act<'_>, conflict: &Conflict, path: &DrivePath) -> Result<()> {
    let Some(candidate) = conflict.candidate_version_id else { return Ok(()) };
    if versions::by_id(act.tx, candidate).await?.n.is_none() {
        agreement::promote(act.tx, act.root, path, candidate, act.actor.now).await?;
    }
    Ok(())
}

/// The candidate becomes a file of its own beside the server's.
async fn put_beside(
    act: &mut Act<'_>,
    settling: &Settling,
    conflict: &Conflict,
    path: &DrivePath,
    staged: &mut Vec<StagedFolder>,
) -> Result<DrivePath> {
    let copy = free_name(act, conflict, path).await?;
    let above = copy.parent().unwrap_or_else(DrivePath::root);
    let folder = act.folder(&above, staged).await?;
    match settling.bytes {
        Some(Bytes::Slot { blob, version }) => {
            act.put_candidate(&folder, &copy, &blob, version).await?;
        }
        Some(Bytes::Copy(blob)) => {
            act.put(&folder, &copy, &blob, "conflict").await?;
        }
        None => return Err(Error::internal("a copy without its content")),
    }
    Ok(copy)
}

/// The first name for a copy under which nothing is, and above which no file is.
async fn free_name(act: &mut Act<'_>, conflict: &Conflict, path: &DrivePath) -> Result<DrivePath> {
    let device = conflict.device.as_deref().unwrap_or(ANOTHER_PROGRAM);
    let (mut taken, mut files) = (HashSet::new(), HashSet::new());
    files.extend(agreement::blocking(path, &act.resolve(path).await?));
    for _ in 0..MOST_COPIES {
        let name = conflict_copy(path, device, |at| taken.contains(at), |at| files.contains(at));
        let Some(name) = name else { break };
        let there = act.resolve(&name).await?;
        if there.node.is_some() {
            taken.insert(name.as_str().to_owned());
        } else if let Some(file) = agreement::blocking(&name, &there) {
            files.insert(file);
        } else {
            return Ok(name);
        }
    }
    Err(Error::conflict("no name is free for a copy beside this file").with("path", path.to_string()))
}

/// Another program's content becomes current again: a restore.
async fn put_back(
    act: &mut Act<'_>,
    settling: &Settling,
    path: &DrivePath,
    staged: &mut Vec<StagedFolder>,
) -> Result<()> {
    let Some(Bytes::Copy(blob)) = settling.bytes else {
        return Err(Error::internal("a restore without its content"));
    };
    let above = path.parent().unwrap_or_else(DrivePath::root);
    let folder = act.folder(&above, staged).await?;
    act.put(&folder, path, &blob, RESTORE).await.map(drop)
}
