//! How large drives are: asked of the file system of one that is here, kept for when it is not, and of others as devices say.

use std::sync::{Arc, PoisonError};

use super::Drives;
use crate::catalog::drive_writes as writes;
use crate::catalog::drives::Drive;
use crate::domain::drives::Capacity;
use crate::service::placement::Mounted;

/// How large a drive was when somebody looked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// How large.
    pub capacity: Capacity,
    /// When, in microseconds since 1970.
    pub at: Option<i64>,
}

impl Drives {
    /// How large a drive is now, if it is open; else as it was known last.
    pub(super) async fn measured(&self, drive: &Drive, open: Option<&Arc<Mounted>>) -> Measured {
        if let Some(mounted) = open
            && let Some(now) = self.measure(mounted).await
        {
            return now;
        }
        let kept = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&drive.id).copied();
        kept.unwrap_or(Measured { capacity: drive.capacity(), at: drive.measured_at })
    }

    /// Asks the file system, and remembers its answer for when the disk is gone.
    async fn measure(&self, mounted: &Arc<Mounted>) -> Option<Measured> {
        let store = Arc::clone(&mounted.store);
        let (free, total) = tokio::task::spawn_blocking(move || store.free_space()).await.ok()?.ok()?;
        let capacity = Capacity { total: Some(total), available: Some(free) };
        let now = Measured { capacity, at: Some(self.shared.clock.now()) };
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).insert(mounted.id, now);
        Some(now)
    }

    /// Notes how large a drive is that has just been opened, or is about to be let go, where that is news.
    pub(super) async fn note_size(&self, mounted: &Arc<Mounted>, before: Capacity) {
        let Some(now) = self.measure(mounted).await else { return };
        if now.capacity.is_news_after(before) {
            keep(self.shared.db.clone(), mounted.id, now).await;
        }
    }

    /// There is no such drive any more.
    pub(super) fn forget_size(&self, id: i64) {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Notes how large a drive was that has gone away: what was seen of it last in this run.
    pub(super) fn note_last_size(&self, id: i64) {
        let last = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        if let Some(last) = last {
            self.tasks.spawn(keep(self.shared.db.clone(), id, last));
        }
    }
}

async fn keep(db: crate::catalog::db::Db, id: i64, size: Measured) {
    let Measured { capacity, at } = size;
    let noted = db.write(move |tx| Box::pin(writes::set_capacity(tx, id, capacity, at.unwrap_or_default())));
    if let Err(error) = noted.await {
        tracing::warn!(%error, "how large a drive is could not be noted");
    }
}
