//! Opening beneath a root and nowhere else: no link is followed, no mount crossed, no `..` obeyed, whatever another
//! program does to the tree meanwhile (design section 5, "Reading").

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The kernel takes no longer path at once, its closing NUL included.
const PATH_MAX: usize = 4096;

/// Opens what lies at a path relative to `root`; the empty path is the root itself. `CLOEXEC` is added.
///
/// # Errors
/// `NotFound`; `ELOOP` when a link is in the way; `EXDEV` when a mount point or `..` is; what `openat2` says else.
pub fn open(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
    let root = root.as_fd();
    let mut rest = path.as_ref().as_os_str().as_bytes();
    let mut folder: Option<OwnedFd> = None;
    while rest.len() >= PATH_MAX {
        let cut = rest[..PATH_MAX].iter().rposition(|&b| b == b'/').ok_or(Errno::NAMETOOLONG)?;
        let from = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(step(from, &rest[..cut], OFlags::PATH | OFlags::DIRECTORY)?);
        rest = &rest[cut + 1..];
    }
    step(folder.as_ref().map_or(root, AsFd::as_fd), rest, flags)
}

/// What is asked of the kernel for each path.
const CONFINED: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// As [`open`], but only where the kernel knows the whole path already, so that no disk has to be waited for. `None`: it
/// would have to, or cannot tell (before Linux 5.12).
///
/// # Errors
/// As [`open`].
pub fn open_at_once(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> io::Result<Option<OwnedFd>> {
    let path = path.as_ref().as_os_str().as_bytes();
    let path = if path.is_empty() { b"." } else { path };
    if path.len() >= PATH_MAX {
        return Ok(None);
    }
    let resolve = CONFINED.union(ResolveFlags::CACHED);
    match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::AGAIN | Errno::INTR | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn step(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    loop {
        // EAGAIN: a rename elsewhere raced with the walk and the kernel could not tell whether it was led outside.
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), CONFINED) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Opens a folder beneath `root` for listing and syncing.
///
/// # Errors
/// As [`open`]; `NotADirectory` when it is something else.
pub fn open_folder(root: impl AsFd, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs::{self, File};

    use super::*;

    #[test]
    fn nothing_outside_the_root_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root_path = dir.path().join("root");
        fs::create_dir(&root_path).unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("..", root_path.join("up")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), root_path.join("link")).unwrap();
        let root = File::open(&root_path).unwrap();
        for path in ["../secret", "/etc/passwd", "up/secret", "link", "up"] {
            assert!(open(&root, path, OFlags::RDONLY).is_err(), "{path}");
        }
        assert!(open(&root, "", OFlags::RDONLY).is_ok());
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_at_once_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = File::open(dir.path()).unwrap();
        let name = "n".repeat(200);
        let mut folder = open_folder(&root, "").unwrap();
        let mut path = String::new();
        for _ in 0..30 {
            rustix::fs::mkdirat(&folder, &*name, Mode::RWXU).unwrap();
            folder = open_folder(&folder, &name).unwrap();
            path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        }
        assert!(open_folder(&root, &path).is_ok());
        assert!(open_folder(&root, format!("{path}/none")).is_err());
    }
}
