//! Jobs (design section 10; 004-12): which there are, who may see and end them, and going on with one that was interrupted.
//! How they are run: `run`; what each kind does: `kinds`; what the server does all the time: `standing`.

mod kinds;
mod run;
mod standing;
#[cfg(test)]
mod tests;

pub use run::{Handle, Jobs, New, Stopped, Work};
pub use standing::{Beat, VOLUME_MONITOR};

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::caller::Caller;
use crate::app::App;
use crate::catalog::db::{EngineName, Tx};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::jobs::{self as rows, Job, Which};
use crate::domain::accounts::Role;
use crate::domain::jobs::{Act, BEAT, Kind, State, remaining};
use crate::error::{Error, Result};

/// A job as it is shown to a user.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The job.
    pub job: Job,
    /// How long the rest takes if it goes on as it went, in microseconds.
    pub remaining: Option<i64>,
    /// Whether it can be gone on with now.
    pub resumable: bool,
}

/// Which jobs are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// In this state.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
}

/// A part of a list of jobs.
#[derive(Debug)]
pub struct Listed {
    /// What the server does all the time; told with the first part, and to admins.
    pub standing: Vec<Shown>,
    /// The newest first.
    pub jobs: Vec<Shown>,
}

/// Jobs before an internal key (`None`: from the newest on), the newest first: an admin's are all, others see those that
/// they began.
///
/// # Errors
/// The catalogue's.
pub async fn list(
    app: &App,
    caller: &Caller,
    asked: Asked,
    before: Option<i64>,
    limit: i64,
) -> Result<Listed> {
    let sees_all = caller.role == Role::Admin;
    let is_first = before.is_none();
    let standing = if sees_all && is_first { app.jobs.standing(&asked) } else { Vec::new() };
    let which =
        Which { owner_id: (!sees_all).then_some(caller.user_id), state: asked.state, kind: asked.kind };
    let (before, stale) = (before.unwrap_or(i64::MAX), app.jobs.stale());
    let jobs = app
        .db
        .read(move |tx| Box::pin(async move { rows::page(tx, &which, before, stale, limit).await }))
        .await?;
    Ok(Listed { standing, jobs: jobs.into_iter().map(|job| shown(app, job)).collect() })
}

/// One job.
///
/// # Errors
/// 404, also for another's, or the catalogue's.
pub async fn get(app: &App, caller: &Caller, id: Uuid) -> Result<Shown> {
    if let Some(standing) = standing_one(app, caller, id) {
        return Ok(standing);
    }
    let (caller, stale) = (caller.clone(), app.jobs.stale());
    let job = app.db.glance(move |tx| Box::pin(async move { find(tx, &caller, id, stale).await })).await?;
    Ok(shown(app, job))
}

/// Begins a job: it is in the catalogue when this returns, and runs when it is its turn.
///
/// # Errors
/// 409 `job-running` when one of its kind about the same thing is open, 429 `too-many-jobs`, 503 while the server stops, or
/// the catalogue's.
pub async fn start(app: &App, new: New, work: Work) -> Result<Shown> {
    let job = app.jobs.start(new, work).await?;
    Ok(shown(app, job))
}

/// Asks for a job to be ended. One that nobody has in hand is ended by that; another ends when its work comes to where it can.
///
/// # Errors
/// 404, also for another's; 409 `job-ended`, or `not-cancellable` for what the server does all the time.
pub async fn cancel(app: &App, caller: &Caller, id: Uuid) -> Result<Shown> {
    if standing_one(app, caller, id).is_some() {
        let lasts = "this lasts as long as the server runs, and cannot be cancelled";
        return Err(Error::conflict(lasts).code("not-cancellable"));
    }
    let (caller, now) = (caller.clone(), app.clock.now());
    let (jobs, stale) = (app.jobs.clone(), app.jobs.stale());
    let job = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                jobs.take_note_of_left(tx, stale, now).await?;
                let job = find(tx, &caller, id, stale).await?;
                let after = job.state.after(Act::Cancel).ok_or_else(|| ended(job.state))?;
                if job.state.is_open() {
                    rows::ask_to_cancel(tx, job.id).await?;
                } else if rows::give_up(tx, job.id, now).await? {
                    log(tx, Some(caller.user_id), after, &job, now).await?;
                }
                find(tx, &caller, id, stale).await
            })
        })
        .await?;
    app.jobs.cancelled(id);
    Ok(shown(app, job))
}

/// Goes on with a job that was interrupted.
///
/// # Errors
/// 404, also for another's; 409 `not-interrupted`, `not-resumable`, or what stands in the way of its kind; 403 when the caller
/// may not begin such a job any more; 429 `too-many-jobs`.
pub async fn resume(app: &App, caller: &Caller, id: Uuid) -> Result<Shown> {
    let Shown { job, .. } = get(app, caller, id).await?;
    if job.state.after(Act::Resume).is_none() {
        let what = "only a job that was interrupted can be resumed";
        return Err(Error::conflict(what).code("not-interrupted").with("state", job.state.as_str()));
    }
    let kind = Kind::parse(&job.kind).filter(|kind| kind.is_resumable());
    let kind = kind.ok_or_else(|| {
        Error::conflict("jobs of this kind cannot be resumed; begin another").code("not-resumable")
    })?;
    let work = kinds::prepare(app, caller, kind, &job.params).await?;
    let job = app.jobs.resume(caller.user_id, kind, job, work).await?;
    Ok(shown(app, job))
}

/// Notes which jobs the processes before this one have left, when the server starts. Of SQLite's catalogue there is one
/// process: whatever is open is of one that has died. On Postgres others may be at work, so silence alone says so.
///
/// # Errors
/// The catalogue's.
pub async fn at_start(app: &App) -> Result<()> {
    if app.db.engine_name() == EngineName::Sqlite {
        return note_left(app, i64::MAX).await;
    }
    note_left(app, app.jobs.stale()).await?;
    let later = app.clone();
    app.jobs.spawn(async move {
        // By then those of a process that has just died have been silent for long enough.
        let long = Duration::from_micros(BEAT.unsigned_abs().saturating_mul(4));
        tokio::select! {
            () = tokio::time::sleep(long) => {}
            () = later.drained() => return,
        }
        if let Err(error) = note_left(&later, later.jobs.stale()).await {
            tracing::warn!(%error, "it could not be noted which jobs other processes have left");
        }
    });
    Ok(())
}

async fn note_left(app: &App, stale: i64) -> Result<()> {
    let runner = app.jobs.runner();
    let left = app.db.read(move |tx| Box::pin(async move { rows::left(tx, runner, stale).await })).await?;
    if left.is_empty() {
        return Ok(());
    }
    let (jobs, now) = (app.jobs.clone(), app.clock.now());
    app.db.write(move |tx| Box::pin(async move { jobs.take_note_of_left(tx, stale, now).await })).await?;
    for job in left {
        kinds::tidy_up(app, &job).await;
    }
    Ok(())
}

/// What this process knows better than the catalogue, which is told every few seconds alone.
fn shown(app: &App, job: Job) -> Shown {
    let now = app.clock.now();
    if let Some(shown) = app.jobs.shown(&job, now) {
        return shown;
    }
    let resumable =
        job.state.after(Act::Resume).is_some() && Kind::parse(&job.kind).is_some_and(Kind::is_resumable);
    let since = job.started_at.filter(|_| job.state == State::Running);
    let remaining = since.and_then(|since| remaining(job.told.progress, 0, now.saturating_sub(since)));
    Shown { job, remaining, resumable }
}

fn standing_one(app: &App, caller: &Caller, id: Uuid) -> Option<Shown> {
    if caller.role != Role::Admin {
        return None;
    }
    app.jobs.standing(&Asked::default()).into_iter().find(|shown| shown.job.uuid == id)
}

/// A job that the caller may see.
async fn find(tx: &mut Tx, caller: &Caller, id: Uuid, stale: i64) -> Result<Job> {
    let job = rows::find(tx, id, stale).await?;
    let may_see = |job: &Job| caller.role == Role::Admin || job.owner_id == Some(caller.user_id);
    job.filter(may_see).ok_or_else(|| Error::not_found("there is no such job"))
}

fn ended(state: State) -> Error {
    Error::conflict("the job has ended already").code("job-ended").with("state", state.as_str())
}

/// Logs that a job stands like this now.
async fn log(tx: &mut Tx, actor: Option<i64>, state: State, job: &Job, at: i64) -> Result<()> {
    let (kind, result) = match state {
        State::Queued | State::Running => ("job-started", "ok"),
        State::Finished => ("job-finished", "ok"),
        State::Failed => ("job-failed", "failed"),
        State::Cancelled => ("job-cancelled", "cancelled"),
        State::Interrupted => ("job-interrupted", "interrupted"),
    };
    let text = |text: &str| Value::from(text);
    let mut detail = vec![("job", text(&job.uuid.to_string())), ("kind", text(&job.kind))];
    if let Some(subject) = &job.subject {
        detail.push(("subject", text(&subject.id.to_string())));
        detail.push(("name", text(&subject.name)));
    }
    detail.extend(job.error.as_deref().map(|error| ("error", text(error))));
    detail.extend(job.result.clone().map(|result| ("result", result)));
    let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    events::add(tx, NewEvent { at, actor_id: actor, kind, result, detail, ..NewEvent::default() }).await
}
