//! Writing a content: what it may replace, and what becomes of it when another was faster.

use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::{Done, Expect, PutDone, Who, no_folder, with_folders};
use crate::catalog::agreements::Stored;
use crate::catalog::db::{AMBIGUOUS, TxFuture};
use crate::catalog::drives::Right;
use crate::catalog::nodes::Node;
use crate::catalog::{tree, versions};
use crate::error::{Error, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::placement::Mounted;
use crate::service::{agreement, conflicts, uploads};
use crate::store::Blob;

/// A content to be written.
#[derive(Debug, Clone)]
pub struct Put {
    /// Where.
    pub path: DrivePath,
    /// The staged and durable content.
    pub blob: Blob,
    /// What it may replace.
    pub expect: Expect,
    /// Whether missing folders above are made.
    pub parents: bool,
    /// `sync`, `manual`, `webdav`, ..
    pub reason: &'static str,
    /// Internal key of the resumable upload that it came by: it is settled in the same transaction.
    pub upload: Option<i64>,
}

/// How a write went, in its transaction.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was done, by the change with this sequence.
    Done(T, i64),
    /// Nothing was changed because it is so already.
    Already(T),
    /// A device's write met another's; true: its bytes became a conflict's candidate.
    Refused(Error, bool),
}

/// Writes a content. The blob is the act's: it is placed, kept as a conflict's candidate, or discarded.
///
/// # Errors
/// 404 for a missing folder (409 where a file or folder is in the way), 412 when the expectation does not hold,
/// 503/507 when the drive takes no writes. After any of them nothing has changed, but for a device's 412: then its
/// bytes are the candidate of a conflict.
pub async fn put(mounted: &Arc<Mounted>, who: Who, put: Put) -> Result<Done<PutDone>> {
    let slot = put.blob.slot;
    let (result, kept) = try_put(mounted, who, put).await;
    if !kept {
        mounted.store.discard(slot);
    }
    result
}

/// As [`put`], but the blob's slot is the caller's again when the second part of the answer is false.
pub(in crate::service) async fn try_put(
    mounted: &Arc<Mounted>,
    who: Who,
    put: Put,
) -> (Result<Done<PutDone>>, bool) {
    let result = commit_put(mounted, who, put).await;
    let (outcome, kept) = match result {
        Ok(Outcome::Done(value, seq)) => (Ok((value, Some(seq))), true),
        Ok(Outcome::Already(value)) => (Ok((value, None)), false),
        Ok(Outcome::Refused(error, kept)) => (Err(error), kept),
        // It may stand: recovery will tell; the slot must stay.
        Err(error) if error.problem_code() == Some(AMBIGUOUS) => (Err(error), true),
        Err(error) => (Err(error), false),
    };
    let (value, seq) = match outcome {
        Ok(done) => done,
        Err(error) => return (Err(error), kept),
    };
    let placed = match seq {
        Some(seq) => mounted.placed(seq).await,
        None => true,
    };
    (Ok(Done { value, placed }), kept)
}

async fn commit_put(mounted: &Arc<Mounted>, who: Who, put: Put) -> Result<Outcome<PutDone>> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    with_folders(mounted, put.parents, move |staged| {
        let (put, who) = (put.clone(), who.clone());
        move |tx| -> TxFuture<'_, (Outcome<PutDone>, Vec<StagedFolder>)> {
            Box::pin(async move {
                let mut staged = staged;
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let outcome = put_in(&mut act, &put, &who, &mut staged).await?;
                if let Some(upload) = put.upload {
                    uploads::settle(act.tx, upload, &who, &put.path, &outcome).await?;
                }
                act.finish().await?;
                Ok((outcome, staged))
            })
        }
    })
    .await
}

/// The write itself, in its transaction.
pub(in crate::service) async fn put_in(
    act: &mut Act<'_>,
    put: &Put,
    who: &Who,
    staged: &mut Vec<StagedFolder>,
) -> Result<Outcome<PutDone>> {
    let path = &put.path;
    let found = act.resolve(path).await?;
    let there = found.node.as_ref().and_then(Node::content_hash);
    if let Some(node) = &found.node
        && there == Some(put.blob.hash)
        && (node.mtime_ns == put.blob.stat.mtime_ns || who.syncing.is_some() || !put.expect.holds(there))
    {
        // A repeated request, or two with the same content: so it is already. A lock is a lock all the same.
        act.may_change(node).await?;
        if let Some(device) = who.syncing {
            let seq = found.above.iter().map(|n| n.seq).max().unwrap_or(0).max(node.seq);
            agreement::did(act, device, path, Stored::File(put.blob.hash), Some(seq)).await?;
        }
        let current = match node.current_version_id {
            Some(version) => versions::by_id(act.tx, version).await?.n,
            None => None,
        };
        return Ok(Outcome::Already(PutDone { node: node.clone(), created: false, version: current }));
    }
    if !put.expect.holds(there) {
        let mut refused = put.expect.refused(there);
        let mut kept = false;
        if let Some(device) = who.syncing {
            let opened = agreement::open_conflict_with_bytes(act, device, path, &found, &put.blob).await?;
            refused = refused.with("conflict", conflicts::told(&opened.conflict)?);
            kept = opened.took_bytes;
        }
        return Ok(Outcome::Refused(refused, kept));
    }
    if let Some(file) = found.blocked_by() {
        return Err(Error::conflict("a file is in the way").with("name", file.name.clone()));
    }
    if let Some(folder) = found.node.as_ref().filter(|node| node.is_folder()) {
        if path.is_root() || tree::has_files(act.tx, folder.id).await? {
            return Err(Error::conflict("a folder is in the way").with("path", path.to_string()));
        }
        act.delete(folder, path).await?;
    }
    let parent = path.parent().ok_or_else(|| Error::conflict("the drive's root is no file"))?;
    let folder = match found.folder() {
        Some(folder) => folder.clone(),
        None if put.parents => act.folder(&parent, staged).await?,
        None => return Err(no_folder(&parent)),
    };
    let written = act.put(&folder, path, &put.blob, put.reason).await?;
    if let Some(device) = who.syncing {
        agreement::did(act, device, path, Stored::File(put.blob.hash), Some(act.head())).await?;
    }
    let seq = written.seq;
    Ok(Outcome::Done(PutDone::written(written), seq))
}
