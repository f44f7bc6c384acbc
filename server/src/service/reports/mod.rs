//! What devices tell of drives without a root (000-26; docs/design/012-reports.md): a stick, a share or a cloud folder is in the
//! catalogue as whoever had it last saw it, also while it lies in a drawer.
//!
//! A request is a part of a walk and is carried out whole or not at all. Only a folder of which all names are told says anything
//! of what is not named, and only from a device that has the drive where it says (P8).

mod apply;
mod check;
mod compare;
mod guard;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use self::compare::Compared;
use super::act::{self, Act};
use super::caller::Caller;
use super::{devices, drives};
use crate::app::App;
use crate::catalog::changes::Actor;
use crate::catalog::db::Tx;
use crate::catalog::devices::{self as device_rows, Device};
use crate::catalog::drive_writes;
use crate::catalog::drives::{Drive, Right};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::mounts;
use crate::catalog::reports::{self as rows, Walk};
use crate::domain::drives::Capacity;
use crate::domain::mounts::{DevicePath, platform_of};
use crate::domain::reports::Sight;
use crate::error::{Error, Result};

/// A part of what a device tells.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which of the caller's devices.
    pub device_id: String,
    /// Where it has the drive now.
    pub mount_point: String,
    /// The device's own id of its walk over the drive; `None`: this is all of it.
    pub walk: Option<Uuid>,
    /// How large the drive is.
    pub capacity: Capacity,
    /// What is in folders, each once.
    pub folders: Vec<Folder>,
    /// Says yes to exactly what was withheld.
    pub confirm: Option<String>,
    /// Nothing more of this walk follows.
    pub is_end: bool,
}

/// What is in a folder of the drive.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Which.
    pub path: DrivePath,
    /// Whether all names in it are told: what is not named is not there.
    pub is_complete: bool,
    /// Only names after this one are told.
    pub after: Option<String>,
    /// Only names up to this one are.
    pub through: Option<String>,
    /// What is in it.
    pub entries: Vec<Entry>,
}

impl Folder {
    /// Whether a name would have been told if it was there.
    fn covers(&self, name: &str) -> bool {
        let is_after = self.after.as_deref().is_none_or(|after| name > after);
        is_after && self.through.as_deref().is_none_or(|through| name <= through)
    }
}

/// A file or folder.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub sight: Sight,
}

/// What became of a report.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Files and folders of which nobody had told.
    pub added: usize,
    /// Those that are otherwise than was known.
    pub changed: usize,
    /// Those that are as was known.
    pub unchanged: usize,
    /// Those that are no longer seen; what is beneath one is not counted.
    pub gone: usize,
    /// What looks so much like a lost disk that a person must say yes first.
    pub withheld: Option<Withheld>,
}

/// What would be no longer seen, and is kept until somebody says yes.
#[derive(Debug, Clone)]
pub struct Withheld {
    /// Says yes to exactly this.
    pub token: String,
    /// How many files.
    pub files: usize,
    /// The first of what is gone.
    pub paths: Vec<DrivePath>,
}

/// Takes in what one of the caller's devices tells of a drive without a root.
///
/// # Errors
/// 403 without the right to write, or `other-device`; 404; 409 `has-root`, or `not-mounted` where the device has not reported
/// that it has the drive there; 422 for what makes no sense; or the catalogue's. Nothing is changed then.
pub async fn report(app: &App, caller: &Caller, drive: String, report: Report) -> Result<Done> {
    devices::permits(caller, &report.device_id)?;
    check::check(&report)?;
    let (user, now) = (caller.user_id, app.clock.now());
    app.db.write(move |tx| Box::pin(async move { take_in(tx, user, &drive, &report, now).await })).await
}

async fn take_in(tx: &mut Tx, user: i64, drive: &str, report: &Report, now: i64) -> Result<Done> {
    let device = devices::find(tx, user, &report.device_id).await?;
    let visible = drives::named(tx, user, Some(drive)).await?;
    act::could_change(&visible)?;
    let drive = visible.drive;
    if drive.root.is_some() {
        let why = "this server has the drive's folder, and looks there itself";
        return Err(Error::conflict(why).code("has-root"));
    }
    has_it_there(tx, &drive, &device, &report.mount_point).await?;
    let actor = Actor { user_id: Some(user), device_id: Some(device.id), action: Uuid::new_v4(), now };
    let mut act = Act::begin(tx, drive.id, actor, Right::Edit).await?;
    let mut walk = walk(act.tx, &drive, &device, report, now).await?;
    let mut compared = Compared::read(&mut act, report).await?;
    let unanswered = walk.withheld;
    let withheld = guard::judge(&mut act, report, &mut compared, &mut walk).await?;
    let done = apply::apply(&mut act, compared, withheld).await?;
    if done.withheld.is_some() && !unanswered {
        tell(act.tx, &drive, &actor, "deletions-withheld", None).await?;
    }
    let count = |so_far: i64, more: usize| so_far.saturating_add(i64::try_from(more).unwrap_or(i64::MAX));
    walk.added = count(walk.added, done.added);
    walk.changed = count(walk.changed, done.changed);
    walk.gone = count(walk.gone, done.gone);
    if report.is_end || report.walk.is_none() {
        walk.ended_at = Some(now);
        if walk.added + walk.changed + walk.gone > 0 {
            tell(act.tx, &drive, &actor, "drive-reported", Some(&walk)).await?;
        }
    }
    rows::save(act.tx, drive.id, device.id, &walk).await?;
    if !report.capacity.is_unknown() && report.capacity.is_news_after(drive.capacity()) {
        drive_writes::set_capacity(act.tx, drive.id, report.capacity, now).await?;
    }
    device_rows::touch(act.tx, device.id, now).await?;
    act.finish().await?;
    Ok(done)
}

/// An empty mount point, or another disk at the place, is told by a device that does not have the drive there.
async fn has_it_there(tx: &mut Tx, drive: &Drive, device: &Device, mount_point: &str) -> Result<()> {
    let platform = platform_of(device.platform.as_deref(), mount_point);
    let place = DevicePath::parse(platform, mount_point)
        .map_err(|why| Error::invalid(why).code("bad-mount-point"))?;
    let mount = mounts::one(tx, drive.id, device.id).await?;
    if mount.is_some_and(|mount| mount.is_available && mount.mount_key == place.key()) {
        return Ok(());
    }
    let why = "the device has not reported that it has this drive there; report its mounts first";
    Err(Error::conflict(why).code("not-mounted"))
}

/// The walk that a report belongs to. What an earlier one found gone counts on as long as that one was not ended, or somebody is
/// still to say yes: who walks again and again must not lose a drive bit by bit.
async fn walk(tx: &mut Tx, drive: &Drive, device: &Device, report: &Report, now: i64) -> Result<Walk> {
    let before = rows::walk(tx, drive.id, device.id).await?;
    let (gone_files, goes_on) = match before {
        Some(walk) if report.walk == Some(walk.walk) => {
            return Ok(Walk { last_at: now, ended_at: None, ..walk });
        }
        Some(walk) => (walk.gone_files, walk.withheld || walk.ended_at.is_none()),
        None => (0, false),
    };
    Ok(Walk {
        walk: report.walk.unwrap_or_else(Uuid::new_v4),
        began_at: now,
        last_at: now,
        ended_at: None,
        added: 0,
        changed: 0,
        gone: 0,
        gone_files: if goes_on { gone_files } else { 0 },
        withheld: false,
    })
}

/// Logs what a device told: a line a walk, and not one for each of a hundred thousand files.
async fn tell(
    tx: &mut Tx,
    drive: &Drive,
    actor: &Actor,
    kind: &'static str,
    walk: Option<&Walk>,
) -> Result<()> {
    let counted = walk.map(|walk| [("added", walk.added), ("changed", walk.changed), ("gone", walk.gone)]);
    let detail = counted.into_iter().flatten().map(|(name, count)| (name.to_owned(), count.into()));
    let event = NewEvent {
        at: actor.now,
        actor_id: actor.user_id,
        device_id: actor.device_id,
        drive_id: Some(drive.id),
        kind,
        detail: detail.collect(),
        ..NewEvent::default()
    };
    events::add(tx, event).await
}
