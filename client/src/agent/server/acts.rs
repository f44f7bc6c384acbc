//! Acts on a server: the small ones many in a request, large contents each by itself, several at a time.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, stream};
use holdfast_protocol::batch::{BatchAct, BatchDelete, BatchMkdir, BatchMove, BatchPut};
use holdfast_protocol::{ContentHash, DrivePath};

use super::trouble;
use crate::agent::contract::{Act, Done, Put, Trouble};
use crate::api::{self, ActWith, Api, ApiError, Condition};

/// Contents up to this many bytes travel many at a time.
const SMALL: u64 = 256 * 1024;
/// Most acts of a request, and most bytes.
const MOST: usize = 256;
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Requests on their way at a time.
const AT_ONCE: usize = 3;

/// What goes in one request.
enum Request {
    Many(Vec<(usize, Act<PathBuf>)>),
    One(usize, Box<Put>, PathBuf),
}

/// Does them; what became of each.
pub async fn all(api: &Api, drive: &str, acts: Vec<Act<PathBuf>>) -> Vec<Result<Done, Trouble>> {
    let mut became: Vec<Result<Done, Trouble>> = Vec::new();
    became.resize_with(acts.len(), || Err(Trouble::Side("the server was not asked".to_owned())));
    let is_ordered = acts.iter().any(|act| !matches!(act, Act::Put(..)));
    let at_once = if is_ordered { 1 } else { AT_ONCE };
    let mut answers = stream::iter(requests(acts))
        .map(|request| async move {
            match request {
                Request::Many(acts) => many(api, drive, acts).await,
                Request::One(index, put, local) => vec![(index, one(api, drive, *put, &local).await)],
            }
        })
        .buffer_unordered(at_once);
    while let Some(answered) = answers.next().await {
        let is_over = answered.iter().any(|(_, done)| matches!(done, Err(Trouble::Side(_))));
        for (index, done) in answered {
            became[index] = done;
        }
        if is_over {
            // Those on their way may still arrive; the feed tells.
            break;
        }
    }
    became
}

fn requests(acts: Vec<Act<PathBuf>>) -> Vec<Request> {
    let (mut requests, mut many, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (index, act) in acts.into_iter().enumerate() {
        match act {
            Act::Put(put, local) if put.size > SMALL => {
                requests.push(Request::One(index, Box::new(put), local));
            }
            act => {
                let size = if let Act::Put(put, _) = &act { put.size } else { 0 };
                if many.len() >= MOST || bytes + size > MOST_BYTES {
                    requests.push(Request::Many(std::mem::take(&mut many)));
                    bytes = 0;
                }
                bytes += size;
                many.push((index, act));
            }
        }
    }
    if !many.is_empty() {
        requests.push(Request::Many(many));
    }
    requests
}

async fn many(
    api: &Api,
    drive: &str,
    acts: Vec<(usize, Act<PathBuf>)>,
) -> Vec<(usize, Result<Done, Trouble>)> {
    let mut done = Vec::with_capacity(acts.len());
    let (mut asked, mut sent) = (Vec::new(), Vec::new());
    // A put finds its own content, a folder itself.
    let is_twice_once = acts.iter().all(|(_, act)| matches!(act, Act::Put(..) | Act::MakeFolder(_)));
    for (index, act) in acts {
        match read(act) {
            Ok(act) => {
                asked.push(index);
                sent.push(act);
            }
            Err(error) => done.push((index, Err(trouble(&error)))),
        }
    }
    if sent.is_empty() {
        return done;
    }
    match api.batch(drive, &sent, is_twice_once).await {
        Ok(results) => {
            done.extend(asked.into_iter().zip(results).map(|(index, result)| {
                (index, result.map(|result| result.id).map_err(|error| trouble(&error)))
            }));
        }
        Err(error) => {
            let why = trouble(&error);
            done.extend(asked.into_iter().map(|index| (index, Err(why.clone()))));
        }
    }
    done
}

fn read(act: Act<PathBuf>) -> Result<ActWith, ApiError> {
    let text = |path: &DrivePath| path.to_string();
    let tag = |hash: ContentHash| hash.to_string();
    let act = match act {
        Act::Put(put, local) => {
            let content =
                std::fs::read(&local).map_err(|error| ApiError::Local { path: local.clone(), error })?;
            if content.len() as u64 != put.size {
                return Err(ApiError::Changed { path: local });
            }
            let act = BatchPut {
                path: text(&put.path),
                size: put.size,
                hash: Some(put.hash),
                mtime_ns: Some(put.mtime_ns),
                if_match: put.expect.map(tag),
                if_none_match: put.expect.is_none().then(|| "*".to_owned()),
                parents: false,
            };
            return Ok((BatchAct::Put(act), content));
        }
        Act::MakeFolder(path) => BatchAct::Mkdir(BatchMkdir { path: text(&path), parents: false }),
        Act::Rename { from, to, expect } => BatchAct::Move(BatchMove {
            from: text(&from),
            to: text(&to),
            expect: expect.map(tag),
            ..BatchMove::default()
        }),
        Act::DeleteFile(path, hash) => {
            BatchAct::Delete(BatchDelete { path: text(&path), expect: Some(tag(hash)), empty: false })
        }
        Act::DeleteFolder(path) => {
            BatchAct::Delete(BatchDelete { path: text(&path), expect: None, empty: true })
        }
    };
    Ok((act, Vec::new()))
}

async fn one(api: &Api, drive: &str, put: Put, local: &Path) -> Result<Done, Trouble> {
    let asked = api::Put {
        drive,
        path: &put.path,
        condition: put.expect.map_or(Condition::New, Condition::Replaces),
        mtime_ns: Some(put.mtime_ns),
        parents: false,
        hash: Some(put.hash),
    };
    let written = match (put.delta, put.expect) {
        (Some(steps), Some(base)) => api.patch_file(&asked, base, steps, local).await,
        _ => api.put_file(&asked, local, None).await,
    };
    written.map(|written| Some(written.id)).map_err(|error| trouble(&error))
}
