//! Contents of concurrent requests are made durable together (design section 5): while one sync runs, those that come
//! meanwhile gather for the next one. Nobody waits for company: the first one's sync begins at once.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::SlotId;
use super::drive::FolderDrive;

/// Most contents of one sync.
const MOST: usize = 256;
/// Most where the disk is quick: more would hardly take less time each, and while some are synced, those before them are
/// committed and placed.
const FEW: usize = 8;
/// Whether it is: so long for one sync.
const QUICK: Duration = Duration::from_millis(4);

/// Whom to tell, and of which slot.
type Waiting = (SlotId, oneshot::Sender<Result<(), Arc<io::Error>>>);

#[derive(Default)]
pub(super) struct Gathering(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    syncing: bool,
    /// How long the last sync took.
    took: Duration,
}

impl Gathering {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True: nobody syncs, so whoever asked has to.
    fn join(&self, one: Waiting) -> bool {
        let mut state = self.state();
        state.waiting.push_back(one);
        !std::mem::replace(&mut state.syncing, true)
    }

    /// The next ones to be synced; when there are none, the sync under way was the last. It took so long.
    fn next(&self, took: Option<Duration>) -> Vec<Waiting> {
        let mut state = self.state();
        state.took = took.unwrap_or(state.took);
        let count = state.waiting.len().min(if state.took < QUICK { FEW } else { MOST });
        state.syncing = count > 0;
        state.waiting.drain(..count).collect()
    }
}

/// Whoever syncs for all. Should it end by a fault, those that wait are told by their channel, and the next one that comes
/// syncs.
struct Turn<'g>(&'g Gathering);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.state() = State::default();
        }
    }
}

impl FolderDrive {
    /// As [`FolderDrive::make_durable`] of one slot, together with others that are asked for at the same time.
    ///
    /// # Errors
    /// As there, also for what one of the others met.
    pub async fn make_durable_together(self: &Arc<Self>, slot: SlotId) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        if self.gathering.join((slot, tell)) {
            let drive = Arc::clone(self);
            tokio::task::spawn_blocking(move || {
                let _turn = Turn(&drive.gathering);
                let mut took = None;
                loop {
                    let batch = drive.gathering.next(took);
                    if batch.is_empty() {
                        return;
                    }
                    let slots: Vec<SlotId> = batch.iter().map(|(slot, _)| *slot).collect();
                    let began = Instant::now();
                    let done = drive.make_durable(&slots).map_err(Arc::new);
                    took = Some(began.elapsed());
                    for (_, tell) in batch {
                        // Who no longer waits has left its slot to be discarded.
                        let _ = tell.send(done.clone());
                    }
                }
            });
        }
        match told.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(io::Error::new(error.kind(), error)),
            Err(_) => Err(io::Error::other("the sync ended without an answer")),
        }
    }
}
