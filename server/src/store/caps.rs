//! What the file system under a root can do, found out by trying: its name says too little (overlays, network and
//! user-space file systems, kernels).

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use holdfast_disk::attrs::keeps_xattrs;
use holdfast_disk::beneath;
use holdfast_disk::stat::{stat_at, stat_of};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, StatVfsMountFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::seam::Means;

/// What the file system under a root can do. A way to change names and [`Caps::stable_ino`] are required of one that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Two names can be swapped in one step.
    pub exchange: bool,
    /// A rename can be told to replace nothing.
    pub no_replace: bool,
    /// Inode number and time of birth stay with a file through renames, and from one mount to the next.
    pub stable_ino: bool,
    /// A file can be cloned without copying its bytes.
    pub reflink: bool,
    /// A file can have several names.
    pub hardlink: bool,
    /// Files keep extended attributes of their users.
    pub xattr: bool,
    /// Names that differ in case alone are the same name there.
    pub folds_case: bool,
    /// Nothing can be written there now.
    pub read_only: bool,
    /// One call makes everything on it durable; else each file and folder has to be synced by itself.
    pub syncs_whole: bool,
}

/// File systems that give a file another inode number when they are mounted anew, or when it was not used for a while
/// (statfs(2)): a trial shows nothing of that.
const NUMBERS_ANEW: [u32; 2] = [0x4d44, 0x2011_bab0];
/// What a program of its own stands for: it is told to sync files, and not to sync everything.
const FUSE: u32 = 0x6573_5546;

impl Caps {
    /// Of a drive that was one before and can now only be read, or has no byte left to try anything out with: what is known
    /// without a trial, and nothing more. Its placements wait rather than go wrong.
    pub(crate) fn untried(folder: impl AsFd, read_only: bool) -> io::Result<Self> {
        let kind = kind_of(folder)?;
        Ok(Self {
            exchange: kind != FUSE,
            no_replace: kind != FUSE,
            stable_ino: !NUMBERS_ANEW.contains(&kind),
            reflink: false,
            hardlink: kind == FUSE,
            xattr: false,
            folds_case: false,
            read_only,
            syncs_whole: kind != FUSE,
        })
    }

    /// How names can be changed there; `None`: not without a chance of losing something.
    pub(crate) fn means(&self) -> Option<Means> {
        match self {
            Self { exchange: true, .. } => Some(Means::Exchange),
            Self { no_replace: true, .. } => Some(Means::NoReplace),
            Self { hardlink: true, .. } => Some(Means::Links),
            _ => None,
        }
    }
}

/// Whether nothing can be written to the file system of an open folder, by how it is mounted.
pub(crate) fn is_read_only(folder: impl AsFd) -> io::Result<bool> {
    Ok(rustix::fs::fstatvfs(folder)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// The type of file system, as statfs(2) lists them.
fn kind_of(folder: impl AsFd) -> io::Result<u32> {
    // Some are negative where that field has a sign.
    Ok(rustix::fs::fstatfs(folder)?.f_type as u32)
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
    let exchange = is_known(rustix::fs::renameat_with(folder, "a", folder, "b", RenameFlags::EXCHANGE))?;
    let (now_a, now_b) = if exchange { ("b", "a") } else { ("a", "b") };
    let no_replace = is_known(rustix::fs::renameat_with(folder, now_a, folder, "c", RenameFlags::NOREPLACE))?;
    if !no_replace {
        rustix::fs::renameat(folder, now_a, folder, "c")?;
    }
    let anew = beneath::open(folder, "c", OFlags::RDONLY)?;
    let kind = kind_of(folder)?;
    let stable_ino = !NUMBERS_ANEW.contains(&kind)
        && ident_a.btime_ns != 0
        && ident_a != ident_b
        && stat_of(&anew)?.ident == ident_a
        && stat_at(folder, "c")?.ident == ident_a
        && stat_at(folder, now_b)?.ident == ident_b;
    let reflink = rustix::fs::ioctl_ficlone(&b, &anew).is_ok();
    let hardlink = rustix::fs::linkat(folder, "c", folder, "d", AtFlags::empty()).is_ok()
        && stat_at(folder, "d")?.ident == ident_a;
    let folds_case = match stat_at(folder, "C") {
        Ok(_) => true,
        Err(e) if e.kind() == ErrorKind::NotFound => false,
        Err(e) => return Err(e),
    };
    let (xattr, syncs_whole) = (keeps_xattrs(b.as_fd()), kind != FUSE);
    Ok(Caps {
        exchange,
        no_replace,
        stable_ino,
        reflink,
        hardlink,
        xattr,
        folds_case,
        read_only: false,
        syncs_whole,
    })
}

/// Whether a file system knows a kind of rename, from what it said to one.
fn is_known(said: Result<(), Errno>) -> io::Result<bool> {
    match said {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

fn make(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?))
}
