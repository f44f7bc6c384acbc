//! Resumable uploads (tus 1.0): a content that arrives in parts and becomes a file like one that is put at once
//! (`docs/design/009-resumable-uploads.md`). It is acknowledged only when it is a file.

mod append;
mod clean;
mod complete;
mod live;

use std::sync::Arc;

use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use append::{Part, append};
pub(super) use clean::recover;
pub use clean::{clean, remove};
pub(super) use complete::settle;
pub use live::Uploads;

use self::live::Turn;
use super::files::{Expect, Who, disk_error};
use super::placement::Mounted;
use super::{act, listing, upload};
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::catalog::uploads::{self as rows, NewUpload, Upload};
use crate::domain::uploads::{Fault, MOST_METADATA, May, Meant, meant};
use crate::error::{Error, Kind, Result};
use crate::store::Partial;

/// Where an upload stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its id.
    pub id: Uuid,
    /// Bytes that have arrived and are durable.
    pub offset: u64,
    /// Bytes of the whole.
    pub size: u64,
    /// `Upload-Metadata` as it came.
    pub metadata: String,
    /// Microseconds since 1970.
    pub expires_at: i64,
    /// The file it has become.
    pub finished: Option<Finished>,
}

/// The file that an upload has become.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finished {
    /// Where.
    pub path: DrivePath,
    /// Its content.
    pub hash: Option<ContentHash>,
    /// Its id.
    pub id: Uuid,
    /// Number of its version.
    pub version: Option<i64>,
    /// When it was last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// False: committed, and not in the plain folder yet.
    pub placed: bool,
}

impl Standing {
    fn of(row: &Upload, offset: u64) -> Result<Self> {
        let finished = row.result.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            id: row.uuid,
            offset,
            size: row.size.cast_unsigned(),
            metadata: row.metadata.clone(),
            expires_at: row.expires_at,
            finished: finished.map_err(Error::internal)?,
        })
    }
}

/// An upload in the hands of one request.
struct Held {
    row: Upload,
    meant: Meant,
    mounted: Arc<Mounted>,
    turn: Turn,
    partial: Partial,
}

/// Whether somebody's upload is under way or has become a file.
enum Found {
    UnderWay(Box<Held>),
    Done(Standing),
}

/// Begins an upload. Nothing is on the disk before its first byte.
///
/// # Errors
/// 400 and 422 for metadata that are not understood, 412 for a condition that does not hold now, 413 beyond the limit, 429
/// when too many are under way; 403, 404, 503 and 507 as for a PUT.
pub async fn begin(app: &App, who: &Who, metadata: &str, size: u64) -> Result<Standing> {
    let meant = understood(metadata)?;
    let (visible, mounted) = app.drives.reach(who.user_id, meant.drive.as_deref()).await?;
    act::could_change(&visible)?;
    upload::fits(&mounted, size, app.config.limits.upload_size)?;
    if who.syncing.is_none() {
        could_replace(&mounted, &meant).await?;
    }
    let now = app.clock.now();
    let new = NewUpload {
        user_id: who.user_id,
        drive_id: mounted.id,
        device_id: who.syncing,
        path: meant.path.as_str().to_owned(),
        size: i64::try_from(size).map_err(|_| Error::new(Kind::TooLarge, "no file is that large"))?,
        metadata: metadata.to_owned(),
        now,
        expires_at: expires(app),
    };
    let most = i64::from(app.config.limits.uploads);
    let row = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                if rows::count(tx, new.user_id, now).await? >= most {
                    let error = Error::new(Kind::TooMany, "too many of your uploads are under way");
                    return Err(error.code("too-many-uploads").with("limit", most).retry_after(60));
                }
                let uuid = rows::insert(tx, &new).await?;
                rows::by_uuid(tx, uuid, new.user_id).await
            })
        })
        .await?;
    Standing::of(&row.ok_or_else(|| Error::internal("an upload without its row"))?, 0)
}

/// A first look at the condition, so that nobody sends gigabytes for nothing; the commit looks again. Not for a device's
/// sync act, whose bytes are wanted as the candidate of a conflict.
async fn could_replace(mounted: &Arc<Mounted>, meant: &Meant) -> Result<()> {
    let expect = expectation(meant.may);
    if expect == Expect::Anything {
        return Ok(());
    }
    let there = match listing::entry(mounted, &meant.path).await {
        Ok(entry) => entry.node.content_hash(),
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) => return Err(error),
    };
    let is_there = there.is_some() && there == meant.hash;
    if is_there || expect.holds(there) { Ok(()) } else { Err(expect.refused(there)) }
}

fn expectation(may: May) -> Expect {
    match may {
        May::ReplaceAnything => Expect::Anything,
        May::ReplaceAFile => Expect::Something,
        May::Replace(hash) => Expect::Content(hash),
        May::ReplaceNothing => Expect::Nothing,
    }
}

/// Where an upload stands. Whoever is adding to it is ended first: the answer is what the next part begins with. One that
/// is whole and whose commit was put off is committed.
///
/// # Errors
/// 404 for none of the caller's, 503 when the drive is offline, and those of the commit.
pub async fn look(app: App, who: Who, id: Uuid) -> Result<Standing> {
    match find(&app, &who, id).await? {
        Found::Done(standing) => Ok(standing),
        Found::UnderWay(mut held) => {
            if held.partial.size() == held.row.size.cast_unsigned() {
                return complete::complete(&app, who, *held).await;
            }
            // It may have been cut to what is durable when it was opened.
            held.turn.keep(held.partial.mark().await.map_err(disk_error)?);
            Standing::of(&held.row, held.partial.size())
        }
    }
}

/// An account's uploads that are under way, oldest first.
///
/// # Errors
/// The catalogue's.
pub async fn list(app: &App, user: i64, after: i64, limit: i64) -> Result<Vec<(Upload, Meant)>> {
    let now = app.clock.now();
    let found = app
        .db
        .read(move |tx| Box::pin(async move { rows::of_user(tx, user, after, now, limit).await }))
        .await?;
    found
        .into_iter()
        .map(|row| {
            let meant = understood(&row.metadata)?;
            Ok((row, meant))
        })
        .collect()
}

async fn find(app: &App, who: &Who, id: Uuid) -> Result<Found> {
    let row = row(app, who.user_id, id).await?;
    if row.result.is_some() {
        return Ok(Found::Done(Standing::of(&row, row.size.cast_unsigned())?));
    }
    let (visible, mounted) = drive_of(app, who, &row).await?;
    act::could_change(&visible)?;
    let mut turn = app.uploads.take(id).await;
    // Whoever had it until now may have added to it, or made it a file.
    let row = self::row(app, who.user_id, id).await?;
    if row.result.is_some() {
        return Ok(Found::Done(Standing::of(&row, row.size.cast_unsigned())?));
    }
    let meant = understood(&row.metadata)?;
    let opened = mounted.store.open_partial(id, row.durable.cast_unsigned(), turn.known()).await;
    let partial = opened.map_err(disk_error)?;
    Ok(Found::UnderWay(Box::new(Held { row, meant, mounted, turn, partial })))
}

async fn row(app: &App, user: i64, id: Uuid) -> Result<Upload> {
    let row = app.db.read(move |tx| Box::pin(async move { rows::by_uuid(tx, id, user).await })).await?;
    row.filter(|row| row.expires_at > app.clock.now())
        .ok_or_else(|| Error::not_found("there is no such upload"))
}

/// The drive of an upload, as its account may reach it now.
async fn drive_of(app: &App, who: &Who, row: &Upload) -> Result<(Visible, Arc<Mounted>)> {
    app.drives.reach(who.user_id, Some(&row.drive.to_string())).await
}

fn understood(metadata: &str) -> Result<Meant> {
    if metadata.len() > MOST_METADATA {
        return Err(Error::malformed("Upload-Metadata is too long"));
    }
    meant(metadata).map_err(|fault| match fault {
        Fault::Malformed => Error::malformed("Upload-Metadata is not a list of keys with base64 values"),
        Fault::Bad { key, wanted } => {
            let error = Error::invalid(format!("{key} in Upload-Metadata: {wanted}"));
            error.code(if key == "path" { "bad-path" } else { "bad-metadata" }).with("key", key)
        }
    })
}

/// When an upload that gets a byte now will be over.
fn expires(app: &App) -> i64 {
    let lifetime = i64::try_from(app.config.limits.upload_lifetime.as_micros()).unwrap_or(i64::MAX / 4);
    app.clock.now().saturating_add(lifetime)
}
