//! PROPPATCH (RFC 4918, section 9.2): all steps or none; and the properties of an extended MKCOL (RFC 5689).

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::multistatus::{BEGIN, END, write_status, xml};
use super::propfind::{prefers_minimal, say_minimal};
use super::props::{Live, OC, href};
use super::xml::{DAV, Element, Name, escape};
use super::{Inside, body};
use crate::domain::checksums::Checksum;
use crate::error::{Error, Result};
use crate::service::checksums;
use crate::service::properties::{self, Step};

/// Most steps of one request.
const MOST: usize = 1_000;
/// Longest value of one property, in bytes of XML.
const LONGEST: usize = 64 * 1024;

/// What a request wants of properties.
#[derive(Debug, Default)]
pub struct Patch {
    wishes: Vec<Wish>,
}

/// What is wanted of one property.
#[derive(Debug)]
struct Wish {
    name: Name,
    what: What,
}

#[derive(Debug)]
enum What {
    /// It is kept as it came, or removed.
    Keep(Step),
    /// The file was last written then, in nanoseconds since 1970.
    Modified(i64),
    /// The content has these checksums: nothing to be set, but to be agreed with.
    Checksums(Vec<Checksum>),
    /// Nobody may set it.
    Protected,
    /// The value is none that the property can have.
    Unusable,
}

impl Patch {
    /// Reads a `propertyupdate` (or an extended `mkcol`, which only sets).
    ///
    /// # Errors
    /// 400 for anything else, 413 for too many or too large ones.
    pub fn read(update: &Element) -> Result<Self> {
        let mut patch = Self::default();
        for step in update.elements().filter(|step| step.name.namespace == DAV) {
            let sets = match step.name.local.as_str() {
                "set" => true,
                "remove" => false,
                // RFC 4918, section 17: what is not known is passed over.
                _ => continue,
            };
            let prop = step.dav("prop").ok_or_else(|| Error::malformed("a step without its prop"))?;
            let language = prop.language().or(step.language()).or(update.language()).map(str::to_owned);
            for element in prop.elements() {
                if patch.wishes.len() >= MOST {
                    return Err(Error::malformed("one request changes no more than 1000 properties"));
                }
                let what = what(sets, element, language.as_deref())?;
                patch.wishes.push(Wish { name: element.name.clone(), what });
            }
        }
        Ok(patch)
    }

    /// The folder of a `mkcol` names its own kind, which is no property to be kept, and has no content to speak of.
    pub fn of_new_folder(&mut self) {
        self.wishes.retain(|wish| !wish.name.is(DAV, "resourcetype"));
        for wish in &mut self.wishes {
            if matches!(wish.what, What::Modified(_) | What::Checksums(_)) {
                wish.what = What::Protected;
            }
        }
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.wishes.is_empty()
    }

    /// What is to be kept or removed, in order.
    pub fn steps(&self) -> Vec<Step> {
        let steps = self.wishes.iter().filter_map(|wish| match &wish.what {
            What::Keep(step) => Some(step.clone()),
            _ => None,
        });
        steps.collect()
    }

    /// When the file was last written, in nanoseconds since 1970, as the last word on it says.
    fn modified(&self) -> Option<i64> {
        self.wishes.iter().rev().find_map(|wish| match wish.what {
            What::Modified(ns) => Some(ns),
            _ => None,
        })
    }

    /// Refuses what is said of the content's checksums unless it is so.
    async fn check(&mut self, inside: &Inside) -> Result<()> {
        for wish in &mut self.wishes {
            if let What::Checksums(said) = &wish.what
                && !checksums::agree(&inside.mounted, &inside.path, said).await?
            {
                wish.what = What::Unusable;
            }
        }
        Ok(())
    }

    /// Whether some of it cannot be done, so that none of it is.
    pub fn is_refused(&self) -> bool {
        self.wishes.iter().any(|wish| matches!(wish.what, What::Protected | What::Unusable))
    }

    /// Writes the `propstat`s of what becomes of it.
    pub fn write(&self, out: &mut String, failed: Option<StatusCode>) {
        let refused = self.is_refused();
        let status = |what: &What| match what {
            What::Protected => StatusCode::FORBIDDEN,
            What::Unusable => StatusCode::CONFLICT,
            _ if refused => StatusCode::FAILED_DEPENDENCY,
            _ => failed.unwrap_or(StatusCode::OK),
        };
        let all =
            [StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::FAILED_DEPENDENCY, StatusCode::OK];
        for group in all.into_iter().chain(failed) {
            let mut names = self.wishes.iter().filter(|wish| status(&wish.what) == group).peekable();
            if names.peek().is_none() {
                continue;
            }
            out.push_str("<D:propstat><D:prop>");
            for wish in names {
                out.push('<');
                out.push_str(&wish.name.local);
                out.push_str(" xmlns=\"");
                escape(out, &wish.name.namespace);
                out.push_str("\"/>");
            }
            out.push_str("</D:prop>");
            write_status(out, group);
            if group == StatusCode::FORBIDDEN {
                out.push_str("<D:error><D:cannot-modify-protected-property/></D:error>");
            }
            out.push_str("</D:propstat>");
        }
    }
}

fn what(sets: bool, element: &Element, language: Option<&str>) -> Result<What> {
    let name = &element.name;
    if name.is(OC, "checksums") && sets {
        let said: String = element.elements().map(|one| one.text() + " ").collect();
        return Ok(Checksum::read(&said).map_or(What::Unusable, What::Checksums));
    }
    match Live::of(name) {
        Some(live) if live.is_modified() && sets => {
            return Ok(time(live, element.text().trim()).map_or(What::Unusable, What::Modified));
        }
        Some(live) if !live.may_be_set() => return Ok(What::Protected),
        None if name.is(OC, "privatelink") => return Ok(What::Protected),
        _ => {}
    }
    let (namespace, local) = (name.namespace.clone(), name.local.clone());
    if !sets {
        return Ok(What::Keep(Step::Remove { namespace, name: local }));
    }
    let mut element = element.clone();
    element.inherit_language(language);
    let value = element.to_xml();
    if value.len() > LONGEST {
        let error = Error::new(crate::error::Kind::TooLarge, "the value of a property is too large");
        return Err(error.with("limit", LONGEST as u64));
    }
    Ok(What::Keep(Step::Set { namespace, name: local, value }))
}

/// Nanoseconds since 1970.
fn time(live: Live, text: &str) -> Option<i64> {
    if live == Live::OcModified {
        return text.parse::<i64>().ok()?.checked_mul(1_000_000_000);
    }
    let time = httpdate::parse_http_date(text).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()
}

/// Answers a PROPPATCH.
pub(super) async fn handle(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let body = body::read(body).await?;
    let update = body
        .filter(|body| body.name.is(DAV, "propertyupdate"))
        .ok_or_else(|| Error::malformed("the body is no propertyupdate"))?;
    let mut patch = Patch::read(&update)?;
    if patch.is_empty() {
        return Err(Error::malformed("the body changes nothing"));
    }
    patch.check(inside).await?;
    let mut failed = None;
    if !patch.is_refused() {
        let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
        let (steps, modified) = (patch.steps(), patch.modified());
        let act = async move { properties::patch(&mounted, who, path, steps, modified).await };
        match inside.app.act(act).await {
            Ok(()) => {}
            Err(error) if error.problem_code() == Some("too-many-properties") => {
                failed = Some(StatusCode::INSUFFICIENT_STORAGE);
            }
            Err(error) => return Err(error),
        }
    }
    if failed.is_none() && !patch.is_refused() && prefers_minimal(&parts.headers) {
        // RFC 8144, section 2.2: nothing went wrong, so nothing needs to be said.
        let mut response = StatusCode::OK.into_response();
        say_minimal(&mut response);
        return Ok(response);
    }
    let folder = parts.uri.path().ends_with('/');
    let mut out = String::from(BEGIN);
    out.push_str("<D:response><D:href>");
    escape(&mut out, &href(&inside.place, &inside.path, folder));
    out.push_str("</D:href>");
    patch.write(&mut out, failed);
    out.push_str("</D:response>");
    out.push_str(END);
    Ok(xml(StatusCode::MULTI_STATUS, out))
}
