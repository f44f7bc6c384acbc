//! Where devices have drives (document 000).

mod device_list;
mod device_report;
mod for_path;
mod for_paths;
mod get;
mod history;
mod list;
mod report;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::drives::Drive;
use crate::app::App;
use crate::catalog::mounts;
use crate::domain::drives::Capacity;
use crate::http::time::Timestamp;
use crate::service::mounts::{Match, Report};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get, report::report))
        .routes(routes!(history::history))
        .routes(routes!(device_list::list, device_report::report))
        .routes(routes!(for_path::for_path))
        .routes(routes!(for_paths::for_paths))
}

/// A drive's place on a device (000-07).
#[derive(Debug, Serialize, ToSchema)]
pub struct Mount {
    /// Its id; the same over all reports of this drive by this device.
    id: Uuid,
    /// The drive.
    drive_id: Uuid,
    /// The device, by what it calls itself: document 000's name for `device_id`.
    client_id: String,
    /// The device, by what it calls itself.
    device_id: String,
    /// Its operating system, if it said.
    platform: Option<String>,
    /// Where, as the device wrote it.
    mount_point: String,
    /// When the device last reported it.
    last_seen_at: Timestamp,
    /// Whether it was there when the device last told.
    is_available: bool,
    /// How the device's own program for a cloud drive stands: `unknown`, `up_to_date`, `syncing` or `error`.
    sync_status: Option<String>,
    /// What that program says is wrong.
    sync_error: Option<String>,
}

impl From<mounts::Mount> for Mount {
    fn from(mount: mounts::Mount) -> Self {
        Self {
            id: mount.uuid,
            drive_id: mount.drive_uuid,
            client_id: mount.device_id.clone(),
            device_id: mount.device_id,
            platform: mount.platform,
            mount_point: mount.mount_point,
            last_seen_at: Timestamp(mount.last_seen_at),
            is_available: mount.is_available,
            sync_status: mount.sync_status,
            sync_error: mount.sync_error,
        }
    }
}

/// Mounts, in the order they were first reported.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mounts {
    /// All of them.
    items: Vec<Mount>,
    /// Always null: one page has them all.
    next: Option<String>,
}

impl From<Vec<mounts::Mount>> for Mounts {
    fn from(mounts: Vec<mounts::Mount>) -> Self {
        Self { items: mounts.into_iter().map(Mount::from).collect(), next: None }
    }
}

/// Where a device has a drive.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MountReport {
    /// Where, as the device writes it: absolute by the rules of its system.
    mount_point: String,
    /// Whether it is there; true when absent.
    #[serde(default = "is_there")]
    is_available: bool,
    /// How the device's own program for a cloud drive stands: `unknown`, `up_to_date`, `syncing` or `error`.
    sync_status: Option<String>,
    /// What that program says is wrong.
    sync_error: Option<String>,
    /// Bytes of the drive, where this server has no folder of it and cannot see for itself.
    total_bytes: Option<u64>,
    /// Bytes that may still be written.
    available_bytes: Option<u64>,
}

fn is_there() -> bool {
    true
}

impl From<MountReport> for Report {
    fn from(body: MountReport) -> Self {
        Self {
            mount_point: body.mount_point,
            is_available: body.is_available,
            sync_status: body.sync_status,
            sync_error: body.sync_error,
            capacity: Capacity { total: body.total_bytes, available: body.available_bytes },
        }
    }
}

/// The drive that a path lies in.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriveForPath {
    /// The drive.
    drive: Drive,
    /// Where the device has it.
    mount: Mount,
    /// The path from the drive's root, with `/` between names; empty for the root itself.
    relative_path: String,
}

impl From<Match> for DriveForPath {
    fn from(found: Match) -> Self {
        Self { drive: found.drive.into(), mount: found.mount.into(), relative_path: found.relative }
    }
}

/// Which path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichPath {
    /// An absolute path on the device, as the device writes it.
    path: String,
}
