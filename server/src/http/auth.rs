//! Who sends a request: `Authorization` with Bearer (an access token) or Basic (an app password or the account's own).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;

use super::problem::Problem;
use crate::app::App;
use crate::config::Secret;
use crate::domain::locks::id_of;
use crate::error::{Error, Kind, Result};
use crate::service::caller::{Caller, DeviceRef};
use crate::service::locks::Guard;
use crate::service::{devices, sessions};

/// The header by which an explicit sync act names its device (design section 6).
pub const DEVICE_HEADER: &str = "Holdfast-Device";

/// Who sends a request with these headers.
///
/// # Errors
/// 401 without a credential or with one that does not count, 429 after too many wrong passwords.
pub async fn authenticate(app: &App, headers: &HeaderMap, peer: SocketAddr) -> Result<Caller> {
    let header = headers.get(AUTHORIZATION).ok_or_else(missing)?;
    // Not `to_str`: credentials may be any bytes, and whatever is not ours is only unusable.
    let text = std::str::from_utf8(header.as_bytes()).map_err(|_| missing())?.trim();
    let (scheme, rest) = text.split_once(' ').ok_or_else(missing)?;
    let rest = rest.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") {
        sessions::bearer(app, rest).await
    } else if scheme.eq_ignore_ascii_case("basic") {
        let (username, password) = basic(rest).ok_or_else(missing)?;
        let address = client_address(&app.config.trusted_proxies, peer.ip(), headers);
        sessions::basic(app, address, &username, password).await
    } else {
        Err(missing())
    }
}

fn missing() -> Error {
    Error::new(Kind::Unauthenticated, "this needs a credential: Bearer or Basic")
}

/// RFC 7617: base64 of name, colon, password, in UTF-8 as our challenge says.
fn basic(encoded: &str) -> Option<(String, Secret)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), Secret::new(password)))
}

/// The caller's registered device that a request names by `Holdfast-Device`, if it names one.
///
/// # Errors
/// 400 for a name that is no text, 404 `unknown-device`, 403 `other-device`.
pub async fn device(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<Option<DeviceRef>> {
    let Some(value) = headers.get(DEVICE_HEADER) else { return Ok(None) };
    let name = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::malformed("the header Holdfast-Device is not UTF-8"))?
        .trim();
    devices::of_caller(app, caller, name).await.map(Some)
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(authenticate(app, &parts.headers, peer(parts)).await?)
    }
}

/// The header by which a request of REST shows the locks that it holds: `<urn:holdfast:..>`, several comma-separated.
const LOCK_TOKEN: &str = "lock-token";

/// What a request says about locks it holds. A token that none of ours can be is the token of no lock.
fn held(headers: &HeaderMap) -> Guard {
    let texts = headers.get_all(LOCK_TOKEN).iter().filter_map(|value| value.to_str().ok());
    let tokens = texts
        .flat_map(|text| text.split(','))
        .filter_map(|token| id_of(token.trim().strip_prefix('<')?.strip_suffix('>')?));
    Guard::holding(tokens.collect())
}

/// The caller, the device that a request names by `Holdfast-Device`, if it names one, and the locks it shows.
#[derive(Debug)]
pub struct CallerOn(pub Caller, pub Option<DeviceRef>, pub Guard);

impl FromRequestParts<App> for CallerOn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let device = device(app, &caller, &parts.headers).await?;
        Ok(Self(caller, device, held(&parts.headers)))
    }
}

/// What [`authenticate`] asks for, for requests that last: whoever sent them is asked again who they are.
#[derive(Debug)]
pub struct Sender {
    /// The credential among them.
    pub headers: HeaderMap,
    /// The connection's other end.
    pub peer: SocketAddr,
}

impl<S: Send + Sync> FromRequestParts<S> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self { headers: parts.headers.clone(), peer: peer(parts) })
    }
}

/// From where a request comes.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl FromRequestParts<App> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(client_address(&app.config.trusted_proxies, peer(parts).ip(), &parts.headers)))
    }
}

/// The connection's other end; unknown only where a test calls the router without one.
fn peer(parts: &Parts) -> SocketAddr {
    let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    known.map_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), |info| info.0)
}

/// Whether a request comes from a reverse proxy whose word about it is believed.
pub fn comes_from_proxy(app: &App, parts: &Parts) -> bool {
    is_trusted(&app.config.trusted_proxies, peer(parts).ip())
}

fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|proxies| proxies.contains(&address.to_canonical()))
}

/// From where a request really comes: behind trusted proxies the last address that none of them is. What stands further
/// left in `X-Forwarded-For` was said by the client itself and counts for nothing.
fn client_address(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    let lists: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut hops = lists.iter().flat_map(|list| list.split(',')).rev();
    while is_trusted(trusted, client) {
        let Some(hop) = hops.next().and_then(|hop| hop.trim().parse().ok()) else { break };
        client = hop;
    }
    client
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|proxy| proxy.parse().unwrap_or_else(|_| IpNet::from(proxy.parse::<IpAddr>().unwrap())))
            .collect();
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        client_address(&trusted, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_others() {
        assert_eq!(client(&[], "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&["127.0.0.1"], "192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&["127.0.0.1"], "::ffff:127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&["172.16.0.0/12"], "172.18.0.3", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&["172.16.0.0/12"], "172.32.0.3", &["198.51.100.7"]), "172.32.0.3");
    }

    #[test]
    fn what_a_client_says_of_itself_through_a_proxy_counts_for_nothing() {
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &["10.0.0.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            client(&["127.0.0.1", "10.0.0.9"], "127.0.0.1", &["1.1.1.1", "198.51.100.7, 10.0.0.9"]),
            "198.51.100.7"
        );
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &["nonsense"]), "127.0.0.1");
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &[]), "127.0.0.1");
    }
}
