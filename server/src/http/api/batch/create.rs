//! `POST /api/drives/{drive}/batch`

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::batch::{self, BatchAct, BatchResult};

use super::step;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::api::moves;
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::once::{self, Fingerprint};
use crate::http::problem::{self, Problem};
use crate::http::records;
use crate::service::act;
use crate::service::batch::{Acted, Batch};

const NDJSON: &str = "application/x-ndjson";

/// Carries out many small acts, durable once for all of them.
///
/// The body is one record after another: an act as JSON in one line, and behind a `put` exactly as many bytes of content as
/// its `size` says. At most 2000 acts, 1 MiB each and 64 MiB in all (413 beyond). Acts are done in their order, each as a
/// request of its own would be; one that is refused takes none of the others along. The answer has a line for each, in the
/// same order. A body that breaks off, or that cannot be taken apart, has done nothing at all.
#[utoipa::path(post, path = "/api/drives/{drive}/batch", tag = "sync",
    params(
        ("drive" = String, Path, description = "UUID or name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same again within a day gets the same answer"),
        ("Holdfast-Device" = Option<String>, Header, description = "Which of the caller's devices does this"),
    ),
    request_body(content = BatchAct, content_type = "application/x-holdfast-batch",
        description = "An act a line, the content of a put behind it"),
    responses((status = 200, description = "What became of each, a line each",
        body = BatchResult, content_type = "application/x-ndjson")))]
pub async fn create(
    State(app): State<App>,
    caller: CallerOn,
    Path(drive): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (visible, mounted) = app.drives.reach(caller.0.user_id, Some(&drive)).await?;
    act::could_change(&visible)?;
    let who = caller.who();
    let key = once::key(&headers)?;
    let mut print = Fingerprint::of("batch", mounted.uuid, &who)?;
    let mut records = records::Reader::begin(&headers, body)?;
    let mut batch = Batch::begin(&mounted, who.clone(), app.config.limits.upload_size);
    while let Some(act) = records.header::<BatchAct>().await? {
        let content = records.content(act.size()).await?;
        if key.is_some() {
            print.add(&act)?;
            print.bytes(&content);
        }
        batch.add(step::read(act, &who), content).await?;
    }
    // What was staged of a batch that was carried out before is dropped.
    let once = match once::asked(&app, &who, key, print, moves::told).await? {
        Ok(once) => once,
        Err(body) => return Ok(once::again(StatusCode::OK, NDJSON, body)),
    };
    let (path, acting) = (format!("/api/drives/{drive}/batch"), app.clone());
    let lines = app.act(async move {
        let lines = told(&path, batch.commit().await?)?;
        if let Some(once) = once
            && let Err(error) = once.answered(&acting, lines.clone()).await
        {
            tracing::warn!(%error, "the answer to a batch is not kept");
        }
        Ok(lines)
    });
    Ok(([(CONTENT_TYPE, NDJSON)], lines.await?).into_response())
}

/// A line for each act.
fn told(path: &str, done: Vec<Result<Acted>>) -> Result<String> {
    let mut lines = Vec::new();
    for one in done {
        let result = match one {
            Ok(acted) => of_act(acted),
            Err(error) => BatchResult {
                status: problem::status(error.kind()).as_u16(),
                problem: Some(problem::as_fields(&error, path)),
                ..BatchResult::default()
            },
        };
        lines.extend(batch::header(&result).map_err(Error::internal)?);
    }
    String::from_utf8(lines).map_err(Error::internal)
}

fn of_act(acted: Acted) -> BatchResult {
    let file = acted.node.as_ref().filter(|node| node.is_file());
    BatchResult {
        status: match (&acted.node, acted.created) {
            (None, _) => 204,
            (Some(_), true) => 201,
            (Some(_), false) => 200,
        },
        id: acted.node.as_ref().map(|node| node.uuid),
        hash: file.and_then(|node| node.content_hash()),
        size: file.map(|node| node.size.cast_unsigned()),
        mtime_ns: file.map(|node| node.mtime_ns),
        version: acted.version,
        placement: (!acted.placed).then(|| "pending".to_owned()),
        problem: None,
    }
}
