//! What the agent remembers, in an SQLite file of its own: the server's tree, what was last agreed on, what was about to be
//! sent. A file that is damaged is set aside and begun anew: without a base everything is compared by content, and nothing is
//! taken for deleted.

mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::Chunk;
use rusqlite::{Connection, OptionalExtension, params};

use super::contract::{Feed, Trouble};
use super::plan::Intent;
use super::trees::{BaseRow, BaseTree, Look, NodeId, RemoteTree};

/// The version of the tables that is written.
const FORMAT: i64 = 1;

/// The fact that tells at which token the server's tree was what was agreed on.
const LEVEL: &str = "level";
const FORGET_LEVEL: &str = "DELETE FROM facts WHERE name = 'level'";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remote (
    id BLOB PRIMARY KEY, parent BLOB, name TEXT NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL, hash BLOB,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS base (
    id BLOB PRIMARY KEY, parent BLOB NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, hash BLOB, seq INTEGER,
    ino INTEGER, btime_ns INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (
    n INTEGER PRIMARY KEY, id BLOB, parent BLOB NOT NULL, name TEXT NOT NULL, hash BLOB
) STRICT;
CREATE TABLE IF NOT EXISTS chunks (id BLOB PRIMARY KEY, hash BLOB NOT NULL, list BLOB NOT NULL) STRICT;
";

/// The agent's file.
pub struct Store {
    db: Connection,
}

/// What was found when the file was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was none.
    New,
    /// It was there.
    Known,
    /// It was damaged, and now lies there.
    SetAside(PathBuf),
}

/// All that is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    /// The server's tree; `None` as long as nobody asked for it.
    pub remote: Option<RemoteTree>,
    /// What was agreed on.
    pub base: BaseTree,
    /// What was about to be sent.
    pub intents: Vec<Intent>,
    /// Of the feed.
    pub token: Option<String>,
}

/// One thing to be noted. Those of one step are noted together.
#[derive(Debug, Clone)]
pub enum Note {
    /// A row of the base.
    Agreed(BaseRow),
    /// No row any more.
    Gone(NodeId),
    /// A row's folder and name.
    Place {
        /// Whose.
        id: NodeId,
        /// The folder.
        parent: NodeId,
        /// The name.
        name: String,
        /// We moved it there ourselves: its sequence is not told yet.
        by_us: bool,
    },
    /// How a row's file looks.
    Looks {
        /// Whose.
        id: NodeId,
        /// `None`: to be known by its name alone.
        look: Option<Look>,
    },
    /// Where a row's content may be cut.
    Chunks {
        /// Whose.
        id: NodeId,
        /// The content.
        hash: ContentHash,
        /// All of its chunks, in order.
        chunks: Vec<Chunk>,
    },
    /// About to be sent.
    Intent(Intent),
    /// What was agreed on since counts, and not that this content was about to be sent.
    Answered(Intent),
    /// Nothing is on its way any more.
    Quiet,
}

/// What SQLite says becomes the end of this sync.
impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Side(format!("the agent's own file cannot be used: {error}"))
    }
}

impl Store {
    /// Opens the file, or makes it. One that is damaged is renamed and a new one made.
    ///
    /// # Errors
    /// When it can be neither read nor replaced, or was written by a later version.
    pub fn open(path: &Path) -> Result<(Self, Opened), Trouble> {
        let is_new = !path.exists();
        match Self::try_open(path) {
            Ok(store) => Ok((store, if is_new { Opened::New } else { Opened::Known })),
            Err(error) if is_damage(&error) => {
                let aside = set_aside(path)?;
                Ok((Self::try_open(path)?, Opened::SetAside(aside)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn try_open(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open(path)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        let store = Self::with(db)?;
        // Where all was well at the end, what is needed of it is read and believed.
        if store.fact(LEVEL)?.is_none() {
            let sound: String = store.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if sound != "ok" {
                return Err(damage(&sound));
            }
        }
        Ok(store)
    }

    /// In memory alone.
    ///
    /// # Errors
    /// SQLite's.
    pub fn in_memory() -> Result<Self, Trouble> {
        Ok(Self::with(Connection::open_in_memory()?)?)
    }

    fn with(db: Connection) -> rusqlite::Result<Self> {
        db.execute_batch(TABLES)?;
        db.set_prepared_statement_cache_capacity(32);
        let store = Self { db };
        match store.fact("format")?.map(|text| text.parse::<i64>()) {
            None => store.set_fact("format", &FORMAT.to_string())?,
            Some(Ok(format)) if format <= FORMAT => {}
            Some(Ok(format)) => {
                let what = format!("a later version of holdfast wrote it (format {format})");
                return Err(rusqlite::Error::InvalidParameterName(what));
            }
            Some(Err(_)) => return Err(damage("its format is no number")),
        }
        Ok(store)
    }

    /// Something remembered besides the trees.
    ///
    /// # Errors
    /// SQLite's.
    pub fn fact(&self, name: &str) -> rusqlite::Result<Option<String>> {
        let mut asked = self.db.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
        asked.query_row([name], |row| row.get(0)).optional()
    }

    /// Remembers something besides the trees.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_fact(&self, name: &str, value: &str) -> rusqlite::Result<()> {
        let mut asked =
            self.db.prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")?;
        asked.execute([name, value]).map(|_| ())
    }

    /// What another store remembers besides the trees, and how many files were agreed on; nothing where it cannot be read.
    pub fn peek(path: &Path) -> (BTreeMap<String, String>, u64) {
        let looked = || -> rusqlite::Result<(BTreeMap<String, String>, u64)> {
            let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let mut asked = db.prepare("SELECT name, value FROM facts")?;
            let facts = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let facts = facts.collect::<rusqlite::Result<_>>()?;
            let files: i64 =
                db.query_row("SELECT count(*) FROM base WHERE kind = 0", [], |row| row.get(0))?;
            Ok((facts, files.cast_unsigned()))
        };
        looked().unwrap_or_default()
    }

    /// The token at which the server's tree was last found to be what was agreed on, unless something was noted since.
    ///
    /// # Errors
    /// SQLite's.
    pub fn level(&self) -> rusqlite::Result<Option<String>> {
        self.fact(LEVEL)
    }

    /// Notes that the server's tree is what was agreed on.
    ///
    /// # Errors
    /// SQLite's.
    pub fn set_level(&self, token: &str) -> rusqlite::Result<()> {
        self.set_fact(LEVEL, token)
    }

    /// The server's tree.
    ///
    /// # Errors
    /// SQLite's; a row that means nothing is damage.
    pub fn load_remote(&self) -> Result<RemoteTree, Trouble> {
        let loaded = || -> rusqlite::Result<RemoteTree> {
            let mut remote = RemoteTree::default();
            let mut asked = self.db.prepare(rows::REMOTE)?;
            for node in asked.query_map([], rows::remote)? {
                remote.take(node?);
            }
            Ok(remote)
        };
        loaded().map_err(|error| {
            // So that the file is looked at more closely when it is opened again.
            let _ = self.db.execute(FORGET_LEVEL, []);
            error.into()
        })
    }

    /// All that is remembered but the server's tree.
    ///
    /// # Errors
    /// SQLite's; a row that means nothing is damage.
    pub fn load(&self) -> Result<Memory, Trouble> {
        let mut memory = Memory { token: self.fact("token")?, ..Memory::default() };
        let mut asked = self.db.prepare(rows::BASE)?;
        for row in asked.query_map([], rows::base)? {
            memory.base.set(row?);
        }
        let mut asked = self.db.prepare(rows::INTENTS)?;
        for intent in asked.query_map([], rows::intent)? {
            memory.intents.push(intent?);
        }
        Ok(memory)
    }

    /// The chunks of a content that a node was agreed to have, as far as they were noted.
    ///
    /// # Errors
    /// SQLite's.
    pub fn chunks(&self, id: NodeId, hash: ContentHash) -> Result<Option<Vec<Chunk>>, Trouble> {
        let mut asked = self.db.prepare_cached("SELECT list FROM chunks WHERE id = ?1 AND hash = ?2")?;
        let list: Option<Vec<u8>> =
            asked.query_row(params![id, hash.as_bytes()], |row| row.get(0)).optional()?;
        Ok(list.as_deref().map(rows::chunks))
    }

    /// Stores a page of the feed with its token, in one transaction.
    ///
    /// # Errors
    /// SQLite's; then nothing was stored.
    pub fn take(&mut self, page: &Feed) -> Result<(), Trouble> {
        let tx = self.db.transaction()?;
        if page.reset {
            tx.execute("DELETE FROM remote", [])?;
        }
        {
            let mut put = tx.prepare_cached(rows::PUT_REMOTE)?;
            for node in &page.changes {
                rows::put_remote(&mut put, node)?;
            }
            let mut asked =
                tx.prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES ('token', ?1)")?;
            asked.execute([&page.token])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Notes what a step did, in one transaction.
    ///
    /// # Errors
    /// SQLite's; then nothing was noted.
    pub fn note(&mut self, notes: &[Note]) -> Result<(), Trouble> {
        let tx = self.db.transaction()?;
        tx.prepare_cached(FORGET_LEVEL)?.execute([])?;
        for note in notes {
            match note {
                Note::Agreed(row) => rows::put_base(&mut *tx.prepare_cached(rows::PUT_BASE)?, row)?,
                Note::Gone(id) => {
                    tx.prepare_cached("DELETE FROM base WHERE id = ?1")?.execute([id])?;
                    tx.prepare_cached("DELETE FROM chunks WHERE id = ?1")?.execute([id])?;
                }
                Note::Place { id, parent, name, by_us } => {
                    let mut set = tx.prepare_cached(
                        "UPDATE base SET parent = ?2, name = ?3, seq = CASE WHEN ?4 THEN NULL ELSE seq END
                         WHERE id = ?1",
                    )?;
                    set.execute(params![id, parent, name, by_us])?;
                }
                Note::Looks { id, look } => rows::put_look(&tx, *id, look.as_ref())?,
                Note::Chunks { id, hash, chunks } => rows::put_chunks(&tx, *id, *hash, chunks)?,
                Note::Intent(intent) => rows::put_intent(&tx, intent)?,
                Note::Answered(intent) => rows::forget_intent(&tx, intent)?,
                Note::Quiet => {
                    tx.execute("DELETE FROM intents", [])?;
                }
            }
        }
        tx.commit()?;
        Ok(())
    }
}

impl Memory {
    /// Takes a page that was stored.
    pub fn take(&mut self, page: Feed) {
        if let Some(remote) = &mut self.remote {
            if page.reset {
                *remote = RemoteTree::default();
            }
            page.changes.into_iter().for_each(|node| remote.take(node));
        }
        self.token = Some(page.token);
    }

    /// Takes notes that were stored.
    pub fn note(&mut self, notes: Vec<Note>) {
        for note in notes {
            match note {
                Note::Agreed(row) => self.base.set(row),
                Note::Gone(id) => self.base.remove(id),
                Note::Place { id, parent, name, by_us } => {
                    if let Some(row) = self.base.get_mut(id) {
                        row.parent = parent;
                        row.name = name;
                        row.seq = row.seq.filter(|_| !by_us);
                    }
                }
                Note::Looks { id, look } => {
                    if let Some(row) = self.base.get_mut(id) {
                        row.look = look;
                    }
                }
                // Asked for one by one; they are too many to be held.
                Note::Chunks { .. } => {}
                Note::Intent(intent) => self.intents.push(intent),
                Note::Answered(intent) => self.intents.retain(|other| *other != intent),
                Note::Quiet => self.intents.clear(),
            }
        }
    }
}

fn damage(what: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what.to_owned()))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Renames the file and what belongs to it to the first free name.
fn set_aside(path: &Path) -> Result<PathBuf, Trouble> {
    let named = |n: u32, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("{suffix}.damaged-{n}"));
        PathBuf::from(name)
    };
    let n = (1..u32::MAX).find(|&n| !named(n, "").exists()).unwrap_or(u32::MAX);
    for suffix in ["-wal", "-shm", ""] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        match std::fs::rename(&from, named(n, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Trouble::Side(format!("a damaged file cannot be set aside: {error}"))),
        }
    }
    Ok(named(n, ""))
}
