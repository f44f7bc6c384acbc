//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request whose answer was lost is made again with the
//! same key, is not carried out again, and gets the answer of then (`docs/design/007-batches-and-streams.md`).
//!
//! Of a move or copy the answer is kept in its own transaction: after a crash it was done and is known, or neither. Only
//! what was done is kept; a refusal changed nothing, and the same key may try again.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::files::{PutDone, Transfer};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::idempotency::{self as rows, Kept};
use crate::error::{Error, Result};

/// How long an answer is kept, in microseconds.
const LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;
/// Most answers that are kept for an account; beyond, the oldest are forgotten sooner.
const MOST: i64 = 1000;
/// Most bytes that they have together.
const MOST_BYTES: i64 = 16 * 1024 * 1024;
/// Looking through all of an account's is not done for each one: there are so many more of them for a while.
const PRUNE_EVERY: u64 = 64;
/// How often what is over is removed.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// An account and the key of a request of theirs.
type Key = (i64, String);

/// Requests with a key that are being carried out.
#[derive(Debug, Default)]
pub struct Running {
    keys: Arc<Mutex<HashSet<Key>>>,
    asked: AtomicU64,
}

/// A request that is to be done once. While it lives, another with its key is refused.
#[derive(Debug)]
pub struct Once {
    running: Arc<Mutex<HashSet<Key>>>,
    key: Key,
    fingerprint: [u8; 32],
    /// Whether old ones are looked for when it is kept.
    prunes: bool,
    /// The body of the answer to a move or copy.
    told: fn(&Transfer, &PutDone) -> Result<String>,
}

impl Drop for Once {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// How a request with a key is to be answered.
#[derive(Debug)]
pub enum Asked {
    /// By carrying it out.
    First(Arc<Once>),
    /// With the body of then.
    Again(String),
}

/// Looks whether a request was made before. `told` makes the body of its answer, if it is a move or copy.
///
/// # Errors
/// 409 `request-running` while the first is being carried out, 422 `key-reused` when it was another request.
pub async fn asked(
    app: &App,
    key: Key,
    fingerprint: [u8; 32],
    told: fn(&Transfer, &PutDone) -> Result<String>,
) -> Result<Asked> {
    let running = Arc::clone(&app.running.keys);
    if !running.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
        return Err(Error::conflict("a request with this Idempotency-Key is being carried out")
            .code("request-running")
            .retry_after(1));
    }
    let prunes = app.running.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(PRUNE_EVERY);
    let once = Once { running, key, fingerprint, prunes, told };
    let (key, after) = (once.key.clone(), app.clock.now().saturating_sub(LIFETIME));
    let kept =
        app.db.read(move |tx| Box::pin(async move { rows::find(tx, key.0, &key.1, after).await })).await?;
    match kept {
        None => Ok(Asked::First(Arc::new(once))),
        Some(kept) if kept.fingerprint == fingerprint => Ok(Asked::Again(kept.answer)),
        Some(_) => Err(Error::invalid("this Idempotency-Key was another request's").code("key-reused")),
    }
}

impl Once {
    /// Keeps the answer to a move or copy, in the transaction that does it.
    ///
    /// # Errors
    /// The catalogue's.
    pub(super) async fn moved(
        &self,
        tx: &mut Tx,
        transfer: &Transfer,
        done: &PutDone,
        now: i64,
    ) -> Result<()> {
        self.keep(tx, (self.told)(transfer, done)?, now).await
    }

    async fn keep(&self, tx: &mut Tx, answer: String, now: i64) -> Result<()> {
        let kept = Kept { fingerprint: self.fingerprint.to_vec(), answer };
        rows::keep(tx, (self.key.0, &self.key.1), &kept, now).await?;
        if self.prunes {
            rows::prune(tx, self.key.0, MOST, MOST_BYTES).await?;
        }
        Ok(())
    }

    /// Keeps an answer in a transaction of its own, before it is sent.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn answered(self: Arc<Self>, app: &App, answer: String) -> Result<()> {
        let now = app.clock.now();
        app.db.write(move |tx| Box::pin(async move { self.keep(tx, answer, now).await })).await
    }
}

/// Removes what is over, now and then until the server stops.
pub async fn clean(app: App) {
    loop {
        let at = app.clock.now().saturating_sub(LIFETIME);
        if let Err(error) = app.db.write(move |tx| Box::pin(rows::expire(tx, at))).await {
            tracing::warn!(%error, "old answers could not be removed");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.drained() => return,
        }
    }
}
