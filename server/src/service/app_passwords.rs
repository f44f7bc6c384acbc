//! App passwords: a secret of its own for each program or device.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::caller::Caller;
use crate::app::App;
use crate::catalog::app_passwords::{self, AppPassword, NewAppPassword};
use crate::catalog::db::Tx;
use crate::catalog::events::{self, NewEvent};
use crate::domain::accounts;
use crate::error::{Error, Result};
use crate::keys;

/// 32 letters and digits that are not mistaken for each other: people type these on phones.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Each carries five bits.
const LETTERS: usize = 32;
/// Most that count at once per user.
const MOST: i64 = 200;

/// A fresh one; the secret is shown this once.
#[derive(Debug)]
pub struct Created {
    /// Its public id.
    pub uuid: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// The secret.
    pub password: String,
    /// The device it is bound to.
    pub device_id: Option<String>,
    /// Since when, in microseconds since 1970.
    pub created_at: i64,
}

/// Makes one, bound to a registered device if one is named or the caller's login belongs to one: what a device makes
/// ends with it.
///
/// # Errors
/// 403 for app passwords, 403 `other-device`, 404 for an unknown device, 409 `too-many`, 422, or the catalogue's.
pub async fn create(app: &App, caller: &Caller, name: &str, device_id: Option<String>) -> Result<Created> {
    caller.require_person()?;
    let device_id = device_id.or_else(|| caller.device.as_ref().map(|device| device.device_id.clone()));
    if let Some(device_id) = &device_id {
        super::devices::permits(caller, device_id)?;
    }
    let name = accounts::device_name(name).map_err(Error::invalid)?;
    let password = secret()?;
    let secret_hash = app.keys.app_password_hash(&normal(&password));
    let (user_id, at) = (caller.user_id, app.clock.now());
    let (called, bound) = (name.clone(), device_id.clone());
    let uuid = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let device = match &bound {
                    Some(device_id) => Some(super::devices::find(tx, user_id, device_id).await?.id),
                    None => None,
                };
                if app_passwords::count(tx, user_id).await? >= MOST {
                    return Err(Error::conflict("too many app passwords; revoke one first").code("too-many"));
                }
                let new = NewAppPassword { user_id, device_id: device, name: called, secret_hash, at };
                let uuid = app_passwords::insert(tx, new).await?;
                log(tx, at, user_id, device, "app-password-created", uuid).await?;
                Ok(uuid)
            })
        })
        .await?;
    Ok(Created { uuid, name, password, device_id, created_at: at })
}

/// The caller's after a cursor.
///
/// # Errors
/// 403 for app passwords, or the catalogue's.
pub async fn list(app: &App, caller: &Caller, after: i64, limit: i64) -> Result<Vec<AppPassword>> {
    caller.require_person()?;
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(app_passwords::of_user(tx, user, after, limit))).await
}

/// Ends one of the caller's, at once.
///
/// # Errors
/// 403 for app passwords, 404, or the catalogue's.
pub async fn revoke(app: &App, caller: &Caller, uuid: Uuid) -> Result<()> {
    caller.require_person()?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                if !app_passwords::revoke(tx, uuid, user, at).await? {
                    return Err(Error::not_found("there is no such app password"));
                }
                log(tx, at, user, None, "app-password-revoked", uuid).await
            })
        })
        .await
}

/// 160 random bits, in groups of eight for whoever types them.
fn secret() -> Result<String> {
    let random: [u8; LETTERS] = keys::random().map_err(Error::internal)?;
    let letters: Vec<char> = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups: Vec<String> = letters.chunks(8).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// As it is hashed: without the hyphens and blanks that people leave out or add, and in lower case.
pub(super) fn normal(secret: &str) -> String {
    secret.chars().filter(|c| *c != '-' && *c != ' ').map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether it is worth looking up.
pub(super) fn looks_like_one(password: &str) -> bool {
    let normal = normal(password);
    normal.len() == LETTERS && normal.bytes().all(|byte| ALPHABET.contains(&byte))
}

async fn log(
    tx: &mut Tx,
    at: i64,
    user: i64,
    device: Option<i64>,
    kind: &'static str,
    uuid: Uuid,
) -> Result<()> {
    let mut detail = Map::new();
    detail.insert("app_password".to_owned(), Value::String(uuid.to_string()));
    let event = NewEvent { at, actor_id: Some(user), device_id: device, kind, detail, ..NewEvent::default() };
    events::add(tx, event).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn a_secret_is_recognised_however_it_was_typed() {
        let secret = secret().unwrap();
        assert!(looks_like_one(&secret));
        assert!(looks_like_one(&secret.to_uppercase().replace('-', " ")));
        assert_eq!(normal(&secret.to_uppercase()), normal(&secret));
        assert!(!looks_like_one("correct horse battery staple"));
    }
}
