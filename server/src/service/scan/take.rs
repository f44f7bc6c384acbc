//! Takes differences of a folder into the catalogue (algorithms A, Adopt).

use std::sync::Arc;

use holdfast_protocol::{ContentHash, DrivePath, fold_key};
use uuid::Uuid;

use super::{Difference, Folder, Left, in_tree, same_kind, settled, too_busy};
use crate::catalog::changes::Actor;
use crate::catalog::db::Tx;
use crate::catalog::drives::Right;
use crate::catalog::nodes::{self, Node};
use crate::catalog::{ops, tree};
use crate::domain::stat::{EntryKind, Stat};
use crate::error::{Error, Kind, Result};
use crate::service::act::Act;
use crate::service::content;
use crate::service::placement::Mounted;
use crate::store::Phys;

/// At most so many differences are adopted in one commit.
const BATCH: usize = 128;

/// A difference that is ready to be taken.
struct Ready {
    difference: Difference,
    hash: Option<ContentHash>,
    moved_from: Option<(Node, DrivePath)>,
}

/// Where an entry under a name that no node has comes from.
enum Origin {
    /// Nobody knows it.
    New,
    /// A node that is no longer where its name says.
    Moved(Box<Node>, DrivePath),
    /// A node whose move waits to be placed, or what waits to be deleted: it will be taken from here.
    Waiting,
}

/// Takes differences of one folder into the catalogue; returns the folders in it that are to be compared.
pub(super) async fn adopt(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    differences: Vec<Difference>,
    left: &mut Left,
) -> Result<Vec<Folder>> {
    let mut new = Vec::new();
    let mut waiting = differences;
    while !waiting.is_empty() {
        let batch: Vec<Difference> = waiting.drain(..waiting.len().min(BATCH)).collect();
        let ready = prepare(mounted, folder, batch, left).await?;
        if !ready.is_empty() {
            new.extend(commit(mounted, folder, ready, left).await?);
        }
    }
    Ok(new)
}

/// Waits for what is being written, finds moves, and hashes: all that takes time, and nothing that must not change.
async fn prepare(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    batch: Vec<Difference>,
    left: &mut Left,
) -> Result<Vec<Ready>> {
    let mut ready = Vec::new();
    for difference in batch {
        if !quiet(mounted, folder, &difference).await? {
            left.busy.insert(difference.stat.ident);
            mounted.look_at(&difference.path);
            continue;
        }
        let moved_from = match origin(mounted, &difference).await? {
            Origin::New => None,
            Origin::Moved(node, from) => Some((*node, from)),
            Origin::Waiting => continue,
        };
        let hash = match difference.stat.kind {
            EntryKind::File => match hash_of(mounted, folder, &difference, left).await? {
                Some(hash) => Some(hash),
                None => continue,
            },
            _ => None,
        };
        ready.push(Ready { difference, hash, moved_from });
    }
    Ok(ready)
}

async fn commit(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    ready: Vec<Ready>,
    left: &mut Left,
) -> Result<Vec<Folder>> {
    let gate = mounted.quiet().await.ok_or_else(too_busy)?;
    let (store, place) = (Arc::clone(&mounted.store), folder.place.clone());
    let (still, changed) = tokio::task::spawn_blocking(move || {
        ready.into_iter().partition::<Vec<_>, _>(
            |Ready { difference: Difference { path, stat, .. }, .. }| {
                let there =
                    place.join(path.name().unwrap_or_default()).ok().and_then(|p| store.lstat(&p).ok());
                there.flatten().is_some_and(|now| unchanged(stat, &now))
            },
        )
    })
    .await
    .map_err(Error::internal)?;
    let again = |path: &DrivePath, left: &mut Left| {
        left.changed = true;
        mounted.look_at(path);
    };
    changed.iter().for_each(|ready| again(&ready.difference.path, left));
    if still.is_empty() {
        return Ok(Vec::new());
    }
    let (drive, here, done, now) = (mounted.id, folder.clone(), gate.done(), mounted.clock().now());
    let hints = still.iter().map(|ready| ready.difference.path.clone()).collect::<Vec<_>>();
    let committed = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if ops::any_pending(tx, drive, done).await? {
                    return Err(too_busy());
                }
                let actor = Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now };
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let parent = still_there(act.tx, &here).await?.ok_or_else(too_busy)?;
                let (mut new, mut other) = (Vec::new(), Vec::new());
                for ready in still {
                    let path = ready.difference.path.clone();
                    match adopt_one(&mut act, &parent, ready).await? {
                        Taken::File => {}
                        Taken::Folder(node) => {
                            let place = here.place.join(&node.name).map_err(Error::internal)?;
                            new.push(Folder { node: node.id, path, place });
                        }
                        Taken::No => other.push(path),
                    }
                }
                act.finish().await?;
                Ok((new, other))
            })
        })
        .await;
    drop(gate);
    match committed {
        Ok((new, other)) => {
            other.iter().for_each(|path| again(path, left));
            Ok(new)
        }
        Err(error) if error.kind() == Kind::Unavailable => {
            hints.iter().for_each(|path| again(path, left));
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Whether an entry is what was seen. What happens in a folder changes its times, but not what it is.
fn unchanged(seen: &Stat, now: &Stat) -> bool {
    match seen.kind {
        EntryKind::Folder => (now.kind, now.ident) == (seen.kind, seen.ident),
        _ => now == seen,
    }
}

/// The node of a folder, if the folder is still where it was found and neither it nor one above waits to be placed.
async fn still_there(tx: &mut Tx, folder: &Folder) -> Result<Option<Node>> {
    let lineage = nodes::lineage(tx, folder.node).await?;
    let here = settled(&lineage) && content::physical(&lineage)? == folder.place;
    Ok(lineage.into_iter().next_back().filter(|_| here))
}

/// Whether nobody has written to a difference's file for a while; folders are taken as they are.
async fn quiet(mounted: &Arc<Mounted>, folder: &Folder, difference: &Difference) -> Result<bool> {
    if difference.stat.kind == EntryKind::Folder {
        return Ok(true);
    }
    let place = folder.place.join(difference.path.name().unwrap_or_default()).map_err(Error::internal)?;
    let store = Arc::clone(&mounted.store);
    let quiet = tokio::task::spawn_blocking(move || store.is_quiet(&place)).await.map_err(Error::internal)?;
    Ok(quiet.unwrap_or(false))
}

async fn hash_of(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    difference: &Difference,
    left: &mut Left,
) -> Result<Option<ContentHash>> {
    let place = folder.place.join(difference.path.name().unwrap_or_default()).map_err(Error::internal)?;
    let store = Arc::clone(&mounted.store);
    let hashed =
        tokio::task::spawn_blocking(move || store.hash_file(&place)).await.map_err(Error::internal)?;
    match hashed {
        Ok((hash, stat)) if stat == difference.stat => Ok(Some(hash)),
        Ok(_) => {
            left.changed = true;
            mounted.look_at(&difference.path);
            Ok(None)
        }
        Err(error) => {
            tracing::info!(drive = %mounted.uuid, %error, "a file that another program changed cannot be read now");
            Ok(None)
        }
    }
}

/// Whether an entry is a live node whose own name no longer leads to it: then this is a move, not a new file.
async fn origin(mounted: &Arc<Mounted>, difference: &Difference) -> Result<Origin> {
    if difference.known.is_some() {
        return Ok(Origin::New);
    }
    let (drive, stat) = (mounted.id, difference.stat);
    let (parked, found) = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let parked = ops::parked_about(tx, drive, stat.ident).await?.is_some();
                let nodes = nodes::by_inode(tx, drive, stat.ident).await?;
                let [node] = nodes.as_slice() else { return Ok((parked, None)) };
                let lineage = nodes::lineage(tx, node.id).await?;
                let live = tree::is_live(&lineage).then(|| (node.clone(), tree::path_of(&lineage).0));
                Ok((parked, live))
            })
        })
        .await?;
    if parked {
        // Also what was edited since: once it leaves its place it is judged, and kept.
        return Ok(Origin::Waiting);
    }
    let Some((node, path)) = found.filter(|(node, _)| same_kind(node, &stat)) else {
        return Ok(Origin::New);
    };
    if node.state == "unplaced" {
        return Ok(Origin::Waiting);
    }
    let (store, old) = (Arc::clone(&mounted.store), Phys::from(&path));
    // Where names that differ in case are one, the old one leads to it still.
    let is_one_name =
        mounted.store.caps().folds_case && fold_key(path.as_str()) == fold_key(difference.path.as_str());
    if is_one_name {
        return Ok(Origin::Moved(Box::new(node), path));
    }
    let there = tokio::task::spawn_blocking(move || store.lstat(&old)).await.map_err(Error::internal)?;
    let still_there = there.is_ok_and(|there| there.is_some_and(|there| there.ident == stat.ident));
    Ok(if still_there { Origin::New } else { Origin::Moved(Box::new(node), path) })
}

/// What became of a difference.
enum Taken {
    /// It is in the catalogue.
    File,
    /// It is in the catalogue, and what is in it is to be compared.
    Folder(Box<Node>),
    /// The catalogue has changed since it was seen.
    No,
}

/// Adopts one difference, unless the catalogue has changed since it was seen.
async fn adopt_one(act: &mut Act<'_>, parent: &Node, ready: Ready) -> Result<Taken> {
    let Ready { difference: Difference { path, stat, known }, hash, moved_from } = ready;
    let there = nodes::child(act.tx, parent.id, path.name().unwrap_or_default()).await?;
    let as_seen = match (&there, &known) {
        (None, None) => true,
        (Some(now), Some(seen)) => (now.id, now.seq) == (seen.id, seen.seq) && in_tree(now),
        _ => false,
    };
    if !as_seen {
        return Ok(Taken::No);
    }
    if let Some((node, from)) = moved_from {
        let now = nodes::by_id(act.tx, node.id).await?;
        if (now.seq, now.parent_id, &now.name) != (node.seq, node.parent_id, &node.name) || !in_tree(&now) {
            return Ok(Taken::No);
        }
        if !path.is_beneath(&from) {
            act.adopt_move(&node, parent, &from, &path).await?;
            let node = nodes::by_id(act.tx, node.id).await?;
            return match hash {
                Some(hash) => act.adopt_content(&node, &path, hash, &stat).await.map(|()| Taken::File),
                None => Ok(Taken::Folder(Box::new(node))),
            };
        }
    }
    match (known, hash) {
        (Some(node), Some(hash)) => {
            act.adopt_content(&node, &path, hash, &stat).await?;
            Ok(Taken::File)
        }
        (Some(node), None) => {
            act.adopt_identity(&node, stat.ident).await?;
            Ok(Taken::Folder(Box::new(node)))
        }
        (None, Some(hash)) => act.adopt_file(parent, &path, hash, &stat).await.map(|_| Taken::File),
        (None, None) => {
            act.adopt_folder(parent, &path, &stat).await.map(|node| Taken::Folder(Box::new(node)))
        }
    }
}
