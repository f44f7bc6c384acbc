//! MKCOL, plain and extended (RFC 4918, section 9.3; RFC 5689).

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

use super::multistatus::xml;
use super::proppatch::Patch;
use super::xml::{DAV, Element};
use super::{Inside, body, not_allowed};
use crate::error::{Error, Kind, Result};
use crate::http::entry::placement;
use crate::service::files;

/// Makes a folder, with the properties that the request names.
pub(super) async fn handle(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let unknown = || Error::new(Kind::UnsupportedMedia, "a folder is made without a body, or with a mkcol");
    let body = match body::read(body).await {
        Ok(body) => body,
        // RFC 4918, section 9.3: a body that is not understood.
        Err(error) if error.kind() == Kind::Malformed => return Err(unknown().because(error)),
        Err(error) => return Err(error),
    };
    let patch = match &body {
        None => Patch::default(),
        Some(mkcol) if mkcol.name.is(DAV, "mkcol") => read(mkcol)?,
        Some(_) => return Err(unknown()),
    };
    if patch.is_refused() {
        return Ok(told(&patch, StatusCode::FORBIDDEN));
    }
    if inside.path.is_root() {
        return Err(not_allowed(&parts.method));
    }
    let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
    let steps = patch.steps();
    let made = inside.app.act(async move { files::make_folder_with(&mounted, who, path, steps).await }).await;
    match made {
        Ok(done) => {
            let headers = placement(done.placed);
            if body.is_some() {
                let mut response = told(&patch, StatusCode::CREATED);
                response.headers_mut().extend(headers);
                return Ok(response);
            }
            Ok((StatusCode::CREATED, headers).into_response())
        }
        // RFC 4918, section 9.3.1.
        Err(error) if error.problem_code() == Some("exists") => {
            Err(Error::new(Kind::NotAllowed, "something is there already"))
        }
        Err(error) => Err(error),
    }
}

fn read(mkcol: &Element) -> Result<Patch> {
    let mut patch = Patch::read(mkcol)?;
    let kinds = mkcol
        .elements()
        .filter(|step| step.name.is(DAV, "set"))
        .filter_map(|step| step.dav("prop"))
        .filter_map(|prop| prop.dav("resourcetype"));
    for kind in kinds {
        if kind.elements().any(|kind| !kind.name.is(DAV, "collection")) || kind.dav("collection").is_none() {
            return Err(Error::forbidden("only plain folders can be made here"));
        }
    }
    patch.of_new_folder();
    Ok(patch)
}

fn told(patch: &Patch, status: StatusCode) -> Response {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:mkcol-response xmlns:D=\"DAV:\">");
    patch.write(&mut out, None);
    out.push_str("</D:mkcol-response>\n");
    xml(status, out)
}
