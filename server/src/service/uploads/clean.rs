//! Uploads that nobody completes: removed by whoever began them, by time, and after a crash.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::row;
use crate::app::App;
use crate::catalog::uploads::{self as rows, Upload};
use crate::error::{Error, Result};
use crate::service::files::Who;
use crate::service::placement::Mounted;

/// Longest time between two looks for what has expired.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Most that are removed in one transaction.
const PAGE: i64 = 100;

/// Removes an upload with its bytes (tus 1.0, Termination). One that has become a file is only forgotten.
///
/// # Errors
/// 404 for none of the caller's.
pub async fn remove(app: App, who: Who, id: Uuid) -> Result<()> {
    row(&app, who.user_id, id).await?;
    let turn = app.uploads.take(id).await;
    let row = row(&app, who.user_id, id).await?;
    forget(&app, &row).await?;
    drop(turn);
    Ok(())
}

async fn forget(app: &App, row: &Upload) -> Result<()> {
    let (id, uuid) = (row.id, row.uuid);
    app.db.write(move |tx| Box::pin(async move { rows::remove(tx, id).await })).await?;
    // On a drive that is offline they are found when it is back.
    if row.result.is_none()
        && let Ok(mounted) = app.drives.online(row.drive_id)
    {
        let store = Arc::clone(&mounted.store);
        tokio::task::spawn_blocking(move || store.discard_partial(uuid)).await.map_err(Error::internal)?;
    }
    app.uploads.forget(uuid);
    Ok(())
}

/// Removes what has expired, now and then until the server stops.
pub async fn clean(app: App) {
    let every = (app.config.limits.upload_lifetime / 4).min(LOOK_EVERY);
    loop {
        if let Err(error) = expire(&app).await {
            tracing::warn!(%error, "expired uploads could not be removed");
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.drained() => return,
        }
    }
}

async fn expire(app: &App) -> Result<()> {
    let (now, mut after) = (app.clock.now(), 0);
    loop {
        let expired =
            app.db.read(move |tx| Box::pin(async move { rows::expired(tx, now, after, PAGE).await })).await?;
        let Some(last) = expired.last() else { return Ok(()) };
        after = last.id;
        for row in expired {
            // Somebody is adding to it after all, more slowly than its time.
            let Some(turn) = app.uploads.take_idle(row.uuid) else { continue };
            forget(app, &row).await?;
            drop(turn);
        }
    }
}

/// Takes from the slots without a row those of uploads that were being completed, which wait again, and gives the rest
/// back. Bytes of uploads that the catalogue does not know, or that have become files, are removed.
///
/// # Errors
/// The catalogue's, and what the file system says.
pub(in crate::service) async fn recover(mounted: &Arc<Mounted>, slots: Vec<Uuid>) -> Result<Vec<Uuid>> {
    let (slots, rest) = split(mounted, slots).await?;
    for slot in slots {
        mounted.store.take_back(slot).map_err(Error::internal)?;
    }
    let store = Arc::clone(&mounted.store);
    let waiting = tokio::task::spawn_blocking(move || store.partials())
        .await
        .map_err(Error::internal)?
        .map_err(Error::internal)?;
    let (_, unknown) = split(mounted, waiting).await?;
    let store = Arc::clone(&mounted.store);
    tokio::task::spawn_blocking(move || unknown.into_iter().for_each(|id| store.discard_partial(id)))
        .await
        .map_err(Error::internal)?;
    Ok(rest)
}

/// Those of which the catalogue says that they are under way, and the rest.
async fn split(mounted: &Mounted, ids: Vec<Uuid>) -> Result<(Vec<Uuid>, Vec<Uuid>)> {
    let drive = mounted.id;
    mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let (mut open, mut rest) = (Vec::new(), Vec::new());
                for id in ids {
                    let list = if rows::is_open(tx, id, drive).await? { &mut open } else { &mut rest };
                    list.push(id);
                }
                Ok((open, rest))
            })
        })
        .await
}
