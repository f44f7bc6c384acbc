//! GET, HEAD, PUT and DELETE of the network drive.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ETAG;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Depth, Inside, depth, not_allowed};
use crate::error::{Error, Result};
use crate::http::content;
use crate::http::entry::placement;
use crate::http::fields::OC_MTIME;
use crate::http::upload::{self, Target};
use crate::service::content as contents;
use crate::service::files::{self, Deletion};
use crate::service::locks;

/// Sends a file; a folder is listed by PROPFIND, not by GET.
pub(super) async fn get(inside: &Inside, parts: &Parts) -> Result<Response> {
    let (opened, node) = match contents::open(&inside.mounted, &inside.path).await {
        Ok(opened) => opened,
        Err(error) if error.problem_code() == Some(contents::IS_A_FOLDER) => {
            return Err(not_allowed(&parts.method));
        }
        Err(error) => return Err(error),
    };
    content::send(opened, &node.name, &parts.method, &parts.headers)
}

/// Writes a file.
pub(super) async fn put(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    // Before a large content is received; the write itself asks again.
    let there = locks::may_put(&inside.mounted, &inside.who, &inside.path).await?;
    if parts.uri.path().ends_with('/') || there.is_some_and(|node| node.is_folder()) {
        // RFC 4918, section 9.7.2.
        return Err(not_allowed(&parts.method));
    }
    let target = Target {
        drive: &inside.visible,
        mounted: &inside.mounted,
        who: inside.who.clone(),
        path: &inside.path,
        parents: false,
        reason: "webdav",
    };
    let done = upload::put(&inside.app, target, &parts.headers, body).await?;
    let mut headers = placement(done.placed);
    let tag =
        done.value.node.content_hash().and_then(|hash| HeaderValue::try_from(format!("\"{hash}\"")).ok());
    if let Some(tag) = tag {
        headers.insert(HeaderName::from_static("oc-etag"), tag.clone());
        headers.insert(ETAG, tag);
    }
    if let Ok(id) = HeaderValue::try_from(done.value.node.uuid.simple().to_string()) {
        headers.insert(HeaderName::from_static("oc-fileid"), id);
    }
    if parts.headers.contains_key(OC_MTIME) {
        headers.insert(OC_MTIME, HeaderValue::from_static("accepted"));
    }
    let status = if done.value.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok((status, headers).into_response())
}

/// Deletes a file, or a folder with all that is in it, into the trash: one act.
pub(super) async fn delete(inside: &Inside, parts: &Parts) -> Result<Response> {
    if inside.path.is_root() {
        return Err(Error::forbidden("a drive is not deleted over the network drive"));
    }
    if depth(&parts.headers)? != Depth::Infinity {
        // RFC 4918, section 9.6.1.
        return Err(Error::malformed("a folder is deleted with all that is in it, or not at all"));
    }
    let expect = upload::expectation(&inside.mounted, &inside.path, &parts.headers).await?;
    let (mounted, who, path) = (Arc::clone(&inside.mounted), inside.who.clone(), inside.path.clone());
    let deletion = Deletion { path, expect, only_empty: false };
    let done = inside.app.act(async move { files::delete(&mounted, who, deletion).await }).await?;
    Ok((StatusCode::NO_CONTENT, placement(done.placed)).into_response())
}
