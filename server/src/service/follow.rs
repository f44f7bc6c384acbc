//! Following what happens while it happens: the heads of the drives that somebody may see, and the activity log.
//!
//! Nothing is queued for a follower: when it asks, it is told where things stand. One that reads slowly is told of a drive's
//! newest head and of none in between (promise P7), and reads the activity log from the catalogue, where it stopped.
//!
//! A commit of this process wakes its followers at once. What another process committed (a command on the same catalogue,
//! another server on the same Postgres) they see when they look by themselves, every five seconds.

use std::collections::{HashMap, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::caller::Caller;
use super::remembered::A_MOMENT;
use crate::app::App;
use crate::catalog::drives;
use crate::catalog::events::{self, Line};
use crate::domain::accounts::Role;
use crate::error::{Error, Kind, Result};

/// Most followers of one account at once.
const MOST: usize = 32;
/// How often a follower of whom nothing has to be told is told so, and has to show that it still may follow.
const BEAT_EVERY: Duration = Duration::from_secs(20);
/// How often the catalogue is looked at unasked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause between two looks at the activity log, however much is written to it.
const LOG_PAUSE: Duration = Duration::from_millis(50);
/// Lines that are read at once.
const LINES: i64 = 100;

/// What is followed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Topics {
    /// The heads of drives.
    pub drives: bool,
    /// The activity log, from after this line; `None`: from now on.
    pub activity: Option<Option<i64>>,
}

/// What a follower is told.
#[derive(Debug)]
pub enum News {
    /// A drive's head is here; the first time also without having moved.
    Head {
        /// The drive.
        drive: Uuid,
        /// Sequence of its newest change.
        seq: i64,
    },
    /// A line of the activity log.
    Line(Box<Line>),
    /// Time has passed, or accounts were changed: whoever follows has to be known once more ([`Follower::still`]).
    Beat {
        /// Whether it was time that passed.
        due: bool,
    },
}

/// Somebody who follows.
pub struct Follower {
    app: App,
    viewer: i64,
    sees_all: bool,
    heads: Option<Heads>,
    log: Option<Log>,
    /// Read and not told yet: at most the drives that may be seen, and [`LINES`].
    ready: VecDeque<News>,
    beats: watch::Receiver<()>,
    accounts: u64,
    next_beat: Instant,
    _place: Place,
}

/// The drives that may be seen, and what was told of them.
#[derive(Default)]
struct Heads {
    seen: Vec<Seen>,
    told: HashMap<i64, i64>,
    read_at: Option<Instant>,
}

struct Seen {
    id: i64,
    uuid: Uuid,
    /// As it was read; it may have moved since.
    head: i64,
}

struct Log {
    after: i64,
    not_before: Instant,
    /// There may be more than was read.
    waits: bool,
}

impl Follower {
    /// Begins to follow.
    ///
    /// # Errors
    /// 429 `too-many-streams`, or the catalogue's.
    pub async fn begin(app: &App, caller: &Caller, topics: Topics) -> Result<Self> {
        let place = Place::take(app, caller.user_id)?;
        let accounts = app.db.account_changes();
        let now = Instant::now();
        let log = match topics.activity {
            None => None,
            Some(Some(after)) => Some(Log { after, not_before: now, waits: true }),
            Some(None) => {
                let last = app.db.glance(|tx| Box::pin(events::last(tx))).await?;
                Some(Log { after: last, not_before: now, waits: false })
            }
        };
        Ok(Self {
            app: app.clone(),
            viewer: caller.user_id,
            sees_all: caller.role == Role::Admin,
            heads: topics.drives.then(Heads::default),
            log,
            ready: VecDeque::new(),
            beats: app.pulse.feel(),
            accounts,
            next_beat: now + BEAT_EVERY,
            _place: place,
        })
    }

    /// What is new; waits for it. `None` when the server is stopping.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn next(&mut self) -> Result<Option<News>> {
        loop {
            if self.app.is_draining() {
                return Ok(None);
            }
            let due = Instant::now() >= self.next_beat;
            let accounts = self.app.db.account_changes();
            if due || accounts != self.accounts {
                self.accounts = accounts;
                self.next_beat = Instant::now() + BEAT_EVERY;
                return Ok(Some(News::Beat { due }));
            }
            if let Some(news) = self.ready.pop_front() {
                return Ok(Some(news));
            }
            // Before looking: a commit in between is looked at the next time.
            self.beats.borrow_and_update();
            self.look().await?;
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Whoever follows was known once more, perhaps as somebody who may see less.
    pub fn still(&mut self, caller: &Caller) {
        self.sees_all = caller.role == Role::Admin;
    }

    async fn wait(&mut self) {
        let look = Instant::now() + LOOK_EVERY;
        let log = self.log.as_ref().filter(|log| log.waits).map_or(look, |log| log.not_before);
        tokio::select! {
            _ = self.beats.changed() => {}
            () = self.app.drained() => {}
            () = sleep_until(self.next_beat.min(look).min(log)) => {}
        }
    }

    async fn look(&mut self) -> Result<()> {
        if let Some(heads) = &mut self.heads {
            heads.look(&self.app, self.viewer, &mut self.ready).await?;
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        log.waits = Instant::now() < log.not_before;
        if !log.waits {
            let (after, viewer, sees_all) = (log.after, self.viewer, self.sees_all);
            let lines =
                self.app.db.read(move |tx| Box::pin(events::after(tx, after, viewer, sees_all, LINES)));
            let lines = lines.await?;
            log.not_before = Instant::now() + LOG_PAUSE;
            if let Some(last) = lines.last() {
                log.after = last.event.seq;
            }
            self.ready.extend(lines.into_iter().map(|line| News::Line(Box::new(line))));
        }
        Ok(())
    }
}

impl Heads {
    async fn look(&mut self, app: &App, viewer: i64, ready: &mut VecDeque<News>) -> Result<()> {
        let read_at = Instant::now();
        if self.read_at.is_none_or(|at| read_at >= at + A_MOMENT) {
            let visible = app.db.read(move |tx| Box::pin(drives::visible(tx, viewer))).await?;
            let seen = |one: drives::Visible| one.drive;
            let seen = visible.into_iter().map(seen);
            self.seen = seen.map(|d| Seen { id: d.id, uuid: d.uuid, head: d.head_seq }).collect();
            self.told.retain(|id, _| self.seen.iter().any(|seen| seen.id == *id));
            self.read_at = Some(read_at);
        }
        for seen in &self.seen {
            let head = app.pulse.head(seen.id).map_or(seen.head, |moved| moved.max(seen.head));
            if self.told.get(&seen.id).is_none_or(|told| *told < head) {
                self.told.insert(seen.id, head);
                ready.push_back(News::Head { drive: seen.uuid, seq: head });
            }
        }
        Ok(())
    }
}

/// One of the places that an account has for followers.
struct Place {
    app: App,
    user: i64,
}

impl Place {
    fn take(app: &App, user: i64) -> Result<Self> {
        let mut taken = app.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = taken.entry(user).or_default();
        if *places >= MOST {
            let error = Error::new(Kind::TooMany, "too many streams of this account are open; close one");
            return Err(error.code("too-many-streams").with("limit", MOST as u64).retry_after(30));
        }
        *places += 1;
        Ok(Self { app: app.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.app.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = taken.get_mut(&self.user) {
            *places -= 1;
            if *places == 0 {
                taken.remove(&self.user);
            }
        }
    }
}
