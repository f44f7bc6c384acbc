//! The portable index: what is on a drive, written beside its signature, so that it can be read where no server is
//! (`docs/formats/`, `docs/design/014-portable-index.md`).
//!
//! Index files are written and read entry by entry. Whatever a file holds, reading it takes bounded memory and yields no path
//! that leads out of the drive. What it says is a hint all the same: a hash is what somebody said.

pub mod discover;
mod error;
mod file;
mod find;
pub mod legacy;
mod lookup;
mod master;
mod relative;
mod session;
mod update;

#[cfg(test)]
mod tests;

pub use error::IndexError;
pub use file::{Bad, End, Format, MAX_BAD, MAX_LINE, Reader, Writer};
pub use find::{Pattern, Query};
pub use lookup::Lookup;
pub use master::{
    Entry, Head, Header, IndexEnd, IndexReader, IndexWriter, Kind, Master, Stamp, Totals, order,
};
pub use session::{
    FileState, Organise, Session, SessionEnd, SessionFile, SessionHeader, SessionReader, SessionWriter,
    Statistics,
};
pub use update::{Options, Progress, Report, Tell, UpdateError, update};

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use uuid::Uuid;

use crate::signature::RESERVED;
use crate::{beneath, sync};

/// The master index's name in the reserved folder.
pub const FILE: &str = "index.json";
/// The folder of the session indexes, in the reserved folder.
pub const IMPORTS: &str = "imports";
/// A longer file is not read. A million entries are some 300 MB.
const MAX_BYTES: u64 = 8 << 30;
/// What is read and written at once.
const BUFFER: usize = 256 * 1024;

/// Opens a folder that somebody named, be it through a link, as a root.
///
/// # Errors
/// What the file system says.
pub fn open_root(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Opens the master index of a root.
///
/// # Errors
/// [`IndexError`].
pub fn open(root: impl AsFd) -> Result<IndexReader<BufReader<File>>, IndexError> {
    open_at(root, &format!("{RESERVED}/{FILE}"))
}

/// Opens the session index of an import.
///
/// # Errors
/// [`IndexError`].
pub fn open_session(root: impl AsFd, import: Uuid) -> Result<SessionReader<BufReader<File>>, IndexError> {
    open_at(root, &format!("{RESERVED}/{IMPORTS}/{import}.json"))
}

/// Opens an index file beneath a folder. A link, a pipe or a device in its place is not read.
///
/// # Errors
/// [`IndexError`].
pub fn open_at<F: Format>(folder: impl AsFd, path: &str) -> Result<Reader<BufReader<File>, F>, IndexError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match beneath::open(folder, path, flags) {
        Ok(fd) => File::from(fd),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(IndexError::Absent);
        }
        Err(e) => return Err(e.into()),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(IndexError::Foreign("it is no regular file".to_owned()));
    }
    if found.len() > MAX_BYTES {
        return Err(IndexError::TooLong(found.len()));
    }
    Reader::new(BufReader::with_capacity(BUFFER, file))
}

/// Which session indexes a root has, in no order. Files of other names are left out.
///
/// # Errors
/// What the file system says; no folder is no session.
pub fn sessions(root: impl AsFd) -> io::Result<Vec<Uuid>> {
    let folder = match beneath::open_folder(root, format!("{RESERVED}/{IMPORTS}")) {
        Ok(folder) => folder,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let names = crate::walk::list_folder(folder)?.into_iter();
    let ids = names.filter_map(|(name, _)| Uuid::try_parse(name.to_str()?.strip_suffix(".json")?).ok());
    Ok(ids.collect())
}

/// Replaces the master index of a root by what `fill` writes into it. Until that is whole and durable the old one stands.
///
/// # Errors
/// What `fill` says, and the file system; then the old one stands, and nothing else is left behind.
pub fn write<E: From<io::Error>>(
    root: impl AsFd,
    header: &Header,
    fill: impl FnOnce(&mut IndexWriter<BufWriter<&File>>) -> Result<(), E>,
) -> Result<IndexEnd, E> {
    write_at(beneath::open_folder(root, RESERVED)?, FILE, header, fill)
}

/// Replaces the session index of an import, whose folder is made where there is none.
///
/// # Errors
/// As [`write()`].
pub fn write_session<E: From<io::Error>>(
    root: impl AsFd,
    header: &SessionHeader,
    fill: impl FnOnce(&mut SessionWriter<BufWriter<&File>>) -> Result<(), E>,
) -> Result<SessionEnd, E> {
    let reserved = beneath::open_folder(root, RESERVED)?;
    match rustix::fs::mkdirat(&reserved, IMPORTS, Mode::from_raw_mode(0o755)) {
        Ok(()) => sync::sync_folder(&reserved)?,
        Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(E::from(e.into())),
    }
    write_at(beneath::open_folder(&reserved, IMPORTS)?, &format!("{}.json", header.id), header, fill)
}

fn write_at<F: Format, E: From<io::Error>>(
    folder: impl AsFd,
    name: &str,
    header: &F::Header,
    fill: impl FnOnce(&mut Writer<BufWriter<&File>, F>) -> Result<(), E>,
) -> Result<End<F::Totals>, E> {
    sync::replace(folder, name, |file| {
        let mut writer = Writer::new(BufWriter::with_capacity(BUFFER, file), header)?;
        fill(&mut writer)?;
        Ok(writer.finish()?.1)
    })
}
