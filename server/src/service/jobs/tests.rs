//! Running jobs, without HTTP and with work of the tests' own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::{Handle, Jobs, New, Stopped, VOLUME_MONITOR, Work, rows};
use crate::catalog::db::Db;
use crate::catalog::events;
use crate::catalog::jobs::{Job, Subject};
use crate::catalog::testing::both_engines;
use crate::catalog::users::{self, NewUser};
use crate::clock::Clock;
use crate::domain::accounts::Role;
use crate::domain::jobs::{Kind, State};
use crate::error::{Error, Result};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;

/// A process with jobs.
struct House {
    db: Db,
    clock: Clock,
    user: i64,
    jobs: Arc<Jobs>,
    tasks: TaskTracker,
    stop: watch::Sender<bool>,
}

impl House {
    async fn new(db: Db) -> Self {
        let ada = NewUser {
            uuid: Uuid::new_v4(),
            username: "ada".to_owned(),
            username_key: "ada".to_owned(),
            display_name: "Ada".to_owned(),
            role: Role::Admin,
            password_hash: String::new(),
            at: START,
        };
        let user = db.write(move |tx| Box::pin(users::insert(tx, ada))).await.unwrap().id;
        Self::on(db, Clock::fixed(START), user)
    }

    /// Another process on the same catalogue.
    fn beside(&self) -> Self {
        Self::on(self.db.clone(), Clock::fixed(self.clock.now()), self.user)
    }

    fn on(db: Db, clock: Clock, user: i64) -> Self {
        let (tasks, stop) = (TaskTracker::new(), watch::Sender::new(false));
        let jobs = Jobs::new(db.clone(), clock.clone(), tasks.clone(), stop.subscribe());
        Self { db, clock, user, jobs, tasks, stop }
    }

    async fn begin(&self, about: u128, work: Work) -> Result<Job> {
        let subject =
            Subject { kind: "volume".to_owned(), id: Uuid::from_u128(about), name: format!("{about}") };
        let new = New {
            kind: Kind::SpeedTest,
            subject: Some(subject),
            owner: self.user,
            unit: "bytes",
            params: json!({"about": 1}),
        };
        self.jobs.start(new, work).await
    }

    async fn find(&self, job: &Job) -> Job {
        let (uuid, stale) = (job.uuid, self.jobs.stale());
        let found = self.db.read(move |tx| Box::pin(async move { rows::find(tx, uuid, stale).await }));
        found.await.unwrap().unwrap()
    }

    /// The job once it stands otherwise than open.
    async fn ended(&self, job: &Job) -> Job {
        self.once(job, |job| !job.state.is_open()).await
    }

    async fn once(&self, job: &Job, is_so: impl Fn(&Job) -> bool) -> Job {
        for _ in 0..3000 {
            let found = self.find(job).await;
            if is_so(&found) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("waited in vain: {:?}", self.find(job).await)
    }

    /// Waits for the end of all that this process does.
    async fn stopped(&self) {
        self.stop.send_replace(true);
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn logged(&self) -> Vec<String> {
        let all = self.db.read(|tx| Box::pin(events::after(tx, 0, 0, true, 1000))).await.unwrap();
        all.into_iter().map(|line| line.event.kind).collect()
    }
}

fn work<F>(work: impl FnOnce(Handle) -> F + Send + 'static) -> Work
where
    F: Future<Output = Result<Value, Stopped>> + Send + 'static,
{
    Box::new(move |handle| Box::pin(work(handle)))
}

fn giving(result: i64) -> Work {
    work(move |_| async move { Ok(json!(result)) })
}

/// Work that lasts until it is asked to end.
fn lasting() -> Work {
    work(|handle| async move {
        handle.asked_to_end().await;
        Err(Stopped::Asked)
    })
}

both_engines! {
    async fn a_job_runs_to_its_result_and_is_told_of(db: Db) {
        let house = House::new(db).await;
        let job = house.begin(1, work(|handle| async move {
            handle.progress(7, Some(10));
            handle.message("counting");
            handle.count("sheep", 2);
            handle.count("sheep", 3);
            Ok(json!({"found": 5}))
        })).await.unwrap();
        assert_eq!((job.state, job.created_at), (State::Queued, START));
        let job = house.ended(&job).await;
        assert_eq!((job.state, job.result), (State::Finished, Some(json!({"found": 5}))));
        assert_eq!((job.told.progress.done, job.told.progress.total), (7, Some(10)));
        assert_eq!((job.told.message.as_deref(), &job.told.counters["sheep"]), (Some("counting"), &json!(5)));
        assert_eq!((job.finished_at, job.params), (Some(START), json!({"about": 1})));
        assert_eq!(house.logged().await, ["job-started", "job-finished"]);
    }

    async fn work_that_fails_or_panics_is_a_job_that_failed_and_the_next_one_runs(db: Db) {
        let house = House::new(db).await;
        let failing = work(|_| async { Err(Error::conflict("the cat is on it").into()) });
        let failed = house.begin(1, failing).await.unwrap();
        let failed = house.ended(&failed).await;
        assert_eq!((failed.state, failed.error.as_deref()), (State::Failed, Some("the cat is on it")));
        let broken = house.begin(1, work(|_| async { panic!("a mistake in the work") })).await.unwrap();
        let broken = house.ended(&broken).await;
        let public = "something went wrong inside the server";
        assert_eq!((broken.state, broken.error.as_deref()), (State::Failed, Some(public)));
        let next = house.begin(1, giving(1)).await.unwrap();
        assert_eq!(house.ended(&next).await.state, State::Finished);
        let each = ["job-started", "job-failed"];
        assert_eq!(house.logged().await, [&each[..], &each[..], &["job-started", "job-finished"]].concat());
    }

    async fn jobs_of_a_kind_wait_for_each_other_and_one_that_waits_can_be_cancelled(db: Db) {
        let house = House::new(db).await;
        let first = house.begin(1, lasting()).await.unwrap();
        house.once(&first, |job| job.state == State::Running).await;
        let again = house.begin(1, giving(0)).await.unwrap_err();
        assert_eq!(again.problem_code(), Some("job-running"));
        let has_run = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&has_run);
        let second = house.begin(2, work(move |_| async move {
            runs.store(true, Ordering::Relaxed);
            Ok(Value::Null)
        })).await.unwrap();
        let third = house.begin(3, giving(3)).await.unwrap();
        house.jobs.cancelled(second.uuid);
        assert_eq!(house.ended(&second).await.state, State::Cancelled);
        assert_eq!(house.find(&third).await.state, State::Queued);
        house.jobs.cancelled(first.uuid);
        assert_eq!(house.ended(&first).await.state, State::Cancelled);
        assert_eq!(house.ended(&third).await.result, Some(json!(3)));
        assert!(!has_run.load(Ordering::Relaxed));
    }

    async fn no_more_jobs_are_taken_than_there_is_room_for(db: Db) {
        let house = House::new(db).await;
        for about in 0..32 {
            house.begin(about, lasting()).await.unwrap();
        }
        let refused = house.begin(32, giving(1)).await.unwrap_err();
        assert_eq!(refused.problem_code(), Some("too-many-jobs"));
        house.stopped().await;
        let next = house.beside();
        let later = next.begin(32, giving(1)).await.unwrap();
        assert_eq!(house.ended(&later).await.state, State::Finished);
    }

    async fn how_far_a_job_is_is_not_written_each_time_it_is_told(db: Db) {
        let house = House::new(db.clone()).await;
        let (told, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tells, waits) = (Arc::clone(&told), Arc::clone(&go_on));
        let before = db.commits();
        let job = house.begin(1, work(move |handle| async move {
            for done in 0..100_000 {
                handle.progress(done, Some(100_000));
            }
            tells.notify_one();
            waits.notified().await;
            Ok(Value::Null)
        })).await.unwrap();
        told.notified().await;
        assert_eq!(db.commits() - before, 2, "that it is there, and that it has begun");
        let shown = house.jobs.shown(&house.find(&job).await, START).unwrap();
        assert_eq!(shown.job.told.progress.done, 99_999, "whoever asks is told all the same");
        go_on.notify_one();
        assert_eq!(house.ended(&job).await.told.progress.done, 99_999);
    }

    async fn what_a_stopping_process_leaves_is_gone_on_with_by_the_next(db: Db) {
        let house = House::new(db).await;
        let running = house.begin(1, lasting()).await.unwrap();
        house.once(&running, |job| job.state == State::Running).await;
        let waiting = house.begin(2, giving(2)).await.unwrap();
        house.stopped().await;
        let refused = house.begin(3, giving(3)).await.unwrap_err();
        assert_eq!(refused.retry_after_seconds(), Some(5));
        let next = house.beside();
        for job in [running, waiting] {
            let job = house.find(&job).await;
            assert_eq!((job.state, job.finished_at), (State::Interrupted, None));
            let job = next.jobs.resume(house.user, Kind::SpeedTest, job, giving(7)).await.unwrap();
            assert_eq!(next.ended(&job).await.result, Some(json!(7)));
            let twice = next.jobs.resume(house.user, Kind::SpeedTest, job, giving(8)).await.unwrap_err();
            assert_eq!(twice.problem_code(), Some("not-interrupted"));
        }
    }

    async fn a_job_whose_process_is_silent_is_taken_over_and_the_old_one_has_no_say_in_it(db: Db) {
        let house = House::new(db).await;
        let go_on = Arc::new(Notify::new());
        let waits = Arc::clone(&go_on);
        let job = house.begin(1, work(move |_| async move {
            waits.notified().await;
            Ok(json!("the old one's"))
        })).await.unwrap();
        house.once(&job, |job| job.state == State::Running).await;
        let other = house.beside();
        let left = async |other: &House| {
            let (runner, stale) = (other.jobs.runner(), other.jobs.stale());
            other.db.read(move |tx| Box::pin(async move { rows::left(tx, runner, stale).await })).await.unwrap()
        };
        other.clock.set(START + 15 * SECOND);
        assert!(left(&other).await.is_empty(), "it may be slow");
        let early = other.jobs.resume(house.user, Kind::SpeedTest, other.find(&job).await, giving(7)).await;
        assert_eq!(early.unwrap_err().problem_code(), Some("not-interrupted"));
        other.clock.set(START + 16 * SECOND);
        assert_eq!(left(&other).await.len(), 1);
        let silent = other.find(&job).await;
        assert_eq!(silent.state, State::Interrupted, "whether or not somebody has written it down");
        let job = other.jobs.resume(house.user, Kind::SpeedTest, silent, giving(7)).await.unwrap();
        assert_eq!(other.ended(&job).await.result, Some(json!(7)));
        go_on.notify_one();
        house.stopped().await;
        assert_eq!(house.find(&job).await.result, Some(json!(7)));
        assert_eq!(house.logged().await, ["job-started", "job-interrupted", "job-started", "job-finished"]);
    }

    async fn the_oldest_that_have_ended_are_forgotten(db: Db) {
        let house = House::new(db).await;
        let mut jobs = Vec::new();
        for about in 0..4 {
            let job = house.begin(about, giving(1)).await.unwrap();
            jobs.push(house.ended(&job).await);
        }
        let open = house.begin(9, lasting()).await.unwrap();
        house.db.write(|tx| Box::pin(rows::prune(tx, 2))).await.unwrap();
        let kept = house.db.read(|tx| Box::pin(async move {
            rows::page(tx, &rows::Which::default(), i64::MAX, 0, 10).await
        })).await.unwrap();
        let kept: Vec<Uuid> = kept.iter().map(|job| job.uuid).collect();
        assert_eq!(kept, [open.uuid, jobs[3].uuid, jobs[2].uuid]);
        house.stopped().await;
    }

    async fn what_lasts_is_begun_once_and_tells_when_it_breaks_off(db: Db) {
        let house = House::new(db.clone()).await;
        let before = db.commits();
        let end = Arc::new(Notify::new());
        let ends = Arc::clone(&end);
        assert!(house.jobs.stand(VOLUME_MONITOR, |beat| async move {
            beat.went_well();
            beat.failed(&Error::conflict("nothing to look at"));
            ends.notified().await;
            panic!("a mistake in the task");
        }));
        let stands = || house.jobs.standing(&super::Asked::default()).remove(0).job;
        while stands().told.progress.done < 2 {
            tokio::task::yield_now().await;
        }
        assert!(!house.jobs.stand(VOLUME_MONITOR, |_| async { panic!("never begun") }));
        assert_eq!((stands().state, stands().error.as_deref()), (State::Running, Some("nothing to look at")));
        end.notify_one();
        while stands().state == State::Running {
            tokio::task::yield_now().await;
        }
        assert_eq!(stands().state, State::Failed);
        assert!(house.jobs.stand(VOLUME_MONITOR, |_| async {}), "it may be begun anew");
        assert_eq!(db.commits(), before, "nothing of it is written");
    }
}
