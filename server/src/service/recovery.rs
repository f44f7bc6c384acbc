//! Opens a drive: what was committed and not marked is placed first, then it serves (algorithms A, Recovery).

use std::sync::Arc;

use uuid::Uuid;

use super::placement::{Mounted, Shared};
use crate::catalog::drives::Drive;
use crate::catalog::{findings, versions};
use crate::error::{Error, Result};
use crate::store::{FolderDrive, LogEntry};

/// Opens a drive's root, redoes its pending ops with their marks, and settles slots that nobody knows.
///
/// # Errors
/// When the root is missing, another drive's, in use, or cannot be written: the drive is offline then.
pub async fn open(shared: &Shared, drive: &Drive) -> Result<Arc<Mounted>> {
    let root = drive.root.clone().ok_or_else(|| Error::unavailable("it has no root here", 30))?;
    let root_node = drive.root_node_id.ok_or_else(|| Error::internal("a drive without a root node"))?;
    let uuid = drive.uuid;
    let store = tokio::task::spawn_blocking(move || FolderDrive::open(root.as_ref(), uuid))
        .await
        .map_err(Error::internal)?
        .map_err(|refusal| Error::unavailable(refusal.to_string(), 30))?;
    let mounted = Arc::new(Mounted::new(shared, drive, root_node, store));
    {
        let mut gate =
            mounted.quiet().await.ok_or_else(|| Error::unavailable("it cannot be written now", 30))?;
        mounted.mark(&mut gate).await?;
        mounted.try_parked().await?;
    }
    sweep(&mounted).await?;
    Ok(mounted)
}

/// Slots without a row: what was never placed is an upload that was not committed, and is removed. What was placed once
/// holds something that it displaced, perhaps under another catalogue, and is put where people find it.
async fn sweep(mounted: &Arc<Mounted>) -> Result<()> {
    let store = Arc::clone(&mounted.store);
    let slots: Vec<Uuid> = tokio::task::spawn_blocking(move || {
        store.slots().map(|slot| slot.map(|(id, _)| id)).collect::<std::io::Result<Vec<_>>>()
    })
    .await
    .map_err(Error::internal)?
    .map_err(Error::internal)?;
    let unclaimed = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let mut unclaimed = Vec::new();
                for slot in slots {
                    if !versions::slot_is_claimed(tx, slot).await? {
                        unclaimed.push(slot);
                    }
                }
                Ok(unclaimed)
            })
        })
        .await?;
    if unclaimed.is_empty() {
        return Ok(());
    }
    let store = Arc::clone(&mounted.store);
    let saved = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<(Uuid, String)>> {
        let log: Vec<LogEntry> = store.log_read()?.collect::<std::io::Result<_>>()?;
        let mut saved = Vec::new();
        for slot in unclaimed {
            let placed = log.iter().find(|entry| entry.op == slot);
            match placed {
                Some(entry) => {
                    store.keep_lost(slot)?;
                    saved.push((slot, entry.path.clone()));
                }
                None => store.discard(slot),
            }
        }
        Ok(saved)
    })
    .await
    .map_err(Error::internal)?
    .map_err(Error::internal)?;
    let (drive, now) = (mounted.id, mounted.clock().now());
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                for (slot, path) in saved {
                    let detail = format!("kept as {slot} in lost-and-found: this catalogue does not know it");
                    findings::add(tx, drive, None, "lost-and-found", &path, &detail, now).await?;
                }
                Ok(())
            })
        })
        .await
}
