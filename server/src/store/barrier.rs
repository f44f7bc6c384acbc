//! When a mark must come before an op (algorithms A, "Barrier"). A redo starts after the last mark and tells what was
//! done by where a thing lies. A thing that was moved twice since, or whose folder was moved, could be taken for not yet
//! moved; so the first step is marked before the second is taken.

use std::collections::HashSet;

use super::op::{Done, How, Op, OpKind, Outcome};
use crate::domain::stat::Ident;

/// What was moved since the last mark.
#[derive(Debug, Default)]
pub struct Barriers {
    moved: HashSet<Ident>,
    /// The last op did not come out as committed. It is marked as it came out, or a redo could find what it lacked in what
    /// a later op put there.
    astray: bool,
}

impl Barriers {
    /// Whether everything before this op must be marked first. `is_folder`: whether a folder is what the op moves.
    pub fn needed(&self, op: &Op, is_folder: bool) -> bool {
        match op.kind {
            _ if self.astray => true,
            OpKind::Put | OpKind::Mkdir => false,
            OpKind::Del => is_folder,
            OpKind::Mv => is_folder || self.moved.contains(&op.ident),
            // The displaced file is moved, too: over the source's name into the slot.
            OpKind::MvOver => {
                is_folder
                    || self.moved.contains(&op.ident)
                    || op.displaced.is_some_and(|displaced| self.moved.contains(&displaced))
            }
        }
    }

    /// Takes note of an op that was placed, at first run or redo.
    pub fn placed(&mut self, op: &Op, outcome: &Outcome) {
        if matches!(op.kind, OpKind::Del | OpKind::Mv | OpKind::MvOver) {
            self.moved.insert(op.ident);
        }
        self.moved.extend(op.displaced);
        match outcome {
            Outcome::Done(Done { how: How::InPlace, in_slot, .. }) => {
                self.moved.extend(in_slot.map(|stat| stat.ident));
            }
            Outcome::Done(_) | Outcome::Parked(_) => self.astray = true,
            // It is placed again before any other.
            Outcome::Degraded(_) => {}
        }
    }

    /// Everything placed so far was flushed and marked.
    pub fn marked(&mut self) {
        *self = Self::default();
    }
}
