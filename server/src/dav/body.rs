//! The XML that a request brings.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};

use super::xml::Element;
use crate::error::{Error, Kind, Result};

/// Largest body of a request that is XML, in bytes.
const LARGEST: usize = 1024 * 1024;
/// How long one may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a body of XML; `None` when there is none.
///
/// # Errors
/// 413 beyond 1 MiB, 400 for what is no XML, or not UTF-8 or UTF-16.
pub async fn read(body: Body) -> Result<Option<Element>> {
    let arriving = Limited::new(body, LARGEST).collect();
    let arrived = tokio::time::timeout(PATIENCE, arriving).await;
    let bytes = match arrived {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Error::new(Kind::TooLarge, "the body is larger than WebDAV needs"));
        }
        Ok(Err(_)) => return Err(Error::malformed("the body broke off")),
        Err(_) => return Err(Error::malformed("the body stopped arriving")),
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    Element::parse(&text(&bytes)?).map(Some)
}

/// UTF-8, with or without a mark in front, or UTF-16 with one (XML 1.0, section 4.3.3).
fn text(bytes: &[u8]) -> Result<String> {
    let bad = || Error::malformed("the body is neither UTF-8 nor UTF-16");
    let wide = |of: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<std::result::Result<String, _>>().map_err(|_| bad())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).map_err(|_| bad()),
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| bad()),
    }
}
