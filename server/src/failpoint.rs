//! Named points at which a test can have the process die as if the power had failed.
//!
//! For tests only: with the environment variable `HOLDFAST_FAILPOINT` set to `NAME` or `NAME:N` the process kills
//! itself with SIGKILL the Nth time (default: the first) it passes that point. Unset, a point costs one load.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every point, in the order in which a write passes them.
pub const NAMES: &[&str] = &[
    "stage.created",
    "stage.written",
    "stage.synced",
    "catalog.before-commit",
    "catalog.after-commit",
    "place.before",
    "place.exchanged",
    "place.after",
    "flush.before",
    "flush.after",
    "log.appended",
    "mark.before",
    "mark.after",
    "seal.before",
    "seal.after",
];

/// Those that are passed only on a file system that knows no rename without replacing.
pub const OF_LINKS: &[&str] = &["place.linked"];

/// Those that only a resumable upload passes, at its end.
pub const OF_UPLOADS: &[&str] = &["upload.synced", "upload.renamed"];

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Passes a named point; does not return when it is the one that was asked for.
pub fn hit(name: &'static str) {
    let Some(armed) = ARMED.get_or_init(arm) else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        // SIGKILL, not exit: nothing may be flushed or cleaned up on the way out.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

fn arm() -> Option<Armed> {
    let value = std::env::var("HOLDFAST_FAILPOINT").ok().filter(|v| !v.is_empty())?;
    let (name, count) = match value.split_once(':') {
        Some((name, count)) => (name.to_owned(), count.parse().ok()?),
        None => (value, 1),
    };
    Some(Armed { name, left: AtomicU64::new(count) })
}
