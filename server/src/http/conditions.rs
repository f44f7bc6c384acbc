//! Conditional requests (RFC 9110, sections 8.8 and 13). A file's entity tag is its content hash.

use std::time::SystemTime;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use holdfast_protocol::ContentHash;

use crate::error::{Error, Result};
use crate::service::files::Expect;

/// What a condition is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its entity tag with quotes, as sent in `ETag`.
    pub tag: String,
    /// When it was last written, in whole seconds since 1970.
    pub modified: i64,
}

/// What the conditions of a GET or HEAD come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Send,
    /// 304: the client has it.
    NotModified,
    /// 412.
    Failed,
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    List(Vec<Tag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    /// Without quotes.
    text: String,
}

impl Tag {
    fn parse(tag: &str) -> Self {
        let (weak, rest) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
        // Without quotes it is none, but what is meant is clear.
        Self { weak, text: rest.trim_matches('"').to_owned() }
    }

    fn hash(&self) -> Option<ContentHash> {
        if self.weak { None } else { self.text.parse().ok() }
    }
}

impl Tags {
    fn parse(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>> {
        let mut tags = Vec::new();
        for value in headers.get_all(name) {
            let text =
                value.to_str().map_err(|_| Error::malformed(format!("the header {name} is not text")))?;
            if text.trim() == "*" {
                return Ok(Some(Self::Any));
            }
            tags.extend(split(text).map(Tag::parse));
        }
        Ok((!tags.is_empty()).then_some(Self::List(tags)))
    }

    /// Strong comparison, as `If-Match` asks for: a weak tag equals nothing.
    fn strong(&self, current: Option<&Current>) -> bool {
        let Some(tag) = current.map(|current| Tag::parse(&current.tag)) else { return false };
        match self {
            Self::Any => true,
            Self::List(tags) => !tag.weak && tags.contains(&tag),
        }
    }

    /// Weak comparison, as `If-None-Match` asks for.
    fn weak(&self, current: Option<&Current>) -> bool {
        let Some(tag) = current.map(|current| Tag::parse(&current.tag)) else { return false };
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|other| other.text == tag.text),
        }
    }
}

/// The members of a list of entity tags; commas within quotes part nothing.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
    .map(str::trim)
    .filter(|tag| !tag.is_empty())
}

/// A header with a date, in seconds since 1970; what is no date counts as absent (RFC 9110, section 13.1.3).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let time = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Whether a GET or HEAD sends what is there, in the order of RFC 9110, section 13.2.2.
///
/// # Errors
/// 400 for a header that is no text.
pub fn for_reading(headers: &HeaderMap, current: &Current) -> Result<Verdict> {
    if let Some(tags) = Tags::parse(headers, &IF_MATCH)? {
        if !tags.strong(Some(current)) {
            return Ok(Verdict::Failed);
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|since| current.modified > since) {
        return Ok(Verdict::Failed);
    }
    if let Some(tags) = Tags::parse(headers, &IF_NONE_MATCH)? {
        if tags.weak(Some(current)) {
            return Ok(Verdict::NotModified);
        }
    } else if date(headers, &IF_MODIFIED_SINCE).is_some_and(|since| current.modified <= since) {
        return Ok(Verdict::NotModified);
    }
    Ok(Verdict::Send)
}

/// What the conditions of a write ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// This, to be compared in the write's own transaction.
    Expect(Expect),
    /// More than one content would do, or a date: what is there now must be looked at first, see [`for_writing`].
    Look,
}

/// What a PUT, DELETE, MOVE or COPY expects, as far as its headers alone say it.
///
/// # Errors
/// 400 for a header that is no text.
pub fn asked(headers: &HeaderMap) -> Result<Asked> {
    let matching = Tags::parse(headers, &IF_MATCH)?;
    let none = Tags::parse(headers, &IF_NONE_MATCH)?;
    let since = headers.contains_key(IF_UNMODIFIED_SINCE);
    Ok(match (matching, none) {
        (None, None) if !since => Asked::Expect(Expect::Anything),
        (None, Some(Tags::Any)) if !since => Asked::Expect(Expect::Nothing),
        (Some(_), Some(Tags::Any)) => Asked::Expect(Expect::Never),
        (Some(Tags::Any), None) => Asked::Expect(Expect::Something),
        (Some(Tags::List(tags)), None) if tags.len() == 1 => {
            Asked::Expect(tags[0].hash().map_or(Expect::Never, Expect::Content))
        }
        _ => Asked::Look,
    })
}

/// What a write expects, given what is there now: exactly that, if it meets the conditions.
///
/// # Errors
/// 400 for a header that is no text.
pub fn for_writing(headers: &HeaderMap, current: Option<&Current>) -> Result<Expect> {
    if let Some(tags) = Tags::parse(headers, &IF_MATCH)? {
        if !tags.strong(current) {
            return Ok(Expect::Never);
        }
    } else if let Some(since) = date(headers, &IF_UNMODIFIED_SINCE)
        && current.is_none_or(|current| current.modified > since)
    {
        return Ok(Expect::Never);
    }
    if let Some(tags) = Tags::parse(headers, &IF_NONE_MATCH)?
        && tags.weak(current)
    {
        return Ok(Expect::Never);
    }
    Ok(match current.map(|current| Tag::parse(&current.tag).hash()) {
        None => Expect::Nothing,
        Some(Some(hash)) => Expect::Content(hash),
        // Changed outside and not adopted yet: no content of the catalogue's to compare with.
        Some(None) => Expect::Something,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const NOON: &str = "Wed, 01 Jan 2025 12:00:00 GMT";
    const ONE: &str = "Wed, 01 Jan 2025 13:00:00 GMT";

    fn headers(list: &[(HeaderName, String)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn current() -> Current {
        Current { tag: format!("\"{A}\""), modified: 1_735_732_800 } // NOON
    }

    fn read(list: &[(HeaderName, String)]) -> Verdict {
        for_reading(&headers(list), &current()).unwrap()
    }

    #[test]
    fn a_reader_that_has_the_content_is_told_so() {
        assert_eq!(read(&[(IF_NONE_MATCH, format!("\"{A}\""))]), Verdict::NotModified);
        assert_eq!(read(&[(IF_NONE_MATCH, format!("\"x,y\", W/\"{A}\""))]), Verdict::NotModified);
        assert_eq!(read(&[(IF_NONE_MATCH, "*".to_owned())]), Verdict::NotModified);
        assert_eq!(read(&[(IF_NONE_MATCH, format!("\"{B}\""))]), Verdict::Send);
        assert_eq!(read(&[(IF_MODIFIED_SINCE, NOON.to_owned())]), Verdict::NotModified);
        assert_eq!(read(&[(IF_MODIFIED_SINCE, "never".to_owned())]), Verdict::Send);
    }

    #[test]
    fn a_tag_outweighs_a_date() {
        let both = [(IF_NONE_MATCH, format!("\"{B}\"")), (IF_MODIFIED_SINCE, ONE.to_owned())];
        assert_eq!(read(&both), Verdict::Send);
        let both = [
            (IF_MATCH, format!("\"{A}\"")),
            (IF_UNMODIFIED_SINCE, "Tue, 01 Jan 2019 00:00:00 GMT".to_owned()),
        ];
        assert_eq!(read(&both), Verdict::Send);
    }

    #[test]
    fn a_weak_tag_never_permits() {
        assert_eq!(read(&[(IF_MATCH, format!("W/\"{A}\""))]), Verdict::Failed);
        assert_eq!(
            asked(&headers(&[(IF_MATCH, format!("W/\"{A}\""))])).unwrap(),
            Asked::Expect(Expect::Never)
        );
    }

    #[test]
    fn a_single_tag_is_compared_where_it_is_written() {
        let expect = |list: &[(HeaderName, String)]| asked(&headers(list)).unwrap();
        assert_eq!(expect(&[]), Asked::Expect(Expect::Anything));
        assert_eq!(
            expect(&[(IF_MATCH, format!("\"{A}\""))]),
            Asked::Expect(Expect::Content(A.parse().unwrap()))
        );
        assert_eq!(expect(&[(IF_MATCH, A.to_owned())]), Asked::Expect(Expect::Content(A.parse().unwrap())));
        assert_eq!(expect(&[(IF_MATCH, "*".to_owned())]), Asked::Expect(Expect::Something));
        assert_eq!(expect(&[(IF_NONE_MATCH, "*".to_owned())]), Asked::Expect(Expect::Nothing));
        assert_eq!(expect(&[(IF_MATCH, "\"old\"".to_owned())]), Asked::Expect(Expect::Never));
    }

    #[test]
    fn what_must_be_looked_at_is_held_to_what_was_seen() {
        let list = headers(&[(IF_MATCH, format!("\"{B}\", \"{A}\""))]);
        assert_eq!(asked(&list).unwrap(), Asked::Look);
        assert_eq!(for_writing(&list, Some(&current())).unwrap(), Expect::Content(A.parse().unwrap()));
        assert_eq!(for_writing(&list, None).unwrap(), Expect::Never);
        let other = headers(&[(IF_NONE_MATCH, format!("\"{B}\""))]);
        assert_eq!(for_writing(&other, Some(&current())).unwrap(), Expect::Content(A.parse().unwrap()));
        assert_eq!(for_writing(&other, None).unwrap(), Expect::Nothing);
        let same = headers(&[(IF_NONE_MATCH, format!("\"{A}\""))]);
        assert_eq!(for_writing(&same, Some(&current())).unwrap(), Expect::Never);
        let since = headers(&[(IF_UNMODIFIED_SINCE, NOON.to_owned())]);
        assert_eq!(asked(&since).unwrap(), Asked::Look);
        assert_eq!(for_writing(&since, Some(&current())).unwrap(), Expect::Content(A.parse().unwrap()));
        assert_eq!(for_writing(&since, None).unwrap(), Expect::Never);
    }
}
