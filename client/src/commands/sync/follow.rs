//! `holdfast sync run`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::live::{self, Live};
use super::pair::{self, Syncing};
use super::reporting;
use crate::agent::engine::Report;
use crate::agent::ignore::Ignore;
use crate::agent::schedule::Schedule;
use crate::agent::{Heard, OWN, Trouble};
use crate::api::Api;
use crate::commands::{Context, Failure};
use crate::platform::{self, Noticed, Watch};
use crate::show::visible;
use crate::state::Pair;

/// Several changes that come together are met by one sync: it waits until nothing happens for a moment, but no longer than this.
const GATHER: Duration = Duration::from_millis(200);
const MOMENT: Duration = Duration::from_millis(10);
/// How often all is looked at without being told of anything.
const REGULARLY: Duration = Duration::from_secs(600);
/// The same after a time in which only that was looked at of which something was heard: a watch is believed, but not for long.
const SOON: Duration = Duration::from_secs(120);
/// The same where this system cannot tell of changes.
const OFTEN: Duration = Duration::from_secs(15);
/// Before something that failed is tried again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A clock may be set while somebody waits for it: it is looked at again this often.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(30);

/// What wakes those who follow a drive.
type Wakes = Arc<Mutex<BTreeMap<Uuid, (Uuid, Arc<Notify>)>>>;

pub async fn run(context: &Context) -> Result<(), Failure> {
    let pairs = pair::chosen(context, &[])?;
    let (tell, mut told) = watch::channel(Live::read(context)?);
    let stop = Arc::new(AtomicBool::new(false));
    let wakes: Wakes = Arc::default();
    let mut listening = JoinSet::new();
    listening.spawn(listen(context.api()?, Arc::clone(&wakes)));
    listening.spawn(reporting::report(context.api()?, context.account()?.device_id));
    let mut all = FuturesUnordered::new();
    let begin = |pair: &Pair| {
        let wake = Arc::new(Notify::new());
        let mut wakes = wakes.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.insert(pair.id, (pair.drive, Arc::clone(&wake)));
        Following::new(context, pair.clone(), wake, Arc::clone(&stop), tell.subscribe()).run()
    };
    pairs.iter().for_each(|pair| all.push(begin(pair)));
    let watching = live::watch(context, &tell);
    let interrupted = platform::interrupted();
    tokio::pin!(watching, interrupted);
    let mut is_asked = false;
    let mut outcome = Ok(());
    loop {
        tokio::select! {
            ended = all.next() => match ended {
                Some((id, done)) => {
                    wakes.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    outcome = outcome.and(done);
                }
                // All were removed, or it was asked to stop.
                None => break,
            },
            () = &mut watching, if !is_asked => {}
            Ok(()) = told.changed(), if !is_asked => {
                let live = told.borrow_and_update().clone();
                let known = wakes.lock().unwrap_or_else(PoisonError::into_inner).clone();
                live.pairs.iter().filter(|pair| !known.contains_key(&pair.id)).for_each(|pair| all.push(begin(pair)));
            }
            _ = &mut interrupted, if !is_asked => {
                is_asked = true;
                context.out.note("stopping")?;
                stop.store(true, Ordering::Relaxed);
                // Everybody looks up.
                tell.send_modify(|_| {});
            }
        }
    }
    listening.shutdown().await;
    outcome
}

/// Wakes those whose drive has changed; while the server cannot tell, everybody, now and then.
async fn listen(api: Api, wakes: Wakes) {
    let wake = |drive: Option<Uuid>| {
        let wakes = wakes.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = wakes.values().filter(|(own, _)| drive.is_none_or(|drive| drive == *own));
        meant.for_each(|(_, wake)| wake.notify_one());
    };
    let mut wait = FIRST_WAIT;
    loop {
        if let Ok(mut heads) = api.heads().await {
            while let Ok(drive) = heads.next().await {
                wait = FIRST_WAIT;
                wake(Some(drive));
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(OFTEN);
        wake(None);
    }
}

/// One pair, kept in sync until it is stopped or removed.
struct Following<'c> {
    context: &'c Context,
    pair: Pair,
    wake: Arc<Notify>,
    /// Of all.
    stop: Arc<AtomicBool>,
    live: watch::Receiver<Live>,
    /// Of the sync that is under way.
    halt: Arc<AtomicBool>,
    syncing: Option<Syncing>,
    watch: Option<Watch>,
    /// What the watch told since it was looked for.
    heard: Arc<Mutex<Heard>>,
    /// When all is to be looked at, whatever is heard.
    all_at: Instant,
    /// By which it is watched.
    rules: Ignore,
    /// What was said last of what failed, and of what is left alone, so that it is said once.
    said: String,
    told: Vec<(String, String)>,
    wait: Duration,
    /// When a sync was begun last that came to an end: what could not be done at all is not put off to the next night.
    begun: Option<OffsetDateTime>,
}

/// What there is to do.
enum Now {
    Sync,
    /// Nothing, for so long at most.
    Rest(Duration),
    End,
}

impl<'c> Following<'c> {
    fn new(
        context: &'c Context,
        pair: Pair,
        wake: Arc<Notify>,
        stop: Arc<AtomicBool>,
        live: watch::Receiver<Live>,
    ) -> Self {
        Self {
            context,
            pair,
            wake,
            stop,
            live,
            halt: Arc::default(),
            syncing: None,
            watch: None,
            heard: Arc::default(),
            all_at: Instant::now(),
            rules: Ignore::default(),
            said: String::new(),
            told: Vec::new(),
            wait: FIRST_WAIT,
            begun: None,
        }
    }

    async fn run(mut self) -> (Uuid, Result<(), Failure>) {
        let done = self.follow().await;
        (self.pair.id, done)
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        loop {
            match self.now() {
                Now::End => return Ok(()),
                Now::Rest(pause) => {
                    // Others may sync the folder meanwhile.
                    self.syncing = None;
                    self.watch = None;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = self.live.changed() => {}
                    }
                    continue;
                }
                Now::Sync => {}
            }
            let failed = self.sync().await?;
            if !matches!(self.now(), Now::Sync) {
                continue;
            }
            let pause = self.pause_after(failed);
            tokio::select! {
                () = self.wake.notified() => self.gather().await,
                // A watch may miss something, and does not tell of all that can happen to a file.
                () = tokio::time::sleep(pause) => self.hear(Heard::Everything),
                _ = self.live.changed() => {}
            }
        }
    }

    /// Waits for what comes together with what woke us.
    async fn gather(&self) {
        let longest = Instant::now() + GATHER;
        while tokio::time::timeout(MOMENT, self.wake.notified()).await.is_ok() {
            if Instant::now() > longest {
                return;
            }
        }
    }

    fn hear(&self, heard: Heard) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).and(heard);
    }

    /// What the settings and the clock say.
    fn now(&mut self) -> Now {
        let live = self.live.borrow_and_update().clone();
        let Some(pair) = live.pair(self.pair.id) else { return Now::End };
        if self.stop.load(Ordering::Relaxed) {
            return Now::End;
        }
        self.pair = pair.clone();
        let now = OffsetDateTime::now_utc();
        if let Some(pause) = self.pair.paused.filter(|pause| pause.holds(now)) {
            let left = pause.until.map(|until| until.saturating_sub(now.unix_timestamp()));
            return Now::Rest(seconds(left.unwrap_or(i64::MAX)).min(LOOK_AT_CLOCK));
        }
        let now = pair::local(now);
        let due = live.schedule.next(self.begun.or_else(|| self.last()), now);
        if due <= now {
            Now::Sync
        } else {
            Now::Rest(seconds((due - now).whole_seconds() + 1).min(LOOK_AT_CLOCK))
        }
    }

    /// When it was synced last, by whichever process.
    fn last(&self) -> Option<OffsetDateTime> {
        if matches!(self.live.borrow().schedule, Schedule::Always) {
            return None;
        }
        let (facts, _) = crate::agent::store::Store::peek(&self.context.state.memory_of(&self.pair).ok()?);
        let at = facts.get("synced_at")?.parse().ok()?;
        OffsetDateTime::from_unix_timestamp(at).ok().map(pair::local)
    }

    /// Syncs once; why not all could be done.
    async fn sync(&mut self) -> Result<Option<String>, Failure> {
        let begun = match self.syncing.take() {
            Some(syncing) => Ok(syncing),
            None => pair::begin(self.context, &self.pair),
        };
        let mut ready = match begun {
            Ok(ready) => ready,
            Err(failure) => return Ok(Some(failure.to_string())),
        };
        self.begin_watching(ready.engine.disk.ignore());
        if self.all_at <= Instant::now() {
            self.hear(Heard::Everything);
        }
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let is_all = heard == Heard::Everything;
        ready.engine.hear(heard);
        let begun = pair::local(OffsetDateTime::now_utc());
        self.halt.store(false, Ordering::Relaxed);
        ready.settings.stop = Arc::clone(&self.halt);
        ready.settings.left_out = self.pair.scope();
        ready.settings.guard = self.live.borrow().guard;
        let (ready, report) = self.until_done(ready).await;
        match report {
            Ok(report) => {
                self.syncing = Some(ready);
                self.begun = Some(begun);
                let now = Instant::now();
                self.all_at = if is_all { now + REGULARLY } else { self.all_at.min(now + SOON) };
                self.tell(&report)?;
                let is_done = report.quiet && report.failed.is_empty();
                let first = report.failed.first().map(|(path, why)| format!("{path}: {why}"));
                Ok((!is_done).then(|| first.unwrap_or_default()))
            }
            // The folder is let go: it may be another one when it is there again.
            Err(trouble) => {
                drop(ready);
                self.watch = None;
                Ok(Some(trouble.to_string()))
            }
        }
    }

    /// Watches the folder, but for what is not synced; anew when the rules are others.
    fn begin_watching(&mut self, rules: Ignore) {
        if self.watch.is_none() || !self.rules.is_same(&rules) {
            self.rules = rules.clone();
            let skip = move |path: &Path, is_folder: bool| {
                path == Path::new(OWN) || path.to_str().is_some_and(|path| rules.is_ignored(path, is_folder))
            };
            let (wake, heard) = (Arc::clone(&self.wake), Arc::clone(&self.heard));
            let tell = move |noticed: Noticed| {
                let noticed = noticed.map_or(Heard::Everything, Heard::In);
                heard.lock().unwrap_or_else(PoisonError::into_inner).and(noticed);
                wake.notify_one();
            };
            self.watch = Watch::start(&self.pair.local, Box::new(skip), tell).ok();
            // Nobody listened until now.
            self.hear(Heard::Everything);
        }
    }

    /// Syncs, and has it end early when it is to rest or end.
    async fn until_done(&mut self, ready: Syncing) -> (Syncing, Result<Report, Trouble>) {
        let done = ready.sync(None);
        tokio::pin!(done);
        loop {
            let mut live = self.live.clone();
            tokio::select! {
                done = &mut done => return done,
                changed = live.changed() => {
                    if changed.is_err() || self.is_to_rest() {
                        self.halt.store(true, Ordering::Relaxed);
                        return done.await;
                    }
                }
            }
        }
    }

    fn is_to_rest(&mut self) -> bool {
        let live = self.live.borrow_and_update();
        let pair = live.pair(self.pair.id);
        let is_changed = pair.is_none_or(|pair| pair.left_out != self.pair.left_out);
        let is_paused =
            pair.is_none_or(|pair| pair.paused.is_some_and(|pause| pause.holds(OffsetDateTime::now_utc())));
        self.stop.load(Ordering::Relaxed) || is_changed || is_paused
    }

    fn tell(&mut self, report: &Report) -> Result<(), Failure> {
        let out = &self.context.out;
        let is_news = !report.done.is_empty() || report.withheld.is_some() || report.notices != self.told;
        if is_news && out.json {
            out.value(&pair::value(&self.pair, report))?;
        } else if is_news {
            // What is left alone was told of already.
            let mut new = report.clone();
            new.notices.retain(|notice| !self.told.contains(notice));
            pair::tell(self.context, &self.pair, &new)?;
        }
        self.told.clone_from(&report.notices);
        Ok(out.flush()?)
    }

    fn pause_after(&mut self, failed: Option<String>) -> Duration {
        let Some(why) = failed else {
            self.said.clear();
            self.wait = FIRST_WAIT;
            let pause = self.all_at.saturating_duration_since(Instant::now());
            return if self.watch.is_some() { pause } else { OFTEN };
        };
        if why != self.said && !why.is_empty() && !self.context.out.quiet {
            eprintln!("holdfast: {}: {}", self.pair.local.display(), visible(&why));
        }
        self.said = why;
        let pause = self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        pause
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1))
}
