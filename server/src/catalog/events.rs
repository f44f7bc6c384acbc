//! The activity log: written in the transaction of the act, published after its commit, read by sequence.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, Builder, portions, row};
use crate::error::Result;

/// A line of the activity log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place in the log; grows, is never reused.
    pub seq: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who (internal user id), if anyone was signed in.
    pub actor_id: Option<i64>,
    /// On which device (internal id).
    pub device_id: Option<i64>,
    /// In which drive (internal id).
    pub drive_id: Option<i64>,
    /// What happened, e.g. `file-written`.
    pub kind: String,
    /// To which path of the drive, with a leading slash.
    pub path: Option<String>,
    /// `ok`, or why not.
    pub result: String,
    /// More for programs.
    pub detail: Map<String, Value>,
}

/// An act to be logged; what is not named stays empty.
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who (internal user id).
    pub actor_id: Option<i64>,
    /// On which device (internal id).
    pub device_id: Option<i64>,
    /// In which drive (internal id).
    pub drive_id: Option<i64>,
    /// What happened.
    pub kind: &'static str,
    /// To which path of the drive, with a leading slash.
    pub path: Option<String>,
    /// `ok`, or why not; empty means `ok`.
    pub result: &'static str,
    /// More for programs.
    pub detail: Map<String, Value>,
}

macro_rules! insert {
    ($values:literal) => {
        concat!(
            "INSERT INTO events (uuid, at, actor_id, device_id, drive_id, kind, path, result, detail) ",
            $values
        )
    };
}

const INSERT: &str = insert!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id");
// An admin sees all lines; others what they did themselves and what happened in drives they may see.
const AFTER: &str = "SELECT e.id, e.uuid, e.at, e.actor_id, e.device_id, e.drive_id, e.kind, e.path, e.result, e.detail, \
        u.uuid AS actor_uuid, u.username AS actor_name, c.device_id AS device_name, d.uuid AS drive_uuid, \
        d.name AS drive_name \
    FROM events e LEFT JOIN users u ON u.id = e.actor_id LEFT JOIN devices c ON c.id = e.device_id \
        LEFT JOIN drives d ON d.id = e.drive_id \
    WHERE e.id > $1 AND ($2 OR e.actor_id = $3 OR d.owner_id = $3 \
        OR e.drive_id IN (SELECT drive_id FROM drive_members WHERE user_id = $3)) \
    ORDER BY e.id LIMIT $4";

/// Logs an act; it is published once the transaction is committed.
///
/// # Errors
/// The catalogue's.
pub async fn add(tx: &mut Tx, new: NewEvent) -> Result<()> {
    let uuid = sql::new_id();
    let seq: i64 = sql::query(INSERT).bind_all(new.values(uuid)).fetch_one(tx).await?;
    tx.after.events.push(new.logged(seq, uuid));
    Ok(())
}

/// As [`add`], of many, in their order.
///
/// # Errors
/// The catalogue's.
pub async fn add_all(tx: &mut Tx, new: Vec<NewEvent>) -> Result<()> {
    let ids: Vec<Uuid> = new.iter().map(|_| sql::new_id()).collect();
    let mut given = Vec::with_capacity(new.len());
    for (begin, new) in portions(&new) {
        let mut query = Builder::new(tx.engine_name(), insert!(""));
        query.rows(new.iter().zip(&ids[begin..]).map(|(event, id)| event.values(*id)));
        query.push(" RETURNING id, uuid");
        given.extend(query.build().fetch_all::<(i64, Uuid)>(tx).await?);
    }
    let seqs = sql::in_order(&ids, given)?;
    tx.after
        .events
        .extend(new.into_iter().zip(seqs).zip(ids).map(|((event, seq), id)| event.logged(seq, id)));
    Ok(())
}

impl NewEvent {
    fn outcome(&self) -> &'static str {
        if self.result.is_empty() { "ok" } else { self.result }
    }

    /// In the order of the columns.
    fn values(&self, uuid: Uuid) -> [sql::Value<'_>; 9] {
        [
            uuid.into(),
            self.at.into(),
            self.actor_id.into(),
            self.device_id.into(),
            self.drive_id.into(),
            self.kind.into(),
            self.path.as_deref().into(),
            self.outcome().into(),
            Value::Object(self.detail.clone()).to_string().into(),
        ]
    }

    fn logged(self, seq: i64, uuid: Uuid) -> Event {
        Event {
            seq,
            uuid,
            at: self.at,
            actor_id: self.actor_id,
            device_id: self.device_id,
            drive_id: self.drive_id,
            kind: self.kind.to_owned(),
            result: self.outcome().to_owned(),
            path: self.path,
            detail: self.detail,
        }
    }
}

struct Row {
    id: i64,
    uuid: Uuid,
    at: i64,
    actor_id: Option<i64>,
    device_id: Option<i64>,
    drive_id: Option<i64>,
    kind: String,
    path: Option<String>,
    result: String,
    detail: String,
}

row!(Row { id, uuid, at, actor_id, device_id, drive_id, kind, path, result, detail });

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        let detail = match serde_json::from_str(&row.detail) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        Self {
            seq: row.id,
            uuid: row.uuid,
            at: row.at,
            actor_id: row.actor_id,
            device_id: row.device_id,
            drive_id: row.drive_id,
            kind: row.kind,
            path: row.path,
            result: row.result,
            detail,
        }
    }
}

/// A line of the activity log with the public names of whom and what it is about.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line itself.
    pub event: Event,
    /// Who, by public id and name.
    pub actor: Option<(Uuid, String)>,
    /// On which device, as it calls itself.
    pub device: Option<String>,
    /// In which drive, by public id and name.
    pub drive: Option<(Uuid, String)>,
}

struct LineRow {
    row: Row,
    actor_uuid: Option<Uuid>,
    actor_name: Option<String>,
    device_name: Option<String>,
    drive_uuid: Option<Uuid>,
    drive_name: Option<String>,
}

row!(LineRow [row: Row] { actor_uuid, actor_name, device_name, drive_uuid, drive_name });

impl From<LineRow> for Line {
    fn from(line: LineRow) -> Self {
        Self {
            event: line.row.into(),
            actor: line.actor_uuid.zip(line.actor_name),
            device: line.device_name,
            drive: line.drive_uuid.zip(line.drive_name),
        }
    }
}

/// Lines after a sequence number that a user may see, oldest first.
///
/// # Errors
/// The catalogue's.
pub async fn after(tx: &mut Tx, seq: i64, viewer: i64, sees_all: bool, limit: i64) -> Result<Vec<Line>> {
    let rows: Vec<LineRow> =
        sql::query(AFTER).bind(seq).bind(sees_all).bind(viewer).bind(limit).fetch_all(tx).await?;
    Ok(rows.into_iter().map(Line::from).collect())
}

const LAST: &str = "SELECT COALESCE(MAX(id), 0) FROM events";

/// Sequence of the newest line, whoever may see it; 0 when there is none.
///
/// # Errors
/// The catalogue's.
pub async fn last(tx: &mut Tx) -> Result<i64> {
    Ok(sql::query(LAST).fetch_one(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    INSERT, AFTER, LAST
};
