//! How fast contents move: one bucket for each direction, shared by everything that a process sends and receives.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};

/// The slowest that can be asked for, in bytes a second: a server does not take such a device for gone.
pub const SLOWEST: u64 = 8 * 1024;
/// What may move at once after a rest, as a part of what may in a second.
const BURST: u64 = 4;
/// Nothing larger is handed on at once while there is a limit.
const PIECE: usize = 16 * 1024;
const NANOS: u128 = 1_000_000_000;

/// A token bucket that can be overdrawn: who takes more than is in it waits until that is paid back, and so does who comes next.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Bytes a second.
    rate: u64,
    /// When all that was taken is paid back, since the bucket's beginning.
    paid_at: Duration,
}

impl Bucket {
    /// For so many bytes a second; nothing is owed and nothing saved.
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid_at: Duration::ZERO }
    }

    /// Takes bytes and tells how long to wait before they are moved. `now` is the time since the bucket's beginning; one that is
    /// earlier than another before counts as no time gone by.
    pub fn take(&mut self, bytes: usize, now: Duration) -> Duration {
        // A rest is worth no more than a burst.
        let rested = now.saturating_sub(Duration::from_secs(1) / u32::try_from(BURST).unwrap_or(1));
        let cost = bytes as u128 * NANOS / u128::from(self.rate);
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        self.paid_at = self.paid_at.max(rested).saturating_add(cost);
        self.paid_at.saturating_sub(now)
    }
}

/// Both directions of a process. Cheap to clone; clones share their buckets.
#[derive(Debug, Clone)]
pub struct Limits {
    up: Arc<Direction>,
    down: Arc<Direction>,
}

#[derive(Debug)]
struct Direction {
    begun: Instant,
    bucket: Mutex<Option<Bucket>>,
}

impl Default for Limits {
    /// As fast as the network is.
    fn default() -> Self {
        let direction = || Arc::new(Direction { begun: Instant::now(), bucket: Mutex::new(None) });
        Self { up: direction(), down: direction() }
    }
}

impl Limits {
    /// Sets both, in bytes a second; `None`: as fast as the network is. What is under way goes on at the new pace.
    pub fn set(&self, up: Option<u64>, down: Option<u64>) {
        self.up.set(up);
        self.down.set(down);
    }

    /// Whether there is a pace for what is sent.
    pub(super) fn are_set_up(&self) -> bool {
        self.up.bucket.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Hands the pieces of a body on no faster than they may be sent.
    pub(super) fn sending<S>(&self, body: S) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let (cut, up) = (Arc::clone(&self.up), Arc::clone(&self.up));
        let small =
            body.map_ok(move |bytes| stream::iter(cut.pieces(bytes).into_iter().map(Ok::<_, io::Error>)));
        small.try_flatten().and_then(move |bytes| {
            let up = Arc::clone(&up);
            async move {
                up.pass(bytes.len()).await;
                Ok(bytes)
            }
        })
    }

    /// Waits until so many bytes that came may be taken. While nobody takes them, the network brings no more.
    pub(super) async fn received(&self, bytes: usize) {
        self.down.pass(bytes).await;
    }
}

impl Direction {
    fn set(&self, rate: Option<u64>) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.as_ref().map(|bucket| bucket.rate) != rate {
            // Nothing is owed at the old pace.
            *bucket = rate.map(|rate| Bucket { paid_at: self.begun.elapsed(), ..Bucket::new(rate) });
        }
    }

    fn pieces(&self, mut bytes: Bytes) -> Vec<Bytes> {
        let is_limited = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let mut pieces = Vec::new();
        while is_limited && bytes.len() > PIECE {
            pieces.push(bytes.split_to(PIECE));
        }
        pieces.push(bytes);
        pieces
    }

    async fn pass(&self, bytes: usize) {
        let wait = {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.as_mut().map(|bucket| bucket.take(bytes, self.begun.elapsed()))
        };
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            tokio::time::sleep(wait).await;
        }
    }
}

/// What people write for a limit: `none`, `2 MB/s`, `500 kB/s`, `16 Mbit/s`. `Ok(None)` for none; `Err` for what means nothing
/// or is slower than [`SLOWEST`].
///
/// # Errors
/// As told.
#[expect(clippy::result_unit_err, reason = "whoever asks says what it has to be")]
pub fn read_rate(text: &str) -> Result<Option<u64>, ()> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let text = text.strip_suffix("/s").unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().map_err(|_| ())?;
    let unit = match text[end..].trim() {
        "B" | "" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "kbit" | "Kbit" => 1e3 / 8.0,
        "Mbit" => 1e6 / 8.0,
        "Gbit" => 1e9 / 8.0,
        _ => return Err(()),
    };
    // What is too large for a number is no limit that a network could reach; casting saturates.
    let rate = (number * unit) as u64;
    if rate >= SLOWEST { Ok(Some(rate)) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    /// As many slow ones as fast ones.
    fn rates() -> impl Strategy<Value = u64> {
        (13_u32..27, 0_u64..SLOWEST).prop_map(|(power, more)| (1_u64 << power) + more)
    }

    proptest! {
        /// Over any span of time no more moves than the rate, a burst, and the one piece that overdrew the bucket allow.
        #[test]
        fn no_more_moves_than_is_allowed(
            rate in rates(),
            asked in proptest::collection::vec((1_usize..PIECE, 0_u64..50_000_000), 1..200),
        ) {
            let mut bucket = Bucket::new(rate);
            let mut now = Duration::ZERO;
            let mut moved: Vec<(Duration, usize)> = Vec::new();
            for (bytes, pause) in asked {
                now += Duration::from_nanos(pause);
                let wait = bucket.take(bytes, now);
                // The next one is asked for when this one has moved.
                now += wait;
                moved.push((now, bytes));
            }
            for (first, (from, _)) in moved.iter().enumerate() {
                let mut sum = 0_u128;
                for (to, bytes) in &moved[first..] {
                    sum += *bytes as u128;
                    let span = (*to - *from).as_nanos();
                    let allowed = u128::from(rate) * span / NANOS + u128::from(rate / BURST) + 2 * PIECE as u128;
                    prop_assert!(sum <= allowed, "{sum} bytes in {span} ns at {rate} a second");
                }
            }
        }

        #[test]
        fn who_asks_without_a_break_gets_the_rate(rate in rates(), count in 10_usize..200) {
            let mut bucket = Bucket::new(rate);
            let mut now = Duration::ZERO;
            for _ in 0..count {
                now += bucket.take(PIECE, now);
            }
            let due = Duration::from_secs_f64((count * PIECE) as f64 / rate as f64);
            prop_assert!(now.abs_diff(due) <= Duration::from_micros(10), "{now:?} instead of {due:?}");
        }
    }

    #[test]
    fn time_that_goes_backwards_gives_nothing_away() {
        let mut bucket = Bucket::new(SLOWEST);
        let first = bucket.take(PIECE, Duration::from_secs(100));
        let second = bucket.take(PIECE, Duration::from_secs(1));
        assert!(second > first);
    }

    #[test]
    fn what_people_write_for_a_limit_is_understood() {
        for (text, rate) in [
            ("none", None),
            ("2 MB/s", Some(2_000_000)),
            ("500kB/s", Some(500_000)),
            ("1.5 MiB/s", Some(1_572_864)),
            ("16 Mbit/s", Some(2_000_000)),
            ("100000", Some(100_000)),
        ] {
            assert_eq!(read_rate(text), Ok(rate), "{text}");
        }
        for text in ["", "fast", "0", "1 kB/s", "-5 MB/s", "1..5 MB/s", "2 XB/s", "NaN", "inf MB/s"] {
            assert_eq!(read_rate(text), Err(()), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_at_a_pace_is_what_was_given() {
        let limits = Limits::default();
        limits.set(Some(100_000_000), None);
        let given: Vec<Bytes> = (0..4_u8).map(|n| vec![n; 3 * PIECE / 2].into()).collect();
        let body = stream::iter(given.clone().into_iter().map(Ok));
        let sent: Vec<Bytes> = limits.sending(body).try_collect().await.unwrap();
        assert_eq!(sent.concat(), given.concat());
        assert!(sent.iter().all(|piece| piece.len() <= PIECE));
    }
}
