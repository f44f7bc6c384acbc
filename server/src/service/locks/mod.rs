//! WebDAV's locks (RFC 4918, sections 6 and 7): made, refreshed, ended, listed; and what every act on a drive asks of
//! them, whichever protocol it comes by.

mod guard;
mod hold;

use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

pub use guard::{Condition, Guard, Item, List, Resource};
pub use hold::{Locking, Made, lock, refresh};

use super::act::Act;
use super::files::Who;
use super::placement::Mounted;
use crate::catalog::db::Tx;
use crate::catalog::drives::{Right, Visible};
use crate::catalog::locks::{self, Lock};
use crate::catalog::nodes::{self, Node};
use crate::catalog::tree;
use crate::error::{Error, Result};

/// A lock and where it is.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The lock.
    pub lock: Lock,
    /// What it is on.
    pub path: DrivePath,
}

/// The locks of a drive that hold, oldest first.
///
/// # Errors
/// The catalogue's.
pub async fn list(mounted: &Arc<Mounted>) -> Result<Vec<Placed>> {
    let (drive, now) = (mounted.id, mounted.clock().now());
    mounted.db().read(move |tx| Box::pin(of_drive(tx, drive, now))).await
}

/// As [`list`], within a transaction.
///
/// # Errors
/// The catalogue's.
pub async fn of_drive(tx: &mut Tx, drive: i64, now: i64) -> Result<Vec<Placed>> {
    let mut placed = Vec::new();
    for lock in locks::of_drive(tx, drive, now).await? {
        placed.push(place(tx, lock).await?);
    }
    Ok(placed)
}

/// The locks that cover a path, with where they are.
///
/// # Errors
/// The catalogue's.
pub async fn covering(tx: &mut Tx, node: i64, now: i64) -> Result<Vec<Placed>> {
    let mut placed = Vec::new();
    for lock in locks::on_lineage(tx, node, now).await? {
        if lock.deep || lock.node_id == node {
            placed.push(place(tx, lock).await?);
        }
    }
    Ok(placed)
}

/// Whether locks and conditions would let a content be put at a path just now: a first look, before a large content is
/// received; what stands there. The write looks again.
///
/// # Errors
/// 412 and 423.
pub async fn may_put(mounted: &Arc<Mounted>, who: &Who, path: &DrivePath) -> Result<Option<Node>> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let (guard, path) = (who.guard.clone(), path.clone());
    mounted
        .db()
        .glance(move |tx| {
            Box::pin(async move {
                let mut act = Act::look(tx, drive, actor).await?;
                act.guarded(&guard).await?;
                let found = act.resolve(&path).await?;
                match (&found.node, found.folder()) {
                    (Some(node), _) => act.may_change(node).await?,
                    (None, Some(folder)) => act.may_add_to(folder.id).await?,
                    (None, None) => {}
                }
                Ok(found.node)
            })
        })
        .await
}

async fn place(tx: &mut Tx, lock: Lock) -> Result<Placed> {
    let path = tree::path_of(&nodes::lineage(tx, lock.node_id).await?).0;
    Ok(Placed { lock, path })
}

/// Ends a lock that covers a path, by its token. Its holder may, and the drive's owner.
///
/// # Errors
/// 409 `no-such-lock` when no such lock covers the path, 403 when it is another's.
pub async fn unlock(mounted: &Arc<Mounted>, who: Who, path: DrivePath, token: Uuid) -> Result<()> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let now = act.actor.now;
                let absent =
                    || Error::conflict("no lock with this token is on this resource").code("no-such-lock");
                let node = act.resolve(&path).await?.node.ok_or_else(absent)?;
                let found = covering(act.tx, node.id, now).await?;
                let lock = found.into_iter().find(|placed| placed.lock.uuid == token).ok_or_else(absent)?;
                if lock.lock.user_id != who.user_id && act.drive.owner_id != who.user_id {
                    return Err(Error::forbidden("the lock is another's"));
                }
                locks::delete(act.tx, lock.lock.id).await?;
                act.log("unlocked", &lock.path, &[]).await?;
                act.finish().await.map(drop)
            })
        })
        .await
}

/// Breaks a lock: for its holder, the drive's owner, and an admin who sees the drive.
///
/// # Errors
/// 404 when there is no such lock, 403 without the right.
pub async fn break_one(
    mounted: &Arc<Mounted>,
    visible: &Visible,
    who: Who,
    is_admin: bool,
    id: Uuid,
) -> Result<()> {
    let (drive, actor, right) = (mounted.id, who.actor(mounted.clock().now()), visible.right);
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::View).await?;
                let absent = || Error::not_found("there is no such lock");
                let now = act.actor.now;
                let lock = locks::by_uuid(act.tx, drive, id, now).await?.ok_or_else(absent)?;
                if lock.user_id != who.user_id && right < Right::Own && !is_admin {
                    return Err(Error::forbidden("the lock is another's"));
                }
                let placed = place(act.tx, lock).await?;
                locks::delete(act.tx, placed.lock.id).await?;
                act.log("lock-broken", &placed.path, &[("holder", placed.lock.username.clone())]).await?;
                act.finish().await.map(drop)
            })
        })
        .await
}
