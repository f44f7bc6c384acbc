//! Rules for jobs (design section 10): which kinds there are, what may become of one, when one was left by the process that
//! had it in hand, and how long one will take.

/// How often whoever has a job in hand says so, in microseconds.
pub const BEAT: i64 = 5_000_000;
/// After so long without a word its process has died, in microseconds: three beats that did not come.
const STALE: i64 = 3 * BEAT;
/// So much of a run has to be over before anything is said of the rest, in microseconds.
const TOO_EARLY: i64 = 1_000_000;
/// No estimate goes beyond this, in microseconds: a year.
const LONGEST: i64 = 365 * 24 * 60 * 60 * 1_000_000;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Measures how fast a volume is written and read (001-18).
    SpeedTest,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::SpeedTest];

    /// From the word in the catalogue; `None`: of another version of this program.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The word in the catalogue and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpeedTest => "speed-test",
        }
    }

    /// How many of them a process runs at once; others wait.
    pub const fn at_once(self) -> usize {
        match self {
            // Two at a time would measure each other: disks share buses and hubs.
            Self::SpeedTest => 1,
        }
    }

    /// Whether one that was interrupted can be gone on with.
    pub const fn is_resumable(self) -> bool {
        match self {
            Self::SpeedTest => true,
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for others of its kind.
    Queued,
    /// It is being worked at.
    Running,
    /// It has come to its end, and has a result.
    Finished,
    /// It could not be done.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
    /// The process that had it in hand has stopped or died.
    Interrupted,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is its turn.
    Begin,
    /// Its work is done.
    Finish,
    /// Its work cannot be done.
    Fail,
    /// Somebody does not want it any more.
    Cancel,
    /// Its process stops, or has died.
    Interrupt,
    /// Somebody wants it after all.
    Resume,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Finished, Self::Failed, Self::Cancelled, Self::Interrupted];

    /// From the word in the catalogue and the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The word in the catalogue and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether a process has it in hand.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    /// How it stands after that; `None`: that cannot happen to it.
    pub const fn after(self, act: Act) -> Option<Self> {
        match (self, act) {
            (Self::Queued, Act::Begin) => Some(Self::Running),
            (Self::Running, Act::Finish) => Some(Self::Finished),
            (Self::Queued | Self::Running, Act::Fail) => Some(Self::Failed),
            (Self::Queued | Self::Running | Self::Interrupted, Act::Cancel) => Some(Self::Cancelled),
            (Self::Queued | Self::Running, Act::Interrupt) => Some(Self::Interrupted),
            (Self::Interrupted, Act::Resume) => Some(Self::Queued),
            _ => None,
        }
    }
}

/// An open job that was last heard of before this was left by its process. Both in microseconds since 1970.
pub const fn stale_before(now: i64) -> i64 {
    now.saturating_sub(STALE)
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is done, in the job's unit.
    pub done: u64,
    /// What there is to do in all, as far as that is known.
    pub total: Option<u64>,
}

/// How long the rest of a run takes if it goes on as it went, in microseconds. `elapsed` is how long it runs, and `before`
/// what was done when it began. `None` while nothing can be said.
pub fn remaining(progress: Progress, before: u64, elapsed: i64) -> Option<i64> {
    let left = progress.total?.saturating_sub(progress.done);
    if left == 0 {
        return Some(0);
    }
    let done = progress.done.checked_sub(before).filter(|done| *done > 0)?;
    if elapsed < TOO_EARLY {
        return None;
    }
    let rest = i128::from(elapsed) * i128::from(left) / i128::from(done);
    Some(i64::try_from(rest).unwrap_or(LONGEST).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn every_word_is_understood_again() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!((State::parse("Running"), Kind::parse("")), (None, None));
    }

    #[test]
    fn what_may_become_of_a_job_is_this_and_nothing_else() {
        let may = |state: State, act| state.after(act).map(State::as_str);
        let table = [
            (State::Queued, ["running", "-", "failed", "cancelled", "interrupted", "-"]),
            (State::Running, ["-", "finished", "failed", "cancelled", "interrupted", "-"]),
            (State::Finished, ["-", "-", "-", "-", "-", "-"]),
            (State::Failed, ["-", "-", "-", "-", "-", "-"]),
            (State::Cancelled, ["-", "-", "-", "-", "-", "-"]),
            (State::Interrupted, ["-", "-", "-", "cancelled", "-", "queued"]),
        ];
        let acts = [Act::Begin, Act::Finish, Act::Fail, Act::Cancel, Act::Interrupt, Act::Resume];
        for (state, expected) in table {
            assert_eq!(acts.map(|act| may(state, act).unwrap_or("-")), expected, "{state:?}");
        }
    }

    #[test]
    fn a_job_is_left_after_three_beats_that_did_not_come() {
        let heard = 1_000 * SECOND;
        assert!(heard >= stale_before(heard + 15 * SECOND));
        assert!(heard < stale_before(heard + 15 * SECOND + 1));
        assert!(heard >= stale_before(heard - 60 * SECOND), "a clock that was set back leaves none");
    }

    #[test]
    fn the_rest_takes_as_long_as_what_was_done() {
        let at = |done, total| Progress { done, total };
        assert_eq!(remaining(at(25, Some(100)), 0, 10 * SECOND), Some(30 * SECOND));
        // What an earlier run did says nothing about how fast this one is.
        assert_eq!(remaining(at(75, Some(100)), 50, 10 * SECOND), Some(10 * SECOND));
        assert_eq!(remaining(at(100, Some(100)), 0, 0), Some(0));
        assert_eq!(remaining(at(120, Some(100)), 0, 10 * SECOND), Some(0));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_known_yet() {
        let at = |done, total| Progress { done, total };
        assert_eq!(remaining(at(25, None), 0, 10 * SECOND), None);
        assert_eq!(remaining(at(0, Some(100)), 0, 10 * SECOND), None);
        assert_eq!(remaining(at(50, Some(100)), 50, 10 * SECOND), None);
        assert_eq!(remaining(at(20, Some(100)), 50, 10 * SECOND), None, "it began anew");
        assert_eq!(remaining(at(25, Some(100)), 0, SECOND / 2), None);
        assert_eq!(remaining(at(1, Some(u64::MAX)), 0, i64::MAX), Some(LONGEST));
    }
}
