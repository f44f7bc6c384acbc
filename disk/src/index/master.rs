//! `<root>/.holdfast/index.json`: what is on a drive, told by the drive itself (002-07, 002-08, 002-09).

use std::cmp::Ordering;

use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::file::{End, Format, Reader, Writer};
use super::relative;
use crate::stat::{EntryKind, Ident, Stat};

/// The master index as a kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Master;

/// Reads a master index.
pub type IndexReader<R> = Reader<R, Master>;
/// Writes a master index.
pub type IndexWriter<W> = Writer<W, Master>;
/// The last line of a master index.
pub type IndexEnd = End<Totals>;

/// What is known of all entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Which drive it is.
    pub drive_id: Uuid,
    /// What its user calls it.
    pub name: String,
    /// When the drive was looked at.
    #[serde(with = "time::serde::rfc3339")]
    pub written_at: OffsetDateTime,
    /// The program and its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub written_by: String,
    /// Where in the drive's history a catalogue stood that wrote it; `None` when it was written from the disk alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// A place in a drive's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The drive's order.
    pub seq: u64,
    /// The change that stands there.
    pub change: Uuid,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Has content.
    File,
    /// Has names beneath it.
    Folder,
    /// A symbolic link, which is not followed.
    Link,
}

impl Kind {
    /// What `stat` found; `None` for devices, sockets and pipes, which no index lists.
    pub fn of(kind: EntryKind) -> Option<Self> {
        match kind {
            EntryKind::File => Some(Self::File),
            EntryKind::Folder => Some(Self::Folder),
            EntryKind::Link => Some(Self::Link),
            EntryKind::Other => None,
        }
    }
}

/// One file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it is: names joined by `/`, none in front.
    #[serde(with = "relative")]
    pub path: DrivePath,
    /// What it is.
    pub kind: Kind,
    /// Bytes of its content; 0 for what has none.
    #[serde(default)]
    pub size: u64,
    /// When its content was last written, as it says itself: nanoseconds since 1970.
    #[serde(default)]
    pub mtime_ns: i64,
    /// What its content is, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<ContentHash>,
    /// When the content was read for that.
    #[serde(with = "time::serde::rfc3339::option", default, skip_serializing_if = "Option::is_none")]
    pub hashed_at: Option<OffsetDateTime>,
    /// When it was last seen; `None`: when the drive was looked at.
    #[serde(with = "time::serde::rfc3339::option", default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<OffsetDateTime>,
    /// By what it is told that its content was not changed since; absent where the file system has nothing that lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stat: Option<Stamp>,
    /// In which session it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Uuid>,
    /// Its id in the catalogue that wrote the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// Which inode it was, and when that changed last. Means something on the file system where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Inode number.
    pub ino: u64,
    /// When the inode was made, in nanoseconds since 1970; 0 where the file system does not tell.
    #[serde(default)]
    pub btime_ns: i64,
    /// When it changed last, in nanoseconds since 1970.
    pub ctime_ns: i64,
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        let Ident { ino, btime_ns } = stat.ident;
        Self { ino, btime_ns, ctime_ns: stat.ctime_ns }
    }
}

impl Entry {
    /// An entry of which no more is known.
    pub fn new(path: DrivePath, kind: Kind) -> Self {
        Self {
            path,
            kind,
            size: 0,
            mtime_ns: 0,
            sha256: None,
            hashed_at: None,
            seen_at: None,
            stat: None,
            import: None,
            id: None,
        }
    }
}

/// What all entries come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Folders, without the root.
    pub folders: u64,
    /// Links.
    #[serde(default)]
    pub links: u64,
    /// Bytes in all files.
    pub total_size_bytes: u64,
    /// Files of which the content is known.
    #[serde(default)]
    pub hashed: u64,
    /// Places that could not be looked into: what is there is not known, or told as it was seen before.
    #[serde(default)]
    pub unseen: u64,
}

impl Format for Master {
    const NAME: &'static str = "holdfast-index";
    const LIST: &'static str = "entries";
    type Header = Header;
    type Entry = Entry;
    type Totals = Totals;
    type Key = DrivePath;

    fn add(totals: &mut Totals, entry: &Entry) {
        match entry.kind {
            Kind::File => totals.files += 1,
            Kind::Folder => totals.folders += 1,
            Kind::Link => totals.links += 1,
        }
        totals.total_size_bytes = totals.total_size_bytes.saturating_add(entry.size);
        totals.hashed += u64::from(entry.sha256.is_some());
    }

    fn complete(totals: &mut Totals, said: &Totals) {
        totals.unseen = said.unseen;
    }

    fn key(entry: &Entry) -> DrivePath {
        entry.path.clone()
    }

    fn check(entry: &Entry, before: Option<&DrivePath>) -> Result<(), &'static str> {
        if before.is_some_and(|before| order(before.as_str(), entry.path.as_str()) != Ordering::Less) {
            return Err("its path comes twice, or not in order");
        }
        if entry.kind != Kind::File && (entry.size != 0 || entry.sha256.is_some()) {
            return Err("what is no file has no content");
        }
        if entry.sha256 == Some(ContentHash::EMPTY) && entry.size != 0 {
            return Err("its hash is that of an empty file, and it is none");
        }
        Ok(())
    }
}

/// The order of paths in an index: name by name, each by its bytes, a folder before what is in it. A walk meets them so, and
/// two indexes of one drive can be read side by side.
pub fn order(a: &str, b: &str) -> Ordering {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    // Where they part, a slash comes before all other bytes, and the end before that.
    let parting = |text: &str| text.as_bytes().get(common).map(|&b| if b == b'/' { 0 } else { b });
    parting(a).cmp(&parting(b))
}
