//! Contents on their way in: written beside the tree, made durable many at a time, and exchanged for what they replace.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use holdfast_disk::stat::{stat_at, stat_of};
use holdfast_disk::{Hasher, Ident, Recorder, attrs, beneath, sync};
use holdfast_protocol::delta::{self, Reader, Recipe};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::hands::{put_away, rename_free};
use super::root::INCOMING;
use super::{LocalFolder, is_as_judged, look_of, split, trouble};
use crate::agent::contract::{Arriving, Incoming, Trouble};
use crate::agent::trees::Look;

/// How much is read and written at once.
const PIECE: usize = 256 * 1024;
/// So many files and folders are synced one by one rather than with all of the file system.
const FEW: usize = 16;

/// A content that has arrived and is not in its place. Taken away when it is dropped, unless it was put there.
#[derive(Debug)]
pub struct Part {
    folder: Arc<OwnedFd>,
    name: String,
    ident: Ident,
}

impl Part {
    fn is_waiting(&self) -> bool {
        stat_at(&*self.folder, &*self.name).is_ok_and(|left| left.ident == self.ident)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.is_waiting() {
            let _ = rustix::fs::unlinkat(&*self.folder, &*self.name, AtFlags::empty());
        }
    }
}

/// What is not durable yet.
#[derive(Debug, Default)]
pub struct Unsynced {
    /// Names of what has arrived.
    parts: Vec<String>,
    /// Paths of folders in which something changed.
    folders: BTreeSet<String>,
}

impl LocalFolder {
    /// Notes that something changed in a folder.
    pub(super) fn touched(&self, folder: &str) {
        self.unsynced.borrow_mut().folders.insert(folder.to_owned());
    }

    pub(super) fn make_durable(&self) -> Result<(), Trouble> {
        let Unsynced { parts, folders } = self.unsynced.take();
        if parts.is_empty() && folders.is_empty() {
            return Ok(());
        }
        let synced = || -> io::Result<()> {
            let count = parts.len() + folders.len();
            if count > FEW && sync::is_quicker_whole(count) {
                return Ok(rustix::fs::syncfs(&self.own)?);
            }
            let incoming = beneath::open_folder(&self.own, INCOMING)?;
            for part in &parts {
                match beneath::open(&incoming, part, OFlags::RDONLY | OFlags::NOFOLLOW) {
                    Ok(file) => File::from(file).sync_all()?,
                    // Not wanted any more.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            for folder in &folders {
                match beneath::open_folder(&self.root, folder) {
                    Ok(folder) => sync::sync_folder(&folder)?,
                    // Removed since, from a folder that is among these as well; or something else by now.
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    }
                    Err(error) => return Err(error),
                }
            }
            // Names in the trash, and what was taken out of here.
            sync::sync_folder(&incoming)?;
            sync::sync_folder(&self.trash()?)
        };
        synced().map_err(|error| match trouble(&self.path.display().to_string(), &error) {
            Trouble::Item(why) | Trouble::Changed(why) | Trouble::Side(why) => Trouble::Side(why),
        })
    }

    pub(super) fn take_in(
        &self,
        path: &str,
        content: Arriving,
        what: &Incoming,
        base: Option<&Look>,
    ) -> Result<(Part, Option<Recipe>), Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let old = base.map(|judged| self.judged(path, judged)).transpose()?;
        let folder = Arc::new(beneath::open_folder(&self.own, INCOMING).map_err(failed)?);
        let name = uuid::Uuid::new_v4().simple().to_string();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*folder, &*name, flags, Mode::from_raw_mode(0o666));
        let file = File::from(file.map_err(|errno| failed(errno.into()))?);
        let ident = stat_of(&file).map_err(failed)?.ident;
        let part = Part { folder, name, ident };
        let mut landing = Landing { path, to: &file, hasher: Hasher::new(), size: 0 };
        let recipe = match (content, &old) {
            (Arriving::Whole(mut from), _) => landing.whole(&mut *from).map(|()| None)?,
            (Arriving::Delta(mut from), Some(old)) => landing.delta(&mut *from, old)?,
            (Arriving::Delta(_), None) => {
                return Err(Trouble::Item(format!("{path}: a difference came to nothing")));
            }
        };
        landing.is(what)?;
        if let Some(old) = &old {
            // Rights and owner of what it replaces go over to it.
            attrs::copy(old, &file).map_err(failed)?;
        }
        attrs::set_mtime(&file, what.mtime_ns).map_err(failed)?;
        self.unsynced.borrow_mut().parts.push(part.name.clone());
        Ok((part, recipe))
    }

    /// Opens a file that looks as it was judged.
    pub(super) fn judged(&self, path: &str, judged: &Look) -> Result<File, Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let (above, name) = split(path);
        let above = beneath::open_folder(&self.root, above).map_err(failed)?;
        self.expect(&above, name, judged, path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Ok(File::from(beneath::open(&above, name, flags).map_err(failed)?))
    }

    pub(super) fn put_in_place(
        &self,
        path: &str,
        part: &Part,
        replaces: Option<&Look>,
    ) -> Result<Look, Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let (folder, name) = split(path);
        let above = beneath::open_folder(&self.root, folder).map_err(failed)?;
        match replaces {
            Some(judged) => self.replace(part, &above, name, judged, path)?,
            None => rename_free(&*part.folder, &part.name, &above, name).map_err(failed)?,
        }
        self.touched(folder);
        let placed = stat_at(&above, name).map_err(failed)?;
        let look = look_of(&placed);
        // What another program puts there the next moment is a change to what was placed.
        Ok(if placed.ident == part.ident { look } else { Look { ino: part.ident.ino, ctime_ns: 0, ..look } })
    }

    /// Exchanges what came with what is there, and looks once more at what was taken out.
    fn replace(
        &self,
        part: &Part,
        above: &OwnedFd,
        name: &str,
        judged: &Look,
        path: &str,
    ) -> Result<(), Trouble> {
        let failed = |error: io::Error| trouble(path, &error);
        let (incoming, part) = (&*part.folder, &*part.name);
        self.expect(above, name, judged, path)?;
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

/// A content that is being written.
struct Landing<'l> {
    path: &'l str,
    to: &'l File,
    hasher: Hasher,
    size: u64,
}

impl Landing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.to.write_all(bytes).map_err(|error| trouble(self.path, &error))
    }

    fn whole(&mut self, from: &mut dyn Read) -> Result<(), Trouble> {
        let mut buffer = vec![0; PIECE];
        while let Some(bytes) = self.piece(from, &mut buffer)? {
            self.write(bytes)?;
        }
        Ok(())
    }

    /// Puts it together of what is here and what comes.
    fn delta(&mut self, from: &mut dyn Read, base: &File) -> Result<Option<Recipe>, Trouble> {
        let failed = |error: io::Error| trouble(self.path, &error);
        let wrong = |why: delta::DeltaError| Trouble::Changed(why.to_string());
        let size = base.metadata().map_err(failed)?.len();
        let (mut reader, mut recorder) = (Reader::new(size), Recorder::default());
        let (mut buffer, mut copied) = (vec![0; PIECE], vec![0; PIECE]);
        while let Some(mut arrived) = self.piece(from, &mut buffer)? {
            while let Some(part) = reader.next(&mut arrived).map_err(wrong)? {
                match part {
                    delta::Part::Bytes(bytes) => {
                        recorder.told(bytes).map_err(failed)?;
                        self.write(bytes)?;
                    }
                    delta::Part::Copy(range) => {
                        recorder.copied(range.clone()).map_err(failed)?;
                        self.copy(base, range, &mut copied)?;
                    }
                }
            }
        }
        reader.finish().map_err(wrong)?;
        recorder.finish().map_err(failed)
    }

    fn copy(
        &mut self,
        mut base: &File,
        range: std::ops::Range<u64>,
        buffer: &mut [u8],
    ) -> Result<(), Trouble> {
        let path = self.path;
        let failed = |error: io::Error| trouble(path, &error);
        base.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let mut left = range.end - range.start;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(buffer.len()).min(buffer.len());
            match base.read(&mut buffer[..most]) {
                Ok(0) => return Err(Trouble::Changed(format!("{path} became shorter"))),
                Ok(n) => {
                    self.write(&buffer[..n])?;
                    left -= n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn piece<'b>(&self, from: &mut dyn Read, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, Trouble> {
        loop {
            match from.read(buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => return Ok(Some(&buffer[..n])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Side(format!("{}: {error}", self.path))),
            }
        }
    }

    fn is(self, what: &Incoming) -> Result<(), Trouble> {
        let Self { path, hasher, size, .. } = self;
        if hasher.finish() == what.hash {
            return Ok(());
        }
        Err(Trouble::Changed(format!("{path}: what came ({size} bytes) is not what was asked for")))
    }
}
