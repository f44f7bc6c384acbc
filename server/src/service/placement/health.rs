//! A drive that cannot be written takes no changes until it can again.

use std::sync::Arc;

use super::Mounted;
use crate::catalog::drives;
use crate::catalog::events::{self, NewEvent};

/// What a drive is said to be whose disk can only be read.
pub(in crate::service) const READ_ONLY: &str = "the drive is read-only";

impl Mounted {
    pub(super) async fn degrade(&self, why: &std::io::Error) {
        let text = match why.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => "no space is left on the drive",
            Some(rustix::io::Errno::ROFS) => READ_ONLY,
            _ => "the drive cannot be written",
        };
        if self.degraded().as_deref() != Some(text) {
            tracing::error!(drive = %self.uuid, error = %why, "drive degraded");
        }
        self.set_degraded(Some(text)).await;
    }

    /// Once a placement worked or none is left to be done, a drive that was degraded takes changes again.
    pub(super) async fn recovered(&self) {
        let was = self.degraded.lock().is_ok_and(|d| d.is_some());
        if was && !self.is_read_only().await {
            self.set_degraded(None).await;
        }
    }

    /// Takes note that its disk can only be read, which a disk with a fault may have become by itself.
    pub(in crate::service) async fn note_read_only(&self) {
        if self.is_read_only().await {
            self.set_degraded(Some(READ_ONLY)).await;
        }
    }

    async fn is_read_only(&self) -> bool {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.is_read_only()).await.unwrap_or(false)
    }

    async fn set_degraded(&self, why: Option<&'static str>) {
        if self.degraded.lock().is_ok_and(|held| held.as_deref() == why) {
            return;
        }
        let (drive, now) = (self.id, self.clock.now());
        let told = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    drives::set_degraded(tx, drive, why).await?;
                    let kind = if why.is_some() { "drive-degraded" } else { "drive-recovered" };
                    let result = why.unwrap_or_default();
                    events::add(
                        tx,
                        NewEvent { at: now, drive_id: Some(drive), kind, result, ..NewEvent::default() },
                    )
                    .await
                })
            })
            .await;
        // Only what the catalogue knows is remembered, so that it is told again with the next attempt.
        match told {
            Ok(()) => {
                if let Ok(mut held) = self.degraded.lock() {
                    *held = why.map(str::to_owned);
                }
            }
            Err(error) => {
                tracing::error!(drive = %self.uuid, %error, "the catalogue could not be told of the drive's state");
            }
        }
    }
}
