//! Jobs: long work with progress, heartbeat and cancel (design section 10).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::domain::jobs::{Progress, State};
use crate::error::{Error, Result};

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// What it is: `volume`.
    pub kind: String,
    /// Its public id.
    pub id: Uuid,
    /// What it was called when the job was made.
    pub name: String,
}

/// How far a job is, as its work tells it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// How far it is.
    pub progress: Progress,
    /// What it is doing, for people.
    pub message: Option<String>,
    /// What it has counted.
    pub counters: Map<String, Value>,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// What it does; a word that this version of the program need not know.
    pub kind: String,
    /// What it is about.
    pub subject: Option<Subject>,
    /// Who began it (internal user id).
    pub owner_id: Option<i64>,
    /// Who began it, by public id and name.
    pub owner: Option<(Uuid, String)>,
    /// How it stands. One that was left by its process is interrupted, whether or not somebody has written that down.
    pub state: State,
    /// Whether somebody wants it no more.
    pub cancel_requested: bool,
    /// How far it is.
    pub told: Told,
    /// What its progress is counted in.
    pub unit: String,
    /// What is needed to do it.
    pub params: Value,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed, in public words.
    pub error: Option<String>,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// When its last run began, in microseconds since 1970.
    pub started_at: Option<i64>,
    /// When it was last heard of, in microseconds since 1970.
    pub heartbeat_at: i64,
    /// When it ended, in microseconds since 1970.
    pub finished_at: Option<i64>,
}

/// A job to be made; it waits for its turn.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its public id.
    pub uuid: Uuid,
    /// What it does.
    pub kind: &'static str,
    /// What it is about.
    pub subject: Option<Subject>,
    /// Who begins it (internal user id).
    pub owner_id: i64,
    /// What its progress is counted in.
    pub unit: &'static str,
    /// What is needed to do it.
    pub params: Value,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those of a user (internal id); `None`: everybody's.
    pub owner_id: Option<i64>,
    /// In this state.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
}

struct Row {
    id: i64,
    uuid: Uuid,
    kind: String,
    subject_kind: Option<String>,
    subject_id: Option<Uuid>,
    subject_name: Option<String>,
    owner_id: Option<i64>,
    owner_uuid: Option<Uuid>,
    owner_name: Option<String>,
    state: String,
    cancel_requested: bool,
    done: i64,
    total: Option<i64>,
    unit: String,
    message: Option<String>,
    counters: String,
    params: String,
    result: Option<String>,
    error: Option<String>,
    created_at: i64,
    started_at: Option<i64>,
    heartbeat_at: i64,
    finished_at: Option<i64>,
}

row!(Row {
    id,
    uuid,
    kind,
    subject_kind,
    subject_id,
    subject_name,
    owner_id,
    owner_uuid,
    owner_name,
    state,
    cancel_requested,
    done,
    total,
    unit,
    message,
    counters,
    params,
    result,
    error,
    created_at,
    started_at,
    heartbeat_at,
    finished_at,
});

impl TryFrom<Row> for Job {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let json = |text: &str| serde_json::from_str::<Value>(text).map_err(Error::internal);
        let unknown = || Error::internal(format!("unknown state {:?} of a job in the catalogue", row.state));
        let counters = match json(&row.counters)? {
            Value::Object(counters) => counters,
            _ => Map::new(),
        };
        let subject = row.subject_kind.zip(row.subject_id).zip(row.subject_name);
        Ok(Self {
            id: row.id,
            uuid: row.uuid,
            kind: row.kind,
            subject: subject.map(|((kind, id), name)| Subject { kind, id, name }),
            owner_id: row.owner_id,
            owner: row.owner_uuid.zip(row.owner_name),
            state: State::parse(&row.state).ok_or_else(unknown)?,
            cancel_requested: row.cancel_requested,
            told: Told {
                progress: Progress { done: row.done.unsigned_abs(), total: row.total.map(i64::unsigned_abs) },
                message: row.message,
                counters,
            },
            unit: row.unit,
            params: json(&row.params)?,
            result: row.result.as_deref().map(json).transpose()?,
            error: row.error,
            created_at: row.created_at,
            started_at: row.started_at,
            heartbeat_at: row.heartbeat_at,
            finished_at: row.finished_at,
        })
    }
}

// An open job that was last heard of before $1 was left by its process.
macro_rules! state {
    () => {
        "CASE WHEN j.state IN ('queued', 'running') AND j.heartbeat_at < $1 THEN 'interrupted' ELSE j.state END"
    };
}

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT j.id, j.uuid, j.kind, j.subject_kind, j.subject_id, j.subject_name, j.owner_id, \
             u.uuid AS owner_uuid, u.username AS owner_name, ",
            state!(),
            " AS state, j.cancel_requested, j.done, j.total, j.unit, j.message, j.counters, j.params, j.result, \
             j.error, j.created_at, j.started_at, j.heartbeat_at, j.finished_at \
             FROM jobs j LEFT JOIN users u ON u.id = j.owner_id ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO jobs (uuid, kind, subject_kind, subject_id, subject_name, owner_id, state, runner, \
     unit, params, created_at, heartbeat_at) VALUES ($1, $2, $3, $4, $5, $6, 'queued', $7, $8, $9, $10, $10)";
const BY_UUID: &str = select!("WHERE j.uuid = $2");
const PAGE: &str = select!(concat!(
    "WHERE j.id < $2 AND ($3 OR j.owner_id = $4) AND ($5 = '' OR j.kind = $5) AND ($6 = '' OR ",
    state!(),
    " = $6) ORDER BY j.id DESC LIMIT $7"
));
const LEFT: &str = select!(
    "WHERE j.state IN ('queued', 'running') AND j.heartbeat_at < $1 AND j.runner <> $2 ORDER BY j.id"
);
const OPEN: &str = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')";
const BEGIN: &str = "UPDATE jobs SET state = 'running', started_at = $3, heartbeat_at = $3 \
     WHERE id = $1 AND runner = $2 AND state = 'queued'";
const BEAT: &str = "UPDATE jobs SET done = $3, total = $4, message = $5, counters = $6, heartbeat_at = $7 \
     WHERE id = $1 AND runner = $2 AND state IN ('queued', 'running') RETURNING cancel_requested";
const END: &str = "UPDATE jobs SET state = $3, result = $4, error = $5, finished_at = $6, runner = NULL \
     WHERE id = $1 AND runner = $2 AND state IN ('queued', 'running')";
const INTERRUPT: &str = "UPDATE jobs SET state = 'interrupted', runner = NULL \
     WHERE id = $1 AND heartbeat_at = $2 AND state IN ('queued', 'running')";
const ASK: &str = "UPDATE jobs SET cancel_requested = TRUE WHERE id = $1 AND state IN ('queued', 'running')";
const GIVE_UP: &str = "UPDATE jobs SET state = 'cancelled', cancel_requested = TRUE, finished_at = $2 \
     WHERE id = $1 AND state = 'interrupted'";
const RESUME: &str = "UPDATE jobs SET state = 'queued', runner = $2, heartbeat_at = $3, cancel_requested = FALSE \
     WHERE id = $1 AND state = 'interrupted'";
const PRUNE: &str = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state NOT IN ('queued', 'running') \
     ORDER BY id DESC LIMIT 1000 OFFSET $1)";

/// Makes a job that a process has in hand.
///
/// # Errors
/// The catalogue's; a unique violation where one of its kind about the same thing is open.
pub async fn insert(tx: &mut Tx, new: &NewJob, runner: Uuid, now: i64) -> Result<(), sql::Error> {
    let subject = new.subject.as_ref();
    let asked = sql::query(INSERT)
        .bind(new.uuid)
        .bind(new.kind)
        .bind(subject.map(|subject| subject.kind.as_str()))
        .bind(subject.map(|subject| subject.id))
        .bind(subject.map(|subject| subject.name.as_str()))
        .bind(new.owner_id)
        .bind(runner)
        .bind(new.unit)
        .bind(new.params.to_string())
        .bind(now);
    asked.execute(tx).await.map(drop)
}

/// A job by its public id. One that was last heard of before `stale` was left by its process.
///
/// # Errors
/// The catalogue's.
pub async fn find(tx: &mut Tx, uuid: Uuid, stale: i64) -> Result<Option<Job>> {
    let row: Option<Row> = sql::query(BY_UUID).bind(stale).bind(uuid).fetch_optional(tx).await?;
    row.map(Job::try_from).transpose()
}

/// Jobs before an internal key, the newest first.
///
/// # Errors
/// The catalogue's.
pub async fn page(tx: &mut Tx, which: &Which, before: i64, stale: i64, limit: i64) -> Result<Vec<Job>> {
    let rows: Vec<Row> = sql::query(PAGE)
        .bind(stale)
        .bind(before)
        .bind(which.owner_id.is_none())
        .bind(which.owner_id)
        .bind(which.kind.as_deref().unwrap_or_default())
        .bind(which.state.map_or("", State::as_str))
        .bind(limit)
        .fetch_all(tx)
        .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Open jobs of other processes that were last heard of before `stale`.
///
/// # Errors
/// The catalogue's.
pub async fn left(tx: &mut Tx, runner: Uuid, stale: i64) -> Result<Vec<Job>> {
    let rows: Vec<Row> = sql::query(LEFT).bind(stale).bind(runner).fetch_all(tx).await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// How many are open, whoever has them in hand.
///
/// # Errors
/// The catalogue's.
pub async fn open(tx: &mut Tx) -> Result<i64> {
    Ok(sql::query(OPEN).fetch_one(tx).await?)
}

/// It is its turn; false when the process has it in hand no more.
///
/// # Errors
/// The catalogue's.
pub async fn begin(tx: &mut Tx, id: i64, runner: Uuid, now: i64) -> Result<bool> {
    Ok(sql::query(BEGIN).bind(id).bind(runner).bind(now).execute(tx).await? > 0)
}

/// Notes how far it is, and that it is still worked at. Says whether somebody wants it no more; `None` when the process has
/// it in hand no more.
///
/// # Errors
/// The catalogue's.
pub async fn beat(tx: &mut Tx, id: i64, runner: Uuid, told: &Told, now: i64) -> Result<Option<bool>> {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let asked = sql::query(BEAT)
        .bind(id)
        .bind(runner)
        .bind(number(told.progress.done))
        .bind(told.progress.total.map(number))
        .bind(told.message.as_deref())
        .bind(Value::Object(told.counters.clone()).to_string())
        .bind(now);
    Ok(asked.fetch_optional(tx).await?)
}

/// How a job ends, or is left by a process that stops.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it stands from now on.
    pub state: State,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed, in public words.
    pub error: Option<String>,
    /// When it ended, in microseconds since 1970; `None`: it may go on.
    pub finished_at: Option<i64>,
}

/// Notes how a job ended; false when the process has it in hand no more.
///
/// # Errors
/// The catalogue's.
pub async fn end(tx: &mut Tx, id: i64, runner: Uuid, ended: &Ended) -> Result<bool> {
    let asked = sql::query(END)
        .bind(id)
        .bind(runner)
        .bind(ended.state.as_str())
        .bind(ended.result.as_ref().map(Value::to_string))
        .bind(ended.error.as_deref())
        .bind(ended.finished_at);
    Ok(asked.execute(tx).await? > 0)
}

/// Notes that a job was left by its process; false when it was heard of after all.
///
/// # Errors
/// The catalogue's.
pub async fn interrupt(tx: &mut Tx, id: i64, heartbeat_at: i64) -> Result<bool> {
    Ok(sql::query(INTERRUPT).bind(id).bind(heartbeat_at).execute(tx).await? > 0)
}

/// Asks whoever has it in hand to end it; false when nobody has.
///
/// # Errors
/// The catalogue's.
pub async fn ask_to_cancel(tx: &mut Tx, id: i64) -> Result<bool> {
    Ok(sql::query(ASK).bind(id).execute(tx).await? > 0)
}

/// Ends one that was interrupted; false when it is no more.
///
/// # Errors
/// The catalogue's.
pub async fn give_up(tx: &mut Tx, id: i64, now: i64) -> Result<bool> {
    Ok(sql::query(GIVE_UP).bind(id).bind(now).execute(tx).await? > 0)
}

/// Takes one in hand that was interrupted; false when it is no more.
///
/// # Errors
/// The catalogue's; a unique violation where another about the same thing is open.
pub async fn resume(tx: &mut Tx, id: i64, runner: Uuid, now: i64) -> Result<bool, sql::Error> {
    Ok(sql::query(RESUME).bind(id).bind(runner).bind(now).execute(tx).await? > 0)
}

/// Forgets those that nobody has in hand but for the newest `keep`.
///
/// # Errors
/// The catalogue's.
pub async fn prune(tx: &mut Tx, keep: i64) -> Result<()> {
    sql::query(PRUNE).bind(keep).execute(tx).await?;
    Ok(())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, BY_UUID, PAGE, LEFT, OPEN, BEGIN, BEAT, END, INTERRUPT, ASK, GIVE_UP, RESUME, PRUNE
};
