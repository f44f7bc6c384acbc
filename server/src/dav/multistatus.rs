//! Answers in XML: `multistatus` (RFC 4918, section 13) and `error` (section 16).

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::address::Place;
use super::props::href;
use super::xml::escape;
use crate::error::{Error, Kind};
use crate::http::problem::{self, Problem};
use holdfast_protocol::DrivePath;

/// Begins every `multistatus`.
pub const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:O=\"http://owncloud.org/ns\">";
/// Ends every `multistatus`.
pub const END: &str = "</D:multistatus>\n";

/// An answer in XML.
pub fn xml(status: StatusCode, body: impl Into<Body>) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"))];
    (status, kind, body.into()).into_response()
}

/// An `error` with a precondition or postcondition of a document, as XML.
pub fn precondition(status: StatusCode, condition: &str) -> Response {
    xml(
        status,
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\">{condition}</D:error>\n"
        ),
    )
}

/// What a WebDAV client is told where REST says problem+json: what the RFC has words for, in those.
pub fn told(error: Error, place: &Place) -> Response {
    let status = problem::status(error.kind());
    match (error.kind(), error.problem_code()) {
        (Kind::Locked, code) => {
            let condition =
                if code == Some("conflicting-lock") { "no-conflicting-lock" } else { "lock-token-submitted" };
            let at = where_it_is(&error, place);
            if let (Place::Inside { path, .. }, Some(other)) = (place, &at)
                && condition == "lock-token-submitted"
                && other.is_beneath(path)
            {
                return member_refused(place, other, status, condition);
            }
            let shown = at.map_or_else(String::new, |path| {
                let mut out = String::from("<D:href>");
                escape(&mut out, &href(place, &path, false));
                out.push_str("</D:href>");
                out
            });
            precondition(status, &format!("<D:{condition}>{shown}</D:{condition}>"))
        }
        (_, Some("no-such-lock")) => precondition(status, "<D:lock-token-matches-request-uri/>"),
        _ => Problem::from(error).into_response(),
    }
}

fn where_it_is(error: &Error, place: &Place) -> Option<DrivePath> {
    let path = error.fields().get("path")?.as_str()?;
    matches!(place, Place::Inside { .. }).then(|| DrivePath::parse(path).ok()).flatten()
}

/// RFC 4918, section 9.6.1: trouble with something within is told about that.
fn member_refused(place: &Place, path: &DrivePath, status: StatusCode, condition: &str) -> Response {
    let mut out = String::from(BEGIN);
    out.push_str("<D:response><D:href>");
    escape(&mut out, &href(place, path, false));
    out.push_str("</D:href>");
    write_status(&mut out, status);
    out.push_str("<D:error><D:");
    out.push_str(condition);
    out.push_str("/></D:error></D:response>");
    out.push_str(END);
    xml(StatusCode::MULTI_STATUS, out)
}

/// Writes a status as an element.
pub fn write_status(out: &mut String, status: StatusCode) {
    out.push_str("<D:status>HTTP/1.1 ");
    out.push_str(status.as_str());
    if let Some(reason) = status.canonical_reason() {
        out.push(' ');
        out.push_str(reason);
    }
    out.push_str("</D:status>");
}
