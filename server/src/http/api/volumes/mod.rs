//! The volumes of the server's machine (document 001).

mod get;
mod list;
mod refresh;
mod speed_test;
mod track;
mod untrack;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::http::time::Timestamp;
use crate::service::volumes::Shown;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(refresh::refresh))
        .routes(routes!(get::get))
        .routes(routes!(track::track))
        .routes(routes!(untrack::untrack))
        .routes(routes!(speed_test::speed_test))
}

/// Where a volume is mounted.
#[derive(Debug, Serialize, ToSchema)]
pub struct VolumeMount {
    /// The folder on the server.
    mount_point: String,
    /// Whether nothing can be written there.
    read_only: bool,
}

/// A disk, partition or share.
#[derive(Debug, Serialize, ToSchema)]
pub struct Volume {
    /// Its id.
    id: Uuid,
    /// By what it is known again.
    fingerprint: String,
    /// Whether that is no proof of identity.
    weak: bool,
    /// What the caller calls it, else its own name (001-16).
    volume_name: String,
    /// Its own name: the label, the model, the share.
    name: String,
    /// What the caller calls it.
    display_name: Option<String>,
    /// Since when the caller tracks it.
    tracked_at: Option<Timestamp>,
    /// `internal`, `usb`, `network` or `other`.
    kind: String,
    /// The file system's type.
    file_system: Option<String>,
    /// Whether the last look saw it.
    is_online: bool,
    /// Whether it can be reached anywhere on the server.
    is_mounted: bool,
    /// Where; empty for one that is offline.
    mounts: Vec<VolumeMount>,
    /// Bytes in all.
    total_capacity: Option<u64>,
    /// Bytes that may still be written.
    available_capacity: Option<u64>,
    /// Whether it refuses to be written.
    read_only: bool,
    /// Reading, in 10^6 bytes a second, when it was measured last.
    read_speed_mbps: Option<i64>,
    /// Writing, likewise.
    write_speed_mbps: Option<i64>,
    /// When that was.
    last_speed_test_at: Option<Timestamp>,
    /// When it was first seen.
    first_seen_at: Timestamp,
    /// When it was last seen.
    last_seen_at: Timestamp,
    /// All that the machine tells of it, if that was asked for (admins only).
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<Value>,
}

impl Volume {
    fn of(shown: Shown, with_raw: bool) -> Self {
        let Shown { tracked, told, last_seen_at } = shown;
        let volume = tracked.volume;
        let mounts = if volume.is_online { told.mounts.clone() } else { Vec::new() };
        Self {
            id: volume.uuid,
            fingerprint: volume.fingerprint,
            weak: told.weak,
            volume_name: tracked.display_name.clone().unwrap_or_else(|| volume.name.clone()),
            name: volume.name,
            display_name: tracked.display_name,
            tracked_at: tracked.tracked_at.map(Timestamp),
            kind: serde_json::to_value(told.kind)
                .ok()
                .and_then(|kind| Some(kind.as_str()?.to_owned()))
                .unwrap_or_default(),
            file_system: told.file_system.clone(),
            is_online: volume.is_online,
            is_mounted: !mounts.is_empty(),
            mounts: mounts
                .into_iter()
                .map(|mount| VolumeMount { mount_point: mount.mount_point, read_only: mount.read_only })
                .collect(),
            total_capacity: told.total_bytes,
            available_capacity: told.available_bytes,
            read_only: told.read_only,
            read_speed_mbps: volume.read_speed_mbps,
            write_speed_mbps: volume.write_speed_mbps,
            last_speed_test_at: volume.last_speed_test_at.map(Timestamp),
            first_seen_at: Timestamp(volume.first_seen_at),
            last_seen_at: Timestamp(last_seen_at),
            raw: with_raw.then(|| serde_json::to_value(&told).unwrap_or_default()),
        }
    }
}

/// Which volumes, and how much of them.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichVolumes {
    /// Those alone that the caller tracks.
    #[serde(default)]
    tracked: bool,
    /// All that the machine tells of each (admins only).
    #[serde(default)]
    raw: bool,
}
