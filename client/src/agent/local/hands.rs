//! Changing the folder: never over something that does not look as it was judged.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_disk::stat::stat_at;
use holdfast_disk::{EntryKind, beneath};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::{Chunk, Recipe};
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::incoming::Part;
use super::{LocalFolder, is_as_judged, look_of, split, trouble};
use crate::agent::contract::{Arriving, Disk, Incoming, Scan, Trouble};
use crate::agent::trees::Look;

/// A change within this many nanoseconds of another might not alter the time of the inode.
const TICK_NS: i64 = 50_000_000;
/// The same where times are whole seconds, or every second one.
const COARSE_TICK_NS: i64 = 2_100_000_000;
const NANOS_PER_SEC: i64 = 1_000_000_000;

impl Disk for LocalFolder {
    type Outgoing = PathBuf;
    type Part = Part;

    fn scan(
        &self,
        before: Option<(Scan, &BTreeSet<String>)>,
        known: &dyn Fn(&Look) -> Option<ContentHash>,
    ) -> Result<Scan, Trouble> {
        self.walk(before, known)
    }

    fn look(&self, path: &str) -> Result<Option<Look>, Trouble> {
        let (folder, name) = split(path);
        match beneath::open_folder(&self.root, folder).and_then(|folder| stat_at(folder, name)) {
            Ok(stat) => Ok(Some(look_of(&stat))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(trouble(path, &error)),
        }
    }

    fn settled(&self, look: Look) -> Look {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let tick = if look.ctime_ns % NANOS_PER_SEC == 0 { COARSE_TICK_NS } else { TICK_NS };
        let is_fresh = look.ctime_ns > now.saturating_sub(tick);
        Look { ctime_ns: if is_fresh { 0 } else { look.ctime_ns }, ..look }
    }

    fn settle(&self) {
        std::thread::sleep(Duration::from_nanos(TICK_NS.unsigned_abs()));
    }

    fn make_folder(&self, path: &str) -> Result<Look, Trouble> {
        let made = || -> io::Result<Look> {
            let (folder, name) = split(path);
            let above = beneath::open_folder(&self.root, folder)?;
            rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o777))?;
            self.touched(folder);
            Ok(look_of(&stat_at(&above, name)?))
        };
        made().map_err(|error| trouble(path, &error))
    }

    fn rename(&self, from: &str, to: &str, judged: &Look) -> Result<(Look, Look), Trouble> {
        let failed = |error: io::Error| trouble(from, &error);
        let ((from_folder, old), (to_folder, new)) = (split(from), split(to));
        let source = beneath::open_folder(&self.root, from_folder).map_err(failed)?;
        let target = beneath::open_folder(&self.root, to_folder).map_err(failed)?;
        let before = look_of(&stat_at(&source, old).map_err(failed)?);
        if !before.is_same_file(judged) {
            return Err(Trouble::Changed(format!("{from} is another file now")));
        }
        let is_itself = stat_at(&target, new).is_ok_and(|there| look_of(&there).is_same_file(&before));
        if is_itself {
            // Another case of the same name, on a file system that takes them for one.
            rustix::fs::renameat(&source, old, &target, new).map_err(|errno| failed(errno.into()))?;
        } else {
            rename_free(&source, old, &target, new).map_err(failed)?;
        }
        self.touched(from_folder);
        self.touched(to_folder);
        Ok((before, look_of(&stat_at(&target, new).map_err(failed)?)))
    }

    fn remove_file(&self, path: &str, judged: &Look) -> Result<(), Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let (folder, name) = split(path);
        let above = beneath::open_folder(&self.root, folder).map_err(failed)?;
        self.expect(&above, name, judged, path)?;
        let trash = self.trash().map_err(failed)?;
        let kept = put_away(&above, name, &trash, name).map_err(failed)?;
        let taken = look_of(&stat_at(&trash, &*kept).map_err(failed)?);
        if !is_as_judged(&taken, &Look { ctime_ns: 0, ..*judged }) {
            // Somebody was faster by a moment: it goes back, or stays in the trash if its name is taken by now.
            rename_free(&trash, &kept, &above, name).map_err(failed)?;
            return Err(Trouble::Changed(format!("{path} was written to just now")));
        }
        self.touched(folder);
        Ok(())
    }

    fn remove_folder(&self, path: &str) -> Result<(), Trouble> {
        let removed = || -> io::Result<()> {
            let (folder, name) = split(path);
            let above = beneath::open_folder(&self.root, folder)?;
            rustix::fs::unlinkat(&above, name, AtFlags::REMOVEDIR)?;
            self.touched(folder);
            Ok(())
        };
        removed().map_err(|error| trouble(path, &error))
    }

    fn open(&self, path: &str, judged: &Look) -> Result<PathBuf, Trouble> {
        let (above, name) = split(path);
        let above = beneath::open_folder(&self.root, above).map_err(|error| trouble(path, &error))?;
        self.expect(&above, name, judged, path)?;
        Ok(self.path.join(path))
    }

    fn chunks(&self, path: &str, judged: &Look) -> Result<Vec<Chunk>, Trouble> {
        let file = self.judged(path, judged)?;
        holdfast_disk::chunks_of(file).map_err(|error| trouble(path, &error))
    }

    fn receive(
        &self,
        path: &str,
        content: Arriving,
        what: &Incoming,
        base: Option<&Look>,
    ) -> Result<(Part, Option<Recipe>), Trouble> {
        self.take_in(path, content, what, base)
    }

    fn place(&self, path: &str, part: Part, replaces: Option<&Look>) -> Result<Look, Trouble> {
        self.put_in_place(path, &part, replaces)
    }

    fn flush(&self) -> Result<(), Trouble> {
        self.make_durable()
    }
}

impl LocalFolder {
    pub(super) fn expect(
        &self,
        above: &OwnedFd,
        name: &str,
        judged: &Look,
        path: &str,
    ) -> Result<(), Trouble> {
        let stat = stat_at(above, name).map_err(|error| trouble(path, &error))?;
        if stat.kind == EntryKind::File && is_as_judged(&look_of(&stat), judged) {
            Ok(())
        } else {
            Err(Trouble::Changed(format!("{path} looks otherwise than before")))
        }
    }
}

/// Renames where nothing may be.
pub(super) fn rename_free(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> io::Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    match rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        // A file system that cannot tell: looked at just before is the best it can do.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match stat_at(to, new) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(rustix::fs::renameat(from, old, to, new)?)
            }
            Err(error) => Err(error),
        },
        other => Ok(other?),
    }
}

/// Moves something into the trash under its name, or that with a number; returns what it is called there.
pub(super) fn put_away(from: impl AsFd, name: &str, trash: impl AsFd, wanted: &str) -> io::Result<String> {
    let mut kept = wanted.to_owned();
    let mut n = 1;
    loop {
        match rename_free(&from, name, &trash, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                n += 1;
                let mut end = wanted.len().min(200);
                while !wanted.is_char_boundary(end) {
                    end -= 1;
                }
                kept = format!("{n} {}", &wanted[..end]);
            }
            other => return other.map(|()| kept),
        }
    }
}
