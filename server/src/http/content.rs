//! Sending a content over HTTP: the same for files, versions and candidates, over REST and WebDAV.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::conditions::{self, Current, Verdict};
use super::fields::{self, MTIME_NS, PLACEMENT, REPR_DIGEST};
use super::problem::Problem;
use super::ranges::{self, Part};
use crate::error::{Error, Kind, Result};
use crate::service::content::{self, Opened};
use crate::service::listing;

/// Answers a GET or HEAD with an opened content, under the name it is saved by: whole or a range of it, 304 when the
/// client has it, 412 when it is not what the client expects.
///
/// # Errors
/// 400 for headers that are no text, 412, 416.
pub fn send(opened: Opened, name: &str, method: &Method, headers: &HeaderMap) -> Result<Response> {
    let current = current(&opened);
    match conditions::for_reading(headers, &current)? {
        Verdict::Failed => {
            let error = Error::precondition("the content is not the expected one");
            Err(error.with("actual_hash", opened.hash.map(|hash| hash.to_string())))
        }
        Verdict::NotModified => {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            validators(response.headers_mut(), &current, &opened);
            Ok(response)
        }
        Verdict::Send if *method == Method::HEAD => Ok(whole(opened, name, &current, true)),
        Verdict::Send => match ranges::part(headers, &current, opened.size()) {
            Part::Whole => Ok(whole(opened, name, &current, false)),
            Part::Bytes(range) => Ok(partial(opened, name, &current, range)),
            Part::Several(ranges) => Ok(several(opened, name, &current, ranges)),
            Part::Beyond => Ok(beyond(opened.size())),
        },
    }
}

/// Answers a HEAD with what devices told of a file whose content is not here.
///
/// # Errors
/// 400 for headers that are no text, 409 for a folder, 412.
pub fn told(there: &listing::Entry, headers: &HeaderMap) -> Result<Response> {
    let (node, hash) = (&there.node, there.node.content_hash());
    if node.is_folder() {
        return Err(content::folder(&there.path));
    }
    let tag = match &hash {
        Some(hash) => format!("\"{hash}\""),
        None => format!("W/\"{:x}-{:x}\"", node.size, node.mtime_ns),
    };
    let current = Current { tag, modified: node.mtime_ns.div_euclid(1_000_000_000) };
    let mut described = HeaderMap::new();
    tagged(&mut described, &current, node.mtime_ns);
    described.insert(PLACEMENT, HeaderValue::from_static("elsewhere"));
    match conditions::for_reading(headers, &current)? {
        Verdict::Failed => {
            let error = Error::precondition("the content is not the expected one");
            Err(error.with("actual_hash", hash.map(|hash| hash.to_string())))
        }
        Verdict::NotModified => Ok((StatusCode::NOT_MODIFIED, described).into_response()),
        Verdict::Send => {
            described.insert(CONTENT_TYPE, fields::content_type(&node.name));
            described.insert(CONTENT_LENGTH, node.size.cast_unsigned().into());
            if let Some(hash) = &hash {
                described.insert(REPR_DIGEST, fields::digest(hash));
            }
            Ok((StatusCode::OK, described, Body::empty()).into_response())
        }
    }
}

/// What conditions are compared with.
pub(super) fn current(opened: &Opened) -> Current {
    Current { tag: opened.etag(), modified: opened.mtime_ns().div_euclid(1_000_000_000) }
}

fn whole(opened: Opened, name: &str, current: &Current, head: bool) -> Response {
    let size = opened.size();
    let mut headers = HeaderMap::new();
    describe(&mut headers, &opened, name, current);
    headers.insert(CONTENT_LENGTH, size.into());
    let body = if head { Body::empty() } else { bytes_of(opened, 0..size) };
    (StatusCode::OK, headers, body).into_response()
}

fn partial(opened: Opened, name: &str, current: &Current, range: Range<u64>) -> Response {
    let mut headers = HeaderMap::new();
    describe(&mut headers, &opened, name, current);
    let told = format!("bytes {}-{}/{}", range.start, range.end - 1, opened.size());
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if let Ok(told) = HeaderValue::try_from(told) {
        headers.insert(CONTENT_RANGE, told);
    }
    (StatusCode::PARTIAL_CONTENT, headers, bytes_of(opened, range)).into_response()
}

/// In one piece where that is at hand.
fn bytes_of(opened: Opened, range: Range<u64>) -> Body {
    match opened.at_once(range.clone()) {
        Some(bytes) => Body::from(bytes),
        None => Body::from_stream(opened.stream(range)),
    }
}

/// Several ranges as `multipart/byteranges` (RFC 9110, section 14.6).
fn several(opened: Opened, name: &str, current: &Current, ranges: Vec<Range<u64>>) -> Response {
    let mut headers = HeaderMap::new();
    describe(&mut headers, &opened, name, current);
    // Drawn anew for each answer: nobody can have put it into the content beforehand.
    let boundary = Uuid::new_v4().simple().to_string();
    let size = opened.size();
    let kind = headers.remove(CONTENT_TYPE);
    let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or("application/octet-stream");
    let mut between = String::new();
    let mut length = 0;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let head = format!(
            "{between}--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: bytes {}-{}/{size}\r\n\r\n",
            range.start,
            range.end - 1
        );
        "\r\n".clone_into(&mut between);
        length += head.len() as u64 + (range.end - range.start);
        parts.push((Bytes::from(head), range));
    }
    let end = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    length += end.len() as u64;
    headers.insert(CONTENT_LENGTH, length.into());
    if let Ok(kind) = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let opened = Arc::new(opened);
    let parts = stream::iter(parts).flat_map(move |(head, range)| {
        let bytes = Arc::clone(&opened).shared(range);
        stream::once(async move { Ok(head) }).chain(bytes)
    });
    let body = Body::from_stream(parts.chain(stream::once(async move { Ok(end) })));
    (StatusCode::PARTIAL_CONTENT, headers, body).into_response()
}

fn beyond(size: u64) -> Response {
    let error =
        Error::new(Kind::RangeNotSatisfiable, "the range lies outside the content").with("size", size);
    let mut response = Problem::from(error).into_response();
    if let Ok(told) = HeaderValue::try_from(format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, told);
    }
    response
}

/// What an answer says of a content that it carries.
pub(super) fn describe(headers: &mut HeaderMap, opened: &Opened, name: &str, current: &Current) {
    validators(headers, current, opened);
    let content_type = fields::content_type(name);
    headers.insert(CONTENT_DISPOSITION, fields::disposition(name, &content_type));
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(hash) = &opened.hash {
        headers.insert(REPR_DIGEST, fields::digest(hash));
    }
}

fn validators(headers: &mut HeaderMap, current: &Current, opened: &Opened) {
    tagged(headers, current, opened.mtime_ns());
}

fn tagged(headers: &mut HeaderMap, current: &Current, mtime_ns: i64) {
    if let Ok(tag) = HeaderValue::try_from(current.tag.as_str()) {
        headers.insert(ETAG, tag);
    }
    if let Some(date) = fields::http_date(current.modified) {
        headers.insert(LAST_MODIFIED, date);
    }
    headers.insert(MTIME_NS, mtime_ns.into());
    // It may be kept, but must be asked for again each time: it changes, and so may the right to see it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}
