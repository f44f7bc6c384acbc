//! `PUT /api/devices/{device_id}/drives`

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{MountReport, Mounts};
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts::{self, Seen};

/// A drive that a device sees.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SeenDrive {
    /// Its id or name, where the device knows it; else `unique_identifier`.
    drive: Option<String>,
    /// Says it is the same drive wherever it is seen: free text of at most 512 bytes, unique per owner. A drive of which nobody
    /// has heard is added as the caller's.
    unique_identifier: Option<String>,
    /// What a drive that is added is called; without one, its kind. A number is added where the name is taken.
    name: Option<String>,
    /// `nas`, `usb`, `internal`, `network` or `cloud`; `usb` when absent.
    #[serde(alias = "drive_type")]
    kind: Option<String>,
    /// Who provides it, for cloud drives.
    #[serde(alias = "cloud_provider")]
    provider: Option<String>,
    /// Where it is.
    #[serde(flatten)]
    mount: MountReport,
}

/// All the drives that a device sees.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SeenDrives {
    /// At most 1000. Drives that were reported before and are not in it count as gone from the device.
    drives: Vec<SeenDrive>,
}

/// Reports all the drives that one of the caller's devices sees, in one call (000-17).
#[utoipa::path(put, path = "/api/devices/{device_id}/drives", tag = "mounts",
    params(("device_id" = String, Path, description = "What the device calls itself")),
    request_body = SeenDrives, responses((status = 200, body = Mounts)))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(device): Path<String>,
    Json(body): Json<SeenDrives>,
) -> Result<Json<Mounts>, Problem> {
    let seen = body.drives.into_iter().map(|one| Seen {
        drive: one.drive,
        unique_identifier: one.unique_identifier,
        name: one.name,
        kind: one.kind,
        provider: one.provider,
        report: one.mount.into(),
    });
    Ok(Json(mounts::report_all(&app, &caller, device, seen.collect()).await?.into()))
}
