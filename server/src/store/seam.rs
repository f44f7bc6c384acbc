//! The small part of a file system that placing needs; real in `root`, imitated by the model in the tests.

use std::io;

use super::Phys;
use crate::domain::stat::Stat;

/// How a file system can be told to change names without anything being lost on the way. Found out by trying
/// ([`super::Caps`]); each has what the one after it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Two names can be swapped in one step.
    Exchange,
    /// A rename can be told to replace nothing.
    NoReplace,
    /// A rename replaces what is there, but a file can be given a second name, which replaces nothing.
    Links,
}

/// Names and what they stand for, beneath one root. Nothing is followed, nothing replaced unseen. A missing folder on the
/// way is `NotFound`; a file, link or mount there is `NotADirectory`, `ELOOP` or `EXDEV`.
pub trait Seam {
    /// What it can do.
    fn means(&self) -> Means;

    /// What stands there; `None` when nothing does, or when there is no such folder to stand in.
    ///
    /// # Errors
    /// Anything but absence.
    fn stat(&self, path: &Phys) -> io::Result<Option<Stat>>;

    /// Swaps what stands at two paths, in one step: with [`Means::Exchange`] alone.
    ///
    /// # Errors
    /// `NotFound` when nothing stands at one of them.
    fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()>;

    /// Gives what stands at `from` the name `to`, in one step: not with [`Means::Links`].
    ///
    /// # Errors
    /// `AlreadyExists` when something stands at `to`.
    fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()>;

    /// As [`Seam::rename`], but a file at `to` is replaced by a file, and an empty folder by a folder.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`.
    fn replace(&self, from: &Phys, to: &Phys) -> io::Result<()>;

    /// Gives a file a second name.
    ///
    /// # Errors
    /// `AlreadyExists` when something stands at `to`.
    fn link(&self, from: &Phys, to: &Phys) -> io::Result<()>;

    /// Takes a file's name away.
    ///
    /// # Errors
    /// What the file system says.
    fn remove_file(&self, path: &Phys) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `DirectoryNotEmpty`.
    fn remove_folder(&self, path: &Phys) -> io::Result<()>;
}
