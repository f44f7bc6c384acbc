//! Makes a folder a drive, and opens the root of one: what is there, whose it is, what can be done there.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use holdfast_disk::signature::README;
use holdfast_disk::stat::stat_at;
use holdfast_disk::sync::{sync_folder, write_atomic};
use holdfast_disk::volumes::mountinfo;
use holdfast_disk::{RESERVED, Signature, SignatureError, beneath};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::caps::{self, Caps};
use super::drive::{FolderDrive, Opened, Refusal, Shared};
use super::log::Log;
use super::medium;
use super::root::Root;
use super::seam::Means;

impl FolderDrive {
    /// Makes a folder, empty or not, a drive: adds the reserved folder, its signature last.
    ///
    /// # Errors
    /// [`Refusal`]; then the folder is as it was, or can be tried again.
    pub fn create(root: &Path, signature: &Signature) -> Result<Self, Refusal> {
        let fd = open_root(root)?;
        match Signature::read(&fd) {
            Ok(there) => return Err(Refusal::AlreadyADrive { path: root.to_owned(), found: there.drive_id }),
            Err(SignatureError::Absent) => {}
            Err(why) => return Err(Refusal::BadSignature { path: root.to_owned(), why }),
        }
        let refuse = |error| refusal(root, error);
        let made = make_folder(&fd, RESERVED, 0o755).map_err(refuse)?;
        let reserved = beneath::open_folder(&fd, RESERVED).map_err(refuse)?;
        let lock = take_lock(root, &reserved)?;
        if let Err(refusal) = probe(root, &fd, &reserved) {
            if made {
                let _ = rustix::fs::unlinkat(&reserved, "lock", AtFlags::empty());
                let _ = rustix::fs::unlinkat(&fd, RESERVED, AtFlags::REMOVEDIR);
            }
            return Err(refusal);
        }
        make_reserved(&reserved).map_err(refuse)?;
        sync_folder(&fd).map_err(refuse)?;
        signature.write(&fd).map_err(refuse)?;
        drop(lock);
        Self::open(root, signature.drive_id, None)
    }

    /// Opens the root of a drive, if it is that, and takes hold of it. `medium`: by what it is known where it can only be read
    /// and carries no signature ([`FolderDrive::medium`]).
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(root: &Path, drive: Uuid, medium: Option<&str>) -> Result<Self, Refusal> {
        let fd = open_root(root)?;
        let refuse = |error| refusal(root, error);
        let read_only = caps::is_read_only(&fd).map_err(refuse)?;
        let is_signed = match Signature::read(&fd) {
            Ok(there) if there.drive_id == drive => true,
            Ok(there) => {
                return Err(Refusal::WrongSignature { path: root.to_owned(), found: Some(there.drive_id) });
            }
            Err(SignatureError::Absent) if is_empty(&fd).map_err(refuse)? => {
                return Err(Refusal::Empty(root.to_owned()));
            }
            Err(SignatureError::Absent) if medium.is_some() && read_only => {
                if medium::of(&fd).map_err(refuse)? != medium.unwrap_or_default() {
                    return Err(Refusal::AnotherMedium(root.to_owned()));
                }
                false
            }
            Err(SignatureError::Absent) => {
                return Err(Refusal::WrongSignature { path: root.to_owned(), found: None });
            }
            Err(why) => return Err(Refusal::BadSignature { path: root.to_owned(), why }),
        };
        if read_only {
            return open_to_read(root, fd, drive, is_signed);
        }
        let reserved = beneath::open_folder(&fd, RESERVED).map_err(refuse)?;
        let lock = take_lock(root, &reserved)?;
        let (caps, means) = match probe(root, &fd, &reserved) {
            // What is there can still be read, and the drive says that it takes nothing more.
            Err(Refusal::Io { error, .. }) if is_full(&error) => {
                let caps = Caps::untried(&fd, false).map_err(refuse)?;
                if !caps.stable_ino {
                    return Err(Refusal::NoStableInodes(root.to_owned()));
                }
                (caps, caps.means().unwrap_or(Means::NoReplace))
            }
            tried => tried?,
        };
        make_reserved(&reserved).map_err(refuse)?;
        let log = Log::open(&fd).map_err(refuse)?;
        let shared = Shared::new(Root::new(fd, means, caps.syncs_whole).map_err(refuse)?, Some(lock));
        let file_system = file_system_of(root);
        let (path, log) = (root.to_owned(), Some(log));
        Ok(Opened { shared, path, drive, caps, file_system, log, is_signed }.into())
    }

    /// By what a medium is known that can only be read: another one at the same place has another.
    ///
    /// # Errors
    /// [`Refusal`]; `None` for a folder that can be written, which gets a signature.
    pub fn medium(root: &Path) -> Result<Option<String>, Refusal> {
        let fd = open_root(root)?;
        let refuse = |error| refusal(root, error);
        if !caps::is_read_only(&fd).map_err(refuse)? {
            return Ok(None);
        }
        medium::of(&fd).map(Some).map_err(refuse)
    }

    /// Takes away what [`FolderDrive::create`] made, of a drive that has held nothing yet.
    ///
    /// # Errors
    /// What the file system says; nothing where the folder is not that drive.
    pub fn unmake(root: &Path, drive: Uuid) -> io::Result<()> {
        let fd = open_root(root).map_err(io::Error::other)?;
        match Signature::read(&fd) {
            Ok(there) if there.drive_id == drive => std::fs::remove_dir_all(root.join(RESERVED)),
            _ => Ok(()),
        }
    }
}

/// Opens a root where nothing can be written now: nothing is tried out, made or noted there.
fn open_to_read(root: &Path, fd: OwnedFd, drive: Uuid, is_signed: bool) -> Result<FolderDrive, Refusal> {
    let refuse = |error| refusal(root, error);
    let lock = if is_signed { lock_to_read(root, &fd)? } else { None };
    let mut caps = Caps::untried(&fd, true).map_err(refuse)?;
    caps.folds_case = is_signed && folds_case(&fd).map_err(refuse)?;
    // Nothing is renamed before it was opened anew.
    let means = caps.means().unwrap_or(Means::NoReplace);
    let shared = Shared::new(Root::new(fd, means, caps.syncs_whole).map_err(refuse)?, lock);
    let (path, file_system) = (root.to_owned(), file_system_of(root));
    Ok(Opened { shared, path, drive, caps, file_system, log: None, is_signed }.into())
}

/// What the system calls the file system that a path leads to.
fn file_system_of(root: &Path) -> Option<String> {
    mounted_at(root).map(|line| line.file_system)
}

/// How what a path leads to is mounted.
fn mounted_at(root: &Path) -> Option<mountinfo::Line> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let path = root.canonicalize().ok()?;
    let lines = mountinfo::parse(&table).0;
    mountinfo::of_path(&lines, path.as_os_str().as_bytes()).cloned()
}

/// Whether inode numbers are made up by the client, anew with each mount: an SMB share has those of its server only where it is
/// mounted so (mount.cifs(8), `serverino`).
fn makes_numbers_up(line: &mountinfo::Line) -> bool {
    matches!(&line.file_system[..], "cifs" | "smb3")
        && !line.super_options.iter().any(|option| option == "serverino")
}

/// Whether the root itself takes names that differ in case alone for one: some file systems do so in some folders.
fn folds_case(root: &OwnedFd) -> io::Result<bool> {
    match stat_at(root, RESERVED.to_ascii_uppercase()) {
        Ok(there) => Ok(there.ident == stat_at(root, RESERVED)?.ident),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Refusal> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => Refusal::Missing(path.to_owned()),
        errno => Refusal::Io { path: path.to_owned(), error: errno.into() },
    })
}

fn refusal(root: &Path, error: io::Error) -> Refusal {
    let path = root.to_owned();
    match error.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Refusal::ReadOnly(path),
        _ => Refusal::Io { path, error },
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn is_empty(folder: &OwnedFd) -> io::Result<bool> {
    // A new ext4 file system has this folder, and only this.
    Ok(holdfast_disk::walk::list_folder(folder)?.iter().all(|(name, _)| name == "lost+found"))
}

/// True when it was made just now.
fn make_folder(parent: impl AsFd, name: &str, mode: u32) -> io::Result<bool> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The lock is the open file's; the text in it is for people.
fn take_lock(root: &Path, reserved: &OwnedFd) -> Result<File, Refusal> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(reserved, "lock", flags, Mode::from_raw_mode(0o644))
        .map_err(|e| refusal(root, e.into()))?;
    let mut file = hold(root, fd)?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let holder = format!("held by holdfastd, process {}, on {}\n", std::process::id(), host.trim());
    // Who holds it is told where it can be; the lock holds without.
    let _ = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
    Ok(file)
}

/// As [`take_lock`], where nothing can be written. `None`: there is no such file to lock.
fn lock_to_read(root: &Path, fd: &OwnedFd) -> Result<Option<File>, Refusal> {
    match beneath::open(fd, format!("{RESERVED}/lock"), OFlags::RDONLY | OFlags::NOFOLLOW) {
        Ok(fd) => hold(root, fd).map(Some),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(refusal(root, e)),
    }
}

fn hold(root: &Path, lock: OwnedFd) -> Result<File, Refusal> {
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(File::from(lock)),
        Err(Errno::WOULDBLOCK) => Err(Refusal::InUse(root.to_owned())),
        Err(e) => Err(refusal(root, e.into())),
    }
}

fn probe(root: &Path, fd: &OwnedFd, reserved: &OwnedFd) -> Result<(Caps, Means), Refusal> {
    let refuse = |error| refusal(root, error);
    let mut caps = caps::probe(reserved.as_fd()).map_err(refuse)?;
    caps.folds_case |= folds_case(fd).map_err(refuse)?;
    let means = caps.means().ok_or_else(|| Refusal::NoSafeRename(root.to_owned()))?;
    caps.stable_ino &= !mounted_at(root).is_some_and(|line| makes_numbers_up(&line));
    if !caps.stable_ino {
        return Err(Refusal::NoStableInodes(root.to_owned()));
    }
    Ok((caps, means))
}

/// Everything in the reserved folder but the signature; what is there already stays.
fn make_reserved(reserved: &OwnedFd) -> io::Result<()> {
    let mut made = make_folder(reserved, "versions", 0o700)?;
    let versions = beneath::open_folder(reserved, "versions")?;
    for bucket in 0..=u8::MAX {
        made |= make_folder(&versions, &format!("{bucket:02x}"), 0o700)?;
    }
    if make_folder(reserved, "uploads", 0o700)? {
        sync_folder(reserved)?;
    }
    if made {
        sync_folder(&versions)?;
        write_atomic(reserved, "README.txt", README.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_only_where_it_has_the_inode_numbers_of_its_server() {
        let line = |kind: &str, options: &str| {
            let text = format!("36 25 0:52 / /mnt/nas rw,relatime - {kind} //nas/files {options}\n");
            mountinfo::parse(text.as_bytes()).0.remove(0)
        };
        assert!(!makes_numbers_up(&line("cifs", "rw,vers=3.1.1,serverino,mapposix")));
        assert!(makes_numbers_up(&line("cifs", "rw,vers=3.1.1,mapposix")));
        assert!(makes_numbers_up(&line("smb3", "rw")));
        assert!(!makes_numbers_up(&line("ext4", "rw")));
    }
}
