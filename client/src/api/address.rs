//! Where a server is, and how what it is asked for is written into an address.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

/// What may stand in one part of a path as it is (RFC 3986, section 2.3).
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server's address: scheme, host, port, and a folder where a proxy serves it below one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(Url);

/// Why a text is no server's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address at all.
    #[error(
        "{0:?} is not the address of a server; one looks like http://nas.local:8000 or https://nas.local:8443"
    )]
    NotAnAddress(String),
    /// Another protocol.
    #[error("a server is reached by http:// or https://, not by {0}://")]
    Scheme(String),
    /// A name or password within it: it would end up in files, logs and the list of processes.
    #[error(
        "leave the name and password out of the address; use --username, and type the password when asked"
    )]
    Credential,
    /// A query or fragment.
    #[error("a server's address ends before ? and #")]
    Rest,
}

impl Address {
    /// True for https.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host alone, for messages.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address of something that the server is asked for. `parts` are escaped each, so a part with a slash, a `#` or a
    /// `%` is that part and nothing else.
    pub fn at(&self, parts: &[&str]) -> Url {
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        for part in parts {
            path.push('/');
            path.extend(utf8_percent_encode(part, PART));
        }
        let mut url = self.0.clone();
        url.set_path(&path);
        url
    }

    /// Whether two addresses are one server's: same scheme, host and port.
    pub fn is_same_server(&self, other: &Url) -> bool {
        self.0.origin() == other.origin()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let not = || AddressError::NotAnAddress(text.to_owned());
        let url = Url::parse(text).map_err(|_| not())?;
        if !matches!(url.scheme(), "http" | "https") {
            // `nas.local:8000` is read as the scheme `nas.local`.
            let is_address = text.contains("://");
            return Err(if is_address { AddressError::Scheme(url.scheme().to_owned()) } else { not() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credential);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError::Rest);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(not());
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_name_with_any_character_is_one_part_of_an_address() {
        let address: Address = "http://nas.local:8000".parse().unwrap();
        let url = address.at(&["api", "drives", "home", "files", "a b/50%#?\n.txt"]);
        assert_eq!(url.as_str(), "http://nas.local:8000/api/drives/home/files/a%20b%2F50%25%23%3F%0A.txt");
    }

    #[test]
    fn a_server_below_a_folder_of_a_proxy_is_asked_there() {
        let address: Address = "https://example.org/holdfast/".parse().unwrap();
        assert_eq!(address.to_string(), "https://example.org/holdfast");
        assert_eq!(address.at(&["api", "me"]).as_str(), "https://example.org/holdfast/api/me");
    }

    #[test]
    fn what_is_no_address_of_a_server_is_refused_with_what_to_do() {
        let error = |text: &str| text.parse::<Address>().unwrap_err();
        assert!(matches!(error("nas.local:8000"), AddressError::NotAnAddress(_)));
        assert!(matches!(error(""), AddressError::NotAnAddress(_)));
        assert_eq!(error("ftp://nas"), AddressError::Scheme("ftp".to_owned()));
        assert_eq!(error("http://ada:secret@nas"), AddressError::Credential);
        assert_eq!(error("http://nas/?a=b"), AddressError::Rest);
    }
}
