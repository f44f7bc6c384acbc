//! Whose turn it is at an upload: one request at a time, and the newest before the others. A client whose connection hangs
//! comes again by another, and must not have to wait until the server notices.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};
use uuid::Uuid;

use crate::store::Mark;

/// So many uploads at most are remembered while nobody adds to them: of others the content is read once more when it is
/// whole. Some 300 bytes each.
const REMEMBERED: usize = 4096;

/// The uploads that somebody is adding to, or was a while ago.
#[derive(Default)]
pub struct Uploads {
    live: Mutex<HashMap<Uuid, Arc<Live>>>,
    uses: AtomicU64,
}

struct Live {
    /// Where it stood when it was let go.
    stood: Arc<tokio::sync::Mutex<Option<Mark>>>,
    turns: watch::Sender<u64>,
    used: AtomicU64,
}

/// The turn at an upload.
pub(super) struct Turn {
    stood: OwnedMutexGuard<Option<Mark>>,
    newer: watch::Receiver<u64>,
    _live: Arc<Live>,
}

impl Uploads {
    /// Ends whoever has the turn at an upload, and takes it.
    pub(super) async fn take(&self, id: Uuid) -> Turn {
        let live = self.of(id);
        live.turns.send_modify(|turn| *turn += 1);
        let newer = live.turns.subscribe();
        let stood = Arc::clone(&live.stood).lock_owned().await;
        Turn { stood, newer, _live: live }
    }

    /// Takes the turn if nobody has it.
    pub(super) fn take_idle(&self, id: Uuid) -> Option<Turn> {
        let live = self.of(id);
        let newer = live.turns.subscribe();
        let stood = Arc::clone(&live.stood).try_lock_owned().ok()?;
        Some(Turn { stood, newer, _live: live })
    }

    /// Forgets an upload that is none any more. Whoever waits for a turn at it still gets one, and finds it gone.
    pub(super) fn forget(&self, id: Uuid) {
        let mut live = self.live();
        // While another request has it in its hands, it must find the same turn as those that come later.
        if live.get(&id).is_some_and(|one| Arc::strong_count(one) <= 2) {
            live.remove(&id);
        }
    }

    fn of(&self, id: Uuid) -> Arc<Live> {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut live = self.live();
        if live.len() >= REMEMBERED && !live.contains_key(&id) {
            let idle = live.iter().filter(|(_, one)| Arc::strong_count(one) == 1);
            let oldest = idle.min_by_key(|(_, one)| one.used.load(Ordering::Relaxed)).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                live.remove(&oldest);
            }
        }
        let one = live.entry(id).or_insert_with(|| {
            let turns = watch::Sender::new(0);
            Arc::new(Live { stood: Arc::default(), turns, used: AtomicU64::new(used) })
        });
        one.used.store(used, Ordering::Relaxed);
        Arc::clone(one)
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Where the upload stood when it was let go, if that is remembered.
    pub(super) fn known(&mut self) -> Option<Mark> {
        self.stood.take()
    }

    /// Remembers where it stands.
    pub(super) fn keep(&mut self, mark: Mark) {
        *self.stood = Some(mark);
    }

    /// Returns when somebody else wants it.
    pub(super) async fn is_wanted(&mut self) {
        // The sender lives as long as this turn.
        let _ = self.newer.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_newest_request_ends_the_one_before_it() {
        let uploads = Uploads::default();
        let id = Uuid::from_u128(1);
        let mut first = uploads.take(id).await;
        assert!(tokio::time::timeout(Duration::from_millis(10), first.is_wanted()).await.is_err());
        let (mut second, ()) = tokio::join!(uploads.take(id), async {
            first.is_wanted().await;
            drop(first);
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), second.is_wanted()).await.is_err());
        assert!(uploads.take_idle(id).is_none());
        drop(second);
        assert!(uploads.take_idle(id).is_some());
    }

    #[tokio::test]
    async fn what_is_remembered_stays_within_its_bound() {
        let uploads = Uploads::default();
        let held = uploads.take(Uuid::from_u128(0)).await;
        for id in 1..=2 * REMEMBERED as u128 {
            drop(uploads.take(Uuid::from_u128(id)).await);
        }
        assert_eq!(uploads.live().len(), REMEMBERED);
        assert!(uploads.live().contains_key(&Uuid::from_u128(0)));
        drop(held);
    }
}
