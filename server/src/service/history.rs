//! History: what a path or a file held before, and bringing a version back (003-16, 003-24).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::act::{Act, StagedFolder};
use super::caller::Caller;
use super::content::{self, Opened};
use super::drives;
use super::files::{Done, Expect, Who, with_folders};
use super::placement::Mounted;
use super::trash::{RESTORE, stage_version};
use crate::app::App;
use crate::catalog::changes::Actor;
use crate::catalog::db::{AMBIGUOUS, Tx, TxFuture};
use crate::catalog::drives::Right;
use crate::catalog::nodes::{self, Node};
use crate::catalog::tree;
use crate::catalog::versions::{self, HistoryOf, Seen, Version};
use crate::error::{Error, Result};
use crate::store::Blob;

/// A version in a history.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The version.
    pub version: Version,
    /// Public id of the file it belongs to; `None`: of a path where no file ever was.
    pub file: Option<Uuid>,
    /// Whether it is what the file holds now.
    pub is_current: bool,
}

/// A file or folder, live or not.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file or folder.
    pub node: Node,
    /// Where it is, or was when it was deleted.
    pub path: DrivePath,
    /// Whether it is there now: neither it nor a folder above it was deleted.
    pub is_live: bool,
}

/// The versions of every file that ever was at a path, the newest first. A path of which nothing is known has none.
///
/// # Errors
/// 404 for a drive that the caller may not see; the catalogue's.
pub async fn of_path(
    app: &App,
    caller: &Caller,
    drive: Option<String>,
    path: DrivePath,
    after: Option<Seen>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move {
                let drive = drives::named(tx, user, drive.as_deref()).await?.drive;
                let root =
                    drive.root_node_id.ok_or_else(|| Error::internal("a drive without a root node"))?;
                let nodes = tree::ever_at(tx, root, &path).await?;
                let of = HistoryOf { nodes, path: Some((drive.id, path.as_str().to_owned())) };
                entries(tx, &of, after, limit).await
            })
        })
        .await
}

/// The versions of a file, the newest first, whatever it was called.
///
/// # Errors
/// 404; the catalogue's.
pub async fn of_node(
    app: &App,
    caller: &Caller,
    drive: String,
    node: Uuid,
    after: Option<Seen>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let user = caller.user_id;
    app.db
        .read(move |tx| Box::pin(async move { of_node_in(tx, user, &drive, node, after, limit).await }))
        .await
}

/// As [`of_node`], for an account by its internal key.
///
/// # Errors
/// As there.
pub async fn of_node_in(
    tx: &mut Tx,
    user: i64,
    drive: &str,
    node: Uuid,
    after: Option<Seen>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let found = find_node(tx, user, drive, node).await?;
    let of = HistoryOf { nodes: vec![found.node.id], path: None };
    entries(tx, &of, after, limit).await
}

async fn entries(tx: &mut Tx, of: &HistoryOf, after: Option<Seen>, limit: i64) -> Result<Vec<Entry>> {
    let found = versions::history(tx, of, after, limit).await?;
    let mut files: HashMap<i64, (Uuid, Option<i64>)> = HashMap::new();
    for id in found.iter().filter_map(|version| version.node_id).collect::<BTreeSet<_>>() {
        let lineage = nodes::lineage(tx, id).await?;
        let live = tree::is_live(&lineage);
        let node = lineage.last().ok_or_else(|| Error::internal("a version of no file"))?;
        files.insert(id, (node.uuid, node.current_version_id.filter(|_| live)));
    }
    let entry = |version: Version| {
        let file = version.node_id.and_then(|id| files.get(&id));
        let is_current = file.is_some_and(|(_, current)| *current == Some(version.id));
        Entry { file: file.map(|(uuid, _)| *uuid), is_current, version }
    };
    Ok(found.into_iter().map(entry).collect())
}

/// A file or folder by its id, live or not.
///
/// # Errors
/// 404; the catalogue's.
pub async fn node(app: &App, caller: &Caller, drive: String, node: Uuid) -> Result<Found> {
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(async move { find_node(tx, user, &drive, node).await })).await
}

async fn find_node(tx: &mut Tx, user: i64, drive: &str, node: Uuid) -> Result<Found> {
    let drive = drives::named(tx, user, Some(drive)).await?.drive;
    let absent = || Error::not_found("there is no such file or folder");
    let node = nodes::by_uuid(tx, drive.id, node).await?.ok_or_else(absent)?;
    let lineage = nodes::lineage(tx, node.id).await?;
    Ok(Found { path: tree::path_of(&lineage).0, is_live: tree::is_live(&lineage), node })
}

/// Opens the content of a version; with the name that the file had then.
///
/// # Errors
/// 404, also `version-lost` when its bytes are gone; 409 `version-damaged`; 503 while the drive is offline.
pub async fn content(app: &App, caller: &Caller, drive: String, id: Uuid) -> Result<(String, Opened)> {
    let (mounted, version) = find_version(app, caller, drive, id).await?;
    let opened = content::open_version(&mounted, &version).await?;
    let path = DrivePath::from_checked(version.path);
    Ok((path.name().unwrap_or_default().to_owned(), opened))
}

async fn find_version(
    app: &App,
    caller: &Caller,
    drive: String,
    id: Uuid,
) -> Result<(Arc<Mounted>, Version)> {
    let user = caller.user_id;
    let version = app.db.read(move |tx| {
        Box::pin(async move {
            let drive = drives::named(tx, user, Some(&drive)).await?.drive;
            // A conflict's candidate is no version yet; it is read through its conflict.
            let found = versions::by_uuid(tx, drive.id, id).await?.filter(|version| version.n.is_some());
            found.ok_or_else(|| Error::not_found("there is no such version"))
        })
    });
    let version = version.await?;
    Ok((app.drives.online(version.drive_id)?, version))
}

/// What a restore made.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The file.
    pub file: Node,
    /// Where it is.
    pub path: DrivePath,
}

/// Makes a version's content the newest one of its file, where that is now, or where it was when it was deleted. To go
/// back is a new version, too. It touches no agreement: the device that asks for it does not hold the content.
///
/// # Errors
/// 404; 412 when the content there is not the expected one; 409 `exists` when something else took a deleted file's place
/// (unless it is named by `expect`), or when a folder or file is in the way; 503 and 507 as for a write.
pub async fn restore(
    app: &App,
    caller: &Caller,
    who: Who,
    drive: String,
    id: Uuid,
    expect: Expect,
) -> Result<Done<Restored>> {
    let (mounted, version) = find_version(app, caller, drive, id).await?;
    // From here on it must come to an end whether or not the client stays (algorithms A).
    app.act(async move {
        let blob = stage_version(&mounted, &version).await?;
        let actor = who.actor(mounted.clock().now());
        let result = commit(&mounted, actor, version, expect, blob).await;
        let kept = match &result {
            Ok((_, seq)) => seq.is_some(),
            // It may stand: recovery will tell; the slot must stay.
            Err(error) => error.problem_code() == Some(AMBIGUOUS),
        };
        if !kept {
            mounted.store.discard(blob.slot);
        }
        let (value, seq) = result?;
        let placed = match seq {
            Some(seq) => mounted.placed(seq).await,
            None => true,
        };
        Ok(Done { value, placed })
    })
    .await
}

/// The file, and the sequence of the change; `None`: it held that content already.
pub type Put = (Restored, Option<i64>);

async fn commit(
    mounted: &Arc<Mounted>,
    actor: Actor,
    version: Version,
    expect: Expect,
    blob: Blob,
) -> Result<Put> {
    let drive = mounted.id;
    with_folders(mounted, true, move |mut staged| {
        let version = version.clone();
        move |tx| -> TxFuture<'_, (Put, Vec<StagedFolder>)> {
            Box::pin(async move {
                let done = restore_in(tx, drive, actor, &version, expect, &blob, &mut staged).await?;
                Ok((done, staged))
            })
        }
    })
    .await
}

/// A version brought back, in its transaction: a copy of its content is staged and durable.
///
/// # Errors
/// As for [`restore`].
pub async fn restore_in(
    tx: &mut Tx,
    drive: i64,
    actor: Actor,
    version: &Version,
    expect: Expect,
    blob: &Blob,
    staged: &mut Vec<StagedFolder>,
) -> Result<Put> {
    let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
    let done = put_back(&mut act, version, expect, blob, staged).await?;
    act.finish().await?;
    Ok(done)
}

async fn put_back(
    act: &mut Act<'_>,
    version: &Version,
    expect: Expect,
    blob: &Blob,
    staged: &mut Vec<StagedFolder>,
) -> Result<Put> {
    let (path, is_live) = match version.node_id {
        Some(node) => content::where_is(act.tx, node).await?,
        None => (DrivePath::from_checked(version.path.clone()), false),
    };
    let there = act.resolve(&path).await?;
    let now = there.node.as_ref().and_then(Node::content_hash);
    if !expect.holds(now) {
        return Err(expect.refused(now));
    }
    if let Some(node) = &there.node {
        let is_named = matches!(expect, Expect::Content(_) | Expect::Something);
        if node.is_folder() || !(is_live || is_named) {
            let error = Error::conflict("something else is there now").code("exists");
            return Err(error.with("path", path.to_string()));
        }
        if now == Some(blob.hash) {
            return Ok((Restored { file: node.clone(), path }, None));
        }
    }
    let above = path.parent().ok_or_else(|| Error::internal("a version of a drive's root"))?;
    let folder = act.folder(&above, staged).await?;
    let written = act.put(&folder, &path, blob, RESTORE).await?;
    Ok((Restored { file: written.node, path }, Some(written.seq)))
}
