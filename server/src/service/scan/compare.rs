//! One folder as it is on disk beside what the catalogue knows of it.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::{Difference, Folder, Left, Pass, in_tree, same_kind};
use crate::catalog::findings;
use crate::catalog::nodes::{self, Node};
use crate::domain::stat::{EntryKind, Stat};
use crate::error::{Error, Result};
use crate::service::files::disk_error;
use crate::service::placement::Mounted;
use crate::store::{Listing, Phys};

/// What comparing a folder came to.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// To be taken into the catalogue.
    pub(super) differences: Vec<Difference>,
    /// The folders in it that are what the catalogue knows.
    pub(super) folders: Vec<Folder>,
}

/// Compares a folder with the catalogue.
pub(super) async fn compare(
    mounted: &Arc<Mounted>,
    folder: &Folder,
    pass: Pass,
    left: &mut Left,
) -> Result<Comparison> {
    let Some(Listing { entries, elsewhere }) = list(mounted, folder, left).await? else {
        return Ok(Comparison::default());
    };
    let id = folder.node;
    let children = mounted.db().read(move |tx| Box::pin(nodes::children(tx, id, "", i64::MAX))).await?;
    let mut known: HashMap<String, Node> =
        children.into_iter().map(|node| (node.name.clone(), node)).collect();
    let mut compared = Comparison::default();
    let (mut for_later, mut blocked) = (false, false);
    for name in elsewhere {
        let Some(path) = name.to_str().and_then(|name| folder.path.join(name).ok()) else { continue };
        // What the drive has there is hidden, which is not gone.
        path.name().and_then(|name| known.remove(name));
        left.elsewhere.insert(path);
    }
    for (name, stat) in entries {
        let name = name.to_str().map(str::to_owned);
        let Some(path) = name.as_deref().and_then(|name| folder.path.join(name).ok()) else {
            unholdable(mounted, folder).await?;
            continue;
        };
        let node = path.name().and_then(|name| known.remove(name));
        if !matches!(stat.kind, EntryKind::File | EntryKind::Folder) {
            continue;
        }
        match judge(node.as_ref(), &stat, pass) {
            Verdict::Same if stat.kind == EntryKind::Folder => {
                if let Some(node) = node {
                    let place = folder.place.join(&node.name).map_err(Error::internal)?;
                    compared.folders.push(Folder { node: node.id, path, place });
                }
            }
            Verdict::Same | Verdict::Waiting => {}
            Verdict::Unsettled => mounted.look_at(&path),
            Verdict::Take => compared.differences.push(Difference { path, stat, known: node }),
            Verdict::Later => for_later = true,
            Verdict::OtherKind => {
                if let Some(node) = node {
                    left.gone.insert(node.id, path);
                }
                blocked = true;
            }
        }
    }
    match pass {
        Pass::Moves if for_later || blocked => left.later.push(folder.clone()),
        Pass::Rest if blocked => left.blocked.push(folder.clone()),
        _ => {}
    }
    for (name, node) in known {
        if in_tree(&node)
            && let Ok(path) = folder.path.join(&name)
        {
            left.gone.insert(node.id, path);
        }
    }
    Ok(compared)
}

enum Verdict {
    /// It is what the catalogue knows.
    Same,
    /// It goes into the catalogue now.
    Take,
    /// It goes into the catalogue once all moves are known.
    Later,
    /// The node's acknowledged content waits in a slot, or it waits to be moved: what the disk shows is not newer.
    Waiting,
    /// Its placement is not marked yet: it can be judged in a moment.
    Unsettled,
    /// The name is a node's of another kind, which is gone then.
    OtherKind,
}

fn judge(node: Option<&Node>, stat: &Stat, pass: Pass) -> Verdict {
    let Some(node) = node else { return Verdict::Take };
    if node.state == "unplaced" {
        return Verdict::Waiting;
    }
    let alike = same_kind(node, stat);
    let same_inode = node.ident() == stat.ident;
    let same = alike
        && same_inode
        && node.state == "live"
        && (node.is_folder() || (node.size == stat.size.cast_signed() && node.mtime_ns == stat.mtime_ns));
    match () {
        () if same => Verdict::Same,
        () if !in_tree(node) => Verdict::Unsettled,
        () if !alike => Verdict::OtherKind,
        () if same_inode || pass == Pass::Rest => Verdict::Take,
        () => Verdict::Later,
    }
}

/// What is in a folder. `None`: it is gone, or cannot be read, and what is in it is unknown.
async fn list(mounted: &Arc<Mounted>, folder: &Folder, left: &mut Left) -> Result<Option<Listing>> {
    let (store, place) = (Arc::clone(&mounted.store), folder.place.clone());
    let listed =
        tokio::task::spawn_blocking(move || store.list_dir(&place)).await.map_err(Error::internal)?;
    match listed {
        Ok(listed) => Ok(Some(listed)),
        // It was moved or removed since it was found; whoever did that is told of by its own folder.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // Something was mounted over it since it was found.
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            left.elsewhere.insert(folder.path.clone());
            Ok(None)
        }
        Err(error) if folder.place.is_root() => Err(disk_error(error)),
        Err(error) => {
            tracing::warn!(drive = %mounted.uuid, path = %folder.path, %error, "a folder cannot be read");
            // What its rights forbid they will forbid the next time; anything else may pass.
            left.incomplete |= error.kind() != ErrorKind::PermissionDenied;
            left.unreadable.insert(folder.path.clone());
            Ok(None)
        }
    }
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

/// The folder that must be compared to learn what is at a path: the folder there, or the one above the first on the way
/// that is not what the catalogue knows of it.
pub(super) async fn nearest(mounted: &Arc<Mounted>, path: &DrivePath) -> Result<Folder> {
    let (root, asked) = (mounted.root_node, path.clone());
    let found =
        mounted.db().read(move |tx| Box::pin(async move { nodes::resolve(tx, root, &asked).await })).await?;
    let mut here = Folder { node: root, path: DrivePath::root(), place: Phys::root() };
    for node in found.above.into_iter().chain(found.node).skip(1) {
        let place = here.place.join(&node.name).map_err(Error::internal)?;
        let (store, looked_at) = (Arc::clone(&mounted.store), place.clone());
        let there =
            tokio::task::spawn_blocking(move || store.lstat(&looked_at)).await.map_err(Error::internal)?;
        let known = node.state == "live"
            && there.is_ok_and(|stat| {
                stat.is_some_and(|stat| stat.kind == EntryKind::Folder && stat.ident == node.ident())
            });
        if !known || !node.is_folder() {
            break;
        }
        let path = here.path.join(&node.name).map_err(Error::internal)?;
        here = Folder { node: node.id, path, place };
    }
    Ok(here)
}
