//! Changing the folder: never over something that does not look as it was judged.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holdfast_disk::stat::{stat_at, stat_of};
use holdfast_disk::{EntryKind, Hasher, attrs, beneath, sync};
use holdfast_protocol::ContentHash;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::root::INCOMING;
use super::{LocalFolder, is_as_judged, look_of, split, trouble};
use crate::agent::contract::{Disk, Incoming, Scan, Trouble};
use crate::agent::trees::Look;

/// How much is written at once.
const PIECE: usize = 256 * 1024;
/// A change within this many nanoseconds of another might not alter the time of the inode.
const TICK_NS: i64 = 50_000_000;
/// The same where times are whole seconds, or every second one.
const COARSE_TICK_NS: i64 = 2_100_000_000;
const NANOS_PER_SEC: i64 = 1_000_000_000;

impl Disk for LocalFolder {
    type Outgoing = PathBuf;

    fn scan(&self, known: &dyn Fn(&Look) -> Option<ContentHash>) -> Result<Scan, Trouble> {
        self.walk(known)
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
            let (above, name) = split(path);
            let above = beneath::open_folder(&self.root, above)?;
            rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o777))?;
            sync::sync_folder(&above)?;
            Ok(look_of(&stat_at(&above, name)?))
        };
        made().map_err(|error| trouble(path, &error))
    }

    fn rename(&self, from: &str, to: &str, judged: &Look) -> Result<(Look, Look), Trouble> {
        let failed = |error: io::Error| trouble(from, &error);
        let ((source, old), (target, new)) = (split(from), split(to));
        let source = beneath::open_folder(&self.root, source).map_err(failed)?;
        let target = beneath::open_folder(&self.root, target).map_err(failed)?;
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
        sync::sync_folder(&source).and_then(|()| sync::sync_folder(&target)).map_err(failed)?;
        Ok((before, look_of(&stat_at(&target, new).map_err(failed)?)))
    }

    fn remove_file(&self, path: &str, judged: &Look) -> Result<(), Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let (above, name) = split(path);
        let above = beneath::open_folder(&self.root, above).map_err(failed)?;
        self.expect(&above, name, judged, path)?;
        let trash = self.trash().map_err(failed)?;
        let kept = put_away(&above, name, &trash, name).map_err(failed)?;
        let taken = look_of(&stat_at(&trash, &*kept).map_err(failed)?);
        if !is_as_judged(&taken, &Look { ctime_ns: 0, ..*judged }) {
            // Somebody was faster by a moment: it goes back, or stays in the trash if its name is taken by now.
            rename_free(&trash, &kept, &above, name).map_err(failed)?;
            return Err(Trouble::Changed(format!("{path} was written to just now")));
        }
        sync::sync_folder(&above).map_err(failed)
    }

    fn remove_folder(&self, path: &str) -> Result<(), Trouble> {
        let removed = || -> io::Result<()> {
            let (above, name) = split(path);
            let above = beneath::open_folder(&self.root, above)?;
            rustix::fs::unlinkat(&above, name, AtFlags::REMOVEDIR)?;
            sync::sync_folder(&above)
        };
        removed().map_err(|error| trouble(path, &error))
    }

    fn open(&self, path: &str, judged: &Look) -> Result<PathBuf, Trouble> {
        let (above, name) = split(path);
        let above = beneath::open_folder(&self.root, above).map_err(|error| trouble(path, &error))?;
        self.expect(&above, name, judged, path)?;
        Ok(self.path.join(path))
    }

    fn place(
        &self,
        path: &str,
        body: &mut dyn Read,
        what: &Incoming,
        replaces: Option<&Look>,
    ) -> Result<Look, Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let incoming = beneath::open_folder(&self.own, INCOMING).map_err(failed)?;
        let part = uuid::Uuid::new_v4().simple().to_string();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&incoming, &*part, flags, Mode::from_raw_mode(0o666));
        let file = File::from(file.map_err(|errno| failed(errno.into()))?);
        let placed = receive(&file, body, what, path).and_then(|()| {
            let (above, name) = split(path);
            let above = beneath::open_folder(&self.root, above).map_err(failed)?;
            match replaces {
                Some(judged) => self.replace(&incoming, &part, &file, &above, name, judged, path)?,
                None => rename_free(&incoming, &part, &above, name).map_err(failed)?,
            }
            sync::sync_folder(&above).map_err(failed)?;
            Ok(look_of(&stat_of(&file).map_err(failed)?))
        });
        if placed.is_err() && stat_at(&incoming, &*part).is_ok_and(|left| is_file(&left, &file)) {
            let _ = rustix::fs::unlinkat(&incoming, &*part, AtFlags::empty());
        }
        placed
    }
}

impl LocalFolder {
    fn expect(&self, above: &OwnedFd, name: &str, judged: &Look, path: &str) -> Result<(), Trouble> {
        let stat = stat_at(above, name).map_err(|error| trouble(path, &error))?;
        if stat.kind == EntryKind::File && is_as_judged(&look_of(&stat), judged) {
            Ok(())
        } else {
            Err(Trouble::Changed(format!("{path} looks otherwise than before")))
        }
    }

    /// Exchanges what came with what is there, and looks once more at what was taken out.
    #[expect(clippy::too_many_arguments, reason = "two places, and what is known of each")]
    fn replace(
        &self,
        incoming: &OwnedFd,
        part: &str,
        file: &File,
        above: &OwnedFd,
        name: &str,
        judged: &Look,
        path: &str,
    ) -> Result<(), Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        self.expect(above, name, judged, path)?;
        // Rights and owner of what it replaces go over to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let old = beneath::open(above, name, flags).map_err(failed)?;
        attrs::copy(&old, file).map_err(failed)?;
        let trash = self.trash().map_err(failed)?;
        match rustix::fs::renameat_with(incoming, part, above, name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // A file system that cannot exchange: the name is absent for a moment.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                put_away(above, name, &trash, name).map_err(failed)?;
                return rename_free(incoming, part, above, name).map_err(failed);
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        let taken = look_of(&stat_at(incoming, part).map_err(failed)?);
        if !is_as_judged(&taken, &Look { ctime_ns: 0, ..*judged }) {
            rustix::fs::renameat_with(incoming, part, above, name, RenameFlags::EXCHANGE)
                .map_err(|errno| failed(errno.into()))?;
            return Err(Trouble::Changed(format!("{path} was written to just now")));
        }
        put_away(incoming, part, &trash, name).map_err(failed).map(|_| ())
    }
}

/// Takes a content in, checks it, and makes it durable.
fn receive(file: &File, body: &mut dyn Read, what: &Incoming, path: &str) -> Result<(), Trouble> {
    let failed = |error: io::Error| trouble(path, &error);
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; PIECE];
    let (mut to, mut size) = (file, 0_u64);
    loop {
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                to.write_all(&buffer[..n]).map_err(failed)?;
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Side(format!("{path}: {error}"))),
        }
    }
    if hasher.finish() != what.hash {
        return Err(Trouble::Changed(format!("{path}: what came ({size} bytes) is not what was asked for")));
    }
    attrs::set_mtime(file, what.mtime_ns).map_err(failed)?;
    file.sync_all().map_err(failed)
}

fn is_file(stat: &holdfast_disk::Stat, file: &File) -> bool {
    stat_of(file).is_ok_and(|own| own.ident == stat.ident)
}

/// Renames where nothing may be.
fn rename_free(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> io::Result<()> {
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
