//! Judges what a placement displaced into its slot: the content the catalogue knew is sealed as a version; anything
//! else is what another program wrote, and is kept as a version with a conflict (algorithms A, step 7).

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::{ContentHash, DrivePath, Kind};
use tokio::sync::watch;
use uuid::Uuid;

use super::act::Act;
use super::placement::Mounted;
use super::{content, scan};
use crate::catalog::changes::Actor;
use crate::catalog::conflicts::{self, NewConflict, ServerSide};
use crate::catalog::db::AMBIGUOUS;
use crate::catalog::drives::Right;
use crate::catalog::nodes::{self, Node};
use crate::catalog::ops::{self, OpRow};
use crate::catalog::{findings, slots, versions};
use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::error::{Error, Result};
use crate::store::{Blob, Judgement, LogEntry, Phys, Seen};

/// How often there is a look at what waits.
const EVERY: Duration = Duration::from_millis(500);
/// Most placements judged in one round.
const ROUND: i64 = 256;

/// Judges until told to stop.
pub async fn run(mounted: Arc<Mounted>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = round(&mounted).await {
            tracing::warn!(drive = %mounted.uuid, error = ?error, "judging what was displaced failed, tried again");
        }
    }
}

/// One round over everything that waits; what is still being written to waits on.
///
/// # Errors
/// The disk's or the catalogue's.
pub async fn round(mounted: &Arc<Mounted>) -> Result<()> {
    let mut after = 0;
    loop {
        let drive = mounted.id;
        let waiting =
            mounted.db().read(move |tx| Box::pin(ops::in_state(tx, drive, "placed", after, ROUND))).await?;
        let Some(last) = waiting.last() else { return Ok(()) };
        after = last.id;
        for op in waiting {
            let slot = op.uuid;
            if let Err(error) = judge(mounted, op).await {
                // One that cannot be judged must not keep all behind it waiting.
                tracing::warn!(drive = %mounted.uuid, %slot, error = ?error, "what was displaced could not be judged, tried again");
            }
        }
    }
}

async fn judge(mounted: &Arc<Mounted>, op: OpRow) -> Result<()> {
    let (store, slot) = (Arc::clone(&mounted.store), Phys::slot(op.uuid));
    let there = tokio::task::spawn_blocking(move || store.lstat(&slot)).await.map_err(Error::internal)?;
    match there.map_err(super::files::disk_error)? {
        None => nothing_there(mounted, op).await,
        Some(stat) => match stat.kind {
            EntryKind::File => file_there(mounted, op, stat).await,
            EntryKind::Folder => folder_there(mounted, op).await,
            EntryKind::Link | EntryKind::Other => thing_there(mounted, op).await,
        },
    }
}

/// What should have been displaced is not in the slot: it was gone before, or never left where it was.
async fn nothing_there(mounted: &Arc<Mounted>, op: OpRow) -> Result<()> {
    let lost = match op.displaced_version_id {
        None => false,
        Some(id) => {
            let version = mounted.db().read(move |tx| Box::pin(versions::by_id(tx, id))).await?;
            matches!(content::open_version(mounted, &version).await, Err(error) if error.problem_code() == Some("version-lost"))
        }
    };
    let slot = op.uuid;
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if let Some(id) = op.displaced_version_id.filter(|_| lost) {
                    versions::set_lost(tx, id).await?;
                }
                slots::clear(tx, slot).await?;
                ops::delete(tx, op.id).await
            })
        })
        .await
}

/// A folder lies there: a deleted one, or one that another program had put where a file was to be.
async fn folder_there(mounted: &Arc<Mounted>, op: OpRow) -> Result<()> {
    let (id, slot, drive) = (op.node_id, op.uuid, mounted.id);
    let (lineage, known) = mounted
        .db()
        .read(move |tx| {
            Box::pin(
                async move { Ok((nodes::lineage(tx, id).await?, slots::folder_in(tx, drive, slot).await?)) },
            )
        })
        .await?;
    let (path, _) = crate::catalog::tree::path_of(&lineage);
    let folder = match known {
        Some(folder) => folder,
        None => match strange_folder(mounted, &lineage, slot).await? {
            Some(folder) => folder,
            None => return Ok(()),
        },
    };
    if scan::index_slot(mounted, folder, path, slot).await? {
        mounted.db().write(move |tx| Box::pin(ops::delete(tx, op.id))).await?;
    }
    Ok(())
}

/// A dead node for a folder of another program that a placement displaced; `None` when the slot has to be looked at again: a
/// folder that is being brought back lies there until that is placed, and is nobody else's.
async fn strange_folder(mounted: &Arc<Mounted>, lineage: &[Node], slot: Uuid) -> Result<Option<i64>> {
    let (path, _) = crate::catalog::tree::path_of(lineage);
    let Some(gate) = mounted.quiet().await else { return Ok(None) };
    let parent =
        lineage.iter().rev().nth(1).cloned().ok_or_else(|| Error::internal("a root was displaced"))?;
    let (store, place) = (Arc::clone(&mounted.store), Phys::slot(slot));
    let stat = tokio::task::spawn_blocking(move || store.lstat(&place)).await.map_err(Error::internal)?;
    let Some(stat) = stat.map_err(super::files::disk_error)? else { return Ok(None) };
    let (drive, done, actor) = (mounted.id, gate.done(), nobody(mounted));
    let made = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if ops::any_pending(tx, drive, done).await?
                    || slots::folder_in(tx, drive, slot).await?.is_some()
                {
                    return Ok(None);
                }
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let id = act.adopt_displaced_folder(&parent, &path, &stat, slot).await?;
                act.finish().await?;
                Ok(Some(id))
            })
        })
        .await;
    drop(gate);
    made
}

/// A symbolic link, a pipe or a device lies there, which another program had put where a file was to be. It has no
/// content to make a version of: people find it beside the versions, and a finding tells them.
async fn thing_there(mounted: &Arc<Mounted>, op: OpRow) -> Result<()> {
    let (id, drive, slot, now) = (op.node_id, mounted.id, op.uuid, mounted.clock().now());
    // Told first: both may be repeated after a crash in between.
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let (path, _) = crate::catalog::tree::path_of(&nodes::lineage(tx, id).await?);
                let detail = format!(
                    "kept as {slot} in lost-and-found: another program had put it there, and it is no file"
                );
                findings::add(tx, drive, Some(id), "lost-and-found", path.as_str(), &detail, now).await
            })
        })
        .await?;
    let store = Arc::clone(&mounted.store);
    let kept = tokio::task::spawn_blocking(move || store.keep_lost(slot)).await.map_err(Error::internal)?;
    kept.map_err(super::files::disk_error)?;
    nothing_there(mounted, op).await
}

fn nobody(mounted: &Arc<Mounted>) -> Actor {
    Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now: mounted.clock().now() }
}

async fn file_there(mounted: &Arc<Mounted>, op: OpRow, stat: Stat) -> Result<()> {
    if stat.nlink > 1 {
        // Another name leads to this inode: what is written there must not reach the version.
        return copy_there(mounted, op, stat.ident).await;
    }
    let known = match op.displaced_version_id {
        Some(id) => mounted.db().read(move |tx| Box::pin(versions::by_id(tx, id))).await?.content_hash()?,
        None => ContentHash::EMPTY,
    };
    let (store, slot, seen) = (Arc::clone(&mounted.store), op.uuid, Seen::from(&stat));
    let judged = tokio::task::spawn_blocking(move || {
        let judged = store.seal_check(slot, &seen, &known)?;
        // Another program need not have synced what it wrote, and a version must not fade away in a power cut.
        let synced = match judged {
            Judgement::Sealed | Judgement::Changed { .. } => store.sync_displaced(slot),
            Judgement::Busy | Judgement::Absent => Ok(()),
        };
        Ok((judged, synced, store.lstat(&Phys::slot(slot))?))
    })
    .await
    .map_err(Error::internal)?
    .map_err(super::files::disk_error)?;
    let (hash, stat) = match judged {
        (Judgement::Sealed | Judgement::Changed { .. }, Err(error), _) => {
            // After a failed sync the next one may succeed without having written anything (algorithms A).
            tracing::warn!(drive = %mounted.uuid, %slot, %error, "what was displaced could not be made durable, copied");
            return copy_there(mounted, op, stat.ident).await;
        }
        (Judgement::Changed { hash, stat }, ..) => (hash, stat),
        (Judgement::Sealed, _, Some(stat)) => (known, stat),
        _ => return Ok(()),
    };
    settle(mounted, op, slot, hash, stat).await
}

/// Settles an op with a copy of what was displaced, once nobody writes to that any more. The copy has never been anyone
/// else's, so it need not come to rest itself.
async fn copy_there(mounted: &Arc<Mounted>, op: OpRow, ident: Ident) -> Result<()> {
    let (store, slot) = (Arc::clone(&mounted.store), op.uuid);
    let copied = tokio::task::spawn_blocking(move || -> std::io::Result<Blob> {
        let place = Phys::slot(slot);
        if !store.is_quiet(&place)? {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let copy = store.stage_copy(&[place], ident)?;
        store.make_durable(&[copy.slot]).inspect_err(|_| store.discard(copy.slot))?;
        Ok(copy)
    })
    .await
    .map_err(Error::internal)?;
    let copy = match copied {
        Ok(copy) => copy,
        // Later: it is being written to, or somebody took it away.
        Err(error) if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::NotFound) => return Ok(()),
        Err(error) => return Err(super::files::disk_error(error)),
    };
    let entry = LogEntry {
        epoch: mounted.epoch(),
        seq: op.seq,
        op: copy.slot,
        path: op.path.clone(),
        hash: Some(copy.hash),
        time: mounted.clock().now(),
    };
    if let Err(error) = settle(mounted, op, copy.slot, copy.hash, copy.stat).await {
        if error.problem_code() != Some(AMBIGUOUS) {
            mounted.store.discard(copy.slot);
        }
        return Err(error);
    }
    let store = Arc::clone(&mounted.store);
    tokio::task::spawn_blocking(move || {
        // A catalogue restored from a backup must find in the log what the old slot's entry told.
        store.log_append(&[entry])?;
        store.discard(slot);
        Ok(())
    })
    .await
    .map_err(Error::internal)?
    .map_err(super::files::disk_error)
}

async fn settle(mounted: &Arc<Mounted>, op: OpRow, slot: Uuid, hash: ContentHash, stat: Stat) -> Result<()> {
    let (drive, actor, old_slot) = (mounted.id, nobody(mounted), op.uuid);
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let displaced = match op.displaced_version_id {
                    Some(id) => Some(versions::by_id(tx, id).await?),
                    None => None,
                };
                let known = match &displaced {
                    Some(version) => version.content_hash()? == hash,
                    None => false,
                };
                if let Some(version) = displaced.as_ref().filter(|_| known) {
                    versions::seal(tx, version.id, stat.ident, slot).await?;
                    // Another program may have touched it. Only a stat as it is now tells that nobody did since.
                    versions::set_mtime(tx, version.id, stat.mtime_ns).await?;
                } else {
                    let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                    let node = displaced.as_ref().and_then(|v| v.node_id).unwrap_or(op.node_id);
                    keep_strange(&mut act, node, op.displaced_version_id, hash, &stat, slot).await?;
                    act.finish().await?;
                }
                if slot != old_slot {
                    slots::replace(tx, old_slot, slot).await?;
                }
                ops::delete(tx, op.id).await
            })
        })
        .await
}

/// The displaced content is not what the catalogue knew: another program had edited the file, and its work is kept.
async fn keep_strange(
    act: &mut Act<'_>,
    node: i64,
    displaced: Option<i64>,
    hash: ContentHash,
    stat: &Stat,
    slot: Uuid,
) -> Result<()> {
    let lineage = nodes::lineage(act.tx, node).await?;
    let path: DrivePath = crate::catalog::tree::path_of(&lineage).0;
    let node = lineage.last().ok_or_else(|| Error::internal("a displaced node that is not there"))?;
    let base = match displaced {
        Some(id) => {
            versions::set_lost(act.tx, id).await?;
            Some(versions::by_id(act.tx, id).await?.content_hash()?)
        }
        None => None,
    };
    let version = act.keep_external(Some(node).filter(|n| n.is_file()), &path, hash, stat, slot).await?;
    let current = node.content_hash().filter(|_| !node.is_dead());
    if current == Some(hash) {
        return Ok(());
    }
    let new = NewConflict {
        drive_id: act.drive.id,
        device_id: None,
        path: &path,
        base,
        client: hash,
        server: ServerSide {
            hash: current,
            kind: current.map(|_| Kind::File),
            modified_at: current.map(|_| node.mtime_ns.div_euclid(1000)),
        },
        blocked_by: None,
        candidate: Some(version),
        now: act.actor.now,
    };
    conflicts::insert(act.tx, &new).await?;
    act.log(
        "conflict-opened",
        &path,
        &[("client_hash", hash.to_string()), ("by", "another program".to_owned())],
    )
    .await
}
