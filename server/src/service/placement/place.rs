//! Places what is pending and marks what is durable.

use std::io::ErrorKind;
use std::sync::Arc;

use holdfast_protocol::DrivePath;
use tokio::time::Instant;

use super::{Attempt, MARK_EVERY, Mounted, Note, parked};
use crate::catalog::db::Tx;
use crate::catalog::ops::{self, OpRow};
use crate::catalog::{drives, nodes};
use crate::domain::stat::Ident;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::service::files::disk_error;
use crate::store::{FolderDrive, How, LogEntry, Op, OpKind, Outcome, Phys};

/// Most ops that are placed in one go before those who wait are told.
const AT_ONCE: usize = 32;

impl Mounted {
    /// Tries every pending op in order, with the marks that must come between.
    ///
    /// # Errors
    /// When the drive as a whole cannot be written; order is kept and the next call goes on there.
    pub(in crate::service) async fn place_pending(&self, gate: &mut Attempt) -> Result<()> {
        loop {
            let (drive, done) = (self.id, gate.done);
            let (pending, head) = self
                .db
                .glance(move |tx| {
                    Box::pin(async move {
                        let head = drives::by_id(tx, drive).await?.map_or(done, |drive| drive.head_seq);
                        Ok((ops::pending(tx, drive, done, 256).await?, head))
                    })
                })
                .await?;
            if pending.is_empty() {
                // Changes without an op, such as adoptions, are on disk by themselves.
                gate.done = done.max(head);
                self.attempted.send_replace(gate.done);
                if !gate.stuck {
                    self.recovered().await;
                }
                return Ok(());
            }
            for ops in pending.chunks(AT_ONCE) {
                let run = self.place_run(gate, ops).await?;
                if run.mark_next {
                    self.mark(gate).await?;
                }
                // What the mark noted, or an identity that was taken over, may have changed what the ops after it are about.
                if run.tried < ops.len() || run.read_anew {
                    break;
                }
            }
        }
    }

    /// Tries ops in their order, as many as go without a mark between and come out as they were committed, away from the
    /// async threads.
    async fn place_run(&self, gate: &mut Attempt, rows: &[OpRow]) -> Result<Run> {
        let ops: Vec<Result<Op>> = rows.iter().map(to_place).collect();
        let (store, before) = (Arc::clone(&self.store), gate.tried);
        let place = move || {
            let mut outcomes = Vec::with_capacity(ops.len());
            let mut mark_next = false;
            for op in ops {
                let tried = before + outcomes.len();
                if tried >= MARK_EVERY || (tried > 0 && needs_mark(&store, op.as_ref())) {
                    mark_next = true;
                    break;
                }
                let outcome = op.map(|op| store.place(&op));
                let plain =
                    matches!(&outcome, Ok(Outcome::Done(done)) if !matches!(done.how, How::Adopted(_)));
                outcomes.push(outcome);
                if !plain {
                    break;
                }
            }
            (outcomes, mark_next)
        };
        let (outcomes, mark_next) = tokio::task::spawn_blocking(place).await.map_err(Error::internal)?;
        let mut run = Run { tried: 0, mark_next, read_anew: false };
        for (outcome, row) in outcomes.into_iter().zip(rows) {
            run.read_anew = self.came_out(gate, row, outcome).await?;
            run.tried += 1;
        }
        if run.tried > 0 {
            self.attempted.send_replace(gate.done);
            if !gate.stuck {
                self.recovered().await;
            }
        }
        Ok(run)
    }

    /// Takes note of what came of an op. True: what is still pending must be read anew, for its identities have changed.
    async fn came_out(&self, gate: &mut Attempt, row: &OpRow, outcome: Result<Outcome>) -> Result<bool> {
        let mut read_anew = false;
        match outcome {
            // It must not stop the line behind it.
            Err(error) => {
                tracing::error!(drive = %self.uuid, path = %row.path, error = ?error, "a placement cannot be read");
                self.waits(gate, row, "the catalogue's note of it cannot be read".to_owned());
            }
            Ok(Outcome::Degraded(why)) => {
                self.attempted.send_replace(gate.done);
                self.degrade(&why).await;
                return Err(Error::unavailable("the drive cannot be written", 30).because(why));
            }
            Ok(Outcome::Parked(parked)) => {
                tracing::warn!(drive = %self.uuid, path = %row.path, error = %parked.error, "a placement waits");
                self.waits(gate, row, parked.why.to_string());
            }
            Ok(Outcome::Done(done)) => {
                if let How::Adopted(ident) = done.how {
                    self.adopted_folder(row.node_id, ident).await?;
                    read_anew = true;
                }
                // An adopted folder may hold what nobody knows yet.
                if matches!(done.how, How::Newcomer(_) | How::Absent | How::Adopted(_)) {
                    self.look_at(&self.path_for_people(row));
                }
                if let Some(there) = done.in_slot.filter(|_| row.displaced().is_none()) {
                    gate.notes.push(Note::Unexpected { op: Box::new(row.clone()), there: there.ident });
                }
            }
        }
        gate.log.push(LogEntry {
            epoch: self.epoch,
            seq: row.seq,
            op: row.uuid,
            path: row.dst.clone().unwrap_or_else(|| row.path.clone()),
            hash: row.hash(),
            time: self.clock.now(),
        });
        gate.done = row.seq;
        gate.tried += 1;
        gate.since.get_or_insert_with(Instant::now);
        Ok(read_anew)
    }

    fn waits(&self, gate: &mut Attempt, row: &OpRow, why: String) {
        self.remember_parked(row.seq);
        gate.notes.push(Note::Parked { op: Box::new(row.clone()), why });
    }

    pub(super) fn path_for_people(&self, row: &OpRow) -> DrivePath {
        DrivePath::parse(row.dst.as_deref().unwrap_or(&row.path)).unwrap_or_else(|_| DrivePath::root())
    }

    /// A folder that another program had made took the place of a new one: it is the node's from now on, also in ops
    /// that were committed before that was known.
    pub(super) async fn adopted_folder(&self, node: i64, ident: Ident) -> Result<()> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    nodes::set_ident(tx, node, ident).await?;
                    ops::set_ident_of_node(tx, node, ident).await
                })
            })
            .await
    }

    /// Makes what was placed durable and tells the catalogue: the watermark rises, nothing before it is redone.
    ///
    /// # Errors
    /// When the file system or the catalogue could not; nothing is forgotten then.
    pub(in crate::service) async fn mark(&self, gate: &mut Attempt) -> Result<()> {
        if gate.tried == 0 {
            return Ok(());
        }
        failpoint::hit("mark.before");
        let (store, log) = (Arc::clone(&self.store), gate.log.clone());
        let durable = tokio::task::spawn_blocking(move || {
            store.flush()?;
            store.log_append(&log)
        })
        .await
        .map_err(Error::internal)?;
        if let Err(source) = durable {
            // On a full disk each write says so itself, and none is refused once there is room.
            if !matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                gate.stuck = true;
                self.degrade(&source).await;
            }
            return Err(disk_error(source));
        }
        let (drive, seq, notes, now) = (self.id, gate.done, gate.notes.clone(), self.clock.now());
        let left_behind = self
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let mut left_behind = false;
                    for note in &notes {
                        left_behind |= note_down(tx, drive, note, now).await?;
                    }
                    ops::settle(tx, drive, seq).await?;
                    drives::set_placed(tx, drive, seq).await?;
                    Ok(left_behind)
                })
            })
            .await?;
        failpoint::hit("mark.after");
        self.store.marked();
        let done = gate.done;
        *gate = Attempt { done, ..Attempt::default() };
        self.recovered().await;
        if left_behind && let Err(error) = self.try_parked().await {
            tracing::warn!(drive = %self.uuid, %error, "what is parked could not be tried again");
        }
        Ok(())
    }
}

/// How far a run of ops got.
struct Run {
    /// So many were tried.
    tried: usize,
    /// A mark must come before the next one.
    mark_next: bool,
    /// What is still pending must be read anew.
    read_anew: bool,
}

/// Whether a mark must come before an op: a move or deletion of a folder, a move of what was moved since the last mark, and
/// anything after an op that did not come out as committed must find the earlier steps marked, else a redo could meet a
/// half-done past (algorithms A, Barrier). What cannot be told is treated like a folder.
fn needs_mark(store: &FolderDrive, op: Result<&Op, &Error>) -> bool {
    op.map_or(true, |op| store.barrier_before(op).unwrap_or(true))
}

/// The store's form of an op.
pub(super) fn to_place(row: &OpRow) -> Result<Op> {
    let kind = match row.kind.as_str() {
        "put" => OpKind::Put,
        "mkdir" => OpKind::Mkdir,
        "del" => OpKind::Del,
        "mv" => OpKind::Mv,
        "mvover" => OpKind::MvOver,
        other => return Err(Error::internal(format!("an op of kind {other}"))),
    };
    Ok(Op {
        seq: row.seq,
        slot: row.uuid,
        kind,
        path: Phys::parse(&row.path).map_err(Error::internal)?,
        dst: row.dst.as_deref().map(Phys::parse).transpose().map_err(Error::internal)?,
        ident: row.ident(),
        displaced: row.displaced().map(|d| d.ident),
    })
}

/// Tells the catalogue what came of an op. True: something was left where it should not lie, and can be put away now.
async fn note_down(tx: &mut Tx, drive: i64, note: &Note, now: i64) -> Result<bool> {
    match note {
        Note::Unexpected { op, there } => {
            if !parked::met(tx, op, *there, now).await? {
                ops::set_detail(tx, op.id, "something else was there").await?;
            }
            Ok(false)
        }
        Note::Parked { op, why } => parked::park(tx, drive, op, why, now).await,
    }
}
