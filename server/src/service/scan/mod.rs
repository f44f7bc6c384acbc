//! Looks at a drive's folder and adopts what other programs changed: once in full when a drive opens, then wherever
//! a reader met something the catalogue did not know (promise P4).
//!
//! What is gone is told by full scans alone: only who has seen the whole tree can tell a deletion from a move, and a
//! person who tidies up from a disk that lost its files (promise P8).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::DrivePath;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::placement::Mounted;
use crate::catalog::db::Tx;
use crate::catalog::nodes::{self, Node};
use crate::catalog::{findings, tree};
use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::error::{Error, Result};
use crate::store::Phys;

mod compare;
mod gone;
mod take;

use gone::Judged;

/// A file is adopted once nobody has written to it for so long.
const QUIET: Duration = Duration::from_secs(2);
/// A full scan that failed or left something open is repeated after this at first, then ever more rarely.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest time until such a repetition.
const AGAIN_AT_MOST: Duration = Duration::from_secs(300);

/// A folder to be looked at: its node, and where it was found.
#[derive(Debug, Clone)]
struct Folder {
    node: i64,
    path: DrivePath,
    place: Phys,
}

/// One difference between a folder on disk and in the catalogue.
#[derive(Debug, Clone)]
struct Difference {
    path: DrivePath,
    stat: Stat,
    /// The node of that name and kind, if there is one.
    known: Option<Node>,
}

/// The order in which differences are taken. What has another inode than it had may have been moved away and something
/// else put in its place: so the whole tree is looked at for moves before anything of that kind is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// What is new, moved or edited in place.
    Moves,
    /// Also what stands where something else stood.
    Rest,
}

/// What a walk could not settle at once.
#[derive(Debug, Default)]
struct Left {
    /// Nodes that are not where they should be.
    gone: HashMap<i64, DrivePath>,
    /// Files that somebody may still be writing to: they are looked at again, and what has their inode is not gone.
    busy: HashSet<Ident>,
    /// Folders with something for [`Pass::Rest`].
    later: Vec<Folder>,
    /// Folders where something stands under the name of a node of another kind: taken once that is buried.
    blocked: Vec<Folder>,
    /// Folders that could not be read. What is in them is unknown, which is not gone.
    unreadable: BTreeSet<DrivePath>,
    /// Where something else is mounted. What the drive has there is hidden, which is not gone either.
    elsewhere: BTreeSet<DrivePath>,
    /// Something failed that may work the next time.
    incomplete: bool,
    /// Something changed while it was looked at, and is looked at again.
    changed: bool,
}

/// Scans in full, then looks where it is told to, until it is told to stop.
pub async fn run(mounted: Arc<Mounted>, mut stop: watch::Receiver<bool>) {
    let mut due = Some(Instant::now());
    let mut wait = AGAIN;
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let settled = match full(&mounted).await {
                    Ok(settled) => settled,
                    Err(error) => {
                        tracing::warn!(drive = %mounted.uuid, error = ?error, "scan stopped, tried again");
                        false
                    }
                };
                tracing::debug!(drive = %mounted.uuid, settled, "scan finished");
                due = (!settled).then(|| Instant::now() + wait);
                wait = if settled { AGAIN } else { (wait * 2).min(AGAIN_AT_MOST) };
                continue;
            }
            () = mounted.hinted() => {}
        }
        tokio::select! {
            () = tokio::time::sleep(QUIET + Duration::from_millis(200)) => {}
            _ = stop.changed() => return,
        }
        let hints = mounted.take_hints();
        match look(&mounted, &hints).await {
            // One that is due already also looks at this; a drive that lost its files is not searched at every request.
            Ok(missing) => due = due.or_else(|| missing.then(Instant::now)),
            Err(error) => {
                tracing::warn!(drive = %mounted.uuid, error = ?error, "looking at changed folders failed, tried again");
                hints.iter().for_each(|path| mounted.look_at(path));
            }
        }
    }
}

/// Compares the whole drive with the catalogue and adopts what differs. False: it must be done again, because something
/// failed or was busy that may work then, or because so much is gone that nothing was buried.
///
/// # Errors
/// The disk's or the catalogue's; what was adopted until then stays.
pub async fn full(mounted: &Arc<Mounted>) -> Result<bool> {
    let root = Folder { node: mounted.root_node, path: DrivePath::root(), place: Phys::root() };
    let mut left = Left::default();
    survey(mounted, vec![root], true, &mut left).await?;
    let incomplete = left.incomplete;
    let unseen = [
        (UNREADABLE, std::mem::take(&mut left.unreadable)),
        (ELSEWHERE, std::mem::take(&mut left.elsewhere)),
    ];
    let judged = bury(mounted, left, gone::Where::Tree).await?;
    tell(mounted, unseen).await?;
    Ok(judged == Judged::Settled && !incomplete)
}

/// Compares the folders that hold the paths where something seemed to differ. True: something is not where it should
/// be, which only a full scan can judge.
async fn look(mounted: &Arc<Mounted>, hints: &BTreeSet<DrivePath>) -> Result<bool> {
    let paths: BTreeSet<DrivePath> =
        hints.iter().map(|path| path.parent().unwrap_or_else(DrivePath::root)).collect();
    let mut folders = Vec::new();
    for path in paths {
        let here = compare::nearest(mounted, &path).await?;
        if folders.iter().all(|folder: &Folder| folder.node != here.node) {
            folders.push(here);
        }
    }
    let mut left = Left::default();
    survey(mounted, folders, false, &mut left).await?;
    // What a recovery missed is no news, and what is still being written under another name is looked at again.
    let news = |node: &Node| node.state == "live" && !left.busy.contains(&node.ident());
    let missing = gone::still(mounted, &left.gone).await?.iter().any(|(node, _)| news(node));
    for (kind, paths) in [(UNREADABLE, left.unreadable), (ELSEWHERE, left.elsewhere)] {
        for path in paths {
            tell_unseen(mounted, kind, path).await?;
        }
    }
    Ok(missing || left.incomplete)
}

/// Compares folders, with all beneath them when `deep`, in two passes.
async fn survey(mounted: &Arc<Mounted>, starts: Vec<Folder>, deep: bool, left: &mut Left) -> Result<()> {
    for start in starts {
        walk(mounted, start, Pass::Moves, deep, left).await?;
    }
    for folder in std::mem::take(&mut left.later) {
        walk(mounted, folder, Pass::Rest, false, left).await?;
    }
    Ok(())
}

/// Compares a folder; all beneath it only when `deep`, but what is new in it always.
async fn walk(mounted: &Arc<Mounted>, start: Folder, pass: Pass, deep: bool, left: &mut Left) -> Result<()> {
    let mut folders = vec![(start, deep)];
    while let Some((folder, deep)) = folders.pop() {
        let compared = compare::compare(mounted, &folder, pass, left).await?;
        if deep {
            folders.extend(compared.folders.into_iter().map(|folder| (folder, true)));
        }
        let new = take::adopt(mounted, &folder, compared.differences, left).await?;
        folders.extend(new.into_iter().map(|folder| (folder, true)));
    }
    Ok(())
}

/// Buries what is gone, then takes in what stands under the names that are free by that.
async fn bury(mounted: &Arc<Mounted>, mut left: Left, place: gone::Where) -> Result<Judged> {
    let blocked = std::mem::take(&mut left.blocked);
    let judged = gone::bury(mounted, &left, place).await?;
    if judged != Judged::Withheld {
        for folder in blocked {
            walk(mounted, folder, Pass::Rest, false, &mut left).await?;
        }
        left.blocked.iter().for_each(|folder| mounted.look_at(&folder.path));
    }
    Ok(judged)
}

/// A deleted folder in its slot: what the catalogue did not know of it is taken in, as part of the deleted tree. False:
/// somebody may still be writing there, so it must be looked at again.
///
/// # Errors
/// The disk's or the catalogue's.
pub async fn index_slot(mounted: &Arc<Mounted>, node: i64, path: DrivePath, slot: Uuid) -> Result<bool> {
    let mut left = Left::default();
    let folder = Folder { node, path, place: Phys::slot(slot) };
    survey(mounted, vec![folder], true, &mut left).await?;
    let complete = left.busy.is_empty() && !left.incomplete && !left.changed;
    if complete {
        bury(mounted, left, gone::Where::Slot { folder: node }).await?;
    }
    Ok(complete)
}

/// Brings the findings of a full scan up to date.
async fn tell(mounted: &Arc<Mounted>, unseen: [(&'static str, BTreeSet<DrivePath>); 2]) -> Result<()> {
    let (drive, now) = (mounted.id, mounted.clock().now());
    let as_now = unseen.clone();
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                for (kind, paths) in as_now {
                    for finding in findings::open(tx, drive, kind).await? {
                        let still = DrivePath::parse(&finding.path).is_ok_and(|path| paths.contains(&path));
                        if !still {
                            findings::resolve(tx, finding.id, "can be looked at again, or gone", now).await?;
                        }
                    }
                }
                settle_missing(tx, drive, now).await
            })
        })
        .await?;
    for (kind, paths) in unseen {
        for path in paths {
            tell_unseen(mounted, kind, path).await?;
        }
    }
    Ok(())
}

/// What was missing and is there again, was written again or was deleted needs no finding any more.
async fn settle_missing(tx: &mut Tx, drive: i64, now: i64) -> Result<()> {
    for finding in findings::open(tx, drive, MISSING).await? {
        let still = match finding.node_id {
            Some(id) => {
                let lineage = nodes::lineage(tx, id).await?;
                tree::is_live(&lineage) && lineage.last().is_some_and(|node| node.state == "missing")
            }
            None => false,
        };
        if !still {
            findings::resolve(tx, finding.id, "there again, or deleted", now).await?;
        }
    }
    Ok(())
}

/// The kind of the findings about folders that cannot be read.
const UNREADABLE: &str = "unreadable";
/// The kind of the findings about folders at which something else is mounted.
const ELSEWHERE: &str = "other-file-system";
/// The kind of the findings about what a recovery did not find.
pub(super) const MISSING: &str = "missing";

async fn tell_unseen(mounted: &Arc<Mounted>, kind: &'static str, path: DrivePath) -> Result<()> {
    let (drive, now) = (mounted.id, mounted.clock().now());
    let detail = if kind == ELSEWHERE {
        "something else is mounted here, which is no part of the drive; what the drive has here is hidden, and not deleted"
    } else {
        "the folder cannot be read: what other programs change in it is not noticed"
    };
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move { findings::add(tx, drive, None, kind, path.as_str(), detail, now).await })
        })
        .await
}

/// Whether a node is where its name says, as far as Holdfast knows: not waiting in a slot or to be moved. One that is
/// missing counts, for it may have come back.
fn in_tree(node: &Node) -> bool {
    matches!(node.state.as_str(), "live" | "missing") && node.slot.is_none()
}

/// Whether that holds for a node and all above it, up to the drive's root or the deleted folder that they are in.
fn settled(lineage: &[Node]) -> bool {
    let dead = lineage.iter().rposition(Node::is_dead);
    lineage.iter().skip(dead.map_or(0, |at| at + 1)).all(in_tree)
}

/// Whether an entry of the disk could be that node.
pub(super) fn same_kind(node: &Node, stat: &Stat) -> bool {
    (node.is_folder() && stat.kind == EntryKind::Folder) || (node.is_file() && stat.kind == EntryKind::File)
}

fn too_busy() -> Error {
    Error::unavailable("the drive is too busy to be scanned", 5)
}
