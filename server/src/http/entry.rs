//! A file or folder on the wire.

use axum::http::{HeaderMap, HeaderValue};
use holdfast_protocol::{ContentHash, DrivePath, Kind};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::fields::PLACEMENT;
use crate::catalog::nodes::Node;
use crate::service::listing;

/// A file or folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    /// Where it is.
    pub path: DrivePath,
    /// File or folder.
    pub kind: Kind,
    /// A file's content; null for a folder.
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

impl Entry {
    /// A node at a path.
    pub fn new(path: DrivePath, node: &Node) -> Self {
        Self {
            path,
            kind: if node.is_folder() { Kind::Folder } else { Kind::File },
            hash: node.content_hash(),
            size: node.size.cast_unsigned(),
            modified_at: time_of(node.mtime_ns),
            mtime_ns: node.mtime_ns,
            id: node.uuid,
        }
    }
}

impl From<listing::Entry> for Entry {
    fn from(entry: listing::Entry) -> Self {
        Self::new(entry.path, &entry.node)
    }
}

/// Nanoseconds since 1970 as a time; all that fit 64 bits can be told.
pub fn time_of(ns: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The header that says when an act is not visible in the plain folder yet.
pub fn placement(placed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !placed {
        headers.insert(PLACEMENT, HeaderValue::from_static("pending"));
    }
    headers
}
