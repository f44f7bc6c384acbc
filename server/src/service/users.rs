//! Accounts: making, changing, listing.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::caller::Caller;
use super::drives::{self, PreparedHome};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::events::{self, NewEvent};
use crate::catalog::users::User;
use crate::catalog::{sessions, users};
use crate::config::Secret;
use crate::domain::accounts::{self, Role};
use crate::error::{Error, Kind, Result};

/// An account as somebody asks for it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it signs in with.
    pub username: String,
    /// What people read; without one, the user name.
    pub display_name: Option<String>,
    /// Its password.
    pub password: Secret,
    /// What it may do.
    pub role: Role,
}

/// Applies the rules and hashes the password: everything that needs no transaction.
async fn check(app: &App, wanted: Wanted) -> Result<users::NewUser> {
    let username = accounts::username(&wanted.username).map_err(Error::invalid)?;
    let display_name = match &wanted.display_name {
        Some(name) => accounts::display_name(name).map_err(Error::invalid)?,
        None => username.clone(),
    };
    accounts::password(wanted.password.reveal()).map_err(Error::invalid)?;
    Ok(users::NewUser {
        uuid: Uuid::new_v4(),
        username_key: accounts::username_key(&username),
        username,
        display_name,
        role: wanted.role,
        password_hash: app.passwords.hash(wanted.password).await?,
        at: app.clock.now(),
    })
}

/// On what condition an account is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Always.
    Always,
    /// While there is none yet.
    First,
}

/// Makes an account with its home drive: the folder first, then both rows in one transaction, then the drive is opened.
///
/// # Errors
/// 422 for a broken rule, 409 `username-taken` or `already-set-up`, or the catalogue's.
pub(super) async fn make(app: &App, wanted: Wanted, when: When, actor: Option<i64>) -> Result<User> {
    let whole = app.clone();
    // An act of its own: a caller that leaves must not leave a folder without an account.
    app.act(async move { make_whole(&whole, wanted, when, actor).await }).await
}

async fn make_whole(app: &App, wanted: Wanted, when: When, actor: Option<i64>) -> Result<User> {
    let new = check(app, wanted).await?;
    let home = app.drives.prepare_home(new.uuid).await?;
    let signed = home.clone();
    let made = app.db.write(move |tx| Box::pin(insert(tx, new, signed, when, actor))).await;
    match made {
        Ok((user, drive)) => {
            if app.is_serving() {
                app.drives.opened(drive).await?;
            }
            Ok(user)
        }
        Err(refused) => {
            // Only when nothing was made for certain: after a failed commit the account may exist all the same.
            if refused.kind() == Kind::Conflict {
                app.drives.discard_home(home).await;
            }
            Err(refused)
        }
    }
}

async fn insert(
    tx: &mut Tx,
    new: users::NewUser,
    home: PreparedHome,
    when: When,
    actor: Option<i64>,
) -> Result<(User, i64)> {
    if when == When::First && users::any(tx).await? {
        return Err(already_set_up());
    }
    let at = new.at;
    let user = users::insert(tx, new).await?;
    let drive = drives::insert_home(tx, user.id, &home, at).await?;
    let event =
        NewEvent { at, actor_id: actor.or(Some(user.id)), kind: "user-created", ..NewEvent::default() };
    events::add(tx, NewEvent { detail: about(&user), ..event }).await?;
    Ok((user, drive))
}

pub(super) fn already_set_up() -> Error {
    Error::conflict("this server has its first account already; sign in").code("already-set-up")
}

/// Makes an account on an admin's word, or on that of whoever may run commands on the server (`actor` is `None`).
///
/// # Errors
/// 403, 422 for a broken rule, 409 `username-taken`, or the catalogue's.
pub async fn create(app: &App, actor: Option<&Caller>, wanted: Wanted) -> Result<User> {
    if let Some(caller) = actor {
        caller.require_unbound_admin()?;
    }
    make(app, wanted, When::Always, actor.map(|caller| caller.user_id)).await
}

/// Accounts after a cursor (admins only).
///
/// # Errors
/// 403, or the catalogue's.
pub async fn list(app: &App, caller: &Caller, after: i64, limit: i64) -> Result<Vec<User>> {
    caller.require_admin()?;
    app.db.read(move |tx| Box::pin(users::page(tx, after, limit))).await
}

/// Accounts after an internal id, for whoever may run commands on the server.
///
/// # Errors
/// The catalogue's.
pub async fn all(app: &App, after: i64, limit: i64) -> Result<Vec<User>> {
    app.db.read(move |tx| Box::pin(users::page(tx, after, limit))).await
}

/// The account of that name, for whoever may run commands on the server.
///
/// # Errors
/// 404, or the catalogue's.
pub async fn by_name(app: &App, username: &str) -> Result<User> {
    let key = accounts::username_key(username);
    let user = app.db.read(move |tx| Box::pin(async move { users::by_key(tx, &key).await })).await?;
    user.ok_or_else(|| Error::not_found("there is no such user"))
}

/// One account (admins only).
///
/// # Errors
/// 403, 404, or the catalogue's.
pub async fn get(app: &App, caller: &Caller, user: Uuid) -> Result<User> {
    caller.require_admin()?;
    app.db.read(move |tx| Box::pin(find(tx, user))).await
}

/// The caller's own account.
///
/// # Errors
/// 404 when it is gone meanwhile, or the catalogue's.
pub async fn own(app: &App, caller: &Caller) -> Result<User> {
    let user = caller.user_uuid;
    app.db.read(move |tx| Box::pin(find(tx, user))).await
}

async fn find(tx: &mut Tx, user: Uuid) -> Result<User> {
    users::by_uuid(tx, user).await?.ok_or_else(|| Error::not_found("there is no such user"))
}

/// What an admin may change of an account; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What people read.
    pub display_name: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// Whether it may not sign in.
    pub disabled: Option<bool>,
}

/// Changes an account (admins only). A disabled one loses its logins at once; the last admin who can sign in stays.
///
/// # Errors
/// 403, 404, 409 `last-admin`, 422, or the catalogue's.
pub async fn change(app: &App, caller: &Caller, user: Uuid, change: Change) -> Result<User> {
    caller.require_unbound_admin()?;
    let (actor, at) = (caller.user_id, app.clock.now());
    let display_name =
        change.display_name.map(|name| accounts::display_name(&name).map_err(Error::invalid)).transpose()?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let mut user = find(tx, user).await?;
                let was_admin = user.role == Role::Admin && user.disabled_at.is_none();
                if let Some(name) = display_name {
                    user.display_name = name;
                }
                user.role = change.role.unwrap_or(user.role);
                user.disabled_at = match change.disabled {
                    Some(true) => user.disabled_at.or(Some(at)),
                    Some(false) => None,
                    None => user.disabled_at,
                };
                user.updated_at = at;
                let is_admin = user.role == Role::Admin && user.disabled_at.is_none();
                if was_admin && !is_admin && !users::other_admin_exists(tx, user.id).await? {
                    return Err(Error::conflict("this is the last admin").code("last-admin"));
                }
                users::update(tx, &user).await?;
                if user.disabled_at.is_some() {
                    sessions::revoke_all(tx, user.id, None, at).await?;
                }
                let event =
                    NewEvent { at, actor_id: Some(actor), kind: "user-changed", ..NewEvent::default() };
                events::add(tx, NewEvent { detail: about(&user), ..event }).await?;
                Ok(user)
            })
        })
        .await
}

/// Changes what people read of the caller.
///
/// # Errors
/// 422, or the catalogue's.
pub async fn rename_self(app: &App, caller: &Caller, display_name: &str) -> Result<User> {
    caller.require_person()?;
    let display_name = accounts::display_name(display_name).map_err(Error::invalid)?;
    let (uuid, at) = (caller.user_uuid, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let mut user = find(tx, uuid).await?;
                user.display_name = display_name;
                user.updated_at = at;
                users::update(tx, &user).await?;
                let event =
                    NewEvent { at, actor_id: Some(user.id), kind: "user-changed", ..NewEvent::default() };
                events::add(tx, NewEvent { detail: about(&user), ..event }).await?;
                Ok(user)
            })
        })
        .await
}

/// Sets another's password: on an admin's word, or on that of whoever may run commands on the server. All logins of
/// the account end; its app passwords are secrets of their own and stay.
///
/// # Errors
/// 403, 404, 422, or the catalogue's.
pub async fn reset_password(app: &App, actor: Option<&Caller>, user: Uuid, password: Secret) -> Result<()> {
    if let Some(caller) = actor {
        caller.require_unbound_admin()?;
    }
    let actor = actor.map(|caller| caller.user_id);
    set_password(app, user, password, actor, None).await
}

/// Sets one's own password; the other logins of the account end, the one that asks stays. A login that names a device
/// may do it, too: it needs the current password, and who knows that can sign in without the device.
///
/// # Errors
/// 403 `wrong-password`, 422, 429, or the catalogue's.
pub async fn change_own_password(
    app: &App,
    caller: &Caller,
    address: std::net::IpAddr,
    current: Secret,
    new: Secret,
) -> Result<()> {
    caller.require_person()?;
    accounts::password(new.reveal()).map_err(Error::invalid)?;
    let right = super::sessions::verify_password(app, address, &caller.username, current).await?;
    if right.is_none() {
        return Err(Error::forbidden("the current password is wrong").code("wrong-password"));
    }
    set_password(app, caller.user_uuid, new, Some(caller.user_id), caller.session()).await
}

async fn set_password(
    app: &App,
    user: Uuid,
    password: Secret,
    actor: Option<i64>,
    spare: Option<Uuid>,
) -> Result<()> {
    accounts::password(password.reveal()).map_err(Error::invalid)?;
    let hash = app.passwords.hash(password).await?;
    let at = app.clock.now();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = find(tx, user).await?;
                users::set_password(tx, user.id, &hash, at).await?;
                sessions::revoke_all(tx, user.id, spare, at).await?;
                let event = NewEvent { at, actor_id: actor, kind: "password-changed", ..NewEvent::default() };
                events::add(tx, NewEvent { detail: about(&user), ..event }).await
            })
        })
        .await
}

fn about(user: &User) -> Map<String, Value> {
    let mut detail = Map::new();
    detail.insert("user".to_owned(), user.uuid.to_string().into());
    detail.insert("username".to_owned(), user.username.clone().into());
    detail.insert("role".to_owned(), user.role.as_str().into());
    detail.insert("disabled".to_owned(), user.disabled_at.is_some().into());
    detail
}
