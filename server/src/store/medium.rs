//! By what a medium is known that can only be read, and so carries no signature: a disc, an image, a snapshot (design 5:
//! such media keep their identity in the catalogue alone).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use holdfast_disk::stat::stat_of;
use holdfast_disk::walk::list_folder;
use holdfast_disk::{EntryKind, Hasher, beneath};
use rustix::fs::OFlags;

/// Names the medium at an open root. Where the file system has an id of its own (ext4, btrfs and xfs have, discs and images do
/// not) it is that and the folder; else what lies at the top, which on such media never changes.
pub(super) fn of(root: &OwnedFd) -> io::Result<String> {
    let folder = stat_of(root)?.ident;
    let space = rustix::fs::fstatvfs(root)?;
    if folder.btime_ns != 0 && space.f_fsid != 0 {
        return Ok(format!("folder:{:x}:{}:{}", space.f_fsid, folder.ino, folder.btime_ns));
    }
    by_content(root)
}

/// Of so many files at the top the first bytes count as well: discs of one kind may look alike from outside.
const READ: usize = 8;
/// So many bytes.
const BEGINNING: u64 = 4096;

/// Names it by what lies at its top: names, sizes, times, where the medium has them, and how some of the files begin.
fn by_content(root: &OwnedFd) -> io::Result<String> {
    let mut hasher = Hasher::new();
    let mut left = READ;
    hasher.update(&rustix::fs::fstatvfs(root)?.f_blocks.to_le_bytes());
    for (name, stat) in list_folder(root)? {
        let stat = stat?;
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
        for number in [stat.ident.ino, stat.size, stat.mtime_ns.cast_unsigned()] {
            hasher.update(&number.to_le_bytes());
        }
        if stat.kind == EntryKind::File && left > 0 {
            left -= 1;
            let file = beneath::open(root, &name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
            let mut beginning = Vec::new();
            File::from(file).take(BEGINNING).read_to_end(&mut beginning)?;
            hasher.update(&beginning);
        }
    }
    Ok(format!("content:{}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;

    use super::*;

    #[test]
    fn what_is_at_a_place_is_known_again_and_something_else_there_is_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let [first, other] = ["first", "other"].map(|name| {
            let folder = dir.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("song.ogg"), name).unwrap();
            File::open(folder).unwrap().into()
        });
        assert_eq!(of(&first).unwrap(), of(&first).unwrap());
        assert_ne!(of(&first).unwrap(), of(&other).unwrap());
        assert_eq!(by_content(&first).unwrap(), by_content(&first).unwrap());
        assert_ne!(by_content(&first).unwrap(), by_content(&other).unwrap());
    }
}
