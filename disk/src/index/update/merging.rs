//! Disk and index before, read side by side.

use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use holdfast_protocol::path::beneath as is_beneath;
use holdfast_protocol::{ContentHash, DrivePath};
use rustix::fs::OFlags;
use time::OffsetDateTime;

use super::before::{Before, is_settled, looks_the_same};
use super::scan::{Scan, Seen, Unseen};
use super::{Options, Progress, Report, Tell, UpdateError};
use crate::index::{Entry, IndexWriter, Kind};
use crate::stat::{Stat, stat_of};
use crate::{beneath, hash_reader};

/// So many problems are told one by one.
const TOLD: usize = 100;

pub(super) struct Merging<'m> {
    root: OwnedFd,
    options: Options,
    has_inodes: bool,
    before: Option<Before>,
    /// What was not looked at last: what the index before knew of it, and of all in it, is kept (P8).
    unseen: Option<String>,
    unseen_places: u64,
    entries: u64,
    tell: Tell<'m>,
    report: Report,
}

impl<'m> Merging<'m> {
    pub fn new(
        root: OwnedFd,
        options: Options,
        has_inodes: bool,
        before: Option<Before>,
        tell: Tell<'m>,
        report: Report,
    ) -> Self {
        Self { root, options, has_inodes, before, unseen: None, unseen_places: 0, entries: 0, tell, report }
    }

    pub fn into_report(self) -> Report {
        self.report
    }

    /// Writes what is there, read side by side with the index before.
    pub fn run(&mut self, writer: &mut IndexWriter<BufWriter<&File>>) -> Result<(), UpdateError> {
        for seen in Scan::new(&self.root)? {
            match seen {
                Seen::Entry { path, stat } => {
                    let old = self.until(writer, Some(path.as_str()))?;
                    self.entries += 1;
                    self.told(path.as_str())?;
                    if let Some(kind) = Kind::of(stat.kind) {
                        let entry = self.entry(path, kind, &stat, old)?;
                        writer.push(&entry)?;
                    }
                }
                Seen::Unseen { path, why } => self.unseen(writer, &path, &why)?,
            }
        }
        self.until(writer, None)?;
        writer.totals().unseen = self.unseen_places;
        Ok(())
    }

    fn told(&mut self, path: &str) -> Result<(), UpdateError> {
        let progress = Progress { path, entries: self.entries, bytes: self.report.read_bytes };
        if (self.tell)(&progress).is_break() { Err(UpdateError::Cancelled) } else { Ok(()) }
    }

    /// Goes through the index before up to a path; what it says of that path.
    fn until(
        &mut self,
        writer: &mut IndexWriter<BufWriter<&File>>,
        path: Option<&str>,
    ) -> Result<Option<Entry>, UpdateError> {
        while let Some(Before { old, .. }) = &mut self.before {
            let next = match path {
                Some(path) => old.take_until(path, true),
                None => old.take(),
            };
            let Some(entry) = next else { break };
            if path == Some(entry.path.as_str()) {
                return Ok(Some(entry));
            }
            self.settle(writer, entry)?;
        }
        Ok(None)
    }

    fn unseen(
        &mut self,
        writer: &mut IndexWriter<BufWriter<&File>>,
        path: &Path,
        why: &Unseen,
    ) -> Result<(), UpdateError> {
        self.problem(path, why);
        self.unseen_places += 1;
        // The index before cannot hold what is not text.
        let Some(text) = path.to_str() else { return Ok(()) };
        while let Some(entry) = self.before.as_mut().and_then(|before| before.old.take_until(text, false)) {
            self.settle(writer, entry)?;
        }
        self.unseen = Some(text.to_owned());
        Ok(())
    }

    /// What the index before has and the disk does not: it is gone, or nobody could look.
    fn settle(
        &mut self,
        writer: &mut IndexWriter<BufWriter<&File>>,
        mut entry: Entry,
    ) -> Result<(), UpdateError> {
        let path = entry.path.as_str();
        let is_unseen =
            self.unseen.as_deref().is_some_and(|unseen| path == unseen || is_beneath(path, unseen));
        if is_unseen {
            entry.seen_at = entry.seen_at.or(self.before.as_ref().map(|before| before.old.at()));
            writer.push(&entry)?;
            self.report.kept += 1;
        } else {
            self.report.gone += 1;
        }
        Ok(())
    }

    fn problem(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.report.problem_count += 1;
        if self.report.problems.len() < TOLD {
            self.report.problems.push((path.to_owned(), why.to_string()));
        }
    }

    fn entry(
        &mut self,
        path: DrivePath,
        kind: Kind,
        stat: &Stat,
        old: Option<Entry>,
    ) -> Result<Entry, UpdateError> {
        let mut entry = Entry::new(path, kind);
        entry.mtime_ns = stat.mtime_ns;
        let old = old.filter(|old| old.kind == kind);
        self.report.added += u64::from(old.is_none());
        entry.id = old.as_ref().and_then(|old| old.id);
        if kind != Kind::File {
            return Ok(entry);
        }
        entry.size = stat.size;
        entry.stat = self.has_inodes.then(|| stat.into());
        let same = old.as_ref().filter(|old| looks_the_same(old, &entry));
        self.report.changed += u64::from(old.is_some() && same.is_none());
        if let Some(old) = same {
            entry.import = old.import;
            if is_settled(old) && !self.options.again {
                entry.sha256 = old.sha256;
                entry.hashed_at = old.hashed_at;
            }
        }
        if same.is_none()
            && let Some(old) = self.before.as_ref().and_then(|before| before.moved.find(&entry))
        {
            self.report.moved += 1;
            (entry.sha256, entry.hashed_at, entry.import) = (old.sha256, old.hashed_at, old.import);
        }
        if self.options.hash && entry.sha256.is_none() {
            self.hash(&mut entry, stat)?;
        }
        Ok(entry)
    }

    fn hash(&mut self, entry: &mut Entry, stat: &Stat) -> Result<(), UpdateError> {
        let began = OffsetDateTime::now_utc();
        let mut is_cancelled = false;
        let told = |bytes: u64| {
            let bytes = self.report.read_bytes + bytes;
            let progress = Progress { path: entry.path.as_str(), entries: self.entries, bytes };
            is_cancelled = (self.tell)(&progress).is_break();
            if is_cancelled { Err(io::Error::other("asked to stop")) } else { Ok(()) }
        };
        let read = content(&self.root, entry.path.as_str(), stat, told);
        if is_cancelled {
            return Err(UpdateError::Cancelled);
        }
        match read {
            Ok(Some(hash)) => {
                self.report.read += 1;
                self.report.read_bytes += entry.size;
                entry.sha256 = Some(hash);
                entry.hashed_at = Some(began);
            }
            Ok(None) => self.problem(Path::new(entry.path.as_str()), "it was written to while it was read"),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => {
                self.problem(Path::new(entry.path.as_str()), format_args!("its content cannot be read: {e}"));
            }
        }
        Ok(())
    }
}

/// The hash of a file's content; `None` when it changed meanwhile. `told` hears how many bytes were read, and may end it.
fn content(
    root: &OwnedFd,
    path: &str,
    stat: &Stat,
    told: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<Option<ContentHash>> {
    let file = File::from(beneath::open(root, path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK)?);
    let is_same = |found: &Stat| {
        (found.ident, found.kind, found.size, found.mtime_ns, found.ctime_ns)
            == (stat.ident, stat.kind, stat.size, stat.mtime_ns, stat.ctime_ns)
    };
    if !is_same(&stat_of(&file)?) {
        return Ok(None);
    }
    // Not beyond its size: one that grows while it is read would have no end.
    let (hash, size) = hash_reader(Told { from: (&file).take(stat.size.saturating_add(1)), read: 0, told })?;
    Ok((size == stat.size && is_same(&stat_of(&file)?)).then_some(hash))
}

struct Told<R, T> {
    from: R,
    read: u64,
    told: T,
}

impl<R: Read, T: FnMut(u64) -> io::Result<()>> Read for Told<R, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.read += read as u64;
        (self.told)(self.read)?;
        Ok(read)
    }
}
