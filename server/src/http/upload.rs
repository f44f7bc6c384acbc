//! Receiving a content over HTTP: the same for files and candidates, over REST and WebDAV.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE};
use futures_util::StreamExt as _;
use holdfast_protocol::DrivePath;

use super::conditions::{self, Asked, Current};
use super::fields;
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::error::{Error, Kind, Result};
use crate::service::files::{Done, Expect, Put, PutDone, Who};
use crate::service::placement::Mounted;
use crate::service::upload::{self, Declared, Upload};
use crate::service::{act, listing};
use crate::store::{Blob, FinishHints, Phys};

/// A sender who has sent nothing by then takes time, in which room is made for the content.
const SOON: Duration = Duration::from_millis(10);
/// How long a sender may be silent in the middle of a content.
const SILENCE: Duration = Duration::from_secs(300);
/// SabreDAV's way of asking for a part to be written.
const UPDATE_RANGE: &str = "x-update-range";
/// macOS sends this with a chunked PUT.
const EXPECTED_LENGTH: &str = "x-expected-entity-length";

/// Where a PUT's content goes, and on whose behalf.
pub struct Target<'a> {
    /// The drive, with the caller's right.
    pub drive: &'a Visible,
    /// The drive, open.
    pub mounted: &'a Arc<Mounted>,
    /// Who writes.
    pub who: Who,
    /// The file.
    pub path: &'a DrivePath,
    /// Whether missing folders above are made.
    pub parents: bool,
    /// For the history: `sync`, `manual` or `webdav`.
    pub reason: &'static str,
}

/// Receives a whole content, checks it against what its headers declare, and makes it the file's current one.
///
/// # Errors
/// 400 and 422 for a content that is not what it declares or breaks off, 403, 409, 412, 413, 415, 503, 507. Nothing is left
/// behind then, but for the candidate of a device's conflict.
pub async fn put(app: &App, target: Target<'_>, headers: &HeaderMap, body: Body) -> Result<Done<PutDone>> {
    act::could_change(target.drive)?;
    let expect = expectation(target.mounted, target.path, headers).await?;
    let blob = receive(app, target.mounted, Some(target.path), headers, body).await?;
    commit(app, target, blob, expect).await
}

/// Makes a received content a file's current one.
///
/// # Errors
/// 403, 409, 412, 503, 507.
pub async fn commit(app: &App, target: Target<'_>, blob: Blob, expect: Expect) -> Result<Done<PutDone>> {
    let put = Put {
        path: target.path.clone(),
        blob,
        expect,
        parents: target.parents,
        reason: target.reason,
        upload: None,
    };
    let (mounted, who) = (Arc::clone(target.mounted), target.who);
    // From here on it is done whether or not the client stays.
    app.act(async move { upload::commit(&mounted, who, put).await }).await
}

/// Receives a content into a slot. `at` is where it will stand, if that is known.
///
/// # Errors
/// As [`put`]'s, for the content alone.
pub async fn receive(
    app: &App,
    mounted: &Arc<Mounted>,
    at: Option<&DrivePath>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Blob> {
    let declared = declared(app, headers)?;
    let hints = FinishHints { mtime_ns: fields::declared_mtime(headers)?, at: at.map(Phys::from) };
    let mut upload = Upload::begin(mounted, declared)?;
    let mut stream = body.into_data_stream();
    let mut patience = SOON;
    loop {
        let next = match tokio::time::timeout(patience, stream.next()).await {
            Ok(next) => next,
            Err(_) if patience == SOON => {
                upload.make_room();
                patience = SILENCE;
                continue;
            }
            Err(_) => return Err(Error::malformed("the content stopped arriving")),
        };
        patience = SILENCE;
        match piece(next)? {
            Some(bytes) => upload.write(bytes).await?,
            None => return upload.finish(hints).await,
        }
    }
}

/// The next bytes of a body, `None` at its end.
///
/// # Errors
/// 400 when it breaks off or stops arriving.
pub async fn arriving(stream: &mut BodyDataStream) -> Result<Option<Bytes>> {
    let next = tokio::time::timeout(SILENCE, stream.next()).await;
    piece(next.map_err(|_| Error::malformed("the content stopped arriving"))?)
}

fn piece(next: Option<std::result::Result<Bytes, axum::Error>>) -> Result<Option<Bytes>> {
    next.transpose().map_err(|error| Error::malformed("the content broke off").because(error))
}

/// What headers say of a content beforehand.
///
/// # Errors
/// 400, 415 and 422 for what cannot be meant.
pub fn declared(app: &App, headers: &HeaderMap) -> Result<Declared> {
    Ok(Declared {
        size: declared_size(headers)?,
        hash: fields::declared_hash(headers)?,
        checksums: fields::declared_checksums(headers)?,
        sum: headers.contains_key(fields::OC_MTIME),
        limit: app.config.limits.upload_size,
    })
}

fn declared_size(headers: &HeaderMap) -> Result<Option<u64>> {
    if headers.contains_key(CONTENT_RANGE) || headers.contains_key(UPDATE_RANGE) {
        // RFC 9110, section 14.5: not to be taken for the whole.
        return Err(Error::malformed("a part of a content cannot be stored by PUT"));
    }
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Error::new(
            Kind::UnsupportedMedia,
            "a content is stored as it is; send it without an encoding",
        ));
    }
    let mut declared = None;
    for value in [headers.get(CONTENT_LENGTH), headers.get(EXPECTED_LENGTH)].into_iter().flatten() {
        let size = value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok());
        let size = size.ok_or_else(|| Error::malformed("the declared length is not a number"))?;
        if declared.is_some_and(|other| other != size) {
            return Err(Error::malformed("the declared lengths differ"));
        }
        declared = Some(size);
    }
    Ok(declared)
}

/// What the conditions of a write expect to be at a path.
///
/// # Errors
/// 400 for headers that are no text, or the catalogue's.
pub async fn expectation(mounted: &Arc<Mounted>, path: &DrivePath, headers: &HeaderMap) -> Result<Expect> {
    match conditions::asked(headers)? {
        Asked::Expect(expect) => Ok(expect),
        Asked::Look => {
            let current = match listing::entry(mounted, path).await {
                Ok(entry) => entry.node.content_hash().map(|hash| Current {
                    tag: format!("\"{hash}\""),
                    modified: entry.node.mtime_ns.div_euclid(1_000_000_000),
                }),
                Err(error) if error.kind() == Kind::NotFound => None,
                Err(error) => return Err(error),
            };
            conditions::for_writing(headers, current.as_ref())
        }
    }
}
