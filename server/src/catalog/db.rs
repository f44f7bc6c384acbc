//! The connection to the catalogue: [`Db`] and a transaction [`Tx`], on either engine.
//!
//! Writes go through one writer (`writer.rs`); reads use a pool and see one snapshot.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Postgres, Transaction};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::sql::{self, sqlite};
pub use super::writer::AMBIGUOUS;
use super::writer::{self, Counts, Line};
use crate::catalog::events::Event;
use crate::error::{Error, Result};

/// Most connections for reading.
const READERS: u32 = 8;
/// Cache of each of them: the system's holds what all of them read.
const READER_KIB: u32 = 8 * 1024;
/// Cache of the writing connection.
const WRITER_KIB: u32 = 32 * 1024;

/// A future that a closure over a transaction returns.
pub type TxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Which engine keeps the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// SQLite in the data directory.
    Sqlite,
    /// A Postgres server.
    Postgres,
}

/// A transaction's connection on one of the engines.
#[derive(Debug)]
pub(super) enum Engine {
    Sqlite(sqlite::Transaction),
    Postgres(Transaction<'static, Postgres>),
}

/// What a committed closure asks to be told to the rest of the process.
#[derive(Debug, Default, Clone)]
pub struct Committed {
    /// Lines of the activity log, in order.
    pub events: Vec<Event>,
    /// Drives (internal ids) that got placements to do.
    pub drives: Vec<i64>,
    /// Drives (internal ids) whose heads moved, and where to, in order.
    pub heads: Vec<(i64, i64)>,
    /// An account, or something that proves one, was changed or taken back.
    pub accounts: bool,
}

/// A transaction. Catalogue functions take `&mut Tx`; what they leave in [`Tx::after`] is published after the commit.
#[derive(Debug)]
pub struct Tx {
    pub(super) engine: Engine,
    /// Published once the commit is durable; dropped with a rollback.
    pub after: Committed,
}

/// How much was left to be published when a part began.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    events: usize,
    drives: usize,
    heads: usize,
}

impl Committed {
    pub(super) fn mark(&self) -> Part {
        Part { events: self.events.len(), drives: self.drives.len(), heads: self.heads.len() }
    }

    pub(super) fn take_back(&mut self, to: Part) {
        self.events.truncate(to.events);
        self.drives.truncate(to.drives);
        self.heads.truncate(to.heads);
    }
}

impl Tx {
    fn new(engine: Engine) -> Self {
        Self { engine, after: Committed::default() }
    }

    /// Which engine this is, for the few texts that must differ.
    pub fn engine_name(&self) -> EngineName {
        match self.engine {
            Engine::Sqlite(_) => EngineName::Sqlite,
            Engine::Postgres(_) => EngineName::Postgres,
        }
    }

    /// Begins a part of this transaction that can be undone alone; it ends with [`Tx::keep_part`] or [`Tx::undo_part`].
    ///
    /// # Errors
    /// The engine's: then nothing of the whole can be kept.
    pub async fn begin_part(&mut self) -> Result<Part> {
        self.plain("SAVEPOINT part").await?;
        Ok(self.after.mark())
    }

    /// Ends a part that stays.
    ///
    /// # Errors
    /// As [`Tx::begin_part`].
    pub async fn keep_part(&mut self) -> Result<()> {
        Ok(self.plain("RELEASE SAVEPOINT part").await?)
    }

    /// Undoes a part, with what it left to be published.
    ///
    /// # Errors
    /// As [`Tx::begin_part`]; also when the engine gave the whole transaction up.
    pub async fn undo_part(&mut self, part: Part) -> Result<()> {
        self.plain("ROLLBACK TO SAVEPOINT part").await?;
        self.plain("RELEASE SAVEPOINT part").await?;
        self.after.take_back(part);
        Ok(())
    }

    /// A statement that takes no values and returns no rows.
    pub(super) async fn plain(&mut self, sql: &'static str) -> Result<(), sql::Error> {
        match &mut self.engine {
            Engine::Sqlite(transaction) => sqlite::execute(transaction, sql, &[])?,
            Engine::Postgres(transaction) => {
                sqlx::raw_sql(sql).execute(&mut **transaction).await?.rows_affected()
            }
        };
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<Committed, sql::Error> {
        match self.engine {
            Engine::Sqlite(transaction) => transaction.commit()?,
            Engine::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(self.after)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Pools {
    Sqlite { path: Arc<Path>, readers: Arc<sqlite::Pool>, writer: Arc<sqlite::Pool> },
    Postgres(PgPool),
}

impl Pools {
    /// Begins what the writer commits.
    pub(super) async fn begin(&self) -> Result<Tx, sql::Error> {
        Ok(Tx::new(match self {
            Self::Sqlite { writer, .. } => Engine::Sqlite(writer.begin().await?),
            Self::Postgres(pool) => Engine::Postgres(pool.begin().await?),
        }))
    }
}

/// Called after each commit with what it published.
pub type CommitHook = Box<dyn Fn(Committed) + Send + Sync>;

/// The catalogue.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    line: Line,
    hook: Arc<OnceLock<CommitHook>>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("engine", &self.engine_name()).finish_non_exhaustive()
    }
}

impl Db {
    /// Connects and starts the writer. `url` is `sqlite:PATH` (created when absent, for its owner alone) or
    /// `postgres://..`.
    ///
    /// # Errors
    /// When the database cannot be opened or reached.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(url)
            .await
            .map_err(|source| Error::unavailable("the catalogue cannot be opened", 5).because(source))
    }

    async fn open(url: &str) -> Result<Self, sql::Error> {
        let pools = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?;
            let path = options.get_filename();
            make_private(path).map_err(sqlx::Error::Io)?;
            // Begun as a writer: one that reads first and writes then is refused at once when another wrote between.
            let writer = sqlite::Pool::open(path, 1, WRITER_KIB, "BEGIN IMMEDIATE")?;
            let readers = sqlite::Pool::open(path, READERS, READER_KIB, "BEGIN")?;
            Pools::Sqlite { path: path.into(), readers, writer }
        } else {
            let options = PgConnectOptions::from_str(url)?.statement_cache_capacity(256);
            Pools::Postgres(PgPoolOptions::new().max_connections(12).connect_with(options).await?)
        };
        let hook = Arc::new(OnceLock::new());
        let counts = Arc::new(Counts::default());
        let line =
            writer::start(pools.clone(), Arc::clone(&hook), Arc::clone(&counts)).map_err(sqlx::Error::Io)?;
        Ok(Self { pools, line, hook, counts })
    }

    /// How often this process has committed: what was read under a number is what the catalogue holds as long as the
    /// number is the same, unless another process writes to it.
    pub fn commits(&self) -> u64 {
        self.counts.commits()
    }

    /// As [`Db::commits`], of changes to accounts and to what proves them alone.
    pub fn account_changes(&self) -> u64 {
        self.counts.account_changes()
    }

    /// Waits for what was handed in and closes all connections; SQLite then leaves one file, without a log beside it.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }

    /// Which engine keeps this catalogue.
    pub fn engine_name(&self) -> EngineName {
        match self.pools {
            Pools::Sqlite { .. } => EngineName::Sqlite,
            Pools::Postgres(_) => EngineName::Postgres,
        }
    }

    /// Sets what is called after each commit; only the first call counts.
    pub fn on_commit(&self, hook: CommitHook) {
        let _ = self.hook.set(hook);
    }

    /// Runs a closure in the writer's next batch and returns after its commit is durable. The closure must not wait
    /// for anything but the transaction. An `Err` from it rolls back its own changes alone.
    ///
    /// # Errors
    /// The closure's own, or the catalogue's when the batch could not be committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send + 'static,
    {
        self.line.run(work, false).await
    }

    /// As [`Db::write`], for a closure of very many acts that makes each a part ([`Tx::begin_part`]). An `Err` from it is not
    /// undone alone: the whole batch fails with it, so it is for what leaves no other way.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_in_parts<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send + 'static,
    {
        self.line.run(work, true).await
    }

    /// Runs a closure over one snapshot for reading; whatever it wrote is rolled back.
    ///
    /// # Errors
    /// The closure's own, or the catalogue's.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send,
    {
        self.look(work, false).await
    }

    /// As [`Db::read`], of a few rows by their keys: what SQLite answers sooner than another thread could take over.
    ///
    /// # Errors
    /// As there.
    pub async fn glance<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send,
    {
        self.look(work, true).await
    }

    async fn look<T, F>(&self, work: F, short: bool) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send,
    {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let mut tx = Tx::new(Engine::Sqlite(readers.begin().await?));
                if short { work(&mut tx).await } else { apart(work(&mut tx)).await }
            }
            Pools::Postgres(pool) => {
                let begin = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
                let begun = pool.begin_with(begin).await.map_err(sql::Error::from)?;
                let mut tx = Tx::new(Engine::Postgres(begun));
                let result = work(&mut tx).await;
                if let Engine::Postgres(transaction) = tx.engine {
                    transaction.rollback().await.map_err(sql::Error::from)?;
                }
                result
            }
        }
    }

    /// Runs the body of a migration tool, on SQLite over a connection of its own.
    pub(super) async fn migrator(&self, run: super::migrate::Run) -> Result<(), sqlx::migrate::MigrateError> {
        match &self.pools {
            Pools::Sqlite { path, .. } => {
                let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
                let done = run.on_sqlite(&pool).await;
                pool.close().await;
                done
            }
            Pools::Postgres(pool) => run.on_postgres(pool).await,
        }
    }
}

/// The engine would make it readable for everybody; its log files get the mode of this one.
fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

/// Runs what SQLite answers, which it does before it returns. Where the runtime has other threads, they go on meanwhile
/// with what this one would have done.
async fn apart<T>(mut reads: TxFuture<'_, T>) -> Result<T> {
    let many = Handle::try_current().is_ok_and(|own| own.runtime_flavor() == RuntimeFlavor::MultiThread);
    let mut at_once = || (&mut reads).now_or_never();
    let read = if many { tokio::task::block_in_place(at_once) } else { at_once() };
    match read {
        Some(read) => read,
        // It waits for something else.
        None => reads.await,
    }
}
