//! The layouts that came before (document 002: "legacy"), read and never written: what they say in the types of today.
//!
//! `storage`: a folder with `.imalink-storage`, and perhaps `imalink-master.json` and `imalink-sessions/`. `v0`: a folder called
//! `imalink_20240115_120000_abc1234` with an `index.json` that lists files, and perhaps `metadata.txt`. Any other `index.json` is
//! some web project's (002-49).
//!
//! Their `hothash` is the hash of a preview and no content hash; it is not taken over, and files are hashed anew when they are
//! indexed.

mod fields;

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::os::fd::{AsFd, BorrowedFd};

use holdfast_protocol::{ContentHash, DrivePath};
use rustix::fs::OFlags;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::{Builder, Uuid};

use self::fields::{Fields, read_object};
use super::master::{Entry, Kind, order};
use super::session::{FileState, Organise, SessionFile, SessionHeader};
use crate::signature::FORMAT_VERSION;
use crate::walk::list_folder;
use crate::{Hasher, Signature, beneath};

/// The signature of the layout `storage`.
pub const STORAGE: &str = ".imalink-storage";
/// Its master index.
pub const MASTER: &str = "imalink-master.json";
/// Its session indexes.
pub const SESSIONS: &str = "imalink-sessions";
/// The index of the layout `v0`.
pub const INDEX: &str = "index.json";
/// Its notes.
pub const NOTES: &str = "metadata.txt";

/// A longer file is not read; 100,000 pictures are some 33 MB.
const MAX_BYTES: u64 = 64 << 20;
/// Of longer notes the beginning is taken over.
const MAX_NOTES: u64 = 64 << 10;
/// So many sessions are read, the first by name.
const MAX_SESSIONS: usize = 10_000;

/// Which of them it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// With a signature of its own.
    Storage,
    /// Without.
    V0,
}

impl Layout {
    /// What `migrated_from` says of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Storage => "imalink_storage",
            Self::V0 => "legacy_v0",
        }
    }
}

/// What a legacy folder says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Legacy {
    /// Which layout it is.
    pub layout: Layout,
    /// The signature that it would have. The drive's id is the one it had, or is made from what there is: the same each time.
    pub signature: Signature,
    /// What its index lists, in the order of an index. Left out by [`look`].
    pub entries: Vec<Entry>,
    /// Its imports. Left out by [`look`].
    pub sessions: Vec<(SessionHeader, Vec<SessionFile>)>,
    /// Files that its index lists.
    pub listed: u64,
    /// Of them and of those in sessions, those that cannot be taken over: no path, one that leads elsewhere, or one that came before.
    pub skipped: u64,
    /// What could not be read besides, for people.
    pub problems: Vec<String>,
}

/// Why a folder that looks like one is none.
#[derive(Debug, thiserror::Error)]
pub enum LegacyError {
    /// Its file is not what its name says.
    #[error("{file} is not what its name says: {why}")]
    Foreign {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Which layout a folder of this name has, by the names in it. What is in the files decides then.
pub fn layout_of<'n>(folder: &str, names: impl IntoIterator<Item = &'n str>) -> Option<Layout> {
    let is_named = is_v0_name(folder);
    let mut found = None;
    for name in names {
        match name {
            STORAGE => return Some(Layout::Storage),
            INDEX if is_named => found = Some(Layout::V0),
            _ => {}
        }
    }
    found
}

/// `imalink_<8 digits>_<6 digits>_<letters and digits>`.
fn is_v0_name(name: &str) -> bool {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts = name.split('_');
    let parts = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    let (Some("imalink"), Some(date), Some(time), Some(rest), None) = parts else { return false };
    let is_rest = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    digits(date, 8) && digits(time, 6) && is_rest
}

/// What a folder says of itself, without its entries and sessions.
///
/// # Errors
/// [`LegacyError`].
pub fn look(folder: impl AsFd, name: &str, layout: Layout) -> Result<Legacy, LegacyError> {
    Reading { folder: folder.as_fd(), name, keeps: false }.all(layout)
}

/// All that a folder says, in the types of today. Nothing is written.
///
/// # Errors
/// [`LegacyError`].
pub fn read(folder: impl AsFd, name: &str, layout: Layout) -> Result<Legacy, LegacyError> {
    Reading { folder: folder.as_fd(), name, keeps: true }.all(layout)
}

struct Reading<'r> {
    folder: BorrowedFd<'r>,
    name: &'r str,
    keeps: bool,
}

impl Reading<'_> {
    fn all(&self, layout: Layout) -> Result<Legacy, LegacyError> {
        let mut legacy = match layout {
            Layout::Storage => self.storage()?,
            Layout::V0 => self.v0()?,
        };
        legacy.entries.sort_by(|a, b| order(a.path.as_str(), b.path.as_str()));
        let before = legacy.entries.len();
        legacy.entries.dedup_by(|a, b| a.path == b.path);
        legacy.skipped += (before - legacy.entries.len()) as u64;
        Ok(legacy)
    }

    fn storage(&self) -> Result<Legacy, LegacyError> {
        let foreign = |why: &str| LegacyError::Foreign { file: STORAGE, why: why.to_owned() };
        let fields = self.object(STORAGE, &mut |_| {})?.ok_or_else(|| foreign("it is gone"))?;
        if fields.text("imalink_storage_version").is_none() {
            return Err(foreign("it has no imalink_storage_version"));
        }
        let said = fields.text("storage_uuid").ok_or_else(|| foreign("it has no storage_uuid"))?;
        let id = Uuid::try_parse(said).unwrap_or_else(|_| derived(&["storage", said]));
        let mut legacy = self.begin(Layout::Storage, id, &fields);
        legacy.signature.name = fields.text("display_name").unwrap_or(self.name).to_owned();
        legacy.signature.server_url = fields.text("backend_url").map(str::to_owned);
        legacy.signature.notes = fields.text("notes").unwrap_or_default().to_owned();
        legacy.signature.tags = fields.tags().to_vec();
        legacy.signature.file_count = fields.number("photo_count").unwrap_or(0);
        match self.list(MASTER, &mut legacy) {
            Ok(_) => {}
            Err(LegacyError::Io(e)) if e.kind() == io::ErrorKind::NotFound => {}
            // The signature says that it is one, whatever has become of its index.
            Err(error) => {
                legacy.entries.clear();
                legacy.problems.push(error.to_string());
            }
        }
        if self.keeps {
            self.sessions(&mut legacy);
        }
        Ok(legacy)
    }

    fn v0(&self) -> Result<Legacy, LegacyError> {
        let mut legacy = self.begin(Layout::V0, Uuid::nil(), &Fields::default());
        let (fields, lists) = self.list(INDEX, &mut legacy)?;
        if lists == 0 {
            return Err(LegacyError::Foreign { file: INDEX, why: "it lists no files".to_owned() });
        }
        let notes = self.notes()?;
        let entries = std::mem::take(&mut legacy.entries);
        let (listed, skipped) = (legacy.listed, legacy.skipped);
        let digest = self.digest()?;
        let id = derived(&["v0", self.name, &digest]);
        let mut legacy = self.begin(Layout::V0, id, &fields);
        legacy.signature.name = fields.text("name").unwrap_or(self.name).to_owned();
        legacy.signature.notes = notes;
        legacy.signature.file_count = listed;
        (legacy.entries, legacy.listed, legacy.skipped) = (entries, listed, skipped);
        Ok(legacy)
    }

    fn begin(&self, layout: Layout, id: Uuid, fields: &Fields) -> Legacy {
        let created = ["created_at", "created", "import_date"].iter().find_map(|key| fields.text(key));
        let created = created.and_then(time_of).or_else(|| self.named_time());
        let created = created.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut signature = Signature::new(id, self.name, created);
        signature.format_version = FORMAT_VERSION;
        signature.last_indexed = fields.text("last_indexed").and_then(time_of);
        signature.total_size_bytes = fields.number("total_size_bytes").unwrap_or(0);
        signature.migrated_from = Some(layout.word().to_owned());
        let (entries, sessions, problems) = (Vec::new(), Vec::new(), Vec::new());
        Legacy { layout, signature, entries, sessions, listed: 0, skipped: 0, problems }
    }

    /// What the name says: `imalink_20240115_120000_..`, taken for UTC.
    fn named_time(&self) -> Option<OffsetDateTime> {
        let form = format_description!("[year][month][day]_[hour][minute][second]");
        let text = self.name.strip_prefix("imalink_")?.get(..15)?;
        PrimitiveDateTime::parse(text, form).ok().map(PrimitiveDateTime::assume_utc)
    }

    fn open(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(beneath::open(self.folder, path, flags)?);
        let found = file.metadata()?;
        if !found.is_file() || found.len() > MAX_BYTES {
            return Err(io::Error::other("it is no regular file, or too long"));
        }
        Ok(file)
    }

    /// Reads one object; `None` where there is no such file.
    fn object(
        &self,
        file: &'static str,
        list: &mut dyn FnMut(Fields),
    ) -> Result<Option<Fields>, LegacyError> {
        match self.open(file) {
            Ok(found) => {
                let text = BufReader::new(found.take(MAX_BYTES));
                let read = read_object(text, list);
                read.map(|(fields, _)| Some(fields)).map_err(|why| LegacyError::Foreign { file, why })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Reads an index into entries; how many lists of files there were.
    fn list(&self, file: &'static str, legacy: &mut Legacy) -> Result<(Fields, usize), LegacyError> {
        let text = BufReader::new(self.open(file)?.take(MAX_BYTES));
        let (drive, layout) = (legacy.signature.drive_id, legacy.layout);
        let (entries, mut listed, mut skipped) = (&mut legacy.entries, 0, 0);
        let read = read_object(text, &mut |fields: Fields| {
            listed += 1;
            match entry_of(&fields, drive, layout) {
                Some(entry) if self.keeps => entries.push(entry),
                Some(_) => {}
                None => skipped += 1,
            }
        });
        (legacy.listed, legacy.skipped) = (listed, skipped);
        read.map_err(|why| LegacyError::Foreign { file, why })
    }

    fn notes(&self) -> Result<String, LegacyError> {
        let mut text = Vec::new();
        match self.open(NOTES) {
            Ok(file) => file.take(MAX_NOTES).read_to_end(&mut text)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e.into()),
        };
        Ok(String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Of the index as it is: a copy of the folder is the same drive, and another folder of this name is not.
    fn digest(&self) -> Result<String, LegacyError> {
        Ok(crate::hash_reader(self.open(INDEX)?.take(MAX_BYTES))?.0.to_string())
    }

    fn sessions(&self, legacy: &mut Legacy) {
        let Ok(names) = beneath::open_folder(self.folder, SESSIONS).and_then(list_folder) else { return };
        let names = names.into_iter().filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| name.ends_with(".json")).take(MAX_SESSIONS) {
            match self.session(&name, legacy) {
                Ok(session) => legacy.sessions.push(session),
                Err(why) => legacy.problems.push(format!("{SESSIONS}/{name}: {why}")),
            }
        }
    }

    fn session(&self, name: &str, legacy: &mut Legacy) -> Result<(SessionHeader, Vec<SessionFile>), String> {
        let file = self.open(&format!("{SESSIONS}/{name}")).map_err(|e| e.to_string())?;
        let (mut files, mut skipped) = (Vec::new(), 0);
        let read = read_object(
            BufReader::new(file.take(MAX_BYTES)),
            &mut |fields: Fields| match session_file(&fields) {
                Some(file) => files.push(file),
                None => skipped += 1,
            },
        );
        let (fields, _) = read?;
        legacy.skipped += skipped;
        let drive_id = legacy.signature.drive_id;
        let said = fields.text("session_id").unwrap_or(name);
        let date = fields.text("import_date").and_then(time_of);
        let date = date.unwrap_or(legacy.signature.created_at);
        let header = SessionHeader {
            id: session_id(drive_id, said),
            drive_id,
            title: fields.text("session_title").unwrap_or(said).to_owned(),
            date,
            written_at: date,
            source: fields.text("source_path").unwrap_or_default().to_owned(),
            organise: Organise::Original,
            template: None,
            migrated_from: Some(Layout::Storage.word().to_owned()),
        };
        Ok((header, files))
    }
}

/// An id that is the same each time.
fn derived(of: &[&str]) -> Uuid {
    let mut hasher = Hasher::new();
    for part in of {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finish().as_bytes()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

fn session_id(drive: Uuid, said: &str) -> Uuid {
    derived(&["session", &drive.to_string(), said])
}

fn path_of(fields: &Fields) -> Option<DrivePath> {
    let said = ["relative_path", "path", "file_path"].iter().find_map(|key| fields.text(key))?;
    super::relative::parse(&said.replace('\\', "/")).ok()
}

fn entry_of(fields: &Fields, drive: Uuid, layout: Layout) -> Option<Entry> {
    let path = path_of(fields).or_else(|| {
        // The layout has pictures in one folder, and may name them alone.
        let is_alone = layout == Layout::V0 && fields.text("relative_path").or(fields.text("path")).is_none();
        let name = fields.text("filename").or_else(|| fields.text("name")).filter(|_| is_alone)?;
        DrivePath::from_checked("photos").join(name).ok()
    })?;
    let mut entry = Entry::new(path, Kind::File);
    entry.size = ["file_size", "size"].iter().find_map(|key| fields.number(key)).unwrap_or(0);
    let modified = ["file_modified", "modified", "modified_at"].iter().find_map(|key| fields.text(key));
    let modified = modified.and_then(time_of).map(OffsetDateTime::unix_timestamp_nanos);
    entry.mtime_ns = modified.and_then(|ns| i64::try_from(ns).ok()).unwrap_or(0);
    entry.sha256 = fields.text("sha256").and_then(|text| text.parse::<ContentHash>().ok());
    if entry.sha256 == Some(ContentHash::EMPTY) && entry.size > 0 {
        entry.sha256 = None;
    }
    entry.seen_at = fields.text("indexed_at").and_then(time_of);
    entry.import = fields.text("import_session_id").map(|said| session_id(drive, said));
    Some(entry)
}

fn session_file(fields: &Fields) -> Option<SessionFile> {
    let path = path_of(fields)?;
    let stored = path.name()?.to_owned();
    let is_known = fields.text("sent_to_backend") == Some("true");
    Some(SessionFile {
        original_name: fields.text("original_filename").unwrap_or(&stored).to_owned(),
        stored_name: Some(stored),
        path: Some(path),
        sha256: fields.text("sha256").and_then(|text| text.parse().ok()),
        size: ["file_size", "size"].iter().find_map(|key| fields.number(key)).unwrap_or(0),
        imported_at: fields.text("imported_at").and_then(time_of),
        state: if is_known { FileState::Catalogued } else { FileState::Copied },
        error: None,
    })
}

/// A time with its zone, or without and then in UTC.
fn time_of(text: &str) -> Option<OffsetDateTime> {
    let plain = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        PrimitiveDateTime::parse(&text.get(..19)?.replacen(' ', "T", 1), plain)
            .ok()
            .map(PrimitiveDateTime::assume_utc)
    })
}
