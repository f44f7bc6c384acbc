//! Nodes that are not where they should be, once the whole tree was looked at: deleted by another program, unless so
//! many are gone that it may be the disk's fault (promise P8), or the folder of what only waits to be placed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::{Left, in_tree, same_kind, settled, too_busy};
use crate::catalog::changes::Actor;
use crate::catalog::db::{AMBIGUOUS, Tx};
use crate::catalog::drives::Right;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes::{self, Node};
use crate::catalog::{findings, ops, tree};
use crate::domain::reconcile::Guard;
use crate::error::{Error, Kind, Result};
use crate::service::act::{Act, StagedFolder};
use crate::service::content;
use crate::service::files::disk_error;
use crate::service::placement::{Attempt, Mounted};
use crate::store::{Health, Phys};

/// The kind of the finding that says that nothing is buried.
const MASS_MISSING: &str = "mass-missing";
/// How often burying is tried while people change the drive.
const TRIES: u32 = 5;

/// Which tree was looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Where {
    /// The drive's.
    Tree,
    /// That of a deleted folder in its slot.
    Slot {
        /// Its node.
        folder: i64,
    },
}

/// What became of all that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is deleted now, or its folder is made again.
    Settled,
    /// So is all but what may just be written under another name: that is not known before it is quiet there.
    Waiting,
    /// Nothing was done: a person, or the next scan, must say more.
    Withheld,
}

/// What is to be done about what is gone.
#[derive(Debug, Default)]
struct Plan {
    /// To be deleted.
    bury: Vec<(Node, DrivePath)>,
    /// Folders of what waits in a slot, to be made again, each after the one it is in.
    make: Vec<(Node, DrivePath)>,
    /// How many files would be deleted.
    files: usize,
}

/// Settles what a survey did not find.
pub(super) async fn bury(mounted: &Arc<Mounted>, left: &Left, place: Where) -> Result<Judged> {
    for _ in 1..TRIES {
        match try_bury(mounted, left, place).await {
            Err(error) if error.kind() == Kind::Unavailable => {}
            other => return other,
        }
    }
    try_bury(mounted, left, place).await
}

async fn try_bury(mounted: &Arc<Mounted>, left: &Left, place: Where) -> Result<Judged> {
    if left.incomplete {
        // What cannot be read now may be where the rest has gone.
        return Ok(Judged::Withheld);
    }
    let mut gate = mounted.quiet().await.ok_or_else(too_busy)?;
    // Then a slot tells for certain that something waits in it.
    mounted.mark(&mut gate).await?;
    let (waiting, absent): (Vec<_>, Vec<_>) = still(mounted, &left.gone)
        .await?
        .into_iter()
        .partition(|(node, _)| left.busy.contains(&node.ident()));
    if !matches!(mounted.store.verify(), Health::Online) {
        return Err(Error::unavailable("the drive is offline", 30));
    }
    let (drive, root) = (mounted.id, mounted.root_node);
    let folder = match place {
        Where::Tree => root,
        Where::Slot { folder } => folder,
    };
    let (plan, held, asked) = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let plan = plan(tx, absent).await?;
                // Counted only where it matters: one file is never too much.
                let held = if plan.files > 1 { tree::files_placed(tx, folder).await? } else { 2 };
                Ok((plan, held, findings::any_open(tx, drive, MASS_MISSING).await?))
            })
        })
        .await?;
    let guard = Guard::default();
    let too_much = guard.withholds(plan.files, held) || guard.seems_lost(plan.files, held > plan.files);
    match place {
        Where::Tree if !plan.bury.is_empty() && (asked || too_much) => {
            ask(mounted, plan.files, held).await?;
            return Ok(Judged::Withheld);
        }
        Where::Tree => carry_out(mounted, &gate, plan, asked && waiting.is_empty()).await?,
        Where::Slot { .. } if asked || too_much => return Ok(Judged::Withheld),
        // What waits is not placed into a deleted folder.
        Where::Slot { .. } => carry_out(mounted, &gate, Plan { make: Vec::new(), ..plan }, false).await?,
    }
    Ok(if waiting.is_empty() { Judged::Settled } else { Judged::Waiting })
}

/// Nodes of these that are not where they should be by now: a move that was adopted meanwhile may have taken them along.
/// What is beneath another one is left out.
pub(super) async fn still(
    mounted: &Arc<Mounted>,
    gone: &HashMap<i64, DrivePath>,
) -> Result<Vec<(Node, DrivePath)>> {
    let ids: Vec<i64> = gone.keys().copied().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let lineages = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let mut lineages = Vec::new();
                for id in ids {
                    let lineage = nodes::lineage(tx, id).await?;
                    if lineage.last().is_some_and(|node| !node.is_dead()) && settled(&lineage) {
                        let place = content::physical(&lineage)?;
                        lineages.push((lineage, place));
                    }
                }
                Ok(lineages)
            })
        })
        .await?;
    let store = Arc::clone(&mounted.store);
    let absent: Vec<Vec<Node>> = tokio::task::spawn_blocking(move || {
        let is_gone = |lineage: &[Node], place: &Phys| {
            // What cannot be looked at is not gone.
            store.lstat(place).is_ok_and(|stat| {
                stat.is_none_or(|stat| lineage.last().is_some_and(|node| !same_kind(node, &stat)))
            })
        };
        lineages.into_iter().filter(|(lineage, place)| is_gone(lineage, place)).map(|(l, _)| l).collect()
    })
    .await
    .map_err(Error::internal)?;
    let all: HashSet<i64> = absent.iter().filter_map(|lineage| lineage.last()).map(|node| node.id).collect();
    Ok(absent
        .into_iter()
        .filter(|lineage| lineage.iter().rev().skip(1).all(|above| !all.contains(&above.id)))
        .filter_map(|mut lineage| {
            let path = tree::path_of(&lineage).0;
            lineage.pop().map(|node| (node, path))
        })
        .collect())
}

/// What waits in a slot, and what a recovery missed, is not buried along with its folder: another program that removed
/// the folder has not seen it.
async fn plan(tx: &mut Tx, absent: Vec<(Node, DrivePath)>) -> Result<Plan> {
    let mut plan = Plan::default();
    for (node, path) in absent {
        let beneath = if node.is_folder() { tree::beneath(tx, node.id).await? } else { Vec::new() };
        let subtree = Subtree::new(&node, beneath);
        if node.state == "live" || subtree.needed.contains(&node.id) {
            subtree.sort(node, path, &mut plan)?;
        }
    }
    Ok(plan)
}

/// A folder that is gone and what the catalogue knows beneath it.
struct Subtree {
    children: HashMap<i64, Vec<Node>>,
    /// What is not in the tree, or was missed before.
    kept: HashSet<i64>,
    /// The folders above those.
    needed: HashSet<i64>,
}

impl Subtree {
    fn new(top: &Node, beneath: Vec<Node>) -> Self {
        let parents: HashMap<i64, i64> =
            beneath.iter().filter_map(|node| Some((node.id, node.parent_id?))).collect();
        let kept: HashSet<i64> = beneath
            .iter()
            .filter(|node| !in_tree(node) || node.state != "live")
            .map(|node| node.id)
            .collect();
        let mut needed = HashSet::new();
        for mut at in kept.iter().copied() {
            while at != top.id
                && let Some(parent) = parents.get(&at).copied()
                && needed.insert(parent)
            {
                at = parent;
            }
        }
        let mut children: HashMap<i64, Vec<Node>> = HashMap::new();
        for node in beneath {
            children.entry(node.parent_id.unwrap_or_default()).or_default().push(node);
        }
        Self { children, kept, needed }
    }

    fn sort(mut self, top: Node, path: DrivePath, plan: &mut Plan) -> Result<()> {
        let mut left = vec![(top, path)];
        while let Some((node, path)) = left.pop() {
            if !self.needed.contains(&node.id) {
                if !self.kept.contains(&node.id) {
                    plan.files += self.files(&node);
                    plan.bury.push((node, path));
                }
                continue;
            }
            // One that waits itself is made by what it waits for.
            if in_tree(&node) {
                for child in self.children.remove(&node.id).unwrap_or_default() {
                    let below = path.join(&child.name).map_err(Error::internal)?;
                    left.push((child, below));
                }
                plan.make.push((node, path));
            }
        }
        Ok(())
    }

    fn files(&self, node: &Node) -> usize {
        let mut files = 0;
        let mut left = vec![node];
        while let Some(node) = left.pop() {
            files += usize::from(node.is_file());
            left.extend(self.children.get(&node.id).into_iter().flatten());
        }
        files
    }
}

/// Says that so much is gone that nobody takes it for deleted.
async fn ask(mounted: &Arc<Mounted>, files: usize, held: usize) -> Result<()> {
    let detail = format!("{files} of {held} files are gone from the disk; nothing was deleted");
    let (drive, now) = (mounted.id, mounted.clock().now());
    let told = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if findings::any_open(tx, drive, MASS_MISSING).await? {
                    return Ok(false);
                }
                findings::add(tx, drive, None, MASS_MISSING, "/", &detail, now).await?;
                let kind = "deletions-withheld";
                events::add(tx, NewEvent { at: now, drive_id: Some(drive), kind, ..NewEvent::default() })
                    .await?;
                Ok(true)
            })
        })
        .await?;
    if told {
        tracing::error!(
            drive = %mounted.uuid, files, held,
            "most of the drive's files are gone from the disk: put them back, or delete them through Holdfast"
        );
    }
    Ok(())
}

async fn carry_out(mounted: &Arc<Mounted>, gate: &Attempt, plan: Plan, asked: bool) -> Result<()> {
    let Plan { bury, make, .. } = plan;
    if bury.is_empty() && make.is_empty() && !asked {
        return Ok(());
    }
    let staged = stage(mounted, &make).await?;
    let slots: Vec<Uuid> = staged.iter().map(|folder| folder.slot).collect();
    let (drive, done, now) = (mounted.id, gate.done(), mounted.clock().now());
    let written = mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                if ops::any_pending(tx, drive, done).await? {
                    return Err(too_busy());
                }
                let actor = Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now };
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                let all = bury.iter().chain(&make);
                for (node, _) in all {
                    let now = nodes::by_id(act.tx, node.id).await?;
                    if (now.seq, now.is_dead()) != (node.seq, false) {
                        return Err(too_busy());
                    }
                }
                for (node, path) in bury {
                    act.adopt_death(&node, &path).await?;
                }
                for ((node, path), folder) in make.iter().zip(staged) {
                    act.make_again(node, path, folder).await?;
                }
                if asked {
                    for finding in findings::open(act.tx, drive, MASS_MISSING).await? {
                        findings::resolve(act.tx, finding.id, "there again, or deleted", now).await?;
                    }
                }
                act.finish().await.map(drop)
            })
        })
        .await;
    if let Err(error) = &written
        && error.problem_code() != Some(AMBIGUOUS)
    {
        slots.iter().for_each(|slot| mounted.store.discard(*slot));
    }
    written
}

async fn stage(mounted: &Arc<Mounted>, folders: &[(Node, DrivePath)]) -> Result<Vec<StagedFolder>> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let (store, places) =
        (Arc::clone(&mounted.store), folders.iter().map(|(_, path)| Phys::from(path)).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || -> std::io::Result<Vec<StagedFolder>> {
        let mut staged = Vec::with_capacity(places.len());
        for place in &places {
            let (slot, stat) = store.stage_folder(Some(place))?;
            staged.push(StagedFolder { slot, stat });
        }
        let slots: Vec<Uuid> = staged.iter().map(|folder| folder.slot).collect();
        store.make_durable(&slots)?;
        Ok(staged)
    })
    .await
    .map_err(Error::internal)?
    .map_err(disk_error)
}
