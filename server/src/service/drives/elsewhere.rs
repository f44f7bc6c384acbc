//! A disk that is plugged in at another place is the same drive (002-65): its signature says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_disk::Signature;
use holdfast_disk::stat::stat_path;
use holdfast_disk::volumes::Snapshot;

use super::Drives;
use crate::catalog::drive_writes as writes;
use crate::catalog::drives::Drive;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes;
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Result};

/// So many things of a drive are looked at to tell it from a copy.
const SOME: i64 = 32;

impl Drives {
    /// Some of what lies at the top of a drive, and by which inodes it is known.
    async fn some_of(&self, root: Option<i64>) -> Result<Vec<(String, Ident)>> {
        let Some(root) = root else { return Ok(Vec::new()) };
        let some = self.shared.db.read(move |tx| Box::pin(nodes::children(tx, root, "", SOME))).await?;
        // What was placed and not marked is at its name as well.
        let placed = some.into_iter().filter(|node| node.state == "live");
        Ok(placed.map(|node| (node.name.clone(), node.ident())).collect())
    }

    /// Looks for drives that are offline among what is mounted now.
    pub async fn look_for(self: &Arc<Self>, machine: &Snapshot) {
        self.look_again().await;
        let mounted: Vec<PathBuf> = machine
            .volumes
            .iter()
            .flat_map(|volume| &volume.mounts)
            .map(|mount| PathBuf::from(&mount.mount_point))
            .collect();
        let Ok(drives) = self.rooted().await else { return };
        for drive in drives {
            if drive.offline_since.is_none()
                && self.mounted(drive.id).is_none()
                && let Err(error) = self.look_for_one(drive, mounted.clone()).await
            {
                tracing::warn!(%error, "a drive could not be looked for");
            }
        }
    }

    async fn look_for_one(self: &Arc<Self>, drive: Drive, mounted: Vec<PathBuf>) -> Result<()> {
        let Some(old) = drive.root.clone() else { return Ok(()) };
        let uuid = drive.uuid;
        let known = self.some_of(drive.root_node_id).await?;
        let found = tokio::task::spawn_blocking(move || {
            let is_it = |root: &PathBuf| {
                std::fs::File::open(root)
                    .is_ok_and(|folder| Signature::read(&folder).is_ok_and(|there| there.drive_id == uuid))
                    && is_no_copy(root, &known)
            };
            let mut found: Vec<PathBuf> = candidates(Path::new(&old), &mounted).filter(is_it).collect();
            found.dedup();
            found
        });
        let found = found.await.map_err(Error::internal)?;
        let [root] = found.as_slice() else {
            if found.len() > 1 {
                tracing::warn!(drive = %uuid, places = ?found, "the drive is found at several places; which is it?");
            }
            return Ok(());
        };
        let Some(root) = root.to_str().map(str::to_owned) else { return Ok(()) };
        tracing::info!(drive = %uuid, %root, "the drive is at another place now");
        let (id, now) = (drive.id, self.shared.clock.now());
        self.shared
            .db
            .write(move |tx| {
                Box::pin(async move {
                    writes::set_root(tx, id, &root, now).await?;
                    let event = NewEvent {
                        at: now,
                        drive_id: Some(id),
                        kind: "drive-found-elsewhere",
                        detail: [("root".to_owned(), root.into())].into_iter().collect(),
                        ..NewEvent::default()
                    };
                    events::add(tx, event).await
                })
            })
            .await?;
        self.opened(id).await
    }
}

/// A backup carries the signature, too, and would bring back what was there when it was made. Its files are other inodes.
fn is_no_copy(root: &Path, known: &[(String, Ident)]) -> bool {
    let is_it = |(name, ident): &(String, Ident)| {
        std::fs::symlink_metadata(root.join(name)).is_ok()
            && stat_path(root.join(name)).is_ok_and(|there| Stat::from(there).ident == *ident)
    };
    let is_same = known.is_empty() || known.iter().any(is_it);
    if !is_same {
        tracing::warn!(root = %root.display(), "this looks like a copy of a drive that is offline; it is left alone");
    }
    is_same
}

/// Where a drive may be by now: on each disk that is mounted, at the place that it had on its own. Where that began in the old
/// path is not known any more, so each of its ends is tried, the longest first.
fn candidates<'m>(old: &Path, mounted: &'m [PathBuf]) -> impl Iterator<Item = PathBuf> + 'm {
    let names: Vec<_> = old.components().skip(1).map(|part| part.as_os_str().to_owned()).collect();
    let old = old.to_owned();
    let ends: Vec<PathBuf> = (0..=names.len()).map(|from| names[from..].iter().collect()).collect();
    let places = mounted.iter().flat_map(move |mount| {
        let ends: Vec<PathBuf> = ends.iter().map(|end| mount.join(end)).collect();
        ends
    });
    places.map(|place| place.components().collect::<PathBuf>()).filter(move |place| *place != old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_disk_is_looked_for_at_its_place_on_every_disk() {
        let mounted = [PathBuf::from("/"), PathBuf::from("/media/b")];
        let found: Vec<PathBuf> = candidates(Path::new("/mnt/a/photos"), &mounted).collect();
        for expected in ["/media/b/photos", "/media/b", "/photos", "/media/b/a/photos"] {
            assert!(found.contains(&PathBuf::from(expected)), "{expected} {found:?}");
        }
        assert!(!found.contains(&PathBuf::from("/mnt/a/photos")), "that is where it is not");
    }
}
