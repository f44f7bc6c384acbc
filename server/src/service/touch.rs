//! When a file was last written, as a client says it apart from the content (PROPPATCH): on the disk first, then in the
//! catalogue, so that no scan takes it for another program's work. Nothing is placed for it and no version is made.

use std::fs::File;
use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::act::Act;
use super::placement::Mounted;
use super::{content, listing};
use crate::catalog::nodes::{self, Node};
use crate::catalog::versions;
use crate::error::{Error, Result};

/// The code of the refusal that says that another content has taken the file's place meanwhile.
pub const REPLACED: &str = "replaced-meanwhile";

/// A file or folder whose time is being changed; on the disk that is done.
pub struct Touched {
    /// The content it is of; `None` for a folder.
    version: Option<i64>,
    /// Nanoseconds since 1970. `None`: nothing is to be said to the catalogue.
    mtime_ns: Option<i64>,
    undo: Option<(Arc<File>, i64)>,
}

/// Sets the time of the content at a path and makes that durable. A time that is the present one to the second changes
/// nothing: whoever sent it knows no finer one. A folder's is kept by the catalogue alone, for on the disk it says when
/// something was last put into the folder.
///
/// # Errors
/// 404 when nothing is there, 403 `not-ours` when the file belongs to another account of the machine, 503.
pub async fn on_disk(mounted: &Arc<Mounted>, path: &DrivePath, mtime_ns: i64) -> Result<Touched> {
    let node = listing::entry(mounted, path).await?.node;
    let seconds = |ns: i64| ns.div_euclid(1_000_000_000);
    if seconds(node.mtime_ns) == seconds(mtime_ns) {
        return Ok(Touched { version: node.current_version_id, mtime_ns: None, undo: None });
    }
    if node.is_folder() {
        return Ok(Touched { version: None, mtime_ns: Some(mtime_ns), undo: None });
    }
    let (opened, node) = content::open(mounted, path).await?;
    let (known, before) = (opened.hash.is_some(), opened.mtime_ns());
    let done = tokio::task::spawn_blocking(move || {
        let file = opened.into_file();
        holdfast_disk::attrs::set_mtime(&file, mtime_ns)?;
        // Else a power cut could bring the old time back, and the next scan would believe it.
        file.sync_all()?;
        Ok((holdfast_disk::stat::stat_of(&file)?.mtime_ns, file))
    })
    .await
    .map_err(Error::internal)?;
    let (mtime_ns, file) = done.map_err(|source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            let error = Error::forbidden("the file belongs to another account of the server's machine");
            return error.code("not-ours").because(source);
        }
        super::files::disk_error(source)
    })?;
    // What another program has just written is adopted with its time, whenever that is.
    let mtime_ns = known.then_some(mtime_ns);
    Ok(Touched { version: node.current_version_id, mtime_ns, undo: Some((Arc::new(file), before)) })
}

impl Touched {
    /// Tells the catalogue, within an act.
    ///
    /// # Errors
    /// 409 [`REPLACED`] when the content is another one by now.
    pub async fn in_catalogue(&self, act: &mut Act<'_>, node: &Node) -> Result<()> {
        if node.current_version_id != self.version {
            return Err(Error::conflict("another content has taken the file's place").code(REPLACED));
        }
        let Some(mtime_ns) = self.mtime_ns else { return Ok(()) };
        nodes::set_mtime(act.tx, node.id, mtime_ns).await?;
        if let Some(version) = self.version {
            versions::set_mtime(act.tx, version, mtime_ns).await?;
        }
        Ok(())
    }

    /// Puts the old time back, as far as that can be done: a scan settles what cannot.
    pub async fn undo(&self) {
        let Some((file, before)) = &self.undo else { return };
        let (file, before) = (Arc::clone(file), *before);
        let undone = tokio::task::spawn_blocking(move || holdfast_disk::attrs::set_mtime(&*file, before));
        if !undone.await.is_ok_and(|done| done.is_ok()) {
            tracing::warn!("a file's time could not be put back");
        }
    }
}
