//! The real catalogue and the use cases that write to it, as REST requests reach them: the closures that run inside a
//! transaction. Contents are invented: a hash and a stat, with no bytes and no placer behind them.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use holdfast_client::agent::Trouble;
use holdfast_protocol::feed::FeedPage;
use holdfast_protocol::{ContentHash, DrivePath};
use holdfastd::catalog::changes::Actor;
use holdfastd::catalog::db::{Db, Tx, TxFuture};
use holdfastd::catalog::drives::{self, NewDrive};
use holdfastd::catalog::users::{self, NewUser};
use holdfastd::catalog::versions::{self, Version};
use holdfastd::catalog::{migrate, nodes, tree};
use holdfastd::domain::accounts::Role;
use holdfastd::domain::stat::{EntryKind, Ident, Stat};
use holdfastd::error::{Error, Result};
use holdfastd::http::problem::status;
use holdfastd::service::act::{NEEDS_FOLDERS, StagedFolder};
use holdfastd::service::batch::{NewFile, Step, Todo, commit_in};
use holdfastd::service::files::{Deletion, Expect, Outcome, Transfer, Who};
use holdfastd::service::locks::Guard;
use holdfastd::service::{feed, history, trash};
use holdfastd::store::Blob;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Deed, hash_of};

/// The catalogue's file, and SQLite's log beside it.
const FILE: &str = "catalog.db";
const LOG: &str = "catalog.db-wal";
/// Schedules that share a catalogue: then it has some hundred thousand rows.
const MOST_DRIVES: u32 = 60;

/// A catalogue that serves one schedule after the other.
pub struct House {
    runtime: Runtime,
    db: RefCell<Db>,
    folder: RefCell<tempfile::TempDir>,
    drives: Cell<u32>,
}

/// What the catalogue's file is made of, once a process.
fn template() -> &'static Path {
    static TEMPLATE: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    let (_, path) = TEMPLATE.get_or_init(|| {
        let folder = folder();
        let path = folder.path().join("template.db");
        let runtime = runtime();
        runtime.block_on(async {
            let db = Db::connect(&format!("sqlite:{}", path.display())).await.unwrap();
            migrate::up(&db, None).await.unwrap();
            db.close().await;
        });
        (folder, path)
    });
    path
}

/// In memory where the system has such a folder: what is tried here is not its disk.
fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl House {
    pub fn open() -> Self {
        let (runtime, folder) = (runtime(), folder());
        std::fs::copy(template(), folder.path().join(FILE)).unwrap();
        let db = connect(&runtime, folder.path());
        Self { runtime, db: RefCell::new(db), folder: RefCell::new(folder), drives: Cell::new(0) }
    }

    /// Begins anew with what a process leaves that is killed now: the file and its log, which nobody has closed.
    fn dies(&self) {
        let folder = folder();
        for name in [FILE, LOG] {
            let from = self.folder.borrow().path().join(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
        self.db.replace(connect(&self.runtime, folder.path()));
        self.folder.replace(folder);
    }

    fn db(&self) -> Db {
        self.db.borrow().clone()
    }

    /// Whether it is time for a new one.
    pub fn is_worn(&self) -> bool {
        self.drives.get() >= MOST_DRIVES
    }

    fn file(&self) -> PathBuf {
        self.folder.borrow().path().join(FILE)
    }
}

fn connect(runtime: &Runtime, folder: &Path) -> Db {
    runtime.block_on(Db::connect(&format!("sqlite:{}", folder.join(FILE).display()))).unwrap()
}

/// What an act made current or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Became {
    /// Public id.
    pub node: Option<Uuid>,
    /// Whether anything was changed.
    pub changed: bool,
}

/// One drive of it.
pub struct Real {
    house: Rc<House>,
    who: Who,
    drive: i64,
    root: i64,
    name: String,
    /// Inodes and moments that were given out.
    ticks: u64,
}

/// What a refusal means for an agent: the status that `http` answers with, as the agent's client reads it.
pub fn trouble(error: &Error) -> Trouble {
    let said = error.public().to_owned();
    match status(error.kind()).as_u16() {
        404 | 409 | 412 => Trouble::Changed(said),
        400 | 413 | 422 | 507 => Trouble::Item(said),
        _ => Trouble::Side(format!("{error:?}")),
    }
}

impl Real {
    pub fn new(house: Rc<House>) -> Self {
        let number = house.drives.get() + 1;
        house.drives.set(number);
        let name = format!("drive {number}");
        let user = NewUser {
            uuid: Uuid::new_v4(),
            username: format!("ada{number}"),
            username_key: format!("ada{number}"),
            display_name: "Ada".to_owned(),
            role: Role::Admin,
            password_hash: String::new(),
            at: 0,
        };
        let (named, identifier) = (name.clone(), format!("sim-{number}"));
        let db = house.db();
        let made = db.write(move |tx| {
            Box::pin(async move {
                let owner_id = users::insert(tx, user).await?.id;
                let new = NewDrive {
                    uuid: Uuid::new_v4(),
                    owner_id,
                    name: &named,
                    name_key: &named,
                    kind: "nas",
                    unique_identifier: &identifier,
                    provider: None,
                    root: Some("/nowhere"),
                    now: 1,
                };
                let (drive, root) = drives::insert(tx, &new).await?;
                Ok((owner_id, drive, root))
            })
        });
        let (user_id, drive, root) = house.runtime.block_on(made).unwrap();
        let who = Who { user_id, device_id: None, syncing: None, guard: Guard::default(), once: None };
        Self { house, who, drive, root, name, ticks: 0 }
    }

    fn wait<T>(&self, done: impl Future<Output = T>) -> T {
        self.house.runtime.block_on(done)
    }

    fn read<T, F>(&self, look: F) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send,
    {
        let db = self.house.db();
        self.wait(db.read(look))
    }

    fn write<T, F>(&self, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send + 'static,
    {
        let db = self.house.db();
        self.wait(db.write(act))
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn stat(&mut self, kind: EntryKind, size: u64, mtime_ns: i64) -> Stat {
        let ino = self.tick();
        let ident = Ident { ino, btime_ns: ino.cast_signed() };
        Stat { ident, kind, size, mtime_ns, nlink: 1, mode: 0o640 }
    }

    fn blob(&mut self, hash: ContentHash, size: u64, mtime_ns: i64) -> Blob {
        let stat = self.stat(EntryKind::File, size, mtime_ns);
        Blob { slot: Uuid::new_v4(), hash, size, stat, sums: None }
    }

    fn folders(&mut self, count: usize) -> Vec<StagedFolder> {
        (0..count)
            .map(|_| StagedFolder { slot: Uuid::new_v4(), stat: self.stat(EntryKind::Folder, 0, 0) })
            .collect()
    }

    fn actor(&mut self) -> Actor {
        let now = self.tick().cast_signed();
        Actor { user_id: Some(self.who.user_id), device_id: None, action: Uuid::new_v4(), now }
    }

    fn todo(&mut self, deed: &Deed) -> Option<Todo> {
        let path = |text: &str| DrivePath::parse_entry(text).unwrap();
        let content = |hash: &Option<ContentHash>| hash.map_or(Expect::Anything, Expect::Content);
        let (step, blob) = match deed {
            Deed::Put { path: at, bytes, mtime_ns, expect } => {
                let hash = hash_of(bytes);
                let blob = self.blob(hash, bytes.len() as u64, *mtime_ns);
                let expect = match expect {
                    super::Expect::Anything => Expect::Anything,
                    super::Expect::Nothing => Expect::Nothing,
                    super::Expect::Content(hash) => Expect::Content(*hash),
                };
                let (path, hash, mtime_ns) = (path(at), Some(hash), Some(*mtime_ns));
                (Step::Put(NewFile { path, expect, parents: false, hash, mtime_ns }), Some(blob))
            }
            Deed::MakeFolder(at) => (Step::Mkdir { path: path(at), parents: false }, None),
            Deed::Rename { from, to, expect } => {
                let (from, to, expect) = (path(from), path(to), content(expect));
                let transfer =
                    Transfer { from, to, expect, overwrite: false, parents: false, shallow: false };
                (Step::Move(transfer), None)
            }
            Deed::Delete { path: at, expect, only_empty } => {
                let (path, expect, only_empty) = (path(at), content(expect), *only_empty);
                (Step::Delete(Deletion { path, expect, only_empty }), None)
            }
            Deed::Restore(_) | Deed::GoBack(..) => return None,
        };
        Some(Todo { step: Arc::new(step), blob })
    }

    /// Acts of one batch, with one commit as long as the folders suffice that were staged for it; or, if it dies before that
    /// commit, nothing.
    pub fn batch(&mut self, deeds: &[Deed], dies: bool) -> Vec<Result<Became>> {
        let mut todo: Vec<Todo> = deeds.iter().filter_map(|deed| self.todo(deed)).collect();
        assert_eq!(todo.len(), deeds.len(), "a restore is a request of its own");
        let (mut became, mut needed) = (Vec::new(), 0);
        while !todo.is_empty() {
            let (drive, who, now) = (self.drive, self.who.clone(), self.tick().cast_signed());
            let (acts, folders) = (todo.clone(), self.folders(needed));
            let db = self.house.db();
            let done = self.wait(db.write_in_parts(move |tx| {
                Box::pin(async move {
                    let done = commit_in(tx, drive, now, &who, acts, folders).await?;
                    if dies { Err(Error::internal("the server dies")) } else { Ok(done) }
                })
            }));
            let done = match done {
                Ok(done) => done,
                Err(_) if dies => {
                    self.house.dies();
                    break;
                }
                Err(error) => {
                    let told = |_| Err(Error::unavailable(format!("{error:?}"), 1));
                    became.extend(todo.iter().map(told));
                    break;
                }
            };
            todo.drain(..done.outcomes.len());
            became.extend(done.outcomes.into_iter().map(|outcome| match outcome? {
                Outcome::Done(told, _) => {
                    Ok(Became { node: told.acted.node.map(|node| node.uuid), changed: true })
                }
                Outcome::Already(told) => {
                    Ok(Became { node: told.acted.node.map(|node| node.uuid), changed: false })
                }
                Outcome::Refused(error, _) => Err(error),
            }));
            needed = done.needs.unwrap_or(0) + done.folders.len();
        }
        became
    }

    /// Brings back what has an id.
    pub fn restore(&mut self, id: Uuid) -> Result<Became> {
        let drive = self.drive;
        let found = self.read(move |tx| Box::pin(async move { trash::find(tx, drive, id).await }))?;
        let blob = match &found.version {
            Some(version) => Some(self.copy_of(version)?),
            None => None,
        };
        let (dead, path, actor) = (found.node.id, found.path, self.actor());
        self.with_folders(move |tx, mut staged| {
            let path = path.clone();
            Box::pin(async move {
                let done = match &blob {
                    Some(blob) => {
                        trash::restore_file_in(tx, drive, actor, dead, &path, blob, &mut staged).await
                    }
                    None => trash::restore_folder_in(tx, drive, actor, dead, &path, &mut staged).await,
                };
                done.map(|(done, _)| Became { node: Some(done.node.uuid), changed: true })
            })
        })
    }

    /// Makes an earlier content of a file its current one.
    pub fn go_back(&mut self, id: Uuid, back: usize) -> Result<Became> {
        let drive = self.drive;
        let found = self.read(move |tx| {
            Box::pin(async move {
                let Some(node) = nodes::by_uuid(tx, drive, id).await? else { return Ok(None) };
                let all = versions::of_node(tx, node.id, i64::MAX, 1000).await?;
                Ok(all.into_iter().nth(back))
            })
        })?;
        let version = found.ok_or_else(|| Error::not_found("there is no such version"))?;
        let (blob, actor) = (self.copy_of(&version)?, self.actor());
        self.with_folders(move |tx, mut staged| {
            let version = version.clone();
            Box::pin(async move {
                let expect = Expect::Anything;
                let done =
                    history::restore_in(tx, drive, actor, &version, expect, &blob, &mut staged).await?;
                Ok(Became { node: Some(done.0.file.uuid), changed: done.1.is_some() })
            })
        })
    }

    fn copy_of(&mut self, version: &Version) -> Result<Blob> {
        let size = version.size.cast_unsigned();
        Ok(self.blob(version.content_hash()?, size, version.mtime_ns))
    }

    /// As the use cases do: with as many folders staged as it turns out to need.
    fn with_folders<F>(&mut self, act: F) -> Result<Became>
    where
        F: Clone + Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx, Vec<StagedFolder>) -> TxFuture<'a, Became>,
    {
        let mut needed = 0;
        loop {
            let (staged, act) = (self.folders(needed), act.clone());
            let done = self.write(move |tx| act(tx, staged));
            let more = match &done {
                Err(error) if error.problem_code() == Some(NEEDS_FOLDERS) => {
                    error.fields().get("folders").and_then(serde_json::Value::as_u64)
                }
                _ => None,
            };
            match more.and_then(|more| usize::try_from(more).ok()) {
                Some(more) if more > needed => needed = more,
                _ => return done,
            }
        }
    }

    pub fn feed(&self, since: Option<String>, limit: usize) -> FeedPage {
        let (drive, limit) = (self.drive, u32::try_from(limit).unwrap());
        self.read(move |tx| Box::pin(async move { feed::page_in(tx, drive, since.as_deref(), limit).await }))
            .unwrap()
    }

    /// The contents of a file, the newest first.
    pub fn history(&self, node: Uuid) -> Result<Vec<ContentHash>> {
        let (user, drive) = (self.who.user_id, self.name.clone());
        let entries = self.read(move |tx| {
            Box::pin(async move { history::of_node_in(tx, user, &drive, node, None, 1000).await })
        })?;
        entries.iter().map(|entry| entry.version.content_hash()).collect()
    }

    /// The file at a path.
    pub fn look(&self, path: &str) -> Option<(Uuid, ContentHash)> {
        let (root, path) = (self.root, DrivePath::parse_entry(path).unwrap());
        let found = self.read(move |tx| Box::pin(async move { nodes::resolve(tx, root, &path).await }));
        let node = found.unwrap().node?;
        Some((node.uuid, node.content_hash()?))
    }

    /// Everything that is live, by path.
    pub fn tree(&self) -> Vec<(String, Uuid, Option<ContentHash>)> {
        let drive = self.drive;
        let entries = self.read(move |tx| Box::pin(tree::snapshot(tx, drive))).unwrap();
        entries.into_iter().map(|entry| (entry.path, entry.uuid, entry.hash)).collect()
    }

    /// What was deleted, the newest first.
    pub fn trash(&self) -> Vec<Uuid> {
        let drive = self.drive;
        let found =
            self.read(move |tx| Box::pin(async move { trash::list_in(tx, drive, i64::MAX, 10_000).await }));
        found.unwrap().into_iter().map(|deleted| deleted.node.uuid).collect()
    }

    /// Whether some version of a file has a content.
    pub fn keeps(&self, hash: ContentHash) -> bool {
        let drive = self.drive;
        let found = self.read(move |tx| Box::pin(async move { versions::holding(tx, drive, hash, 1).await }));
        !found.unwrap().is_empty()
    }

    /// Faults in what the catalogue holds of the drive, each with the text that counts them.
    pub fn faults(&self) -> Vec<String> {
        let other = rusqlite::Connection::open(self.house.file()).unwrap();
        let count = |sql: &str| other.query_row(sql, [self.drive], |row| row.get::<_, i64>(0)).unwrap();
        let found = RULES.iter().map(|(what, sql)| (what, count(sql))).filter(|(_, count)| *count > 0);
        found.map(|(what, count)| format!("{count} {what}")).collect()
    }
}

/// What must not be, whatever was done; the text counts it for a drive.
const RULES: [(&str, &str); 9] = [
    (
        "nodes whose folder is not there, or is no folder of the drive",
        "SELECT COUNT(*) FROM nodes n LEFT JOIN nodes p ON p.id = n.parent_id WHERE n.drive_id = ?1 AND n.parent_id IS NOT \
         NULL AND (p.id IS NULL OR p.kind <> 'folder' OR p.drive_id <> n.drive_id)",
    ),
    (
        "nodes that no way leads to from the root",
        "WITH RECURSIVE down (id) AS (SELECT root_node_id FROM drives WHERE id = ?1 UNION SELECT n.id FROM down JOIN nodes n \
         ON n.parent_id = down.id) SELECT COUNT(*) FROM nodes n WHERE n.drive_id = ?1 AND n.id NOT IN (SELECT id FROM down)",
    ),
    (
        "names that two live nodes of a folder have",
        "SELECT COUNT(*) FROM (SELECT 1 FROM nodes WHERE drive_id = ?1 AND state <> 'dead' AND parent_id IS NOT NULL \
         GROUP BY parent_id, name HAVING COUNT(*) > 1)",
    ),
    (
        "live files without a current version, or with one of other content",
        "SELECT COUNT(*) FROM nodes n LEFT JOIN file_versions v ON v.id = n.current_version_id AND v.node_id = n.id WHERE \
         n.drive_id = ?1 AND n.kind = 'file' AND n.state <> 'dead' AND (v.id IS NULL OR v.hash <> n.hash OR v.lost)",
    ),
    (
        "versions that belong to no file of the drive",
        "SELECT COUNT(*) FROM file_versions v LEFT JOIN nodes n ON n.id = v.node_id AND n.drive_id = v.drive_id AND n.kind = \
         'file' WHERE v.drive_id = ?1 AND n.id IS NULL",
    ),
    (
        "version numbers that are given twice or beyond the file's last",
        "SELECT COUNT(*) FROM (SELECT v.node_id FROM file_versions v JOIN nodes n ON n.id = v.node_id WHERE v.drive_id = ?1 \
         GROUP BY v.node_id HAVING COUNT(*) <> COUNT(DISTINCT v.n) OR MAX(v.n) > MAX(n.last_version))",
    ),
    (
        "sequences that two changes or two nodes have",
        "SELECT (SELECT COUNT(*) - COUNT(DISTINCT seq) FROM changes WHERE drive_id = ?1) + (SELECT COUNT(*) - COUNT(DISTINCT \
         seq) FROM nodes WHERE drive_id = ?1)",
    ),
    (
        "nodes whose latest sequence is no change of theirs",
        "SELECT COUNT(*) FROM nodes n LEFT JOIN changes c ON c.drive_id = n.drive_id AND c.seq = n.seq AND c.node_id = n.id \
         WHERE n.drive_id = ?1 AND c.seq IS NULL",
    ),
    (
        "drives whose head is not their last change",
        "SELECT COUNT(*) FROM drives d WHERE d.id = ?1 AND d.head_seq <> (SELECT MAX(seq) FROM changes WHERE drive_id = d.id)",
    ),
];
