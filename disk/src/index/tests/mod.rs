#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod discover;
mod find;
mod hostile;
mod large;
mod layout;
mod legacy;
mod schemas;
mod update;

use std::fs::{self, File};
use std::path::Path;

use holdfast_protocol::DrivePath;
use proptest::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::{Hasher, Signature};

/// A time with a fraction, which has to survive.
fn a_time() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(1_764_209_640_123_456_789).unwrap()
}

fn a_header() -> Header {
    Header {
        drive_id: Uuid::from_u128(7),
        name: "Stick \"one\"\n".to_owned(),
        written_at: a_time(),
        written_by: "test".to_owned(),
        head: Some(Head { seq: 41, change: Uuid::from_u128(9) }),
    }
}

fn a_file(path: &str, content: &[u8]) -> Entry {
    let mut hasher = Hasher::new();
    hasher.update(content);
    let mut entry = Entry::new(DrivePath::parse_entry(path).unwrap(), Kind::File);
    entry.size = content.len() as u64;
    entry.mtime_ns = -1_500_000_001;
    entry.sha256 = Some(hasher.finish());
    entry.hashed_at = Some(a_time());
    entry
}

/// An index file of these entries.
fn written(entries: &[Entry]) -> Vec<u8> {
    let mut writer = IndexWriter::new(Vec::new(), &a_header()).unwrap();
    entries.iter().for_each(|entry| writer.push(entry).unwrap());
    writer.finish().unwrap().0
}

/// What a reader makes of these bytes: the entries before the first error, and that.
fn read(bytes: &[u8]) -> (Vec<Entry>, Result<bool, IndexError>) {
    let mut reader = match IndexReader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut entries = Vec::new();
    for entry in reader.by_ref() {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => return (entries, Err(error)),
        }
    }
    assert!(reader.end().is_some());
    (entries, Ok(reader.is_intact()))
}

/// A folder that carries a signature.
fn a_drive() -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    sign(dir.path(), 7);
    let root = File::open(dir.path()).unwrap();
    (dir, root)
}

fn sign(folder: &Path, id: u128) {
    fs::create_dir_all(folder.join(RESERVED)).unwrap();
    let signature = Signature::new(Uuid::from_u128(id), "Stick", a_time());
    signature.write(File::open(folder).unwrap()).unwrap();
}

/// Removes folders that lie too deep for whoever removes them by their path; each is called `d`.
fn remove_deep(top: &Path) {
    const STEP: usize = 400;
    let aside = top.with_file_name("aside");
    let deep = (0..STEP).fold(top.to_owned(), |path, _| path.join("d"));
    while deep.exists() {
        fs::rename(&deep, &aside).unwrap();
        fs::remove_dir_all(top).unwrap();
        fs::rename(&aside, top).unwrap();
    }
    fs::remove_dir_all(top).unwrap();
}

/// Names of all kinds, also those that mean something to JSON, to paths and to terminals.
fn a_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c ./\\-]{1,4}",
        "[^/\\x00]{1,8}",
        "\\PC{1,20}",
        Just("]".to_owned()),
        Just("],\"end\":{}".to_owned()),
        Just("\u{1}\n\r\t\"\\".to_owned()),
        "x{255}",
    ]
}

fn a_path() -> impl Strategy<Value = DrivePath> {
    prop::collection::vec(a_name(), 1..4)
        .prop_filter_map("a path of a drive", |names| DrivePath::parse_entry(&names.join("/")).ok())
}

fn an_entry() -> impl Strategy<Value = Entry> {
    let stamp = (any::<u64>(), any::<i64>(), any::<i64>()).prop_map(|(ino, btime_ns, ctime_ns)| Stamp {
        ino,
        btime_ns,
        ctime_ns,
    });
    let time = (0_i64..4_000_000_000, 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap().replace_nanosecond(nanos).unwrap()
    });
    let of_file = (1_u64.., any::<i64>(), prop::option::of(any::<[u8; 32]>()), prop::option::of(stamp));
    let more = (prop::option::of(time.clone()), prop::option::of(time), prop::option::of(any::<u128>()));
    (a_path(), 0..4_u8, of_file, more).prop_map(|(path, kind, (size, mtime_ns, hash, stat), more)| {
        let (hashed_at, seen_at, id) = more;
        let kind = [Kind::File, Kind::File, Kind::Folder, Kind::Link][usize::from(kind)];
        let mut entry = Entry::new(path, kind);
        entry.mtime_ns = mtime_ns;
        entry.seen_at = seen_at;
        entry.id = id.map(Uuid::from_u128);
        if kind == Kind::File {
            entry.size = size;
            entry.sha256 = hash.map(Into::into);
            entry.hashed_at = hashed_at;
            entry.stat = stat;
            entry.import = id.map(Uuid::from_u128);
        }
        entry
    })
}

/// Entries as an index has them: in order, and each path once.
fn some_entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(an_entry(), 0..most).prop_map(|mut entries| {
        entries.sort_by(|a, b| order(a.path.as_str(), b.path.as_str()));
        entries.dedup_by(|a, b| a.path == b.path);
        entries
    })
}
