//! Drives, where devices have them, volumes, and jobs, as the server tells and is told of them.

use holdfast_protocol::{ContentHash, Kind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// A drive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drive {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique among its owner's.
    pub name: String,
    /// `nas`, `usb`, `internal`, `network` or `cloud`.
    pub kind: String,
    /// What the account may do: `view`, `edit` or `own`.
    pub right: String,
    /// `online`, `offline`, or `degraded`: it can be read but takes no changes now.
    pub state: String,
    /// Why it is offline or degraded.
    #[serde(default)]
    pub reason: Option<String>,
    /// Says that it is the same drive wherever it is seen.
    #[serde(default)]
    pub unique_identifier: Option<String>,
    /// Bytes in all, as whoever saw it last said.
    #[serde(default)]
    pub total_bytes: Option<u64>,
    /// Bytes that may still be written.
    #[serde(default)]
    pub available_bytes: Option<u64>,
}

/// A drive that this device has, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenDrive {
    /// Its id, where the account knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<String>,
    /// Says it is the same drive wherever it is seen.
    pub unique_identifier: Option<String>,
    /// What it is called, should the server not know it.
    pub name: Option<String>,
    /// `usb`, `internal` or `network`.
    pub kind: Option<String>,
    /// Where it is.
    pub mount_point: String,
    /// Bytes in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Bytes that may still be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_bytes: Option<u64>,
}

/// A part of what a device sees on a drive of which the server has no folder.
#[derive(Debug, Clone, Serialize)]
pub struct DriveReport {
    /// The device.
    pub device_id: String,
    /// Where it has the drive.
    pub mount_point: String,
    /// The walk that this is a part of.
    pub walk: Uuid,
    /// What is in folders, each at most once.
    pub folders: Vec<ToldFolder>,
    /// Says yes to what was withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The last part.
    pub end: bool,
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldFolder {
    /// Path in the drive; empty for its root.
    pub path: String,
    /// What is not named is not there.
    pub complete: bool,
    /// Of the names after this one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// And of those up to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// What is in it.
    pub entries: Vec<ToldEntry>,
}

/// A file or folder that a device sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldEntry {
    /// Its name.
    pub name: String,
    /// File or folder.
    pub kind: Kind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// A file's content, where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
}

/// What became of a part of a report.
#[derive(Debug, Clone, Deserialize)]
pub struct Reported {
    /// Files and folders of which nobody had told.
    pub added: u64,
    /// Those that are otherwise than was known.
    pub changed: u64,
    /// Those that are as was known.
    pub unchanged: u64,
    /// Those that are no longer seen.
    pub gone: u64,
    /// What is kept until a person says yes.
    #[serde(default)]
    pub needs_confirmation: Option<GoneFiles>,
}

/// What would be no longer seen.
#[derive(Debug, Clone, Deserialize)]
pub struct GoneFiles {
    /// Says yes to exactly this.
    pub token: String,
    /// How many files.
    pub files: u64,
}

/// Where a device has a drive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// The drive.
    pub drive_id: Uuid,
    /// Where.
    pub mount_point: String,
    /// Whether it was there when the device last told.
    pub is_available: bool,
    /// When the device last reported it.
    pub last_seen_at: String,
}

/// The drive that a path lies in.
#[derive(Debug, Clone, Deserialize)]
pub struct DriveForPath {
    /// The drive.
    pub drive: Drive,
    /// Where the device has it.
    pub mount: Mount,
    /// The path from the drive's root.
    pub relative_path: String,
}

/// What was found for a path.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundPath {
    /// The path that was asked for.
    pub path: String,
    /// The drive that it lies in.
    pub found: Option<DriveForPath>,
    /// Why there is none.
    #[serde(default)]
    pub reason: Option<String>,
}

impl FoundPath {
    /// As scripts get it.
    pub fn for_scripts(&self) -> serde_json::Value {
        let found = self.found.as_ref();
        serde_json::json!({
            "path": self.path,
            "drive": found.map(|found| serde_json::json!({"id": found.drive.id, "name": found.drive.name})),
            "relative_path": found.map(|found| &found.relative_path),
            "mount_point": found.map(|found| &found.mount.mount_point),
            "reason": self.reason,
        })
    }
}

/// A disk or share of the server's machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: Uuid,
    /// By what it is known again.
    pub fingerprint: String,
    /// What the account calls it, else its own name.
    pub volume_name: String,
    /// `internal`, `usb`, `network` or `other`.
    pub kind: String,
    /// Whether the server's last look saw it.
    pub is_online: bool,
    /// Whether it can be reached anywhere there.
    pub is_mounted: bool,
    /// Where.
    pub mounts: Vec<VolumeMount>,
    /// Bytes in all.
    #[serde(default)]
    pub total_capacity: Option<u64>,
    /// Bytes that may still be written.
    #[serde(default)]
    pub available_capacity: Option<u64>,
    /// Reading, in 10^6 bytes a second, when it was measured last.
    #[serde(default)]
    pub read_speed_mbps: Option<i64>,
    /// Writing, likewise.
    #[serde(default)]
    pub write_speed_mbps: Option<i64>,
    /// What else is told of it.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Where a volume is mounted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VolumeMount {
    /// The folder on the server.
    pub mount_point: String,
    /// What else is told of it.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Long work that the server does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// What it does.
    pub kind: String,
    /// What it is about.
    #[serde(default)]
    pub subject: Option<JobSubject>,
    /// `queued`, `running`, `finished`, `failed`, `cancelled` or `interrupted`.
    pub state: String,
    /// What is done.
    pub done: u64,
    /// What there is to do in all, as far as that is known.
    #[serde(default)]
    pub total: Option<u64>,
    /// What both are counted in.
    pub unit: String,
    /// What it is doing.
    #[serde(default)]
    pub message: Option<String>,
    /// What came of it.
    #[serde(default)]
    pub result: Option<serde_json::Value>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<String>,
    /// Until it is done, if it goes on as it went.
    #[serde(default)]
    pub remaining_seconds: Option<i64>,
    /// When it was made.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
    /// When whoever has it in hand was last heard of.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub heartbeat_at: Option<OffsetDateTime>,
    /// What else is told of it.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl Job {
    /// Whether it waits or is worked at.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "running")
    }

    /// How much of it is done, in hundredths of the whole.
    pub fn share(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        u64::try_from(u128::from(self.done.min(total)) * 100 / u128::from(total)).ok()
    }
}

/// What a job is about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobSubject {
    /// Its name when the job was made.
    pub name: String,
    /// What else is told of it.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}
