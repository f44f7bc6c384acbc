//! Reading what the kernel holds in memory, without waiting for a disk.

use std::io::{self, IoSliceMut};
use std::os::fd::AsFd;

use rustix::io::{Errno, ReadWriteFlags};

/// Fills `buffer` from an offset if all of that is in memory. False: some of it is not, the file ends before, or the file
/// system cannot tell; then what is in the buffer means nothing.
///
/// # Errors
/// What reading says.
pub fn fill_at_once(file: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    let wanted = buffer.len();
    let slices = &mut [IoSliceMut::new(buffer)];
    match rustix::io::preadv2(file, slices, offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(read == wanted),
        Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs::{self, File};

    use super::*;

    #[test]
    fn what_was_just_written_is_read_at_once_and_nothing_beyond_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let file = File::open(&path).unwrap();
        let mut buffer = [0; 4];
        // A file system that cannot tell says no, which is right, too.
        if fill_at_once(&file, &mut buffer, 3).unwrap() {
            assert_eq!(&buffer, b"3456");
        }
        assert!(!fill_at_once(&file, &mut buffer, 8).unwrap());
    }
}
