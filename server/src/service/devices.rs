//! A user's devices: registering, naming, revoking, and telling which one a request means.

use serde_json::{Map, Value};

use super::caller::{Caller, DeviceRef};
use super::mounts;
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::devices::{self, Device, Registered};
use crate::catalog::events::{self, NewEvent};
use crate::domain::accounts;
use crate::error::{Error, Result};

/// The caller's devices after a cursor.
///
/// # Errors
/// The catalogue's.
pub async fn list(
    app: &App,
    caller: &Caller,
    after: i64,
    revoked_too: bool,
    limit: i64,
) -> Result<Vec<Device>> {
    let user = caller.user_id;
    app.db.read(move |tx| Box::pin(devices::page(tx, user, after, revoked_too, limit))).await
}

/// One of the caller's devices, revoked or not.
///
/// # Errors
/// 404, or the catalogue's.
pub async fn get(app: &App, caller: &Caller, device_id: String) -> Result<Device> {
    let user = caller.user_id;
    app.db
        .read(move |tx| {
            Box::pin(async move { devices::by_name(tx, user, &device_id).await?.ok_or_else(unknown) })
        })
        .await
}

/// The caller's registered device that a request names (the header `Holdfast-Device`, a `device_id` in a body).
///
/// # Errors
/// 404 `unknown-device` when there is none that counts, 403 `other-device` when the credential is bound to another.
pub async fn of_caller(app: &App, caller: &Caller, device_id: &str) -> Result<DeviceRef> {
    let (user, name) = (caller.user_id, device_id.to_owned());
    let device = app.db.read(move |tx| Box::pin(async move { find(tx, user, &name).await })).await?;
    permits(caller, device_id)?;
    Ok(DeviceRef { id: device.id, uuid: device.uuid, device_id: device.device_id, name: device.name })
}

/// A credential that is bound to a device speaks for that one alone.
///
/// # Errors
/// 403 `other-device`.
pub fn permits(caller: &Caller, device_id: &str) -> Result<()> {
    match &caller.device {
        Some(bound) if bound.device_id != device_id => {
            Err(Error::forbidden("this credential belongs to another device").code("other-device"))
        }
        _ => Ok(()),
    }
}

/// A user's device that counts.
///
/// # Errors
/// 404 `unknown-device`, or the catalogue's.
pub async fn find(tx: &mut Tx, user_id: i64, device_id: &str) -> Result<Device> {
    let device = devices::by_name(tx, user_id, device_id).await?;
    device.filter(|device| device.revoked_at.is_none()).ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::not_found("there is no such device of yours").code("unknown-device")
}

/// Registers a device or renames it, inside a transaction (003-02, 003-03).
///
/// # Errors
/// 403 `other-device`, 422, or the catalogue's.
pub async fn register(
    tx: &mut Tx,
    caller: &Caller,
    device_id: &str,
    name: &str,
    platform: Option<&str>,
    at: i64,
) -> Result<(Device, Registered)> {
    permits(caller, device_id)?;
    accounts::device_id(device_id).map_err(Error::invalid)?;
    let name = accounts::device_name(name).map_err(Error::invalid)?;
    let (device, registered) = devices::register(tx, caller.user_id, device_id, &name, platform, at).await?;
    if registered != Registered::Known {
        log(tx, at, caller.user_id, &device, "device-registered").await?;
    }
    Ok((device, registered))
}

/// The device a login names; one that is not registered is, under the name it gives itself.
pub(super) async fn on_login(tx: &mut Tx, user_id: i64, device_id: &str, at: i64) -> Result<i64> {
    if let Some(device) = devices::by_name(tx, user_id, device_id).await?
        && device.revoked_at.is_none()
    {
        devices::touch(tx, device.id, at).await?;
        return Ok(device.id);
    }
    let (device, _) = devices::register(tx, user_id, device_id, device_id, None, at).await?;
    log(tx, at, user_id, &device, "device-registered").await?;
    Ok(device.id)
}

/// Gives one of the caller's devices another name.
///
/// # Errors
/// 403 `other-device`, 404, 422, or the catalogue's.
pub async fn rename(app: &App, caller: &Caller, device_id: String, name: &str) -> Result<Device> {
    permits(caller, &device_id)?;
    let name = accounts::device_name(name).map_err(Error::invalid)?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let device = find(tx, user, &device_id).await?;
                devices::rename(tx, device.id, &name, at).await?;
                let device = Device { name, updated_at: at, ..device };
                log(tx, at, user, &device, "device-renamed").await?;
                Ok(device)
            })
        })
        .await
}

/// Ends one of the caller's devices: its logins and app passwords stop at once. What it stored stays.
///
/// # Errors
/// 403 for app passwords, 404, or the catalogue's.
pub async fn revoke(app: &App, caller: &Caller, device_id: String) -> Result<()> {
    caller.require_person()?;
    let (user, at) = (caller.user_id, app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let device = find(tx, user, &device_id).await?;
                mounts::revoked(tx, user, device.id, at).await?;
                devices::revoke(tx, device.id, at).await?;
                log(tx, at, user, &device, "device-revoked").await
            })
        })
        .await
}

async fn log(tx: &mut Tx, at: i64, user: i64, device: &Device, kind: &'static str) -> Result<()> {
    let mut detail = Map::new();
    detail.insert("device_id".to_owned(), Value::String(device.device_id.clone()));
    detail.insert("name".to_owned(), Value::String(device.name.clone()));
    let event = NewEvent {
        at,
        actor_id: Some(user),
        device_id: Some(device.id),
        kind,
        detail,
        ..NewEvent::default()
    };
    events::add(tx, event).await
}
