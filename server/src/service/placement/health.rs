//! A drive that cannot be written takes no changes until it can again.

use super::Mounted;
use crate::catalog::drives;
use crate::catalog::events::{self, NewEvent};

impl Mounted {
    pub(super) async fn degrade(&self, why: &std::io::Error) {
        let text = match why.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => "no space is left on the drive",
            Some(rustix::io::Errno::ROFS) => "the drive is read-only",
            _ => "the drive cannot be written",
        };
        tracing::error!(drive = %self.uuid, error = %why, "drive degraded");
        self.set_degraded(Some(text)).await;
    }

    /// Once a placement worked or none is left to be done, a drive that was degraded takes changes again.
    pub(super) async fn recovered(&self) {
        let was = self.degraded.lock().is_ok_and(|d| d.is_some());
        if was {
            self.set_degraded(None).await;
        }
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
