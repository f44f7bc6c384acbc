//! The bytes of drives that have a root (algorithms A and D): content on its way in, the step into the tree, what was
//! displaced, and reading by identity. Places, and knows no catalogue: `service::placement` commits, has ops placed in
//! their order, marks them and recovers.
//!
//! A committed write goes: [`FolderDrive::stage`] -> [`FolderDrive::make_durable`] -> commit of an [`Op`] ->
//! [`FolderDrive::barrier_before`] -> [`FolderDrive::place`] -> now and then [`FolderDrive::flush`],
//! [`FolderDrive::log_append`], the mark in the catalogue, [`FolderDrive::marked`]. After a crash every op beyond the mark
//! goes through the same calls again.

mod barrier;
mod caps;
mod convert;
mod drive;
mod log;
mod medium;
mod names;
mod op;
mod open;
mod partial;
mod phys;
mod place;
mod read;
mod root;
mod seam;
mod slots;
mod stage;
#[cfg(test)]
mod tests;
mod together;
mod unsynced;

pub use barrier::Barriers;
pub use caps::Caps;
pub use drive::{FolderDrive, Health, Refusal};
pub use log::{LogEntries, LogEntry};
pub use op::{Done, How, Op, OpKind, Outcome, Parked, Why};
pub use partial::{Mark, Partial};
pub use phys::{Phys, SlotId};
pub use read::{Judgement, Listing, OpenError, QUIET, Seen};
#[cfg(test)]
pub use slots::TOGETHER;
pub use slots::new_slot;
pub use stage::{Blob, FinishHints, Staged};

pub use crate::domain::stat::{EntryKind, Ident, Stat};
