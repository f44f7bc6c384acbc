//! The root: that it is the folder it was, and nobody else's.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use holdfast_disk::stat::{stat_of, stat_path};
use holdfast_disk::{EntryKind, beneath, sync};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::incoming::Unsynced;
use crate::agent::OWN;
use crate::agent::contract::Trouble;

/// Says in the root what it is; its name in the agent's own folder.
const MARKER: &str = "folder.json";
/// Held while an agent works on the folder.
const LOCK: &str = "lock";
/// What is on its way in.
pub(super) const INCOMING: &str = "incoming";
/// What was taken away.
pub(super) const TRASH: &str = "trash";
/// How long it is kept.
const KEPT_DAYS: i64 = 30;
/// A marker beyond this many bytes is none.
const MOST: u64 = 64 * 1024;

const README: &str = "\
This folder belongs to holdfast, the program that keeps the folder around it in sync with a server.

folder.json  says which folder this is, so that an empty mount point is never taken for an emptied folder.
trash/       holds files that were removed or replaced here because they were on the server; kept for 30 days.
incoming/    holds what is on its way in.
ignore       is what .holdfastignore said when it was last read.

`holdfast sync remove` takes it away.
";

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Version of this format: 1.
    pub format: u32,
    /// Which pair of a folder and a drive it is.
    pub pair: Uuid,
    /// The server, for people.
    #[serde(default)]
    pub server: String,
    /// The drive and path, for people.
    #[serde(default)]
    pub place: String,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is not there, or is not the folder that was added.
    #[error("{0}")]
    Offline(String),
    /// Another agent works on it.
    #[error("another holdfast is syncing this folder already")]
    Busy,
    /// What the system said.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        error: io::Error,
    },
}

/// The folder of a device, held by this agent alone.
#[derive(Debug)]
pub struct LocalFolder {
    pub(super) path: PathBuf,
    pub(super) root: OwnedFd,
    pub(super) own: OwnedFd,
    dev: u64,
    ino: u64,
    pair: Uuid,
    pub(super) unsynced: RefCell<Unsynced>,
    pub(super) rules: super::rules::Kept,
    _lock: File,
}

impl LocalFolder {
    /// Makes a folder a root: writes its marker.
    ///
    /// # Errors
    /// When it cannot be written, or another pair's marker is there.
    pub fn mark(path: &Path, marker: &Marker) -> Result<(), OpenError> {
        let failed = |error: io::Error| OpenError::Io { path: path.to_owned(), error };
        if let Some(other) = Self::marker(path)
            && other.pair != marker.pair
        {
            return Err(OpenError::Offline(format!(
                "it is synced with {} at {} already; `holdfast sync remove` ends that",
                other.place, other.server
            )));
        }
        let root = open_root(path).map_err(failed)?;
        let own = own_folder(&root).map_err(failed)?;
        let text = serde_json::to_vec_pretty(marker).map_err(io::Error::other).map_err(failed)?;
        sync::write_atomic(&own, "README.txt", README.as_bytes()).map_err(failed)?;
        sync::write_atomic(&own, MARKER, &text).map_err(failed)?;
        sync::sync_folder(&root).map_err(failed)
    }

    /// The marker of a folder, if it has one.
    pub fn marker(path: &Path) -> Option<Marker> {
        open_root(path).ok().and_then(|root| read_marker(&root))
    }

    /// Takes the marker and all that is the agent's away.
    ///
    /// # Errors
    /// What the system says.
    pub fn unmark(path: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(path.join(OWN)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Opens a root for this agent alone. What was on its way in when the last one died goes to the trash; what has lain there
    /// long enough goes for good.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, pair: Uuid) -> Result<Self, OpenError> {
        let failed = |error: io::Error| OpenError::Io { path: path.to_owned(), error };
        let root = open_root(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                OpenError::Offline(format!("{} is not there; nothing was changed", path.display()))
            }
            _ => failed(error),
        })?;
        let stat = stat_of(&root).map_err(failed)?;
        check_marker(&root, pair).map_err(OpenError::Offline)?;
        let own = own_folder(&root).map_err(failed)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::openat(&own, LOCK, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| failed(e.into()))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::Busy),
            Err(error) => return Err(failed(error.into())),
        }
        for name in [INCOMING, TRASH] {
            match rustix::fs::mkdirat(&own, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(failed(error.into())),
            }
        }
        let folder = Self {
            path: path.to_owned(),
            root,
            own,
            dev: stat.dev,
            ino: stat.ident.ino,
            pair,
            unsynced: RefCell::default(),
            rules: super::rules::Kept::default(),
            _lock: File::from(lock),
        };
        folder.tidy().map_err(failed)?;
        Ok(folder)
    }

    /// Whether the path still leads to the folder that was opened, and that folder is still the one that was added.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        let found = stat_path(&*self.path).map_err(|error| {
            Trouble::Side(format!("{}: {error}; nothing was changed", self.path.display()))
        })?;
        if (found.dev, found.ident.ino, found.kind) != (self.dev, self.ino, EntryKind::Folder) {
            return Err(Trouble::Side(format!(
                "{} is another folder than before; nothing was changed",
                self.path.display()
            )));
        }
        check_marker(&self.root, self.pair).map_err(Trouble::Side)
    }

    /// Today's part of the trash.
    pub(super) fn trash(&self) -> io::Result<OwnedFd> {
        let trash = beneath::open_folder(&self.own, TRASH)?;
        let day = today(OffsetDateTime::now_utc());
        match rustix::fs::mkdirat(&trash, &*day, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        beneath::open_folder(&trash, &day)
    }

    fn tidy(&self) -> io::Result<()> {
        let incoming = beneath::open_folder(&self.own, INCOMING)?;
        for (name, _) in holdfast_disk::walk::list_folder(&incoming)? {
            // An edit that was in the way when the last agent died might be among it.
            let name = name.to_string_lossy();
            super::hands::put_away(&incoming, &name, &self.trash()?, &name)?;
        }
        let oldest = today(OffsetDateTime::now_utc() - time::Duration::days(KEPT_DAYS));
        let trash = self.path.join(OWN).join(TRASH);
        for entry in std::fs::read_dir(&trash)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| is_day(name) && name < oldest.as_str()) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(File::options()
        .read(true)
        .open(path)
        .and_then(|file| {
            if file.metadata()?.is_dir() { Ok(file) } else { Err(io::ErrorKind::NotADirectory.into()) }
        })?
        .into())
}

fn own_folder(root: &OwnedFd) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(root, OWN, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    beneath::open_folder(root, OWN)
}

fn read_marker(root: &OwnedFd) -> Option<Marker> {
    let path = format!("{OWN}/{MARKER}");
    let file =
        beneath::open(root.as_fd(), path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK).ok()?;
    let mut text = Vec::new();
    File::from(file).take(MOST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn check_marker(root: &OwnedFd, pair: Uuid) -> Result<(), String> {
    match read_marker(root) {
        Some(marker) if marker.pair == pair => Ok(()),
        Some(_) => Err("another folder is mounted here; nothing was changed".to_owned()),
        None => Err(format!(
            "the folder is not there or not mounted: {OWN}/{MARKER} is missing; nothing was changed"
        )),
    }
}

fn today(now: OffsetDateTime) -> String {
    format!("{:04}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day())
}

fn is_day(name: &str) -> bool {
    name.len() == 10 && name.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}
