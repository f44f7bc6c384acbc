//! `<root>/.holdfast/imports/<id>.json`: what came onto a drive in one import, and from where (002-18 to 002-20).

use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::file::{End, Format, Reader, Writer};
use super::relative;

/// A session index as a kind of file.
#[derive(Debug, Clone, Copy)]
pub struct Session;

/// Reads a session index.
pub type SessionReader<R> = Reader<R, Session>;
/// Writes a session index.
pub type SessionWriter<W> = Writer<W, Session>;
/// The last line of a session index.
pub type SessionEnd = End<Statistics>;

/// What is known of an import as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHeader {
    /// Which import it is.
    pub id: Uuid,
    /// The drive that the files came to.
    pub drive_id: Uuid,
    /// What its user calls it.
    pub title: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub date: OffsetDateTime,
    /// When this was written.
    #[serde(with = "time::serde::rfc3339")]
    pub written_at: OffsetDateTime,
    /// From where: a folder as the importing device called it.
    pub source: String,
    /// Where files were put.
    pub organise: Organise,
    /// The template, where `organise` is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What it was before (002-58).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrated_from: Option<String>,
}

/// Where an import puts files (002-33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Organise {
    /// As they were in the source.
    Original,
    /// By the date they were taken.
    Date,
    /// In a folder of the import's.
    Import,
    /// All in one folder.
    Flat,
    /// By a template of its user's.
    Template,
}

/// How far an import is with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Its bytes are there.
    Copied,
    /// They were read back and are right.
    Verified,
    /// The catalogue has it.
    Catalogued,
    /// It was known, and left out.
    Skipped,
    /// It could not be imported.
    Failed,
}

/// One file of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFile {
    /// Its name in the source.
    pub original_name: String,
    /// Its name on the drive; `None` where it did not get there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_name: Option<String>,
    /// Where it was put on the drive; of one that was skipped, where the same content lay already.
    #[serde(with = "relative::option", default, skip_serializing_if = "Option::is_none")]
    pub path: Option<DrivePath>,
    /// What its content is, where that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<ContentHash>,
    /// Bytes.
    pub size: u64,
    /// When it was dealt with.
    #[serde(with = "time::serde::rfc3339::option", default, skip_serializing_if = "Option::is_none")]
    pub imported_at: Option<OffsetDateTime>,
    /// How far the import is with it.
    pub state: FileState,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an import came to (002-20).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Files that were looked at.
    pub total_scanned: u64,
    /// Of them, those that are on the drive by this import.
    pub new_imports: u64,
    /// Those that were there already.
    pub duplicates_skipped: u64,
    /// Those that could not be imported.
    pub errors: u64,
    /// Bytes in the new ones.
    pub total_size_bytes: u64,
}

impl Format for Session {
    const NAME: &'static str = "holdfast-import";
    const LIST: &'static str = "files";
    type Header = SessionHeader;
    type Entry = SessionFile;
    type Totals = Statistics;
    type Key = ();

    fn add(totals: &mut Statistics, file: &SessionFile) {
        totals.total_scanned += 1;
        match file.state {
            FileState::Copied | FileState::Verified | FileState::Catalogued => {
                totals.new_imports += 1;
                totals.total_size_bytes = totals.total_size_bytes.saturating_add(file.size);
            }
            FileState::Skipped => totals.duplicates_skipped += 1,
            FileState::Failed => totals.errors += 1,
        }
    }

    fn complete(_: &mut Statistics, _: &Statistics) {}

    fn key(_: &SessionFile) {}

    fn check(file: &SessionFile, _: Option<&()>) -> Result<(), &'static str> {
        let is_there = matches!(file.state, FileState::Copied | FileState::Verified | FileState::Catalogued);
        match (&file.path, &file.stored_name) {
            (None, _) if is_there => Err("it was imported, and has no path"),
            (Some(path), Some(name)) if path.name() != Some(name) => {
                Err("its stored name is not that of its path")
            }
            (None, Some(_)) => Err("it has a stored name and no path"),
            _ => Ok(()),
        }
    }
}
