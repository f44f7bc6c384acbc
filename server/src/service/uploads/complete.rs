//! The end of an upload: it becomes a file by the same act as a content that is put at once.

use holdfast_protocol::DrivePath;

use super::{Finished, Held, Standing, expectation};
use crate::app::App;
use crate::catalog::db::{AMBIGUOUS, Tx};
use crate::catalog::uploads as rows;
use crate::error::{Error, Kind, Result};
use crate::service::files::{Outcome, Put, PutDone, Who, disk_error, try_put};
use crate::service::upload;
use crate::store::{FinishHints, Phys};

/// So many uploads of an account that have become files are remembered, for whoever did not get the answer.
const REMEMBERED: i64 = 1000;

/// Makes a whole upload a file.
///
/// # Errors
/// 412 when its condition does not hold, 422 when it is not the content it was said to be: then the upload is gone. Any
/// other leaves it whole, to be completed by the next request about it.
pub(super) async fn complete(app: &App, who: Who, held: Held) -> Result<Standing> {
    let Held { row, meant, mounted, turn: _turn, partial } = held;
    // The act is the device's that began the upload, whichever request ends it.
    let who = Who { syncing: row.device_id, ..who };
    let hints = FinishHints { mtime_ns: meant.mtime_ns, at: Some(Phys::from(&meant.path)) };
    let blob = partial.finish(hints).await.map_err(disk_error)?;
    if let Some(expected) = meant.hash.filter(|expected| *expected != blob.hash) {
        // Which of its bytes are wrong, nobody knows.
        mounted.store.discard(blob.slot);
        let id = row.id;
        app.db.write(move |tx| Box::pin(async move { rows::remove(tx, id).await })).await?;
        app.uploads.forget(row.uuid);
        return Err(upload::other_digest(expected, blob.hash));
    }
    upload::make_durable(&mounted, &blob).await?;
    let syncing = who.syncing.is_some();
    let put = Put {
        path: meant.path,
        blob,
        expect: expectation(meant.may),
        parents: meant.parents.unwrap_or(syncing),
        reason: if syncing { "sync" } else { "manual" },
        upload: Some(row.id),
    };
    let path = put.path.clone();
    let (done, kept) = try_put(&mounted, who, put).await;
    let done = match done {
        Ok(done) => done,
        // It is settled, as is the upload.
        Err(error) if error.kind() == Kind::PreconditionFailed => {
            if !kept {
                mounted.store.discard(blob.slot);
            }
            app.uploads.forget(row.uuid);
            return Err(error);
        }
        Err(error) => {
            if error.problem_code() != Some(AMBIGUOUS)
                && let Err(error) = mounted.store.take_back(blob.slot)
            {
                // The next request about it looks there, too.
                tracing::warn!(upload = %row.uuid, %error, "an upload stays in its slot");
            }
            return Err(error);
        }
    };
    if !kept {
        mounted.store.discard(blob.slot);
    }
    app.uploads.forget(row.uuid);
    let mut standing = Standing::of(&row, row.size.cast_unsigned())?;
    standing.finished = Some(Finished { placed: done.placed, ..finished(&path, &done.value) });
    Ok(standing)
}

fn finished(path: &DrivePath, done: &PutDone) -> Finished {
    let node = &done.node;
    Finished {
        path: path.clone(),
        hash: node.content_hash(),
        id: node.uuid,
        version: done.version,
        mtime_ns: node.mtime_ns,
        placed: true,
    }
}

/// Notes in the transaction of a put what becomes of the upload it came by: what it has become, or that it is over.
///
/// # Errors
/// The catalogue's.
pub(in crate::service) async fn settle(
    tx: &mut Tx,
    upload: i64,
    who: &Who,
    path: &DrivePath,
    outcome: &Outcome<PutDone>,
) -> Result<()> {
    match outcome {
        Outcome::Done(done, _) | Outcome::Already(done) => {
            let result = serde_json::to_string(&finished(path, done)).map_err(Error::internal)?;
            rows::done(tx, upload, who.user_id, &result, REMEMBERED).await
        }
        Outcome::Refused(..) => rows::remove(tx, upload).await,
    }
}
