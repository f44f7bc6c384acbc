//! The connection to the catalogue: [`Db`], a transaction [`Tx`], and [`on!`](crate::on), which compiles one body for
//! both engines.
//!
//! Every write goes through one writer task. While one commit syncs, the next batch forms; each closure of a batch
//! runs under its own savepoint, so one that fails takes nothing else with it; all are answered after the one commit
//! (algorithms A, Writer). Reads use a pool and see one snapshot.

use std::any::Any;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Postgres, Sqlite, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::catalog::events::Event;
use crate::error::{Error, Kind, Result};

/// Most closures that one commit carries.
const BATCH: usize = 256;
/// Most closures that wait for the writer; beyond it callers wait in line.
const QUEUE: usize = 4096;

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
pub enum Engine {
    /// SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// Postgres.
    Postgres(Transaction<'static, Postgres>),
}

/// What a committed closure asks to be told to the rest of the process.
#[derive(Debug, Default, Clone)]
pub struct Committed {
    /// Lines of the activity log, in order.
    pub events: Vec<Event>,
    /// Drives (internal ids) that got placements to do.
    pub drives: Vec<i64>,
    /// An account, or something that proves one, was changed or taken back.
    pub accounts: bool,
}

/// A transaction. Catalogue functions take `&mut Tx`; what they leave in [`Tx::after`] is published after the commit.
#[derive(Debug)]
pub struct Tx {
    /// The connection, for [`on!`](crate::on).
    pub engine: Engine,
    /// Published once the commit is durable; dropped with a rollback.
    pub after: Committed,
}

/// Runs one body on whichever engine a [`Tx`] has: `on!(tx, |c| sqlx::query(SQL).bind(x).execute(c).await)`.
#[macro_export]
macro_rules! on {
    ($tx:expr, |$c:ident| $body:expr) => {
        match &mut $tx.engine {
            $crate::catalog::db::Engine::Sqlite(transaction) => {
                let $c = &mut **transaction;
                $body
            }
            $crate::catalog::db::Engine::Postgres(transaction) => {
                let $c = &mut **transaction;
                $body
            }
        }
    };
}

/// Runs a statement that returns no rows on whichever engine a [`Tx`] has; gives the number of rows it touched:
/// `execute!(tx, sqlx::query(SQL).bind(x))?`.
#[macro_export]
macro_rules! execute {
    ($tx:expr, $query:expr) => {
        match &mut $tx.engine {
            $crate::catalog::db::Engine::Sqlite(transaction) => {
                $query.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            $crate::catalog::db::Engine::Postgres(transaction) => {
                $query.execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
        }
    };
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

    /// A statement that takes no values and returns no rows.
    async fn plain(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        on!(self, |c| sqlx::raw_sql(sql).execute(c).await.map(drop))
    }

    async fn commit(self) -> Result<Committed, sqlx::Error> {
        match self.engine {
            Engine::Sqlite(transaction) => transaction.commit().await?,
            Engine::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(self.after)
    }
}

#[derive(Debug, Clone)]
enum Pools {
    Sqlite { readers: SqlitePool, writer: SqlitePool },
    Postgres(PgPool),
}

/// A closure in the writer's line, its answer kept beside it until the commit.
trait Queued: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
    fn answer(self: Box<Self>, commit: std::result::Result<(), Error>);
}

struct Job<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Queued for Job<T, F>
where
    T: Send + 'static,
    F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            // One closure's fault must not end the writer, which all others wait for.
            let whole = AssertUnwindSafe(async { work(tx).await });
            let result = whole.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn answer(self: Box<Self>, commit: std::result::Result<(), Error>) {
        let answer = match (self.result, commit) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(refused)), _) => Err(refused),
            (_, Err(failed)) => Err(failed),
            (None, Ok(())) => Err(Error::internal("a write was answered without having run")),
        };
        // A caller that has gone away needs no answer; the commit stands.
        let _ = self.reply.send(answer);
    }
}

/// Called after each commit with what it published.
pub type CommitHook = Box<dyn Fn(Committed) + Send + Sync>;

/// The catalogue.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    line: mpsc::Sender<Box<dyn Queued>>,
    hook: Arc<OnceLock<CommitHook>>,
    counts: Arc<Counts>,
}

/// What was committed by this process, counted before anybody is answered.
#[derive(Debug, Default)]
struct Counts {
    commits: AtomicU64,
    accounts: AtomicU64,
}

impl Counts {
    /// A batch was committed, or may have been.
    fn add(&self, accounts: bool) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if accounts {
            self.accounts.fetch_add(1, Ordering::SeqCst);
        }
    }
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

    async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let pools = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(Duration::from_secs(30))
                .pragma("cache_size", "-32768")
                .pragma("temp_store", "memory")
                .statement_cache_capacity(256);
            make_private(options.get_filename())?;
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .min_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                // When SQLite gave a transaction up by itself (a full disk), sqlx still counts it as open and begins no
                // other on that connection: a new one takes its place.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
                .connect_with(options.clone())
                .await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(8)
                .idle_timeout(None)
                .max_lifetime(None)
                // Each has a cache of its own; the system's holds what all of them read.
                .connect_with(options.pragma("cache_size", "-8192"))
                .await?;
            Pools::Sqlite { readers, writer }
        } else {
            let options = PgConnectOptions::from_str(url)?.statement_cache_capacity(256);
            Pools::Postgres(PgPoolOptions::new().max_connections(12).connect_with(options).await?)
        };
        let (line, queued) = mpsc::channel(QUEUE);
        let hook = Arc::new(OnceLock::new());
        let counts = Arc::new(Counts::default());
        tokio::spawn(writer(pools.clone(), queued, Arc::clone(&hook), Arc::clone(&counts)));
        Ok(Self { pools, line, hook, counts })
    }

    /// How often this process has committed: what was read under a number is what the catalogue holds as long as the
    /// number is the same, unless another process writes to it.
    pub fn commits(&self) -> u64 {
        self.counts.commits.load(Ordering::SeqCst)
    }

    /// As [`Db::commits`], of changes to accounts and to what proves them alone.
    pub fn account_changes(&self) -> u64 {
        self.counts.accounts.load(Ordering::SeqCst)
    }

    /// Waits for what was handed in and closes all connections; SQLite then leaves one file, without a log beside it.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
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
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job { work: Some(work), result: None, reply });
        self.line.send(job).await.map_err(|_| closed())?;
        // Without an answer the writer ended with the job in its hands, perhaps after the commit.
        answer.await.map_err(|_| closed().code(AMBIGUOUS))?
    }

    /// Runs a closure over one snapshot for reading; whatever it wrote is rolled back.
    ///
    /// # Errors
    /// The closure's own, or the catalogue's.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send,
    {
        let engine = match &self.pools {
            Pools::Sqlite { readers, .. } => Engine::Sqlite(readers.begin().await?),
            Pools::Postgres(pool) => Engine::Postgres(
                pool.begin_with("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?,
            ),
        };
        let mut tx = Tx::new(engine);
        let result = work(&mut tx).await;
        match tx.engine {
            Engine::Sqlite(transaction) => transaction.rollback().await?,
            Engine::Postgres(transaction) => transaction.rollback().await?,
        }
        result
    }

    /// Runs the body of a migration tool on the writing connection's pool.
    pub(super) async fn migrator(&self, run: super::migrate::Run) -> Result<(), sqlx::migrate::MigrateError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => run.on_sqlite(writer).await,
            Pools::Postgres(pool) => run.on_postgres(pool).await,
        }
    }
}

/// The engine would make it readable for everybody; its log files get the mode of this one.
fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn closed() -> Error {
    Error::unavailable("the server is stopping", 5)
}

/// The error of a closure that panicked; what it says is for the log alone.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
    tracing::error!(panic = said, "a write panicked and was rolled back");
    Error::internal(format!("a write panicked: {said}"))
}

async fn begin(pools: &Pools) -> Result<Tx, sqlx::Error> {
    Ok(Tx::new(match pools {
        Pools::Sqlite { writer, .. } => Engine::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
        Pools::Postgres(pool) => Engine::Postgres(pool.begin().await?),
    }))
}

/// The writer: takes what waits, runs it, commits once, answers.
async fn writer(
    pools: Pools,
    mut queued: mpsc::Receiver<Box<dyn Queued>>,
    hook: Arc<OnceLock<CommitHook>>,
    counts: Arc<Counts>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queued.recv_many(&mut batch, BATCH).await > 0 {
        let outcome = run_batch(&pools, &mut batch).await;
        match outcome {
            Ok(committed) => {
                counts.add(committed.accounts);
                if let Some(hook) = hook.get() {
                    // The commit stands whatever its hearers make of it.
                    let told = std::panic::catch_unwind(AssertUnwindSafe(|| hook(committed)));
                    if let Err(panic) = told {
                        panicked(&*panic);
                    }
                }
                batch.drain(..).for_each(|job| job.answer(Ok(())));
            }
            Err(failure) => {
                counts.add(true);
                tracing::error!(error = %failure.source, ambiguous = failure.ambiguous, "a batch of writes failed");
                if failure.is_failed_sync() {
                    // What a failed sync left in memory is not what is on disk: only a new start tells (algorithms A).
                    tracing::error!("the catalogue's disk failed while it was written: stopping");
                    std::process::exit(EXIT_IO);
                }
                batch.drain(..).for_each(|job| job.answer(Err(failure.told())));
            }
        }
    }
}

struct BatchFailure {
    source: sqlx::Error,
    /// The commit itself failed: whether it stands is not known.
    ambiguous: bool,
}

/// Exit code after a failed sync of the catalogue: `EX_IOERR` of sysexits.h.
const EXIT_IO: i32 = 74;
/// SQLite's primary result code for an error of the disk.
const SQLITE_IOERR: u32 = 10;

impl BatchFailure {
    /// Whether SQLite could not write or sync its file at the commit.
    fn is_failed_sync(&self) -> bool {
        let sqlx::Error::Database(error) = &self.source else { return false };
        let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() else { return false };
        let code = sqlx::error::DatabaseError::code(error).and_then(|code| code.parse::<u32>().ok());
        self.ambiguous && code.is_some_and(|code| code & 0xff == SQLITE_IOERR)
    }

    /// What each caller of the batch learns.
    fn told(&self) -> Error {
        let text = self.source.to_string();
        let error = if text.contains("disk is full") || text.contains("disk full") {
            Error::new(Kind::NoSpace, "no space is left for the catalogue")
        } else {
            Error::unavailable("the catalogue could not be written", 5)
        };
        let error = error.because(text);
        if self.ambiguous { error.code(AMBIGUOUS) } else { error }
    }
}

/// The code of an error after which it is not known whether the write stands.
pub const AMBIGUOUS: &str = "write-outcome-unknown";

async fn run_batch(pools: &Pools, batch: &mut [Box<dyn Queued>]) -> Result<Committed, BatchFailure> {
    let plain = |source| BatchFailure { source, ambiguous: false };
    let mut tx = begin(pools).await.map_err(plain)?;
    for job in batch {
        tx.plain("SAVEPOINT op").await.map_err(plain)?;
        let kept = (tx.after.events.len(), tx.after.drives.len());
        if job.run(&mut tx).await {
            tx.plain("RELEASE SAVEPOINT op").await.map_err(plain)?;
        } else {
            // Also fails when the engine gave the whole transaction up (full disk): then nothing of the batch counts.
            tx.plain("ROLLBACK TO SAVEPOINT op").await.map_err(plain)?;
            tx.after.events.truncate(kept.0);
            tx.after.drives.truncate(kept.1);
        }
    }
    crate::failpoint::hit("catalog.before-commit");
    let committed = tx.commit().await.map_err(|source| BatchFailure { source, ambiguous: true })?;
    crate::failpoint::hit("catalog.after-commit");
    Ok(committed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn full(ambiguous: bool) -> Error {
        BatchFailure { source: sqlx::Error::Protocol("database or disk is full".to_owned()), ambiguous }
            .told()
    }

    #[test]
    fn a_full_disk_at_the_commit_leaves_the_outcome_unknown() {
        assert_eq!((full(true).kind(), full(true).problem_code()), (Kind::NoSpace, Some(AMBIGUOUS)));
        assert_eq!((full(false).kind(), full(false).problem_code()), (Kind::NoSpace, None));
    }

    #[tokio::test]
    async fn a_writer_that_ends_without_an_answer_leaves_the_outcome_unknown() {
        let (line, mut queued) = mpsc::channel::<Box<dyn Queued>>(1);
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&format!("sqlite:{}", folder.path().join("c.db").display())).await.unwrap();
        let db = Db { line, ..db };
        let writes = db.write(|_| Box::pin(async { Ok(()) }));
        let (answer, job) = tokio::join!(writes, async {
            let job = queued.recv().await;
            drop(queued);
            job.is_some()
        });
        assert!(job);
        assert_eq!(answer.unwrap_err().problem_code(), Some(AMBIGUOUS));
        let refused = db.write(|_| Box::pin(async { Ok(()) })).await.unwrap_err();
        assert_eq!(refused.problem_code(), None, "what was never taken was not written");
    }
}
