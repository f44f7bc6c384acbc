//! Places what is pending and marks what is durable.

use std::sync::Arc;

use holdfast_protocol::DrivePath;
use tokio::time::Instant;

use super::{Attempt, MARK_EVERY, Mounted, Note};
use crate::catalog::db::Tx;
use crate::catalog::ops::{self, OpRow};
use crate::catalog::{drives, findings, nodes, versions};
use crate::domain::stat::Ident;
use crate::error::{Error, Result};
use crate::failpoint;
use crate::store::{How, LogEntry, Op, OpKind, Outcome, Phys};

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
                .read(move |tx| {
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
                return Ok(());
            }
            for op in pending {
                if self.needs_mark(gate, &op).await? {
                    self.mark(gate).await?;
                }
                let read_anew = self.place_one(gate, op).await?;
                if gate.tried >= MARK_EVERY {
                    self.mark(gate).await?;
                }
                if read_anew {
                    break;
                }
            }
        }
    }

    /// A move or deletion of a folder, a move of what was moved since the last mark, and anything after an op that did not
    /// come out as committed, must find the earlier steps marked: else a redo could meet a half-done past (algorithms A,
    /// Barrier).
    async fn needs_mark(&self, gate: &Attempt, op: &OpRow) -> Result<bool> {
        if gate.tried == 0 {
            return Ok(false);
        }
        let (store, op) = (Arc::clone(&self.store), to_place(op)?);
        let needed = if matches!(op.kind, OpKind::Put | OpKind::Mkdir) {
            // Told without a look at the disk.
            store.barrier_before(&op)
        } else {
            tokio::task::spawn_blocking(move || store.barrier_before(&op)).await.map_err(Error::internal)?
        };
        // What cannot be told is treated like a folder.
        Ok(needed.unwrap_or(true))
    }

    /// Tries one op. True: what is still pending must be read anew, for its identities have changed.
    async fn place_one(&self, gate: &mut Attempt, row: OpRow) -> Result<bool> {
        let op = to_place(&row)?;
        let store = Arc::clone(&self.store);
        let outcome = tokio::task::spawn_blocking(move || store.place(&op)).await.map_err(Error::internal)?;
        let mut read_anew = false;
        match outcome {
            Outcome::Degraded(why) => {
                self.degrade(&why).await;
                return Err(Error::unavailable("the drive cannot be written", 30).because(why));
            }
            Outcome::Parked(parked) => {
                tracing::warn!(drive = %self.uuid, path = %row.path, error = %parked.error, "a placement waits");
                gate.notes.push(Note::Parked { op: Box::new(row.clone()), why: parked.why.to_string() });
            }
            Outcome::Done(done) => {
                if let How::Adopted(ident) = done.how {
                    self.adopted_folder(row.node_id, ident).await?;
                    read_anew = true;
                }
                if matches!(done.how, How::Newcomer(_) | How::Absent) {
                    self.look_at(&self.path_for_people(&row));
                }
                if done.in_slot.is_some() && row.displaced().is_none() {
                    gate.notes.push(Note::Unexpected { op: row.id });
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
        self.attempted.send_replace(row.seq);
        self.recovered().await;
        Ok(read_anew)
    }

    fn path_for_people(&self, row: &OpRow) -> DrivePath {
        DrivePath::parse(row.dst.as_deref().unwrap_or(&row.path)).unwrap_or_else(|_| DrivePath::root())
    }

    /// A folder that another program had made took the place of a new one: it is the node's from now on, also in ops
    /// that were committed before that was known.
    async fn adopted_folder(&self, node: i64, ident: Ident) -> Result<()> {
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
        tokio::task::spawn_blocking(move || {
            store.flush()?;
            store.log_append(&log)
        })
        .await
        .map_err(Error::internal)?
        .map_err(|source| Error::unavailable("the drive cannot be written", 30).because(source))?;
        let (drive, seq, notes, now) = (self.id, gate.done, gate.notes.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    for note in &notes {
                        note_down(tx, drive, note, now).await?;
                    }
                    ops::settle(tx, drive, seq).await?;
                    drives::set_placed(tx, drive, seq).await
                })
            })
            .await?;
        failpoint::hit("mark.after");
        self.store.marked();
        let done = gate.done;
        *gate = Attempt { done, ..Attempt::default() };
        Ok(())
    }
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

async fn note_down(tx: &mut Tx, drive: i64, note: &Note, now: i64) -> Result<()> {
    match note {
        Note::Unexpected { op } => ops::set_detail(tx, *op, "something else was there").await,
        Note::Parked { op, why } => {
            let node = nodes::by_id(tx, op.node_id).await?;
            let superseded =
                node.is_dead() || (op.version_id.is_some() && op.version_id != node.current_version_id);
            if superseded {
                if let Some(version) = op.version_id {
                    versions::set_slot(tx, version, Some(op.uuid)).await?;
                }
                return ops::delete(tx, op.id).await;
            }
            ops::set_state(tx, op.id, "parked", Some(why)).await?;
            let slot = matches!(op.kind.as_str(), "put" | "mkdir").then_some(op.uuid);
            nodes::set_state(tx, op.node_id, "unplaced", slot.or(node.slot)).await?;
            let path = format!("/{}", op.dst.as_deref().unwrap_or(&op.path));
            findings::add(tx, drive, Some(op.node_id), "unplaced", &path, why, now).await
        }
    }
}
