//! The network drive: WebDAV (RFC 4918) over the same use cases as REST (design section 7).
//!
//! `dav-server` speaks what it is good at: OPTIONS, PROPFIND, PROPPATCH, MKCOL, LOCK and UNLOCK. What moves or sends content
//! is ours, in front of it: one use case each, finished whether or not the client stays.

mod address;
mod conditions;
mod files;
mod fs;
mod if_header;
mod locks;
mod through;
mod transfer;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::response::Response;
use axum::routing::any;
use uuid::Uuid;

use self::address::Place;
use self::locks::Locks;
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::error::{Error, Kind, Result};
use crate::http::problem::Problem;
use crate::http::target;
use crate::service::caller::Caller;
use crate::service::files::Who;
use crate::service::placement::Mounted;
use holdfast_protocol::DrivePath;

/// Where the network drive begins.
pub const PREFIX: &str = "/dav";
const DEPTH: HeaderName = HeaderName::from_static("depth");

/// The routes of the network drive.
pub fn routes() -> Router<App> {
    let locks = Locks::default();
    let handler = move |state: State<App>, caller: Caller, request: Request| {
        let locks = locks.clone();
        async move { handle(state.0, locks, caller, request).await }
    };
    Router::new()
        .route("/dav", any(handler.clone()))
        .route("/dav/", any(handler.clone()))
        .route("/dav/{*path}", any(handler))
}

/// A request that means something inside a drive.
struct Inside {
    app: App,
    locks: Locks,
    who: Who,
    /// Whose locks these are.
    principal: String,
    visible: Visible,
    mounted: Arc<Mounted>,
    path: DrivePath,
}

impl Inside {
    fn drive(&self) -> Uuid {
        self.visible.drive.uuid
    }
}

async fn handle(app: App, locks: Locks, caller: Caller, request: Request) -> Result<Response, Problem> {
    let place = Place::parse(request.uri().path())?;
    // A file saved through the mount is no sync act, whatever its headers say (design section 6).
    let who = target::who(&caller, None);
    let Place::Inside { drive, path, .. } = &place else {
        return through::handle(&app, &locks, &caller, who, &place, None, request).await;
    };
    // Asked before anything else: a drive that is offline is 503, never "not found" (promise P8).
    let (visible, mounted) = app.drives.reach(caller.user_id, Some(drive)).await?;
    let inside = Inside {
        app: app.clone(),
        locks: locks.clone(),
        who,
        principal: caller.user_uuid.to_string(),
        visible,
        mounted,
        path: path.clone(),
    };
    let (parts, body) = request.into_parts();
    match parts.method.as_str() {
        "GET" | "HEAD" => files::get(&inside, &parts).await,
        "PUT" => files::put(&inside, &parts, body).await,
        "DELETE" => files::delete(&inside, &parts).await,
        "MOVE" => transfer::handle(inside, transfer::Verb::Move, &parts).await,
        "COPY" => transfer::handle(inside, transfer::Verb::Copy, &parts).await,
        _ => {
            let reached = Some((&inside.visible, &inside.mounted));
            let request = Request::from_parts(parts, body);
            through::handle(&app, &locks, &caller, who, &place, reached, request).await
        }
    }
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
