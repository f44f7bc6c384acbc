//! `holdfast sync run`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::pair::{self, Syncing};
use crate::agent::OWN;
use crate::api::Api;
use crate::commands::{Context, Failure};
use crate::platform::{self, Watch};
use crate::show::visible;
use crate::state::Pair;

/// Several changes that come together are met by one sync.
const GATHER: Duration = Duration::from_millis(200);
/// How often all is looked at without being told of anything.
const REGULARLY: Duration = Duration::from_secs(600);
/// The same where this system cannot tell of changes.
const OFTEN: Duration = Duration::from_secs(15);
/// Before something that failed is tried again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub async fn run(context: &Context) -> Result<(), Failure> {
    let pairs = pair::chosen(context, &[])?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::new(Notify::new());
    let wakes: Vec<(Pair, Arc<Notify>)> =
        pairs.into_iter().map(|pair| (pair, Arc::new(Notify::new()))).collect();
    let mut listening = JoinSet::new();
    listening.spawn(listen(context.api()?, wakes.clone()));
    let following = async {
        let each = wakes.iter().map(|(pair, wake)| follow(context, pair, wake, &stop, &stopped));
        futures_util::future::join_all(each).await
    };
    tokio::pin!(following);
    let ended = tokio::select! {
        ended = &mut following => ended,
        _ = platform::interrupted() => {
            context.out.note("stopping")?;
            stop.store(true, Ordering::Relaxed);
            stopped.notify_waiters();
            wakes.iter().for_each(|(_, wake)| wake.notify_one());
            following.await
        }
    };
    listening.shutdown().await;
    ended.into_iter().collect()
}

/// Wakes those whose drive has changed; while the server cannot tell, everybody, now and then.
async fn listen(api: Api, wakes: Vec<(Pair, Arc<Notify>)>) {
    let mut wait = FIRST_WAIT;
    loop {
        if let Ok(mut heads) = api.heads().await {
            while let Ok(drive) = heads.next().await {
                wait = FIRST_WAIT;
                wakes.iter().filter(|(pair, _)| pair.drive == drive).for_each(|(_, wake)| wake.notify_one());
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(OFTEN);
        wakes.iter().for_each(|(_, wake)| wake.notify_one());
    }
}

/// Keeps one pair in sync until it is stopped.
async fn follow(
    context: &Context,
    pair: &Pair,
    wake: &Arc<Notify>,
    stop: &Arc<AtomicBool>,
    stopped: &Notify,
) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    let mut said = String::new();
    let mut syncing: Option<Syncing> = None;
    let mut watch: Option<Watch> = None;
    while !stop.load(Ordering::Relaxed) {
        let begun = match syncing.take() {
            Some(syncing) => Ok(syncing),
            None => pair::begin(context, pair),
        };
        let failed = match begun {
            Err(failure) => Some(failure.to_string()),
            Ok(mut ready) => {
                if watch.is_none() {
                    let wake = Arc::clone(wake);
                    watch = Watch::start(&pair.local, OWN, move || wake.notify_one()).ok();
                }
                ready.settings.stop = Arc::clone(stop);
                let (ready, report) = ready.sync(None).await;
                match report {
                    Ok(report) => {
                        syncing = Some(ready);
                        let is_news = !report.done.is_empty() || report.withheld.is_some();
                        if is_news && context.out.json {
                            context.out.value(&pair::value(pair, &report))?;
                        } else if is_news {
                            pair::tell(context, pair, &report)?;
                        }
                        context.out.flush()?;
                        (!report.quiet || !report.failed.is_empty()).then(|| {
                            report
                                .failed
                                .first()
                                .map_or_else(String::new, |(path, why)| format!("{path}: {why}"))
                        })
                    }
                    // The folder is let go: it may be another one when it is there again.
                    Err(trouble) => {
                        drop(ready);
                        watch = None;
                        Some(trouble.to_string())
                    }
                }
            }
        };
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let pause = match failed {
            Some(why) => {
                if why != said && !why.is_empty() && !context.out.quiet {
                    eprintln!("holdfast: {}: {}", pair.local.display(), visible(&why));
                }
                said = why;
                let pause = wait;
                wait = (wait * 2).min(LONGEST_WAIT);
                pause
            }
            None => {
                said.clear();
                wait = FIRST_WAIT;
                if watch.is_some() { REGULARLY } else { OFTEN }
            }
        };
        tokio::select! {
            () = wake.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(pause) => {}
            () = stopped.notified() => {}
        }
    }
    Ok(())
}
