//! Moving: one row and one change, whatever lies beneath.

use std::sync::Arc;

use super::{Done, Expect, PutDone, Transfer, Who, no_folder, with_folders, within_reach};
use crate::catalog::db::TxFuture;
use crate::catalog::drives::Right;
use crate::catalog::{nodes, tree};
use crate::error::{Error, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::agreement;
use crate::service::placement::Mounted;

/// Moves a file or folder: one row, one change, whatever lies beneath it.
///
/// # Errors
/// 404/412 for the source, 409 for the target.
pub async fn rename(mounted: &Arc<Mounted>, who: Who, transfer: Transfer) -> Result<Done<PutDone>> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let parents = transfer.parents;
    within_reach(mounted, &transfer.to).await?;
    let (value, seq) = with_folders(mounted, parents, move |staged| {
        let (transfer, who) = (transfer.clone(), who.clone());
        move |tx| -> TxFuture<'_, ((PutDone, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let mut staged = staged;
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let value = rename_in(&mut act, &transfer, &who, &mut staged).await?;
                if let Some(once) = &who.once {
                    once.moved(act.tx, &transfer, &value, act.actor.now).await?;
                }
                let head = act.finish().await?;
                Ok(((value, head), staged))
            })
        }
    })
    .await?;
    // What waits in a slot only gets another name; no op tells of it.
    let waits = value.node.state == "unplaced";
    Ok(Done { value, placed: mounted.placed(seq).await && !waits })
}

/// The move itself, in its transaction.
pub(in crate::service) async fn rename_in(
    act: &mut Act<'_>,
    transfer: &Transfer,
    who: &Who,
    staged: &mut Vec<StagedFolder>,
) -> Result<PutDone> {
    let Transfer { from, to, expect, .. } = transfer;
    let source = act.resolve(from).await?;
    let Some(node) = source.node.filter(|_| !from.is_root()) else {
        let absent = Error::not_found("there is nothing to move").with("path", from.to_string());
        return Err(if *expect == Expect::Anything { absent } else { expect.refused(None) });
    };
    if !expect.holds(node.content_hash()) {
        return Err(expect.refused(node.content_hash()));
    }
    if to == from || to.is_beneath(from) {
        return Err(Error::conflict("a folder cannot be moved into itself"));
    }
    let target = act.resolve(to).await?;
    let created = target.node.is_none();
    if let Some(there) = &target.node {
        let empty_folder = there.is_folder() && !tree::has_files(act.tx, there.id).await?;
        let above_source = from.is_beneath(to);
        if above_source || (!transfer.overwrite && !empty_folder) {
            return Err(Error::conflict("the target exists already")
                .code("exists")
                .with("path", to.to_string()));
        }
    }
    let parent =
        to.parent().ok_or_else(|| Error::conflict("nothing can take the place of the drive's root"))?;
    let folder = match target.folder() {
        Some(folder) => folder.clone(),
        None if transfer.parents => act.folder(&parent, staged).await?,
        None => return Err(no_folder(&parent)),
    };
    let before = match who.syncing {
        Some(device) => agreement::before_move(act, device, from).await?,
        None => Vec::new(),
    };
    act.rename(&node, from, to, &folder).await?;
    if let Some(device) = who.syncing {
        agreement::moved(act, device, from, to, before).await?;
    }
    Ok(PutDone { node: nodes::by_id(act.tx, node.id).await?, created, version: None })
}
