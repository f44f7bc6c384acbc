//! What changed between two snapshots. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Snapshot, Volume};

/// A change of the available bytes below this is not told, in bytes, unless it is beyond [`SHARE`].
const AMOUNT: u64 = 1 << 30;
/// One part in so many of the total bytes: a change beyond it is told although it is less than [`AMOUNT`].
const SHARE: u64 = 100;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A volume that was not there.
    Added {
        /// Which.
        fingerprint: String,
        /// Its name.
        name: String,
    },
    /// A volume is not there any more.
    Removed {
        /// Which.
        fingerprint: String,
        /// The name it had.
        name: String,
    },
    /// A volume is mounted somewhere, or not there any more. One for each mount point; what is gone comes first.
    MountChanged {
        /// Which.
        fingerprint: String,
        /// Whether it is mounted there now.
        is_mounted: bool,
        /// Where.
        mount_point: String,
    },
    /// Its name, its size or its free space changed.
    Updated {
        /// Which.
        fingerprint: String,
        /// The name it has now.
        name: String,
        /// Bytes in all.
        total_bytes: Option<u64>,
        /// Bytes still free.
        available_bytes: Option<u64>,
    },
}

/// What changed, in the order of the fingerprints. When the later snapshot is not complete, nothing is removed, and a
/// device that was there is not taken for a new volume only because less is known of it.
///
/// `before` has to be what was last told (see [`settle`]); otherwise changes that are small each time are never told.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let old = by_fingerprint(before);
    let new = by_fingerprint(after);
    let devices: BTreeSet<&str> =
        before.volumes.iter().filter_map(|volume| volume.device.as_deref()).collect();
    let mut differences = Vec::new();
    for fingerprint in old.keys().chain(new.keys()).copied().collect::<BTreeSet<_>>() {
        match (old.get(fingerprint), new.get(fingerprint)) {
            (None, Some(volume)) => {
                let was_there = volume.device.as_deref().is_some_and(|device| devices.contains(device));
                if after.complete || !was_there {
                    differences.push(Difference::Added {
                        fingerprint: fingerprint.to_owned(),
                        name: volume.name.clone(),
                    });
                }
            }
            (Some(volume), None) if after.complete => differences
                .push(Difference::Removed { fingerprint: fingerprint.to_owned(), name: volume.name.clone() }),
            (Some(was), Some(is)) => compare(was, is, &mut differences),
            (_, None) => {}
        }
    }
    differences
}

/// What to compare the next snapshot with: the later one, but with the free space that was last told where the
/// difference was too small to tell, and with the volumes that an incomplete snapshot did not see.
pub fn settle(before: &Snapshot, after: Snapshot) -> Snapshot {
    let old = by_fingerprint(before);
    let mut settled = after;
    if !settled.complete {
        let devices: BTreeSet<&str> =
            before.volumes.iter().filter_map(|volume| volume.device.as_deref()).collect();
        settled.volumes.retain(|volume| {
            old.contains_key(&volume.fingerprint[..])
                || !volume.device.as_deref().is_some_and(|device| devices.contains(device))
        });
        let seen: BTreeSet<String> =
            settled.volumes.iter().map(|volume| volume.fingerprint.clone()).collect();
        let unseen = before.volumes.iter().filter(|volume| !seen.contains(&volume.fingerprint));
        settled.volumes.extend(unseen.cloned());
        settled.volumes.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        // What is kept from before makes it whole again.
        settled.complete = before.complete;
    }
    for volume in &mut settled.volumes {
        let Some(was) = old.get(&volume.fingerprint[..]) else { continue };
        if was.is_mounted() != volume.is_mounted() {
            continue;
        }
        let is_news = is_updated(was, volume);
        volume.total_bytes = volume.total_bytes.or(was.total_bytes);
        if !is_news || volume.available_bytes.is_none() {
            volume.available_bytes = was.available_bytes;
        }
    }
    settled
}

fn by_fingerprint(snapshot: &Snapshot) -> BTreeMap<&str, &Volume> {
    snapshot.volumes.iter().map(|volume| (&volume.fingerprint[..], volume)).collect()
}

fn compare(was: &Volume, is: &Volume, differences: &mut Vec<Difference>) {
    let points = |volume: &Volume| -> BTreeSet<String> {
        volume.mounts.iter().map(|mount| mount.mount_point.clone()).collect()
    };
    let (old, new) = (points(was), points(is));
    let changed = |is_mounted: bool, mount_point: &String| Difference::MountChanged {
        fingerprint: is.fingerprint.clone(),
        is_mounted,
        mount_point: mount_point.clone(),
    };
    differences.extend(old.difference(&new).map(|point| changed(false, point)));
    differences.extend(new.difference(&old).map(|point| changed(true, point)));
    if is_updated(was, is) {
        differences.push(Difference::Updated {
            fingerprint: is.fingerprint.clone(),
            name: is.name.clone(),
            total_bytes: is.total_bytes,
            available_bytes: is.available_bytes,
        });
    }
}

fn is_updated(was: &Volume, is: &Volume) -> bool {
    // A volume that is not mounted tells its device's size and no free space: that is no news beside the mount's.
    if was.is_mounted() != is.is_mounted() {
        return was.name != is.name;
    }
    let freed = match (was.available_bytes, is.available_bytes) {
        (Some(was), Some(now)) => {
            let threshold = is.total_bytes.map_or(AMOUNT, |total| AMOUNT.min(total / SHARE));
            was.abs_diff(now) > threshold
        }
        // One that does not answer for a while has not changed.
        (_, None) => false,
        (None, Some(_)) => true,
    };
    let resized = is.total_bytes.is_some() && was.total_bytes != is.total_bytes;
    was.name != is.name || resized || freed
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
