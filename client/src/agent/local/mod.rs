//! The device's folder on a real disk: walking it, and the hands that change it.
//!
//! Nothing is reached but beneath the root, no link is followed, and no file system mounted inside is entered
//! (`holdfast_disk::beneath`). What is on its way in, and what was taken away, lies in the agent's own folder inside the root,
//! so that putting in place is one rename.

mod hands;
mod incoming;
mod root;
mod rules;
mod scan;

pub use root::{LocalFolder, Marker, OpenError};

use std::io;

use holdfast_disk::{Ident, Stat};
use rustix::io::Errno;

use super::contract::Trouble;
use super::trees::Look;

/// What `stat` said, as the trees keep it.
fn look_of(stat: &Stat) -> Look {
    let Ident { ino, btime_ns } = stat.ident;
    Look { ino, btime_ns, size: stat.size, mtime_ns: stat.mtime_ns, ctime_ns: stat.ctime_ns }
}

/// Whether something looks as it was judged; without a time of change, or after a rename, all else decides.
fn is_as_judged(found: &Look, judged: &Look) -> bool {
    let ctime_ns = if judged.ctime_ns == 0 { 0 } else { found.ctime_ns };
    Look { ctime_ns, ..*found } == *judged
}

/// What the system said about something in the folder.
fn trouble(what: &str, error: &io::Error) -> Trouble {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound | Kind::AlreadyExists | Kind::NotADirectory | Kind::DirectoryNotEmpty => {
            Trouble::Changed(format!("{what}: {error}"))
        }
        Kind::StorageFull | Kind::QuotaExceeded => {
            Trouble::Side(format!("this device's disk is full; {what} stays as it was"))
        }
        Kind::ReadOnlyFilesystem => Trouble::Side(format!("this device's disk can only be read: {what}")),
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            Trouble::Changed(format!("{what}: a link is in the way"))
        }
        _ => Trouble::Item(format!("{what}: {error}")),
    }
}

/// The folder and the name of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
