//! Small contents, many at once: found by the ids of their files or by path, and read whole.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use holdfast_protocol::{ContentHash, DrivePath};
use uuid::Uuid;

use super::content;
use super::placement::Mounted;
use crate::catalog::{nodes, tree};
use crate::error::{Error, Kind, Result};

/// Which file.
#[derive(Debug, Clone)]
pub enum Which {
    /// By its id.
    Node(Uuid),
    /// By its path.
    Path(DrivePath),
}

/// A content, read.
#[derive(Debug)]
pub struct Content {
    /// The file.
    pub id: Uuid,
    /// SHA-256 of the bytes.
    pub hash: ContentHash,
    /// When it was last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The bytes.
    pub bytes: Bytes,
}

/// Reads a file's current content, of at most `most` bytes.
///
/// # Errors
/// 404 when there is no such file, 409 for a folder, 412 when it is not the content that is wanted, 413 when it is larger,
/// 503 when it cannot be read as it should be now.
pub async fn read(
    mounted: &Arc<Mounted>,
    which: Which,
    wanted: Option<ContentHash>,
    most: u64,
) -> Result<Content> {
    let (path, id) = match which {
        Which::Path(path) => (path, None),
        Which::Node(id) => (path_of(mounted, id).await?, Some(id)),
    };
    let (opened, node) = content::open(mounted, &path).await?;
    if id.is_some_and(|id| id != node.uuid) {
        // It was moved between the two looks.
        return Err(Error::unavailable("the file has just been moved", 1));
    }
    let hash = opened.hash.ok_or_else(|| {
        Error::unavailable("another program has just changed the file; it is being looked at", 2)
    })?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != hash) {
        let error = Error::precondition("the content is another one by now");
        return Err(error.with("expected_hash", wanted.to_string()).with("actual_hash", hash.to_string()));
    }
    let (size, mtime_ns) = (opened.size(), opened.mtime_ns());
    if size > most {
        let error = Error::new(Kind::TooLarge, "the file is too large for this; get it by itself");
        return Err(error.code("too-large").with("limit", most).with("size", size));
    }
    let bytes = match opened.at_once(0..size) {
        Some(bytes) => bytes,
        None => {
            let whole = opened.stream(0..size).try_fold(Vec::new(), |mut whole, bytes| async move {
                whole.extend_from_slice(&bytes);
                Ok(whole)
            });
            let failed = |source| Error::unavailable("the file cannot be read now", 30).because(source);
            Bytes::from(whole.await.map_err(|source: std::io::Error| failed(source))?)
        }
    };
    Ok(Content { id: node.uuid, hash, mtime_ns, bytes })
}

async fn path_of(mounted: &Arc<Mounted>, id: Uuid) -> Result<DrivePath> {
    let drive = mounted.id;
    mounted
        .db()
        .glance(move |tx| {
            Box::pin(async move {
                let absent = || Error::not_found("there is no such file").with("id", id.to_string());
                let node = nodes::by_uuid(tx, drive, id).await?.ok_or_else(absent)?;
                let lineage = nodes::lineage(tx, node.id).await?;
                if !tree::is_live(&lineage) {
                    return Err(absent());
                }
                Ok(tree::path_of(&lineage).0)
            })
        })
        .await
}
