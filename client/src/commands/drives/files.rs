//! `holdfast drives report --files`: what is on drives that only devices have.

use std::path::Path;

use holdfast_disk::volumes::Snapshot;
use holdfast_protocol::fold_key;
use serde_json::json;
use uuid::Uuid;

use super::{absolute, probe};
use crate::agent::inventory::Inventory;
use crate::agent::mounts;
use crate::api::Api;
use crate::api::types::{Drive, DriveReport, Mount, SeenDrive};
use crate::commands::{Context, Failure};
use crate::show::{JsonList, Table, visible};

/// What is to be told.
pub(super) struct Wanted {
    /// A drive by name or id, or a path in it on this device; all that are plugged in when absent.
    pub which: Option<String>,
    /// Contents are read, too.
    pub hash: bool,
    /// What is gone was meant to go.
    pub confirm: bool,
}

/// A drive to be told of, and where it is.
struct Target {
    drive: Drive,
    mount: Mount,
}

/// What became of it.
#[derive(Default)]
struct Totals {
    added: u64,
    changed: u64,
    unchanged: u64,
    gone: u64,
    /// Files that seem to be gone and were kept.
    withheld: u64,
    skipped: u64,
    unread: u64,
}

pub(super) async fn run(context: &Context, wanted: Wanted) -> Result<(), Failure> {
    let (api, device) = (context.api()?, context.account()?.device_id);
    let targets = targets(context, &api, &device, wanted.which.as_deref()).await?;
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["NEW", "CHANGED", "SAME", "GONE", "NAME", "PLACE"]);
    let mut withheld = 0;
    for target in targets {
        let totals = tell(context, &api, &device, &target, &wanted).await?;
        withheld += totals.withheld;
        let Target { drive, mount } = target;
        if context.out.json {
            list.push(&totals.for_scripts(&drive, &mount))?;
            continue;
        }
        totals.remarks(context, &mount)?;
        let counts =
            [totals.added, totals.changed, totals.unchanged, totals.gone].map(|count| count.to_string());
        table.row(counts.into_iter().chain([drive.name, mount.mount_point]).collect::<Vec<_>>());
    }
    if context.out.json {
        list.end()?;
    } else {
        table.write(&context.out)?;
    }
    if withheld == 0 {
        return Ok(());
    }
    let why = format!("{withheld} files seem to be gone, and are kept in the catalogue; all else was told");
    Err(Failure::conflict(why).hint("if they were deleted, say so with --confirm"))
}

impl Totals {
    fn for_scripts(&self, drive: &Drive, mount: &Mount) -> serde_json::Value {
        json!({
            "drive_id": drive.id, "mount_point": mount.mount_point, "added": self.added, "changed": self.changed,
            "unchanged": self.unchanged, "gone": self.gone, "withheld": self.withheld, "skipped": self.skipped,
            "unread": self.unread,
        })
    }

    fn remarks(&self, context: &Context, mount: &Mount) -> Result<(), Failure> {
        let place = visible(&mount.mount_point);
        if self.skipped > 0 {
            context
                .out
                .note(&format!("{place}: {} links, devices and impossible names left out", self.skipped))?;
        }
        if self.unread > 0 {
            context.out.note(&format!("{place}: {} folders could not be read", self.unread))?;
        }
        Ok(())
    }
}

/// The drives that are meant and that are here. Where the server does not know of one, it is told what is plugged in first.
async fn targets(
    context: &Context,
    api: &Api,
    device: &str,
    which: Option<&str>,
) -> Result<Vec<Target>, Failure> {
    let snapshot = probe().await?;
    for problem in &snapshot.problems {
        context.out.note(&visible(problem))?;
    }
    if which.is_some() {
        let known = known(api, device, which).await?;
        if !known.is_empty() {
            return checked(known, &snapshot, which.is_some());
        }
    }
    if snapshot.complete {
        let seen = mounts::seen(&snapshot, &api.drives().await?);
        api.report_drives(device, &seen).await?;
    }
    let known = known(api, device, which).await?;
    if let (true, Some(which)) = (known.is_empty(), which) {
        return Err(Failure::not_found(format!("{} is no drive that is plugged in here", visible(which))));
    }
    checked(known, &snapshot, which.is_some())
}

/// Drives that the server believes to be on this device, or the one of them that is meant.
async fn known(api: &Api, device: &str, which: Option<&str>) -> Result<Vec<Target>, Failure> {
    let drives = api.drives().await?;
    let path = which.map(|which| absolute(Path::new(which))).transpose()?;
    let mut found = Vec::new();
    for mount in api.mounts_of(device).await?.into_iter().filter(|mount| mount.is_available) {
        let Some(drive) = drives.iter().find(|drive| drive.id == mount.drive_id) else { continue };
        let is_named = which.is_none_or(|which| is_called(drive, which));
        let is_around = path.as_deref().is_some_and(|path| Path::new(path).starts_with(&mount.mount_point));
        if is_named || is_around {
            found.push((is_named, Target { drive: drive.clone(), mount }));
        }
    }
    if which.is_some() {
        // Of several around a path the innermost; a name goes first.
        found
            .sort_by_key(|(is_named, target)| (!is_named, std::cmp::Reverse(target.mount.mount_point.len())));
        found.truncate(1);
    }
    Ok(found.into_iter().map(|(_, target)| target).collect())
}

fn is_called(drive: &Drive, which: &str) -> bool {
    Uuid::try_parse(which).is_ok_and(|id| id == drive.id) || fold_key(&drive.name) == fold_key(which)
}

/// Leaves out the drives into which the server looks itself, and refuses what is not the drive that it is believed to be: another
/// disk at its place, or an empty mount point (P8).
fn checked(targets: Vec<Target>, snapshot: &Snapshot, is_named: bool) -> Result<Vec<Target>, Failure> {
    let drives: Vec<Drive> = targets.iter().map(|target| target.drive.clone()).collect();
    let seen = mounts::seen(snapshot, &drives);
    let mut good = Vec::new();
    for target in targets {
        let Target { drive, mount } = &target;
        let (name, place) = (visible(&drive.name), visible(&mount.mount_point));
        if drive.state != "reported" {
            if is_named {
                return Err(Failure::usage(format!(
                    "the server has the folder of {name}, and looks there itself"
                )));
            }
            continue;
        }
        match seen.iter().find(|one| one.mount_point == mount.mount_point) {
            Some(one) if is_drive(one, drive) => good.push(target),
            Some(_) => return Err(Failure::conflict(format!("another disk than {name} is at {place}"))),
            None if drive.kind == "usb" => {
                return Err(Failure::conflict(format!("{name} is not plugged in at {place}")));
            }
            None => good.push(target),
        }
    }
    Ok(good)
}

fn is_drive(seen: &SeenDrive, drive: &Drive) -> bool {
    let by_id = seen.drive.as_deref() == Some(drive.id.to_string().as_str());
    by_id || (seen.unique_identifier.is_some() && seen.unique_identifier == drive.unique_identifier)
}

async fn tell(
    context: &Context,
    api: &Api,
    device: &str,
    target: &Target,
    wanted: &Wanted,
) -> Result<Totals, Failure> {
    let place = target.mount.mount_point.clone();
    let bar = if wanted.hash { context.bar(&target.drive.name, None)? } else { None };
    let quiet: crate::api::Progress = std::sync::Arc::new(|_| {});
    let progress = wanted.hash.then(|| bar.as_ref().map_or(quiet, crate::show::Bar::progress));
    let opened = Inventory::open(Path::new(&place), progress);
    let mut inventory = opened.map_err(|error| Failure::failed(format!("{}: {error}", visible(&place))))?;
    let (walk, mut totals) = (Uuid::new_v4(), Totals::default());
    loop {
        let walked = tokio::task::spawn_blocking(move || {
            let part = inventory.next_part();
            let is_there = inventory.is_still_there();
            (inventory, part, is_there)
        });
        let (walked, (folders, end), is_there) =
            walked.await.map_err(|error| Failure::failed(error.to_string()))?;
        inventory = walked;
        if !is_there {
            let why =
                format!("what was at {} is not there any more; nothing more is told of it", visible(&place));
            return Err(Failure::conflict(why));
        }
        let (device_id, mount_point) = (device.to_owned(), place.clone());
        let mut report = DriveReport { device_id, mount_point, walk, folders, confirm: None, end };
        let mut told = api.report_files(target.drive.id, &report).await?;
        totals.count(&told);
        if let Some(gone) = told.needs_confirmation.take() {
            if wanted.confirm {
                report.confirm = Some(gone.token);
                let told = api.report_files(target.drive.id, &report).await?;
                totals.gone += told.gone;
                totals.withheld += told.needs_confirmation.map_or(0, |gone| gone.files);
            } else {
                totals.withheld += gone.files;
            }
        }
        if end {
            break;
        }
    }
    (totals.skipped, totals.unread) = (inventory.skipped, inventory.unread);
    Ok(totals)
}

impl Totals {
    fn count(&mut self, told: &crate::api::types::Reported) {
        self.added += told.added;
        self.changed += told.changed;
        self.unchanged += told.unchanged;
        self.gone += told.gone;
    }
}
