//! Making folders, and deleting what is no longer wanted.

use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::{Done, Expect, PutDone, Who, no_folder, with_folders, within_reach};
use crate::catalog::agreements::Stored;
use crate::catalog::db::TxFuture;
use crate::catalog::drives::Right;
use crate::catalog::{nodes, tree};
use crate::error::{Error, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::agreement;
use crate::service::placement::Mounted;
use crate::service::properties::{self, Step};

/// The code of the refusal to delete a folder that holds something.
const NOT_EMPTY: &str = "not-empty";
/// The code of the refusal to delete a file where an empty folder was meant.
const NOT_A_FOLDER: &str = "not-a-folder";

/// Makes a folder; one that is there already is fine when `exist_ok`.
///
/// # Errors
/// 409 where a file (or, unless `exist_ok`, a folder) stands, or where the folder above is missing and `parents` is off.
pub async fn make_folder(
    mounted: &Arc<Mounted>,
    who: Who,
    path: DrivePath,
    parents: bool,
    exist_ok: bool,
) -> Result<Done<PutDone>> {
    make(mounted, who, NewFolder { path, parents, exist_ok, properties: Vec::new() }).await
}

/// Makes a folder where nothing is, with properties, or neither (RFC 5689).
///
/// # Errors
/// As for [`make_folder`], and 507 `too-many-properties`.
pub async fn make_folder_with(
    mounted: &Arc<Mounted>,
    who: Who,
    path: DrivePath,
    properties: Vec<Step>,
) -> Result<Done<PutDone>> {
    make(mounted, who, NewFolder { path, parents: false, exist_ok: false, properties }).await
}

/// A folder to be made.
#[derive(Debug, Clone)]
pub struct NewFolder {
    /// Where.
    pub path: DrivePath,
    /// Whether missing folders above are made.
    pub parents: bool,
    /// Whether one that is there already is fine.
    pub exist_ok: bool,
    /// What is set on it.
    pub properties: Vec<Step>,
}

async fn make(mounted: &Arc<Mounted>, who: Who, new: NewFolder) -> Result<Done<PutDone>> {
    within_reach(mounted, &new.path).await?;
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let (value, seq) = with_folders(mounted, true, move |staged| {
        let (new, who) = (new.clone(), who.clone());
        move |tx| -> TxFuture<'_, ((PutDone, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let mut staged = staged;
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let value = make_in(&mut act, &new, &who, &mut staged).await?;
                let head = act.finish().await?;
                Ok(((value, head), staged))
            })
        }
    })
    .await?;
    let placed = !value.created || mounted.placed(seq).await;
    Ok(Done { value, placed })
}

/// The making itself, in its transaction.
pub(in crate::service) async fn make_in(
    act: &mut Act<'_>,
    new: &NewFolder,
    who: &Who,
    staged: &mut Vec<StagedFolder>,
) -> Result<PutDone> {
    let NewFolder { path, parents, exist_ok, properties } = new;
    let found = act.resolve(path).await?;
    if !exist_ok && let Some(node) = &found.node {
        let what = if node.is_folder() { "the folder exists already" } else { "a file is in the way" };
        return Err(Error::conflict(what).code("exists").with("path", path.to_string()));
    }
    if !parents && found.missing > 1 {
        return Err(no_folder(&path.parent().unwrap_or_else(DrivePath::root)));
    }
    let created = found.node.is_none();
    let node = act.folder(path, staged).await?;
    if !properties.is_empty() {
        properties::take(act, node.id, properties).await?;
    }
    if let Some(device) = who.syncing {
        let seq = found.above.iter().map(|n| n.seq).max().unwrap_or(0).max(node.seq);
        agreement::did(act, device, path, Stored::Folder, Some(seq)).await?;
    }
    Ok(PutDone { node, created, version: None })
}

/// Something to be deleted.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// What.
    pub path: DrivePath,
    /// What it must be.
    pub expect: Expect,
    /// An empty folder is meant: nothing that is in it goes along, and no file that has taken its name, unless `expect` says
    /// which file it is.
    pub only_empty: bool,
}

/// Deletes a file, or a folder with all beneath it, into a recoverable state. A device's explicit sync act deletes no
/// folder that has files beneath it (algorithms B: child by child).
///
/// # Errors
/// 404 when nothing is there, 412 when the expectation does not hold, 409 for the drive's root, `not-empty` for a folder
/// that was to be empty, and `not-a-folder` for a file where such a folder was meant.
pub async fn delete(mounted: &Arc<Mounted>, who: Who, deletion: Deletion) -> Result<Done<()>> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let seq = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                delete_in(&mut act, &deletion, &who).await?;
                act.finish().await
            })
        })
        .await?;
    Ok(Done { value: (), placed: mounted.placed(seq).await })
}

/// The deletion itself, in its transaction.
pub(in crate::service) async fn delete_in(act: &mut Act<'_>, deletion: &Deletion, who: &Who) -> Result<()> {
    let Deletion { path, expect, only_empty } = deletion;
    let found = act.resolve(path).await?;
    let absent = || Error::not_found("there is nothing to delete").with("path", path.to_string());
    let node = found.node.ok_or_else(absent)?;
    if path.is_root() {
        return Err(Error::conflict("the drive's root cannot be deleted"));
    }
    let holds_something = node.is_folder()
        && ((*only_empty && !nodes::children(act.tx, node.id, "", 1).await?.is_empty())
            || (who.syncing.is_some() && tree::has_files(act.tx, node.id).await?));
    if holds_something {
        let error = Error::conflict("the folder is not empty").code(NOT_EMPTY);
        return Err(error.with("path", path.to_string()));
    }
    if !expect.holds(node.content_hash()) {
        return Err(expect.refused(node.content_hash()));
    }
    if *only_empty && *expect == Expect::Anything && !node.is_folder() {
        let error = Error::conflict("a file is there, and no empty folder").code(NOT_A_FOLDER);
        return Err(error.with("path", path.to_string()));
    }
    act.delete(&node, path).await?;
    if let Some(device) = who.syncing {
        agreement::removed(act, device, path, &node).await?;
    }
    Ok(())
}
