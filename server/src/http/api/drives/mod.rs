//! The drives that the caller may see.

mod change;
mod clone;
mod create;
mod forget;
mod get;
mod list;
mod offline;
mod online;
mod relocate;
mod survey;

pub use survey::Survey;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::mounts::Mount;
use crate::app::App;
use crate::catalog::drives::Right;
use crate::catalog::mounts;
use crate::http::time::Timestamp;
use crate::service::drives::{On, Shown};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, change::change, forget::forget))
        .routes(routes!(offline::offline))
        .routes(routes!(online::online))
        .routes(routes!(relocate::relocate))
        .routes(routes!(clone::clone))
}

/// What else is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Include {
    /// `mounts`: where devices have each drive.
    include: Option<String>,
}

/// A drive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drive {
    /// Its id.
    id: Uuid,
    /// Its name, unique among its owner's.
    name: String,
    /// `nas`, `usb`, `internal`, `network` or `cloud`.
    kind: String,
    /// Says that it is the same drive wherever it is seen.
    unique_identifier: String,
    /// What the caller may do: `view`, `edit` or `own`.
    right: &'static str,
    /// Who provides it, for cloud drives.
    provider: Option<String>,
    /// `online`, `offline`, `degraded`: it can be read but takes no changes now, or `reported`: this server has no folder of it,
    /// and knows it from what devices report.
    state: &'static str,
    /// Why it is offline or degraded.
    reason: Option<String>,
    /// Names what it holds now: another token, another content.
    head: Option<Uuid>,
    /// Bytes in all, as whoever saw it last said: its file system, or a device.
    total_bytes: Option<u64>,
    /// Bytes that may still be written.
    available_bytes: Option<u64>,
    /// When that was.
    measured_at: Option<Timestamp>,
    /// When a device last told what is on it, of a drive without a folder on this server.
    reported_at: Option<Timestamp>,
    /// What its folder is on and what can be done there; null while it is offline, or has no folder here.
    capabilities: Option<Capabilities>,
    /// Since when it exists here.
    created_at: Timestamp,
    /// Where devices have it, if that was asked for: all devices of an own drive, the caller's of another's.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_mounts: Option<Vec<Mount>>,
}

/// What a drive's folder is on, found out by trying.
#[derive(Debug, Serialize, ToSchema)]
pub struct Capabilities {
    /// What the system calls the file system, `ext4` or `fuseblk`; null where it does not say.
    file_system: Option<String>,
    /// Two names are swapped in one step. Without it a file that is replaced has no name for a moment in the plain folder.
    exchange: bool,
    /// Files can be told apart after a crash and from one mount to the next.
    stable_inodes: bool,
    /// A file is copied without taking room.
    reflinks: bool,
    /// A file can have several names.
    hard_links: bool,
    /// Files keep extended attributes.
    xattrs: bool,
    /// Names that differ in case alone are one: the second of two such names is refused (409 `name-twin`).
    folds_case: bool,
    /// Nothing can be written there now: 403 `drive-read-only`.
    read_only: bool,
}

impl From<On> for Capabilities {
    fn from(On { file_system, caps }: On) -> Self {
        Self {
            file_system,
            exchange: caps.exchange,
            stable_inodes: caps.stable_ino,
            reflinks: caps.reflink,
            hard_links: caps.hardlink,
            xattrs: caps.xattr,
            folds_case: caps.folds_case,
            read_only: caps.read_only,
        }
    }
}

impl Drive {
    /// With its mounts.
    fn with(mut self, mounts: Vec<mounts::Mount>) -> Self {
        self.client_mounts = Some(mounts.into_iter().map(Mount::from).collect());
        self
    }
}

impl From<Shown> for Drive {
    fn from(shown: Shown) -> Self {
        let (drive, right) = (shown.visible.drive, shown.visible.right);
        let (state, reason) = match (shown.offline, drive.degraded) {
            _ if drive.root.is_none() => ("reported", None),
            (Some(why), _) => ("offline", Some(why)),
            (None, Some(why)) => ("degraded", Some(why)),
            (None, None) => ("online", None),
        };
        Self {
            id: drive.uuid,
            name: drive.name,
            kind: drive.kind,
            unique_identifier: drive.unique_identifier,
            right: match right {
                Right::View => "view",
                Right::Edit => "edit",
                Right::Own => "own",
            },
            provider: drive.provider,
            state,
            reason,
            head: shown.head,
            total_bytes: shown.size.capacity.total,
            available_bytes: shown.size.capacity.available,
            measured_at: shown.size.at.map(Timestamp),
            reported_at: drive.reported_at.map(Timestamp),
            capabilities: shown.on.map(Capabilities::from),
            created_at: Timestamp(drive.created_at),
            client_mounts: None,
        }
    }
}
