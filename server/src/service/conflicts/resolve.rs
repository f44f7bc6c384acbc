//! Resolving a conflict, by its id or by its path (003-14, 003-26 to 003-28; algorithms B rule d).

use std::sync::Arc;

use holdfast_protocol::{ContentHash, DrivePath};
use uuid::Uuid;

use super::look;
use super::settle::{Bytes, Settled, Settling, settle};
use super::view::told;
use crate::app::App;
use crate::catalog::changes::Actor;
use crate::catalog::conflicts::{self, Conflict};
use crate::catalog::db::{AMBIGUOUS, TxFuture};
use crate::catalog::drives::Right;
use crate::catalog::versions::{self, Version};
use crate::domain::reconcile::resolution::Resolution;
use crate::domain::stat::EntryKind;
use crate::error::{Error, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::caller::Caller;
use crate::service::files::{disk_error, with_folders};
use crate::service::placement::Mounted;
use crate::service::trash::stage_version;
use crate::service::{devices, drives};
use crate::store::{Blob, Phys};

/// How a conflict is to be settled.
#[derive(Debug, Clone, Copy)]
pub struct Resolving {
    /// The way.
    pub resolution: Resolution,
    /// The server's content that the person saw (`Some(None)`: that there was none); `None`: as the conflict says.
    pub seen: Option<Option<ContentHash>>,
}

/// Which conflict, by its place.
#[derive(Debug, Clone)]
pub struct ByPath {
    /// The drive; `None`: the caller's home drive.
    pub drive: Option<String>,
    /// The path.
    pub path: DrivePath,
    /// The device whose conflict it is, by its own name for itself, if the request says so.
    pub device_id: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The conflict's id.
    pub id: Uuid,
    /// Where it is.
    pub path: DrivePath,
    /// The way that was asked for.
    pub resolution: Resolution,
    /// False: the client's content is needed first, and nothing has changed.
    pub resolved: bool,
    /// Where `keep_both` put the client's content.
    pub copy: Option<DrivePath>,
    /// False: committed, but the plain folder does not show it yet.
    pub placed: bool,
}

/// Settles the open conflict at a path.
///
/// # Errors
/// 404 for a device, drive or path without one; 409 with all of them when several are meant; else as [`resolve`].
pub async fn resolve_by_path(app: &App, caller: &Caller, at: ByPath, how: Resolving) -> Result<Resolved> {
    let user = caller.user_id;
    let found = app.db.read(move |tx| {
        Box::pin(async move {
            let drive = drives::named(tx, user, at.drive.as_deref()).await?.drive.id;
            let device = match &at.device_id {
                Some(device_id) => Some(devices::find(tx, user, device_id).await?.id),
                None => None,
            };
            let mut open = conflicts::open_at(tx, drive, &at.path).await?;
            open.retain(|c| c.is_for(user) && (device.is_none() || c.device_id == device));
            Ok(open)
        })
    });
    let mut found = found.await?;
    match found.len() {
        0 => Err(Error::not_found("there is no open conflict at this path")),
        1 => resolve_one(app, caller, found.swap_remove(0), how).await,
        _ => {
            let all = found.iter().map(told).collect::<Result<Vec<_>>>()?;
            let error = Error::conflict("several devices have a conflict here: name one, or use its id");
            Err(error.code("several-conflicts").with("conflicts", all))
        }
    }
}

/// Settles a conflict by its id.
///
/// # Errors
/// 404; 409 `not-open`, `server-moved` (the server's side is no longer what was seen) and `kinds-differ` (a file cannot
/// take a folder's place), each with the conflict as it is now; 403 without the right; 503 or 507 when the drive is
/// offline or takes no writes. Nothing has changed then.
pub async fn resolve(app: &App, caller: &Caller, id: Uuid, how: Resolving) -> Result<Resolved> {
    let conflict = look::by_id(app, caller, id).await?;
    resolve_one(app, caller, conflict, how).await
}

async fn resolve_one(app: &App, caller: &Caller, conflict: Conflict, how: Resolving) -> Result<Resolved> {
    if conflict.state != "open" {
        return Err(not_open(&conflict)?);
    }
    let mounted = app.drives.online(conflict.drive_id)?;
    let caller = caller.clone();
    // From here on it must come to an end whether or not the client stays (algorithms A).
    app.act(async move { carry_out(&mounted, &caller, &conflict, how).await }).await
}

async fn carry_out(
    mounted: &Arc<Mounted>,
    caller: &Caller,
    conflict: &Conflict,
    how: Resolving,
) -> Result<Resolved> {
    let bytes = prepare(mounted, conflict, how.resolution).await?;
    let settling = Settling { conflict: conflict.id, user: caller.user_id, how, bytes };
    let result = commit(mounted, caller, settling).await;
    let keeps = match &result {
        Ok((settled, _)) => matches!(settled, Settled::Done { .. }),
        // It may stand: recovery will tell; the slot must stay.
        Err(error) => error.problem_code() == Some(AMBIGUOUS),
    };
    if let Some(Bytes::Copy(blob)) = bytes.filter(|_| !keeps) {
        mounted.store.discard(blob.slot);
    }
    let (settled, seq) = result?;
    let path = DrivePath::from_checked(conflict.path.clone());
    let resolved = |resolved, copy, placed| Resolved {
        id: conflict.uuid,
        path,
        resolution: how.resolution,
        resolved,
        copy,
        placed,
    };
    match settled {
        Settled::Done { copy } => Ok(resolved(true, copy, mounted.placed(seq).await)),
        Settled::NeedsUpload => Ok(resolved(false, None, true)),
        Settled::ServerMoved(now) => Err(Error::conflict("the server's side has changed since: look again")
            .code("server-moved")
            .with("conflict", told(&now)?)),
    }
}

/// The client's content where it has to become a file: the slot it lies in, or a copy of it that is durable.
async fn prepare(
    mounted: &Arc<Mounted>,
    conflict: &Conflict,
    resolution: Resolution,
) -> Result<Option<Bytes>> {
    let becomes_file = match resolution {
        Resolution::KeepBoth => true,
        Resolution::KeepLocal => conflict.device_id.is_none(),
        Resolution::KeepServer | Resolution::CreateVersion => false,
    };
    let Some(candidate) = conflict.candidate_version_id.filter(|_| becomes_file) else { return Ok(None) };
    let version = mounted.db().read(move |tx| Box::pin(versions::by_id(tx, candidate))).await?;
    if version.n.is_none()
        && let Some(blob) = in_slot(mounted, &version).await?
    {
        return Ok(Some(Bytes::Slot { blob, version: version.id }));
    }
    stage_version(mounted, &version).await.map(|blob| Some(Bytes::Copy(blob)))
}

/// A candidate in its slot, if that is as it was written and nobody else has a name for it.
async fn in_slot(mounted: &Arc<Mounted>, version: &Version) -> Result<Option<Blob>> {
    let Some(slot) = version.slot else { return Ok(None) };
    let store = Arc::clone(&mounted.store);
    let stat = tokio::task::spawn_blocking(move || store.lstat(&Phys::slot(slot)))
        .await
        .map_err(Error::internal)?
        .map_err(disk_error)?;
    let size = version.size.cast_unsigned();
    let hash = version.content_hash()?;
    Ok(stat
        .filter(|stat| stat.kind == EntryKind::File && stat.nlink == 1)
        .filter(|stat| {
            stat.ident == version.ident() && (stat.size, stat.mtime_ns) == (size, version.mtime_ns)
        })
        .map(|stat| Blob { slot, hash, size, stat, sums: None }))
}

async fn commit(mounted: &Arc<Mounted>, caller: &Caller, settling: Settling) -> Result<(Settled, i64)> {
    // Nothing is stored by it: who may only read the drive may still give way with their own device.
    let need = if settling.how.resolution == Resolution::KeepServer { Right::View } else { Right::Edit };
    let actor = Actor {
        user_id: Some(caller.user_id),
        device_id: caller.device.as_ref().map(|device| device.id),
        action: Uuid::new_v4(),
        now: mounted.clock().now(),
    };
    let drive = mounted.id;
    with_folders(mounted, true, move |staged| {
        move |tx| -> TxFuture<'_, ((Settled, i64), Vec<StagedFolder>)> {
            Box::pin(async move {
                let mut staged = staged;
                let mut act = Act::begin(tx, drive, actor, need).await?;
                let settled = settle(&mut act, &settling, &mut staged).await?;
                let head = act.finish().await?;
                Ok(((settled, head), staged))
            })
        }
    })
    .await
}

/// The refusal of whatever needs an open conflict.
///
/// # Errors
/// A row that this program did not write.
pub(super) fn not_open(conflict: &Conflict) -> Result<Error> {
    let error = Error::conflict("the conflict is not open any more").code("not-open");
    Ok(error.with("conflict", told(conflict)?))
}
