//! LOCK and UNLOCK (RFC 4918, sections 9.10 and 9.11).

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::multistatus::xml;
use super::props::write_lock;
use super::xml::{DAV, Element};
use super::{Depth, Inside, body, depth};
use crate::domain::locks::{id_of, token};
use crate::error::{Error, Kind, Result};
use crate::http::entry::placement;
use crate::service::locks::{self, Locking, Placed};

/// How long a lock holds when nobody says, or says "for ever".
const USUAL: i64 = 600;
/// Longest time that a lock holds without being refreshed, in seconds.
const LONGEST: i64 = 24 * 3600;
/// Longest word for who holds a lock, in bytes of XML.
const LONGEST_OWNER: usize = 4096;

const LOCK_TOKEN: HeaderName = HeaderName::from_static("lock-token");
const TIMEOUT: HeaderName = HeaderName::from_static("timeout");

/// Takes a lock, or refreshes one where the request has no body.
pub(super) async fn lock(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let timeout = timeout(&parts.headers).map(|seconds| seconds * 1_000_000);
    let Some(info) = body::read(body).await? else {
        let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
        let placed =
            inside.app.act(async move { locks::refresh(&mounted, who, path, timeout).await }).await?;
        return Ok(answer(inside, StatusCode::OK, &placed));
    };
    let deep = match depth(&parts.headers)? {
        Depth::Zero => false,
        Depth::Infinity => true,
        Depth::One => return Err(Error::malformed("a lock's Depth is 0 or infinity")),
    };
    let (shared, owner) = read(&info)?;
    let timeout = timeout.unwrap_or(USUAL * 1_000_000);
    let wanted = Locking { path: inside.path.clone(), shared, deep, owner, timeout };
    let (mounted, who) = (Arc::clone(&inside.mounted), inside.who.clone());
    let made = inside.app.act(async move { locks::lock(&mounted, who, wanted).await }).await?;
    let status = if made.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer(inside, status, &made.placed);
    let headers = response.headers_mut();
    headers.extend(placement(made.is_placed));
    if let Ok(token) = HeaderValue::try_from(format!("<{}>", token(made.placed.lock.uuid))) {
        headers.insert(LOCK_TOKEN, token);
    }
    Ok(response)
}

fn answer(inside: &Inside, status: StatusCode, placed: &Placed) -> Response {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery>",
    );
    write_lock(&mut out, placed, &inside.place);
    out.push_str("</D:lockdiscovery></D:prop>\n");
    xml(status, out)
}

/// Whether it shall be shared, and the client's word for who holds it.
fn read(info: &Element) -> Result<(bool, Option<String>)> {
    let bad = || Error::malformed("the body is no lockinfo");
    if !info.name.is(DAV, "lockinfo") {
        return Err(bad());
    }
    let scope = info.dav("lockscope").ok_or_else(bad)?;
    let shared = match (scope.dav("exclusive"), scope.dav("shared")) {
        (Some(_), None) => false,
        (None, Some(_)) => true,
        _ => return Err(bad()),
    };
    if info.dav("locktype").and_then(|kind| kind.dav("write")).is_none() {
        return Err(Error::invalid("there are locks for writing only"));
    }
    let owner = info.dav("owner").map(Element::inner_xml);
    if owner.as_ref().is_some_and(|owner| owner.len() > LONGEST_OWNER) {
        return Err(Error::new(Kind::TooLarge, "the owner of a lock is too long"));
    }
    Ok((shared, owner))
}

/// The first time of the header `Timeout` that is understood (RFC 4918, section 10.7), in seconds, within bounds.
fn timeout(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    text.split(',').find_map(|one| {
        let one = one.trim();
        if one.eq_ignore_ascii_case("infinite") {
            return Some(LONGEST);
        }
        let digits = one.get(..7).filter(|word| word.eq_ignore_ascii_case("second-")).map(|_| &one[7..])?;
        let seconds = digits.parse::<i64>().ok()?;
        Some(seconds.clamp(1, LONGEST))
    })
}

/// Ends a lock.
pub(super) async fn unlock(inside: &Inside, parts: &Parts) -> Result<Response> {
    let bad = || Error::malformed("the header Lock-Token is missing or not understood");
    let text = parts.headers.get(LOCK_TOKEN).ok_or_else(bad)?.to_str().map_err(|_| bad())?.trim();
    let inner = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or_else(bad)?;
    // A token that none of ours can be is the token of no lock here.
    let id = id_of(inner).unwrap_or(Uuid::nil());
    let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
    inside.app.act(async move { locks::unlock(&mounted, who, path, id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
