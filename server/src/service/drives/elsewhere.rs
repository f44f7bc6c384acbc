//! A disk that is plugged in at another place is the same drive (002-65): its signature says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holdfast_disk::stat::stat_path;
use holdfast_disk::volumes::Snapshot;

use super::Drives;
use super::roots::is_drive;
use crate::catalog::drive_writes as writes;
use crate::catalog::drives::Drive;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes;
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Result};

/// How long what is mounted has to say whether it is a drive; a disk that sleeps takes some seconds to wake.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
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
        let (uuid, medium) = (drive.uuid, drive.medium.clone());
        let known = self.some_of(drive.root_node_id).await?;
        let asker = self.asker.clone();
        let found = tokio::task::spawn_blocking(move || {
            let look_at = move |mount: &str| {
                let is_it = |root: &PathBuf| {
                    is_drive(root, uuid, medium.as_deref()).is_ok_and(|is_it| is_it)
                        && is_no_copy(root, &known)
                };
                Ok(candidates(Path::new(&old), Path::new(mount)).filter(is_it).collect::<Vec<_>>())
            };
            let mounts: Vec<&str> = mounted.iter().filter_map(|mount| mount.to_str()).collect();
            // A share whose server is gone holds up nobody: it is not asked again before it has answered.
            let answers = asker.ask_with(&mounts, ANSWERS_WITHIN, look_at);
            let mut found: Vec<PathBuf> = answers.into_iter().flatten().flatten().collect();
            found.sort();
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

/// Where a drive may be by now on a disk that is mounted: at the place that it had on its own. Where that began in the old
/// path is not known any more, so each of its ends is tried, the longest first.
fn candidates(old: &Path, mount: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let names: Vec<_> = old.components().skip(1).map(|part| part.as_os_str().to_owned()).collect();
    let (old, mount) = (old.to_owned(), mount.to_owned());
    let ends = (0..=names.len()).map(move |from| names[from..].iter().collect::<PathBuf>());
    let places = ends.map(move |end| mount.join(end).components().collect::<PathBuf>());
    places.filter(move |place| *place != old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_disk_is_looked_for_at_its_place_on_every_disk() {
        let on = |mount: &str| candidates(Path::new("/mnt/a/photos"), Path::new(mount));
        let found: Vec<PathBuf> = on("/").chain(on("/media/b")).collect();
        for expected in ["/media/b/photos", "/media/b", "/photos", "/media/b/a/photos"] {
            assert!(found.contains(&PathBuf::from(expected)), "{expected} {found:?}");
        }
        assert!(!found.contains(&PathBuf::from("/mnt/a/photos")), "that is where it is not");
    }
}
