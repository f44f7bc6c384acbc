//! What the file system under a root can do, found out by trying: its name says too little (overlays, network and
//! user-space file systems, kernels).

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use holdfast_disk::attrs::keeps_xattrs;
use holdfast_disk::beneath;
use holdfast_disk::stat::{stat_at, stat_of};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use uuid::Uuid;

/// What the file system under a root can do. [`Caps::exchange`] and [`Caps::stable_ino`] are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Two names can be swapped in one step.
    pub exchange: bool,
    /// Inode number and time of birth stay with a file through renames and being opened anew.
    pub stable_ino: bool,
    /// A file can be cloned without copying its bytes.
    pub reflink: bool,
    /// A file can have several names.
    pub hardlink: bool,
    /// Files keep extended attributes of their users.
    pub xattr: bool,
    /// Names that differ in case alone are the same name there.
    pub folds_case: bool,
}

impl Caps {
    /// Of a drive that was one before and has no byte left to try anything out with: what it must have had, and nothing
    /// more. Should it have been carried to another file system since, its placements wait rather than go wrong.
    pub(crate) fn untried() -> Self {
        Self {
            exchange: true,
            stable_ino: true,
            reflink: false,
            hardlink: false,
            xattr: false,
            folds_case: false,
        }
    }
}

/// Tries everything out in a folder that may be written, and leaves nothing behind.
pub(crate) fn probe(folder: BorrowedFd<'_>) -> io::Result<Caps> {
    let name = format!("probe-{}", Uuid::new_v4());
    rustix::fs::mkdirat(folder, &*name, Mode::RWXU)?;
    let caps = beneath::open_folder(folder, &name).and_then(|inside| {
        let caps = try_out(&inside);
        for left in ["a", "b", "c", "d"] {
            let _ = rustix::fs::unlinkat(&inside, left, AtFlags::empty());
        }
        caps
    });
    rustix::fs::unlinkat(folder, &*name, AtFlags::REMOVEDIR)?;
    caps
}

fn try_out(folder: &OwnedFd) -> io::Result<Caps> {
    let (mut a, b) = (make(folder, "a")?, make(folder, "b")?);
    a.write_all(b"a")?;
    let (ident_a, ident_b) = (stat_of(&a)?.ident, stat_of(&b)?.ident);
    let exchange = match rustix::fs::renameat_with(folder, "a", folder, "b", RenameFlags::EXCHANGE) {
        Ok(()) => true,
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => false,
        Err(e) => return Err(e.into()),
    };
    let (now_a, now_b) = if exchange { ("b", "a") } else { ("a", "b") };
    rustix::fs::renameat_with(folder, now_a, folder, "c", RenameFlags::NOREPLACE)?;
    let anew = beneath::open(folder, "c", OFlags::RDONLY)?;
    let stable_ino = ident_a.btime_ns != 0
        && ident_a != ident_b
        && stat_of(&anew)?.ident == ident_a
        && stat_at(folder, "c")?.ident == ident_a
        && stat_at(folder, now_b)?.ident == ident_b;
    let reflink = rustix::fs::ioctl_ficlone(&b, &anew).is_ok();
    let hardlink = rustix::fs::linkat(folder, "c", folder, "d", AtFlags::empty()).is_ok();
    let folds_case = match stat_at(folder, "C") {
        Ok(_) => true,
        Err(e) if e.kind() == ErrorKind::NotFound => false,
        Err(e) => return Err(e),
    };
    Ok(Caps { exchange, stable_ino, reflink, hardlink, xattr: keeps_xattrs(b.as_fd()), folds_case })
}

fn make(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?))
}
