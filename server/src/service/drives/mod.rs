//! Drives: which there are, which of them are open, and how a new one begins.

mod capacity;
mod elsewhere;
mod home;
pub mod manage;
pub mod members;
mod named;
pub mod roots;
pub mod survey;

pub use capacity::Measured;
pub use home::{PreparedHome, insert_home};
pub use manage::{Reported, add_reported};
pub use named::{among, free_name, named};

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use holdfast_disk::volumes::Asker;
use holdfast_protocol::fold_key;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::placement::{Mounted, Shared};
use super::remembered::{A_MOMENT, Remembered};
use super::{judge, recovery, scan};
use crate::catalog::changes;
use crate::catalog::drives::{self as rows, Drive, Visible};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::settings;
use crate::domain::drives::BY_ID;
use crate::error::{Error, Result};
use crate::store::{Caps, Health};

/// How often a drive that is offline is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a drive has to finish when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// Seconds after which a client may ask again for a drive that is offline.
const RETRY_AFTER: u32 = 30;
/// Most names of drives that are remembered.
const NAMES: usize = 1024;

enum Slot {
    Online { mounted: Arc<Mounted>, tasks: Vec<tokio::task::JoinHandle<()>> },
    Offline { why: String },
}

/// The drives of this process.
pub struct Drives {
    shared: Shared,
    folder: PathBuf,
    open: RwLock<HashMap<i64, Slot>>,
    /// Which drive a user means by a name.
    reached: Remembered<(i64, Option<String>), Visible>,
    /// How large those were that were open in this run, by internal key.
    sizes: Mutex<HashMap<i64, Measured>>,
    /// Held while what is left of forgotten drives is taken away.
    clearing: tokio::sync::Mutex<()>,
    /// Held while a drive is being opened: a root can be opened only once.
    opening: tokio::sync::Mutex<()>,
    /// Asks what is mounted, so that what does not answer holds up nobody.
    asker: Asker,
    stop: watch::Sender<bool>,
    /// What works for them until told to stop.
    tasks: TaskTracker,
}

/// A drive as it is shown to a user.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The drive and the user's right.
    pub visible: Visible,
    /// Why it cannot be reached now.
    pub offline: Option<String>,
    /// Names what it holds now.
    pub head: Option<Uuid>,
    /// How large it is.
    pub size: Measured,
    /// What its folder is on, while it can be reached.
    pub on: Option<On>,
}

/// What a drive's folder is on.
#[derive(Debug, Clone)]
pub struct On {
    /// What the system calls the file system; `None` where it does not say.
    pub file_system: Option<String>,
    /// What that can do.
    pub caps: Caps,
}

/// A drive as a user reaches it.
pub enum Reached {
    /// Its folder is here, and open.
    Here(Box<Visible>, Arc<Mounted>),
    /// This server has no folder of it, and knows what devices told.
    Elsewhere {
        /// Internal key of its root folder's node.
        root_node: i64,
    },
}

impl Reached {
    /// Internal key of its root folder's node.
    pub fn root_node(&self) -> i64 {
        match self {
            Self::Here(_, mounted) => mounted.root_node,
            Self::Elsewhere { root_node } => *root_node,
        }
    }
}

/// A drive and its address on the network drive.
#[derive(Debug, Clone)]
pub struct Addressed {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The names in its address below `/dav/`.
    pub names: Vec<String>,
}

impl On {
    fn of(mounted: &Mounted) -> Self {
        let store = &mounted.store;
        let caps = Caps { read_only: store.is_read_only(), ..*store.caps() };
        Self { file_system: store.file_system().map(str::to_owned), caps }
    }
}

impl Drives {
    /// No drive is open yet. `folder` is where home drives are made: `<data>/drives`.
    pub fn new(shared: Shared, folder: PathBuf) -> Arc<Self> {
        let open = RwLock::new(HashMap::new());
        let opening = tokio::sync::Mutex::new(());
        let reached = Remembered::new(NAMES, A_MOMENT);
        Arc::new(Self {
            shared,
            folder,
            open,
            reached,
            sizes: Mutex::default(),
            clearing: tokio::sync::Mutex::new(()),
            opening,
            asker: Asker::default(),
            stop: watch::Sender::new(false),
            tasks: TaskTracker::new(),
        })
    }

    /// Opens every drive that has a root, recovers it, and keeps looking for those that are offline.
    ///
    /// # Errors
    /// The catalogue's; a drive that cannot be opened is offline, not an error.
    pub async fn start(self: &Arc<Self>) -> Result<()> {
        for drive in self.rooted().await? {
            self.open(drive).await;
        }
        self.clear_forgotten();
        let drives = Arc::downgrade(self);
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    _ = stop.changed() => return,
                }
                let Some(drives) = drives.upgrade() else { return };
                drives.look_again().await;
            }
        });
        Ok(())
    }

    async fn rooted(&self) -> Result<Vec<Drive>> {
        self.shared.db.read(|tx| Box::pin(rows::rooted(tx))).await
    }

    async fn look_again(self: &Arc<Self>) {
        let Ok(drives) = self.rooted().await else { return };
        for drive in drives {
            match self.mounted(drive.id) {
                Some(mounted) if mounted.store.has_become_writable() => {
                    drop(mounted);
                    self.take_out(drive.id, None);
                    self.open(drive).await;
                }
                Some(mounted) => {
                    if self.check(&mounted).is_ok() {
                        mounted.note_read_only().await;
                    }
                }
                None => self.open(drive).await,
            }
        }
    }

    async fn open(self: &Arc<Self>, drive: Drive) {
        let id = drive.id;
        let _alone = self.opening.lock().await;
        if self.mounted(id).is_some() || *self.stop.borrow() {
            return;
        }
        let opened = match drive.offline_since {
            Some(_) => Err(Error::unavailable(manage::TAKEN_OFFLINE, RETRY_AFTER)),
            None => recovery::open(&self.shared, &drive, &self.asker).await,
        };
        let slot = match opened {
            Ok((mounted, unfinished)) => {
                tracing::info!(drive = %drive.uuid, name = %drive.name, "drive is online");
                if self.why_offline(id).is_some() {
                    self.tell(id, "drive-online", &[]);
                }
                self.note_size(&mounted, drive.capacity()).await;
                let (scanned, mut stop) = (Arc::clone(&mounted), self.stop.subscribe());
                let recovered_and_scanned = async move {
                    if let Some(redo) = unfinished {
                        tokio::select! {
                            () = redo.finish_later(&scanned) => {}
                            _ = stop.changed() => return,
                        }
                    }
                    scan::run(scanned, stop).await;
                };
                let tasks = vec![
                    self.tasks.spawn(Arc::clone(&mounted).run(self.stop.subscribe())),
                    self.tasks.spawn(judge::run(Arc::clone(&mounted), self.stop.subscribe())),
                    self.tasks.spawn(recovered_and_scanned),
                ];
                Slot::Online { mounted, tasks }
            }
            Err(error) => {
                let why = error.public().to_owned();
                let known = self.why_offline(id).is_some_and(|before| before == why);
                if !known {
                    tracing::warn!(drive = %drive.uuid, name = %drive.name, error = ?error, "drive is offline");
                }
                Slot::Offline { why }
            }
        };
        if let Ok(mut open) = self.open.write() {
            open.insert(id, slot);
        }
    }

    fn mounted(&self, id: i64) -> Option<Arc<Mounted>> {
        match self.open.read().ok()?.get(&id)? {
            Slot::Online { mounted, .. } => Some(Arc::clone(mounted)),
            Slot::Offline { .. } => None,
        }
    }

    fn why_offline(&self, id: i64) -> Option<String> {
        match self.open.read().ok()?.get(&id)? {
            Slot::Offline { why } => Some(why.clone()),
            Slot::Online { .. } => None,
        }
    }

    /// A drive that is open and whose root is still what it was.
    ///
    /// # Errors
    /// 503 when it is offline (promise P8): never a 404, never an empty drive.
    pub fn online(&self, id: i64) -> Result<Arc<Mounted>> {
        let mounted = self.mounted(id).ok_or_else(|| offline(self.why_offline(id).as_deref()))?;
        self.note(&mounted, mounted.store.still_there())?;
        Ok(mounted)
    }

    /// The drive that a name or UUID means to a user, open and with their right; see [`named()`] and [`Drives::online`].
    ///
    /// # Errors
    /// 404, 409 with candidates, 503; also for a drive without a folder here, whose content is not to be had.
    pub async fn reach(&self, user: i64, name: Option<&str>) -> Result<(Visible, Arc<Mounted>)> {
        match self.find(user, name).await? {
            Reached::Here(visible, mounted) => Ok((*visible, mounted)),
            Reached::Elsewhere { .. } => Err(reported_alone()),
        }
    }

    /// As [`Drives::reach`], for whoever only asks the catalogue: also a drive without a folder here, once a device has told
    /// what is on it.
    ///
    /// # Errors
    /// 404, 409 with candidates, 503.
    pub async fn find(&self, user: i64, name: Option<&str>) -> Result<Reached> {
        let (asked, state) = ((user, name.map(str::to_owned)), self.shared.db.commits());
        let now = self.shared.clock.now();
        let visible = match self.reached.get(&asked, state, now) {
            Some(visible) => visible,
            None => {
                let name = asked.1.clone();
                let read = self
                    .shared
                    .db
                    .glance(move |tx| Box::pin(async move { named(tx, user, name.as_deref()).await }));
                let visible = read.await?;
                self.reached.put(asked, state, now, visible.clone());
                visible
            }
        };
        if visible.drive.root.is_none() {
            // Of what nobody has told yet, nothing is known: it is not empty (P8).
            visible.drive.reported_at.ok_or_else(reported_alone)?;
            let root_node = visible.drive.root_node_id;
            let root_node = root_node.ok_or_else(|| Error::internal("a drive without a root node"))?;
            return Ok(Reached::Elsewhere { root_node });
        }
        let mounted = self.online(visible.drive.id)?;
        Ok(Reached::Here(Box::new(visible), mounted))
    }

    /// Every drive a user may see, own ones first.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn shown(&self, user: i64) -> Result<Vec<Shown>> {
        let visible = self.shared.db.read(move |tx| Box::pin(rows::visible(tx, user))).await?;
        let mut shown = Vec::with_capacity(visible.len());
        for one in visible {
            shown.push(self.as_shown(one).await?);
        }
        Ok(shown)
    }

    /// The drives a user may see, with their addresses on the network drive: the name, or the id where the name leads to
    /// another (own drives come first: of two with one name only the first is reached by it).
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn addressed(&self, user: i64) -> Result<Vec<Addressed>> {
        let mut seen = vec![fold_key(BY_ID)];
        let mut addressed = Vec::new();
        let visible = self.shared.db.read(move |tx| Box::pin(rows::visible(tx, user))).await?;
        let rooted = |one: Visible| Some(one.drive).filter(|drive| drive.root.is_some());
        for drive in visible.into_iter().filter_map(rooted) {
            let key = fold_key(&drive.name);
            let names = if seen.contains(&key) {
                vec![BY_ID.to_owned(), drive.uuid.to_string()]
            } else {
                vec![drive.name.clone()]
            };
            seen.push(key);
            addressed.push(Addressed { id: drive.uuid, name: drive.name, names });
        }
        Ok(addressed)
    }

    /// One drive by name or UUID.
    ///
    /// # Errors
    /// 404, 409 with candidates.
    pub async fn show(&self, user: i64, name: &str) -> Result<Shown> {
        let name = name.to_owned();
        let visible = self
            .shared
            .db
            .read(move |tx| Box::pin(async move { named(tx, user, Some(&name)).await }))
            .await?;
        self.as_shown(visible).await
    }

    /// One drive by its internal key; `None` when it is not for the user to see.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn show_one(&self, user: i64, id: i64) -> Result<Option<Shown>> {
        let visible = self.shared.db.glance(move |tx| Box::pin(rows::visible_one(tx, user, id))).await?;
        match visible {
            Some(visible) => self.as_shown(visible).await.map(Some),
            None => Ok(None),
        }
    }

    async fn as_shown(&self, visible: Visible) -> Result<Shown> {
        let (id, seq) = (visible.drive.id, visible.drive.head_seq);
        let head = self.shared.db.read(move |tx| Box::pin(changes::token_at(tx, id, seq))).await?;
        if visible.drive.root.is_none() {
            let size = self.measured(&visible.drive, None).await;
            return Ok(Shown { visible, offline: None, head, size, on: None });
        }
        let open = self.online(id);
        let size = self.measured(&visible.drive, open.as_ref().ok()).await;
        let (offline, on) = match open {
            Ok(mounted) => (None, Some(On::of(&mounted))),
            Err(error) => (Some(error.public().to_owned()), None),
        };
        Ok(Shown { visible, offline, head, size, on })
    }

    fn check(&self, mounted: &Arc<Mounted>) -> Result<()> {
        self.note(mounted, mounted.store.verify())
    }

    /// Takes a drive that is no longer there out of those that are open.
    fn note(&self, mounted: &Arc<Mounted>, health: Health) -> Result<()> {
        let why = match health {
            Health::Online => return Ok(()),
            Health::Offline(why) | Health::Wrong(why) => why,
        };
        tracing::warn!(drive = %mounted.uuid, %why, "drive went offline");
        if self.take_out(mounted.id, Some(&why)).is_some() {
            self.tell(mounted.id, "drive-offline", &[("reason", why.clone())]);
            self.note_last_size(mounted.id);
        }
        Err(offline(Some(&why)))
    }

    /// Logs what happened to a drive by itself; whoever noticed it does not wait for that.
    fn tell(&self, id: i64, kind: &'static str, detail: &[(&str, String)]) {
        let detail = detail.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let (db, at) = (self.shared.db.clone(), self.shared.clock.now());
        let event = NewEvent { at, drive_id: Some(id), kind, detail, ..NewEvent::default() };
        self.tasks.spawn(async move {
            let told = db.write(move |tx| Box::pin(async move { events::add(tx, event).await })).await;
            if let Err(error) = told {
                tracing::warn!(%error, kind, "what happened to a drive could not be logged");
            }
        });
    }

    /// Takes a drive out of those that are open; without a reason there is no such drive any more.
    fn take_out(&self, id: i64, why: Option<&str>) -> Option<Arc<Mounted>> {
        let mut open = self.open.write().ok()?;
        let before = match why {
            Some(why) => open.insert(id, Slot::Offline { why: why.to_owned() }),
            None => open.remove(&id),
        };
        match before? {
            Slot::Online { mounted, tasks } => {
                tasks.iter().for_each(tokio::task::JoinHandle::abort);
                mounted.let_go();
                Some(mounted)
            }
            Slot::Offline { .. } => None,
        }
    }

    /// Tells a drive's placer that there is something to do.
    pub fn kick(&self, id: i64) {
        if let Some(mounted) = self.mounted(id) {
            mounted.kick();
        }
    }

    /// Stops the placers after they have placed and marked what is committed.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.tasks.close();
        if let Ok(mut open) = self.open.write() {
            open.clear();
        }
        if tokio::time::timeout(STOP_WITHIN, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                "a drive is still at work; what it has not marked is looked at again at the next start"
            );
        }
    }

    /// Opens a drive that was just added to the catalogue.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn opened(self: &Arc<Self>, id: i64) -> Result<()> {
        if let Some(drive) = self.shared.db.read(move |tx| Box::pin(rows::by_id(tx, id))).await? {
            self.open(drive).await;
        }
        Ok(())
    }
}

/// Of a drive without a folder here.
fn reported_alone() -> Error {
    let why = "this server has no folder of this drive: its files are where its devices have it";
    Error::unavailable(why, RETRY_AFTER).code("drive-offline")
}

fn offline(why: Option<&str>) -> Error {
    let why = why.unwrap_or("it is not open yet");
    Error::unavailable(format!("the drive is offline: {why}"), RETRY_AFTER).code("drive-offline")
}

/// This catalogue's epoch: made with it, and made anew when it is restored from a backup.
///
/// # Errors
/// The catalogue's.
pub async fn epoch(db: &crate::catalog::db::Db) -> Result<Uuid> {
    let fresh = Uuid::new_v4().to_string();
    let text =
        db.write(move |tx| Box::pin(async move { settings::get_or_set(tx, "epoch", &fresh).await })).await?;
    Uuid::try_parse(&text).map_err(Error::internal)
}
