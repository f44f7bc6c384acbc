//! What a device reports: the place of one drive, or all the drives it sees.

use std::collections::{HashMap, HashSet};

use super::{gone, tell};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::devices::{self as device_rows, Device};
use crate::catalog::drive_writes;
use crate::catalog::drives::{self as drive_rows, Right, Visible};
use crate::catalog::mounts::{self as rows, Mount, Reported};
use crate::domain::drives::{self as rules, Capacity, Kind};
use crate::domain::mounts::{DevicePath, platform_of};
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::service::{devices, drives};

/// Most drives of one report.
const MOST: usize = 1_000;

/// Where a device has a drive.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where, as the device writes it.
    pub mount_point: String,
    /// Whether it is there.
    pub is_available: bool,
    /// How the device's own program for a cloud drive stands: `unknown`, `up_to_date`, `syncing` or `error` (000-32).
    pub sync_status: Option<String>,
    /// What that program says is wrong.
    pub sync_error: Option<String>,
    /// How large the drive is, as the device sees it.
    pub capacity: Capacity,
}

/// A drive that a device sees.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its id or name, where the device knows it.
    pub drive: Option<String>,
    /// Says it is the same drive wherever it is seen. A drive of which nobody has heard is added.
    pub unique_identifier: Option<String>,
    /// What a drive that is added is called; without one, its kind.
    pub name: Option<String>,
    /// What kind it is; without one, a removable disk.
    pub kind: Option<String>,
    /// Who provides it, for cloud drives.
    pub provider: Option<String>,
    /// Where the device has it.
    pub report: Report,
}

/// A report whose place is understood.
struct Placed {
    report: Report,
    key: String,
}

impl Placed {
    fn read(device: &Device, report: Report) -> Result<Self> {
        let platform = platform_of(device.platform.as_deref(), &report.mount_point);
        let place = DevicePath::parse(platform, &report.mount_point).map_err(|why| {
            Error::invalid(why).code("bad-mount-point").with("mount_point", shortened(&report.mount_point))
        })?;
        let known = ["unknown", "up_to_date", "syncing", "error"];
        if report.sync_status.as_deref().is_some_and(|status| !known.contains(&status)) {
            return Err(Error::invalid("there is no such sync_status").with("sync_status", known.to_vec()));
        }
        if report.sync_error.as_deref().is_some_and(|error| error.len() > 1_000) {
            return Err(Error::invalid("a sync_error has at most 1000 bytes"));
        }
        report.capacity.check().map_err(Error::invalid)?;
        Ok(Self { report, key: place.key() })
    }
}

/// What is said back of a text is not longer than people read.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Notes where one of the caller's devices has a drive (000-16). Another drive that it had there is not there any more.
///
/// # Errors
/// 403 `other-device`, 404 for drive or device, 422 for a place that is none on that device, or the catalogue's.
pub async fn report_one(
    app: &App,
    caller: &Caller,
    drive: String,
    device_id: String,
    report: Report,
) -> Result<Mount> {
    devices::permits(caller, &device_id)?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let visible = drives::named(tx, user, Some(&drive)).await?;
                let drive = visible.drive.id;
                let device = devices::find(tx, user, &device_id).await?;
                let placed = Placed::read(&device, report)?;
                let before = rows::one(tx, drive, device.id).await?;
                note(tx, user, drive, &device, &placed, before.as_ref(), at).await?;
                size(tx, &visible, &placed.report, at).await?;
                if placed.report.is_available {
                    for other in rows::at_key(tx, device.id, &placed.key).await? {
                        if other.drive_id != drive {
                            gone(tx, user, &other, "displaced", at).await?;
                        }
                    }
                }
                device_rows::touch(tx, device.id, at).await?;
                rows::one(tx, drive, device.id)
                    .await?
                    .ok_or_else(|| Error::internal("a mount was not stored"))
            })
        })
        .await
}

/// Notes all the drives that one of the caller's devices sees (000-17): what it does not name is not there any more. Drives of
/// which nobody has heard are added as the caller's.
///
/// # Errors
/// 403 `other-device`, 404 for a drive or the device, 422 for a list that is too long or says a thing twice and for a place
/// that is none on that device, or the catalogue's. Nothing is changed then.
pub async fn report_all(
    app: &App,
    caller: &Caller,
    device_id: String,
    seen: Vec<Seen>,
) -> Result<Vec<Mount>> {
    devices::permits(caller, &device_id)?;
    if seen.len() > MOST {
        return Err(Error::invalid(format!("a device reports at most {MOST} drives")));
    }
    let (user, at) = (caller.user_id, app.clock.now());
    app.db.write(move |tx| Box::pin(async move { all(tx, user, &device_id, seen, at).await })).await
}

async fn all(tx: &mut Tx, user: i64, device_id: &str, seen: Vec<Seen>, at: i64) -> Result<Vec<Mount>> {
    let device = devices::find(tx, user, device_id).await?;
    let mut known = Known::read(tx, user).await?;
    let mut before: HashMap<i64, Mount> =
        rows::of_device(tx, device.id).await?.into_iter().map(|mount| (mount.drive_id, mount)).collect();
    let (mut named, mut taken) = (HashSet::new(), HashSet::new());
    for one in seen {
        let placed = Placed::read(&device, one.report.clone())?;
        let visible = known.drive(tx, user, &one, at).await?;
        let drive = visible.drive.id;
        if !named.insert(drive) {
            return Err(Error::invalid("one drive is reported twice")
                .with("mount_point", shortened(&placed.report.mount_point)));
        }
        if placed.report.is_available && !taken.insert(placed.key.clone()) {
            return Err(Error::invalid("two drives are reported at one place")
                .with("mount_point", shortened(&placed.report.mount_point)));
        }
        note(tx, user, drive, &device, &placed, before.remove(&drive).as_ref(), at).await?;
        size(tx, &visible, &placed.report, at).await?;
    }
    for mount in before.values() {
        let reason = if taken.contains(&mount.mount_key) { "displaced" } else { "not-reported" };
        gone(tx, user, mount, reason, at).await?;
    }
    device_rows::touch(tx, device.id, at).await?;
    rows::of_device(tx, device.id).await
}

/// Notes a mount, and what is new about it in its history.
async fn note(
    tx: &mut Tx,
    user: i64,
    drive: i64,
    device: &Device,
    placed: &Placed,
    before: Option<&Mount>,
    now: i64,
) -> Result<()> {
    let Placed { report, key } = placed;
    let reported = Reported {
        drive_id: drive,
        client_id: device.id,
        mount_point: &report.mount_point,
        mount_key: key,
        is_available: report.is_available,
        sync_status: report.sync_status.as_deref(),
        sync_error: report.sync_error.as_deref(),
        now,
    };
    rows::report(tx, &reported).await?;
    let reason = match before {
        Some(mount) if mount.mount_key != *key => "moved",
        Some(mount) if mount.is_available == report.is_available => return Ok(()),
        Some(_) | None => "reported",
    };
    let whose = (drive, device.id);
    rows::add_past(tx, whose, now, &report.mount_point, report.is_available, reason).await?;
    tell(tx, user, whose, &report.mount_point, report.is_available, reason, now).await
}

/// Notes how large a drive is of which this server has no folder, if whoever tells may write to it.
async fn size(tx: &mut Tx, visible: &Visible, report: &Report, now: i64) -> Result<()> {
    let Visible { drive, right } = visible;
    let capacity = report.capacity;
    if drive.root.is_some() || *right < Right::Edit || capacity.is_unknown() {
        return Ok(());
    }
    if capacity.is_news_after(drive.capacity()) {
        drive_writes::set_capacity(tx, drive.id, capacity, now).await?;
    }
    Ok(())
}

/// The drives that a user may see, by what a device may call them.
struct Known {
    visible: Vec<Visible>,
}

impl Known {
    async fn read(tx: &mut Tx, user: i64) -> Result<Self> {
        Ok(Self { visible: drive_rows::visible(tx, user).await? })
    }

    /// The drive that is meant; one of which nobody has heard is added.
    async fn drive(&mut self, tx: &mut Tx, user: i64, seen: &Seen, at: i64) -> Result<Visible> {
        if let Some(name) = &seen.drive {
            return drives::among(&self.visible, user, name);
        }
        let identifier = seen.unique_identifier.as_deref().ok_or_else(|| {
            Error::invalid("a drive that is reported is named by `drive` or by `unique_identifier`")
        })?;
        rules::identifier(identifier).map_err(Error::invalid)?;
        // Own ones come first.
        let found = self.visible.iter().find(|one| one.drive.unique_identifier == identifier);
        if let Some(visible) = found {
            return Ok(visible.clone());
        }
        let kind = Kind::parse(seen.kind.as_deref().unwrap_or("usb")).map_err(Error::invalid)?;
        let wanted = seen.name.as_deref().unwrap_or_else(|| kind.called());
        let name = drives::free_name(&self.visible, user, wanted)?;
        let new = drives::Reported { name, kind, identifier, provider: seen.provider.as_deref() };
        let drive = drives::add_reported(tx, user, &self.visible, &new, at).await?;
        let visible = Visible { drive, right: Right::Own };
        self.visible.push(visible.clone());
        Ok(visible)
    }
}
