//! While `sync run` runs, the server knows which disks this device has.

use std::time::Duration;

use holdfast_disk::volumes::{MountWatch, Probe as _, System, Woke};
use tokio::sync::mpsc;

use crate::agent::mounts;
use crate::api::types::SeenDrive;
use crate::api::{Api, ApiError};

/// How often the thread that waits for mounts looks whether anybody still listens.
const LISTENS: Duration = Duration::from_secs(1);
/// What is plugged in comes in several steps: the disk, then its mount.
const SETTLES: Duration = Duration::from_secs(1);
/// What is there is told again after this, so that the server sees that it still is.
const AGAIN: Duration = Duration::from_secs(3600);
/// Before what failed is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Reports what is plugged in as it comes and goes, until it is dropped. What fails is tried again; nobody is told, for syncing
/// says by itself what is wrong with the server.
pub async fn report(api: Api, device: String) {
    let (tell, mut told) = mpsc::channel(1);
    // It ends by itself within a second after nobody listens any more.
    let listening = std::thread::Builder::new().name("mounts".to_owned()).spawn(move || {
        let watch = MountWatch::new();
        while !tell.is_closed() {
            if watch.wait(LISTENS) == Woke::Changed {
                // One that was not taken yet says the same.
                let _ = tell.try_send(());
            }
        }
    });
    let mut hears = listening.is_ok();
    let probe = System::new();
    let mut reported = None;
    loop {
        let pause = match once(&api, &device, &probe, &mut reported).await {
            Ok(()) => AGAIN,
            Err(_) => RETRY,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => reported = None,
            heard = told.recv(), if hears => {
                hears = heard.is_some();
                tokio::time::sleep(SETTLES).await;
            }
        }
    }
}

/// Looks, and reports what is not known yet. A look that did not see all reports nothing: what was not seen is not gone (P8).
async fn once(
    api: &Api,
    device: &str,
    probe: &System,
    reported: &mut Option<Vec<SeenDrive>>,
) -> Result<(), ApiError> {
    let probe = probe.clone();
    let Ok(snapshot) = tokio::task::spawn_blocking(move || probe.probe()).await else { return Ok(()) };
    if !snapshot.complete {
        return Ok(());
    }
    let seen = mounts::seen(&snapshot, &api.drives().await?);
    if reported.as_ref() != Some(&seen) {
        api.report_drives(device, &seen).await?;
        *reported = Some(seen);
    }
    Ok(())
}
