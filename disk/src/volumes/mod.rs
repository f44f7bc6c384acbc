//! What volumes a machine has: disks, partitions and shares that may hold files, mounted or not. Knows no catalogue and
//! waits for nobody longer than it says; made to be called on a thread that may block.

mod devices;
pub mod diff;
mod fake;
pub mod fingerprint;
mod itself;
mod kinds;
#[cfg(test)]
mod loop_tests;
pub mod mountinfo;
pub mod speed;
mod sys;
mod system;
mod tool;
mod usage;
mod volume;
pub mod watch;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use diff::{Difference, diff, settle};
pub use fake::Fake;
pub use kinds::Kind;
pub use speed::{Speed, SpeedError};
pub use system::System;
pub use usage::Asker;
pub use watch::{MountWatch, Woke};

/// Where a volume, or a folder of it, is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The folder, absolute. Mount points that are not UTF-8 are told as a problem.
    pub mount_point: String,
    /// Which folder of the file system is seen there: `/`, or another for bind mounts and subvolumes.
    #[serde(default = "slash")]
    pub root: String,
    /// Options of the mount; those of the file system stay out, since some hold names of users.
    #[serde(default)]
    pub options: Vec<String>,
    /// Nothing can be written through it.
    #[serde(default)]
    pub read_only: bool,
}

fn slash() -> String {
    "/".to_owned()
}

/// One disk, partition or share that may hold files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// For people: the label, else the model, the share or the device's name. No control characters, at most 256 letters.
    pub name: String,
    /// What the system calls it today, `/dev/sdb1`; a share as `type://server/share`, without a password.
    #[serde(default)]
    pub device: Option<String>,
    /// By what it is known again, see [`fingerprint`]; unique within a snapshot.
    pub fingerprint: String,
    /// The fingerprint is made from label, size and model, or tells clones apart by their place: no proof of identity.
    #[serde(default)]
    pub weak: bool,
    /// Where it is.
    pub kind: Kind,
    /// The file system's UUID or serial number.
    #[serde(default)]
    pub uuid: Option<String>,
    /// The partition's UUID.
    #[serde(default)]
    pub part_uuid: Option<String>,
    /// The disk's serial number.
    #[serde(default)]
    pub serial: Option<String>,
    /// The disk's world wide name.
    #[serde(default)]
    pub wwn: Option<String>,
    /// The file system's label.
    #[serde(default)]
    pub label: Option<String>,
    /// The disk's model.
    #[serde(default)]
    pub model: Option<String>,
    /// The file system's type, as the disk says or else the mount.
    #[serde(default)]
    pub file_system: Option<String>,
    /// Where it can be reached, in the order of the mount points; none when it is not mounted.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Bytes of the file system, or of the device where it is not mounted.
    #[serde(default)]
    pub total_bytes: Option<u64>,
    /// Bytes that somebody without privileges may still write; unknown when it is not mounted or does not answer.
    #[serde(default)]
    pub available_bytes: Option<u64>,
    /// The device or the file system refuses to be written.
    #[serde(default)]
    pub read_only: bool,
    /// What the sources said, for people who look for a mistake.
    #[serde(default)]
    pub raw: Value,
}

impl Volume {
    /// Whether it can be reached anywhere.
    pub fn is_mounted(&self) -> bool {
        !self.mounts.is_empty()
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The volumes, in the order of their fingerprints.
    #[serde(default)]
    pub volumes: Vec<Volume>,
    /// What could not be looked at, or is odd, in sentences for people.
    #[serde(default)]
    pub problems: Vec<String>,
    /// False when a source failed: then a volume that is not here is not gone, it was not seen (P8).
    #[serde(default = "yes")]
    pub complete: bool,
}

fn yes() -> bool {
    true
}

impl Snapshot {
    /// Nothing was seen, and why.
    pub fn unseen(why: String) -> Self {
        Self { volumes: Vec::new(), problems: vec![why], complete: false }
    }
}

/// Something that tells what volumes there are. A trait since tests need machines whose disks come and go at will.
pub trait Probe: Send + Sync {
    /// Looks now. May block for some seconds; what cannot be looked at is a problem of the snapshot and never an error.
    fn probe(&self) -> Snapshot;
}

/// A text for people and columns: no control characters, no blanks around it, at most 256 letters; none when nothing is
/// left.
fn tidy(text: &str) -> Option<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(256).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
