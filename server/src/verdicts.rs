//! Account passwords that were found right a moment ago, by a keyed hash: a client that sends Basic with each request
//! would otherwise cost an Argon2 each time. A changed password or a disabled account counts at once, because what is
//! remembered holds only together with the hash that the catalogue has now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How long a verdict holds, in microseconds.
const GOOD_FOR: i64 = 5 * 60 * 1_000_000;
/// Most that are remembered.
const REMEMBERED: usize = 1_000;

/// So many passwords are looked at side by side.
const TURNS: usize = 16;

/// The verdicts.
#[derive(Debug, Default)]
pub struct Verdicts {
    known: Mutex<HashMap<[u8; 32], Verdict>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

#[derive(Debug)]
struct Verdict {
    password_hash: String,
    until: i64,
}

impl Verdicts {
    /// The stored hash that a name and password (keyed hash) were right for, if that was a moment ago.
    pub fn get(&self, of: &[u8; 32], now: i64) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(of).filter(|verdict| verdict.until > now).map(|verdict| verdict.password_hash.clone())
    }

    /// Whoever holds it is the only one to look at a name and password that nobody knows yet (and at some others): a
    /// program that begins with many requests at once costs one look at its password, not one each.
    pub async fn turn(&self, of: &[u8; 32]) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns[usize::from(of[0]) % TURNS].lock().await
    }

    /// Remembers a right one.
    pub fn put(&self, of: [u8; 32], password_hash: String, now: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, verdict| verdict.until > now);
        }
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(of, Verdict { password_hash, until: now + GOOD_FOR });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_holds_for_a_while_and_memory_stays_bounded() {
        let verdicts = Verdicts::default();
        verdicts.put([1; 32], "hash".to_owned(), 0);
        assert_eq!(verdicts.get(&[1; 32], GOOD_FOR - 1).as_deref(), Some("hash"));
        assert_eq!(verdicts.get(&[1; 32], GOOD_FOR), None);
        assert_eq!(verdicts.get(&[2; 32], 0), None);
        for number in 0..5_000_u32 {
            let mut of = [0; 32];
            of[..4].copy_from_slice(&number.to_be_bytes());
            verdicts.put(of, String::new(), 0);
        }
        assert!(verdicts.known.lock().is_ok_and(|known| known.len() <= REMEMBERED));
    }
}
