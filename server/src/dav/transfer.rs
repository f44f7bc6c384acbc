//! MOVE and COPY: one act each, so that what is at the destination is never gone before something else is there.

use std::sync::Arc;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::DrivePath;

use super::address::{Place, path_of_url};
use super::conditions::path_in_drive;
use super::{Depth, Inside, depth};
use crate::error::{Error, Kind, Result};
use crate::http::entry::placement;
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
pub(super) async fn handle(inside: Inside, verb: Verb, parts: &Parts) -> Result<Response> {
    let headers = &parts.headers;
    let to = destination(&inside, headers).await?;
    let transfer = read(&inside, verb, headers, to).await?;
    let (overwrite, mounted, who) = (transfer.overwrite, Arc::clone(&inside.mounted), inside.who.clone());
    let act = async move {
        match verb {
            Verb::Move => files::rename(&mounted, who, transfer).await,
            Verb::Copy => files::copy(&mounted, who, transfer).await,
        }
    };
    let done = inside.app.act(act).await.map_err(|error| as_dav(error, overwrite))?;
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

/// Where to, in the same drive.
async fn destination(inside: &Inside, headers: &HeaderMap) -> Result<DrivePath> {
    let bad = || Error::malformed("the header Destination is missing or not understood");
    let url = headers.get(DESTINATION).ok_or_else(bad)?.to_str().map_err(|_| bad())?.trim();
    // What cannot be a path is said to be such before it is taken for another drive's.
    match Place::parse(path_of_url(url)) {
        Err(error) if error.kind() != Kind::NotFound => return Err(error),
        _ => {}
    }
    let elsewhere = || Error::new(Kind::Elsewhere, "the Destination is not in the same drive of this server");
    if !is_this_server(url, headers) {
        return Err(elsewhere());
    }
    path_in_drive(&inside.app, inside.who.user_id, &inside.visible, url).await.ok_or_else(elsewhere)
}

/// Whether a URL names the server that the request was sent to, by the name that the client, or a proxy in between, calls
/// it. The scheme is not looked at: behind a proxy the client's is another.
fn is_this_server(url: &str, headers: &HeaderMap) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return true };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let plain = |host: &str| {
        let host = host.trim().to_ascii_lowercase();
        host.strip_suffix(":80").or(host.strip_suffix(":443")).map_or(host.clone(), str::to_owned)
    };
    let names = [HOST.as_str(), "x-forwarded-host"]
        .map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let mut known = names.into_iter().flatten().flat_map(|list| list.split(',')).peekable();
    // HTTP/2 has no such header; its address was checked to be ours when the connection was made.
    known.peek().is_none() || known.any(|name| plain(name) == plain(host))
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
