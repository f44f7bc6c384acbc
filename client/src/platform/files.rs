//! Files: made for their owner alone, given their time, and put in place in one step.

use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Makes a file that was not there, for reading and writing.
///
/// # Errors
/// What the system says.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

/// Makes a file that was not there and that nobody but its owner may read. Where a system has no modes, the folder's
/// permissions hold: the user's own data directory is theirs alone on Windows.
///
/// # Errors
/// What the system says.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a folder, and those above it, that nobody but its owner may look into.
///
/// # Errors
/// What the system says.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces a small file that nobody but its owner may read: afterwards it has the new content, durably, and at no time half
/// of it.
///
/// # Errors
/// What the system says; then the old content stands.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
    let part = path.with_file_name(format!("{name}.{}.part", std::process::id()));
    // Of a process with this number that died in the middle of it.
    let _ = std::fs::remove_file(&part);
    let written = create_private(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&part, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written.and_then(|()| sync_folder(&parent(path)))
}

/// Moves a finished file to where it belongs, durably; a reader sees what was there before or all of it. The mode of what it
/// replaces goes over to it. Without `replace`, what is there is left alone, and that is
/// [`io::ErrorKind::AlreadyExists`].
///
/// # Errors
/// What the system says; the file is then still where it was.
pub fn place(part: &Path, target: &Path, replace: bool) -> io::Result<()> {
    // Through a link, what it points to is replaced and the link stays.
    let target = match std::fs::symlink_metadata(target) {
        Ok(found) if found.is_symlink() && replace => std::fs::canonicalize(target)?,
        _ => target.to_owned(),
    };
    if replace {
        if let Ok(found) = std::fs::metadata(&target)
            && found.is_file()
        {
            std::fs::set_permissions(part, found.permissions())?;
        }
        std::fs::rename(part, &target)?;
    } else {
        match std::fs::hard_link(part, &target) {
            Ok(()) => {
                let _ = std::fs::remove_file(part);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // A file system without hard links: looked at just before is the best that it can do.
            Err(_) if std::fs::symlink_metadata(&target).is_ok() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Err(_) => std::fs::rename(part, &target)?,
        }
    }
    sync_folder(&parent(&target))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes what happened in a folder last. Windows does so by itself and cannot be asked.
///
/// # Errors
/// What the system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Gives a file its modification time, in nanoseconds since 1970; as exactly as its file system can.
///
/// # Errors
/// What the system says.
pub fn set_mtime(file: &File, mtime_ns: i64) -> io::Result<()> {
    let distance = Duration::from_nanos(mtime_ns.unsigned_abs());
    let time = if mtime_ns < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    match time {
        Some(time) => file.set_times(FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}

/// When a file was last written, in nanoseconds since 1970; `None` where that is not known or does not fit.
pub fn mtime_ns(found: &Metadata) -> Option<i64> {
    let time: SystemTime = found.modified().ok()?;
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().and_then(i64::checked_neg),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_came_into_being_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (part, target) = (folder.path().join("part"), folder.path().join("target"));
        std::fs::write(&part, "new").unwrap();
        std::fs::write(&target, "theirs").unwrap();
        let error = place(&part, &target, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs");
        assert!(part.exists());
        std::fs::remove_file(&target).unwrap();
        place(&part, &target, false).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert!(!part.exists());
    }

    #[test]
    fn a_time_before_1970_is_kept_to_the_nanosecond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        let file = create_new(&path).unwrap();
        for time in [-1, -1_500_000_001, 0, 1_767_225_600_123_456_789] {
            set_mtime(&file, time).unwrap();
            assert_eq!(mtime_ns(&path.metadata().unwrap()), Some(time));
        }
    }
}
