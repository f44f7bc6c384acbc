//! What an explicit sync act of a device does to its agreement, in the transaction of the act (algorithms B, rule b),
//! and the conflict that opens when another was faster.

use std::collections::HashMap;

use holdfast_protocol::{DrivePath, Value};
use uuid::Uuid;

use super::act::Act;
use super::conflicts::open;
use crate::catalog::agreements::{self, Stored};
use crate::catalog::conflicts::{self, Conflict, NewConflict, ServerSide};
use crate::catalog::nodes::{self, Node, Resolved};
use crate::catalog::versions::{self, NewVersion};
use crate::catalog::{db::Tx, tree};
use crate::domain::reconcile::ServerNode;
use crate::error::{Error, Result};
use crate::store::Blob;

/// The device has just made a path this value itself.
///
/// # Errors
/// The catalogue's.
pub async fn did(
    act: &mut Act<'_>,
    device: i64,
    path: &DrivePath,
    value: Stored,
    seq: Option<i64>,
) -> Result<()> {
    let state = state(act, device).await?;
    agreements::agree(act.tx, state, path, value, seq).await
}

/// The device has just deleted what was at a path: a file, or a folder without files beneath. What it has agreed on
/// beneath that is no longer live stays as it is: it was not part of this act.
///
/// # Errors
/// The catalogue's.
pub async fn removed(act: &mut Act<'_>, device: i64, path: &DrivePath, node: &Node) -> Result<()> {
    let state = state(act, device).await?;
    let mut gone = HashMap::from([(node.id, path.clone())]);
    let mut left = if node.is_folder() { tree::beneath(act.tx, node.id).await? } else { Vec::new() };
    while !left.is_empty() {
        let before = left.len();
        for child in std::mem::take(&mut left) {
            match child.parent_id.and_then(|parent| gone.get(&parent)) {
                Some(above) => {
                    let path = above.join(&child.name).map_err(|error| Error::invalid(error.to_string()))?;
                    gone.insert(child.id, path);
                }
                // It has a lower key than the folder it was moved into.
                None => left.push(child),
            }
        }
        if left.len() == before {
            return Err(Error::internal("a tree with nodes that hang nowhere"));
        }
    }
    for path in gone.values() {
        agreements::forget(act.tx, state, path).await?;
    }
    Ok(())
}

/// Internal key of where a device stands with the act's drive, made when it never synced it. Raises its revision, so
/// that a plan made meanwhile is not written over what this act does.
///
/// # Errors
/// The catalogue's.
pub async fn state(act: &mut Act<'_>, device: i64) -> Result<i64> {
    agreements::ensure_state(act.tx, device, act.drive.id, &Uuid::new_v4().to_string(), act.actor.now).await
}

/// An agreement of what a device is about to move.
#[derive(Debug, Clone)]
pub struct Moving {
    path: DrivePath,
    value: Stored,
    seq: Option<i64>,
    untouched: bool,
}

/// The agreements that a device has for a path and all beneath it, before it moves that.
///
/// # Errors
/// The catalogue's.
pub async fn before_move(act: &mut Act<'_>, device: i64, from: &DrivePath) -> Result<Vec<Moving>> {
    let state = state(act, device).await?;
    let mut moving = Vec::new();
    for row in agreements::beneath_path(act.tx, state, from).await? {
        let Some(value) = row.agreed() else { continue };
        let path = DrivePath::from_checked(row.path.clone());
        let found = nodes::resolve(act.tx, act.root, &path).await?;
        let untouched = found.node.is_some() && row.agreed_seq == Some(seq_of(&found));
        moving.push(Moving { path, value, seq: row.agreed_seq, untouched });
    }
    Ok(moving)
}

/// Sequence of the latest change to what a path leads to, or above it.
pub fn seq_of(found: &Resolved) -> i64 {
    found.above.iter().chain(&found.node).map(|node| node.seq).max().unwrap_or(0)
}

/// Re-keys a device's agreements after its move: values unchanged, since it may not hold what others put into that
/// folder (algorithms B, rule b).
///
/// # Errors
/// The catalogue's.
pub async fn moved(
    act: &mut Act<'_>,
    device: i64,
    from: &DrivePath,
    to: &DrivePath,
    before: Vec<Moving>,
) -> Result<()> {
    let state = state(act, device).await?;
    for row in &before {
        agreements::forget(act.tx, state, &row.path).await?;
    }
    let head = act.head();
    for row in before {
        let path = row.path.rebase(from, to).map_err(|error| Error::invalid(error.to_string()))?;
        let seq = if row.untouched { Some(head) } else { row.seq };
        agreements::agree(act.tx, state, &path, row.value, seq).await?;
    }
    Ok(())
}

/// A conflict and whether it took the bytes that were offered as its candidate.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The conflict as it is now.
    pub conflict: Conflict,
    /// False: it had a candidate with this very content already.
    pub took_bytes: bool,
}

/// Opens or refreshes the conflict of a device at a path and keeps the received bytes as its candidate. A candidate
/// with another content that was there before becomes a version (algorithms B: acts).
///
/// # Errors
/// The catalogue's.
pub async fn open_conflict_with_bytes(
    act: &mut Act<'_>,
    device: i64,
    path: &DrivePath,
    found: &Resolved,
    blob: &Blob,
) -> Result<Opened> {
    let open = conflicts::open_at(act.tx, act.drive.id, path).await?;
    let known = open.into_iter().find(|c| c.device_id == Some(device));
    let has_it = known.as_ref().is_some_and(|c| c.candidate() == Some(blob.hash));
    let candidate = match known.as_ref().and_then(|c| c.candidate_version_id).filter(|_| has_it) {
        Some(version) => version,
        None => insert_candidate(act, path, blob, device).await?,
    };
    let state = state(act, device).await?;
    let base = match agreements::value_at(act.tx, state, path).await? {
        Some(Stored::File(hash)) => Some(hash),
        _ => None,
    };
    let blocked_by = blocking(path, found);
    let new = NewConflict {
        drive_id: act.drive.id,
        device_id: Some(device),
        path,
        base,
        client: blob.hash,
        server: server_side(found),
        blocked_by: blocked_by.as_deref(),
        candidate: Some(candidate),
        now: act.actor.now,
    };
    let conflict = open::open(act.tx, act.root, act.actor.user_id, known.as_ref(), &new).await?;
    Ok(Opened { conflict, took_bytes: !has_it })
}

/// What the server has where a path leads, as a decision knows it. The version's number stays 0.
pub fn server_node(found: &Resolved) -> Option<ServerNode> {
    let node = found.node.as_ref()?;
    let value = if node.is_folder() { Value::Folder } else { Value::File(node.content_hash()?) };
    Some(ServerNode {
        id: node.id,
        value,
        seq: seq_of(found),
        size: node.size.cast_unsigned(),
        modified_at_ns: node.mtime_ns,
        version: 0,
    })
}

/// What stands on the server's side of a conflict where a path leads.
pub fn server_side(found: &Resolved) -> ServerSide {
    let node = server_node(found);
    ServerSide {
        hash: node.and_then(|node| node.value.hash()),
        kind: node.map(|node| node.value.kind()),
        modified_at: node.map(|node| node.modified_at_ns.div_euclid(1000)),
    }
}

/// The path of the file that stands where a path needs a folder.
pub fn blocking(path: &DrivePath, there: &Resolved) -> Option<String> {
    let depth = there.above.iter().position(|node| !node.is_folder())?;
    let names: Vec<&str> = path.components().take(depth).collect();
    Some(names.join("/"))
}

/// Keeps a staged content as a candidate: found by its slot, not yet part of any history.
///
/// # Errors
/// The catalogue's.
pub async fn insert_candidate(act: &mut Act<'_>, path: &DrivePath, blob: &Blob, device: i64) -> Result<i64> {
    let new = NewVersion {
        drive_id: act.drive.id,
        node_id: None,
        n: None,
        path: path.as_str(),
        hash: blob.hash,
        size: blob.size.cast_signed(),
        mtime_ns: blob.stat.mtime_ns,
        ident: blob.stat.ident,
        origin: Some(blob.slot),
        slot: Some(blob.slot),
        sealed: true,
        reason: "conflict",
        now: act.actor.now,
        created_by: act.actor.user_id,
        device_id: Some(device),
    };
    versions::insert(act.tx, &new).await
}

/// Makes a candidate part of the history of its path: of the live file there, else of the file that died there last,
/// else of the path alone.
///
/// # Errors
/// The catalogue's.
pub async fn promote(tx: &mut Tx, root: i64, path: &DrivePath, version: i64, now: i64) -> Result<()> {
    let node = file_for_version(tx, root, path).await?;
    let number = match &node {
        Some(node) => node.last_version + 1,
        None => {
            let drive = versions::by_id(tx, version).await?.drive_id;
            versions::last_of_path(tx, drive, path.as_str()).await? + 1
        }
    };
    versions::promote(tx, version, node.as_ref().map(|n| n.id), number, path.as_str(), "conflict", now)
        .await?;
    if let Some(node) = node {
        nodes::set_last_version(tx, node.id, number).await?;
    }
    Ok(())
}

/// The file that a version kept for a path belongs to: the live one there, else the one that died there last.
///
/// # Errors
/// The catalogue's.
pub async fn file_for_version(tx: &mut Tx, root: i64, path: &DrivePath) -> Result<Option<Node>> {
    let live = nodes::resolve(tx, root, path).await?.node.filter(Node::is_file);
    if live.is_some() {
        return Ok(live);
    }
    let mut latest: Option<Node> = None;
    for id in tree::ever_at(tx, root, path).await? {
        let node = nodes::by_id(tx, id).await?;
        // One that lives on elsewhere has a history of its own there.
        if tree::is_live(&nodes::lineage(tx, id).await?) {
            continue;
        }
        if node.is_file() && latest.as_ref().is_none_or(|found| found.seq < node.seq) {
            latest = Some(node);
        }
    }
    Ok(latest)
}
