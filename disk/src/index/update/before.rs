//! What the index before knew.

use std::cmp::Ordering;
use std::fs::File;
use std::io::BufReader;
use std::os::fd::AsFd;

use time::OffsetDateTime;

use crate::Signature;
use crate::index::file::entry_at;
use crate::index::{Entry, IndexError, IndexReader, Master, Stamp, open, order};

/// What is known from before.
pub(super) struct Before {
    pub old: Old,
    pub moved: Moved,
}

/// The index before, if every byte of it is as it was written: one that is damaged is written anew and not believed (002-74).
pub(super) fn usable(
    root: impl AsFd,
    signature: &Signature,
    wants_moved: bool,
) -> (Option<Before>, Option<IndexError>) {
    let look = || -> Result<_, IndexError> {
        let mut all = open(&root)?;
        if all.header().drive_id != signature.drive_id {
            return Err(IndexError::Foreign("it is another drive's".to_owned()));
        }
        let mut places = Vec::new();
        while let Some(entry) = all.next() {
            if let Entry { sha256: Some(_), stat: Some(stat), .. } = entry?
                && wants_moved
            {
                places.push((stat.ino, stat.ctime_ns, all.position()));
            }
        }
        if !all.is_intact() {
            let first = all.told().first();
            let why = first.map_or("it was changed since it was written", |bad| bad.why.as_str());
            return Err(IndexError::broken(first.map_or(1, |bad| bad.line), why));
        }
        places.sort_unstable();
        let moved = Moved { file: all.into_inner().into_inner(), places };
        Ok(Before { old: Old::new(open(&root)?), moved })
    };
    match look() {
        Ok(found) => (Some(found), None),
        Err(IndexError::Absent) => (None, None),
        Err(error) => (None, Some(error)),
    }
}

/// Where in the index before a file stands, by its inode: a folder that was renamed is not read again. 24 bytes for each file.
pub(super) struct Moved {
    file: File,
    places: Vec<(u64, i64, u64)>,
}

impl Moved {
    /// What the index before said of a file that looks like this, wherever it was.
    pub fn find(&self, now: &Entry) -> Option<Entry> {
        let stat = now.stat?;
        let key = (stat.ino, stat.ctime_ns);
        let from = self.places.partition_point(|&(ino, ctime_ns, _)| (ino, ctime_ns) < key);
        let places = self.places[from..].iter().take_while(|&&(ino, ctime_ns, _)| (ino, ctime_ns) == key);
        let mut known = places.filter_map(|&(_, _, at)| entry_at::<Master>(&self.file, at));
        known.find(|old| looks_the_same(old, now) && is_settled(old))
    }
}

/// The index before, entry by entry.
pub(super) struct Old {
    reader: IndexReader<BufReader<File>>,
    next: Option<Entry>,
}

impl Old {
    fn new(mut reader: IndexReader<BufReader<File>>) -> Self {
        let next = reader.next().and_then(Result::ok);
        Self { reader, next }
    }

    /// When the drive was looked at then.
    pub fn at(&self) -> OffsetDateTime {
        self.reader.header().written_at
    }

    /// The next entry, if it comes before `path` in order, or at it.
    pub fn take_until(&mut self, path: &str, also_at: bool) -> Option<Entry> {
        let found = order(self.next.as_ref()?.path.as_str(), path);
        let is_wanted = found == Ordering::Less || also_at && found == Ordering::Equal;
        is_wanted.then(|| self.take()).flatten()
    }

    pub fn take(&mut self) -> Option<Entry> {
        // It was read to its end before; what cannot be read any more is missing knowledge, and nothing else.
        let next = self.reader.next().and_then(Result::ok);
        std::mem::replace(&mut self.next, next)
    }
}

/// Whether a file looks as it did. Where there are no inodes that last, its size and time decide.
pub(super) fn looks_the_same(old: &Entry, now: &Entry) -> bool {
    (old.size, old.mtime_ns, old.stat) == (now.size, now.mtime_ns, now.stat)
}

/// Whether what was read is what is told by the time: a file written to within the same moment may show nothing of it.
pub(super) fn is_settled(entry: &Entry) -> bool {
    /// The coarsest clock of a file system, FAT's, and some more.
    const MOMENT: i128 = 3_000_000_000;
    let written = entry.stat.map_or(entry.mtime_ns, |Stamp { ctime_ns, .. }| ctime_ns);
    let read = entry.hashed_at.map(OffsetDateTime::unix_timestamp_nanos);
    read.is_some_and(|read| (read - i128::from(written)).abs() >= MOMENT)
}
