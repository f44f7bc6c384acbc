//! What a device says it holds: the request of `POST /api/sync/changes` (003-06, algorithms B).

mod entry;
mod read;

use std::io;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{ContentHash, HashError, Kind, PathError, PathMap, Value};

/// How many entries a manifest may have unless a limit is configured.
pub const DEFAULT_MAX_ENTRIES: usize = 2_000_000;

/// What a manifest says about one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The device holds this.
    Held(Value),
    /// Something is there that the device could not read: neither held nor deleted (algorithms B rule 0).
    Unreadable,
    /// Only in a delta: what was claimed there before is gone.
    Deleted,
}

/// Claims by path. Some 40 bytes and the path for each.
pub type Claims = PathMap<Claim>;

/// A manifest as read: every path checked, listed once, and never the root.
#[derive(Debug)]
pub struct Manifest {
    /// The device that speaks.
    pub device_id: String,
    /// The drive it speaks of, a UUID or a name; the user's home drive when absent.
    pub drive: Option<String>,
    /// The token of the last answer the device has stored.
    pub change_token: Option<String>,
    /// Whether the list is whole. Absent: whole without a token, a delta with one.
    pub complete: Option<bool>,
    /// Folders are listed, too, so that an absent folder is a deleted one.
    pub folders: bool,
    /// The device carries out `to_move` and `moved_by_client` (`"accept": ["move"]`).
    pub moves: bool,
    /// The token of a `needs_confirmation` that a person has confirmed.
    pub confirm: Option<String>,
    /// What it holds.
    pub claims: Claims,
}

impl Manifest {
    /// Whether only what changed since the token is listed (algorithms B: a token without `"complete": true`).
    pub fn is_delta(&self) -> bool {
        self.change_token.is_some() && self.complete != Some(true)
    }
}

/// Bounds on what is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most entries of `file_list`.
    pub max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_entries: DEFAULT_MAX_ENTRIES }
    }
}

/// Why a manifest was not read. Nothing of it counts then.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// JSON, but not of the shape of a manifest.
    #[error("the body is no manifest: {0}")]
    Shape(String),
    /// One entry is not usable.
    #[error("entry {index} of file_list: {problem}")]
    Entry {
        /// Which one, counted from 0.
        index: usize,
        /// What is wrong with it.
        problem: EntryProblem,
    },
    /// More entries than the limit, or more path text than can be held.
    #[error("file_list has more than {limit} entries")]
    TooMany {
        /// The limit that was reached.
        limit: usize,
    },
    /// The body could not be read to its end.
    #[error("the body could not be read")]
    Io(#[source] io::Error),
}

/// Why one entry of a manifest is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// There is no `path`.
    #[error("it has no path")]
    NoPath,
    /// The path could leave the drive, is reserved or too long.
    #[error("{0}")]
    Path(PathError),
    /// The path was listed before.
    #[error("its path is listed twice")]
    Repeated,
    /// A file without `hash`, and neither deleted nor unreadable.
    #[error("it has no hash")]
    NoHash,
    /// The hash is malformed.
    #[error("{0}")]
    Hash(HashError),
    /// The size is negative or no whole number.
    #[error("its size is not a whole number from 0")]
    Size,
    /// `modified_at` is no time as of RFC 3339.
    #[error("modified_at is not a time like 2025-01-01T12:00:00Z")]
    Time,
    /// `kind` is neither `file` nor `folder`.
    #[error("its kind is neither file nor folder")]
    Kind,
    /// Not of the shape of an entry.
    #[error("{0}")]
    Shape(String),
}

/// The request as a client writes it and as the document of the API shows it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ChangesRequest {
    /// The device's own name for itself, as registered.
    #[schema(example = "iphone-12345", min_length = 1)]
    pub device_id: String,
    /// What the device holds: everything, or with `change_token` what changed since that answer.
    pub file_list: Vec<FileEntry>,
    /// The token of the last answer that was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_token: Option<String>,
    /// `true`: the list is whole although a token is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// Folders are listed, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folders: Option<bool>,
    /// What the client understands beyond the base: `move`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Vec<String>>,
    /// The token of a `needs_confirmation`, to release what it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// The drive, a UUID or a name; without it the user's home drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<String>,
}

/// One entry of `file_list`.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct FileEntry {
    /// Path inside the drive; names are separated by `/`.
    #[schema(example = "/Documents/file1.txt")]
    pub path: String,
    /// SHA-256 of the content; needed for files that are neither deleted nor unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Bytes. A hint: the hash decides (003-33).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub size: Option<u64>,
    /// When the device saw it change. A hint: the server's order decides (003-33).
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub modified_at: Option<OffsetDateTime>,
    /// `file` unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// In a delta: what was there is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
    /// Something is there that the device could not read; it is left alone, and so is all beneath it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<bool>,
}

#[cfg(test)]
mod tests;
