//! The volumes of this machine (document 001): which there are, and who tracks them.

mod monitor;
mod refresh;
pub mod speed_test;

pub use monitor::watch;
pub use refresh::{Machine, Refreshed, refresh};

use std::sync::PoisonError;

use holdfast_disk::volumes as disk;
use serde_json::Value;
use uuid::Uuid;

use super::caller::Caller;
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::volumes::{self as rows, Tracked};
use crate::domain::accounts::device_name;
use crate::error::{Error, Result};

/// A volume as it is shown to a user.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The volume, and how the user tracks it.
    pub tracked: Tracked,
    /// What was told of it when it was seen last.
    pub told: disk::Volume,
    /// When it was last seen, in microseconds since 1970.
    pub last_seen_at: i64,
}

/// Every volume that was ever seen, or those that the caller tracks.
///
/// # Errors
/// The catalogue's; 500 where a row of it means nothing (001-08).
pub async fn list(app: &App, caller: &Caller, tracked_alone: bool) -> Result<Vec<Shown>> {
    let user = caller.user_id;
    let rows = app.db.read(move |tx| Box::pin(rows::for_user(tx, user))).await?;
    let wanted = rows.into_iter().filter(|row| !tracked_alone || row.tracked_at.is_some());
    wanted.map(|row| shown(app, row)).collect()
}

/// One volume by its id or fingerprint.
///
/// # Errors
/// 404, or the catalogue's.
pub async fn get(app: &App, caller: &Caller, volume: String) -> Result<Shown> {
    let user = caller.user_id;
    let row = app.db.read(move |tx| Box::pin(async move { find(tx, user, &volume).await })).await?;
    shown(app, row)
}

fn shown(app: &App, tracked: Tracked) -> Result<Shown> {
    let told: disk::Volume = serde_json::from_str(&tracked.volume.raw).map_err(Error::internal)?;
    // While it is there nothing is written each time it is seen: a disk may be asleep.
    let looked_at = *app.machine.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
    let last_seen_at = match looked_at {
        Some(at) if tracked.volume.is_online => at.max(tracked.volume.last_seen_at),
        _ => tracked.volume.last_seen_at,
    };
    Ok(Shown { tracked, told, last_seen_at })
}

async fn find(tx: &mut Tx, user: i64, volume: &str) -> Result<Tracked> {
    let wanted = Uuid::try_parse(volume).ok();
    let all = rows::for_user(tx, user).await?;
    let is_meant = |row: &Tracked| wanted == Some(row.volume.uuid) || row.volume.fingerprint == volume;
    all.into_iter().find(is_meant).ok_or_else(|| Error::not_found("there is no such volume"))
}

/// Has the caller track a volume, also one that is not there now (001-09, 001-11).
///
/// # Errors
/// 404, 409 `already-tracked`, 422 for the name, or the catalogue's.
pub async fn track(
    app: &App,
    caller: &Caller,
    volume: String,
    display_name: Option<String>,
) -> Result<Shown> {
    let display_name = display_name.as_deref().map(device_name).transpose().map_err(Error::invalid)?;
    let (user, at) = (caller.user_id, app.clock.now());
    let row = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let row = find(tx, user, &volume).await?;
                let tracked = rows::track(tx, row.volume.id, user, display_name.as_deref(), at).await;
                // The key decides, not a look before: two requests at once are one.
                tracked.map_err(|error| match error {
                    error if error.is_unique_violation() => {
                        Error::conflict("you track this volume already").code("already-tracked")
                    }
                    error => error.into(),
                })?;
                let name = display_name.unwrap_or_else(|| row.volume.name.clone());
                let detail = known(&row.volume, name)?;
                log(tx, Some(user), "volume-tracked", &row.volume.fingerprint, &detail, at).await?;
                find(tx, user, &volume).await
            })
        })
        .await?;
    shown(app, row)
}

/// Has the caller track a volume no longer. The volume and what was measured of it stay known.
///
/// # Errors
/// 404, also `not-tracked`, or the catalogue's.
pub async fn untrack(app: &App, caller: &Caller, volume: String) -> Result<()> {
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let row = find(tx, user, &volume).await?;
                if !rows::untrack(tx, row.volume.id, user).await? {
                    return Err(Error::not_found("you do not track this volume").code("not-tracked"));
                }
                log(tx, Some(user), "volume-untracked", &row.volume.fingerprint, &[], at).await
            })
        })
        .await
}

/// What is known of a volume when somebody begins to track it (001-12).
fn known(volume: &rows::Volume, name: String) -> Result<Vec<(&'static str, Value)>> {
    let told: disk::Volume = serde_json::from_str(&volume.raw).map_err(Error::internal)?;
    let mount = told.mounts.first().filter(|_| volume.is_online);
    Ok(vec![
        ("display_name", name.into()),
        ("mount_point", mount.map(|mount| mount.mount_point.clone()).into()),
        ("total_capacity", told.total_bytes.into()),
        ("available_capacity", told.available_bytes.into()),
        ("read_speed_mbps", volume.read_speed_mbps.into()),
        ("write_speed_mbps", volume.write_speed_mbps.into()),
    ])
}

/// Logs what happened to a volume.
async fn log(
    tx: &mut Tx,
    actor: Option<i64>,
    kind: &'static str,
    fingerprint: &str,
    more: &[(&str, Value)],
    at: i64,
) -> Result<()> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let detail = more.chain([("fingerprint".to_owned(), fingerprint.into())]).collect();
    events::add(tx, NewEvent { at, actor_id: actor, kind, detail, ..NewEvent::default() }).await
}
