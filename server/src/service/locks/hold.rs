//! Taking and refreshing a lock.

use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::{Guard, Placed, covering, place};
use crate::catalog::db::{AMBIGUOUS, Tx};
use crate::catalog::drives::Right;
use crate::catalog::locks::{self, Lock, NewLock};
use crate::catalog::nodes::Node;
use crate::domain::locks::{Held, excludes};
use crate::error::{Error, Kind, Result};
use crate::service::act::Act;
use crate::service::files::Who;
use crate::service::placement::Mounted;
use crate::service::upload::{self, Declared, Upload};
use crate::store::{Blob, FinishHints, Phys};

/// Most locks of one drive that are kept at a time.
const MOST: i64 = 10_000;
/// The code of the refusal that says that a file must be staged first.
const NEEDS_FILE: &str = "needs-staged-file";

/// A lock that somebody wants.
#[derive(Debug, Clone)]
pub struct Locking {
    /// Of what.
    pub path: DrivePath,
    /// Others may hold a shared lock, too.
    pub shared: bool,
    /// It covers all beneath.
    pub deep: bool,
    /// The client's word for who holds it: XML.
    pub owner: Option<String>,
    /// Microseconds.
    pub timeout: i64,
}

/// A lock that was taken.
#[derive(Debug, Clone)]
pub struct Made {
    /// The lock.
    pub placed: Placed,
    /// Nothing was there: an empty file is now (RFC 4918, section 7.3).
    pub created: bool,
    /// Whether that is in the plain folder already.
    pub is_placed: bool,
}

/// Takes a lock. Where nothing is, an empty file is made and locked.
///
/// # Errors
/// 423 `locked` when another is in the way, 409 where the folder above is missing, 507 `too-many-locks`.
pub async fn lock(mounted: &Arc<Mounted>, who: Who, wanted: Locking) -> Result<Made> {
    match commit(mounted, who.clone(), wanted.clone(), None).await {
        Err(error) if error.problem_code() == Some(NEEDS_FILE) => {}
        done => return done,
    }
    let upload = Upload::begin(mounted, Declared::default())?;
    let blob = upload.finish(FinishHints { mtime_ns: None, at: Some(Phys::from(&wanted.path)) }).await?;
    upload::make_durable(mounted, &blob).await?;
    let slot = blob.slot;
    let done = commit(mounted, who, wanted, Some(blob)).await;
    let kept = match &done {
        Ok(made) => made.created,
        Err(error) => error.problem_code() == Some(AMBIGUOUS),
    };
    if !kept {
        mounted.store.discard(slot);
    }
    done
}

async fn commit(mounted: &Arc<Mounted>, who: Who, wanted: Locking, blob: Option<Blob>) -> Result<Made> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let (placed, created, seq) = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let found = act.resolve(&wanted.path).await?;
                let (node, created) = match (found.node.clone(), blob) {
                    (Some(node), _) => (node, false),
                    (None, _) if found.folder().is_none() => {
                        return Err(Error::conflict("the folder it would be in does not exist"));
                    }
                    (None, None) => return Err(Error::internal("no file staged").code(NEEDS_FILE)),
                    (None, Some(blob)) => {
                        let folder =
                            found.folder().cloned().ok_or_else(|| Error::internal("a folder that went"))?;
                        (act.put(&folder, &wanted.path, &blob, "webdav").await?.node, true)
                    }
                };
                let id = take(&mut act, who.user_id, &node, &wanted).await?;
                act.log("locked", &wanted.path, &[]).await?;
                let placed = place(act.tx, id).await?;
                let head = act.finish().await?;
                Ok((placed, created, head))
            })
        })
        .await?;
    let is_placed = !created || mounted.placed(seq).await;
    Ok(Made { placed, created, is_placed })
}

async fn take(act: &mut Act<'_>, user: i64, node: &Node, wanted: &Locking) -> Result<Lock> {
    let (drive, now) = (act.drive.id, act.actor.now);
    locks::delete_expired(act.tx, drive, now).await?;
    let mut others = locks::on_lineage(act.tx, node.id, now).await?;
    others.retain(|lock| lock.deep || lock.node_id == node.id);
    if wanted.deep && node.is_folder() {
        others.extend(locks::beneath(act.tx, drive, node.id, now).await?);
    }
    let stands = |lock: &&Lock| excludes(&as_held(lock), wanted.shared);
    if let Some(other) = others.iter().find(stands).cloned() {
        let other = place(act.tx, other).await?;
        let error = Error::new(Kind::Locked, "it is locked already").code("conflicting-lock");
        return Err(error.with("path", other.path.to_string()));
    }
    if locks::count(act.tx, drive).await? >= MOST {
        return Err(Error::new(Kind::NoSpace, "too much of this drive is locked").code("too-many-locks"));
    }
    let new = NewLock {
        drive_id: drive,
        node_id: node.id,
        user_id: user,
        shared: wanted.shared,
        deep: wanted.deep && node.is_folder(),
        owner: wanted.owner.clone(),
        timeout: wanted.timeout,
        now,
    };
    let id = locks::insert(act.tx, &new).await?;
    let all = locks::on_lineage(act.tx, node.id, now).await?;
    all.into_iter().find(|lock| lock.id == id).ok_or_else(|| Error::internal("a lock that went"))
}

fn as_held(lock: &Lock) -> Held {
    Held { node: lock.node_id, deep: lock.deep, shared: lock.shared, presented: false }
}

/// Lets the lock whose token the request sent hold on (RFC 4918, section 9.10.2).
///
/// # Errors
/// 412 when the request names no lock of the caller's that covers the path.
pub async fn refresh(
    mounted: &Arc<Mounted>,
    who: Who,
    path: DrivePath,
    timeout: Option<i64>,
) -> Result<Placed> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&who.guard).await?;
                let now = act.actor.now;
                let none = || Error::precondition("the header If names no lock of yours on this resource");
                let node = act.resolve(&path).await?.node.ok_or_else(none)?;
                let found = find(act.tx, node.id, &who, now).await?.ok_or_else(none)?;
                let timeout = timeout.unwrap_or(found.lock.timeout);
                locks::refresh(act.tx, found.lock.id, timeout, now).await?;
                act.finish().await?;
                let lock = Lock { timeout, expires_at: now.saturating_add(timeout), ..found.lock };
                Ok(Placed { lock, path: found.path })
            })
        })
        .await
}

async fn find(tx: &mut Tx, node: i64, who: &Who, now: i64) -> Result<Option<Placed>> {
    let guard: &Guard = &who.guard;
    let found = covering(tx, node, now).await?;
    Ok(found
        .into_iter()
        .find(|placed| placed.lock.user_id == who.user_id && guard.tokens().contains(&placed.lock.uuid)))
}
