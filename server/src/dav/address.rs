//! What an address of the network drive means: `/dav/`, `/dav/<drive>/<path>`, `/dav/by-id/<uuid>/<path>`.

use holdfast_protocol::DrivePath;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use super::PREFIX;
use crate::domain::drives::BY_ID;
use crate::error::{Error, Result};
use crate::http::target::{decoded, path_in};

/// RFC 3986, section 2.3: everything but these is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Above the network drive: what Windows looks at before it mounts anything.
    Above,
    /// The list of drives.
    Top,
    /// The list of drives by id.
    ById,
    /// A drive, or something in it.
    Inside {
        /// Name or UUID.
        drive: String,
        /// Whether it was named as `by-id/<uuid>`.
        by_id: bool,
        /// Where in it.
        path: DrivePath,
    },
}

impl Place {
    /// Reads the path of an address, percent-encoded, with the prefix. Empty segments count for nothing.
    ///
    /// # Errors
    /// 404 outside of the network drive, 400 when it is not UTF-8, 422 for a path that cannot be one.
    pub fn parse(address: &str) -> Result<Self> {
        let nothing = || Error::not_found("nothing is here");
        let rest = address.strip_prefix(PREFIX).ok_or_else(nothing)?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(nothing());
        }
        let names: Vec<String> =
            rest.split('/').filter(|name| !name.is_empty()).map(decoded).collect::<Result<_>>()?;
        if names.iter().any(|name| name.contains('/')) {
            return Err(Error::invalid("a name may not contain a slash").code("bad-path"));
        }
        Self::of(&names)
    }

    /// Reads decoded names.
    ///
    /// # Errors
    /// 404 for something by id that is none, 422 for a path that cannot be one.
    pub fn of(names: &[String]) -> Result<Self> {
        let (drive, by_id, rest) = match names {
            [] => return Ok(Self::Top),
            [only] if only == BY_ID => return Ok(Self::ById),
            [first, id, rest @ ..] if first == BY_ID => {
                let id = Uuid::try_parse(id).map_err(|_| Error::not_found("there is no such drive"))?;
                (id.to_string(), true, rest)
            }
            [drive, rest @ ..] => (drive.clone(), false, rest),
        };
        Ok(Self::Inside { drive, by_id, path: path_in(&rest.join("/"))? })
    }

    /// The address of a path in this drive, percent-encoded and without the prefix.
    pub fn address_of(&self, path: &DrivePath) -> String {
        let mut address = String::new();
        if let Self::Inside { drive, by_id, .. } = self {
            if *by_id {
                address.push('/');
                address.push_str(BY_ID);
            }
            address.push('/');
            address.extend(segment(drive));
        }
        address.push('/');
        address.push_str(&encoded(path));
        address
    }
}

/// A path, percent-encoded, without a slash in front.
fn encoded(path: &DrivePath) -> String {
    let names: Vec<String> = path.components().map(|name| segment(name).collect()).collect();
    names.join("/")
}

/// A name, percent-encoded.
pub fn segment(name: &str) -> impl Iterator<Item = &str> {
    utf8_percent_encode(name, SEGMENT)
}

/// The path of a URL, absolute or not, without query and fragment: what `Destination` and `If` carry.
pub fn path_of_url(url: &str) -> &str {
    let rest = match url.find("://") {
        Some(at) => {
            let after = &url[at + 3..];
            after.find('/').map_or("/", |slash| &after[slash..])
        }
        None => url,
    };
    rest.split(['?', '#']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

    use super::*;

    fn inside(drive: &str, by_id: bool, path: &str) -> Place {
        Place::Inside { drive: drive.to_owned(), by_id, path: DrivePath::parse(path).unwrap() }
    }

    #[test]
    fn drives_are_found_by_name_and_by_id() {
        let id = "0b9a2f6e-2a1f-4a0f-9d53-5f6f1a0f9d10";
        assert_eq!(Place::parse("/dav").unwrap(), Place::Top);
        assert_eq!(Place::parse("/dav/").unwrap(), Place::Top);
        assert_eq!(Place::parse("/dav/by-id/").unwrap(), Place::ById);
        assert_eq!(Place::parse("/dav/home/").unwrap(), inside("home", false, ""));
        assert_eq!(Place::parse("/dav/home//a%20b/c/").unwrap(), inside("home", false, "a b/c"));
        assert_eq!(Place::parse(&format!("/dav/by-id/{id}/a")).unwrap(), inside(id, true, "a"));
        assert!(Place::parse("/dav/by-id/home/a").is_err());
        assert!(Place::parse("/david/home").is_err());
    }

    #[test]
    fn what_would_leave_the_drive_is_refused() {
        for path in ["..", "a/../..", "%2e%2e/x", "a%2fb", "a%00", ".Holdfast/versions", "%ff"] {
            assert!(Place::parse(&format!("/dav/home/{path}")).is_err(), "{path}");
        }
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let place = Place::parse("/dav/home/%C3%84%20%231%3F/x").unwrap();
        let Place::Inside { path, .. } = &place else { panic!("{place:?}") };
        assert_eq!(place.address_of(path), "/home/%C3%84%20%231%3F/x");
        assert_eq!(path_of_url("http://nas:8000/dav/home/a?b#c"), "/dav/home/a");
        assert_eq!(path_of_url("/dav/home/a"), "/dav/home/a");
        assert_eq!(path_of_url("http://nas"), "/");
    }
}
