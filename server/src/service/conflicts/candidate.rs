//! The client's content of a conflict: received ahead of a resolution, and read back, also after it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::look::{absent, by_id};
use super::resolve::not_open;
use super::view::told;
use crate::app::App;
use crate::catalog::changes::Actor;
use crate::catalog::conflicts::{self, Conflict};
use crate::catalog::db::AMBIGUOUS;
use crate::catalog::drives::Right;
use crate::catalog::versions;
use crate::error::{Error, Result};
use crate::service::act::Act;
use crate::service::agreement;
use crate::service::caller::Caller;
use crate::service::content::{self, Opened};
use crate::service::files::disk_error;
use crate::service::placement::Mounted;
use crate::service::upload::{Declared, Upload};
use crate::store::{Blob, FinishHints, Phys};

/// Receives the client's content of an open conflict and keeps it as its candidate. Repeating it does no harm.
///
/// # Errors
/// 404; 409 when the conflict is not open, is another program's, or the content is not the one it is about (with the
/// conflict); 413, 422, 503 and 507 as for any upload. Nothing is kept then.
pub async fn keep(
    app: &App,
    caller: &Caller,
    id: Uuid,
    size: Option<u64>,
    body: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<Conflict> {
    let conflict = by_id(app, caller, id).await?;
    if conflict.state != "open" {
        return Err(not_open(&conflict)?);
    }
    let mounted = app.drives.online(conflict.drive_id)?;
    let declared = Declared { size, limit: app.config.limits.upload_size, ..Declared::default() };
    let mut upload = Upload::begin(&mounted, declared)?;
    let mut body = std::pin::pin!(body);
    while let Some(bytes) = body.next().await {
        upload.write(bytes?).await?;
    }
    let at = Phys::parse(&conflict.path).ok();
    let blob = upload.finish(FinishHints { mtime_ns: None, at }).await?;
    if conflict.client() != Some(blob.hash) {
        mounted.store.discard(blob.slot);
        return Err(not_its_content(&conflict, &blob)?);
    }
    let caller = caller.clone();
    // From here on it must come to an end whether or not the client stays (algorithms A).
    app.act(async move { commit(&mounted, &caller, conflict, blob).await }).await
}

async fn commit(mounted: &Arc<Mounted>, caller: &Caller, conflict: Conflict, blob: Blob) -> Result<Conflict> {
    let store = Arc::clone(&mounted.store);
    let durable = tokio::task::spawn_blocking(move || store.make_durable(&[blob.slot])).await;
    if let Err(error) = durable.map_err(Error::internal).and_then(|done| done.map_err(disk_error)) {
        mounted.store.discard(blob.slot);
        return Err(error);
    }
    let (drive, user) = (mounted.id, caller.user_id);
    let actor = Actor {
        user_id: Some(user),
        device_id: caller.device.as_ref().map(|device| device.id),
        action: Uuid::new_v4(),
        now: mounted.clock().now(),
    };
    let kept = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let outcome = attach(&mut act, user, conflict.id, &blob).await?;
                act.finish().await?;
                Ok(outcome)
            })
        })
        .await;
    let used = match &kept {
        Ok((_, used)) => *used,
        // It may stand: recovery will tell; the slot must stay.
        Err(error) => error.problem_code() == Some(AMBIGUOUS),
    };
    if !used {
        mounted.store.discard(blob.slot);
    }
    kept.map(|(conflict, _)| conflict)
}

/// Makes the received bytes the candidate; false: it has them already.
async fn attach(act: &mut Act<'_>, user: i64, id: i64, blob: &Blob) -> Result<(Conflict, bool)> {
    let conflict = conflicts::by_id(act.tx, id).await?.filter(|c| c.is_for(user)).ok_or_else(absent)?;
    if conflict.state != "open" {
        return Err(not_open(&conflict)?);
    }
    if conflict.client() != Some(blob.hash) {
        return Err(not_its_content(&conflict, blob)?);
    }
    if conflict.candidate() == Some(blob.hash) {
        return Ok((conflict, false));
    }
    let device = conflict.device_id.ok_or_else(|| Error::conflict("this content is another program's"))?;
    // Raises the revision: a plan under way has not seen this candidate.
    agreement::state(act, device).await?;
    let path = DrivePath::from_checked(conflict.path.clone());
    let version = agreement::insert_candidate(act, &path, blob, device).await?;
    conflicts::set_candidate(act.tx, conflict.id, version, act.actor.now).await?;
    let conflict = conflicts::by_id(act.tx, id).await?.ok_or_else(absent)?;
    Ok((conflict, true))
}

fn not_its_content(conflict: &Conflict, blob: &Blob) -> Result<Error> {
    Ok(Error::conflict("this is not the content the conflict is about")
        .code("other-content")
        .with("expected_hash", conflict.client().map(|hash| hash.to_string()))
        .with("actual_hash", blob.hash.to_string())
        .with("conflict", told(conflict)?))
}

/// Opens the client's content of a conflict, whatever became of the conflict; with the file's name.
///
/// # Errors
/// 404 when it never came, or its bytes are no longer kept; 503 while the drive is offline.
pub async fn read_candidate(app: &App, caller: &Caller, id: Uuid) -> Result<(String, Opened)> {
    let conflict = by_id(app, caller, id).await?;
    let absent =
        || Error::not_found("the content of this conflict has not been received").code("no-candidate");
    let version = conflict.candidate_version_id.ok_or_else(absent)?;
    let mounted = app.drives.online(conflict.drive_id)?;
    let version = app.db.read(move |tx| Box::pin(versions::by_id(tx, version))).await?;
    let opened = content::open_version(&mounted, &version).await?;
    let path = DrivePath::from_checked(conflict.path);
    Ok((path.name().unwrap_or_default().to_owned(), opened))
}
