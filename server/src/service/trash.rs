//! What was deleted, and bringing it back (promise P1: deleted means kept until somebody purges it).

use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::act::{Act, StagedFolder};
use super::content;
use super::files::{self, Done, PutDone, Who, with_folders};
use super::placement::Mounted;
use crate::catalog::changes::Actor;
use crate::catalog::db::{AMBIGUOUS, Tx, TxFuture};
use crate::catalog::drives::Right;
use crate::catalog::nodes::{self, Node};
use crate::catalog::versions::{self, Version};
use crate::catalog::{properties, tree};
use crate::error::{Error, Result};
use crate::store::Blob;

/// The reason of versions that a restore made (003-23).
pub const RESTORE: &str = "restore";

/// Something deleted.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// Where it was.
    pub path: DrivePath,
    /// What it was.
    pub node: Node,
}

/// What was deleted from a drive, newest first. A folder stands for all that was in it.
///
/// # Errors
/// The catalogue's.
pub async fn list(mounted: &Arc<Mounted>, before: i64, limit: i64) -> Result<Vec<Deleted>> {
    let drive = mounted.id;
    mounted.db().read(move |tx| Box::pin(async move { list_in(tx, drive, before, limit).await })).await
}

/// As [`list`], of a drive by its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn list_in(tx: &mut Tx, drive: i64, before: i64, limit: i64) -> Result<Vec<Deleted>> {
    let mut deleted = Vec::new();
    for node in tree::dead(tx, drive, before, limit).await? {
        let (path, _) = tree::path_of(&nodes::lineage(tx, node.id).await?);
        deleted.push(Deleted { path, node });
    }
    Ok(deleted)
}

/// Something deleted, as far as a restore needs it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it was.
    pub path: DrivePath,
    /// What it was.
    pub node: Node,
    /// Of a file: its last content.
    pub version: Option<Version>,
}

/// Brings something deleted back to where it was, or to another path: a file as a copy of its last version, a folder
/// as it is. Missing folders above are made. Returns where it is now.
///
/// # Errors
/// 404 when there is no such thing, 409 `exists` when something is at the target or `not-deleted` when it is live, 404
/// `version-lost` when its bytes are gone.
pub async fn restore(
    mounted: &Arc<Mounted>,
    who: Who,
    id: Uuid,
    to: Option<DrivePath>,
) -> Result<(DrivePath, Done<PutDone>)> {
    let (drive, wanted) = (mounted.id, id);
    let found = mounted.db().read(move |tx| Box::pin(find(tx, drive, wanted))).await?;
    let to = to.unwrap_or(found.path);
    let done = match &found.version {
        Some(version) => restore_file(mounted, who, found.node.id, version, to.clone()).await?,
        None => restore_folder(mounted, who, found.node, to.clone()).await?,
    };
    Ok((to, done))
}

/// What in a drive a restore would be about.
///
/// # Errors
/// As for [`restore`], as far as they are about it.
pub async fn find(tx: &mut Tx, drive: i64, id: Uuid) -> Result<Found> {
    let absent = || Error::not_found("nothing deleted has this id");
    let node = nodes::by_uuid(tx, drive, id).await?.ok_or_else(absent)?;
    let lineage = nodes::lineage(tx, node.id).await?;
    let (path, _) = tree::path_of(&lineage);
    if tree::is_live(&lineage) {
        let error = Error::conflict("this is not deleted").code("not-deleted");
        return Err(error.with("path", path.to_string()));
    }
    if node.is_folder() && !node.is_dead() {
        let error =
            Error::conflict("this lies in a deleted folder: restore that one").code("in-deleted-folder");
        let folder = lineage.iter().rev().find(|above| above.is_dead()).map(|above| above.uuid.to_string());
        return Err(error.with("folder", folder));
    }
    let version = match node.current_version_id {
        Some(version) => Some(versions::by_id(tx, version).await?),
        None if node.is_folder() => None,
        None => return Err(absent()),
    };
    Ok(Found { path, node, version })
}

async fn restore_file(
    mounted: &Arc<Mounted>,
    who: Who,
    dead: i64,
    version: &Version,
    to: DrivePath,
) -> Result<Done<PutDone>> {
    let blob = stage_version(mounted, version).await?;
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let result = with_folders(mounted, true, move |mut staged| {
        let to = to.clone();
        move |tx| -> TxFuture<'_, ((PutDone, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let done = restore_file_in(tx, drive, actor, dead, &to, &blob, &mut staged).await?;
                Ok((done, staged))
            })
        }
    })
    .await;
    if let Err(error) = &result
        && error.problem_code() != Some(AMBIGUOUS)
    {
        mounted.store.discard(blob.slot);
    }
    let (value, seq) = result?;
    Ok(Done { value, placed: mounted.placed(seq).await })
}

/// A deleted file brought back, in its transaction: a copy of its last content is staged and durable. With the sequence of
/// the last change.
///
/// # Errors
/// As for [`restore`].
pub async fn restore_file_in(
    tx: &mut Tx,
    drive: i64,
    actor: Actor,
    dead: i64,
    to: &DrivePath,
    blob: &Blob,
    staged: &mut Vec<StagedFolder>,
) -> Result<(PutDone, i64)> {
    let (mut act, folder) = open_target(tx, drive, actor, to, staged).await?;
    let written = act.put(&folder, to, blob, RESTORE).await?;
    properties::copy(act.tx, dead, written.node.id).await?;
    let head = act.finish().await?;
    Ok((PutDone::written(written), head))
}

async fn restore_folder(
    mounted: &Arc<Mounted>,
    who: Who,
    dead: Node,
    to: DrivePath,
) -> Result<Done<PutDone>> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let (value, seq) = with_folders(mounted, true, move |mut staged| {
        let (to, dead) = (to.clone(), dead.id);
        move |tx| -> TxFuture<'_, ((PutDone, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let done = restore_folder_in(tx, drive, actor, dead, &to, &mut staged).await?;
                Ok((done, staged))
            })
        }
    })
    .await?;
    Ok(Done { value, placed: mounted.placed(seq).await })
}

/// A deleted folder brought back, in its transaction. With the sequence of the last change.
///
/// # Errors
/// As for [`restore`].
pub async fn restore_folder_in(
    tx: &mut Tx,
    drive: i64,
    actor: Actor,
    dead: i64,
    to: &DrivePath,
    staged: &mut Vec<StagedFolder>,
) -> Result<(PutDone, i64)> {
    let (mut act, folder) = open_target(tx, drive, actor, to, staged).await?;
    let now = nodes::by_id(act.tx, dead).await?;
    if !now.is_dead() {
        return Err(Error::conflict("this is not deleted").code("not-deleted"));
    }
    act.revive_folder(&now, to, &folder).await?;
    let node = nodes::by_id(act.tx, dead).await?;
    let head = act.finish().await?;
    Ok((PutDone { node, created: true, version: None }, head))
}

/// An act that may put something at a path where nothing is; the folder above is there afterwards.
async fn open_target<'t>(
    tx: &'t mut Tx,
    drive: i64,
    actor: Actor,
    to: &DrivePath,
    staged: &mut Vec<StagedFolder>,
) -> Result<(Act<'t>, Node)> {
    let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
    if act.resolve(to).await?.node.is_some() {
        let error = Error::conflict("something else is there now; name another path").code("exists");
        return Err(error.with("path", to.to_string()));
    }
    let above =
        to.parent().ok_or_else(|| Error::conflict("nothing can take the place of the drive's root"))?;
    let folder = act.folder(&above, staged).await?;
    Ok((act, folder))
}

/// A durable copy of a version's bytes in a slot of its own: content for a new version.
///
/// # Errors
/// 404 `version-lost` when they are gone, 409 `version-damaged` or when they were moved meanwhile, 507 or 503 when they
/// cannot be copied.
pub async fn stage_version(mounted: &Arc<Mounted>, version: &Version) -> Result<Blob> {
    let opened = content::open_version(mounted, version).await?;
    let blob = files::stage_opened(mounted, opened).await?;
    if blob.hash == version.content_hash()? {
        return Ok(blob);
    }
    mounted.store.discard(blob.slot);
    Err(Error::conflict("the bytes of this version are damaged").code("version-damaged"))
}
