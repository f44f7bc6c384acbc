//! Looking at the machine's volumes, and noting what changed since the last look (001-15, 001-19 to 001-23).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_disk::volumes::{Difference, Fake, Probe, Snapshot, System, Volume, diff, settle};
use serde_json::Value;

use super::log;
use crate::app::App;
use crate::catalog::volumes as rows;
use crate::config::VolumeSource;
use crate::error::{Error, Result};

/// What tells of this machine's volumes, and what it told last.
pub struct Machine {
    probe: Option<Arc<dyn Probe>>,
    /// One looks at a time: two could tell the same change twice.
    alone: tokio::sync::Mutex<()>,
    /// What was found last; kept for whoever looks for a drive.
    pub(super) last: Mutex<Arc<Snapshot>>,
    /// When that was, in microseconds since 1970.
    pub(super) looked_at: Mutex<Option<i64>>,
}

impl Machine {
    /// Nothing was looked at yet.
    pub fn new(source: &VolumeSource) -> Self {
        let probe: Option<Arc<dyn Probe>> = match source {
            VolumeSource::System => Some(Arc::new(System::new())),
            VolumeSource::File(file) => Some(Arc::new(Fake::new(file))),
            VolumeSource::Nobody => None,
        };
        let nothing = Snapshot { volumes: Vec::new(), problems: Vec::new(), complete: false };
        Self {
            probe,
            alone: tokio::sync::Mutex::new(()),
            last: Mutex::new(Arc::new(nothing)),
            looked_at: Mutex::new(None),
        }
    }

    /// Whether there is anybody to ask.
    pub fn is_looked_at(&self) -> bool {
        self.probe.is_some()
    }

    /// What was found by the last look.
    pub fn last(&self) -> Arc<Snapshot> {
        Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a look has found.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// What changed, in words for programs: `added`, `removed`, `mounted`, `unmounted`, `updated`, each with fingerprints.
    pub changed: BTreeMap<&'static str, Vec<String>>,
    /// What could not be looked at, in sentences for people.
    pub problems: Vec<String>,
}

/// Looks at the machine's volumes now. What a look does not see is offline from then on, unless a source failed: then it was
/// not seen, which is not the same (P8). Drives that are offline are looked for on what is mounted.
///
/// # Errors
/// 409 `no-volumes` where the settings say that there is nothing to look at, or the catalogue's.
pub async fn refresh(app: &App, actor: Option<i64>) -> Result<Refreshed> {
    let machine = &app.machine;
    let _alone = machine.alone.lock().await;
    let nobody =
        || Error::conflict("this server looks at no disks: volumes.source is none").code("no-volumes");
    let probe = machine.probe.clone().ok_or_else(nobody)?;
    let begun = app.clock.now();
    let after = tokio::task::spawn_blocking(move || probe.probe()).await.map_err(Error::internal)?;
    let now = app.clock.now();
    tracing::debug!(volumes = after.volumes.len(), problems = ?after.problems, took = (now - begun) / 1000, "looked at the volumes (ms)");
    let known = app.db.read(|tx| Box::pin(rows::all(tx))).await?;
    let online = known.iter().filter(|row| row.is_online);
    let volumes: Vec<Volume> =
        online.map(|row| serde_json::from_str(&row.raw).map_err(Error::internal)).collect::<Result<_>>()?;
    let before = Snapshot { volumes, problems: Vec::new(), complete: true };
    let differences = diff(&before, &after);
    let settled = settle(&before, after);
    let problems = settled.problems.clone();
    let new_problems: Vec<String> =
        problems.iter().filter(|problem| !machine.last().problems.contains(problem)).cloned().collect();
    let raw: BTreeMap<&str, &str> =
        known.iter().map(|row| (row.fingerprint.as_str(), row.raw.as_str())).collect();
    let mut seen = Vec::new();
    for volume in &settled.volumes {
        let text = serde_json::to_string(volume).map_err(Error::internal)?;
        let is_news = raw.get(volume.fingerprint.as_str()) != Some(&text.as_str())
            || differences.iter().any(|one| fingerprint(one) == volume.fingerprint);
        if is_news {
            seen.push((volume.fingerprint.clone(), volume.name.clone(), text));
        }
    }
    *machine.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settled);
    let looked_before = machine.looked_at.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
    let changed = words(&differences);
    if !(seen.is_empty() && differences.is_empty() && new_problems.is_empty()) {
        let last_seen = looked_before.unwrap_or(now);
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    for (fingerprint, name, raw) in &seen {
                        rows::seen(tx, fingerprint, name, raw, now).await?;
                    }
                    for difference in &differences {
                        if let Difference::Removed { fingerprint, .. } = difference {
                            rows::gone(tx, fingerprint, last_seen).await?;
                        }
                        let (kind, detail) = event(difference);
                        log(tx, actor, kind, fingerprint(difference), &detail, now).await?;
                    }
                    for problem in new_problems {
                        log(tx, actor, "volume-error", "", &[("problem", problem.into())], now).await?;
                    }
                    Ok(())
                })
            })
            .await?;
    }
    app.drives.look_for(&machine.last()).await;
    Ok(Refreshed { changed, problems })
}

fn fingerprint(difference: &Difference) -> &str {
    match difference {
        Difference::Added { fingerprint, .. }
        | Difference::Removed { fingerprint, .. }
        | Difference::MountChanged { fingerprint, .. }
        | Difference::Updated { fingerprint, .. } => fingerprint,
    }
}

fn event(difference: &Difference) -> (&'static str, Vec<(&'static str, Value)>) {
    match difference {
        Difference::Added { name, .. } => ("volume-added", vec![("name", name.as_str().into())]),
        Difference::Removed { name, .. } => ("volume-removed", vec![("name", name.as_str().into())]),
        Difference::MountChanged { is_mounted, mount_point, .. } => (
            "volume-mount-changed",
            vec![("is_mounted", (*is_mounted).into()), ("mount_point", mount_point.as_str().into())],
        ),
        Difference::Updated { name, total_bytes, available_bytes, .. } => (
            "volume-updated",
            vec![
                ("name", name.as_str().into()),
                ("total_capacity", (*total_bytes).into()),
                ("available_capacity", (*available_bytes).into()),
            ],
        ),
    }
}

fn words(differences: &[Difference]) -> BTreeMap<&'static str, Vec<String>> {
    let mut words: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for difference in differences {
        let word = match difference {
            Difference::Added { .. } => "added",
            Difference::Removed { .. } => "removed",
            Difference::MountChanged { is_mounted: true, .. } => "mounted",
            Difference::MountChanged { is_mounted: false, .. } => "unmounted",
            Difference::Updated { .. } => "updated",
        };
        let list = words.entry(word).or_default();
        let fingerprint = fingerprint(difference).to_owned();
        if !list.contains(&fingerprint) {
            list.push(fingerprint);
        }
    }
    words
}
