//! Looks at a drive's folder and adopts what other programs changed: once in full when a drive opens, then wherever
//! a reader met something the catalogue did not know (promise P4).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::{ContentHash, DrivePath};
use tokio::sync::watch;
use uuid::Uuid;

use super::act::Act;
use super::placement::Mounted;
use crate::catalog::changes::Actor;
use crate::catalog::drives::Right;
use crate::catalog::nodes::{self, Node};
use crate::catalog::{findings, ops, tree};
use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::error::{Error, Kind, Result};
use crate::store::Phys;

/// A file is adopted once nobody has written to it for so long.
const QUIET: Duration = Duration::from_secs(2);
/// At most so many differences are adopted in one commit.
const BATCH: usize = 128;
/// A scan that finds more than this many files gone, and more than a fifth of all, asks first (promise P8).
const GONE_WITHOUT_ASKING: i64 = 50;

/// One difference between a folder on disk and in the catalogue.
#[derive(Debug, Clone)]
struct Difference {
    path: DrivePath,
    stat: Stat,
    /// The live node of that name and kind, if there is one.
    known: Option<Node>,
    /// A live node of that name but of another kind.
    replaces: Option<Node>,
}

/// A folder to be looked at.
#[derive(Debug, Clone)]
struct Folder {
    node: i64,
    path: DrivePath,
    place: Phys,
}

/// What a walk could not settle at once.
#[derive(Debug, Default)]
struct Left {
    /// Nodes whose files are gone.
    gone: Vec<(i64, DrivePath)>,
    /// Files that somebody may still be writing to: they are looked at again, and what has their inode is not gone.
    busy: HashSet<Ident>,
}

#[derive(Debug, Default)]
struct Comparison {
    differences: Vec<Difference>,
    folders: Vec<Folder>,
    gone: Vec<(i64, DrivePath)>,
}

/// Scans in full, then looks where it is told to, until it is told to stop.
pub async fn run(mounted: Arc<Mounted>, mut stop: watch::Receiver<bool>) {
    match full(&mounted).await {
        Ok(()) => tracing::debug!(drive = %mounted.uuid, "scan finished"),
        Err(error) => tracing::warn!(drive = %mounted.uuid, error = ?error, "scan stopped"),
    }
    loop {
        tokio::select! {
            () = mounted.hinted() => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(QUIET + Duration::from_millis(200)) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = look(&mounted).await {
            tracing::warn!(drive = %mounted.uuid, error = ?error, "looking at changed folders failed");
        }
    }
}

/// Compares the whole drive with the catalogue and adopts what differs.
///
/// # Errors
/// The disk's or the catalogue's; what was adopted until then stays.
pub async fn full(mounted: &Arc<Mounted>) -> Result<()> {
    let root = Folder { node: mounted.root_node, path: DrivePath::root(), place: Phys::root() };
    let mut left = Left::default();
    walk(mounted, root, &mut left).await?;
    bury(mounted, left).await
}

/// Compares the folders that hold the paths where something seemed to differ.
async fn look(mounted: &Arc<Mounted>) -> Result<()> {
    let folders: BTreeSet<DrivePath> =
        mounted.take_hints().iter().map(|path| path.parent().unwrap_or_else(DrivePath::root)).collect();
    let mut left = Left::default();
    for path in folders {
        let (root, asked) = (mounted.root_node, path.clone());
        let found = mounted
            .db()
            .read(move |tx| Box::pin(async move { nodes::resolve(tx, root, &asked).await }))
            .await?;
        let Some(node) = found.node.filter(Node::is_folder) else { continue };
        let here = Folder { node: node.id, place: Phys::from(&path), path };
        let compared = compare(mounted, &here).await?;
        left.gone.extend(compared.gone);
        for new in adopt(mounted, &here, compared.differences, &mut left.busy).await? {
            walk(mounted, new, &mut left).await?;
        }
    }
    bury(mounted, left).await
}

/// Compares a folder and all beneath it.
async fn walk(mounted: &Arc<Mounted>, start: Folder, left: &mut Left) -> Result<()> {
    let mut folders = vec![start];
    while let Some(folder) = folders.pop() {
        let compared = compare(mounted, &folder).await?;
        folders.extend(compared.folders);
        left.gone.extend(compared.gone);
        folders.extend(adopt(mounted, &folder, compared.differences, &mut left.busy).await?);
    }
    Ok(())
}

/// A deleted folder in its slot: what the catalogue did not know of it is taken in, as part of the deleted tree. False:
/// somebody may still be writing there, so it must be looked at again.
///
/// # Errors
/// The disk's or the catalogue's.
pub async fn index_slot(mounted: &Arc<Mounted>, node: i64, path: DrivePath, slot: Uuid) -> Result<bool> {
    let mut left = Left::default();
    walk(mounted, Folder { node, path, place: Phys::slot(slot) }, &mut left).await?;
    let complete = left.busy.is_empty();
    if complete {
        bury(mounted, left).await?;
    }
    Ok(complete)
}

async fn compare(mounted: &Arc<Mounted>, folder: &Folder) -> Result<Comparison> {
    let (store, place) = (Arc::clone(&mounted.store), folder.place.clone());
    let listed =
        tokio::task::spawn_blocking(move || store.list_dir(&place)).await.map_err(Error::internal)?;
    let listed = match listed {
        Ok(listed) => listed,
        // It was moved or removed since it was found; whoever did that is told of by its own folder.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Comparison::default()),
        Err(error) => return Err(super::files::disk_error(error)),
    };
    let id = folder.node;
    let children = mounted.db().read(move |tx| Box::pin(nodes::children(tx, id, "", i64::MAX))).await?;
    let mut known: HashMap<String, Node> =
        children.into_iter().map(|node| (node.name.clone(), node)).collect();
    let mut compared = Comparison::default();
    for (name, stat) in listed {
        let name = name.to_str().map(str::to_owned);
        let Some(path) = name.as_deref().and_then(|name| folder.path.join(name).ok()) else {
            unholdable(mounted, folder).await?;
            continue;
        };
        let node = path.name().and_then(|name| known.remove(name));
        if !matches!(stat.kind, EntryKind::File | EntryKind::Folder) {
            continue;
        }
        match node {
            Some(node) if node.is_folder() && stat.kind == EntryKind::Folder => {
                let place = folder.place.join(&node.name).map_err(Error::internal)?;
                compared.folders.push(Folder { node: node.id, path, place });
            }
            Some(node) if node.is_file() && stat.kind == EntryKind::File => {
                let same = node.ident() == stat.ident
                    && node.size == stat.size.cast_signed()
                    && node.mtime_ns == stat.mtime_ns;
                if !same {
                    compared.differences.push(Difference { path, stat, known: Some(node), replaces: None });
                }
            }
            other => compared.differences.push(Difference { path, stat, known: None, replaces: other }),
        }
    }
    for (name, node) in known {
        if node.state == "live"
            && node.slot.is_none()
            && let Ok(path) = folder.path.join(&name)
        {
            compared.gone.push((node.id, path));
        }
    }
    Ok(compared)
}

async fn unholdable(mounted: &Arc<Mounted>, folder: &Folder) -> Result<()> {
    let (drive, path, now) = (mounted.id, folder.path.to_string(), mounted.clock().now());
    let detail = "holds a name that cannot be synced: not UTF-8, reserved, or too long";
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move { findings::add(tx, drive, None, "name", &path, detail, now).await })
        })
        .await
}

/// Takes differences of one folder into the catalogue; returns the folders that are new to it.
async fn adopt(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    differences: Vec<Difference>,
    busy: &mut HashSet<Ident>,
) -> Result<Vec<Folder>> {
    let mut new = Vec::new();
    let mut left = differences;
    while !left.is_empty() {
        let batch: Vec<Difference> = left.drain(..left.len().min(BATCH)).collect();
        new.extend(adopt_batch(mounted, folder, batch, busy).await?);
    }
    Ok(new)
}

async fn adopt_batch(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    batch: Vec<Difference>,
    busy: &mut HashSet<Ident>,
) -> Result<Vec<Folder>> {
    let mut hashed = Vec::new();
    for difference in batch {
        if !quiet(mounted, folder, &difference).await? {
            busy.insert(difference.stat.ident);
            mounted.look_at(&difference.path);
            continue;
        }
        let moved_from = moved_from(mounted, &difference).await?;
        let hash = match difference.stat.kind {
            EntryKind::File => match hash_of(mounted, folder, &difference).await? {
                Some(hash) => Some(hash),
                None => continue,
            },
            _ => None,
        };
        hashed.push((difference, hash, moved_from));
    }
    if hashed.is_empty() {
        return Ok(Vec::new());
    }
    let gate = mounted.quiet().await.ok_or_else(too_busy)?;
    let (store, place) = (Arc::clone(&mounted.store), folder.place.clone());
    let still = tokio::task::spawn_blocking(move || {
        hashed.retain(|(difference, ..)| {
            let name = difference.path.name().unwrap_or_default();
            place
                .join(name)
                .is_ok_and(|place| store.lstat(&place).is_ok_and(|now| now == Some(difference.stat)))
        });
        hashed
    })
    .await
    .map_err(Error::internal)?;
    let (drive, folder_id, done, now) = (mounted.id, folder.node, gate.done(), mounted.clock().now());
    let place = folder.place.clone();
    let hints = still.iter().map(|(difference, ..)| difference.path.clone()).collect::<Vec<_>>();
    let committed = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if ops::any_pending(tx, drive, done).await? {
                    return Err(too_busy());
                }
                let actor = Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now };
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let parent = nodes::by_id(act.tx, folder_id).await?;
                let mut new = Vec::new();
                for (difference, hash, moved_from) in still {
                    if let Some(node) = adopt_one(&mut act, &parent, &difference, hash, moved_from).await? {
                        let place = place.join(&node.name).map_err(Error::internal)?;
                        new.push(Folder { node: node.id, path: difference.path, place });
                    }
                }
                act.finish().await?;
                Ok(new)
            })
        })
        .await;
    drop(gate);
    match committed {
        Err(error) if error.kind() == Kind::Unavailable => {
            hints.iter().for_each(|path| mounted.look_at(path));
            Ok(Vec::new())
        }
        other => other,
    }
}

fn too_busy() -> Error {
    Error::unavailable("the drive is too busy to be scanned", 5)
}

/// Whether nobody has written to a difference's file for a while; folders are taken as they are.
async fn quiet(mounted: &Arc<Mounted>, folder: &Folder, difference: &Difference) -> Result<bool> {
    if difference.stat.kind == EntryKind::Folder {
        return Ok(true);
    }
    let place = folder.place.join(difference.path.name().unwrap_or_default()).map_err(Error::internal)?;
    let store = Arc::clone(&mounted.store);
    let quiet = tokio::task::spawn_blocking(move || store.is_quiet(&place)).await.map_err(Error::internal)?;
    Ok(quiet.unwrap_or(false))
}

async fn hash_of(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    difference: &Difference,
) -> Result<Option<ContentHash>> {
    let place = folder.place.join(difference.path.name().unwrap_or_default()).map_err(Error::internal)?;
    let store = Arc::clone(&mounted.store);
    let hashed =
        tokio::task::spawn_blocking(move || store.hash_file(&place)).await.map_err(Error::internal)?;
    match hashed {
        Ok((hash, stat)) if stat == difference.stat => Ok(Some(hash)),
        Ok(_) => {
            mounted.look_at(&difference.path);
            Ok(None)
        }
        Err(error) => {
            tracing::info!(drive = %mounted.uuid, %error, "a file that another program changed cannot be read now");
            Ok(None)
        }
    }
}

/// A live node with this inode whose own name no longer leads to it: then this is a move, not a new file.
async fn moved_from(mounted: &Arc<Mounted>, difference: &Difference) -> Result<Option<(Node, DrivePath)>> {
    if difference.known.is_some() {
        return Ok(None);
    }
    let (drive, ident) = (mounted.id, difference.stat.ident);
    let found = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let nodes = nodes::by_inode(tx, drive, ident).await?;
                let [node] = nodes.as_slice() else { return Ok(None) };
                let lineage = nodes::lineage(tx, node.id).await?;
                Ok(tree::is_live(&lineage).then(|| (node.clone(), tree::path_of(&lineage).0)))
            })
        })
        .await?;
    let wanted = if difference.stat.kind == EntryKind::Folder { "folder" } else { "file" };
    let Some((node, path)) = found.filter(|(node, _)| node.kind == wanted && node.state == "live") else {
        return Ok(None);
    };
    let (store, old) = (Arc::clone(&mounted.store), Phys::from(&path));
    let there = tokio::task::spawn_blocking(move || store.lstat(&old)).await.map_err(Error::internal)?;
    let still_there = there.is_ok_and(|stat| stat.is_some_and(|stat| stat.ident == ident));
    Ok((!still_there).then_some((node, path)))
}

/// Adopts one difference, unless the catalogue has changed since it was seen. Returns a folder that is new.
async fn adopt_one(
    act: &mut Act<'_>,
    parent: &Node,
    difference: &Difference,
    hash: Option<ContentHash>,
    moved_from: Option<(Node, DrivePath)>,
) -> Result<Option<Node>> {
    let Difference { path, stat, known, replaces } = difference;
    let there = nodes::child(act.tx, parent.id, path.name().unwrap_or_default()).await?;
    let expected = known.as_ref().or(replaces.as_ref()).map(|node| (node.id, node.seq));
    if there.as_ref().map(|node| (node.id, node.seq)) != expected {
        return Ok(None);
    }
    if let Some(other_kind) = replaces {
        act.adopt_death(other_kind, path).await?;
    }
    if let Some((node, from)) = moved_from {
        let now = nodes::by_id(act.tx, node.id).await?;
        if (now.seq, now.parent_id, &now.name) == (node.seq, node.parent_id, &node.name)
            && !path.is_beneath(&from)
        {
            act.adopt_move(&node, parent, &from, path).await?;
            let node = nodes::by_id(act.tx, node.id).await?;
            return match hash {
                Some(hash) => act.adopt_content(&node, path, hash, stat).await.map(|()| None),
                None => Ok(Some(node)),
            };
        }
    }
    match (known, hash) {
        (Some(node), Some(hash)) => act.adopt_content(node, path, hash, stat).await.map(|()| None),
        (None, Some(hash)) => act.adopt_file(parent, path, hash, stat).await.map(|_| None),
        (_, None) => act.adopt_folder(parent, path, stat).await.map(Some),
    }
}

/// Nodes whose files are gone become deletions, unless so many are gone that it may be the disk's fault.
async fn bury(mounted: &Arc<Mounted>, left: Left) -> Result<()> {
    let Left { gone, busy } = left;
    if gone.is_empty() {
        return Ok(());
    }
    let gate = mounted.quiet().await.ok_or_else(too_busy)?;
    let (drive, done, now) = (mounted.id, gate.done(), mounted.clock().now());
    let ids: Vec<i64> = gone.iter().map(|(id, _)| *id).collect();
    // Where they are now: a move that was adopted meanwhile may have taken them along.
    let placed = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let mut placed = Vec::new();
                for id in ids {
                    let lineage = nodes::lineage(tx, id).await?;
                    let (path, _) = tree::path_of(&lineage);
                    if let Some(node) =
                        lineage.last().filter(|node| node.state == "live" && node.slot.is_none())
                    {
                        placed.push((node.clone(), path, super::content::physical(&lineage)?));
                    }
                }
                Ok(placed)
            })
        })
        .await?;
    let (waiting, placed): (Vec<_>, Vec<_>) =
        placed.into_iter().partition(|(node, ..)| busy.contains(&node.ident()));
    waiting.iter().for_each(|(_, path, _)| mounted.look_at(path));
    let store = Arc::clone(&mounted.store);
    let absent = tokio::task::spawn_blocking(move || {
        placed
            .into_iter()
            .filter(|(_, _, place)| store.lstat(place).is_ok_and(|stat| stat.is_none()))
            .map(|(node, path, _)| (node, path))
            .collect::<Vec<_>>()
    })
    .await
    .map_err(Error::internal)?;
    if !matches!(mounted.store.verify(), crate::store::Health::Online) {
        return Err(Error::unavailable("the drive is offline", 30));
    }
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if ops::any_pending(tx, drive, done).await? {
                    return Err(too_busy());
                }
                let mut files = 0;
                for (node, _) in &absent {
                    files += 1 + i64::try_from(tree::beneath(tx, node.id).await?.len()).unwrap_or(i64::MAX);
                }
                let all = tree::count(tx, drive).await?;
                if files > GONE_WITHOUT_ASKING.max(all / 5) {
                    let detail = format!(
                        "{files} of {all} files and folders are gone from the disk; nothing was deleted"
                    );
                    return findings::add(tx, drive, None, "mass-missing", "/", &detail, now).await;
                }
                let actor = Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now };
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                for (node, path) in absent {
                    let now = nodes::by_id(act.tx, node.id).await?;
                    if now.seq == node.seq {
                        act.adopt_death(&node, &path).await?;
                    }
                }
                act.finish().await.map(drop)
            })
        })
        .await
}
