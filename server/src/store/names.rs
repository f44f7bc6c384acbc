//! Renames that replace nothing, and swaps, by whatever means a file system offers ([`Means`]). What takes more than one
//! step can be cut short between any two: each step leaves a state from which the next call goes on, and nothing without
//! a name at any time.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use super::op::Op;
use super::seam::{Means, Seam};
use super::{Phys, SlotId};
use crate::domain::stat::{EntryKind, Ident, Stat};

/// How often a step is tried anew while another program takes and frees the same name.
pub(super) const TRIES: u32 = 4;
/// A name that the file system takes has at most so many bytes.
const LONGEST: usize = 255;

/// A file system for one op, with the places in the reserved folder that are its own.
pub(super) struct Names<'s, S> {
    fs: &'s S,
    id: SlotId,
    pub(super) slot: Phys,
    /// What is displaced waits here while its name is free and the slot is not.
    aside: Phys,
    spare: Phys,
}

impl<'s, S: Seam> Names<'s, S> {
    pub(super) fn new(fs: &'s S, op: &Op) -> Self {
        let id = op.slot;
        Self { fs, id, slot: Phys::slot(id), aside: Phys::aside(id), spare: Phys::spare(id) }
    }

    pub(super) fn stat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        self.fs.stat(path)
    }

    pub(super) fn is(&self, path: &Phys, ident: Ident) -> io::Result<bool> {
        Ok(self.stat(path)?.is_some_and(|stat| stat.ident == ident))
    }

    pub(super) fn remove_folder(&self, path: &Phys) -> io::Result<()> {
        self.fs.remove_folder(path)
    }

    /// True where two names cannot be swapped in one step.
    pub(super) fn in_steps(&self) -> bool {
        self.fs.means() != Means::Exchange
    }

    /// True where a rename takes a second name and the end of the first, so that both may be left behind.
    pub(super) fn by_links(&self) -> bool {
        self.fs.means() == Means::Links
    }

    /// Swaps what stands at two paths: not where it takes several steps.
    pub(super) fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()> {
        self.fs.exchange(a, b)
    }

    /// Gives what stands at `from` the name `to`.
    ///
    /// # Errors
    /// `AlreadyExists` when something stands at `to`.
    pub(super) fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        if self.by_links() { self.rename_by_link(from, to) } else { self.fs.rename(from, to) }
    }

    fn rename_by_link(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        let what = self.stat(from)?.ok_or(Errno::NOENT)?;
        if to.is_reserved() || what.kind == EntryKind::Folder {
            // Nobody else puts anything into the reserved folder; and of what another program puts in the way of a folder
            // just now, nothing but an empty folder is replaced.
            if self.stat(to)?.is_some() {
                return Err(Errno::EXIST.into());
            }
            return match self.fs.replace(from, to) {
                Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => Err(Errno::EXIST.into()),
                done => done,
            };
        }
        self.fs.link(from, to)?;
        match self.drop_name(from, to) {
            // The first name cannot be taken away: then there is to be no second one.
            Err(e) if e.raw_os_error().is_some() => {
                self.drop_name(to, from).map_err(io::Error::other)?;
                Err(e)
            }
            done => done,
        }
    }

    /// Takes a name away from what has another one at `kept`. What another program has put under the name meanwhile has
    /// it back.
    ///
    /// # Errors
    /// What the file system says, when nothing was changed; without its number when a step was taken that
    /// [`Names::tidy`] has to finish.
    pub(super) fn drop_name(&self, name: &Phys, kept: &Phys) -> io::Result<()> {
        if name.is_reserved() {
            return self.fs.remove_file(name);
        }
        match self.fs.replace(name, &self.spare) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            done => done?,
        }
        let finish = || match (self.stat(&self.spare)?, self.stat(kept)?) {
            (Some(taken), Some(kept)) if taken.ident == kept.ident => self.fs.remove_file(&self.spare),
            (Some(_), _) => self.empty_spare(name),
            (None, _) => Ok(()),
        };
        finish().map_err(io::Error::other)
    }

    /// Clears what an earlier attempt left behind that was cut short.
    pub(super) fn tidy(&self, op: &Op) -> io::Result<()> {
        if !self.by_links() {
            return Ok(());
        }
        match self.stat(&self.spare)? {
            None => Ok(()),
            Some(stat) if stat.nlink > 1 && stat.kind != EntryKind::Folder => {
                self.fs.remove_file(&self.spare)
            }
            Some(_) => self.empty_spare(&op.path),
        }
    }

    fn empty_spare(&self, was_at: &Phys) -> io::Result<()> {
        match self.rename(&self.spare, was_at) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => self.put_beside(&self.spare, was_at),
            done => done,
        }
    }

    /// Slot and path change places, in steps. What another program puts under the name while it is free is put beside it.
    ///
    /// # Errors
    /// `NotFound` when nothing stands at the path; then, and with any other error, what was displaced is back if it could
    /// be.
    pub(super) fn swap_in(&self, path: &Phys) -> io::Result<()> {
        if self.stat(&self.aside)?.is_none() {
            self.rename(path, &self.aside)?;
        }
        for _ in 0..TRIES {
            match self.rename(&self.slot, path) {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => self.clear(path)?,
                Err(e) => {
                    self.give_back(&self.aside, path);
                    return Err(e);
                }
            }
        }
        self.give_back(&self.aside, path);
        Err(Errno::BUSY.into())
    }

    /// Frees a name whose content waits aside: of what was about to have it back, and of what another program has put there.
    fn clear(&self, path: &Phys) -> io::Result<()> {
        match (self.stat(path)?, self.stat(&self.aside)?) {
            (Some(there), Some(aside)) if there.ident == aside.ident => self.drop_name(path, &self.aside),
            _ => self.put_beside(path, path),
        }
    }

    /// What was displaced on the way goes to the slot, which is free by now.
    pub(super) fn bring_home(&self) -> io::Result<()> {
        if !self.in_steps() || self.stat(&self.aside)?.is_none() {
            return Ok(());
        }
        match self.rename(&self.aside, &self.slot) {
            // It is read from where it is.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// What was displaced has its name back, if it is still free. Where it is not it stays in the reserved folder, is read
    /// from there, and the next attempt goes on from there.
    pub(super) fn give_back(&self, from: &Phys, path: &Phys) {
        match self.rename(from, path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::debug!(%path, %error, "what was displaced waits in the reserved folder");
            }
            _ => {}
        }
    }

    /// Takes the slot's name away from what stands at a path as well.
    pub(super) fn drop_slot(&self) -> io::Result<()> {
        self.fs.remove_file(&self.slot)
    }

    /// Gives what stands at `from` a name beside `path`, where whoever put it there finds it.
    pub(super) fn put_beside(&self, from: &Phys, path: &Phys) -> io::Result<()> {
        for number in 1..=TRIES {
            match self.rename(from, &self.beside(path, number)?) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                // It has left by itself.
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
                done => return done,
            }
        }
        Err(Errno::BUSY.into())
    }

    /// `a (kept 1a2b3c4d-1).txt` for `a.txt`.
    fn beside(&self, path: &Phys, number: u32) -> io::Result<Phys> {
        let (folder, name) = path.split().ok_or(Errno::INVAL)?;
        let (stem, end) = match name.rsplit_once('.') {
            Some((stem, end)) if !stem.is_empty() => (stem, format!(".{end}")),
            _ => (name, String::new()),
        };
        let mark = format!(" (kept {:08x}-{number})", self.id.as_fields().0);
        let room = LONGEST.saturating_sub(mark.len() + end.len());
        let name = match stem.len() {
            length if length <= room => format!("{stem}{mark}{end}"),
            _ => mark.trim_start().to_owned(),
        };
        let folder = Phys::parse(folder).map_err(io::Error::other)?;
        folder.join(&name).map_err(io::Error::other)
    }
}
