//! Opens a drive: what was committed and not marked is placed first, then it serves (algorithms A, Recovery).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use holdfast_disk::volumes::Asker;
use uuid::Uuid;

use super::content;
use super::placement::{Mounted, Shared};
use super::scan::{self, MISSING};
use super::uploads;
use crate::catalog::drives::{self as rows, Drive};
use crate::catalog::nodes::{self, Node};
use crate::catalog::{findings, ops, tree, versions};
use crate::error::{Error, Kind, Result};
use crate::store::{FolderDrive, LogEntry, Phys};

/// Most ops read at once.
const PAGE: i64 = 1000;
/// How long a disk has to answer when its drive is opened; one that sleeps takes some seconds to wake.
const OPENS_WITHIN: Duration = Duration::from_secs(30);
/// How often a recovery that could not come to its end is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Opens a drive's root, redoes its pending ops with their marks, and settles slots that nobody knows.
///
/// # Errors
/// When the root is missing, another drive's, in use, or cannot be written: the drive is offline then. Full, it is open,
/// and its recovery has still to be finished: [`Redo::finish_later`].
///
/// `asker` asks the disk, so that one that does not answer holds up nobody.
pub async fn open(shared: &Shared, drive: &Drive, asker: &Asker) -> Result<(Arc<Mounted>, Option<Redo>)> {
    let root = drive.root.clone().ok_or_else(|| Error::unavailable("it has no root here", 30))?;
    let root_node = drive.root_node_id.ok_or_else(|| Error::internal("a drive without a root node"))?;
    let (uuid, medium) = (drive.uuid, drive.medium.clone());
    let asker = asker.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let open = move |root: &str| {
            FolderDrive::open(Path::new(root), uuid, medium.as_deref()).map_err(|refusal| refusal.to_string())
        };
        asker.ask_with(&[root.as_str()], OPENS_WITHIN, open).pop()
    });
    let silent = || Err("its disk does not answer".to_owned());
    let opened = opened.await.map_err(Error::internal)?.unwrap_or_else(silent);
    let store = opened.map_err(|why| Error::unavailable(why, 30))?;
    let folds_case = store.caps().folds_case;
    if folds_case != drive.folds_case {
        let id = drive.id;
        shared.db.write(move |tx| Box::pin(rows::set_folds_case(tx, id, folds_case))).await?;
    }
    let mounted = Arc::new(Mounted::new(shared, drive, root_node, store));
    mounted.note_read_only().await;
    let redo = Redo { touched: touched(&mounted, drive.placed_seq).await? };
    match redo.finish(&mounted).await {
        Ok(()) => Ok((mounted, None)),
        // Read it can be: what is not placed yet lies in its slot. Whoever can free space does not need another look.
        Err(error) if error.kind() == Kind::NoSpace || mounted.degraded().is_some() => {
            tracing::warn!(drive = %mounted.uuid, %error, "the drive is served before it is recovered");
            Ok((mounted, Some(redo)))
        }
        Err(error) => Err(error),
    }
}

/// What a recovery has to look at.
pub struct Redo {
    touched: BTreeSet<i64>,
}

impl Redo {
    /// Comes to its end later, on a drive that could not be written when it was opened. To be awaited before anything else
    /// looks at the drive's folder, for that must not take for deleted what is only missing.
    pub async fn finish_later(self, mounted: &Arc<Mounted>) {
        loop {
            tokio::time::sleep(RETRY_EVERY).await;
            match self.finish(mounted).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(drive = %mounted.uuid, %error, "the drive is not recovered yet");
                }
            }
        }
    }

    async fn finish(&self, mounted: &Arc<Mounted>) -> Result<()> {
        {
            let mut gate = mounted.quiet_now().await?;
            mounted.mark(&mut gate).await?;
            mounted.try_parked().await?;
            verify(mounted, self.touched.clone()).await?;
        }
        sweep(mounted).await
    }
}

/// The nodes that a redo is about: those of what was committed and not marked, and of what waits.
async fn touched(mounted: &Arc<Mounted>, placed: i64) -> Result<BTreeSet<i64>> {
    let drive = mounted.id;
    mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let (mut touched, mut seq, mut id) = (BTreeSet::new(), placed, 0);
                loop {
                    let page = ops::pending(tx, drive, seq, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    seq = last.seq;
                    touched.extend(page.iter().map(|op| op.node_id));
                }
                loop {
                    let page = ops::in_state(tx, drive, "parked", id, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    id = last.id;
                    touched.extend(page.iter().map(|op| op.node_id));
                }
                Ok(touched)
            })
        })
        .await
}

/// After a crash the disk may lack what it had when the server died: that is missing, and a finding tells; it is never
/// taken for deleted. What another program has put in its place is for the scan to adopt.
async fn verify(mounted: &Arc<Mounted>, touched: BTreeSet<i64>) -> Result<()> {
    let placed = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let mut placed = Vec::new();
                for id in touched {
                    let lineage = nodes::lineage(tx, id).await?;
                    if let Some(node) =
                        lineage.last().filter(|node| node.state == "live" && node.slot.is_none())
                        && tree::is_live(&lineage)
                    {
                        placed.push((node.clone(), tree::path_of(&lineage).0, content::physical(&lineage)?));
                    }
                }
                Ok(placed)
            })
        })
        .await?;
    let store = Arc::clone(&mounted.store);
    let missing = tokio::task::spawn_blocking(move || {
        let absent = |place: &Phys, node: &Node| {
            store.lstat(place).is_ok_and(|stat| stat.is_none_or(|stat| !scan::same_kind(node, &stat)))
        };
        placed
            .into_iter()
            .filter(|(node, _, place)| absent(place, node))
            .map(|(node, path, _)| (node.id, path))
            .collect::<Vec<_>>()
    })
    .await
    .map_err(Error::internal)?;
    if missing.is_empty() {
        return Ok(());
    }
    let (drive, now) = (mounted.id, mounted.clock().now());
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                for (node, path) in missing {
                    tracing::warn!(%path, "missing on the disk after the drive was opened");
                    nodes::set_state(tx, node, "missing", None).await?;
                    let detail = "was written shortly before the server stopped, and is not on the disk";
                    findings::add(tx, drive, Some(node), MISSING, path.as_str(), detail, now).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Slots without a row: a resumable upload that was being completed waits for its end again; what else was never placed is an upload that was not committed, and is removed. What was placed once
/// holds something that it displaced, perhaps under another catalogue, and is put where people find it.
async fn sweep(mounted: &Arc<Mounted>) -> Result<()> {
    if mounted.store.caps().read_only {
        // It is opened anew once it can be written.
        return Ok(());
    }
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
    let unclaimed = uploads::recover(mounted, unclaimed).await?;
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
