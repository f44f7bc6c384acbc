//! PROPFIND (RFC 4918, section 9.1): properties of something and of what is in it, streamed page by page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use holdfast_protocol::{DrivePath, fold_key};

use super::address::Place;
use super::multistatus::{BEGIN, END, precondition, xml};
use super::props::{Live, Quota, Shown, href};
use super::xml::{DAV, Element, Name, escape};
use super::{Depth, Inside, body, depth, report};
use crate::app::App;
use crate::catalog::drives::Right;
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::service::placement::Mounted;
use crate::service::properties::{self, Described, Page, Wanted};

/// Bytes that are written before they are sent.
pub const PIECE: usize = 64 * 1024;
/// Most properties that one request may name.
const MOST: usize = 1_000;

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// RFC 8144: the answer leaves out what it can.
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Whether a client would rather have a short answer (RFC 8144, section 2).
pub fn prefers_minimal(headers: &HeaderMap) -> bool {
    let brief = headers.get("brief").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"t"));
    let prefers = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split([',', ';']).any(|preference| preference.trim().eq_ignore_ascii_case("return=minimal"))
    });
    brief || prefers
}

/// Says in an answer that it was made short.
pub fn say_minimal(response: &mut Response) {
    response.headers_mut().insert(APPLIED, HeaderValue::from_static("return=minimal"));
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    properties: Vec<Property>,
    /// All that clients have set, too.
    all_dead: bool,
    /// Names alone.
    names_only: bool,
    /// What something does not have is left out.
    minimal: bool,
}

/// A property that was asked for.
#[derive(Debug, Clone)]
struct Property {
    name: Name,
    live: Option<Live>,
    /// The element without a value.
    empty: String,
    /// Told only where it is there.
    optional: bool,
}

impl Property {
    fn new(name: Name, optional: bool) -> Self {
        let mut empty = String::from("<");
        empty.push_str(&name.local);
        empty.push_str(" xmlns=\"");
        escape(&mut empty, &name.namespace);
        empty.push_str("\"/>");
        Self { live: Live::of(&name), name, empty, optional }
    }
}

impl Asked {
    /// Reads the body; none means all (RFC 4918, section 9.1).
    fn read(body: Option<&Element>, minimal: bool) -> Result<Self> {
        let all = || Live::all().map(|(name, _)| Property::new(name, true)).collect::<Vec<_>>();
        let asked = |properties, all_dead, names_only| Ok(Self { properties, all_dead, names_only, minimal });
        let Some(body) = body else { return asked(all(), true, false) };
        let bad = || Error::malformed("the body is no propfind");
        if !body.name.is(DAV, "propfind") {
            return Err(bad());
        }
        if let Some(prop) = body.dav("prop") {
            return Self::of_prop(Some(prop), minimal);
        }
        if body.dav("propname").is_some() {
            return asked(all(), true, true);
        }
        if body.dav("allprop").is_none() {
            return Err(bad());
        }
        let mut properties = all();
        for element in body.dav("include").into_iter().flat_map(Element::elements).take(MOST) {
            if !properties.iter().any(|known| known.name == element.name) {
                properties.push(Property::new(element.name.clone(), false));
            }
        }
        asked(properties, true, false)
    }

    /// The properties that are named in a `prop`.
    ///
    /// # Errors
    /// 400 for too many.
    pub(super) fn of_prop(prop: Option<&Element>, minimal: bool) -> Result<Self> {
        let mut properties: Vec<Property> = Vec::new();
        for element in prop.into_iter().flat_map(Element::elements) {
            if !properties.iter().any(|known| known.name == element.name) {
                properties.push(Property::new(element.name.clone(), false));
            }
            if properties.len() > MOST {
                return Err(Error::malformed("one request names no more than 1000 properties"));
            }
        }
        Ok(Self { properties, all_dead: false, names_only: false, minimal })
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            dead: self.all_dead
                || self.properties.iter().any(|property| property.live.is_none_or(Live::may_be_set)),
            locks: !self.names_only && self.has(Live::Locks),
            sums: !self.names_only && self.has(Live::OcChecksums),
        }
    }

    fn has(&self, live: Live) -> bool {
        self.properties.iter().any(|property| property.live == Some(live))
    }

    /// Writes a whole `response`.
    fn write(&self, out: &mut String, address: &str, shown: &Shown<'_>) {
        out.push_str("<D:response><D:href>");
        escape(out, address);
        out.push_str("</D:href><D:propstat><D:prop>");
        let dead = shown.described.map(|described| described.dead.as_slice()).unwrap_or_default();
        let mut missing: Vec<&Property> = Vec::new();
        let mut scratch = String::new();
        for property in &self.properties {
            let set = dead
                .iter()
                .find(|set| property.name.is(&set.namespace, &set.name))
                .map(|set| set.value.as_str());
            let before = out.len();
            let found = match (set, property.live) {
                (Some(value), _) => {
                    out.push_str(value);
                    true
                }
                (None, Some(live)) => shown.write(out, live),
                (None, None) => false,
            };
            if found && self.names_only {
                scratch.clear();
                scratch.push_str(&property.empty);
                out.truncate(before);
                out.push_str(&scratch);
            } else if !found && !property.optional {
                missing.push(property);
            }
        }
        if self.all_dead {
            for set in dead {
                if self.properties.iter().any(|property| property.name.is(&set.namespace, &set.name)) {
                    continue;
                }
                if self.names_only {
                    let name = Name { namespace: set.namespace.clone(), local: set.name.clone() };
                    out.push_str(&Property::new(name, true).empty);
                } else {
                    out.push_str(&set.value);
                }
            }
        }
        out.push_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        if !missing.is_empty() && !self.minimal {
            out.push_str("<D:propstat><D:prop>");
            for property in missing {
                out.push_str(&property.empty);
            }
            out.push_str("</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
        }
        out.push_str("</D:response>");
    }
}

/// What all responses of one answer share.
pub(super) struct Answering {
    asked: Asked,
    place: Place,
    path: DrivePath,
    /// The address of the folder, with a slash at its end.
    base: String,
    quota: Option<Quota>,
    editable: bool,
    name: String,
    /// Names what the drive holds, where that was asked for.
    token: Option<String>,
}

impl Answering {
    /// For what is asked about something in a drive.
    ///
    /// # Errors
    /// The catalogue's.
    pub(super) async fn new(inside: &Inside, asked: Asked) -> Result<Self> {
        let quota = match asked.has(Live::Free) || asked.has(Live::Used) {
            true => quota(&inside.mounted).await,
            false => None,
        };
        let token = match asked.has(Live::SyncToken) {
            true => properties::head(&inside.mounted).await?.map(report::token),
            false => None,
        };
        Ok(Self {
            base: href(&inside.place, &inside.path, true),
            asked,
            place: inside.place.clone(),
            path: inside.path.clone(),
            quota,
            editable: inside.visible.right >= Right::Edit,
            name: inside.path.name().map_or_else(|| inside.visible.drive.name.clone(), str::to_owned),
            token,
        })
    }

    /// What of each file and folder is needed for it.
    pub(super) fn wanted(&self) -> Wanted {
        self.asked.wanted()
    }

    /// Whether what is not there is left out.
    pub(super) fn is_minimal(&self) -> bool {
        self.asked.minimal
    }

    /// Where the drive is addressed.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Writes a whole `response` about what is at a path.
    pub(super) fn write(&self, out: &mut String, path: &DrivePath, described: &Described) {
        let address = href(&self.place, path, described.member.is_folder());
        self.asked.write(out, &address, &self.shown(described, &described.member.name));
    }

    fn write_top(&self, out: &mut String, top: &Described) {
        let address = href(&self.place, &self.path, top.member.is_folder());
        self.asked.write(out, &address, &self.shown(top, &self.name));
    }

    fn write_member(&self, out: &mut String, address: &mut String, member: &Described) {
        address.clear();
        address.push_str(&self.base);
        address.extend(super::address::segment(&member.member.name));
        if member.member.is_folder() {
            address.push('/');
        }
        self.asked.write(out, address, &self.shown(member, &member.member.name));
    }

    fn shown<'a>(&'a self, described: &'a Described, name: &'a str) -> Shown<'a> {
        Shown {
            described: Some(described),
            name,
            quota: self.quota,
            place: &self.place,
            editable: self.editable,
            token: self.token.as_deref(),
        }
    }
}

/// Answers a PROPFIND inside a drive.
pub(super) async fn handle(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let (asked, depth) = match read(parts, body).await? {
        Ok(read) => read,
        Err(refused) => return Ok(refused),
    };
    let answering = Answering::new(inside, asked).await?;
    let (wanted, minimal) = (answering.wanted(), answering.is_minimal());
    let page = properties::describe(&inside.mounted, &inside.path, wanted, depth == Depth::One).await?;
    let mut response =
        xml(StatusCode::MULTI_STATUS, stream_of(answering, page, wanted, Arc::clone(&inside.mounted)));
    if minimal {
        say_minimal(&mut response);
    }
    Ok(response)
}

/// What is asked for and how deep; `Err`: the refusal of an answer without end.
async fn read(parts: &Parts, body: Body) -> Result<std::result::Result<(Asked, Depth), Response>> {
    let depth = depth(&parts.headers)?;
    if depth == Depth::Infinity {
        // RFC 4918, section 9.1: a listing of everything beneath may be refused like this.
        return Ok(Err(precondition(StatusCode::FORBIDDEN, "<D:propfind-finite-depth/>")));
    }
    let body = body::read(body).await?;
    Ok(Ok((Asked::read(body.as_ref(), prefers_minimal(&parts.headers))?, depth)))
}

/// Used and free bytes where a drive lies; `None` when that cannot be told now.
async fn quota(mounted: &Arc<Mounted>) -> Option<Quota> {
    let store = Arc::clone(&mounted.store);
    let (free, total) = tokio::task::spawn_blocking(move || store.free_space()).await.ok()?.ok()?;
    Some(Quota { used: total.saturating_sub(free), free })
}

/// Where an answer stands.
struct Standing {
    answering: Answering,
    page: Arc<Page>,
    /// Members of the page that were written.
    written: usize,
    wanted: Wanted,
    mounted: Arc<Mounted>,
    begun: bool,
}

fn stream_of(answering: Answering, page: Arc<Page>, wanted: Wanted, mounted: Arc<Mounted>) -> Body {
    let standing = Standing { answering, page, written: 0, wanted, mounted, begun: false };
    Body::from_stream(stream::unfold(Some(standing), |standing| async move {
        let mut standing = standing?;
        let mut out = String::with_capacity(PIECE + 4096);
        if !standing.begun {
            standing.begun = true;
            out.push_str(BEGIN);
            if let Some(top) = &standing.page.top {
                standing.answering.write_top(&mut out, top);
            }
        }
        let mut address = String::new();
        loop {
            while let Some(member) = standing.page.members.get(standing.written) {
                standing.answering.write_member(&mut out, &mut address, member);
                standing.written += 1;
                if out.len() >= PIECE {
                    return Some((Ok(Bytes::from(out)), Some(standing)));
                }
            }
            let Some(next) = standing.page.next.clone() else { break };
            match properties::more(&standing.mounted, next, standing.wanted).await {
                Ok(page) => (standing.page, standing.written) = (page, 0),
                // What was sent cannot be taken back: the answer breaks off, so that nobody takes it for whole.
                Err(error) => return Some((Err(std::io::Error::other(error.to_string())), None)),
            }
        }
        out.push_str(END);
        Some((std::io::Result::Ok(Bytes::from(out)), None))
    }))
}

/// Answers a PROPFIND of a list of drives.
pub(super) async fn handle_drives(
    app: &App,
    caller: &Caller,
    place: &Place,
    parts: &Parts,
    body: Body,
) -> Result<Response> {
    let (asked, depth) = match read(parts, body).await? {
        Ok(read) => read,
        Err(refused) => return Ok(refused),
    };
    let by_id = *place == Place::ById;
    let mut out = String::from(BEGIN);
    let (top, name) = match place {
        Place::Above => ("/", ""),
        Place::ById => ("/dav/by-id/", "by-id"),
        _ => ("/dav/", "Holdfast"),
    };
    fn none<'a>(name: &'a str, place: &'a Place) -> Shown<'a> {
        Shown { described: None, name, quota: None, place, editable: false, token: None }
    }
    asked.write(&mut out, top, &none(name, place));
    if depth == Depth::One && *place == Place::Above {
        asked.write(&mut out, "/dav/", &none("dav", place));
    } else if depth == Depth::One {
        let mut seen: Vec<String> = Vec::new();
        for shown in app.drives.shown(caller.user_id).await? {
            let drive = shown.visible.drive;
            // Nothing of it can be opened here.
            if drive.root.is_none() {
                continue;
            }
            let name = if by_id { drive.uuid.to_string() } else { drive.name.clone() };
            let title = drive.name;
            // Own drives come first: of two with one name only the first is reached by it.
            if seen.contains(&fold_key(&name)) {
                continue;
            }
            seen.push(fold_key(&name));
            let mut address = String::from(top);
            address.extend(super::address::segment(&name));
            address.push('/');
            asked.write(&mut out, &address, &none(&title, place));
        }
    }
    let _ = write!(out, "{END}");
    let mut response = xml(StatusCode::MULTI_STATUS, out);
    if asked.minimal {
        say_minimal(&mut response);
    }
    Ok(response)
}
