//! What the server answers. Fields that are not known are ignored: the API only ever grows. Written out again, for
//! `--json`, a value has the names that it had on the wire.

mod disks;

use holdfast_protocol::{ContentHash, DrivePath, Kind};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::conflicts::{ConflictState, Way};
use super::error::ApiError;
pub use disks::*;

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Items<T> {
    /// The entries, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// The page, if it does not lead back to the cursor it was asked for with.
    pub(super) fn after(self, cursor: Option<&str>) -> Result<Self, ApiError> {
        leads_on(self.next.as_deref(), cursor)?;
        Ok(self)
    }
}

/// A page that leads to itself would be asked for for ever.
pub(super) fn leads_on(next: Option<&str>, cursor: Option<&str>) -> Result<(), ApiError> {
    if next.is_some() && next == cursor {
        return Err(ApiError::nonsense("a page of a list leads to itself"));
    }
    Ok(())
}

/// What a server is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// `holdfastd`.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// This installation's own id.
    pub id: String,
    /// The server's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// What clients may count on, by name.
    #[serde(default)]
    pub features: Vec<String>,
}

/// Whose login it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Me {
    /// The account's id.
    pub id: Uuid,
    /// What it signs in with.
    pub username: String,
    /// What people read.
    #[serde(default)]
    pub display_name: String,
    /// What it may do: `admin` or `member`.
    #[serde(default)]
    pub role: String,
}

/// How other programs reach the account's drives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connect {
    /// The server's address as the request reached it.
    pub address: String,
    /// The server's https address, if that is another.
    #[serde(default)]
    pub secure_address: Option<String>,
    /// Whom it is for.
    pub username: String,
    /// The certificate of the server's own authority, where it is one.
    #[serde(default)]
    pub certificate: Option<Certificate>,
}

/// The certificate that devices have to trust.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// Where it is, in PEM.
    pub url: String,
    /// Its SHA-256, as the server prints it at its start.
    pub sha256: String,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is.
    pub path: DrivePath,
    /// File or folder.
    pub kind: Kind,
    /// A file's content; `None` for a folder.
    #[serde(default)]
    pub hash: Option<ContentHash>,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// When it was last written, to the nanosecond.
    #[serde(with = "time::serde::rfc3339")]
    pub modified_at: OffsetDateTime,
    /// The same in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Its id; stays when it is renamed or moved.
    pub id: Uuid,
}

/// A page of a listing: every folder before what is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tree {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// The cursor of the next page; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

/// A file or folder, live or deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    /// Where it is, or was when it was deleted.
    #[serde(flatten)]
    pub entry: Entry,
    /// Whether it is there now.
    pub live: bool,
    /// Since when it is deleted itself.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

/// Something deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deleted {
    /// What it was, and where.
    #[serde(flatten)]
    pub entry: Entry,
    /// When it was deleted.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

/// A file as it was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// Where.
    pub path: DrivePath,
    /// SHA-256 of its content.
    #[serde(default)]
    pub hash: Option<ContentHash>,
    /// Bytes.
    pub size: u64,
    /// Number of this version in its history.
    #[serde(default)]
    pub version: Option<i64>,
    /// Its id.
    pub id: Uuid,
    /// When the content was last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// An upload that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its id.
    pub id: Uuid,
    /// Bytes of the whole.
    pub size: u64,
    /// What it is to become, as it was said when it was begun.
    pub metadata: String,
}

/// What became of a move or copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transferred {
    /// From here.
    pub from: DrivePath,
    /// To here.
    pub to: DrivePath,
    /// What is there now.
    pub entry: Entry,
}

/// One content that a file has had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// Its id.
    pub id: Uuid,
    /// Its number within its file; never given twice.
    pub version_number: i64,
    /// Where the file was then.
    pub path: DrivePath,
    /// The file's id; `None` for a content that was kept where no file ever was.
    #[serde(default)]
    pub node: Option<Uuid>,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub hash: ContentHash,
    /// When it became a version.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last written.
    #[serde(with = "time::serde::rfc3339")]
    pub modified_at: OffsetDateTime,
    /// The account that wrote it.
    #[serde(default)]
    pub author: Option<String>,
    /// On which device, as it calls itself.
    #[serde(default)]
    pub device: Option<String>,
    /// Why: `sync`, `conflict`, `manual`, `webdav`, `external`, `import`, `copy` or `restore`.
    pub reason: String,
    /// Whether it is what the file holds now.
    pub current: bool,
    /// Whether its bytes are still there.
    pub kept: bool,
}

/// What a path held before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileHistory {
    /// Where.
    pub file_path: DrivePath,
    /// The newest first.
    pub versions: Vec<Version>,
    /// The cursor of the next page; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

/// A file as a restore left it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RestoredFile {
    /// What and where it is now.
    #[serde(flatten)]
    pub entry: Entry,
    /// The number of its newest version.
    pub version_number: i64,
}

/// Both sides changed a file since they agreed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredConflict {
    /// Its id.
    pub id: Uuid,
    /// The drive's id.
    pub drive: Uuid,
    /// Where.
    pub path: DrivePath,
    /// What both held last.
    #[serde(default)]
    pub base_hash: Option<ContentHash>,
    /// What the client holds.
    pub client_hash: ContentHash,
    /// What the server held when this was last looked at; `None` when it was deleted there.
    #[serde(default)]
    pub server_hash: Option<ContentHash>,
    /// What the server had at the path.
    pub server_kind: Kind,
    /// The device whose content it is; `None`: another program on the drive's disk.
    #[serde(default)]
    pub device_id: Option<String>,
    /// The client's content is on the server.
    pub candidate_present: bool,
    /// Whether it is still to be settled.
    pub state: ConflictState,
    /// How it was settled.
    #[serde(default)]
    pub resolution: Option<Way>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A page of conflicts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conflicts {
    /// In the order in which they were opened.
    pub conflicts: Vec<StoredConflict>,
    /// The cursor of the next page; `None` at the end.
    #[serde(default)]
    pub next: Option<String>,
}

/// What came of a resolution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolved {
    /// Where the conflict is.
    pub file_path: DrivePath,
    /// The conflict's id.
    pub conflict_id: Uuid,
    /// The way that was asked for.
    pub resolution: Way,
    /// False: nothing has changed, for the reason that `needs` names.
    pub resolved: bool,
    /// `upload`: send the client's content as the conflict's candidate and resolve again.
    #[serde(default)]
    pub needs: Option<String>,
    /// Where `keep_both` put the client's content.
    #[serde(default)]
    pub copy: Option<DrivePath>,
}

/// A registered device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Device {
    /// What it calls itself, unique per account.
    pub device_id: String,
    /// What its owner calls it.
    pub device_name: String,
    /// Its operating system, if it said.
    #[serde(default)]
    pub platform: Option<String>,
    /// Since when it is registered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last heard of.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_seen_at: Option<OffsetDateTime>,
    /// Since when its credentials count no more.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
}
