//! How many wrong passwords an address and an account get: token buckets in bounded maps.
//!
//! An attempt takes a token from both buckets before its password is looked at, so that many attempts at once count
//! like many in a row; one that was right puts them back.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

/// Most addresses and most accounts that are remembered.
const REMEMBERED: usize = 10_000;

/// A bucket's size and how fast it fills.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Tokens of a full bucket.
    pub tokens: u32,
    /// Microseconds in which an empty bucket fills.
    pub window: i64,
}

impl Rate {
    fn per_token(self) -> i64 {
        (self.window / i64::from(self.tokens.max(1))).max(1)
    }
}

/// Refused; try again after that many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u32);

/// Wrong passwords by address and by account. Times are microseconds and may stand still, never run backwards far.
#[derive(Debug)]
pub struct Attempts {
    addresses: Buckets<IpAddr>,
    accounts: Buckets<String>,
}

impl Attempts {
    /// With nothing remembered.
    pub fn new(per_address: Rate, per_account: Rate) -> Self {
        Self { addresses: Buckets::new(per_address), accounts: Buckets::new(per_account) }
    }

    /// Asks for one attempt.
    ///
    /// # Errors
    /// When the address or the account has none left; then nothing was taken.
    pub fn admit(&mut self, now: i64, address: IpAddr, account: &str) -> Result<(), RetryAfter> {
        let address = network(address);
        let account = account.to_owned();
        self.addresses.has_one(now, &address)?;
        self.accounts.has_one(now, &account)?;
        self.addresses.take(now, address);
        self.accounts.take(now, account);
        Ok(())
    }

    /// The attempt was right: it does not count, and the account's slate is clean.
    pub fn succeeded(&mut self, now: i64, address: IpAddr, account: &str) {
        self.addresses.put_back(now, &network(address));
        self.accounts.full_at.remove(account);
    }
}

/// Whoever has one IPv6 address has its whole /64 (RFC 6177); a mapped IPv4 address is that IPv4 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let mut parts = six.segments();
            parts[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(parts))
        }
        four => four,
    }
}

/// The time at which each bucket is full again says how full it is now (GCRA); a full one need not be remembered.
#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    full_at: HashMap<K, i64>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(rate: Rate) -> Self {
        Self { rate, full_at: HashMap::new() }
    }

    fn has_one(&self, now: i64, key: &K) -> Result<(), RetryAfter> {
        let full_at = self.full_at.get(key).copied().unwrap_or(now).max(now);
        let wait = full_at + self.rate.per_token() - now - self.rate.window;
        if wait <= 0 {
            return Ok(());
        }
        let seconds = wait.saturating_add(999_999) / 1_000_000;
        Err(RetryAfter(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    fn take(&mut self, now: i64, key: K) {
        if self.full_at.len() >= REMEMBERED && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        *full_at = (*full_at).max(now) + self.rate.per_token();
    }

    fn put_back(&mut self, now: i64, key: &K) {
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at -= self.rate.per_token();
            if *full_at <= now {
                self.full_at.remove(key);
            }
        }
    }

    /// Drops the full buckets, and when all are in use the fuller half: a flood of new names cannot push out the one
    /// that is being guessed at.
    fn make_room(&mut self, now: i64) {
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= REMEMBERED {
            let mut times: Vec<i64> = self.full_at.values().copied().collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let median = *median;
            self.full_at.retain(|_, full_at| *full_at > median);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn attempts(per_address: u32, per_account: u32) -> Attempts {
        let rate = |tokens| Rate { tokens, window: 900 * SECOND };
        Attempts::new(rate(per_address), rate(per_account))
    }

    #[test]
    fn an_account_is_closed_after_its_attempts_and_says_when_to_come_back() {
        let mut attempts = attempts(30, 3);
        for _ in 0..3 {
            attempts.admit(0, HERE, "ada").unwrap();
        }
        assert_eq!(attempts.admit(0, HERE, "ada"), Err(RetryAfter(300)));
        assert_eq!(attempts.admit(299 * SECOND, HERE, "ada"), Err(RetryAfter(1)));
        attempts.admit(300 * SECOND, HERE, "ada").unwrap();
        attempts.admit(300 * SECOND, HERE, "eva").unwrap();
    }

    #[test]
    fn an_address_is_closed_whatever_names_it_tries() {
        let mut attempts = attempts(3, 3);
        for name in ["a", "b", "c"] {
            attempts.admit(0, HERE, name).unwrap();
        }
        assert!(attempts.admit(0, HERE, "d").is_err());
        attempts.admit(0, IpAddr::from([10, 0, 0, 1]), "d").unwrap();
    }

    #[test]
    fn a_right_password_costs_nothing() {
        let mut attempts = attempts(2, 2);
        for _ in 0..100 {
            attempts.admit(0, HERE, "ada").unwrap();
            attempts.succeeded(0, HERE, "ada");
        }
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_address() {
        let mut attempts = attempts(2, 9);
        attempts.admit(0, "2001:db8::1".parse().unwrap(), "a").unwrap();
        attempts.admit(0, "2001:db8::2".parse().unwrap(), "b").unwrap();
        assert!(attempts.admit(0, "2001:db8::3".parse().unwrap(), "c").is_err());
        attempts.admit(0, "2001:db8:0:1::1".parse().unwrap(), "d").unwrap();
    }

    #[test]
    fn a_flood_of_names_neither_grows_memory_nor_frees_the_one_under_attack() {
        let mut attempts = attempts(u32::MAX, 3);
        for _ in 0..3 {
            attempts.admit(0, HERE, "ada").unwrap();
        }
        for number in 0..50_000 {
            let _ = attempts.admit(0, HERE, &format!("name-{number}"));
        }
        assert!(attempts.accounts.full_at.len() <= REMEMBERED);
        assert!(attempts.admit(0, HERE, "ada").is_err());
    }

    proptest! {
        #[test]
        fn never_more_wrong_attempts_than_a_full_bucket_and_what_flowed_in(
            steps in proptest::collection::vec(0..200 * SECOND, 1..200),
        ) {
            let mut attempts = attempts(30, 10);
            let (mut now, mut admitted) = (0, 0);
            for step in steps {
                now += step;
                admitted += i64::from(attempts.admit(now, HERE, "ada").is_ok());
                prop_assert!(admitted <= 10 + now / (90 * SECOND));
            }
        }
    }
}
