//! What could not be placed: how it is noted, and how it is tried again.
//!
//! A node that is `unplaced` lies in its slot (a parked put or mkdir, or a deleted folder on its way back), or, without
//! one, still in the tree where its parked move began. A parked deletion is about a content that is no longer anybody's:
//! it stays, whatever becomes of the node, until what was deleted has left the tree.

use std::sync::Arc;

use uuid::Uuid;

use super::Mounted;
use super::place::to_place;
use crate::catalog::db::Tx;
use crate::catalog::nodes::{self, Node};
use crate::catalog::ops::{self, OpRow};
use crate::catalog::{findings, slots, versions};
use crate::domain::stat::Ident;
use crate::error::{Error, Result};
use crate::service::content::physical;
use crate::store::{Done, How, Op, OpKind, Outcome, Phys};

/// Finding: something waits outside its place.
const UNPLACED: &str = "unplaced";
/// Finding: something deleted is still in the plain folder.
const UNDELETED: &str = "undeleted";

fn moves(op: &OpRow) -> bool {
    matches!(op.kind.as_str(), "mv" | "mvover")
}

/// Whether the catalogue has gone on since an op was committed, so that it must not be placed any more.
fn superseded(op: &OpRow, node: &Node) -> bool {
    match op.kind.as_str() {
        "del" => false,
        "put" => node.is_dead() || op.version_id != node.current_version_id,
        "mkdir" => node.is_dead(),
        // A later name is none of this: a parked move leads to wherever its node belongs by then.
        _ => node.is_dead() || op.ident() != node.ident(),
    }
}

/// Notes that an op waits. True: what it was to move is nobody's any more and can be put away.
pub(super) async fn park(tx: &mut Tx, drive: i64, op: &OpRow, why: &str, now: i64) -> Result<bool> {
    let node = nodes::by_id(tx, op.node_id).await?;
    if superseded(op, &node) {
        return supersede(tx, op, &node).await;
    }
    let slot = match op.kind.as_str() {
        "del" => {
            ops::set_state(tx, op.id, "parked", Some(why)).await?;
            let path = format!("/{}", op.path);
            findings::add(tx, drive, Some(op.node_id), UNDELETED, &path, why, now).await?;
            return Ok(false);
        }
        "put" | "mkdir" => Some(op.uuid),
        _ => {
            if ops::parked_of(tx, node.id).await?.iter().any(|parked| parked.kind != "del") {
                // The earlier one knows where it lies, and leads to its newest name.
                ops::delete(tx, op.id).await?;
                return Ok(false);
            }
            slot_itself(&op.path)
        }
    };
    ops::set_state(tx, op.id, "parked", Some(why)).await?;
    nodes::set_state(tx, op.node_id, "unplaced", slot).await?;
    let path = format!("/{}", op.dst.as_deref().unwrap_or(&op.path));
    findings::add(tx, drive, Some(op.node_id), UNPLACED, &path, why, now).await?;
    Ok(false)
}

fn slot_itself(path: &str) -> Option<Uuid> {
    let slot = Phys::parse(path).ok()?.slot_id()?;
    (Phys::slot(slot).as_str() == path).then_some(slot)
}

/// An op that is no longer wanted. True: it has become the deletion of what it was to move.
async fn supersede(tx: &mut Tx, op: &OpRow, node: &Node) -> Result<bool> {
    if !moves(op) {
        if let Some(version) = op.version_id {
            versions::found_in_slot(tx, version, op.uuid).await?;
        }
        if let Some(slot) = node.slot.filter(|_| op.kind == "mkdir" && node.is_dead()) {
            slots::replace(tx, slot, op.uuid).await?;
        }
        ops::delete(tx, op.id).await?;
        return Ok(false);
    }
    // Whoever came later counts on displacing it from where it was to be. It never came there, so that is done from
    // where it lies; and what the move was to displace is still there for the later one to displace.
    let later = ops::displacing(tx, op.drive_id, op.seq, op.ident()).await?;
    ops::become_deletion(tx, op.id, &op.path, op.ident()).await?;
    ops::set_displaced(tx, op.id, later.as_ref().and_then(OpRow::displaced_content)).await?;
    if let Some(later) = later {
        ops::set_displaced(tx, later.id, op.displaced_content()).await?;
        if let Some(target) = op.displaced().filter(|_| later.kind == "del") {
            ops::become_deletion(tx, later.id, &later.path, target.ident).await?;
        }
        if let Some(version) = op.displaced_version_id {
            versions::set_slot(tx, version, Some(later.uuid)).await?;
        }
        if let Some(version) = later.displaced_version_id {
            versions::set_slot(tx, version, Some(op.uuid)).await?;
        }
        if node.is_dead() {
            slots::replace(tx, later.uuid, op.uuid).await?;
        }
    }
    ops::set_state(tx, op.id, "parked", Some("another content took its place")).await?;
    Ok(true)
}

/// An op found something in its place that the catalogue did not expect there. False: nothing parked is about it.
pub(super) async fn met(tx: &mut Tx, op: &OpRow, there: Ident, now: i64) -> Result<bool> {
    let Some(parked) = ops::parked_about(tx, op.drive_id, there).await? else { return Ok(false) };
    if moves(&parked) {
        // It waited there for its move, which goes on from the slot.
        ops::set_path(tx, parked.id, Phys::slot(op.uuid).as_str()).await?;
        nodes::set_state(tx, parked.node_id, "unplaced", Some(op.uuid)).await?;
        return Ok(true);
    }
    let Some(content) = parked.displaced_content().filter(|_| parked.kind == "del") else {
        return Ok(false);
    };
    // It was to be deleted and lies in another slot than thought.
    if let (Some(version), _) = content {
        versions::set_slot(tx, version, Some(op.uuid)).await?;
    }
    slots::replace(tx, parked.uuid, op.uuid).await?;
    ops::set_displaced(tx, op.id, Some(content)).await?;
    ops::delete(tx, parked.id).await?;
    findings::resolve_of_node(tx, parked.node_id, UNDELETED, "displaced", now).await?;
    Ok(true)
}

/// Voids what is parked of a node because another act takes over from there. Returns where in the tree the node lies, if
/// a move of it was parked.
///
/// # Errors
/// The catalogue's.
pub(in crate::service) async fn take_over(tx: &mut Tx, node: &Node, now: i64) -> Result<Option<String>> {
    let mut lies = None;
    for parked in ops::parked_of(tx, node.id).await? {
        if parked.kind == "del" {
            continue;
        }
        match (parked.displaced(), &parked.dst) {
            // What the move was to replace is dead, and still where it was.
            (Some(target), Some(there)) => {
                ops::become_deletion(tx, parked.id, there, target.ident).await?;
            }
            _ => ops::delete(tx, parked.id).await?,
        }
        if moves(&parked) && node.slot.is_none() {
            lies = Some(parked.path);
        }
    }
    findings::resolve_of_node(tx, node.id, UNPLACED, "superseded", now).await?;
    Ok(lies)
}

/// Where a node lies, from its lineage: as [`physical`] says, but where it or a folder above it is unplaced.
///
/// # Errors
/// The catalogue's; a name in it that is none.
pub async fn lies_at(tx: &mut Tx, lineage: &[Node]) -> Result<Phys> {
    let Some(at) = lineage.iter().rposition(|node| node.state == "unplaced" || node.is_dead()) else {
        return physical(lineage);
    };
    let start = match lineage[at].slot {
        Some(slot) => Phys::slot(slot),
        None => match ops::parked_of(tx, lineage[at].id).await?.iter().find(|op| moves(op)) {
            Some(parked) => Phys::parse(&parked.path).map_err(Error::internal)?,
            None => return physical(lineage),
        },
    };
    let mut below = lineage[at + 1..].iter();
    below.try_fold(start, |phys, node| phys.join(&node.name)).map_err(Error::internal)
}

/// What came of another try.
enum Settled {
    /// The catalogue knows it placed.
    Yes,
    /// It waits on.
    No,
    /// An act was committed meanwhile that counts on finding it where it was.
    TakeBack,
}

impl Mounted {
    /// Tries what is parked again, in order.
    pub(super) async fn retry_parked(&self) {
        let Some(mut gate) = self.quiet().await else { return };
        // Out of their order, so nothing before them may be redone after them.
        let tried = match self.mark(&mut gate).await {
            Ok(()) => self.try_parked().await,
            Err(error) => Err(error),
        };
        if let Err(error) = tried {
            tracing::warn!(drive = %self.uuid, %error, "what is parked could not be tried again");
        }
        drop(gate);
    }

    pub(in crate::service) async fn try_parked(&self) -> Result<()> {
        let (drive, mut after) = (self.id, 0);
        loop {
            let parked =
                self.db.read(move |tx| Box::pin(ops::in_state(tx, drive, "parked", after, 256))).await?;
            let Some(last) = parked.last() else { return Ok(()) };
            after = last.id;
            for row in parked {
                self.try_again(row).await?;
            }
        }
    }

    async fn try_again(&self, row: OpRow) -> Result<()> {
        let id = row.node_id;
        let lineage = self.db.read(move |tx| Box::pin(nodes::lineage(tx, id))).await?;
        let Some(node) = lineage.last() else { return Ok(()) };
        if superseded(&row, node) {
            let now = self.clock.now();
            let left_behind = self.db.write(move |tx| Box::pin(give_up(tx, row.id, now))).await?;
            return match left_behind {
                // Once: a deletion is never superseded.
                Some(deletion) => Box::pin(self.try_again(deletion)).await,
                None => Ok(()),
            };
        }
        let seen = node.seq;
        let Some(op) = self.op_now(&row, &lineage).await? else { return Ok(()) };
        let Outcome::Done(done) = self.place_op(&op).await? else { return Ok(()) };
        if let How::Adopted(ident) = done.how {
            self.adopted_folder(id, ident).await?;
        }
        if matches!(done.how, How::Newcomer(_) | How::Absent | How::Adopted(_)) {
            self.look_at(&self.path_for_people(&row));
        }
        self.flush_now().await?;
        let (tried, seq) = (row.clone(), row.seq);
        let (attempted, in_place, now) = (self.attempted(), done.how == How::InPlace, self.clock.now());
        let settled =
            self.db.write(move |tx| Box::pin(settle(tx, tried, seen, in_place, attempted, now))).await?;
        match settled {
            Settled::Yes => self.forget_parked(seq),
            Settled::No => {}
            Settled::TakeBack => {
                if let Some(back) = taken_back(&op, &done) {
                    self.place_op(&back).await?;
                    self.flush_now().await?;
                }
            }
        }
        Ok(())
    }

    /// The op as it has to be done today: its node may have another name by now, or lie in a deleted folder.
    async fn op_now(&self, row: &OpRow, lineage: &[Node]) -> Result<Option<Op>> {
        let Ok(mut op) = to_place(row) else { return Ok(None) };
        match op.kind {
            OpKind::Put | OpKind::Mkdir => op.path = physical(lineage)?,
            OpKind::Mv | OpKind::MvOver => op.dst = Some(physical(lineage)?),
            OpKind::Del => {
                let Some((node, above)) = lineage.split_last() else { return Ok(None) };
                let by_name = physical(above)?.join(&node.name).map_err(Error::internal)?;
                let (store, places, ident) = (Arc::clone(&self.store), [op.path.clone(), by_name], op.ident);
                let found = tokio::task::spawn_blocking(move || {
                    let here = |place: &Phys| {
                        store.lstat(place).is_ok_and(|stat| stat.is_some_and(|stat| stat.ident == ident))
                    };
                    places.into_iter().find(here)
                })
                .await
                .map_err(Error::internal)?;
                op.path = found.unwrap_or(op.path);
            }
        }
        Ok(Some(op))
    }

    async fn place_op(&self, op: &Op) -> Result<Outcome> {
        let (store, op) = (Arc::clone(&self.store), op.clone());
        tokio::task::spawn_blocking(move || store.place(&op)).await.map_err(Error::internal)
    }

    async fn flush_now(&self) -> Result<()> {
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || store.flush())
            .await
            .map_err(Error::internal)?
            .map_err(|source| Error::unavailable("the drive cannot be written", 30).because(source))
    }
}

/// Gives up a parked op that is superseded. Returns the deletion that it has become, if it has.
async fn give_up(tx: &mut Tx, op: i64, now: i64) -> Result<Option<OpRow>> {
    let Some(op) = ops::find(tx, op).await?.filter(|op| op.state == "parked") else { return Ok(None) };
    let node = nodes::by_id(tx, op.node_id).await?;
    if !superseded(&op, &node) {
        return Ok(None);
    }
    findings::resolve_of_node(tx, op.node_id, UNPLACED, "superseded", now).await?;
    Ok(if supersede(tx, &op, &node).await? { ops::find(tx, op.id).await? } else { None })
}

/// Tells the catalogue that a parked op was placed, unless that has gone on since `seen` was read.
async fn settle(
    tx: &mut Tx,
    tried: OpRow,
    seen: i64,
    in_place: bool,
    attempted: i64,
    now: i64,
) -> Result<Settled> {
    let found = ops::find(tx, tried.id).await?;
    let Some(op) = found.filter(|op| (&op.state, &op.kind) == (&tried.state, &tried.kind)) else {
        return Ok(Settled::TakeBack);
    };
    if op.kind == "del" {
        if !in_place && ops::any_pending(tx, op.drive_id, attempted).await? {
            // A folder above it is on its way elsewhere, and it with that.
            return Ok(Settled::No);
        }
        ops::set_state(tx, op.id, "placed", Some("was parked")).await?;
        findings::resolve_of_node(tx, op.node_id, UNDELETED, "deleted", now).await?;
        return Ok(Settled::Yes);
    }
    if nodes::by_id(tx, op.node_id).await?.seq != seen {
        return Ok(Settled::TakeBack);
    }
    if moves(&op) && !in_place && ops::any_pending(tx, op.drive_id, attempted).await? {
        return Ok(Settled::No);
    }
    nodes::set_state(tx, op.node_id, "live", None).await?;
    // Judged like any other: the name may have held something by now.
    ops::set_state(tx, op.id, "placed", Some("was parked")).await?;
    findings::resolve_of_node(tx, op.node_id, UNPLACED, "placed", now).await?;
    Ok(Settled::Yes)
}

/// The op that undoes what another one has just done out of its order.
fn taken_back(op: &Op, done: &Done) -> Option<Op> {
    if done.how != How::InPlace {
        return None;
    }
    let back = match (op.kind, done.in_slot, &op.dst) {
        (OpKind::Del, ..) => return None,
        (OpKind::Put | OpKind::Mkdir, Some(there), _) => {
            Op { kind: OpKind::Put, ident: there.ident, ..op.clone() }
        }
        (OpKind::Put | OpKind::Mkdir, None, _) => Op { kind: OpKind::Del, ..op.clone() },
        (OpKind::Mv | OpKind::MvOver, _, Some(there)) => Op {
            kind: OpKind::Mv,
            slot: Uuid::new_v4(),
            path: there.clone(),
            dst: Some(op.path.clone()),
            ..op.clone()
        },
        (OpKind::Mv | OpKind::MvOver, _, None) => return None,
    };
    Some(Op { displaced: None, ..back })
}
