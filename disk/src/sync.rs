//! Making things last: folders synced, small files written so that a reader and a power cut see the old or the new.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::fs::{Advice, AtFlags, Mode, OFlags};

/// Makes what happened in a folder last. The descriptor must be open for reading (`O_PATH` does not do).
///
/// # Errors
/// What `fsync` says.
pub fn sync_folder(folder: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(folder)?)
}

/// Has the kernel begin to write what it holds of a file from a byte on; whoever syncs it later waits less. Only a hint.
pub fn begin_writing(file: impl AsFd, from: u64) {
    // Pages that are still to be written are sent on their way, and kept.
    let _ = rustix::fs::fadvise(file, from, None, Advice::DontNeed);
}

/// Whether syncing a whole file system, with whatever others wrote, is no slower than syncing so many files and folders one by
/// one; false where the machine does not say.
pub fn is_quicker_whole(files: usize) -> bool {
    const LITTLE: u64 = 8 * 1024 * 1024;
    /// What a disk writes in the time that syncing one file takes, by a low estimate of both.
    const EACH: u64 = 256 * 1024;
    let as_much = LITTLE.saturating_add(EACH.saturating_mul(files as u64));
    unwritten().is_some_and(|bytes| bytes <= as_much)
}

/// Bytes that this machine holds in memory and has yet to write, whoever wrote them.
fn unwritten() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/meminfo").ok()?;
    let of = |name: &str| -> Option<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((of("Dirty:")? + of("Writeback:")?) * 1024)
}

/// Replaces a small file of a folder: afterwards it has the new content, durably, and at no time half of it.
///
/// # Errors
/// What the file system says; then the old content stands and nothing else is left behind.
pub fn write_atomic(folder: impl AsFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    replace(folder, name, |mut file| file.write_all(bytes))
}

/// Replaces a file of a folder by what `write` writes: afterwards it has the new content, durably, and at no time half of it.
///
/// # Errors
/// What `write` says, and the file system; then the old content stands and nothing else is left behind.
pub fn replace<T, E: From<io::Error>>(
    folder: impl AsFd,
    name: &str,
    write: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    let folder = folder.as_fd();
    let part = format!("{name}.part");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd =
        rustix::fs::openat(folder, &*part, flags, Mode::from_raw_mode(0o644)).map_err(io::Error::from)?;
    let file = File::from(fd);
    let written = write(&file).and_then(|result| {
        file.sync_all()?;
        rustix::fs::renameat(folder, &*part, folder, name).map_err(io::Error::from)?;
        Ok(result)
    });
    if written.is_err() {
        let _ = rustix::fs::unlinkat(folder, &*part, AtFlags::empty());
    }
    let result = written?;
    sync_folder(folder)?;
    Ok(result)
}
