//! The small part of a file system that placing needs; real in `root`, imitated by the model in the tests.

use std::io;

use super::Phys;
use crate::domain::stat::Stat;

/// Names and what they stand for, beneath one root. Nothing is followed, nothing replaced unseen. A missing folder on the
/// way is `NotFound`; a file, link or mount there is `NotADirectory`, `ELOOP` or `EXDEV`.
pub trait Seam {
    /// What stands there; `None` when nothing does, or when there is no such folder to stand in.
    ///
    /// # Errors
    /// Anything but absence.
    fn stat(&self, path: &Phys) -> io::Result<Option<Stat>>;

    /// Swaps what stands at two paths, in one step.
    ///
    /// # Errors
    /// `NotFound` when nothing stands at one of them.
    fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()>;

    /// Gives what stands at `from` the name `to`, in one step.
    ///
    /// # Errors
    /// `AlreadyExists` when something stands at `to`.
    fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`.
    fn remove_folder(&self, path: &Phys) -> io::Result<()>;
}
