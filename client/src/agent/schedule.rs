//! When a folder is synced next: a rule of the clock, with the time passed in.

use std::str::FromStr;

use time::{Duration, OffsetDateTime, Time};

/// Fewest and most minutes between two syncs.
const MINUTES: std::ops::RangeInclusive<i64> = 1..=7 * 24 * 60;
/// Most times of day.
const MOST_TIMES: usize = 24;

/// What a schedule may be, for people.
pub const EXPECTED: &str = "always, every N min, every N h, or at HH:MM (several with commas between)";

/// When people want their folders synced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Schedule {
    /// As soon as something happens.
    #[default]
    Always,
    /// So many minutes after the last sync.
    Every(i64),
    /// At these times of day, by the clock on the wall.
    At(Vec<Time>),
}

/// It is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has to be {EXPECTED}")]
pub struct NoSchedule;

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let text = text.trim().to_lowercase();
        if text == "always" {
            return Ok(Self::Always);
        }
        if let Some(span) = text.strip_prefix("every ") {
            return minutes(span).filter(|n| MINUTES.contains(n)).map(Self::Every).ok_or(NoSchedule);
        }
        let times = text.strip_prefix("at ").ok_or(NoSchedule)?;
        let mut times = times.split(',').map(time_of_day).collect::<Option<Vec<_>>>().ok_or(NoSchedule)?;
        times.sort_unstable();
        times.dedup();
        if times.len() > MOST_TIMES { Err(NoSchedule) } else { Ok(Self::At(times)) }
    }
}

/// `15 min`, `2h`, `1 day` in minutes; below one minute is none.
pub fn minutes(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "m" | "min" | "minute" | "minutes" => 1,
        "h" | "hour" | "hours" => 60,
        "d" | "day" | "days" => 24 * 60,
        _ => return None,
    };
    number.checked_mul(unit).filter(|minutes| *minutes > 0)
}

fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let is_number =
        |part: &str| !part.is_empty() && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hour) || minute.len() != 2 || !is_number(minute) {
        return None;
    }
    Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, 0).ok()
}

impl Schedule {
    /// When the next sync is due; not after `now`: it is due now. `last` is when one was last begun, if one ever was; both by the clock
    /// on the wall. What was missed, since the device slept, is made up for once. A clock that was set back cannot put a sync
    /// off for longer than the schedule would.
    pub fn next(&self, last: Option<OffsetDateTime>, now: OffsetDateTime) -> OffsetDateTime {
        let Some(last) = last else { return now };
        // A last sync in the future was never.
        let last = last.min(now);
        match self {
            Self::Always => now,
            Self::Every(minutes) => last.saturating_add(Duration::minutes(*minutes)),
            Self::At(times) => {
                let last = last.to_offset(now.offset());
                let days = [last.date(), last.date().saturating_add(Duration::DAY)];
                let moments = days.iter().flat_map(|day| {
                    times.iter().map(|time| day.with_time(*time).assume_offset(now.offset()))
                });
                moments.filter(|moment| *moment > last).min().unwrap_or(now)
            }
        }
    }
}

/// Until when nothing is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pause {
    /// In seconds since 1970; `None`: until somebody ends it.
    pub until: Option<i64>,
}

impl Pause {
    /// Whether it lasts still.
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        self.until.is_none_or(|until| now.unix_timestamp() < until)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use time::macros::datetime;

    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    #[test]
    fn what_people_write_is_understood_and_what_means_nothing_is_refused() {
        assert_eq!(schedule("always"), Schedule::Always);
        assert_eq!(schedule("Every 15 min"), Schedule::Every(15));
        assert_eq!(schedule("every 2h"), Schedule::Every(120));
        let times = vec![Time::from_hms(2, 0, 0).unwrap(), Time::from_hms(14, 30, 0).unwrap()];
        assert_eq!(schedule("at 14:30, 2:00"), Schedule::At(times));
        for text in [
            "",
            "sometimes",
            "every",
            "every 0 min",
            "every 8 days",
            "every -1 min",
            "at",
            "at 24:00",
            "at 2",
            "at 2:5",
            "at +2:00",
            "every 99999999999999999999 min",
            "at 02:00,",
        ] {
            assert_eq!(text.parse::<Schedule>(), Err(NoSchedule), "{text}");
        }
    }

    #[test]
    fn what_was_never_synced_is_due_at_once() {
        let now = datetime!(2026-11-20 12:00 +1);
        for text in ["always", "every 15 min", "at 02:00"] {
            assert_eq!(schedule(text).next(None, now), now, "{text}");
        }
    }

    #[test]
    fn minutes_are_counted_from_the_last_sync() {
        let last = datetime!(2026-11-20 12:00 +1);
        let due = schedule("every 15 min").next(Some(last), datetime!(2026-11-20 12:05 +1));
        assert_eq!(due, datetime!(2026-11-20 12:15 +1));
    }

    #[test]
    fn a_time_of_day_comes_once_a_day_and_what_was_slept_through_is_made_up_for() {
        let nightly = schedule("at 02:00");
        let last = datetime!(2026-11-20 02:00:30 +1);
        let due = nightly.next(Some(last), datetime!(2026-11-20 12:00 +1));
        assert_eq!(due, datetime!(2026-11-21 02:00 +1));
        assert!(nightly.next(Some(last), datetime!(2026-11-23 09:00 +1)) <= datetime!(2026-11-23 09:00 +1));
        let twice = schedule("at 02:00, 14:00");
        assert_eq!(twice.next(Some(last), datetime!(2026-11-20 12:00 +1)), datetime!(2026-11-20 14:00 +1));
        assert_eq!(twice.next(Some(last), datetime!(2026-11-20 15:00 +1)), datetime!(2026-11-20 14:00 +1));
    }

    #[test]
    fn a_clock_that_was_wrong_by_years_puts_nothing_off() {
        let now = datetime!(2026-11-20 12:00 +1);
        let last = datetime!(2060-01-01 00:00 +1);
        assert_eq!(schedule("every 15 min").next(Some(last), now), datetime!(2026-11-20 12:15 +1));
        assert_eq!(schedule("at 02:00").next(Some(last), now), datetime!(2026-11-21 02:00 +1));
    }

    #[test]
    fn a_pause_ends_by_itself_or_when_somebody_ends_it() {
        let now = datetime!(2026-11-20 12:00 UTC);
        let until = |seconds: i64| Pause { until: Some(now.unix_timestamp() + seconds) };
        assert!(until(1).holds(now) && !until(0).holds(now) && !until(-5).holds(now));
        assert!(Pause { until: None }.holds(datetime!(9999-12-31 23:59 UTC)));
    }
}
