//! Files and folders by their ids, their versions, and bringing one back.

mod content;
mod node;
mod of_node;
mod restore;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_protocol::{ContentHash, DrivePath};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::versions::Seen;
use crate::error::{Error, Result};
use crate::http::entry::time_of;
use crate::http::page::PageQuery;
use crate::http::time::Timestamp;
use crate::service::history::Entry;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(node::get))
        .routes(routes!(of_node::list))
        .routes(routes!(content::get))
        .routes(routes!(restore::restore))
}

/// One content that a file has had.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// Its id.
    id: Uuid,
    /// Its number within its file; never given twice.
    version_number: i64,
    /// The file's id; null for a content that was kept where no file ever was.
    node: Option<Uuid>,
    /// Where the file was then.
    path: DrivePath,
    /// Bytes.
    size: i64,
    hash: ContentHash,
    /// When it became a version.
    created_at: Timestamp,
    /// When it was last written, to the nanosecond.
    #[serde(with = "time::serde::rfc3339")]
    modified_at: OffsetDateTime,
    /// The same in nanoseconds since 1970.
    mtime_ns: i64,
    /// Why: `sync`, `conflict`, `manual`, `webdav`, `external`, `import`, `copy` or `restore`.
    reason: String,
    /// On which device, as it calls itself; null: on none, or another program on the drive's disk.
    device: Option<String>,
    /// The account that wrote it.
    author: Option<String>,
    /// Whether it is what the file holds now.
    current: bool,
    /// Whether its bytes are still there; another program may have destroyed them.
    kept: bool,
}

impl Version {
    /// The entries of a history.
    ///
    /// # Errors
    /// A row that this program did not write.
    pub fn all(entries: Vec<Entry>) -> Result<Vec<Self>> {
        entries.into_iter().map(Self::try_from).collect()
    }
}

impl TryFrom<Entry> for Version {
    type Error = Error;

    fn try_from(entry: Entry) -> Result<Self> {
        let version = entry.version;
        Ok(Self {
            id: version.uuid,
            version_number: version.n.unwrap_or(0),
            node: entry.file,
            hash: version.content_hash()?,
            path: DrivePath::from_checked(version.path),
            size: version.size,
            created_at: Timestamp(version.created_at),
            modified_at: time_of(version.mtime_ns),
            mtime_ns: version.mtime_ns,
            reason: version.reason,
            device: version.device,
            author: version.author,
            current: entry.is_current,
            kept: !version.lost,
        })
    }
}

/// Where a history goes on.
///
/// # Errors
/// 400 for a cursor that this server did not make.
pub fn seen(page: &PageQuery) -> Result<Option<Seen>> {
    let Some(cursor) = page.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| Error::malformed("the cursor is not valid"))?;
    let number = |at: usize| i64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    Ok(Some((number(0), number(8))))
}

/// The cursor after a page that was asked for `limit` entries; a full one may have a next.
pub fn next(entries: &[Entry], limit: i64) -> Option<String> {
    let full = i64::try_from(entries.len()).is_ok_and(|count| count >= limit);
    let last = &entries.last().filter(|_| full)?.version;
    Some(URL_SAFE_NO_PAD.encode([last.created_at.to_be_bytes(), last.id.to_be_bytes()].concat()))
}
