//! How long a server is waited for, and when a request is made again.

use std::time::Duration;

use rand::Rng as _;

use super::error::ApiError;

/// The bounds of waiting and repeating.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection to come about.
    pub connect: Duration,
    /// Without a byte moving, before a server counts as silent. A transfer as a whole may take as long as it likes.
    pub stall: Duration,
    /// How often one request is made at most.
    pub attempts: u32,
    /// Before the second attempt; doubled before each further one.
    pub first_wait: Duration,
    /// Between two attempts at most. A server that asks for more time than that is not waited for.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            attempts: 4,
            first_wait: Duration::from_millis(150),
            longest_wait: Duration::from_secs(5),
        }
    }
}

/// What it means to make a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The same as once.
    Freely,
    /// Something else: only when it is certain that the server did nothing.
    Undone,
}

impl Patience {
    /// How long to wait before a request that failed is made again; `None` when it is not.
    pub(super) fn before_next(&self, made: u32, error: &ApiError, repeat: Repeat) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        match error {
            // A request that was refused has changed nothing (docs/api-design.md), so it may be repeated whatever it is.
            ApiError::Problem(problem) if matches!(problem.status, 429 | 503) => match problem.retry_after {
                Some(asked) if asked > self.longest_wait => None,
                Some(asked) => Some(asked.max(self.backoff(made))),
                None => Some(self.backoff(made)),
            },
            // The first one, whose answer was lost, is still at it.
            ApiError::Problem(problem) if problem.name() == "request-running" => Some(self.backoff(made)),
            ApiError::Problem(problem) if matches!(problem.status, 502 | 504) && repeat == Repeat::Freely => {
                Some(self.backoff(made))
            }
            ApiError::Unreachable { .. } => Some(self.backoff(made)),
            error if error.is_of_transport() && repeat == Repeat::Freely => Some(self.backoff(made)),
            _ => None,
        }
    }

    /// Between half and all of a time that doubles: many devices that lost one server shall not come back as one.
    pub(super) fn backoff(&self, made: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << made.saturating_sub(1).min(16));
        doubled.min(self.longest_wait).mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Problem;
    use super::*;

    fn refusal(status: u16, retry_after: Option<u64>) -> ApiError {
        ApiError::Problem(Box::new(Problem {
            status,
            kind: String::new(),
            title: String::new(),
            detail: String::new(),
            more: serde_json::Map::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }))
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_twice_is_once() {
        let patience = Patience::default();
        let broken = ApiError::Broken { detail: String::new() };
        assert!(patience.before_next(1, &broken, Repeat::Freely).is_some());
        assert!(patience.before_next(1, &broken, Repeat::Undone).is_none());
        let refused = ApiError::Unreachable { address: String::new(), detail: String::new() };
        assert!(patience.before_next(1, &refused, Repeat::Undone).is_some());
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_within_bounds() {
        let patience = Patience::default();
        let wait = |error: &ApiError| patience.before_next(1, error, Repeat::Undone);
        assert_eq!(wait(&refusal(503, Some(1))), Some(Duration::from_secs(1)));
        assert_eq!(wait(&refusal(503, Some(30))), None);
        assert!(wait(&refusal(429, None)).is_some());
        assert_eq!(wait(&refusal(412, None)), None);
    }

    #[test]
    fn attempts_end_and_waits_stay_within_their_bound() {
        let patience = Patience::default();
        let broken = ApiError::Broken { detail: String::new() };
        assert_eq!(patience.before_next(patience.attempts, &broken, Repeat::Freely), None);
        for made in 1..200 {
            assert!(patience.backoff(made) <= patience.longest_wait);
        }
    }
}
