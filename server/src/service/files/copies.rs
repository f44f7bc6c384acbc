//! Copying: every content is staged and durable first, then one commit makes the whole copy.

use std::io::ErrorKind;
use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::{Done, PutDone, Transfer, Who, disk_error, no_folder, with_folders};
use crate::catalog::db::{AMBIGUOUS, TxFuture};
use crate::catalog::drives::Right;
use crate::catalog::nodes::Node;
use crate::catalog::{nodes, properties, tree};
use crate::error::{Error, Result};
use crate::service::act::{Act, NEEDS_FOLDERS, StagedFolder};
use crate::service::content::{self, Opened};
use crate::service::placement::Mounted;
use crate::store::Blob;

/// Copies a file, or a folder with all beneath it, in one commit.
///
/// # Errors
/// As for [`super::moves::rename`]; also when a content changes while it is copied.
pub async fn copy(mounted: &Arc<Mounted>, who: Who, transfer: Transfer) -> Result<Done<PutDone>> {
    let plan = plan_copy(mounted, &transfer).await?;
    let mut blobs = Vec::new();
    for (path, node) in &plan.files {
        match stage_copy(mounted, node).await {
            Ok(blob) => blobs.push(Copied { path: path.clone(), blob, of: node.id }),
            Err(error) => {
                blobs.iter().for_each(|copied| mounted.store.discard(copied.blob.slot));
                return Err(error);
            }
        }
    }
    let slots: Vec<Uuid> = blobs.iter().map(|copied| copied.blob.slot).collect();
    let result = match make_durable(mounted, &slots).await {
        Ok(()) => commit_copy(mounted, who, transfer, plan.folders, blobs).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &result
        && error.problem_code() != Some(AMBIGUOUS)
    {
        slots.iter().for_each(|slot| mounted.store.discard(*slot));
    }
    let (value, seq) = result?;
    Ok(Done { value, placed: mounted.placed(seq).await })
}

struct CopyPlan {
    /// Where each folder goes, with the one it is a copy of; those above before those within.
    folders: Vec<(DrivePath, i64)>,
    files: Vec<(DrivePath, Node)>,
}

/// A durable copy of a file's content, where it goes, and of which file it is.
#[derive(Debug, Clone)]
struct Copied {
    path: DrivePath,
    blob: Blob,
    of: i64,
}

async fn plan_copy(mounted: &Arc<Mounted>, transfer: &Transfer) -> Result<CopyPlan> {
    let (root, transfer) = (mounted.root_node, transfer.clone());
    mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let Transfer { from, to, expect, .. } = &transfer;
                let found = nodes::resolve(tx, root, from).await?;
                let absent = || Error::not_found("there is nothing to copy").with("path", from.to_string());
                let node = found.node.ok_or_else(absent)?;
                if !expect.holds(node.content_hash()) {
                    return Err(expect.refused(node.content_hash()));
                }
                if to == from || to.is_beneath(from) {
                    return Err(Error::conflict("a folder cannot be copied into itself"));
                }
                if node.is_folder() && transfer.shallow {
                    return Ok(CopyPlan { folders: vec![(to.clone(), node.id)], files: Vec::new() });
                }
                if node.is_file() {
                    return Ok(CopyPlan { folders: Vec::new(), files: vec![(to.clone(), node)] });
                }
                let mut paths = std::collections::HashMap::from([(node.id, to.clone())]);
                let mut plan = CopyPlan { folders: vec![(to.clone(), node.id)], files: Vec::new() };
                let mut left = tree::beneath(tx, node.id).await?;
                // A child may have a lower key than a folder it was moved into: go on until nothing is left.
                while !left.is_empty() {
                    let before = left.len();
                    let mut later = Vec::new();
                    for child in left {
                        match child.parent_id.and_then(|parent| paths.get(&parent)).cloned() {
                            None => later.push(child),
                            Some(above) => {
                                let path =
                                    above.join(&child.name).map_err(|e| Error::invalid(e.to_string()))?;
                                if child.is_folder() {
                                    paths.insert(child.id, path.clone());
                                    plan.folders.push((path, child.id));
                                } else {
                                    plan.files.push((path, child));
                                }
                            }
                        }
                    }
                    if later.len() == before {
                        return Err(Error::internal("a tree with nodes that hang nowhere"));
                    }
                    left = later;
                }
                Ok(plan)
            })
        })
        .await
}

/// How often a content is looked for again that another act has moved on from under its copy.
const TRIES: usize = 4;

async fn stage_copy(mounted: &Arc<Mounted>, node: &Node) -> Result<Blob> {
    let node_id = node.id;
    let mut path = DrivePath::root();
    for _ in 0..TRIES {
        path = mounted.db().read(move |tx| Box::pin(content::where_is(tx, node_id))).await?.0;
        let (opened, _) = content::open(mounted, &path).await?;
        let expected = opened.hash;
        match copy_opened(mounted, opened).await? {
            Some(blob) if expected.is_none_or(|hash| hash == blob.hash) => return Ok(blob),
            Some(blob) => mounted.store.discard(blob.slot),
            None => {}
        }
    }
    Err(changed().with("path", path.to_string()))
}

fn changed() -> Error {
    Error::conflict("the file was changed while it was copied")
}

/// A durable copy of an opened content in a slot of its own.
///
/// # Errors
/// 507 or 503 when it cannot be copied, 409 when it was moved or changed meanwhile.
pub async fn stage_opened(mounted: &Arc<Mounted>, opened: Opened) -> Result<Blob> {
    let blob = copy_opened(mounted, opened).await?.ok_or_else(changed)?;
    make_durable(mounted, &[blob.slot]).await.inspect_err(|_| mounted.store.discard(blob.slot))?;
    Ok(blob)
}

/// A copy of an opened content in a slot of its own, not durable yet; nothing when another act or program has moved or
/// replaced it meanwhile, which is no fault of the drive's.
async fn copy_opened(mounted: &Arc<Mounted>, opened: Opened) -> Result<Option<Blob>> {
    let store = Arc::clone(&mounted.store);
    let copied = tokio::task::spawn_blocking(move || {
        let (places, ident) = opened.source();
        store.stage_copy(places, ident)
    })
    .await
    .map_err(Error::internal)?;
    match copied {
        Ok(blob) => Ok(Some(blob)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ResourceBusy) => Ok(None),
        Err(error) => Err(disk_error(error)),
    }
}

/// All of them at once: one wait for the disk, however many they are.
async fn make_durable(mounted: &Arc<Mounted>, slots: &[Uuid]) -> Result<()> {
    let (store, slots) = (Arc::clone(&mounted.store), slots.to_vec());
    tokio::task::spawn_blocking(move || store.make_durable(&slots))
        .await
        .map_err(Error::internal)?
        .map_err(disk_error)
}

async fn commit_copy(
    mounted: &Arc<Mounted>,
    who: Who,
    transfer: Transfer,
    folders: Vec<(DrivePath, i64)>,
    blobs: Vec<Copied>,
) -> Result<(PutDone, i64)> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    with_folders(mounted, true, move |staged| {
        let (transfer, who) = (transfer.clone(), who.clone());
        let (folders, blobs) = (folders.clone(), blobs.clone());
        move |tx| -> TxFuture<'_, ((PutDone, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let mut staged = staged;
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let to = &transfer.to;
                let target = act.resolve(to).await?;
                let created = target.node.is_none();
                let mut above_and_it = target.missing;
                if let Some(there) = &target.node {
                    if !transfer.overwrite || transfer.from.is_beneath(to) {
                        let error = Error::conflict("the target exists already").code("exists");
                        return Err(error.with("path", to.to_string()));
                    }
                    if there.is_folder() || !folders.is_empty() {
                        act.delete(there, to).await?;
                        above_and_it = 1;
                    }
                }
                if target.missing > 1 && !transfer.parents {
                    return Err(no_folder(&to.parent().unwrap_or_else(DrivePath::root)));
                }
                let missing = match folders.len() {
                    0 => target.missing.saturating_sub(1),
                    within => above_and_it + within - 1,
                };
                if staged.len() < missing {
                    let error = Error::internal("not enough folders staged").code(NEEDS_FOLDERS);
                    return Err(error.with("folders", u64::try_from(missing).unwrap_or(u64::MAX)));
                }
                for (folder, of) in &folders {
                    let made = act.folder(folder, &mut staged).await?;
                    properties::copy(act.tx, *of, made.id).await?;
                }
                for Copied { path, blob, of } in &blobs {
                    let parent = path.parent().unwrap_or_else(DrivePath::root);
                    let folder = act.folder(&parent, &mut staged).await?;
                    let written = act.put(&folder, path, blob, "copy").await?;
                    properties::copy(act.tx, *of, written.node.id).await?;
                }
                let found = act.resolve(to).await?;
                let node = found.node.ok_or_else(|| Error::internal("a copy without its result"))?;
                let value = PutDone { version: node.is_file().then_some(node.last_version), node, created };
                if let Some(once) = &who.once {
                    once.moved(act.tx, &transfer, &value, act.actor.now).await?;
                }
                let head = act.finish().await?;
                Ok(((value, head), staged))
            })
        }
    })
    .await
}
