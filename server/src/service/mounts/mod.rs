//! Where devices have drives (document 000): what they report, who may know it, and which drive a path lies in.

mod matching;
mod report;

pub use matching::{Match, find, find_all};
pub use report::{Report, Seen, report_all, report_one};

use super::caller::Caller;
use super::{devices, drives};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::mounts::{self as rows, Mount, Past};
use crate::error::{Error, Result};

/// The mounts of a drive that the caller may know of: all of an own drive, those on own devices of another's.
///
/// # Errors
/// 404 for the drive, 409 where its name means several, or the catalogue's.
pub async fn of_drive(app: &App, caller: &Caller, drive: String) -> Result<Vec<Mount>> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let drive = drives::named(tx, user, Some(&drive)).await?.drive;
                rows::of_drive(tx, drive.id, user).await
            })
        })
        .await
}

/// The same of all drives that the caller may see.
///
/// # Errors
/// The catalogue's.
pub async fn of_drives(app: &App, caller: &Caller) -> Result<Vec<Mount>> {
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(rows::of_drives(tx, user))).await
}

/// The mounts of one of the caller's devices, those that are not there any more too.
///
/// # Errors
/// 404 for the device, or the catalogue's.
pub async fn of_device(app: &App, caller: &Caller, device: String) -> Result<Vec<Mount>> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let device = devices::find(tx, user, &device).await?;
                rows::of_device(tx, device.id).await
            })
        })
        .await
}

/// A drive's mount on one of the caller's devices.
///
/// # Errors
/// 404 for the drive, the device, and where the device has not reported it; or the catalogue's.
pub async fn get(app: &App, caller: &Caller, drive: String, device: String) -> Result<Mount> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let (drive, device) = both(tx, user, &drive, &device).await?;
                rows::one(tx, drive, device).await?.ok_or_else(|| {
                    Error::not_found("this device has not reported this drive").code("not-mounted")
                })
            })
        })
        .await
}

/// What was the case with a drive on one of the caller's devices, the newest first; before an internal id, 0 for all.
///
/// # Errors
/// 404 for the drive and the device, or the catalogue's.
pub async fn history(
    app: &App,
    caller: &Caller,
    drive: String,
    device: String,
    before: i64,
    limit: i64,
) -> Result<Vec<Past>> {
    let (user, before) = (caller.user_id, if before == 0 { i64::MAX } else { before });
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let (drive, device) = both(tx, user, &drive, &device).await?;
                rows::past(tx, drive, device, before, limit).await
            })
        })
        .await
}

/// The mounts of a device that counts no more are not there any more.
///
/// # Errors
/// The catalogue's.
pub async fn revoked(tx: &mut Tx, user: i64, device: i64, at: i64) -> Result<()> {
    for mount in rows::of_device(tx, device).await? {
        gone(tx, user, &mount, "revoked", at).await?;
    }
    Ok(())
}

async fn both(tx: &mut Tx, user: i64, drive: &str, device: &str) -> Result<(i64, i64)> {
    let drive = drives::named(tx, user, Some(drive)).await?.drive.id;
    Ok((drive, devices::find(tx, user, device).await?.id))
}

/// Notes that a mount is not there any more, if it was.
async fn gone(tx: &mut Tx, user: i64, mount: &Mount, reason: &'static str, at: i64) -> Result<()> {
    if !mount.is_available {
        return Ok(());
    }
    rows::set_unavailable(tx, mount.id).await?;
    let whose = (mount.drive_id, mount.client_id);
    rows::add_past(tx, whose, at, &mount.mount_point, false, reason).await?;
    tell(tx, user, whose, &mount.mount_point, false, reason, at).await
}

/// Logs what changed about a drive on a device.
async fn tell(
    tx: &mut Tx,
    user: i64,
    (drive, device): (i64, i64),
    mount_point: &str,
    is_mounted: bool,
    reason: &'static str,
    at: i64,
) -> Result<()> {
    let detail = [
        ("mount_point".to_owned(), mount_point.into()),
        ("is_mounted".to_owned(), is_mounted.into()),
        ("reason".to_owned(), reason.into()),
    ];
    let event = NewEvent {
        at,
        actor_id: Some(user),
        device_id: Some(device),
        drive_id: Some(drive),
        kind: "mount-changed",
        detail: detail.into_iter().collect(),
        ..NewEvent::default()
    };
    events::add(tx, event).await
}
