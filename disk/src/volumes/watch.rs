//! Waiting until something is mounted or unmounted.

use std::time::Duration;

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woke {
    /// The table of mounts changed.
    Changed,
    /// The time was over, or a signal came; nothing is known.
    TimedOut,
}

/// Listens for changes of the table of mounts from the moment it was made; where the system does not tell of them it only
/// lets time pass.
#[derive(Debug)]
pub struct MountWatch {
    #[cfg(target_os = "linux")]
    table: Option<std::fs::File>,
}

impl MountWatch {
    /// Begins to listen.
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            table: std::fs::File::open("/proc/self/mountinfo").ok(),
        }
    }

    /// Whether changes are told at once; otherwise every wait lasts its whole time.
    pub fn hears(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.table.is_some();
        #[cfg(not(target_os = "linux"))]
        return false;
    }

    /// Waits for a change since the last wait, or since it was made, for at most `limit`. Changes between two waits are not
    /// missed, many are told as one.
    pub fn wait(&self, limit: Duration) -> Woke {
        #[cfg(target_os = "linux")]
        if let Some(table) = &self.table {
            return poll(table, limit);
        }
        std::thread::sleep(limit);
        Woke::TimedOut
    }
}

impl Default for MountWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// The kernel marks the open table as having something urgent when it is not as this file last heard of it, and takes the
/// polling itself for hearing: the table need not be read for that.
#[cfg(target_os = "linux")]
fn poll(table: &std::fs::File, limit: Duration) -> Woke {
    use rustix::event::{PollFd, PollFlags, Timespec};

    let timeout = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut descriptors = [PollFd::new(table, PollFlags::PRI | PollFlags::ERR)];
    match rustix::event::poll(&mut descriptors, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Woke::TimedOut,
        Ok(_) => Woke::Changed,
        Err(_) => {
            // A caller that waits in a loop must not spin.
            std::thread::sleep(limit);
            Woke::TimedOut
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_by_itself() {
        let watch = MountWatch::new();
        // Another test may mount something meanwhile; before long nothing changes.
        assert!((0..1000).any(|_| watch.wait(Duration::from_millis(1)) == Woke::TimedOut));
        assert!(watch.hears() || !cfg!(target_os = "linux"));
    }
}
