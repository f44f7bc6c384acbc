//! The one domain error. It knows no transport: `http::problem` turns it into RFC 9457 problem+json, `dav` into a
//! status. What the public may read is apart from the private source, which only the log sees.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use serde_json::{Map, Value};

/// Shorthand for results of the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the words a transport needs to choose its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood (400).
    Malformed,
    /// No usable credential (401).
    Unauthenticated,
    /// A credential without the right (403).
    Forbidden,
    /// No such thing, or none the caller may see (404).
    NotFound,
    /// The method is not for this thing (405).
    NotAllowed,
    /// The present state does not permit it (409).
    Conflict,
    /// A condition of the request does not hold (412).
    PreconditionFailed,
    /// The body is beyond its limit (413).
    TooLarge,
    /// The body is of a kind that is not taken here (415).
    UnsupportedMedia,
    /// The range lies outside the content (416).
    RangeNotSatisfiable,
    /// Understood, but not usable: a bad path, hash or size (422).
    Invalid,
    /// A part of a content is not what its checksum says (460; tus 1.0, Checksum).
    OtherChecksum,
    /// Locked by someone (423).
    Locked,
    /// Too many attempts (429).
    TooMany,
    /// The server's own fault (500).
    Internal,
    /// Not now: a drive is offline, the server drains, or a queue is full (503).
    Unavailable,
    /// It lies on another server, or in another drive, which this one does not reach for (502; RFC 4918, section 9.9.4).
    Elsewhere,
    /// No room to keep it (507).
    NoSpace,
}

/// An error with a public message, fields that help a program, and a private source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    /// The last part of the problem's `type`, for programs; `None`: about:blank.
    code: Option<&'static str>,
    public: Cow<'static, str>,
    fields: Map<String, Value>,
    retry_after: Option<u32>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind with the sentence the public may read.
    pub fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: None,
            public: public.into(),
            fields: Map::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// The server's own fault; the public learns only that, the log gets the source.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "something went wrong inside the server").because(source)
    }

    /// [`Kind::NotFound`] with its sentence.
    pub fn not_found(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, public)
    }

    /// [`Kind::Conflict`] with its sentence.
    pub fn conflict(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, public)
    }

    /// [`Kind::Invalid`] with its sentence.
    pub fn invalid(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, public)
    }

    /// [`Kind::Malformed`] with its sentence.
    pub fn malformed(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Malformed, public)
    }

    /// [`Kind::PreconditionFailed`] with its sentence.
    pub fn precondition(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::PreconditionFailed, public)
    }

    /// [`Kind::Forbidden`] with its sentence.
    pub fn forbidden(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, public)
    }

    /// [`Kind::Unavailable`] with its sentence and the seconds after which a client may try again.
    pub fn unavailable(public: impl Into<Cow<'static, str>>, retry_after: u32) -> Self {
        let mut error = Self::new(Kind::Unavailable, public);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// Names the problem for programs, e.g. `already-tracked`.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// Adds a field that helps a program, e.g. `actual_hash`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Says after how many seconds a client may try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Keeps the private source for the log.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The problem's name for programs, if it has one.
    pub fn problem_code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// The sentence the public may read.
    pub fn public(&self) -> &str {
        &self.0.public
    }

    /// The fields that help a program.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0.fields
    }

    /// Seconds after which a client may try again, if that is known.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.0.retry_after
    }

    /// The private source, for the log alone.
    pub fn private(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("public", &self.0.public)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.public)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
