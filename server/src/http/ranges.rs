//! Range requests (RFC 9110, section 14): one range is answered as such, several as `multipart/byteranges`. Ranges that
//! overlap or nearly touch are sent as one, and a request for very many gets the whole content (section 14.2).

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

use super::conditions::Current;

/// Most ranges that one request may name.
const MOST_ASKED: usize = 128;
/// Most ranges that are sent apart.
const MOST_SENT: usize = 16;
/// Bytes between two ranges that are rather sent than told about: what a part's own header takes.
const GAP: u64 = 128;

/// Which bytes are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All (200).
    Whole,
    /// Some (206).
    Bytes(Range<u64>),
    /// Several, in ascending order and apart from each other (206, `multipart/byteranges`).
    Several(Vec<Range<u64>>),
    /// 416: there are none of those.
    Beyond,
}

/// The part that a request asks for of a content of `size` bytes. What is not understood, or meant for another
/// content (`If-Range`), counts as no range.
pub fn part(headers: &HeaderMap, current: &Current, size: u64) -> Part {
    let Some(text) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else { return Part::Whole };
    if !still_meant(headers, current) {
        return Part::Whole;
    }
    let Some((unit, list)) = text.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let mut ranges = Vec::new();
    // Empty members of a list count for nothing (RFC 9110, section 5.6.1).
    for (count, one) in list.split(',').map(str::trim).filter(|one| !one.is_empty()).enumerate() {
        if count == MOST_ASKED {
            return Part::Whole;
        }
        match read(one, size) {
            None => return Part::Whole,
            Some(None) => {}
            Some(Some(range)) => ranges.push(range),
        }
    }
    if ranges.is_empty() {
        return if list.contains('-') { Part::Beyond } else { Part::Whole };
    }
    let mut ranges = together(ranges);
    match ranges.len() {
        1 => Part::Bytes(ranges.swap_remove(0)),
        2..=MOST_SENT => Part::Several(ranges),
        _ => Part::Whole,
    }
}

/// One range of the list; `None` when it is none, `Some(None)` when it lies outside the content.
fn read(text: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = text.split_once('-')?;
    match (number(first)?, number(last)?) {
        (Some(first), last) => {
            if last.is_some_and(|last| last < first) {
                return None;
            }
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            Some((first < size).then_some(first..end))
        }
        (None, Some(count)) => Some((count > 0 && size > 0).then(|| size.saturating_sub(count)..size)),
        (None, None) => None,
    }
}

fn together(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// `Some(None)` for an empty text, `None` for one that is no number.
fn number(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

/// `If-Range` with a strong tag that is the current one, or absent. A date is no strong validator here: two contents may
/// carry one mtime.
fn still_meant(headers: &HeaderMap, current: &Current) -> bool {
    match headers.get(IF_RANGE).map(|value| value.to_str()) {
        None => true,
        Some(Ok(tag)) => tag.trim() == current.tag && !current.tag.starts_with("W/"),
        Some(Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn asked(range: &str, size: u64) -> Part {
        let headers = [(RANGE, range.parse().unwrap())].into_iter().collect();
        part(&headers, &Current { tag: "\"a\"".to_owned(), modified: 0 }, size)
    }

    #[test]
    fn each_form_of_a_range_is_understood() {
        assert_eq!(asked("bytes=0-0", 10), Part::Bytes(0..1));
        assert_eq!(asked("bytes=2-", 10), Part::Bytes(2..10));
        assert_eq!(asked("bytes=2-100", 10), Part::Bytes(2..10));
        assert_eq!(asked("bytes=-3", 10), Part::Bytes(7..10));
        assert_eq!(asked("bytes=-300", 10), Part::Bytes(0..10));
        assert_eq!(asked("BYTES = 1-2", 10), Part::Bytes(1..3));
    }

    #[test]
    fn a_range_outside_is_told_as_such() {
        assert_eq!(asked("bytes=10-", 10), Part::Beyond);
        assert_eq!(asked("bytes=0-", 0), Part::Beyond);
        assert_eq!(asked("bytes=-0", 10), Part::Beyond);
        assert_eq!(asked("bytes=99999999999999999999999-", 10), Part::Beyond);
    }

    #[test]
    fn what_is_no_range_means_the_whole() {
        for range in [
            "bytes=5-2",
            "lines=1-2",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=a-b",
            "bytes=-",
            "bytes=+1-2",
            "bytes=0-1,x",
            "bytes=0-1,5-2",
        ] {
            assert_eq!(asked(range, 10), Part::Whole, "{range}");
        }
    }

    #[test]
    fn several_ranges_are_sent_apart_unless_they_are_close() {
        assert_eq!(
            asked("bytes=0-9, 1000-1009,-10", 5000),
            Part::Several(vec![0..10, 1000..1010, 4990..5000])
        );
        assert_eq!(asked("bytes=1000-1009,0-9", 5000), Part::Several(vec![0..10, 1000..1010]));
        assert_eq!(asked("bytes=0-9,5-20,30-40", 5000), Part::Bytes(0..41));
        assert_eq!(asked("bytes=0-9,9000-", 5000), Part::Bytes(0..10));
        assert_eq!(asked("bytes=9000-,8000-", 5000), Part::Beyond);
    }

    #[test]
    fn very_many_ranges_mean_the_whole() {
        let list = |count: u64, apart: u64| {
            let ranges: Vec<String> = (0..count).map(|n| format!("{0}-{0}", n * apart)).collect();
            format!("bytes={}", ranges.join(","))
        };
        assert!(matches!(asked(&list(16, 1000), 1 << 20), Part::Several(ranges) if ranges.len() == 16));
        assert_eq!(asked(&list(17, 1000), 1 << 20), Part::Whole);
        assert_eq!(asked(&list(100, 1), 1 << 20), Part::Bytes(0..100));
        assert_eq!(asked(&list(1000, 0), 1 << 20), Part::Whole);
    }
}
