//! The network drive: WebDAV (RFC 4918, classes 1, 2 and 3) over the same use cases as REST (design section 7).
//!
//! One file per method; each reads its headers and its body, calls one use case, and writes the answer. What a write may
//! do is decided in the use case's transaction: rights, conditions and locks.

mod address;
mod body;
mod conditions;
mod files;
mod if_header;
mod lock;
mod mkcol;
mod multistatus;
mod propfind;
mod proppatch;
mod props;
mod report;
mod transfer;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::ALLOW;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use holdfast_protocol::DrivePath;

use self::address::Place;
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::error::{Error, Kind, Result};
use crate::http::problem::{self, Problem};
use crate::http::target;
use crate::service::act;
use crate::service::caller::Caller;
use crate::service::files::Who;
use crate::service::locks::Guard;
use crate::service::placement::Mounted;

/// Where the network drive begins.
pub const PREFIX: &str = "/dav";
const DEPTH: HeaderName = HeaderName::from_static("depth");
/// What is possible in a drive.
const INSIDE: &str =
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK, REPORT";
/// What is possible above all drives.
const ABOVE: &str = "OPTIONS, PROPFIND";

/// The routes of the network drive.
pub fn routes() -> Router<App> {
    let handler = |State(app): State<App>, caller: Caller, request: Request| async move {
        handle(app, caller, request).await
    };
    Router::new().route("/dav", any(handler)).route("/dav/", any(handler)).route("/dav/{*path}", any(handler))
}

/// What is outside of the network drive and of everything else: a client that mounts something looks at all that lies
/// above it, and asks anywhere what is possible.
pub async fn outside(app: App, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    match parts.method.as_str() {
        "OPTIONS" => {}
        "PROPFIND" if parts.uri.path() == "/" => {}
        _ => return Err(problem::nothing_here().await),
    }
    // Windows sends its credential only after it was refused once.
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    Ok(answer(app, &caller, &Place::Above, &parts, body).await?)
}

/// A request that means something inside a drive.
struct Inside {
    app: App,
    who: Who,
    visible: Visible,
    mounted: Arc<Mounted>,
    place: Place,
    path: DrivePath,
}

async fn handle(app: App, caller: Caller, request: Request) -> Result<Response, Problem> {
    let place = Place::parse(request.uri().path())?;
    let (parts, body) = request.into_parts();
    let done = answer(app, &caller, &place, &parts, body).await;
    Ok(done.unwrap_or_else(|error| multistatus::told(error, &place)))
}

async fn answer(app: App, caller: &Caller, place: &Place, parts: &Parts, body: Body) -> Result<Response> {
    let method = parts.method.as_str();
    if method == "OPTIONS" {
        return Ok(options(place));
    }
    let Place::Inside { drive, path, .. } = place else {
        return match method {
            "PROPFIND" => propfind::handle_drives(&app, caller, place, parts, body).await,
            "PUT" | "DELETE" | "MKCOL" | "COPY" | "MOVE" | "PROPPATCH" | "LOCK" | "UNLOCK" => {
                Err(Error::forbidden("drives are not made or changed over the network drive"))
            }
            _ => Err(not_allowed(&parts.method)),
        };
    };
    // Asked before anything else: a drive that is offline is 503, never "not found" (promise P8).
    let (visible, mounted) = app.drives.reach(caller.user_id, Some(drive)).await?;
    // A file saved through the mount is no sync act, whatever its headers say (design section 6).
    let mut guard = Guard::default();
    if !matches!(method, "GET" | "HEAD" | "PROPFIND" | "REPORT") {
        act::could_change(&visible)?;
        guard = conditions::guard(&app, caller.user_id, &visible, path, &parts.headers).await?;
    }
    let who = target::who(caller, None, guard);
    let inside = Inside { app, who, visible, mounted, place: place.clone(), path: path.clone() };
    match method {
        "GET" | "HEAD" => files::get(&inside, parts).await,
        "PUT" => files::put(&inside, parts, body).await,
        "DELETE" => files::delete(&inside, parts).await,
        "MOVE" => transfer::handle(inside, transfer::Verb::Move, parts).await,
        "COPY" => transfer::handle(inside, transfer::Verb::Copy, parts).await,
        "MKCOL" => mkcol::handle(&inside, parts, body).await,
        "PROPFIND" => propfind::handle(&inside, parts, body).await,
        "REPORT" => report::handle(&inside, parts, body).await,
        "PROPPATCH" => proppatch::handle(&inside, parts, body).await,
        "LOCK" => lock::lock(&inside, parts, body).await,
        "UNLOCK" => lock::unlock(&inside, parts).await,
        _ => Err(not_allowed(&parts.method)),
    }
}

fn options(place: &Place) -> Response {
    let allow = if matches!(place, Place::Inside { .. }) { INSIDE } else { ABOVE };
    let headers = [
        (HeaderName::from_static("dav"), HeaderValue::from_static("1, 2, 3, extended-mkcol")),
        // Windows mounts nothing without it.
        (HeaderName::from_static("ms-author-via"), HeaderValue::from_static("DAV")),
        (ALLOW, HeaderValue::from_static(allow)),
    ];
    (StatusCode::OK, headers).into_response()
}

/// The value of `Depth` (RFC 4918, section 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Zero,
    One,
    Infinity,
}

/// `Depth`, infinity when absent.
fn depth(headers: &HeaderMap) -> Result<Depth> {
    match headers.get(DEPTH).map(|value| value.as_bytes().to_ascii_lowercase()).as_deref() {
        None | Some(b"infinity") => Ok(Depth::Infinity),
        Some(b"0") => Ok(Depth::Zero),
        Some(b"1") => Ok(Depth::One),
        Some(_) => Err(Error::malformed("the header Depth is not 0, 1 or infinity")),
    }
}

fn not_allowed(method: &Method) -> Error {
    Error::new(Kind::NotAllowed, format!("{method} is not possible here"))
}
