//! The drive and path in an address: `/api/drives/{drive}/files/{path}`, where `{path}` has its slashes raw or as `%2F`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use holdfast_protocol::DrivePath;
use percent_encoding::percent_decode_str;

use super::auth::CallerOn;
use super::problem::Problem;
use crate::app::App;
use crate::error::{Error, Result};
use crate::service::caller::{Caller, DeviceRef};
use crate::service::files::Who;
use crate::service::locks::Guard;

/// A drive by name or id, and a path in it; the root where the address ends before.
#[derive(Debug, Clone)]
pub struct At {
    /// Name or UUID, not looked up yet.
    pub drive: String,
    /// Checked; of something that may or may not exist.
    pub path: DrivePath,
}

impl FromRequestParts<App> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self::parse(parts.uri.path())?)
    }
}

impl At {
    fn parse(address: &str) -> Result<Self> {
        let nothing = || Error::not_found("nothing is here");
        let rest = address.strip_prefix("/api/drives/").ok_or_else(nothing)?;
        let (drive, rest) = rest.split_once('/').ok_or_else(nothing)?;
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        Ok(Self { drive: decoded(drive)?, path: path_in(&decoded(path)?)? })
    }
}

/// A part of an address without its percent encoding.
///
/// # Errors
/// 400 when it is not UTF-8.
pub fn decoded(part: &str) -> Result<String> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| Error::malformed("the address is not UTF-8"))
}

/// A path as somebody wrote it.
///
/// # Errors
/// 422 when it cannot be one.
pub fn path_in(text: &str) -> Result<DrivePath> {
    DrivePath::parse(text).map_err(|error| {
        let shown: String = text.chars().take(100).collect();
        Error::invalid(error.to_string()).code("bad-path").with("path", shown)
    })
}

/// Who acts, and whether as a device's explicit sync act.
pub fn who(caller: &Caller, device: Option<&DeviceRef>, guard: Guard) -> Who {
    Who {
        user_id: caller.user_id,
        device_id: caller.device.as_ref().map(|device| device.id),
        syncing: device.map(|device| device.id),
        guard,
        once: None,
    }
}

impl CallerOn {
    /// Who acts, and whether as a device's explicit sync act.
    pub fn who(&self) -> Who {
        who(&self.0, self.1.as_ref(), self.2.clone())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;
    use crate::error::Kind;

    #[test]
    fn slashes_may_be_raw_or_encoded() {
        for address in ["/api/drives/home/files/a/b%20c.txt", "/api/drives/home/files/a%2Fb%20c.txt"] {
            let at = At::parse(address).unwrap();
            assert_eq!((at.drive.as_str(), at.path.as_str()), ("home", "a/b c.txt"));
        }
        assert!(At::parse("/api/drives/home/tree").unwrap().path.is_root());
        assert!(At::parse("/api/drives/home/tree/").unwrap().path.is_root());
    }

    #[test]
    fn an_address_that_is_no_path_is_refused() {
        let kind = |address: &str| At::parse(address).unwrap_err().kind();
        assert_eq!(kind("/api/drives/home/files/%ff"), Kind::Malformed);
        for path in ["../x", "a/%2e%2e/x", "a%2F..%2Fx", "a%00b", ".holdfast/x", "%2EHOLDFAST", "a//b"] {
            assert_eq!(kind(&format!("/api/drives/home/files/{path}")), Kind::Invalid, "{path}");
        }
    }
}
