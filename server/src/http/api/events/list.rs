//! `GET /api/events`

use axum::extract::State;

use super::{After, Event, Events};
use crate::app::App;
use crate::http::extract::{Json, Query};
use crate::http::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::events;

/// Lists what happened, oldest first: admins see all, others what they did and what happened in their drives.
#[utoipa::path(get, path = "/api/events", tag = "events", params(After),
    responses((status = 200, body = Events)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(after): Query<After>,
) -> Result<Json<Events>, Problem> {
    let limit = i64::from(after.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let lines = events::list(&app, &caller, after.cursor, limit).await?;
    let next = lines.last().map_or(after.cursor, |line| line.event.seq).to_string();
    Ok(Json(Events { items: lines.into_iter().map(Event::from).collect(), next }))
}
