//! What the server does as long as it runs (001-28). It is shown among the jobs, with its heartbeat, and is kept in memory:
//! a row that is written again and again would keep a NAS's disks from sleeping.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::run::Jobs;
use super::{Asked, Shown};
use crate::catalog::jobs::{Job, Told};
use crate::clock::Clock;
use crate::domain::jobs::{Progress, State};
use crate::error::Error;

/// Looks at the machine's volumes again and again.
pub const VOLUME_MONITOR: &str = "volume-monitor";

/// Tasks that last, each under its name.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<Vec<Arc<Task>>>);

#[derive(Debug)]
struct Task {
    uuid: Uuid,
    name: &'static str,
    began_at: i64,
    now: Mutex<Now>,
}

#[derive(Debug, Clone)]
struct Now {
    state: State,
    heartbeat_at: i64,
    rounds: u64,
    error: Option<String>,
}

/// By which such a task says that it is still at work.
#[derive(Debug, Clone)]
pub struct Beat {
    task: Arc<Task>,
    clock: Clock,
}

impl Beat {
    /// A round went well.
    pub fn went_well(&self) {
        self.round(None);
    }

    /// A round failed; the task goes on.
    pub fn failed(&self, error: &Error) {
        self.round(Some(error.public().to_owned()));
    }

    fn round(&self, error: Option<String>) {
        let mut now = self.task.now();
        now.heartbeat_at = self.clock.now();
        now.rounds += 1;
        now.error = error;
    }
}

impl Task {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self) -> Shown {
        let now = self.now().clone();
        let told = Told {
            progress: Progress { done: now.rounds, total: None },
            message: None,
            counters: Map::new(),
        };
        let job = Job {
            id: 0,
            uuid: self.uuid,
            kind: self.name.to_owned(),
            subject: None,
            owner_id: None,
            owner: None,
            state: now.state,
            cancel_requested: false,
            told,
            unit: "rounds".to_owned(),
            params: Value::Null,
            result: None,
            error: now.error,
            created_at: self.began_at,
            started_at: Some(self.began_at),
            heartbeat_at: now.heartbeat_at,
            finished_at: None,
        };
        Shown { job, remaining: None, resumable: false }
    }
}

impl Jobs {
    /// Starts a task that lasts until the server stops, unless it runs already; says whether it did.
    pub fn stand<F>(&self, name: &'static str, task: impl FnOnce(Beat) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let now = self.clock.now();
        let standing = Arc::new(Task {
            uuid: Uuid::new_v4(),
            name,
            began_at: now,
            now: Mutex::new(Now { state: State::Running, heartbeat_at: now, rounds: 0, error: None }),
        });
        {
            let mut tasks = self.tasks_that_last();
            if tasks.iter().any(|task| task.name == name && task.now().state == State::Running) {
                return false;
            }
            tasks.retain(|task| task.name != name);
            tasks.push(Arc::clone(&standing));
        }
        let work = task(Beat { task: Arc::clone(&standing), clock: self.clock.clone() });
        self.spawn(async move {
            // On a task of its own, so that one that panics is told of.
            let done = tokio::spawn(work).await;
            let mut now = standing.now();
            now.state = State::Finished;
            if let Err(error) = done {
                tracing::error!(%error, task = name, "what should last as long as the server has broken off");
                now.state = State::Failed;
                now.error = Some(Error::internal(error).public().to_owned());
            }
        });
        true
    }

    fn tasks_that_last(&self) -> MutexGuard<'_, Vec<Arc<Task>>> {
        self.standing.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are asked for, as they stand now.
    pub(super) fn standing(&self, asked: &Asked) -> Vec<Shown> {
        let tasks = self.tasks_that_last();
        let is_asked_for = |shown: &Shown| {
            asked.state.is_none_or(|state| state == shown.job.state)
                && asked.kind.as_ref().is_none_or(|kind| *kind == shown.job.kind)
        };
        tasks.iter().map(|task| task.shown()).filter(is_asked_for).collect()
    }
}
