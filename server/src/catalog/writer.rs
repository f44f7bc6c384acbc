//! The writer: one at a time it runs what waits, each closure under a savepoint of its own, and commits a batch at once
//! (algorithms A, Writer).

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::db::{CommitHook, Committed, Pools, Tx, TxFuture};
use super::sql;
use crate::error::{Error, Kind, Result};

/// Most closures that one commit carries.
const BATCH: usize = 256;
/// Most closures that wait for the writer; beyond it callers wait in line.
const QUEUE: usize = 4096;

/// Starts the writer; it ends with the last of the lines to it.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn start(
    pools: Pools,
    hook: Arc<OnceLock<CommitHook>>,
    counts: Arc<Counts>,
) -> std::io::Result<Line> {
    let (line, queued) = mpsc::channel(QUEUE);
    let on_a_thread = matches!(pools, Pools::Sqlite { .. });
    let writer = writer(pools, queued, hook, counts);
    if on_a_thread {
        // SQLite works on the thread that asks, and syncs there.
        let runtime = Handle::current();
        std::thread::Builder::new().name("catalogue".to_owned()).spawn(move || runtime.block_on(writer))?;
    } else {
        tokio::spawn(writer);
    }
    Ok(Line(line))
}

/// Where writes line up.
#[derive(Clone)]
pub(super) struct Line(mpsc::Sender<Box<dyn Queued>>);

impl Line {
    /// As `Db::write`, or with `in_parts` as `Db::write_in_parts`.
    pub(super) async fn run<T, F>(&self, work: F, in_parts: bool) -> Result<T>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job { work: Some(work), in_parts, result: None, reply });
        self.0.send(job).await.map_err(|_| closed())?;
        // Without an answer the writer ended with the job in its hands, perhaps after the commit.
        answer.await.map_err(|_| closed().code(AMBIGUOUS))?
    }
}

fn closed() -> Error {
    Error::unavailable("the server is stopping", 5)
}

/// A closure in the writer's line, its answer kept beside it until the commit.
trait Queued: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>>;
    fn in_parts(&self) -> bool;
    fn answer(self: Box<Self>, commit: std::result::Result<(), Error>);
}

struct Job<T, F> {
    work: Option<F>,
    /// It undoes by itself what is not to stay.
    in_parts: bool,
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

    fn in_parts(&self) -> bool {
        self.in_parts
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

/// What was committed by this process, counted before anybody is answered.
#[derive(Debug, Default)]
pub(super) struct Counts {
    commits: AtomicU64,
    accounts: AtomicU64,
}

impl Counts {
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    pub(super) fn account_changes(&self) -> u64 {
        self.accounts.load(Ordering::SeqCst)
    }

    /// A batch was committed, or may have been.
    fn add(&self, accounts: bool) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if accounts {
            self.accounts.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The error of a closure that panicked; what it says is for the log alone.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
    tracing::error!(panic = said, "a write panicked and was rolled back");
    Error::internal(format!("a write panicked: {said}"))
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
    source: sql::Error,
    /// The commit itself failed: whether it stands is not known.
    ambiguous: bool,
}

/// Exit code after a failed sync of the catalogue: `EX_IOERR` of sysexits.h.
const EXIT_IO: i32 = 74;
impl BatchFailure {
    /// Whether SQLite could not write or sync its file at the commit.
    fn is_failed_sync(&self) -> bool {
        self.ambiguous && self.source.is_disk_failure()
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
    let mut tx = pools.begin().await.map_err(plain)?;
    for job in batch {
        if job.in_parts() {
            // Savepoints within one that holds very much are dear: SQLite walks through all that was kept for that one.
            if !job.run(&mut tx).await {
                return Err(plain(sql::Error::GivenUp));
            }
            continue;
        }
        tx.plain("SAVEPOINT op").await.map_err(plain)?;
        let kept = tx.after.mark();
        if job.run(&mut tx).await {
            tx.plain("RELEASE SAVEPOINT op").await.map_err(plain)?;
        } else {
            // Also fails when the engine gave the whole transaction up (full disk): then nothing of the batch counts.
            tx.plain("ROLLBACK TO SAVEPOINT op").await.map_err(plain)?;
            tx.after.take_back(kept);
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
        BatchFailure {
            source: sql::Error::Postgres(sqlx::Error::Protocol("database or disk is full".to_owned())),
            ambiguous,
        }
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
        let line = Line(line);
        let writes = line.run(|_| Box::pin(async { Ok(()) }), false);
        let (answer, job) = tokio::join!(writes, async {
            let job = queued.recv().await;
            drop(queued);
            job.is_some()
        });
        assert!(job);
        assert_eq!(answer.unwrap_err().problem_code(), Some(AMBIGUOUS));
        let refused = line.run(|_| Box::pin(async { Ok(()) }), false).await.unwrap_err();
        assert_eq!(refused.problem_code(), None, "what was never taken was not written");
    }
}
