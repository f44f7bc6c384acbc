//! Range requests (RFC 9110, section 14). One range is answered as such; a request for several at once gets the whole
//! content, which the RFC permits and every client understands.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};

use super::conditions::Current;

/// Which bytes are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All (200).
    Whole,
    /// Some (206).
    Bytes(Range<u64>),
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
    let Some((unit, range)) = text.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return Part::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else { return Part::Whole };
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            if last.is_some_and(|last| last < first) {
                return Part::Whole;
            }
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            if first < size { Part::Bytes(first..end) } else { Part::Beyond }
        }
        (Some(None), Some(Some(count))) => {
            if count == 0 || size == 0 {
                Part::Beyond
            } else {
                Part::Bytes(size.saturating_sub(count)..size)
            }
        }
        _ => Part::Whole,
    }
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
    fn what_is_no_range_or_several_means_the_whole() {
        for range in
            ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes", "bytes=a-b", "bytes=-", "bytes=+1-2"]
        {
            assert_eq!(asked(range, 10), Part::Whole, "{range}");
        }
    }
}
