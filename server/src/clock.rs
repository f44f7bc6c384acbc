//! The time, handed to whoever needs it, so that rules stay pure and tests can choose it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is set; clones share it.
    pub fn fixed(micros: i64) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(micros))) }
    }

    /// Sets a fixed clock; the machine's own is not touched.
    pub fn set(&self, micros: i64) {
        if let Some(fixed) = &self.fixed {
            fixed.store(micros, Ordering::Relaxed);
        }
    }

    /// Microseconds since 1970, UTC.
    pub fn now(&self) -> i64 {
        match &self.fixed {
            Some(fixed) => fixed.load(Ordering::Relaxed),
            // Before 1970 only on a machine whose clock was never set.
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}
