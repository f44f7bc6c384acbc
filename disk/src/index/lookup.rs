//! An index in memory, for tools that ask a small one many times. A large one is searched as it is read.

use std::io::BufRead;
use std::ops::RangeInclusive;

use holdfast_protocol::ContentHash;

use super::find::Pattern;
use super::master::{Entry, IndexReader, Kind};
use super::{Header, IndexError};

/// All entries of an index, some 250 bytes and its path for each.
#[derive(Debug)]
pub struct Lookup {
    header: Header,
    entries: Vec<Entry>,
    by_hash: Vec<(ContentHash, u32)>,
    by_size: Vec<(u64, u32)>,
    by_time: Vec<(i64, u32)>,
}

impl Lookup {
    /// Reads an index of at most so many entries.
    ///
    /// # Errors
    /// [`IndexError`]: an index that is not whole is not used.
    pub fn load<R: BufRead>(mut reader: IndexReader<R>, most: u32) -> Result<Self, IndexError> {
        let mut entries = Vec::new();
        let (mut by_hash, mut by_size, mut by_time) = (Vec::new(), Vec::new(), Vec::new());
        for (at, entry) in (0_u32..).zip(reader.by_ref()) {
            let entry = entry?;
            if at >= most {
                return Err(IndexError::TooMany(most.into()));
            }
            if let Some(hash) = entry.sha256 {
                by_hash.push((hash, at));
            }
            if entry.kind == Kind::File {
                by_size.push((entry.size, at));
                by_time.push((entry.mtime_ns, at));
            }
            entries.push(entry);
        }
        by_hash.sort_unstable();
        by_size.sort_unstable();
        by_time.sort_unstable();
        Ok(Self { header: reader.header().clone(), entries, by_hash, by_size, by_time })
    }

    /// What is known of all entries.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All entries, in the order of paths.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All files with this content, by path.
    pub fn with_hash(&self, hash: &ContentHash) -> impl Iterator<Item = &Entry> {
        self.within(&self.by_hash, *hash..=*hash)
    }

    /// All files with so many bytes, the smallest first.
    pub fn of_size(&self, bytes: RangeInclusive<u64>) -> impl Iterator<Item = &Entry> {
        self.within(&self.by_size, bytes)
    }

    /// All files written within that time (nanoseconds since 1970), the oldest first.
    pub fn written(&self, ns: RangeInclusive<i64>) -> impl Iterator<Item = &Entry> {
        self.within(&self.by_time, ns)
    }

    /// All entries with such a name, by path. Looks at each.
    pub fn named(&self, pattern: &Pattern) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| pattern.matches(entry.path.as_str()))
    }

    fn within<K: Ord>(&self, sorted: &[(K, u32)], keys: RangeInclusive<K>) -> impl Iterator<Item = &Entry> {
        let from = sorted.partition_point(|(key, _)| key < keys.start());
        let to = sorted.partition_point(|(key, _)| key <= keys.end());
        sorted[from..to.max(from)].iter().filter_map(move |&(_, at)| self.entries.get(at as usize))
    }
}
