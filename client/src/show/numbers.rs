//! Sizes and times for people.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

const MINUTES: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");

/// A number of bytes, at most eight characters wide.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths, so that 1023.96 KiB is not shown as 1024.0.
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let (whole, rest) = (tenths / 10, tenths % 10);
    if whole < 100 { format!("{whole}.{rest} {}", UNITS[unit]) } else { format!("{whole} {}", UNITS[unit]) }
}

/// How times are shown.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// As the clock on the wall of this device.
    Local,
    /// In UTC, and saying so.
    Utc,
}

impl Clock {
    /// A time to the minute.
    pub fn show(self, time: OffsetDateTime) -> String {
        let (time, mark) = match self {
            Self::Local => match UtcOffset::local_offset_at(time) {
                Ok(offset) => (time.checked_to_offset(offset).unwrap_or(time), ""),
                Err(_) => (time, "Z"),
            },
            Self::Utc => (time.checked_to_offset(UtcOffset::UTC).unwrap_or(time), "Z"),
        };
        time.format(MINUTES).map_or_else(|_| "?".to_owned(), |shown| shown + mark)
    }

    /// When a day begins.
    pub fn midnight(self, day: Date) -> OffsetDateTime {
        let utc = day.midnight().assume_utc();
        match self {
            Self::Local => {
                UtcOffset::local_offset_at(utc).map_or(utc, |offset| day.midnight().assume_offset(offset))
            }
            Self::Utc => utc,
        }
    }

    /// A time that may be unknown.
    pub fn maybe(self, time: Option<OffsetDateTime>) -> String {
        time.map_or_else(|| "-".to_owned(), |time| self.show(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_never_say_1024() {
        let shown = [0, 1023, 1024, 1536, 102_400, 1_048_575, 1_048_576, 5_000_000_000, u64::MAX].map(size);
        let expected =
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "100 KiB", "1023 KiB", "1.0 MiB", "4.6 GiB", "15.9 EiB"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_time_in_utc_says_so() {
        assert_eq!(Clock::Utc.show(OffsetDateTime::UNIX_EPOCH), "1970-01-01 00:00Z");
    }
}
