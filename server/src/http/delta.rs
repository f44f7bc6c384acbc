//! Differences over HTTP: down as the answer to a GET (RFC 3229), up as the body of a PATCH (RFC 5789).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::{self, Step};

use super::conditions::{self, Asked, Verdict};
use super::upload::{self, Target};
use super::{content, fields};
use crate::app::App;
use crate::error::{Error, Kind, Result};
use crate::service::act;
use crate::service::content::Opened;
use crate::service::delta::{Patch, between};
use crate::service::files::{Done, Expect, PutDone};
use crate::service::placement::Mounted;
use crate::store::{FinishHints, Phys};

const A_IM: HeaderName = HeaderName::from_static("a-im");
const IM: HeaderName = HeaderName::from_static("im");
const DELTA_BASE: HeaderName = HeaderName::from_static("delta-base");

/// Answers a GET with the difference to the content that the client says it has, if it asks for that and there is one worth
/// sending; else gives the opened content back.
///
/// # Errors
/// 400 for headers that are no text, 503 when a content cannot be read now.
pub async fn answer(
    mounted: &Arc<Mounted>,
    opened: Opened,
    name: &str,
    headers: &HeaderMap,
) -> Result<std::result::Result<Response, Opened>> {
    let current = content::current(&opened);
    let Some(base) = wanted(headers) else { return Ok(Err(opened)) };
    if conditions::for_reading(headers, &current)? != Verdict::Send {
        return Ok(Err(opened));
    }
    let opened = Arc::new(opened);
    let Some(steps) = between(mounted, base, &opened).await? else {
        return Arc::into_inner(opened)
            .map(Err)
            .ok_or_else(|| Error::internal("a content that is still read"));
    };
    let mut answer = HeaderMap::new();
    content::describe(&mut answer, &opened, name, &current);
    answer.remove(ACCEPT_RANGES);
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(delta::MEDIA_TYPE));
    answer.insert(CONTENT_LENGTH, delta::size_of(&steps).into());
    answer.insert(IM, HeaderValue::from_static(delta::CODING));
    if let Ok(tag) = HeaderValue::try_from(format!("\"{base}\"")) {
        answer.insert(DELTA_BASE, tag);
    }
    Ok(Ok((StatusCode::IM_USED, answer, body(opened, steps)).into_response()))
}

/// The content to which a client asks for the difference.
fn wanted(headers: &HeaderMap) -> Option<ContentHash> {
    let accepted = headers.get(A_IM)?.to_str().ok()?;
    let accepts =
        accepted.split(',').any(|coding| coding.split(';').next().map(str::trim) == Some(delta::CODING));
    if !accepts || headers.contains_key(RANGE) {
        return None;
    }
    headers.get(IF_NONE_MATCH)?.to_str().ok()?.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn body(opened: Arc<Opened>, steps: Vec<Step>) -> Body {
    let head = Bytes::copy_from_slice(&delta::head(opened.size()));
    let told = stream::iter(steps).flat_map(move |step| {
        let written = stream::iter([Ok(Bytes::from(delta::written(&step)))]);
        let bytes = match step {
            Step::New(range) => range,
            Step::Copy(_) => 0..0,
        };
        written.chain(Arc::clone(&opened).shared(bytes))
    });
    let end = stream::iter([Ok(Bytes::copy_from_slice(&delta::end()))]);
    Body::from_stream(stream::iter([Ok(head)]).chain(told).chain(end))
}

/// Receives the difference to a file's current content and makes the result the current one.
///
/// # Errors
/// 415 for a body of another kind; 422 without the content it is based on (`If-Match`) or without the digest of the
/// result, and for what is no delta or makes another content; else those of a PUT. Nothing is changed then.
pub async fn patch(app: &App, target: Target<'_>, headers: &HeaderMap, body: Body) -> Result<Done<PutDone>> {
    act::could_change(target.drive)?;
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes() != delta::MEDIA_TYPE.as_bytes()) {
        return Err(Error::new(Kind::UnsupportedMedia, "a file is patched by a delta")
            .with("accept", delta::MEDIA_TYPE));
    }
    let Asked::Expect(Expect::Content(base)) = conditions::asked(headers)? else {
        return Err(Error::invalid("If-Match must name the one content that the delta is based on"));
    };
    let mut declared = upload::declared(app, headers)?;
    // It is the delta's.
    declared.size = None;
    if declared.hash.is_none() {
        return Err(Error::invalid("Repr-Digest must name the SHA-256 of the result"));
    }
    let hints = FinishHints { mtime_ns: fields::declared_mtime(headers)?, at: Some(Phys::from(target.path)) };
    let mut patch = Patch::begin(target.mounted, target.path, base, declared).await?;
    let mut stream = body.into_data_stream();
    while let Some(bytes) = upload::arriving(&mut stream).await? {
        patch.write(&bytes).await?;
    }
    let blob = patch.finish(hints).await?;
    upload::commit(app, target, blob, Expect::Content(base)).await
}
