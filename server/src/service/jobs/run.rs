//! Running jobs: each is a row and a task. While one is worked at, its row is written every few seconds: that is its
//! heartbeat, and how far it is. In between this process answers from memory. While none is open nothing is written, so that
//! disks may sleep.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::standing::Standing;
use super::{Shown, log};
use crate::catalog::db::{Db, Tx};
use crate::catalog::jobs::{self as rows, Ended, Job, NewJob, Subject, Told};
use crate::catalog::sql;
use crate::clock::Clock;
use crate::domain::jobs::{self as rules, Act, Kind, Progress, State};
use crate::error::{Error, Kind as ErrorKind, Result};

/// Most jobs that are open at once, those that wait included.
const MOST: i64 = 32;
/// So many that are open no more are kept.
const KEPT: i64 = 500;
/// How long the work of a job may take to end when the server stops; then it is left where it is.
const GRACE: Duration = Duration::from_secs(5);
/// [`rules::BEAT`].
const BEAT: Duration = Duration::from_micros(rules::BEAT.unsigned_abs());

/// The work of a job: made when it is to be begun, run when it is its turn. What it returns is the job's result.
pub type Work = Box<dyn FnOnce(Handle) -> BoxFuture<'static, Result<Value, Stopped>> + Send>;

/// Why a job's work came to no result.
#[derive(Debug)]
pub enum Stopped {
    /// It was asked to end ([`Handle::is_asked_to_end`]).
    Asked,
    /// It cannot be done.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a job is to end before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody does not want it any more.
    Cancelled,
    /// The server stops.
    Stopping,
    /// Another process has it in hand.
    Lost,
}

/// A job that this process has in hand.
#[derive(Debug)]
struct Live {
    now: Mutex<Now>,
    why: watch::Sender<Option<Why>>,
}

#[derive(Debug, Clone)]
struct Now {
    told: Told,
    state: State,
    heartbeat_at: i64,
    /// When this run began, and how far the job was by then.
    began: Option<(i64, u64)>,
}

impl Live {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, why: Why) {
        // The first reason stays: what was cancelled does not become interrupted because the server stops meanwhile.
        self.why.send_if_modified(|asked| asked.is_none() && asked.replace(why).is_none());
    }

    fn why(&self) -> Option<Why> {
        *self.why.borrow()
    }

    async fn asked(&self) -> Why {
        let mut why = self.why.subscribe();
        let asked = why.wait_for(Option::is_some).await;
        asked.ok().and_then(|why| *why).unwrap_or(Why::Lost)
    }
}

/// By which a job's work says how far it is, and hears that it is to end.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Live>);

impl Handle {
    /// How far it is, in the job's unit. Costs little: it is written down every few seconds, however often it is told.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        let mut now = self.0.now();
        now.told.progress = Progress { done, total };
        // Work that was interrupted may be done anew.
        if let Some((_, before)) = &mut now.began {
            *before = (*before).min(done);
        }
    }

    /// What it is doing, for people.
    pub fn message(&self, message: &str) {
        self.0.now().told.message = Some(message.to_owned());
    }

    /// Counts something by its name.
    pub fn count(&self, name: &str, more: u64) {
        let counters = &mut self.0.now().told.counters;
        let before = counters.get(name).and_then(Value::as_u64).unwrap_or_default();
        counters.insert(name.to_owned(), before.saturating_add(more).into());
    }

    /// Whether its work is to come to an end soon, with [`Stopped::Asked`].
    pub fn is_asked_to_end(&self) -> bool {
        self.0.why().is_some()
    }

    /// Waits for that.
    pub async fn asked_to_end(&self) {
        self.0.asked().await;
    }
}

/// A job to be begun.
#[derive(Debug)]
pub struct New {
    /// What it does.
    pub kind: Kind,
    /// What it is about.
    pub subject: Option<Subject>,
    /// Who begins it (internal user id).
    pub owner: i64,
    /// What its progress is counted in.
    pub unit: &'static str,
    /// What is needed to do it.
    pub params: Value,
}

/// The jobs of this process.
#[derive(Debug)]
pub struct Jobs {
    db: Db,
    pub(super) clock: Clock,
    tasks: TaskTracker,
    /// True once the server stops.
    stopping: watch::Receiver<bool>,
    /// Says in the catalogue which process has a job in hand.
    runner: Uuid,
    live: Mutex<HashMap<Uuid, Arc<Live>>>,
    places: HashMap<Kind, Arc<Semaphore>>,
    pub(super) standing: Standing,
}

impl Jobs {
    /// None yet. Their tasks are among `tasks`; they end soon after `stopping` has become true.
    pub fn new(db: Db, clock: Clock, tasks: TaskTracker, stopping: watch::Receiver<bool>) -> Arc<Self> {
        let places = Kind::ALL.into_iter().map(|kind| (kind, Arc::new(Semaphore::new(kind.at_once()))));
        Arc::new(Self {
            db,
            clock,
            tasks,
            stopping,
            runner: Uuid::new_v4(),
            live: Mutex::default(),
            places: places.collect(),
            standing: Standing::default(),
        })
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    pub(super) fn runner(&self) -> Uuid {
        self.runner
    }

    /// Open jobs that were last heard of before this were left by their process.
    pub(super) fn stale(&self) -> i64 {
        rules::stale_before(self.clock.now())
    }

    fn live(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job as this process knows it, if it has it in hand.
    pub(super) fn shown(&self, job: &Job, at: i64) -> Option<Shown> {
        // In the moment after its end has been noted, the catalogue knows better.
        let has_ended = matches!(job.state, State::Finished | State::Failed | State::Cancelled);
        let live = self.live().get(&job.uuid).filter(|_| !has_ended).cloned()?;
        let Now { told, state, heartbeat_at, began } = live.now().clone();
        let remaining = began
            .and_then(|(since, before)| rules::remaining(told.progress, before, at.saturating_sub(since)));
        let job = Job { told, state, heartbeat_at: heartbeat_at.max(job.heartbeat_at), ..job.clone() };
        Some(Shown { job, remaining, resumable: false })
    }

    /// Has a job of this process end because somebody wants it no more.
    pub(super) fn cancelled(&self, job: Uuid) {
        if let Some(live) = self.live().get(&job) {
            live.ask(Why::Cancelled);
        }
    }

    /// Notes that open jobs which were last heard of before `stale` were left by their processes.
    ///
    /// # Errors
    /// The catalogue's.
    pub(super) async fn take_note_of_left(&self, tx: &mut Tx, stale: i64, now: i64) -> Result<()> {
        for job in rows::left(tx, self.runner, stale).await? {
            if rows::interrupt(tx, job.id, job.heartbeat_at).await? {
                log(tx, job.owner_id, State::Interrupted, &job, now).await?;
            }
        }
        Ok(())
    }

    /// Begins a job: it is in the catalogue when this returns, and runs when it is its turn.
    ///
    /// # Errors
    /// 409 `job-running` when one of its kind about the same thing is open, 429 `too-many-jobs`, 503 while the server stops,
    /// or the catalogue's.
    pub async fn start(self: &Arc<Self>, new: New, work: Work) -> Result<Job> {
        let New { kind, subject, owner, unit, params } = new;
        let uuid = Uuid::new_v4();
        let row = NewJob { uuid, kind: kind.as_str(), subject, owner_id: owner, unit, params };
        let (jobs, stale, now) = (Arc::clone(self), self.stale(), self.clock.now());
        let db = self.db.clone();
        let written = async move {
            db.write(move |tx| {
                Box::pin(async move {
                    jobs.take_note_of_left(tx, stale, now).await?;
                    has_room(tx).await?;
                    rows::insert(tx, &row, jobs.runner, now).await.map_err(unless_open)?;
                    rows::prune(tx, KEPT).await?;
                    found(tx, uuid, stale).await
                })
            })
            .await
        };
        self.take_up(owner, kind, work, written).await
    }

    /// Goes on with a job that was interrupted.
    ///
    /// # Errors
    /// As [`Jobs::start`], and 409 `not-interrupted` when somebody else was faster.
    pub(super) async fn resume(
        self: &Arc<Self>,
        actor: i64,
        kind: Kind,
        job: Job,
        work: Work,
    ) -> Result<Job> {
        let (jobs, stale, now) = (Arc::clone(self), self.stale(), self.clock.now());
        let db = self.db.clone();
        let written = async move {
            db.write(move |tx| {
                Box::pin(async move {
                    jobs.take_note_of_left(tx, stale, now).await?;
                    has_room(tx).await?;
                    if !rows::resume(tx, job.id, jobs.runner, now).await.map_err(unless_open)? {
                        let faster = "the job is interrupted no more";
                        return Err(Error::conflict(faster).code("not-interrupted"));
                    }
                    found(tx, job.uuid, stale).await
                })
            })
            .await
        };
        self.take_up(actor, kind, work, written).await
    }

    /// Writes down that a job is in hand, and runs it, whether or not whoever asked for it stays.
    async fn take_up(
        self: &Arc<Self>,
        actor: i64,
        kind: Kind,
        work: Work,
        written: impl Future<Output = Result<Job>> + Send + 'static,
    ) -> Result<Job> {
        if *self.stopping.borrow() {
            return Err(Error::unavailable("the server is stopping", 5));
        }
        let jobs = Arc::clone(self);
        let taken = self.tasks.spawn(async move {
            let job = written.await?;
            let now =
                Now { told: job.told.clone(), state: job.state, heartbeat_at: job.heartbeat_at, began: None };
            let live = Arc::new(Live { now: Mutex::new(now), why: watch::Sender::new(None) });
            jobs.live().insert(job.uuid, Arc::clone(&live));
            let run = Run { job: job.clone(), kind, actor, live };
            let running = Arc::clone(&jobs);
            jobs.spawn(async move { running.run(run, work).await });
            Ok(job)
        });
        taken.await.map_err(Error::internal)?
    }

    async fn run(&self, run: Run, work: Work) {
        let outcome = self.outcome(&run, work).await;
        self.end(&run, outcome).await;
        let mut live = self.live();
        // One that was lost may have come back, and be run by another task of this process.
        if live.get(&run.job.uuid).is_some_and(|one| Arc::ptr_eq(one, &run.live)) {
            live.remove(&run.job.uuid);
        }
    }

    /// Waits for its turn, and has its work done.
    async fn outcome(&self, run: &Run, work: Work) -> Result<Value, Stopped> {
        let none = || Error::internal("jobs of this kind have no place to run");
        let places = self.places.get(&run.kind).cloned().ok_or_else(none)?;
        let Some(place) = self.attend(run, places.acquire_owned(), false).await else {
            return Err(Stopped::Asked);
        };
        let _place = place.map_err(Error::internal)?;
        let (id, runner, actor, job, now) =
            (run.job.id, self.runner, run.actor, run.job.clone(), self.clock.now());
        let begun = self.db.write(move |tx| {
            Box::pin(async move {
                let is_ours = rows::begin(tx, id, runner, now).await?;
                if is_ours {
                    log(tx, Some(actor), State::Running, &job, now).await?;
                }
                Ok(is_ours)
            })
        });
        if !begun.await? {
            run.live.ask(Why::Lost);
            return Err(Stopped::Asked);
        }
        {
            let mut live = run.live.now();
            live.state = State::Running;
            live.began = Some((now, live.told.progress.done));
        }
        // On a task of its own: one that panics has failed, and is told of.
        let mut working = tokio::spawn(work(Handle(Arc::clone(&run.live))));
        match self.attend(run, &mut working, true).await {
            Some(Ok(done)) => done,
            Some(Err(broken)) => Err(Error::internal(broken).into()),
            None => {
                working.abort();
                Err(Stopped::Asked)
            }
        }
    }

    /// Waits for a part of a job, and meanwhile says again and again that it is in hand. `None`: the part was left. What only
    /// waits is left as soon as the job is to end, work when it has not ended some time after the server was asked to stop.
    async fn attend<T>(&self, run: &Run, part: impl Future<Output = T>, is_work: bool) -> Option<T> {
        let mut part = pin!(part);
        let mut beats = interval_at(Instant::now() + BEAT, BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.stopping.clone();
        let mut left_at = None;
        loop {
            tokio::select! {
                done = &mut part => return Some(done),
                _ = run.live.asked(), if !is_work => return None,
                () = stops(&mut stopping), if left_at.is_none() => {
                    run.live.ask(Why::Stopping);
                    left_at = Some(Instant::now() + GRACE);
                }
                () = sleep_until(left_at.unwrap_or_else(Instant::now)), if left_at.is_some() => return None,
                _ = beats.tick() => self.beat(run).await,
            }
        }
    }

    async fn beat(&self, run: &Run) {
        let (id, runner, now) = (run.job.id, self.runner, self.clock.now());
        let told = run.live.now().told.clone();
        let heard =
            self.db.write(move |tx| Box::pin(async move { rows::beat(tx, id, runner, &told, now).await }));
        match heard.await {
            Ok(None) => run.live.ask(Why::Lost),
            Ok(Some(is_unwanted)) => {
                run.live.now().heartbeat_at = now;
                if is_unwanted {
                    run.live.ask(Why::Cancelled);
                }
            }
            Err(error) => {
                tracing::warn!(?error, job = %run.job.uuid, "how far a job is could not be noted; tried again");
            }
        }
    }

    /// Notes how a job has ended. While the catalogue does not take it, it is tried again: a job that has ended must not be
    /// shown as running for ever.
    async fn end(&self, run: &Run, outcome: Result<Value, Stopped>) {
        let (act, result, error) = match outcome {
            Ok(result) => (Act::Finish, Some(result), None),
            Err(Stopped::Failed(error)) => {
                tracing::warn!(?error, job = %run.job.uuid, kind = run.job.kind, "a job has failed");
                (Act::Fail, None, Some(error.public().to_owned()))
            }
            Err(Stopped::Asked) => match run.live.why() {
                Some(Why::Cancelled) | None => (Act::Cancel, None, None),
                Some(Why::Stopping) => (Act::Interrupt, None, None),
                // What becomes of it is the other's to say.
                Some(Why::Lost) => return,
            },
        };
        let Now { told, state, .. } = run.live.now().clone();
        let state = state.after(act).unwrap_or(State::Failed);
        let now = self.clock.now();
        let finished_at = (state != State::Interrupted).then_some(now);
        let ended = Ended { state, result, error, finished_at };
        let job = Job { result: ended.result.clone(), error: ended.error.clone(), told, ..run.job.clone() };
        loop {
            let (job, ended, runner, actor) = (job.clone(), ended.clone(), self.runner, run.actor);
            let noted = self.db.write(move |tx| {
                Box::pin(async move {
                    rows::beat(tx, job.id, runner, &job.told, now).await?;
                    if rows::end(tx, job.id, runner, &ended).await? {
                        log(tx, Some(actor), ended.state, &job, now).await?;
                    }
                    Ok(())
                })
            });
            let Err(error) = noted.await else { return };
            tracing::warn!(?error, job = %run.job.uuid, "the end of a job could not be noted");
            if *self.stopping.borrow() {
                // It is found by its silence.
                return;
            }
            sleep(BEAT).await;
        }
    }
}

/// Waits until the server stops.
async fn stops(stopping: &mut watch::Receiver<bool>) {
    // Whoever could say so being gone means the same.
    let _ = stopping.wait_for(|stops| *stops).await;
}

/// A job on its way.
struct Run {
    job: Job,
    kind: Kind,
    /// Who began this run (internal user id).
    actor: i64,
    live: Arc<Live>,
}

async fn has_room(tx: &mut Tx) -> Result<()> {
    if rows::open(tx).await? < MOST {
        return Ok(());
    }
    let error = Error::new(ErrorKind::TooMany, "too many jobs are waiting or running; wait for some to end");
    Err(error.code("too-many-jobs").with("limit", MOST).retry_after(60))
}

/// The key decides, not a look before: two requests at once are one job.
fn unless_open(error: sql::Error) -> Error {
    if error.is_unique_violation() {
        Error::conflict("such a job about the same thing waits or runs already").code("job-running")
    } else {
        error.into()
    }
}

async fn found(tx: &mut Tx, uuid: Uuid, stale: i64) -> Result<Job> {
    rows::find(tx, uuid, stale).await?.ok_or_else(|| Error::internal("a job is gone that was just there"))
}
