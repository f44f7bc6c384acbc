//! `POST /api/drives/{drive}/contents`

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, future, stream};
use holdfast_protocol::batch::{self, ContentHeader, ContentWanted, ContentsWanted};

use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::http::extract::{Json, Path};
use crate::http::problem::{self, Problem};
use crate::http::target::path_in;
use crate::service::caller::Caller;
use crate::service::contents::{self, Content, Which};
use crate::service::placement::Mounted;

/// Contents that are read ahead of the client: so many are in memory at most.
const AHEAD: usize = 4;

/// Sends the contents of many small files.
///
/// For each file that is asked for, in the same order, a record: a header as JSON in one line, and behind it as many bytes of
/// content as its `size` says. What cannot be had has a `status` of its own and no content: 404, 412 where it is not the `hash`
/// that was asked for, 413 beyond 1 MiB (get it by itself) and where the whole would be beyond 64 MiB (ask again).
#[utoipa::path(post, path = "/api/drives/{drive}/contents", tag = "sync",
    params(("drive" = String, Path, description = "UUID or name")),
    request_body = ContentsWanted,
    responses((status = 200, description = "A header a line, the content behind it",
        body = ContentHeader, content_type = "application/x-holdfast-batch")))]
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
    Json(wanted): Json<ContentsWanted>,
) -> Result<Response, Problem> {
    let (_, mounted) = app.drives.reach(caller.user_id, Some(&drive)).await?;
    if wanted.files.len() > batch::MOST_RECORDS {
        let error = Error::new(Kind::TooLarge, "too many files are asked for at once").code("too-large");
        return Err(error.with("limit", batch::MOST_RECORDS as u64).into());
    }
    let address = format!("/api/drives/{drive}/contents");
    let contents = stream::iter(wanted.files).map(move |file| one(Arc::clone(&mounted), file));
    let records = contents
        .buffered(AHEAD)
        .scan(0, move |sent, content| future::ready(Some(record(content, sent, &address))));
    Ok(([(CONTENT_TYPE, batch::CONTENT_TYPE)], Body::from_stream(records)).into_response())
}

async fn one(mounted: Arc<Mounted>, file: ContentWanted) -> Result<Content> {
    let which = match (file.id, file.path) {
        (Some(id), None) => Which::Node(id),
        (None, Some(path)) => Which::Path(path_in(&path)?),
        _ => return Err(Error::invalid("a file is asked for by its id or by its path")),
    };
    contents::read(&mounted, which, file.hash, batch::MOST_EACH).await
}

/// A record; an answer has a limit as a whole.
fn record(content: Result<Content>, sent: &mut u64, address: &str) -> Result<Bytes> {
    let fits = |content: Content| {
        if *sent + content.bytes.len() as u64 > batch::MOST_BYTES {
            return Err(
                Error::new(Kind::TooLarge, "the answer is full; ask for this again").code("answer-full")
            );
        }
        Ok(content)
    };
    let (header, bytes) = match content.and_then(fits) {
        Ok(content) => {
            let header = ContentHeader {
                status: 200,
                size: content.bytes.len() as u64,
                id: Some(content.id),
                hash: Some(content.hash),
                mtime_ns: Some(content.mtime_ns),
                problem: None,
            };
            (header, content.bytes)
        }
        Err(error) => {
            let status = problem::status(error.kind()).as_u16();
            let problem = Some(problem::as_fields(&error, address));
            (ContentHeader { status, problem, ..ContentHeader::default() }, Bytes::new())
        }
    };
    let mut record = batch::header(&header).map_err(Error::internal)?;
    *sent += bytes.len() as u64;
    record.extend_from_slice(&bytes);
    Ok(Bytes::from(record))
}
