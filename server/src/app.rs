//! The running server: what every use case is handed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::catalog::db::Db;
use crate::catalog::{migrate, settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::limits::{Attempts, Rate};
use crate::error::{Error, Kind, Result};
use crate::keys::{self, Keys};
use crate::service::caller::{Caller, Proof};
use crate::service::drives::{self, Drives};
use crate::service::jobs::{self, Jobs, VOLUME_MONITOR};
use crate::service::once::{self, Running};
use crate::service::passwords::Passwords;
use crate::service::placement::Shared;
use crate::service::pulse::Pulse;
use crate::service::remembered::{A_MOMENT, Remembered};
use crate::service::setup::SetupCode;
use crate::service::uploads::{self, Uploads};
use crate::service::volumes::{self, Machine};
use crate::tls::{Fault, Tls};
use crate::verdicts::Verdicts;

/// Most callers that are remembered at once.
const CALLERS: usize = 1024;

/// The server; clones are the same server.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What the server consists of.
pub struct Inner {
    /// The effective settings.
    pub config: Config,
    /// The catalogue.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The drives that are open.
    pub drives: Arc<Drives>,
    /// What tells of this machine's disks, and what it told.
    pub machine: Machine,
    /// The server's secrets.
    pub keys: Keys,
    /// Hashes account passwords.
    pub passwords: Passwords,
    /// Passwords found right a moment ago.
    pub verdicts: Verdicts,
    /// Who was found behind a credential a moment ago.
    pub callers: Remembered<Proof, Caller>,
    /// The first account's code.
    pub setup: SetupCode,
    /// Resumable uploads that somebody is adding to, or was a while ago.
    pub uploads: Uploads,
    /// Long work: what this process has in hand, and what it does all the time.
    pub jobs: Arc<Jobs>,
    /// Requests with an `Idempotency-Key` that are being carried out.
    pub running: Running,
    /// Wakes those who follow what happens.
    pub pulse: Arc<Pulse>,
    /// How many followers each account (internal id) has.
    pub followers: Mutex<HashMap<i64, usize>>,
    /// The server's public id.
    pub server_id: String,
    tls: OnceLock<OverTls>,
    attempts: Mutex<Attempts>,
    serving: AtomicBool,
    draining: watch::Sender<bool>,
    acts: TaskTracker,
}

/// What this process serves over TLS.
#[derive(Debug, Clone)]
pub struct OverTls {
    /// Certificate and key, and the authority if it is the server's own.
    pub tls: Arc<Tls>,
    /// The port.
    pub port: u16,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Opens the data directory and the catalogue. Serves nothing yet and starts no work of its own: the commands that
    /// only look something up or change one row use it too.
    ///
    /// # Errors
    /// When the directory or the catalogue cannot be opened, or its version does not fit this program.
    pub async fn open(config: Config, clock: Clock) -> Result<Self> {
        let keys = open_data_dir(&config)?;
        let db = Db::connect(config.database_url.reveal()).await?;
        if config.migrate {
            migrate::up(&db, None).await?;
        } else if migrate::status(&db).await?.iter().any(|step| !step.applied) {
            return Err(Error::conflict(
                "the catalogue is older than this program and `migrate` is off; run `holdfastd migrate up`",
            ));
        }
        let shared = Shared { db: db.clone(), clock: clock.clone(), epoch: drives::epoch(&db).await? };
        let drives = Drives::new(shared, config.data_dir.join("drives"));
        let pulse = Arc::new(Pulse::default());
        let (felt, placers) = (Arc::clone(&pulse), Arc::downgrade(&drives));
        db.on_commit(Box::new(move |committed| {
            felt.committed(&committed);
            if let Some(drives) = placers.upgrade() {
                committed.drives.iter().for_each(|drive| drives.kick(*drive));
            }
        }));
        let server_id = db.write(|tx| Box::pin(settings::server_id(tx))).await?;
        let window = i64::try_from(config.limits.login_window.as_micros()).unwrap_or(i64::MAX / 4);
        let rate = |tokens| Rate { tokens, window };
        let attempts =
            Attempts::new(rate(config.limits.login_attempts_per_address), rate(config.limits.login_attempts));
        let machine = Machine::new(&config.volumes.source);
        let (draining, acts) = (watch::Sender::new(false), TaskTracker::new());
        let jobs = Jobs::new(db.clone(), clock.clone(), acts.clone(), draining.subscribe());
        Ok(Self(Arc::new(Inner {
            config,
            machine,
            db,
            clock,
            drives,
            keys,
            passwords: Passwords::default(),
            verdicts: Verdicts::default(),
            callers: Remembered::new(CALLERS, A_MOMENT),
            setup: SetupCode::default(),
            uploads: Uploads::default(),
            jobs,
            running: Running::default(),
            pulse,
            followers: Mutex::default(),
            server_id,
            tls: OnceLock::new(),
            attempts: Mutex::new(attempts),
            serving: AtomicBool::new(false),
            draining,
            acts,
        })))
    }

    /// Runs an act to its end, whether or not whoever asked for it stays: a client that leaves must not leave a commit
    /// unknown or something staged behind (algorithms A, "detached from the request").
    ///
    /// # Errors
    /// The act's own.
    pub async fn act<T: Send + 'static>(
        &self,
        act: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.acts.spawn(act).await.map_err(Error::internal)?
    }

    /// Lets the acts under way and the server's own work come to their end, then closes the drives and the catalogue.
    pub async fn close(&self) {
        self.drain();
        self.acts.close();
        self.acts.wait().await;
        self.drives.stop().await;
        self.db.close().await;
    }

    /// Opens the drives: from now on this process is the one that serves their folders.
    ///
    /// # Errors
    /// The catalogue's; a drive that cannot be opened is offline, not an error.
    pub async fn start(&self) -> Result<()> {
        self.serving.store(true, Ordering::Relaxed);
        self.drives.start().await?;
        self.acts.spawn(uploads::clean(self.clone()));
        self.acts.spawn(once::clean(self.clone()));
        jobs::at_start(self).await?;
        if self.machine.is_looked_at() {
            self.jobs.stand(VOLUME_MONITOR, |beat| volumes::watch(self.clone(), beat));
        }
        Ok(())
    }

    /// Whether this process serves the drives' folders; a command that only changes the catalogue does not.
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    /// Opens what the settings say about TLS, if they do.
    ///
    /// # Errors
    /// A sentence that names the setting or the file that cannot be used.
    pub fn open_tls(&self) -> Result<Option<Arc<Tls>>, Fault> {
        let open = |settings| Tls::open(settings, &self.config.data_dir, &self.clock).map(Arc::new);
        self.config.tls.as_ref().map(open).transpose()
    }

    /// From now on this is served over TLS; said once.
    pub fn serves_tls(&self, served: OverTls) {
        // A second time would be another server's.
        let _ = self.tls.set(served);
    }

    /// What is served over TLS, if anything is.
    pub fn over_tls(&self) -> Option<&OverTls> {
        self.tls.get()
    }

    /// Asks for one try at a secret, from an address, at a name.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub fn admit(&self, address: IpAddr, account: &str) -> Result<()> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.admit(self.clock.now(), address, account).map_err(|wait| {
            Error::new(Kind::TooMany, "too many attempts; try again later")
                .code("too-many-attempts")
                .retry_after(wait.0)
        })
    }

    /// The try was right and does not count.
    pub fn succeeded(&self, address: IpAddr, account: &str) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.succeeded(self.clock.now(), address, account);
    }

    /// Whether the server can do its work now.
    ///
    /// # Errors
    /// 503 with what is in the way.
    pub async fn ready(&self) -> Result<()> {
        if self.is_draining() {
            return Err(Error::unavailable("the server is stopping", 5));
        }
        let answer = self.db.read(|tx| Box::pin(settings::get(tx, "server_id"))).await;
        answer
            .map(drop)
            .map_err(|error| Error::unavailable("the catalogue does not answer", 5).because(error))
    }

    /// From now on the server only finishes what it has begun.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether the server only finishes what it has begun.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the server only finishes what it has begun.
    pub async fn drained(&self) {
        // Whoever could say so being gone means the same.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }
}

fn open_data_dir(config: &Config) -> Result<Keys> {
    let told = |what: &str, error: std::io::Error| {
        let folder = config.data_dir.display();
        Error::unavailable(format!("{what} {folder}: {error}"), 0).because(error)
    };
    keys::make_data_dir(&config.data_dir).map_err(|error| told("cannot make the data directory", error))?;
    Keys::open(&config.data_dir).map_err(|error| told("cannot read the key in", error))
}
