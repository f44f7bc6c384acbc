//! Answers of the catalogue that are kept while nothing they could depend on has been committed.
//!
//! A cache that asks nobody whether it is still right must know when it is not. This one is told a *state*, a number that
//! every commit of this process raises before its writer is answered ([`Db::commits`], [`Db::account_changes`]): what was
//! read under another state counts for nothing. What another process writes (a command on the same catalogue, another
//! server on the same Postgres) is seen after [`GOOD_FOR`].
//!
//! [`Db::commits`]: crate::catalog::db::Db::commits
//! [`Db::account_changes`]: crate::catalog::db::Db::account_changes

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is given without asking the catalogue again.
pub const GOOD_FOR: Duration = Duration::from_secs(1);

/// Answers by what was asked.
#[derive(Debug)]
pub struct Remembered<K, V> {
    most: usize,
    held: Mutex<Held<K, V>>,
}

#[derive(Debug)]
struct Held<K, V> {
    /// Under which all of them were read.
    state: u64,
    answers: HashMap<K, (Instant, V)>,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Keeps at most so many answers.
    pub fn new(most: usize) -> Self {
        Self { most, held: Mutex::new(Held { state: 0, answers: HashMap::new() }) }
    }

    /// The answer that was read under this state, if it was read a moment ago.
    pub fn get<Q>(&self, asked: &Q, state: u64) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.state != state {
            return None;
        }
        held.answers.get(asked).filter(|(at, _)| at.elapsed() < GOOD_FOR).map(|(_, answer)| answer.clone())
    }

    /// Remembers an answer. `state` must have been taken before the catalogue was asked: a commit in between makes the
    /// answer one of the past.
    pub fn put(&self, asked: K, state: u64, answer: V) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if state < held.state {
            return;
        }
        if state > held.state || held.answers.len() >= self.most {
            held.answers.clear();
            held.state = state;
        }
        held.answers.insert(asked, (Instant::now(), answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_only_under_the_state_it_was_read_under() {
        let remembered = Remembered::new(10);
        remembered.put("a", 1, "one");
        assert_eq!(remembered.get("a", 1), Some("one"));
        assert_eq!(remembered.get("a", 2), None, "something was committed");
        remembered.put("a", 2, "two");
        remembered.put("a", 1, "one");
        assert_eq!(remembered.get("a", 2), Some("two"), "an answer of the past takes nobody's place");
        assert_eq!(remembered.get("b", 2), None);
    }

    #[test]
    fn memory_stays_bounded() {
        let remembered = Remembered::new(10);
        for number in 0..1_000 {
            remembered.put(number, 1, number);
        }
        let held = remembered.held.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(held.answers.len() <= 10);
    }
}
