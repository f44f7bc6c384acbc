//! The activity log.

mod list;
mod stream;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::events::Line;
use crate::http::time::Timestamp;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(stream::stream))
}

/// A line of the activity log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its place in the log.
    seq: i64,
    /// Its id.
    id: Uuid,
    /// When.
    at: Timestamp,
    /// What happened, e.g. `file-written`.
    kind: String,
    /// `ok`, or why not.
    result: String,
    /// Who.
    actor: Option<Named>,
    /// On which device, as it calls itself.
    device_id: Option<String>,
    /// In which drive.
    drive: Option<Named>,
    /// To which path of the drive.
    path: Option<String>,
    /// More for programs; depends on the kind.
    detail: Map<String, Value>,
}

/// Something by id and name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Named {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
}

impl From<Line> for Event {
    fn from(line: Line) -> Self {
        let named = |(id, name)| Named { id, name };
        Self {
            seq: line.event.seq,
            id: line.event.uuid,
            at: Timestamp(line.event.at),
            kind: line.event.kind,
            result: line.event.result,
            actor: line.actor.map(named),
            device_id: line.device,
            drive: line.drive.map(named),
            path: line.event.path,
            detail: line.event.detail,
        }
    }
}

/// A page of the activity log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    /// The lines, oldest first.
    items: Vec<Event>,
    /// Where to go on: the sequence of the last line seen. Never null; ask again with it for what comes later.
    next: String,
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct After {
    /// Most lines to return: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of an earlier page, or a line's `seq`; from the beginning when absent.
    #[serde(default)]
    #[param(minimum = 0)]
    cursor: i64,
}

/// What a stream is to tell.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `drive` (heads of drives), `events` (the activity log), or both with a comma between; `drive` when absent.
    topics: Option<String>,
    /// The activity log from after this line on (`seq`, or `next` of `GET /api/events`); from now on when absent.
    #[param(minimum = 0)]
    cursor: Option<i64>,
}
