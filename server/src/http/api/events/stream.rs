//! `GET /api/events/stream`

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Event, Wanted};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::auth::{self, Sender};
use crate::http::extract::Query;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::follow::{Follower, News, Topics};

/// By which a client that was cut off says what it has seen (HTML, section 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";
const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";

/// A drive's head.
#[derive(Debug, Serialize, ToSchema)]
pub struct Head {
    /// The drive.
    drive: Uuid,
    /// Sequence of its newest change.
    seq: i64,
}

/// Tells what happens while it happens, until the client leaves or its credential ends.
///
/// `event: drive` with `{"drive": uuid, "seq": n}`: first for each drive that the caller may see, then whenever one has
/// changed. Whoever reads slowly is told of the newest change alone. `event: activity` with a line of the activity log as in
/// `GET /api/events`, its `seq` as the event's id: by `Last-Event-ID` a client goes on where it was cut off. At least every
/// 20 seconds something comes, be it a comment. With `Accept: application/x-ndjson` each is a line
/// `{"event": .., "data": ..}`, and the comment an empty line. An account may have 32 streams open (429 beyond).
#[utoipa::path(get, path = "/api/events/stream", tag = "events",
    params(Wanted,
        ("Last-Event-ID" = Option<i64>, Header, description = "As `cursor`, and counts before it"),
        ("Accept" = Option<String>, Header, description = "text/event-stream or application/x-ndjson")),
    responses((status = 200, description = "Events without end", content(
        (String = "text/event-stream"), (String = "application/x-ndjson")))))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    sender: Sender,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let topics = topics(&wanted, last_seen(&headers)?)?;
    let follower = Follower::begin(&app, &caller, topics).await?;
    let form = Form::asked(&headers);
    let telling = Telling { app, follower, sender, form };
    let body = Body::from_stream(stream::unfold(telling, Telling::next));
    let headers = [(CONTENT_TYPE.as_str(), form.name()), ("x-accel-buffering", "no")];
    Ok((headers, body).into_response())
}

fn topics(wanted: &Wanted, last_seen: Option<i64>) -> Result<Topics> {
    let mut topics = Topics::default();
    for topic in wanted.topics.as_deref().unwrap_or("drive").split(',') {
        match topic.trim() {
            "drive" => topics.drives = true,
            "events" => topics.activity = Some(last_seen.or(wanted.cursor)),
            _ => return Err(Error::invalid("there is no such topic").with("topics", vec!["drive", "events"])),
        }
    }
    Ok(topics)
}

fn last_seen(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    seq.map(Some).ok_or_else(|| Error::malformed("Last-Event-ID is not one of this stream"))
}

/// How it is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Sse,
    Lines,
}

impl Form {
    fn asked(headers: &HeaderMap) -> Self {
        let accepts = |kind| {
            let mut values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
            values.any(|value| value.to_ascii_lowercase().contains(kind))
        };
        if accepts(NDJSON) && !accepts(SSE) { Self::Lines } else { Self::Sse }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sse => SSE,
            Self::Lines => NDJSON,
        }
    }

    /// An event. JSON has no line breaks of its own, and so is one line of either.
    fn event(self, event: &str, id: Option<i64>, data: &impl Serialize) -> Result<Bytes> {
        let data = serde_json::to_string(data).map_err(Error::internal)?;
        let text = match self {
            Self::Sse => {
                let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
                format!("event: {event}\n{id}data: {data}\n\n")
            }
            Self::Lines => format!("{{\"event\":\"{event}\",\"data\":{data}}}\n"),
        };
        Ok(Bytes::from(text))
    }

    const fn comment(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Sse => b":\n\n",
            Self::Lines => b"\n",
        })
    }
}

/// A stream on its way out: asked for its next event only when the client has taken the one before.
struct Telling {
    app: App,
    follower: Follower,
    sender: Sender,
    form: Form,
}

impl Telling {
    async fn next(mut self) -> Option<(Result<Bytes>, Self)> {
        let told = self.event().await.transpose()?;
        if let Err(error) = &told {
            tracing::debug!(%error, "a stream of events ends");
        }
        // Ended rather than broken off: the client comes back and is told why, if it is told why.
        told.ok().map(|bytes| (Ok(bytes), self))
    }

    async fn event(&mut self) -> Result<Option<Bytes>> {
        loop {
            let event = match self.follower.next().await? {
                None => return Ok(None),
                Some(News::Head { drive, seq }) => self.form.event("drive", None, &Head { drive, seq })?,
                Some(News::Line(line)) => {
                    let (id, line) = (line.event.seq, Event::from(*line));
                    self.form.event("activity", Some(id), &line)?
                }
                Some(News::Beat { due }) => {
                    let caller =
                        auth::authenticate(&self.app, &self.sender.headers, self.sender.peer).await?;
                    self.follower.still(&caller);
                    if !due {
                        continue;
                    }
                    self.form.comment()
                }
            };
            return Ok(Some(event));
        }
    }
}
