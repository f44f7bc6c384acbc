//! Long work: how far it is, and ending it or going on with it.

mod cancel;
mod get;
mod list;
mod resume;

use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::domain::jobs::State;
use crate::error::{Error, Result};
use crate::http::extract::Json;
use crate::http::time::Timestamp;
use crate::service::jobs::{Asked, Shown};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(cancel::cancel))
        .routes(routes!(resume::resume))
}

/// What a job is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobSubject {
    /// What it is: `volume`.
    kind: String,
    /// Its id.
    id: Uuid,
    /// What it was called when the job was made.
    name: String,
}

/// Who began a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobOwner {
    /// The account's id.
    id: Uuid,
    /// Its name.
    name: String,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    /// Its id.
    id: Uuid,
    /// What it does: `speed-test`; or what the server does all the time: `volume-monitor`.
    kind: String,
    /// What it is about.
    subject: Option<JobSubject>,
    /// Who began it; null for what the server does by itself.
    owner: Option<JobOwner>,
    /// `queued`, `running`, `finished`, `failed`, `cancelled`, or `interrupted`: the process that had it in hand has stopped
    /// or died.
    state: &'static str,
    /// Whether somebody wants it no more. It ends when its work comes to where it can.
    cancel_requested: bool,
    /// Whether `resume` goes on with it.
    resumable: bool,
    /// What is done.
    done: u64,
    /// What there is to do in all, as far as that is known.
    total: Option<u64>,
    /// What both are counted in: `bytes`.
    unit: String,
    /// What it is doing, for people.
    message: Option<String>,
    /// What it has counted, by name.
    counters: Map<String, Value>,
    /// What came of it, once it is finished; its fields depend on the kind.
    result: Option<Value>,
    /// Why it failed, or why the last round of what lasts did, for people.
    error: Option<String>,
    /// Seconds until it is done if it goes on as it went.
    remaining_seconds: Option<i64>,
    /// When it was made.
    created_at: Timestamp,
    /// When its last run began.
    started_at: Option<Timestamp>,
    /// When whoever has it in hand was last heard of. One that is silent for 15 seconds is interrupted.
    heartbeat_at: Timestamp,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

impl From<Shown> for Job {
    fn from(shown: Shown) -> Self {
        let Shown { job, remaining, resumable } = shown;
        Self {
            id: job.uuid,
            kind: job.kind,
            subject: job.subject.map(|about| JobSubject { kind: about.kind, id: about.id, name: about.name }),
            owner: job.owner.map(|(id, name)| JobOwner { id, name }),
            state: job.state.as_str(),
            cancel_requested: job.cancel_requested,
            resumable,
            done: job.told.progress.done,
            total: job.told.progress.total,
            unit: job.unit,
            message: job.told.message,
            counters: job.told.counters,
            result: job.result,
            error: job.error,
            remaining_seconds: remaining.map(|micros| (micros + 999_999) / 1_000_000),
            created_at: Timestamp(job.created_at),
            started_at: job.started_at.map(Timestamp),
            heartbeat_at: Timestamp(job.heartbeat_at),
            finished_at: job.finished_at.map(Timestamp),
        }
    }
}

/// 202 with where the job is, and how it stands.
pub type Accepted = (StatusCode, [(HeaderName, String); 1], Json<Job>);

/// The answer to what begins a job, or changes what becomes of one.
pub fn accepted(shown: Shown) -> Accepted {
    let location = format!("/api/jobs/{}", shown.job.uuid);
    (StatusCode::ACCEPTED, [(LOCATION, location)], Json(shown.into()))
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichJobs {
    /// `queued`, `running`, `finished`, `failed`, `cancelled` or `interrupted`.
    state: Option<String>,
    /// Of this kind, for example `speed-test`.
    kind: Option<String>,
}

impl WhichJobs {
    /// What is asked for.
    ///
    /// # Errors
    /// 422 for a state that jobs do not have.
    fn asked(self) -> Result<Asked> {
        let parse = |text: String| {
            let none = || {
                let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
                Error::invalid("a job has no such state").with("states", states)
            };
            State::parse(&text).ok_or_else(none)
        };
        Ok(Asked { state: self.state.map(parse).transpose()?, kind: self.kind })
    }
}
