//! Looks at the volumes again and again: at once when something is mounted or unmounted, else now and then (001-27, 001-28).

use std::time::Duration;

use holdfast_disk::volumes::{MountWatch, Woke};
use tokio::sync::mpsc;

use super::refresh;
use crate::app::App;
use crate::service::jobs::Beat;

/// How long the thread that waits for mounts sleeps before it looks whether anybody still listens.
const LISTENS: Duration = Duration::from_secs(1);
/// What is mounted comes in several steps: udev, then the mount itself.
const SETTLES: Duration = Duration::from_millis(200);

/// Watches until the server stops. What fails is logged, told with the heartbeat, and tried again.
pub async fn watch(app: App, beat: Beat) {
    let (tell, mut told) = mpsc::channel(1);
    // It ends by itself within a second after nobody listens any more, and nobody waits for that.
    let listening = std::thread::Builder::new().name("mounts".to_owned()).spawn(move || {
        let watch = MountWatch::new();
        while !tell.is_closed() {
            if watch.wait(LISTENS) == Woke::Changed {
                // One that was not taken yet says the same.
                let _ = tell.try_send(());
            }
        }
    });
    if let Err(error) = listening {
        tracing::warn!(%error, "mounts are not listened to; they are looked at now and then");
    }
    let mut hears = true;
    loop {
        match refresh(&app, None).await {
            Ok(_) => beat.went_well(),
            Err(error) => {
                tracing::warn!(%error, "the volumes could not be looked at; tried again later");
                beat.failed(&error);
            }
        }
        tokio::select! {
            () = app.drained() => break,
            () = tokio::time::sleep(app.config.volumes.refresh_interval) => {}
            heard = told.recv(), if hears => {
                hears = heard.is_some();
                tokio::time::sleep(SETTLES).await;
            }
        }
    }
}
