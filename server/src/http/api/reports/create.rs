//! `POST /api/drives/{drive}/reports`

use axum::extract::State;
use holdfast_protocol::{ContentHash, DrivePath, Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::domain::drives::Capacity;
use crate::domain::reports::Sight;
use crate::error::{Error, Result};
use crate::http::auth::CallerOn;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::http::target::path_in;
use crate::service::reports::{self, Done, Entry, Folder, Report};

/// A part of what a device sees on a drive: at most 5000 folders and entries.
#[derive(Deserialize, ToSchema)]
pub struct NewReport {
    /// Which of the caller's devices; else `Holdfast-Device`, else the one that the login belongs to.
    device_id: Option<String>,
    /// Where it has the drive, as it reported before.
    mount_point: String,
    /// The device's own id of its walk over the drive, the same in all parts of one; without it, this is all.
    walk: Option<Uuid>,
    /// Bytes of the drive.
    total_bytes: Option<u64>,
    /// Bytes that may still be written.
    available_bytes: Option<u64>,
    /// What is in folders, each at most once in a report. Those above are there, too.
    #[serde(default)]
    folders: Vec<ToldFolder>,
    /// The token of `needs_confirmation`: what is gone was meant to go.
    confirm: Option<String>,
    /// The last part of the walk.
    #[serde(default)]
    end: bool,
}

/// What is in a folder, without what is in folders within.
#[derive(Deserialize, ToSchema)]
pub struct ToldFolder {
    /// Path in the drive; empty for its root.
    path: String,
    /// All names in it are here: what was known in it besides is no longer seen, with all beneath. Never to be said of a folder
    /// that could not be read to its end.
    #[serde(default)]
    complete: bool,
    /// It is complete of the names after this one alone, in the order of their bytes: for folders of more than one report.
    after: Option<String>,
    /// And of those up to this one.
    through: Option<String>,
    /// What is in it.
    #[serde(default)]
    entries: Vec<ToldEntry>,
}

/// A file or folder.
#[derive(Deserialize, ToSchema)]
pub struct ToldEntry {
    /// Its name: 1 to 255 bytes, no slash.
    name: String,
    /// File or folder. Links and devices are left out.
    kind: Kind,
    /// Bytes of a file.
    #[serde(default)]
    size: u64,
    /// When it was last written, in nanoseconds since 1970.
    #[serde(default)]
    mtime_ns: i64,
    /// SHA-256 of a file's content. Without it, what was known stays as long as size and time are the same.
    hash: Option<ContentHash>,
}

/// What became of a report.
#[derive(Serialize, ToSchema)]
pub struct Reported {
    /// Files and folders of which nobody had told.
    added: usize,
    /// Those that are otherwise than was known.
    changed: usize,
    /// Those that are as was known.
    unchanged: usize,
    /// Those that are no longer seen; what is beneath one is not counted.
    gone: usize,
    /// So much is gone that it may be the disk's fault: it is kept until the same report comes with `confirm`. All else of the
    /// report counts.
    needs_confirmation: Option<GoneFiles>,
}

/// What would be no longer seen.
#[derive(Serialize, ToSchema)]
pub struct GoneFiles {
    /// Says yes to exactly this.
    token: String,
    /// How many files.
    files: usize,
    /// The first hundred of what is gone; a folder stands for all beneath.
    paths: Vec<DrivePath>,
}

/// Tells what a device sees on a drive of which this server has no folder (409 `has-root` for others), so that it can be listed
/// and looked at wherever the drive is. Only by who may write, from a device that has reported that it has the drive there (409
/// `not-mounted`). A report counts whole or not at all, and the same one again changes nothing.
#[utoipa::path(post, path = "/api/drives/{drive}/reports", tag = "drives",
    params(("drive" = String, Path, description = "UUID or name")),
    request_body = NewReport, responses((status = 200, body = Reported)))]
pub async fn create(
    State(app): State<App>,
    CallerOn(caller, device, _): CallerOn,
    Path(drive): Path<String>,
    Json(body): Json<NewReport>,
) -> Result<Json<Reported>, Problem> {
    let named = body.device_id.clone().or_else(|| device.map(|device| device.device_id));
    let named = named.or_else(|| caller.device.as_ref().map(|device| device.device_id.clone()));
    let device_id = named.ok_or_else(|| Error::invalid("a report names its device").code("no-device"))?;
    let done = reports::report(&app, &caller, drive, read(body, device_id)?).await?;
    Ok(Json(done.into()))
}

fn read(body: NewReport, device_id: String) -> Result<Report> {
    let folders = body.folders.into_iter().map(|folder| {
        let entries = folder.entries.into_iter().map(|entry| {
            let ToldEntry { name, kind, size, mtime_ns, hash } = entry;
            Entry { name, sight: Sight { kind, size, mtime_ns, hash } }
        });
        Ok(Folder {
            path: path_in(&folder.path)?,
            is_complete: folder.complete,
            after: folder.after,
            through: folder.through,
            entries: entries.collect(),
        })
    });
    Ok(Report {
        device_id,
        mount_point: body.mount_point,
        walk: body.walk,
        capacity: Capacity { total: body.total_bytes, available: body.available_bytes },
        folders: folders.collect::<Result<_>>()?,
        confirm: body.confirm,
        is_end: body.end,
    })
}

impl From<Done> for Reported {
    fn from(done: Done) -> Self {
        Self {
            added: done.added,
            changed: done.changed,
            unchanged: done.unchanged,
            gone: done.gone,
            needs_confirmation: done.withheld.map(|withheld| GoneFiles {
                token: withheld.token,
                files: withheld.files,
                paths: withheld.paths,
            }),
        }
    }
}
