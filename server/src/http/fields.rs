//! Header fields about a content: digests, times, its name and type.

use std::time::{Duration, SystemTime};

use axum::http::header::LAST_MODIFIED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_protocol::ContentHash;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::checksums::Checksum;
use crate::domain::times::decimal_seconds;
use crate::error::{Error, Result};

/// RFC 9530: a digest of the whole representation.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
/// RFC 9530: a digest of this message's content; of a whole PUT or GET the same as [`REPR_DIGEST`].
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// A file's modification time in whole nanoseconds since 1970, signed: exact where HTTP dates are not. In requests it
/// outweighs the two below.
pub const MTIME_NS: HeaderName = HeaderName::from_static("holdfast-mtime-ns");
/// The same in seconds with an optional fraction, as ownCloud's clients and rclone send it.
pub const OC_MTIME: HeaderName = HeaderName::from_static("x-oc-mtime");
/// Checksums of a content as ownCloud's clients send them: `SHA1:<hex>`.
pub const OC_CHECKSUM: HeaderName = HeaderName::from_static("oc-checksum");
/// `pending`: committed and served, but not in the plain folder yet. `elsewhere`: where devices have the drive, and not here.
pub const PLACEMENT: HeaderName = HeaderName::from_static("holdfast-placement");

/// The SHA-256 that a request declares for its content by `Repr-Digest` or `Content-Digest`, if it declares one.
/// Digests of other kinds are not looked at (RFC 9530, section 2).
///
/// # Errors
/// 400 when a SHA-256 is not one, or both are there and differ.
pub fn declared_hash(headers: &HeaderMap) -> Result<Option<ContentHash>> {
    let mut declared = None;
    for name in [&REPR_DIGEST, &CONTENT_DIGEST] {
        for value in headers.get_all(name) {
            let bad = || Error::malformed(format!("the header {name} has no usable sha-256"));
            let text = value.to_str().map_err(|_| bad())?;
            for member in text.split(',') {
                let Some((key, digest)) = member.split_once('=') else { continue };
                if !key.trim().eq_ignore_ascii_case("sha-256") {
                    continue;
                }
                let digest = digest.split(';').next().unwrap_or("").trim();
                let encoded = digest.strip_prefix(':').and_then(|d| d.strip_suffix(':')).ok_or_else(bad)?;
                let bytes = STANDARD.decode(encoded).map_err(|_| bad())?;
                let hash = ContentHash::try_from(bytes.as_slice()).map_err(|_| bad())?;
                if declared.is_some_and(|other| other != hash) {
                    return Err(Error::malformed("the declared digests differ"));
                }
                declared = Some(hash);
            }
        }
    }
    Ok(declared)
}

/// The checksums that a request declares for its content by `OC-Checksum`; those of unknown kinds are not looked at.
///
/// # Errors
/// 400 for what is no checksum.
pub fn declared_checksums(headers: &HeaderMap) -> Result<Vec<Checksum>> {
    let mut declared = Vec::new();
    for value in headers.get_all(OC_CHECKSUM) {
        let read = value.to_str().ok().and_then(Checksum::read);
        declared
            .extend(read.ok_or_else(|| Error::malformed("the header OC-Checksum has no usable checksum"))?);
    }
    Ok(declared)
}

/// A hash as `Repr-Digest` carries it.
pub fn digest(hash: &ContentHash) -> HeaderValue {
    let text = format!("sha-256=:{}:", STANDARD.encode(hash.as_bytes()));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The modification time that a request declares for its content, in nanoseconds since 1970: `Holdfast-Mtime-Ns`, else
/// `X-OC-Mtime`, else `Last-Modified`.
///
/// # Errors
/// 400 when it is no time, or none that fits 64 bits (the years 1677 to 2262).
pub fn declared_mtime(headers: &HeaderMap) -> Result<Option<i64>> {
    let text = |name: &HeaderName| {
        let bad = || Error::malformed(format!("the header {name} is not a time"));
        headers.get(name).map(|value| value.to_str().map(str::trim).map_err(|_| bad())).transpose()
    };
    let bad = |name: &HeaderName| Error::malformed(format!("the header {name} is not a time"));
    if let Some(text) = text(&MTIME_NS)? {
        return text.parse().map(Some).map_err(|_| bad(&MTIME_NS));
    }
    if let Some(text) = text(&OC_MTIME)? {
        return decimal_seconds(text).map(Some).ok_or_else(|| bad(&OC_MTIME));
    }
    let Some(text) = text(&LAST_MODIFIED)? else { return Ok(None) };
    let time = httpdate::parse_http_date(text).map_err(|_| bad(&LAST_MODIFIED))?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| bad(&LAST_MODIFIED))?;
    i64::try_from(since.as_nanos()).map(Some).map_err(|_| bad(&LAST_MODIFIED))
}

/// An HTTP date; `None` outside the years that one can name.
pub fn http_date(seconds: i64) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds < YEAR_10000)?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}

/// What a file of this name most likely is.
pub fn content_type(name: &str) -> HeaderValue {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    HeaderValue::from_static(guess)
}

/// RFC 8187: what stays as it is in an extended parameter.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `Content-Disposition` (RFC 6266). Only what a browser shows without running anything in it is shown by it: whatever
/// else somebody uploaded is offered for saving, so that it cannot act in the name of whoever opens it (promise P6).
pub fn disposition(name: &str, content_type: &HeaderValue) -> HeaderValue {
    let kind = content_type.to_str().unwrap_or("");
    let harmless = kind == "text/plain"
        || kind.starts_with("audio/")
        || kind.starts_with("video/")
        || (kind.starts_with("image/") && !kind.contains("xml"));
    let how = if harmless { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let text = if plain == name {
        format!("{how}; filename=\"{plain}\"")
    } else {
        format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTRIBUTE))
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn one(name: HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_digest_is_found_among_others_and_read_back() {
        let text = format!("md5=:AAAA:, sha-256=:{}:", STANDARD.encode(ContentHash::EMPTY.as_bytes()));
        assert_eq!(declared_hash(&one(REPR_DIGEST, &text)).unwrap(), Some(ContentHash::EMPTY));
        let own = digest(&ContentHash::EMPTY);
        assert_eq!(
            declared_hash(&one(CONTENT_DIGEST, own.to_str().unwrap())).unwrap(),
            Some(ContentHash::EMPTY)
        );
        assert_eq!(declared_hash(&one(REPR_DIGEST, "sha-512=:AAAA:")).unwrap(), None);
        for bad in ["sha-256=:AAAA:", "sha-256=AAAA", "sha-256=:*:"] {
            assert!(declared_hash(&one(REPR_DIGEST, bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_keeps_its_nanoseconds() {
        let ns = |name, value: &str| declared_mtime(&one(name, value));
        assert_eq!(ns(MTIME_NS, "1735732800123456789").unwrap(), Some(1_735_732_800_123_456_789));
        assert_eq!(ns(MTIME_NS, "-1").unwrap(), Some(-1));
        assert_eq!(ns(OC_MTIME, "1735732800.123456789").unwrap(), Some(1_735_732_800_123_456_789));
        assert_eq!(ns(OC_MTIME, "1735732800.5").unwrap(), Some(1_735_732_800_500_000_000));
        assert_eq!(ns(OC_MTIME, "1.0000000019").unwrap(), Some(1_000_000_001));
        assert_eq!(ns(OC_MTIME, "-1.5").unwrap(), Some(-1_500_000_000));
        assert_eq!(
            ns(LAST_MODIFIED, "Wed, 01 Jan 2025 12:00:00 GMT").unwrap(),
            Some(1_735_732_800_000_000_000)
        );
        for bad in ["", "x", "1.x", ".5", "99999999999999999999", "9999999999999999.0"] {
            assert!(ns(OC_MTIME, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_date_outside_what_http_can_say_is_left_out() {
        assert_eq!(http_date(0).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(-1), None);
        assert_eq!(http_date(i64::MAX), None);
    }

    #[test]
    fn what_a_browser_would_run_is_offered_for_saving() {
        let shown = |name: &str| disposition(name, &content_type(name)).to_str().unwrap().to_owned();
        for name in ["page.html", "page.xhtml", "drawing.svg", "feed.xml", "code.js", "unknown", "paper.pdf"]
        {
            assert!(shown(name).starts_with("attachment;"), "{name}: {}", shown(name));
        }
        for name in ["photo.jpg", "song.mp3", "film.mp4", "notes.txt"] {
            assert!(shown(name).starts_with("inline;"), "{name}: {}", shown(name));
        }
    }

    #[test]
    fn a_name_arrives_whole_whatever_is_in_it() {
        let shown = disposition("\u{c4}rger \"1\".txt", &content_type("a.txt"));
        assert_eq!(shown, "inline; filename=\"_rger _1_.txt\"; filename*=UTF-8''%C3%84rger%20%221%22.txt");
    }
}
