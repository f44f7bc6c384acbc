//! What this process tells those who wait for something to change: that there was a commit, and where each drive's head is
//! since. The seam is the catalogue's hook, after the commit; what nobody waits for costs a number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::catalog::db::Committed;

/// The newest of everything: whoever looks late misses what was in between, never what is.
#[derive(Debug, Default)]
pub struct Pulse {
    /// By the drive's internal key. Only drives that moved since this process began.
    heads: Mutex<HashMap<i64, i64>>,
    beats: watch::Sender<()>,
}

impl Pulse {
    /// Takes note of a commit.
    pub fn committed(&self, committed: &Committed) {
        if committed.heads.is_empty() && committed.events.is_empty() && !committed.accounts {
            return;
        }
        {
            let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
            for (drive, seq) in &committed.heads {
                let head = heads.entry(*drive).or_default();
                *head = (*head).max(*seq);
            }
        }
        self.beats.send_replace(());
    }

    /// The head of a drive, by its internal key, if it moved since this process began.
    pub fn head(&self, drive: i64) -> Option<i64> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(&drive).copied()
    }

    /// Is changed by every commit that moved a head, logged something or was about an account.
    pub fn feel(&self) -> watch::Receiver<()> {
        self.beats.subscribe()
    }
}
