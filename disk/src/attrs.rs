//! What a file carries besides its bytes: owner, mode, access list, extended attributes, times.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use crate::stat::stat_of;

const ACCESS_LIST: &str = "system.posix_acl_access";
const DEFAULT_LIST: &str = "system.posix_acl_default";
const WINDOWS_LIST: &str = "security.NTACL";
const SET_GROUP_ID: u32 = 0o2000;
const NANOS_PER_SEC: i64 = 1_000_000_000;

/// What could not be carried over, because the process or the file system may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Owner or group.
    pub owner: bool,
    /// The access list or another extended attribute.
    pub xattrs: bool,
}

impl Lost {
    /// True when nothing was lost.
    pub fn nothing(self) -> bool {
        self == Self::default()
    }
}

/// Gives `to` the owner, group, extended attributes, access list and mode of `from`, as far as the process may. What
/// would lend the new content rights of its own is left behind: set-id and sticky bits, file capabilities, labels.
///
/// # Errors
/// What reading `from` or setting the mode of `to` says; what may not be carried over is no error but told as lost.
pub fn copy(from: impl AsFd, to: impl AsFd) -> io::Result<Lost> {
    let (from, to) = (from.as_fd(), to.as_fd());
    let (source, target) = (rustix::fs::fstat(from)?, rustix::fs::fstat(to)?);
    let mut lost = Lost::default();
    if source.st_uid != target.st_uid {
        lost.owner |= rustix::fs::fchown(to, Some(Uid::from_raw(source.st_uid)), None).is_err();
    }
    if source.st_gid != target.st_gid {
        lost.owner |= rustix::fs::fchown(to, None, Some(Gid::from_raw(source.st_gid))).is_err();
    }
    lost.xattrs = copy_xattrs(from, to)?;
    // A program that its owner trusted with such rights was the old content; the new one comes from anybody who may
    // write here, as if by write(2), which takes them away as well.
    rustix::fs::fchmod(to, Mode::from_raw_mode(source.st_mode & 0o777))?;
    Ok(lost)
}

/// Gives a new file or folder what it would have had, had it been made in that folder: the group of a set-group-id
/// folder and its default access list.
///
/// # Errors
/// What reading the folder or setting the mode says; what may not be set is told as lost.
pub fn inherit(folder: impl AsFd, to: impl AsFd, is_folder: bool) -> io::Result<Lost> {
    let (folder, to) = (folder.as_fd(), to.as_fd());
    let parent = rustix::fs::fstat(folder)?;
    let mut mode = rustix::fs::fstat(to)?.st_mode & 0o7777;
    let mut lost = Lost::default();
    if let Some(list) = get_xattr(folder, DEFAULT_LIST)? {
        lost.xattrs |= set_xattr(to, ACCESS_LIST, &list).is_err();
        if is_folder {
            lost.xattrs |= set_xattr(to, DEFAULT_LIST, &list).is_err();
        }
        mode = stat_of(to)?.mode & if is_folder { 0o777 } else { 0o666 };
    }
    if parent.st_mode & SET_GROUP_ID != 0 {
        lost.owner |= rustix::fs::fchown(to, None, Some(Gid::from_raw(parent.st_gid))).is_err();
        if is_folder && !lost.owner {
            mode |= SET_GROUP_ID;
        }
    }
    rustix::fs::fchmod(to, Mode::from_raw_mode(mode))?;
    Ok(lost)
}

/// Sets when the content was last written, in nanoseconds since 1970 (signed); the time of access stays.
///
/// # Errors
/// What the file system says. One that keeps coarser times rounds silently: look with `stat_of` afterwards.
pub fn set_mtime(file: impl AsFd, mtime_ns: i64) -> io::Result<()> {
    let stay = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let mtime =
        Timespec { tv_sec: mtime_ns.div_euclid(NANOS_PER_SEC), tv_nsec: mtime_ns.rem_euclid(NANOS_PER_SEC) };
    let times = Timestamps { last_access: stay, last_modification: mtime };
    Ok(rustix::fs::futimens(file, &times)?)
}

/// True when something was not carried over.
fn copy_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut lost = false;
    for name in list_xattrs(from)?.iter().filter(|name| is_carried(name)) {
        match get_xattr(from, name)? {
            Some(value) => lost |= set_xattr(to, name, &value).is_err(),
            None => lost = true,
        }
    }
    Ok(lost)
}

/// Of what security modules keep, only the access list of Samba: the rest (capabilities, labels, signatures) speaks for
/// the bytes that were there, or is given by the system itself.
fn is_carried(name: &str) -> bool {
    !name.starts_with("security.") || name == WINDOWS_LIST
}

fn list_xattrs(file: BorrowedFd<'_>) -> io::Result<Vec<String>> {
    let mut names = vec![0_u8; 1024];
    loop {
        match rustix::fs::flistxattr(file, &mut names[..]) {
            Ok(length) => {
                names.truncate(length);
                // A name that is not UTF-8 cannot be made by anything we know of; it is left behind.
                return Ok(names
                    .split(|&b| b == 0)
                    .filter(|n| !n.is_empty())
                    .filter_map(|n| String::from_utf8(n.to_vec()).ok())
                    .collect());
            }
            Err(Errno::RANGE) if names.len() < 1 << 20 => names.resize(names.len() * 4, 0),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
        }
    }
}

/// `None` when there is none of that name or it may not be read.
fn get_xattr(file: BorrowedFd<'_>, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0_u8; 512];
    loop {
        match rustix::fs::fgetxattr(file, name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) if value.len() < 1 << 20 => value.resize(value.len() * 4, 0),
            Err(Errno::NODATA | Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => return Ok(None),
            Err(e) => return Err(e.into()),
        }
    }
}

fn set_xattr(file: BorrowedFd<'_>, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())?)
}

/// Whether files there can carry extended attributes of their users; found out by setting and removing one.
pub fn keeps_xattrs(file: impl AsFd) -> bool {
    const PROBE: &str = "user.holdfast.probe";
    let file = file.as_fd();
    set_xattr(file, PROBE, b"1").is_ok() && rustix::fs::fremovexattr(file, PROBE).is_ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs::{self, File};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_copy_has_the_permissions_and_the_attributes_of_its_source_but_none_of_its_powers() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) =
            (File::create(dir.path().join("a")).unwrap(), File::create(dir.path().join("b")).unwrap());
        a.set_permissions(fs::Permissions::from_mode(0o6751)).unwrap();
        // cap_setuid=ep, as the kernel keeps it (revision 2); only root may give it away.
        let powers = [1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let empowered = set_xattr(a.as_fd(), "security.capability", &powers).is_ok();
        let kept = set_xattr(a.as_fd(), "user.colour", &[7; 700]).is_ok();
        copy(&a, &b).unwrap();
        assert_eq!(b.metadata().unwrap().mode() & 0o7777, 0o751);
        if empowered {
            assert_eq!(get_xattr(b.as_fd(), "security.capability").unwrap(), None);
        }
        if kept {
            assert_eq!(get_xattr(b.as_fd(), "user.colour").unwrap(), Some(vec![7; 700]));
        }
    }

    #[test]
    fn of_what_security_modules_keep_only_an_access_list_is_carried_over() {
        for name in ["user.colour", ACCESS_LIST, "trusted.x", "security.NTACL"] {
            assert!(is_carried(name), "{name}");
        }
        for name in ["security.capability", "security.selinux", "security.ima"] {
            assert!(!is_carried(name), "{name}");
        }
    }

    #[test]
    fn mtimes_are_kept_to_the_nanosecond_also_before_1970() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join("a")).unwrap();
        for mtime in [1_700_000_000_123_456_789, 0, -1, -1_500_000_000] {
            set_mtime(&file, mtime).unwrap();
            assert_eq!(stat_of(&file).unwrap().mtime_ns, mtime);
        }
    }

    #[test]
    fn a_new_file_gets_the_group_of_a_set_group_id_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = File::open(dir.path()).unwrap();
        let file = File::create(dir.path().join("a")).unwrap();
        if rustix::fs::fchown(&folder, None, Some(Gid::from_raw(4242))).is_err() {
            // Only root may give a folder to a group that it is not in.
            return;
        }
        folder.set_permissions(fs::Permissions::from_mode(0o2775)).unwrap();
        assert!(inherit(&folder, &file, false).unwrap().nothing());
        assert_eq!(file.metadata().unwrap().gid(), 4242);
        assert_eq!(file.metadata().unwrap().mode() & SET_GROUP_ID, 0, "a file is not made set-group-id");
    }
}
