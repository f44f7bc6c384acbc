//! PROPPATCH (RFC 4918, section 9.2): all steps or none; and the properties of an extended MKCOL (RFC 5689).

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::multistatus::{BEGIN, END, write_status, xml};
use super::propfind::{prefers_minimal, say_minimal};
use super::props::{Live, OC, href};
use super::xml::{DAV, Element, Name, escape};
use super::{Inside, body};
use crate::error::{Error, Result};
use crate::service::properties::{self, Step};

/// Most steps of one request.
const MOST: usize = 1_000;
/// Longest value of one property, in bytes of XML.
const LONGEST: usize = 64 * 1024;

/// What a request wants of properties.
#[derive(Debug, Default)]
pub struct Patch {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The names they are about, in order.
    names: Vec<Name>,
    /// Those that nobody may set, by their place among the names.
    protected: Vec<usize>,
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
                if patch.steps.len() >= MOST {
                    return Err(Error::malformed("one request changes no more than 1000 properties"));
                }
                patch.add(sets, element.clone(), language.as_deref())?;
            }
        }
        Ok(patch)
    }

    fn add(&mut self, sets: bool, mut element: Element, language: Option<&str>) -> Result<()> {
        let name = element.name.clone();
        if is_protected(&name) {
            self.protected.push(self.names.len());
        }
        let (namespace, local) = (name.namespace.clone(), name.local.clone());
        self.names.push(name);
        self.steps.push(if sets {
            element.inherit_language(language);
            let value = element.to_xml();
            if value.len() > LONGEST {
                let error = Error::new(crate::error::Kind::TooLarge, "the value of a property is too large");
                return Err(error.with("limit", LONGEST as u64));
            }
            Step::Set { namespace, name: local, value }
        } else {
            Step::Remove { namespace, name: local }
        });
        Ok(())
    }

    /// The folder of a `mkcol` names its own kind, which is no property to be kept.
    pub fn without_kind(&mut self) {
        let is_kind = |name: &Name| name.is(DAV, "resourcetype");
        let kept: Vec<bool> = self.names.iter().map(|name| !is_kind(name)).collect();
        let mut keep = kept.iter();
        self.steps.retain(|_| keep.next().copied().unwrap_or(true));
        self.protected.clear();
        self.names.retain(|name| !is_kind(name));
        let found = self.names.iter().enumerate().filter(|(_, name)| is_protected(name));
        self.protected = found.map(|(at, _)| at).collect();
    }

    /// Whether some of it cannot be done, so that none of it is.
    pub fn is_refused(&self) -> bool {
        !self.protected.is_empty()
    }

    /// Writes the `propstat`s of what becomes of it.
    pub fn write(&self, out: &mut String, failed: Option<StatusCode>) {
        let group = |out: &mut String, status: StatusCode, condition: &str, names: &[&Name]| {
            if names.is_empty() {
                return;
            }
            out.push_str("<D:propstat><D:prop>");
            for name in names {
                out.push('<');
                out.push_str(&name.local);
                out.push_str(" xmlns=\"");
                escape(out, &name.namespace);
                out.push_str("\"/>");
            }
            out.push_str("</D:prop>");
            write_status(out, status);
            out.push_str(condition);
            out.push_str("</D:propstat>");
        };
        let all: Vec<&Name> = self.names.iter().collect();
        if self.is_refused() {
            let is_protected = |at: usize| self.protected.contains(&at);
            let pick = |protected: bool| -> Vec<&Name> {
                let named = self.names.iter().enumerate().filter(|(at, _)| is_protected(*at) == protected);
                named.map(|(_, name)| name).collect()
            };
            let condition = "<D:error><D:cannot-modify-protected-property/></D:error>";
            group(out, StatusCode::FORBIDDEN, condition, &pick(true));
            group(out, StatusCode::FAILED_DEPENDENCY, "", &pick(false));
        } else {
            group(out, failed.unwrap_or(StatusCode::OK), "", &all);
        }
    }
}

fn is_protected(name: &Name) -> bool {
    match Live::of(name) {
        Some(live) => !live.may_be_set(),
        None => name.namespace == OC && matches!(name.local.as_str(), "checksums" | "privatelink"),
    }
}

/// Answers a PROPPATCH.
pub(super) async fn handle(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let body = body::read(body).await?;
    let update = body
        .filter(|body| body.name.is(DAV, "propertyupdate"))
        .ok_or_else(|| Error::malformed("the body is no propertyupdate"))?;
    let mut patch = Patch::read(&update)?;
    if patch.steps.is_empty() {
        return Err(Error::malformed("the body changes nothing"));
    }
    let mut failed = None;
    if !patch.is_refused() {
        let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
        let steps = std::mem::take(&mut patch.steps);
        match inside.app.act(async move { properties::patch(&mounted, who, path, steps).await }).await {
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
