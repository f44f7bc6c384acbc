//! Joins catalogue and store: places what was committed, strictly in order, and marks what is durable (algorithms A,
//! steps 4 and 6). One [`Mounted`] per drive whose root is open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::DrivePath;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::delta::Chunks;
use super::remembered::{A_MOMENT, A_WHILE, Remembered};
use super::{content, properties};
use crate::catalog::db::Db;
use crate::catalog::drives::Drive;
use crate::catalog::ops::OpRow;
use crate::clock::Clock;
use crate::domain::stat::Ident;
use crate::error::Result;
use crate::store::{FolderDrive, LogEntry};

mod health;
mod parked;
mod place;

pub(in crate::service) use health::READ_ONLY;
pub use parked::lies_at;
pub(in crate::service) use parked::take_over;

/// Most ops between two marks.
const MARK_EVERY: usize = 256;
/// Longest time between a placement and its mark.
const MARK_WITHIN: Duration = Duration::from_millis(100);
/// How long an act waits for its first placement before it answers "pending".
const REPLY_WITHIN: Duration = Duration::from_secs(10);
/// Most placements remembered as parked; of older ones nobody waits for an answer any more.
const MOST_PARKED: usize = 4096;
/// Most paths that wait to be looked at.
const MOST_HINTS: usize = 10_000;
/// How often what is parked or degraded is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// A drive whose root is open: its files, its placer, and how far that is.
pub struct Mounted {
    /// Internal key.
    pub id: i64,
    /// Public id.
    pub uuid: Uuid,
    /// Internal key of its root folder's node.
    pub root_node: i64,
    /// Its files.
    pub store: Arc<FolderDrive>,
    db: Db,
    clock: Clock,
    epoch: Uuid,
    wake: Notify,
    attempted: watch::Sender<i64>,
    /// Nothing is placed any more: the drive is offline.
    let_go: CancellationToken,
    gate: Mutex<Attempt>,
    degraded: std::sync::Mutex<Option<String>>,
    /// Sequences of ops that were tried and could not be placed.
    parked: std::sync::Mutex<BTreeSet<i64>>,
    hints: std::sync::Mutex<BTreeSet<DrivePath>>,
    hinted: Notify,
    /// What reading asked a moment ago.
    pub(in crate::service) recent: Recent,
}

/// What reading asked a moment ago; see [`Remembered`].
pub(in crate::service) struct Recent {
    /// Where contents lie.
    pub(in crate::service) contents: Remembered<DrivePath, Arc<content::Wanted>>,
    /// What one file or folder is.
    pub(in crate::service) tops: Remembered<(DrivePath, properties::Wanted), Arc<properties::Page>>,
    /// What is in a folder.
    pub(in crate::service) folders: Remembered<(DrivePath, properties::Wanted), Arc<properties::Page>>,
    /// How large contents are cut.
    pub(in crate::service) chunks: Chunks,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            contents: Remembered::new(16_384, A_WHILE),
            // They tell how long a lock still holds.
            tops: Remembered::new(4096, A_MOMENT),
            // A folder's page may have ten thousand members, so only some are kept.
            folders: Remembered::new(4, A_MOMENT),
            chunks: Chunks::default(),
        }
    }
}

/// What the placer has done since its last mark; whoever holds it is alone with the tree on disk.
#[derive(Debug, Default)]
pub struct Attempt {
    /// Every op up to this was tried.
    done: i64,
    /// For `versions/log`.
    log: Vec<LogEntry>,
    /// What the next mark tells the catalogue.
    notes: Vec<Note>,
    /// Ops tried since the mark.
    tried: usize,
    /// When the first of them was tried.
    since: Option<Instant>,
    /// What was tried could not be made durable the last time.
    stuck: bool,
}

impl Attempt {
    /// Every op up to this was tried.
    pub fn done(&self) -> i64 {
        self.done
    }
}

#[derive(Debug, Clone)]
enum Note {
    /// It could not be placed: it waits in its slot.
    Parked { op: Box<OpRow>, why: String },
    /// Something lies in its slot that nobody expected there.
    Unexpected { op: Box<OpRow>, there: Ident },
}

/// Settings that every mounted drive shares.
#[derive(Clone)]
pub struct Shared {
    /// The catalogue.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// This catalogue's epoch.
    pub epoch: Uuid,
}

impl Mounted {
    /// A drive over an open root whose ops up to `placed` are done. Nothing is placed yet.
    pub fn new(shared: &Shared, drive: &Drive, root_node: i64, store: FolderDrive) -> Self {
        let attempt = Attempt { done: drive.placed_seq, ..Attempt::default() };
        Self {
            id: drive.id,
            uuid: drive.uuid,
            root_node,
            store: Arc::new(store),
            db: shared.db.clone(),
            clock: shared.clock.clone(),
            epoch: shared.epoch,
            wake: Notify::new(),
            attempted: watch::Sender::new(drive.placed_seq),
            let_go: CancellationToken::new(),
            gate: Mutex::new(attempt),
            degraded: std::sync::Mutex::new(drive.degraded.clone()),
            parked: std::sync::Mutex::default(),
            hints: std::sync::Mutex::default(),
            hinted: Notify::new(),
            recent: Recent::default(),
        }
    }

    /// The catalogue this drive is in.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// What time it is.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// This catalogue's epoch.
    pub fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// Why the drive takes no changes now, if it takes none.
    pub fn degraded(&self) -> Option<String> {
        self.degraded.lock().map_or(None, |why| why.clone())
    }

    /// Asks for a look at a path where disk and catalogue seem to disagree.
    pub fn look_at(&self, path: &DrivePath) {
        if let Ok(mut hints) = self.hints.lock() {
            // A full scan would be due anyway beyond this.
            if hints.len() < MOST_HINTS {
                hints.insert(path.clone());
            }
        }
        self.hinted.notify_one();
    }

    /// Waits until there is something to look at.
    pub async fn hinted(&self) {
        self.hinted.notified().await;
    }

    /// What there is to look at, taken.
    pub fn take_hints(&self) -> BTreeSet<DrivePath> {
        self.hints.lock().map(|mut hints| std::mem::take(&mut *hints)).unwrap_or_default()
    }

    /// Tells the placer that there is something to do.
    pub fn kick(&self) {
        self.wake.notify_one();
    }

    /// Says that the drive is offline, to those who wait for a placement: it comes when the drive is back.
    pub fn let_go(&self) {
        self.let_go.cancel();
    }

    /// Waits until the op with a sequence was tried, a bounded time, and no longer than the drive is there; false: it is still
    /// pending, or could not be placed for now.
    pub async fn placed(&self, seq: i64) -> bool {
        let mut attempted = self.attempted.subscribe();
        let reached = attempted.wait_for(|done| *done >= seq);
        let tried = tokio::select! {
            waited = tokio::time::timeout(REPLY_WITHIN, reached) => waited.is_ok_and(|waited| waited.is_ok()),
            () = self.let_go.cancelled() => false,
        };
        tried && !self.parked.lock().is_ok_and(|parked| parked.contains(&seq))
    }

    fn remember_parked(&self, seq: i64) {
        if let Ok(mut parked) = self.parked.lock() {
            parked.insert(seq);
            if parked.len() > MOST_PARKED {
                parked.pop_first();
            }
        }
    }

    fn forget_parked(&self, seq: i64) {
        if let Ok(mut parked) = self.parked.lock() {
            parked.remove(&seq);
        }
    }

    /// How far the placer has got.
    pub fn attempted(&self) -> i64 {
        *self.attempted.borrow()
    }

    /// Takes the tree on disk for itself, with no op pending.
    ///
    /// # Errors
    /// What stops those that are.
    pub async fn quiet_now(&self) -> Result<MutexGuard<'_, Attempt>> {
        let mut gate = self.gate.lock().await;
        self.place_pending(&mut gate).await?;
        Ok(gate)
    }

    /// Takes the tree on disk for itself, once no op is pending; `None` when that cannot be had soon.
    pub async fn quiet(&self) -> Option<MutexGuard<'_, Attempt>> {
        for _ in 0..50 {
            if let Ok(gate) = self.quiet_now().await {
                return Some(gate);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Places, marks and retries until told to stop; what is placed by then is marked.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut retry = tokio::time::interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let unmarked = self.gate.lock().await.since;
            let due = unmarked.map_or_else(Instant::now, |since| since + MARK_WITHIN);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due), if unmarked.is_some() => self.mark_now().await,
                () = self.wake.notified() => self.step().await,
                _ = retry.tick() => { self.step().await; self.retry_parked().await; }
                _ = stop.changed() => break,
            }
        }
        self.step().await;
        self.mark_now().await;
    }

    async fn step(&self) {
        let mut gate = self.gate.lock().await;
        if let Err(error) = self.place_pending(&mut gate).await {
            tracing::warn!(drive = %self.uuid, %error, "placing stopped");
        }
    }

    async fn mark_now(&self) {
        let mut gate = self.gate.lock().await;
        if let Err(error) = self.mark(&mut gate).await {
            tracing::warn!(drive = %self.uuid, %error, "marking failed, tried again later");
            gate.since = Some(Instant::now() + RETRY_EVERY);
        }
    }
}
