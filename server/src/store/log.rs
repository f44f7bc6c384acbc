//! `.holdfast/versions/log`: what each slot is, told on the drive itself, for a catalogue that does not know (an older
//! backup of it, or none). One line of JSON per placed op.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;

use holdfast_disk::{RESERVED, beneath};
use holdfast_protocol::ContentHash;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::SlotId;

/// A line beyond this many bytes is no entry: a path has at most 4096, each written with at most six.
const MAX_LINE: u64 = 64 * 1024;

/// One placed op.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Which catalogue wrote it; a restored copy of a catalogue is another one.
    pub epoch: Uuid,
    /// The op's place in the drive's order.
    pub seq: i64,
    /// The op, and so the slot.
    pub op: SlotId,
    /// The path in the tree that it was about.
    pub path: String,
    /// The content that it put there, or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// When, in microseconds since 1970.
    pub time: i64,
}

pub(crate) struct Log {
    file: File,
    /// An append failed or a power cut tore the last line: the next one begins on a new line.
    torn: bool,
}

impl Log {
    pub(crate) fn open(root: impl AsFd) -> io::Result<Self> {
        let folder = beneath::open_folder(root, format!("{RESERVED}/versions"))?;
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(folder, "log", flags, Mode::from_raw_mode(0o600))?);
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self { file, torn: last != [b'\n'] })
    }

    /// Adds lines and makes them durable.
    pub(crate) fn append(&mut self, entries: &[LogEntry]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        if self.torn {
            lines.push(b'\n');
        }
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        self.torn = true;
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.torn = false;
        Ok(())
    }
}

/// The log's entries in the order they were written; a line that a power cut tore is passed over.
pub struct LogEntries {
    from: BufReader<File>,
    torn: u64,
}

impl LogEntries {
    pub(crate) fn open(root: impl AsFd) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
        let fd = beneath::open(root, format!("{RESERVED}/versions/log"), flags)?;
        Ok(Self { from: BufReader::new(File::from(fd)), torn: 0 })
    }

    /// How many lines so far were no entries.
    pub fn torn(&self) -> u64 {
        self.torn
    }
}

impl Iterator for LogEntries {
    type Item = io::Result<LogEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            match self.from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Err(e) => return Some(Err(e)),
                Ok(0) => return None,
                Ok(_) if line == b"\n" => {}
                Ok(_) => match serde_json::from_slice(&line) {
                    Ok(entry) => return Some(Ok(entry)),
                    Err(_) => self.torn += 1,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn entry(seq: i64) -> LogEntry {
        let path = format!("a \"quoted\"\n{seq}");
        LogEntry {
            epoch: Uuid::nil(),
            seq,
            op: Uuid::from_u128(1),
            path,
            hash: Some(ContentHash::EMPTY),
            time: -5,
        }
    }

    #[test]
    fn entries_are_read_as_written_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let versions = dir.path().join(RESERVED).join("versions");
        std::fs::create_dir_all(&versions).unwrap();
        let root = File::open(dir.path()).unwrap();
        Log::open(&root).unwrap().append(&[entry(1), entry(2)]).unwrap();
        let mut text = std::fs::read(versions.join("log")).unwrap();
        text.truncate(text.len() - 7);
        std::fs::write(versions.join("log"), text).unwrap();
        Log::open(&root).unwrap().append(&[entry(3)]).unwrap();
        let mut log = LogEntries::open(&root).unwrap();
        let entries: Vec<_> = log.by_ref().map(Result::unwrap).collect();
        assert_eq!(entries, [entry(1), entry(3)]);
        assert_eq!(log.torn(), 1);
    }
}
