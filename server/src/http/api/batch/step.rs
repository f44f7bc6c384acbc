//! From an act as it is written to what is to be done.

use holdfast_protocol::ContentHash;
use holdfast_protocol::batch::{BatchAct, BatchPut};

use crate::error::{Error, Result};
use crate::http::target::path_in;
use crate::service::batch::{NewFile, Step};
use crate::service::files::{Deletion, Expect, Transfer, Who};

/// Reads an act.
///
/// # Errors
/// 422 for a path that is none, 400 for a condition that is none.
pub(super) fn read(act: BatchAct, who: &Who) -> Result<Step> {
    let syncing = who.syncing.is_some();
    Ok(match act {
        BatchAct::Put(put) => Step::Put(NewFile {
            path: path_in(&put.path)?,
            expect: condition(&put)?,
            parents: put.parents || syncing,
            hash: put.hash,
            mtime_ns: put.mtime_ns,
        }),
        BatchAct::Mkdir(folder) => {
            Step::Mkdir { path: path_in(&folder.path)?, parents: folder.parents || syncing }
        }
        BatchAct::Delete(delete) => Step::Delete(Deletion {
            path: path_in(&delete.path)?,
            expect: expected(delete.expect.as_deref())?,
            only_empty: delete.empty,
        }),
        BatchAct::Move(moves) => Step::Move(Transfer {
            from: path_in(&moves.from)?,
            to: path_in(&moves.to)?,
            expect: expected(moves.expect.as_deref())?,
            overwrite: moves.overwrite && !syncing,
            parents: moves.parents || syncing,
            shallow: false,
        }),
    })
}

fn condition(put: &BatchPut) -> Result<Expect> {
    match (put.if_match.as_deref(), put.if_none_match.as_deref()) {
        (some, None) => expected(some),
        (None, Some("*")) => Ok(Expect::Nothing),
        (None, Some(_)) => Err(Error::malformed("if_none_match can only be *")),
        (Some(_), Some(_)) => Err(Error::malformed("if_match and if_none_match exclude each other")),
    }
}

fn expected(text: Option<&str>) -> Result<Expect> {
    match text {
        None => Ok(Expect::Anything),
        Some("*") => Ok(Expect::Something),
        Some(hash) => {
            let hash: Result<ContentHash, _> = hash.trim_matches('"').parse();
            hash.map(Expect::Content).map_err(|_| Error::malformed("a condition is no content hash"))
        }
    }
}
