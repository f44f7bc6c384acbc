//! MOVE and COPY: one act each, so that what is at the destination is never gone before something else is there.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::DrivePath;

use super::address::{Place, path_of_url};
use super::conditions::{self, Touched, path_in_drive};
use super::{Depth, Inside, depth};
use crate::error::{Error, Kind, Result};
use crate::http::entry::placement;
use crate::http::problem::Problem;
use crate::http::upload;
use crate::service::files::{self, Transfer};

const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

/// Which of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Move,
    Copy,
}

/// Moves or copies what the request is about to its `Destination`.
pub(super) async fn handle(inside: Inside, verb: Verb, parts: &Parts) -> Result<Response, Problem> {
    let headers = &parts.headers;
    let to = match destination(&inside, headers).await? {
        Some(to) => to,
        // RFC 4918, section 9.9.4: what lies elsewhere is not reached by this server's own act.
        None => return Ok(StatusCode::BAD_GATEWAY.into_response()),
    };
    let transfer = read(&inside, verb, headers, to).await?;
    let (from, to) = (transfer.from.clone(), transfer.to.clone());
    let mut touched = vec![Touched { path: &to, deep: true, member: true }];
    if verb == Verb::Move {
        touched.push(Touched { path: &from, deep: true, member: true });
    }
    conditions::check(&inside, headers, &touched).await?;
    let (overwrite, mounted, who) = (transfer.overwrite, Arc::clone(&inside.mounted), inside.who);
    let act = async move {
        match verb {
            Verb::Move => files::rename(&mounted, who, transfer).await,
            Verb::Copy => files::copy(&mounted, who, transfer).await,
        }
    };
    let done = inside.app.act(act).await.map_err(|error| as_dav(error, overwrite))?;
    if verb == Verb::Move {
        inside.locks.forget(inside.drive(), &from).await;
    }
    let status = if done.value.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok((status, placement(done.placed)).into_response())
}

async fn read(inside: &Inside, verb: Verb, headers: &HeaderMap, to: DrivePath) -> Result<Transfer> {
    if inside.path.is_root() || to.is_root() {
        return Err(Error::forbidden("a drive is not moved, copied or replaced over the network drive"));
    }
    if inside.path == to {
        return Err(Error::forbidden("source and destination are the same"));
    }
    let depth = depth(headers)?;
    if depth == Depth::One || (depth == Depth::Zero && verb == Verb::Move) {
        return Err(Error::malformed("the header Depth is not possible here"));
    }
    Ok(Transfer {
        from: inside.path.clone(),
        to,
        expect: upload::expectation(&inside.mounted, &inside.path, headers).await?,
        overwrite: overwrite(headers)?,
        parents: false,
        shallow: depth == Depth::Zero,
    })
}

/// Where to; `None` for another server or drive.
async fn destination(inside: &Inside, headers: &HeaderMap) -> Result<Option<DrivePath>> {
    let bad = || Error::malformed("the header Destination is missing or not understood");
    let url = headers.get(DESTINATION).ok_or_else(bad)?.to_str().map_err(|_| bad())?.trim();
    // What cannot be a path is said to be such before it is taken for another drive's.
    match Place::parse(path_of_url(url)) {
        Err(error) if error.kind() != Kind::NotFound => Err(error),
        _ => Ok(path_in_drive(inside, url).await),
    }
}

/// `Overwrite`, yes when absent (RFC 4918, section 10.6).
fn overwrite(headers: &HeaderMap) -> Result<bool> {
    match headers.get(OVERWRITE).map(|value| value.as_bytes()) {
        None | Some(b"T" | b"t") => Ok(true),
        Some(b"F" | b"f") => Ok(false),
        Some(_) => Err(Error::malformed("the header Overwrite is neither T nor F")),
    }
}

/// What is there although nothing may be overwritten is 412 here (RFC 4918, section 9.9.4), 409 over REST.
fn as_dav(error: Error, overwrite: bool) -> Error {
    if !overwrite && error.problem_code() == Some("exists") {
        return Error::precondition("something is at the destination, and Overwrite says F").code("exists");
    }
    error
}
