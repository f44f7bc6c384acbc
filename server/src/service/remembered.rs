//! Answers of the catalogue that are kept while nothing they could depend on has been committed.
//!
//! A cache that asks nobody whether it is still right must know when it is not. This one is told a *state*, a number that
//! every commit of this process raises before its writer is answered ([`Db::commits`], [`Db::account_changes`]): what was
//! read under another state counts for nothing. What another process writes (a command on the same catalogue, another
//! server on the same Postgres) is seen after [`A_MOMENT`].
//!
//! [`Db::commits`]: crate::catalog::db::Db::commits
//! [`Db::account_changes`]: crate::catalog::db::Db::account_changes

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an answer is given without asking the catalogue again, where another process may write what it is about: an
/// account, who may see a drive.
pub const A_MOMENT: Duration = Duration::from_secs(1);
/// And where none does: only the process that holds a drive's root open changes what is in that drive.
pub const A_WHILE: Duration = Duration::from_secs(60);

/// Answers by what was asked.
#[derive(Debug)]
pub struct Remembered<K, V> {
    most: usize,
    good_for: Duration,
    held: Mutex<Held<K, V>>,
}

#[derive(Debug)]
struct Held<K, V> {
    /// Under which all of them were read.
    state: u64,
    answers: HashMap<K, (i64, V)>,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Keeps at most so many answers, each for so long.
    pub fn new(most: usize, good_for: Duration) -> Self {
        Self { most, good_for, held: Mutex::new(Held { state: 0, answers: HashMap::new() }) }
    }

    /// The answer that was read under this state, if it was read a moment ago. `now` in microseconds since 1970.
    pub fn get<Q>(&self, asked: &Q, state: u64, now: i64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.state != state {
            return None;
        }
        // A clock that was put back makes no answer younger.
        let fresh = |at: i64| u128::try_from(now - at).is_ok_and(|age| age < self.good_for.as_micros());
        held.answers.get(asked).filter(|(at, _)| fresh(*at)).map(|(_, answer)| answer.clone())
    }

    /// Remembers an answer. `state` and `now` must have been taken before the catalogue was asked: a commit in between makes
    /// the answer one of the past.
    pub fn put(&self, asked: K, state: u64, now: i64, answer: V) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if state < held.state {
            return;
        }
        if state > held.state || held.answers.len() >= self.most {
            held.answers.clear();
            held.state = state;
        }
        held.answers.insert(asked, (now, answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_only_under_the_state_it_was_read_under() {
        let remembered = Remembered::new(10, A_MOMENT);
        remembered.put("a", 1, 0, "one");
        assert_eq!(remembered.get("a", 1, 999_999), Some("one"));
        assert_eq!(remembered.get("a", 2, 0), None, "something was committed");
        remembered.put("a", 2, 0, "two");
        remembered.put("a", 1, 0, "one");
        assert_eq!(remembered.get("a", 2, 0), Some("two"), "an answer of the past takes nobody's place");
        assert_eq!(remembered.get("b", 2, 0), None);
        assert_eq!(remembered.get("a", 2, 1_000_000), None, "it is too old");
        assert_eq!(remembered.get("a", 2, -1), None, "or from the future");
    }

    #[test]
    fn memory_stays_bounded() {
        let remembered = Remembered::new(10, A_MOMENT);
        for number in 0..1_000 {
            remembered.put(number, 1, 0, number);
        }
        let held = remembered.held.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(held.answers.len() <= 10);
    }
}
