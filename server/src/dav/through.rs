//! What `dav-server` answers: OPTIONS, PROPFIND, PROPPATCH, MKCOL, LOCK and UNLOCK.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use dav_server::{DavHandler, DavMethod, DavMethodSet};

use super::address::Place;
use super::fs::{Context, Drives};
use super::locks::{Locks, Seen};
use super::{Depth, PREFIX, depth, not_allowed};
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::error::Error;
use crate::http::problem::Problem;
use crate::service::act;
use crate::service::caller::Caller;
use crate::service::files::Who;
use crate::service::placement::Mounted;

/// RFC 4918, section 9.1: a listing of everything beneath is refused.
const FINITE_DEPTH: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
     <D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n";

/// Answers a request by the crate. `reached` is the drive that it means something in.
pub async fn handle(
    app: &App,
    locks: &Locks,
    caller: &Caller,
    who: Who,
    place: &Place,
    reached: Option<(&Visible, &Arc<Mounted>)>,
    request: Request,
) -> Result<Response, Problem> {
    let method = request.method().clone();
    match method.as_str() {
        "OPTIONS" => {}
        "PROPFIND" => {
            if depth(request.headers())? == Depth::Infinity {
                let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"))];
                return Ok((StatusCode::FORBIDDEN, headers, FINITE_DEPTH).into_response());
            }
        }
        "MKCOL" | "PROPPATCH" | "LOCK" | "UNLOCK" => match reached {
            None => {
                return Err(Error::forbidden("drives are not made or changed over the network drive").into());
            }
            Some((visible, _)) => act::could_change(visible)?,
        },
        _ => return Err(not_allowed(&method).into()),
    }
    let context = Context {
        app: app.clone(),
        who,
        // The crate compares entity tags without their quotes, but writes them into listings as they are.
        quoted: method.as_str() == "PROPFIND",
        mounted: reached.map(|(_, mounted)| Arc::clone(mounted)),
    };
    let drive = reached.map(|(visible, _)| (visible.drive.uuid, place.clone()));
    let handler = DavHandler::<Context>::builder()
        .filesystem(Box::new(Drives))
        .locksystem(Box::new(Seen::new(locks, drive)))
        .strip_prefix(PREFIX)
        .methods(methods())
        .build_handler();
    let response = handler.handle_guarded(request, caller.user_uuid.to_string(), context).await;
    let mut response = response.map(Body::new);
    if method.as_str() == "OPTIONS" {
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("dav"), HeaderValue::from_static("1, 2, 3"));
    }
    Ok(response)
}

fn methods() -> DavMethodSet {
    let mut methods = DavMethodSet::all();
    for none in [DavMethod::Patch, DavMethod::Report, DavMethod::MkCalendar, DavMethod::MkAddressbook] {
        methods.remove(none);
    }
    methods
}
