//! Signing in: passwords, access tokens, refresh tokens with rotation, and Basic.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::caller::{Caller, Credential, Proof};
use crate::app::App;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::sessions::{NewSession, Session};
use crate::catalog::users::User;
use crate::catalog::{app_passwords, devices, sessions, users};
use crate::config::Secret;
use crate::domain::accounts;
use crate::error::{Error, Kind, Result};

/// What an access token says; it counts only while its session does.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    sid: Uuid,
    iat: i64,
    exp: i64,
}

/// What a login or a refresh gives.
#[derive(Debug)]
pub struct Tokens {
    /// For the header `Authorization: Bearer`.
    pub access: String,
    /// For the next refresh, once.
    pub refresh: String,
    /// How long the access token is good for.
    pub lifetime: Duration,
}

/// What a login brings along.
#[derive(Debug)]
pub struct Login {
    /// The account's name.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// The device that the session is to be bound to; registered if it is not yet.
    pub device_id: Option<String>,
    /// The program that signs in, as it says.
    pub user_agent: Option<String>,
    /// From where.
    pub address: IpAddr,
}

/// How long ended logins are still listed in the catalogue, in microseconds: none is needed after that.
const KEEP_ENDED: i64 = 30 * 24 * 3600 * 1_000_000;
/// Most logins of one account; beyond them the one that was used longest ago ends.
const MOST_LOGINS: i64 = 500;
/// Only written when it is that much older, in microseconds: a busy program is not a write per request.
const TOUCH_AFTER: i64 = 5 * 60 * 1_000_000;

/// Signs in.
///
/// # Errors
/// 401 `wrong-credentials` whatever was wrong, 422 for a bad device_id, 429, or the catalogue's.
pub async fn login(app: &App, login: Login) -> Result<Tokens> {
    if let Some(device_id) = &login.device_id {
        accounts::device_id(device_id).map_err(Error::invalid)?;
    }
    let Some(user) = verify_password(app, login.address, &login.username, login.password).await? else {
        return Err(wrong_credentials());
    };
    let at = app.clock.now();
    let expires_at = at.saturating_add(micros(app.config.refresh_lifetime));
    let user_agent = login.user_agent.map(|text| text.chars().take(256).collect());
    let session = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let device = match &login.device_id {
                    Some(name) => Some(super::devices::on_login(tx, user.id, name, at).await?),
                    None => None,
                };
                let new = NewSession { user_id: user.id, device_id: device, user_agent, at, expires_at };
                let session = sessions::insert(tx, new, at - KEEP_ENDED, MOST_LOGINS).await?;
                log(tx, at, user.id, device, "signed-in", session).await?;
                Ok((user.uuid, session))
            })
        })
        .await?;
    tokens(app, session.0, session.1, 1)
}

/// Whose password it is, if it is right and the account may sign in. Takes the same time for unknown names; each try
/// counts against address and account.
///
/// # Errors
/// 429, 503 when too many sign in at once, or the catalogue's.
pub async fn verify_password(
    app: &App,
    address: IpAddr,
    username: &str,
    password: Secret,
) -> Result<Option<User>> {
    let Some(key) = accounts::login_key(username) else { return Ok(None) };
    if key.len() > 256 || password.reveal().len() > 1024 {
        return Ok(None);
    }
    app.admit(address, &key)?;
    let user = app.db.glance(|tx| {
        let key = key.clone();
        Box::pin(async move { users::by_key(tx, &key).await })
    });
    let user = user.await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = app.passwords.verify(password, stored).await?;
    let user = user.filter(|user| right && user.disabled_at.is_none());
    match &user {
        Some(_) => app.succeeded(address, &key),
        None => tracing::warn!(%address, "a password was wrong"),
    }
    Ok(user)
}

fn wrong_credentials() -> Error {
    Error::new(Kind::Unauthenticated, "user name or password is wrong").code("wrong-credentials")
}

/// Exchanges a refresh token, once. One that was exchanged before ends its login: either its owner or a thief holds
/// the newer one, and nobody can tell which.
///
/// # Errors
/// 401 `invalid-token`, or the catalogue's.
pub async fn refresh(app: &App, token: &str) -> Result<Tokens> {
    let (session, generation) = read_refresh(app, token).ok_or_else(invalid_token)?;
    let now = app.clock.now();
    let expires_at = now.saturating_add(micros(app.config.refresh_lifetime));
    let outcome = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let Some(identity) = sessions::identity(tx, session, now).await? else { return Ok(None) };
                let device = identity.device.as_ref().map(|device| device.id);
                if let Some(next) = sessions::rotate(tx, session, generation, now, expires_at).await? {
                    if let Some(device) = device {
                        devices::touch(tx, device, now).await?;
                    }
                    return Ok(Some((identity.user_uuid, next)));
                }
                sessions::revoke(tx, session, identity.user_id, now).await?;
                log(tx, now, identity.user_id, device, "refresh-token-reused", session).await?;
                Ok(None)
            })
        })
        .await?;
    let (user, next) = outcome.ok_or_else(invalid_token)?;
    tokens(app, user, session, next)
}

/// Ends the login this request came with.
///
/// # Errors
/// 409 `no-session` for Basic, or the catalogue's.
pub async fn logout(app: &App, caller: &Caller) -> Result<()> {
    let session = caller
        .session()
        .ok_or_else(|| Error::conflict("this request came without a login to end").code("no-session"))?;
    end(app, caller, session).await
}

/// Ends one of the caller's logins.
///
/// # Errors
/// 403 for app passwords, 404, or the catalogue's.
pub async fn revoke(app: &App, caller: &Caller, session: Uuid) -> Result<()> {
    caller.require_person()?;
    end(app, caller, session).await
}

async fn end(app: &App, caller: &Caller, session: Uuid) -> Result<()> {
    let (user, device, at) =
        (caller.user_id, caller.device.as_ref().map(|device| device.id), app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                if !sessions::revoke(tx, session, user, at).await? {
                    return Err(Error::not_found("there is no such session"));
                }
                log(tx, at, user, device, "signed-out", session).await
            })
        })
        .await
}

/// The caller's logins after a cursor.
///
/// # Errors
/// 403 for app passwords, or the catalogue's.
pub async fn list(app: &App, caller: &Caller, after: i64, limit: i64) -> Result<Vec<Session>> {
    caller.require_person()?;
    let (user, now) = (caller.user_id, app.clock.now());
    app.db.read(move |tx| Box::pin(sessions::of_user(tx, user, after, now, limit))).await
}

/// Who an access token stands for now.
///
/// # Errors
/// 401 `invalid-token`, or the catalogue's.
pub async fn bearer(app: &App, token: &str) -> Result<Caller> {
    let claims = read_access(app, token).ok_or_else(invalid_token)?;
    let (asked, state, now) = (Proof::Session(claims.sid), app.db.account_changes(), app.clock.now());
    if let Some(caller) = app.callers.get(&asked, state, now) {
        return if caller.user_uuid == claims.sub { Ok(caller) } else { Err(invalid_token()) };
    }
    let identity = app.db.glance(move |tx| Box::pin(sessions::identity(tx, claims.sid, now))).await?;
    let identity = identity.filter(|identity| identity.user_uuid == claims.sub).ok_or_else(invalid_token)?;
    let caller = Caller::new(identity, Credential::Session(claims.sid));
    app.callers.put(asked, state, now, caller.clone());
    Ok(caller)
}

/// Who a name with an app password or the account's own password stands for.
///
/// An app password is looked up first and counts against nothing: it cannot be guessed. A password that was found
/// right is remembered for some minutes, so that a mounted drive does not cost an Argon2 per request, and whoever was
/// found a moment ago, while no account was changed since, is not looked up again.
///
/// # Errors
/// 401 `wrong-credentials`, 429, 503, or the catalogue's.
pub async fn basic(app: &App, address: IpAddr, username: &str, password: Secret) -> Result<Caller> {
    let key = accounts::login_key(username).ok_or_else(wrong_credentials)?;
    let verdict = app.keys.verdict(&key, password.reveal());
    let (asked, state, now) = (Proof::Secret(verdict), app.db.account_changes(), app.clock.now());
    if let Some(caller) = app.callers.get(&asked, state, now) {
        return Ok(caller);
    }
    let caller = look_up(app, address, username, key, password, verdict).await?;
    app.callers.put(asked, state, now, caller.clone());
    Ok(caller)
}

async fn look_up(
    app: &App,
    address: IpAddr,
    username: &str,
    key: String,
    password: Secret,
    verdict: [u8; 32],
) -> Result<Caller> {
    let now = app.clock.now();
    if super::app_passwords::looks_like_one(password.reveal()) {
        let hash = app.keys.app_password_hash(super::app_passwords::normal(password.reveal()).as_str());
        let name = key.clone();
        let identity =
            app.db.glance(move |tx| Box::pin(async move { app_passwords::identity(tx, &hash, &name).await }));
        if let Some(identity) = identity.await? {
            remember_use(app, identity.credential_id, identity.last_used_at, now);
            let credential = Credential::AppPassword(identity.credential);
            return Ok(Caller::new(identity, credential));
        }
    }
    if let Some(user) = known(app, &key, &verdict, now).await? {
        return Ok(person(user));
    }
    let _turn = app.verdicts.turn(&verdict).await;
    if let Some(user) = known(app, &key, &verdict, now).await? {
        return Ok(person(user));
    }
    let user = verify_password(app, address, username, password).await?.ok_or_else(wrong_credentials)?;
    app.verdicts.put(verdict, user.password_hash.clone(), now);
    Ok(person(user))
}

/// Whose name and password these are, if that was found right a moment ago and still is.
async fn known(app: &App, key: &str, verdict: &[u8; 32], now: i64) -> Result<Option<User>> {
    let Some(stored) = app.verdicts.get(verdict, now) else { return Ok(None) };
    let key = key.to_owned();
    let user = app.db.glance(move |tx| Box::pin(async move { users::by_key(tx, &key).await })).await?;
    Ok(user.filter(|user| user.disabled_at.is_none() && user.password_hash == stored))
}

fn person(user: User) -> Caller {
    Caller {
        user_id: user.id,
        user_uuid: user.uuid,
        username: user.username,
        role: user.role,
        device: None,
        credential: Credential::Password,
    }
}

fn remember_use(app: &App, app_password: i64, last_used_at: Option<i64>, now: i64) {
    if last_used_at.is_some_and(|last| now.saturating_sub(last) < TOUCH_AFTER) {
        return;
    }
    let db = app.db.clone();
    tokio::spawn(async move {
        let touched = db.write(move |tx| Box::pin(app_passwords::touch(tx, app_password, now))).await;
        if let Err(error) = touched {
            tracing::debug!(%error, "the use of an app password was not noted");
        }
    });
}

fn invalid_token() -> Error {
    Error::new(Kind::Unauthenticated, "the token is not valid or has ended").code("invalid-token")
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

fn tokens(app: &App, user: Uuid, session: Uuid, generation: i64) -> Result<Tokens> {
    let lifetime = app.config.access_lifetime;
    let now = app.clock.now() / 1_000_000;
    let exp = now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 4));
    let claims = Claims { sub: user, sid: session, iat: now, exp };
    let key = EncodingKey::from_secret(app.keys.access());
    let access =
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Error::internal)?;
    Ok(Tokens { access, refresh: write_refresh(app, session, generation), lifetime })
}

fn read_access(app: &App, token: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    // The time is the app's own, not the library's.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(app.keys.access());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    (claims.exp.saturating_mul(1_000_000) > app.clock.now()).then_some(claims)
}

/// Session, generation, and the proof that this server said so.
fn write_refresh(app: &App, session: Uuid, generation: i64) -> String {
    let mut bytes = Vec::with_capacity(56);
    bytes.extend_from_slice(session.as_bytes());
    bytes.extend_from_slice(&generation.to_be_bytes());
    let proof = app.keys.refresh_proof(&bytes);
    bytes.extend_from_slice(&proof);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_refresh(app: &App, token: &str) -> Option<(Uuid, i64)> {
    let bytes: [u8; 56] = URL_SAFE_NO_PAD.decode(token.trim()).ok()?.try_into().ok()?;
    let (said, proof) = bytes.split_at(24);
    if !bool::from(app.keys.refresh_proof(said).as_slice().ct_eq(proof)) {
        return None;
    }
    let (session, generation) = said.split_at(16);
    Some((Uuid::from_slice(session).ok()?, i64::from_be_bytes(generation.try_into().ok()?)))
}

async fn log(
    tx: &mut crate::catalog::db::Tx,
    at: i64,
    user: i64,
    device: Option<i64>,
    kind: &'static str,
    session: Uuid,
) -> Result<()> {
    let mut detail = Map::new();
    detail.insert("session".to_owned(), Value::String(session.to_string()));
    let event = NewEvent { at, actor_id: Some(user), device_id: device, kind, detail, ..NewEvent::default() };
    events::add(tx, event).await
}
