//! By which address a request reached the server, as the client knows it.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;

use super::auth;
use super::connection::Secure;
use super::problem::Problem;
use crate::app::App;
use crate::error::Error;

const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

/// The address by which a client knows the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is https.
    pub secure: bool,
    /// Name or address, an IPv6 address in brackets.
    pub host: String,
    /// The port, if it is not the scheme's own.
    pub port: Option<u16>,
    /// Whether a reverse proxy said so.
    pub forwarded: bool,
}

impl FromRequestParts<App> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let trusted = auth::comes_from_proxy(app, parts);
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        // The last of several is the nearest proxy's word.
        let said = |name: &str| header(name).filter(|_| trusted)?.rsplit(',').next().map(str::trim);
        let secure = match said(FORWARDED_PROTO) {
            Some(proto) => proto.eq_ignore_ascii_case("https"),
            None => parts.extensions.get::<Secure>().is_some(),
        };
        let forwarded = said(FORWARDED_PROTO).or(said(FORWARDED_HOST)).is_some();
        let host = said(FORWARDED_HOST).or_else(|| header(HOST.as_str())).unwrap_or_default();
        Ok(Self::of(secure, host, forwarded)?)
    }
}

impl Origin {
    fn of(secure: bool, host: &str, forwarded: bool) -> Result<Self, Error> {
        let bad = || Error::malformed("the header Host is missing or not understood");
        let authority: Authority = host.parse().map_err(|_| bad())?;
        let name = authority.host();
        // What is made of it is pasted into shells.
        let good = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        if name.is_empty() || host.contains('@') || !name.bytes().all(good) {
            return Err(bad());
        }
        let usual = if secure { 443 } else { 80 };
        let port = authority.port_u16().filter(|port| *port != usual);
        Ok(Self { secure, host: name.to_ascii_lowercase(), port, forwarded })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn host_and_port_are_read_and_what_is_neither_is_refused() {
        let origin = Origin::of(true, "NAS.local:8443", false).unwrap();
        assert_eq!((origin.host.as_str(), origin.port), ("nas.local", Some(8443)));
        assert_eq!(Origin::of(true, "nas:443", false).unwrap().port, None);
        assert_eq!(Origin::of(false, "nas:443", false).unwrap().port, Some(443));
        assert_eq!(Origin::of(false, "[fd00::1]:8000", false).unwrap().host, "[fd00::1]");
        for bad in ["", "a b", "ada@nas", "nas/x", "nas'", "$(id)", "nas;id", ":80"] {
            assert!(Origin::of(false, bad, false).is_err(), "{bad}");
        }
    }
}
