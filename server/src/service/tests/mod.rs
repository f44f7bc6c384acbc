//! The use cases on a real catalogue and a real folder, without HTTP.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod accounts;
mod batches;
mod follow;
mod gone;
mod outside;
mod parked;
mod stories;
mod waiting;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::drives::Drives;
use super::files::{Deletion, Expect, Put, PutDone, Transfer, Who};
use super::locks::Guard;
use super::placement::{Mounted, Shared};
use super::{content, drives, files};
use crate::catalog::db::Db;
use crate::catalog::nodes::{self, Node};
use crate::catalog::users::{self, NewUser};
use crate::catalog::{findings, ops, tree, versions};
use crate::clock::Clock;
use crate::domain::accounts::Role;
use crate::error::Result;
use crate::store::{Blob, FinishHints};

/// A server's inside: a catalogue in a file and one open home drive.
struct House {
    folder: tempfile::TempDir,
    drives: Arc<Drives>,
    /// Whom the commit hook tells.
    current: Arc<Mutex<Arc<Drives>>>,
    db: Db,
    drive: i64,
    root: PathBuf,
    who: Who,
}

impl House {
    async fn new(db: Db) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let user = Uuid::new_v4();
        let ada = NewUser {
            uuid: user,
            username: "ada".to_owned(),
            username_key: "ada".to_owned(),
            display_name: "Ada".to_owned(),
            role: Role::Admin,
            password_hash: String::new(),
            at: 0,
        };
        let user_id = db.write(move |tx| Box::pin(users::insert(tx, ada))).await.unwrap().id;
        let drives = Self::drives(&db, &folder).await;
        let current = Arc::new(Mutex::new(Arc::clone(&drives)));
        let told = Arc::clone(&current);
        db.on_commit(Box::new(move |committed| {
            committed.drives.iter().for_each(|drive| told.lock().unwrap().kick(*drive));
        }));
        let home = drives.prepare_home(user).await.unwrap();
        let drive = db
            .write(move |tx| Box::pin(async move { drives::insert_home(tx, user_id, &home, 1).await }))
            .await
            .unwrap();
        drives.opened(drive).await.unwrap();
        let root = folder.path().join("drives").join(user.to_string()).join("home");
        let who = Who { user_id, device_id: None, syncing: None, guard: Guard::default(), once: None };
        Self { folder, drives, current, db, drive, root, who }
    }

    async fn drives(db: &Db, folder: &tempfile::TempDir) -> Arc<Drives> {
        let epoch = drives::epoch(db).await.unwrap();
        let shared = Shared { db: db.clone(), clock: Clock::system(), epoch };
        Drives::new(shared, folder.path().join("drives"))
    }

    /// Stops everything and opens it again from what is on disk.
    async fn restart(self) -> Self {
        self.drives.stop().await;
        let drives = Self::drives(&self.db, &self.folder).await;
        *self.current.lock().unwrap() = Arc::clone(&drives);
        drives.start().await.unwrap();
        Self { drives, ..self }
    }

    fn mounted(&self) -> Arc<Mounted> {
        self.drives.online(self.drive).unwrap()
    }

    async fn blob(&self, text: &str) -> Blob {
        let mounted = self.mounted();
        let mut staged = mounted.store.stage(false);
        staged.write(Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        let blob = staged.finish(FinishHints::default()).await.unwrap();
        mounted.store.make_durable(&[blob.slot]).unwrap();
        blob
    }

    async fn put(&self, at: &str, text: &str) -> Result<PutDone> {
        self.put_if(at, text, Expect::Anything).await
    }

    async fn put_if(&self, at: &str, text: &str, expect: Expect) -> Result<PutDone> {
        let blob = self.blob(text).await;
        let put = Put { path: path(at), blob, expect, parents: true, reason: "manual", upload: None };
        files::put(&self.mounted(), self.who.clone(), put).await.map(|done| done.value)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<PutDone> {
        let transfer = Transfer {
            from: path(from),
            to: path(to),
            expect: Expect::Anything,
            overwrite: true,
            parents: true,
            shallow: false,
        };
        let done = files::rename(&self.mounted(), self.who.clone(), transfer).await?;
        Ok(done.value)
    }

    async fn read(&self, at: &str) -> Result<String> {
        let (opened, _) = content::open(&self.mounted(), &path(at)).await?;
        Ok(text(opened).await)
    }

    /// Every version of the file at a path, newest first, with its bytes or what reading it said.
    async fn history(&self, at: &str) -> Vec<std::result::Result<String, String>> {
        let (_, node) = content::open(&self.mounted(), &path(at)).await.unwrap();
        let found =
            self.db.read(move |tx| Box::pin(versions::of_node(tx, node.id, i64::MAX, 100))).await.unwrap();
        let mut read = Vec::new();
        for version in found {
            match content::open_version(&self.mounted(), &version).await {
                Ok(opened) => read.push(Ok(text(opened).await)),
                Err(error) => read.push(Err(error.public().to_owned())),
            }
        }
        read
    }

    fn on_disk(&self, at: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(at)).ok()
    }

    /// The live node at a path.
    async fn node(&self, at: &str) -> Option<Node> {
        let (root, at) = (self.mounted().root_node, path(at));
        let found =
            self.db.read(move |tx| Box::pin(async move { nodes::resolve(tx, root, &at).await })).await;
        found.unwrap().node
    }

    /// How many files and folders are not deleted.
    async fn count(&self) -> i64 {
        let drive = self.drive;
        self.db.read(move |tx| Box::pin(tree::count(tx, drive))).await.unwrap()
    }

    async fn open_finding(&self, kind: &'static str) -> bool {
        let drive = self.drive;
        self.db.read(move |tx| Box::pin(findings::any_open(tx, drive, kind))).await.unwrap()
    }

    /// Waits until the scanner has looked at a folder once more: it finds a file that is made there now.
    async fn looked_at(&self, folder: &str) {
        let name = format!("{folder}{}", Uuid::new_v4());
        std::fs::write(self.root.join(&name), "a sign").unwrap();
        self.mounted().look_at(&path(&name));
        until("the scanner has looked", || async { self.node(&name).await.is_some() }).await;
    }

    /// Waits until nothing is left to be placed, marked or judged.
    async fn settled(&self) {
        for _ in 0..400 {
            let drive = self.drive;
            let waiting = self
                .db
                .read(move |tx| {
                    Box::pin(async move {
                        let pending = ops::pending(tx, drive, 0, 1).await?.len();
                        Ok(pending + ops::in_state(tx, drive, "placed", 0, 1).await?.len())
                    })
                })
                .await
                .unwrap();
            if waiting == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the drive did not come to rest");
    }
}

fn gone(at: &str) -> Deletion {
    Deletion { path: path(at), expect: Expect::Anything, only_empty: false }
}

fn path(text: &str) -> DrivePath {
    DrivePath::parse(text).unwrap()
}

async fn text(opened: content::Opened) -> String {
    let size = opened.size();
    let mut stream = Box::pin(opened.stream(0..size));
    let mut bytes = Vec::new();
    while let Some(step) = stream.next().await {
        bytes.extend_from_slice(&step.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// Polls until a condition holds.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..1200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain: {what}");
}
