//! `<root>/.holdfast/drive.json`: which drive this root is, wherever it is mounted (002-04, 002-65).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{beneath, sync};

/// The one folder of a drive's root that is not the user's.
pub const RESERVED: &str = ".holdfast";
/// The signature's name in it.
pub const FILE: &str = "drive.json";
/// The version that is written; a higher one is not understood.
pub const FORMAT_VERSION: u32 = 1;
/// A signature beyond this many bytes is not one.
const MAX_BYTES: u64 = 1 << 20;

/// For whoever finds the folder.
pub const README: &str = "\
This folder belongs to Holdfast (a server that keeps a household's files in sync).

drive.json   says which drive this is, so that it is recognised wherever it is mounted.
index.json   lists what is on it, one entry a line, so that it can be searched where there is no server:
             holdfast find NAME --index FOLDER, or any text editor.
imports/     tells of each import what came by it, and from where.
versions/    holds earlier versions of files, deleted files, and content on its way in.
lock         keeps two servers from using this drive at once.

All current files lie outside this folder, under their own names; nothing in here is needed to read them.
Without this folder the drive is unknown to Holdfast, and earlier versions and deleted files are gone for good.
";

/// The signature of a drive (002-04). Fields it does not know survive being read and written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Version of this format, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Which drive it is.
    pub drive_id: Uuid,
    /// What its user calls it.
    pub name: String,
    /// When it became a drive.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When its files were last counted.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub last_indexed: Option<OffsetDateTime>,
    /// Files on it when last counted.
    #[serde(default)]
    pub file_count: u64,
    /// Their bytes.
    #[serde(default)]
    pub total_size_bytes: u64,
    /// The server it was last used with: a hint, never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
    /// Its user's notes.
    #[serde(default)]
    pub notes: String,
    /// Its user's tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it was before (002-58).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrated_from: Option<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why there is no usable signature.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// No `.holdfast/drive.json`.
    #[error("there is no signature (.holdfast/drive.json)")]
    Absent,
    /// It is there and is not understood.
    #[error("the signature (.holdfast/drive.json) is damaged: {0}")]
    Damaged(String),
    /// Written by a later version of Holdfast.
    #[error("the signature has format version {0}, which this version of Holdfast does not know")]
    TooNew(u32),
    /// It could not be read.
    #[error("the signature cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Signature {
    /// A new drive's signature.
    pub fn new(drive_id: Uuid, name: impl Into<String>, created_at: OffsetDateTime) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            drive_id,
            name: name.into(),
            created_at,
            last_indexed: None,
            file_count: 0,
            total_size_bytes: 0,
            server_url: None,
            notes: String::new(),
            tags: Vec::new(),
            migrated_from: None,
            other: Map::new(),
        }
    }

    /// Reads the signature of a root.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn read(root: impl AsFd) -> Result<Self, SignatureError> {
        let path = format!("{RESERVED}/{FILE}");
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let fd = match beneath::open(root, path, flags) {
            Ok(fd) => fd,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(SignatureError::Absent);
            }
            Err(e) => return Err(e.into()),
        };
        let mut text = Vec::new();
        File::from(fd).take(MAX_BYTES).read_to_end(&mut text)?;
        let damaged = |e: serde_json::Error| SignatureError::Damaged(e.to_string());
        let value: Value = serde_json::from_slice(&text).map_err(damaged)?;
        let version = value.get("format_version").and_then(Value::as_u64).unwrap_or(0);
        if version > u64::from(FORMAT_VERSION) {
            return Err(SignatureError::TooNew(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        serde_json::from_value(value).map_err(damaged)
    }

    /// Writes the signature into a root's reserved folder, which must be there, so that it is never seen half written.
    ///
    /// # Errors
    /// What the file system says; then the old signature stands.
    pub fn write(&self, root: impl AsFd) -> io::Result<()> {
        let folder: OwnedFd = beneath::open_folder(root, RESERVED)?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        sync::write_atomic(folder, FILE, &text)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn a_root() -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let root = File::open(dir.path()).unwrap();
        std::fs::create_dir(dir.path().join(RESERVED)).unwrap();
        (dir, root)
    }

    fn a_signature() -> Signature {
        let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        Signature::new(Uuid::from_u128(7), "Fotos", at)
    }

    #[test]
    fn a_signature_is_read_as_it_was_written_and_later_fields_survive() {
        let (dir, root) = a_root();
        let mut signature = a_signature();
        signature.tags.push("family".into());
        signature.other.insert("colour".into(), "red".into());
        signature.write(&root).unwrap();
        assert_eq!(Signature::read(&root).unwrap(), signature);
        let names: Vec<_> =
            std::fs::read_dir(dir.path().join(RESERVED)).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(names.len(), 1, "only the signature is left behind: {names:?}");
    }

    #[test]
    fn a_missing_a_damaged_and_a_newer_signature_are_told_apart() {
        let (dir, root) = a_root();
        assert!(matches!(Signature::read(&root), Err(SignatureError::Absent)));
        let file = dir.path().join(RESERVED).join(FILE);
        for damage in ["", "{", "[]", "{\"format_version\":1}", "{\"format_version\":1,\"drive_id\":\"x\"}"] {
            std::fs::write(&file, damage).unwrap();
            assert!(matches!(Signature::read(&root), Err(SignatureError::Damaged(_))), "{damage}");
        }
        std::fs::write(&file, "{\"format_version\":9}").unwrap();
        assert!(matches!(Signature::read(&root), Err(SignatureError::TooNew(9))));
    }

    #[test]
    fn a_signature_behind_a_link_is_not_read() {
        let (dir, root) = a_root();
        a_signature().write(&root).unwrap();
        std::fs::rename(dir.path().join(RESERVED), dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.path().join(RESERVED)).unwrap();
        assert!(matches!(Signature::read(&root), Err(SignatureError::Io(_))));
    }
}
