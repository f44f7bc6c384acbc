//! What `statx` says about a file, and the identity by which a file is found again whatever its name.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, StatxTimestamp};
use rustix::path::Arg;

use crate::birth;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// Which file it is on its file system, whatever its name. The time of its birth tells a file from an earlier one whose
/// inode number the file system gave out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    /// Inode number.
    pub ino: u64,
    /// When the inode was made, in nanoseconds since 1970; 0 where the file system does not tell, not even by an
    /// attribute.
    pub btime_ns: i64,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link; never followed.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// What `statx` said about one entry, its links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Which file it is.
    pub ident: Ident,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// When its content was last written, as it says itself: nanoseconds since 1970, possibly negative.
    pub mtime_ns: i64,
    /// When its inode last changed, by the machine's clock: nanoseconds since 1970.
    pub ctime_ns: i64,
    /// How many names it has.
    pub nlink: u64,
    /// Permission bits, with set-id and sticky bits (07777).
    pub mode: u32,
    /// Which file system it is on; means something within one run only.
    pub dev: u64,
    /// Whether something is mounted there, be it of the same file system (Linux 5.8).
    pub is_mount: bool,
}

/// The entry of that name in a folder, not followed when it is a link.
///
/// # Errors
/// What `statx` says; `NotFound` when there is none.
pub fn stat_at(folder: impl AsFd, name: impl Arg) -> io::Result<Stat> {
    raw(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)
}

/// What an open file is.
///
/// # Errors
/// What `statx` says.
pub fn stat_of(file: impl AsFd) -> io::Result<Stat> {
    const NOTHING: &CStr = c"";
    raw(file.as_fd(), NOTHING, AtFlags::EMPTY_PATH)
}

/// What a path leads to, links followed: for where a drive's root is said to be.
///
/// # Errors
/// What `statx` says; `NotFound` when there is nothing.
pub fn stat_path(path: impl Arg) -> io::Result<Stat> {
    raw(rustix::fs::CWD, path, AtFlags::empty())
}

fn raw(fd: BorrowedFd<'_>, name: impl Arg, flags: AtFlags) -> io::Result<Stat> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    name.into_with_c_str(|name| {
        let told = rustix::fs::statx(fd, name, flags, wanted)?;
        let mut stat = from_statx(&told);
        if !StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::BTIME) {
            stat.ident.btime_ns = birth::by_attribute(fd, name).unwrap_or(0);
        }
        Ok(stat)
    })
    .map_err(Into::into)
}

fn from_statx(x: &Statx) -> Stat {
    let known = StatxFlags::from_bits_retain(x.stx_mask);
    let btime_ns = if known.contains(StatxFlags::BTIME) { nanos(&x.stx_btime) } else { 0 };
    let kind = match FileType::from_raw_mode(u32::from(x.stx_mode)) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Folder,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    };
    Stat {
        ident: Ident { ino: x.stx_ino, btime_ns },
        kind,
        size: x.stx_size,
        mtime_ns: nanos(&x.stx_mtime),
        ctime_ns: nanos(&x.stx_ctime),
        nlink: u64::from(x.stx_nlink),
        mode: u32::from(x.stx_mode) & 0o7777,
        dev: rustix::fs::makedev(x.stx_dev_major, x.stx_dev_minor),
        is_mount: x.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    }
}

fn nanos(t: &StatxTimestamp) -> i64 {
    t.tv_sec.saturating_mul(NANOS_PER_SEC).saturating_add(i64::from(t.tv_nsec))
}
