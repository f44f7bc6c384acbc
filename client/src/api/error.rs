//! What can go wrong when a server is asked for something.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use holdfast_protocol::ContentHash;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A refusal in the server's own words (RFC 9457).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Problem {
    /// The status of the answer.
    #[serde(default)]
    pub status: u16,
    /// `about:blank`, or `urn:holdfast:problem:` and the problem's name.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What kind of problem it is.
    #[serde(default)]
    pub title: String,
    /// What went wrong this time.
    #[serde(default)]
    pub detail: String,
    /// More that helps a program, for instance `actual_hash`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// How long the server asks to be left alone.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// The problem's name, for instance `drive-offline`; empty when it has none.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix("urn:holdfast:problem:").unwrap_or_default()
    }

    /// One of the fields that help a program, if it is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.more.get(field).and_then(Value::as_str)
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused.
    #[error("the server refused: {}", said(.0))]
    Problem(Box<Problem>),
    /// There is no login, or it has ended.
    #[error("not logged in at this server, or the login has ended")]
    NotLoggedIn,
    /// No connection came about.
    #[error("the server at {address} cannot be reached: {detail}")]
    Unreachable {
        /// Which.
        address: String,
        /// What the system said.
        detail: String,
    },
    /// The server was silent for too long.
    #[error("the server was silent for too long")]
    Timeout,
    /// No secure connection came about, or a certificate is none.
    #[error("no secure connection: {detail}")]
    Tls {
        /// What is wrong with it.
        detail: String,
    },
    /// The connection ended in the middle of something.
    #[error("the connection broke off: {detail}")]
    Broken {
        /// What the system said.
        detail: String,
    },
    /// The server points elsewhere, and nothing is sent there unasked.
    #[error("the server sends its visitors elsewhere: {to}")]
    Redirected {
        /// Where to.
        to: String,
    },
    /// An answer that no Holdfast server gives.
    #[error("the answer makes no sense: {detail}")]
    Nonsense {
        /// Why.
        detail: String,
    },
    /// A content is not what it is said to be; nothing was kept of it.
    #[error("the content that arrived is not the expected one: its hash is {actual} instead of {expected}")]
    WrongContent {
        /// What it should have been.
        expected: ContentHash,
        /// What it is.
        actual: ContentHash,
    },
    /// A file was changed while it was being sent.
    #[error("{} was changed while it was being sent", .path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// A file or folder on this device is in the way.
    #[error("{}: {error}", .path.display())]
    Local {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The tokens could not be read or kept.
    #[error("the login could not be read or kept: {0}")]
    Store(io::Error),
}

/// Kinds of errors, as far as callers treat them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No such thing, or none that the account may see.
    NotFound,
    /// Something else is there, or another was faster.
    Conflict,
    /// Not logged in, or not permitted.
    Denied,
    /// No server, or none that is able to answer now: worth asking again later.
    Unreachable,
    /// Everything else.
    Other,
}

impl ApiError {
    /// Which kind of error it is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Problem(problem) => match problem.status {
                404 => Trouble::NotFound,
                409 | 412 | 423 => Trouble::Conflict,
                401 | 403 => Trouble::Denied,
                429 | 502..=504 => Trouble::Unreachable,
                _ => Trouble::Other,
            },
            Self::NotLoggedIn => Trouble::Denied,
            Self::Unreachable { .. } | Self::Timeout | Self::Tls { .. } | Self::Broken { .. } => {
                Trouble::Unreachable
            }
            _ => Trouble::Other,
        }
    }

    /// The server's refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the connection is to blame rather than what was asked.
    pub(super) fn is_of_transport(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout | Self::Broken { .. })
    }

    pub(super) fn nonsense(detail: impl Into<String>) -> Self {
        Self::Nonsense { detail: detail.into() }
    }

    pub(super) fn local(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::Local { path: path.into(), error }
    }

    /// What the HTTP client says, in our words.
    pub(super) fn of_http(error: &reqwest::Error, address: &super::Address) -> Self {
        if let Some(fault) = tls_fault(error) {
            return Self::Tls { detail: in_words(fault) };
        }
        let detail = causes(error);
        if error.is_connect() {
            Self::Unreachable { address: address.to_string(), detail }
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_decode() {
            Self::Nonsense { detail }
        } else {
            Self::Broken { detail }
        }
    }
}

fn said(problem: &Problem) -> String {
    let words = [&problem.detail, &problem.title].into_iter().find(|text| !text.is_empty());
    words.map_or_else(|| format!("status {}", problem.status), String::clone)
}

/// The innermost cause of an error; the layers above it only say that something failed.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What TLS said, wherever in the chain: the layers in between hide it in I/O errors.
fn tls_fault<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(fault) = error.downcast_ref::<rustls::Error>() {
            return Some(fault);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(fault) = tls_fault(inner)
        {
            return Some(fault);
        }
        next = error.source();
    }
    None
}

fn in_words(fault: &rustls::Error) -> String {
    use rustls::{CertificateError as Bad, Error as Tls};
    match fault {
        Tls::InvalidCertificate(Bad::UnknownIssuer) => {
            "its certificate is by an authority that this device does not trust".to_owned()
        }
        Tls::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate is for another name".to_owned()
        }
        Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "its certificate has expired, or this device's clock is wrong".to_owned()
        }
        Tls::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "its certificate is not valid yet, or this device's clock is wrong".to_owned()
        }
        Tls::InvalidMessage(_) => "it does not speak https at this address".to_owned(),
        other => other.to_string(),
    }
}
