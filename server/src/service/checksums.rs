//! SHA-1 and MD5 of contents, for clients that compare by them. What is not known yet is made when somebody asks, within
//! bounds, and kept.

use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::content;
use super::placement::Mounted;
use crate::catalog::sums::{self, Summed};
use crate::domain::checksums::Checksum;
use crate::error::{Error, Result};

/// So many bytes are read at most for one page of a listing.
pub const OF_A_PAGE: u64 = 64 * 1024 * 1024;
/// So large may one file be that was asked for alone.
pub const OF_ONE: u64 = 1024 * 1024 * 1024;

/// A file of a listing whose checksums were asked for.
pub struct Lacking<'a> {
    /// Where it is.
    pub path: DrivePath,
    /// Bytes.
    pub size: u64,
    /// What is known of it, to be filled in.
    pub sums: &'a mut Summed,
}

impl Summed {
    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.sha1.is_some() && self.md5.is_some()
    }
}

/// Makes what is missing, as long as no more than `budget` bytes are read for it; what is left over stays unknown. Nothing
/// of it is worth failing a listing for.
pub async fn fill(mounted: &Arc<Mounted>, lacking: Vec<Lacking<'_>>, mut budget: u64) {
    let mut made: Vec<(i64, Vec<u8>, Vec<u8>)> = Vec::new();
    for one in lacking {
        if one.sums.is_whole() || one.size > budget {
            continue;
        }
        budget -= one.size;
        match make(mounted, &one.path, one.sums.version_id).await {
            Ok(Some((sha1, md5))) => {
                made.push((one.sums.version_id, sha1.clone(), md5.clone()));
                (one.sums.sha1, one.sums.md5) = (Some(sha1), Some(md5));
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(path = %one.path, error = ?error, "no checksums could be made"),
        }
    }
    if made.is_empty() {
        return;
    }
    let keep = mounted.db().write(move |tx| {
        Box::pin(async move {
            for (version, sha1, md5) in &made {
                sums::set(tx, *version, sha1, md5).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = keep.await {
        tracing::warn!(error = ?error, "checksums could not be kept");
    }
}

/// `None` when the file is not what the catalogue says, or becomes something else meanwhile.
async fn make(mounted: &Arc<Mounted>, path: &DrivePath, version: i64) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let (opened, node) = content::open(mounted, path).await?;
    if node.current_version_id != Some(version) {
        return Ok(None);
    }
    let Some(expected) = opened.hash else { return Ok(None) };
    let summed = tokio::task::spawn_blocking(move || opened.sums()).await.map_err(Error::internal)?;
    let (hash, sums) = summed.map_err(super::files::disk_error)?;
    if hash != expected {
        // Written to without a trace in what `stat` says: a scan settles it.
        mounted.look_at(path);
        return Ok(None);
    }
    Ok(Some((sums.sha1.to_vec(), sums.md5.to_vec())))
}

/// Whether what a client says of the content at a path is so, as far as that is known.
///
/// # Errors
/// 404 when nothing is there.
pub async fn agree(mounted: &Arc<Mounted>, path: &DrivePath, said: &[Checksum]) -> Result<bool> {
    let entry = super::listing::entry(mounted, path).await?;
    let (id, hash) = (entry.node.id, entry.node.content_hash());
    let known = mounted.db().glance(move |tx| Box::pin(sums::of_node(tx, id))).await?;
    let differs = |known: Option<&[u8]>, said: &[u8]| known.is_some_and(|known| known != said);
    Ok(!said.iter().any(|said| match said {
        Checksum::Sha1(said) => differs(known.as_ref().and_then(|known| known.sha1.as_deref()), said),
        Checksum::Md5(said) => differs(known.as_ref().and_then(|known| known.md5.as_deref()), said),
        Checksum::Sha256(said) => hash != Some(*said),
        Checksum::Adler32(_) => false,
    }))
}
