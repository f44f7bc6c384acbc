//! Where devices have drives (document 000), and where they had them.

use uuid::Uuid;

use super::db::{EngineName, Tx};
use super::sql::{self, Builder, Query, portions, row};
use crate::error::Result;

/// A drive's place on a device.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id; the same over all reports of this drive by this device (000-16).
    pub uuid: Uuid,
    /// Internal key of the drive.
    pub drive_id: i64,
    /// Public id of the drive.
    pub drive_uuid: Uuid,
    /// Internal key of the device.
    pub client_id: i64,
    /// What the device calls itself.
    pub device_id: String,
    /// Its operating system, if it said.
    pub platform: Option<String>,
    /// Where, as the device wrote it.
    pub mount_point: String,
    /// The same for all spellings of that place.
    pub mount_key: String,
    /// When it was last reported, in microseconds since 1970.
    pub last_seen_at: i64,
    /// Whether it was there when the device last told.
    pub is_available: bool,
    /// How the device's own program for a cloud drive stands, as it reported.
    pub sync_status: Option<String>,
    /// What that program says is wrong.
    pub sync_error: Option<String>,
}

row!(Mount {
    id,
    uuid,
    drive_id,
    drive_uuid,
    client_id,
    device_id,
    platform,
    mount_point,
    mount_key,
    last_seen_at,
    is_available,
    sync_status,
    sync_error,
});

/// What is reported of a mount.
#[derive(Debug, Clone)]
pub struct Reported<'a> {
    /// Internal key of the drive.
    pub drive_id: i64,
    /// Internal key of the device.
    pub client_id: i64,
    /// See [`Mount::mount_point`].
    pub mount_point: &'a str,
    /// See [`Mount::mount_key`].
    pub mount_key: &'a str,
    /// See [`Mount::is_available`].
    pub is_available: bool,
    /// See [`Mount::sync_status`].
    pub sync_status: Option<&'a str>,
    /// See [`Mount::sync_error`].
    pub sync_error: Option<&'a str>,
    /// Microseconds since 1970.
    pub now: i64,
}

/// What was the case from a time on.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// Since when, in microseconds since 1970.
    pub at: i64,
    /// Where.
    pub mount_point: String,
    /// Whether it was there.
    pub is_available: bool,
    /// `reported`, `moved`, `not-reported`, `displaced` (another drive is there) or `revoked` (the device is).
    pub reason: String,
}

row!(Past { id, uuid, at, mount_point, is_available, reason });

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT m.id, m.uuid, m.drive_id, d.uuid AS drive_uuid, m.client_id, c.device_id, c.platform, \
             m.mount_point, m.mount_key, m.last_seen_at, m.is_available, m.sync_status, m.sync_error \
             FROM drive_client_mounts m JOIN drives d ON d.id = m.drive_id JOIN devices c ON c.id = m.client_id ",
            $rest
        )
    };
}

const ONE: &str = select!("WHERE m.drive_id = $1 AND m.client_id = $2");
// Of somebody else's drive only the own devices are told.
const OF_DRIVE: &str = select!("WHERE m.drive_id = $1 AND (d.owner_id = $2 OR c.user_id = $2) ORDER BY m.id");
const OF_DRIVES: &str = select!(
    "LEFT JOIN drive_members s ON s.drive_id = d.id AND s.user_id = $1 \
     WHERE d.owner_id = $1 OR (s.user_id IS NOT NULL AND c.user_id = $1) ORDER BY m.id"
);
const OF_DEVICE: &str = select!("WHERE m.client_id = $1 ORDER BY m.id");
const AT_KEY: &str = select!("WHERE m.client_id = $1 AND m.mount_key = $2 AND m.is_available ORDER BY m.id");
const REPORT: &str = "INSERT INTO drive_client_mounts \
     (uuid, drive_id, client_id, mount_point, mount_key, last_seen_at, is_available, sync_status, sync_error) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
     ON CONFLICT (drive_id, client_id) DO UPDATE SET mount_point = excluded.mount_point, \
         mount_key = excluded.mount_key, last_seen_at = excluded.last_seen_at, is_available = excluded.is_available, \
         sync_status = excluded.sync_status, sync_error = excluded.sync_error";
const UNAVAILABLE: &str = "UPDATE drive_client_mounts SET is_available = FALSE WHERE id = $1";
const ADD_PAST: &str = "INSERT INTO mount_history (uuid, drive_id, client_id, at, mount_point, is_available, reason) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const PAST: &str = "SELECT id, uuid, at, mount_point, is_available, reason FROM mount_history \
     WHERE drive_id = $1 AND client_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";

/// A drive's mount on a device.
///
/// # Errors
/// The catalogue's.
pub async fn one(tx: &mut Tx, drive: i64, device: i64) -> Result<Option<Mount>> {
    Ok(sql::query(ONE).bind(drive).bind(device).fetch_optional(tx).await?)
}

/// A drive's mounts that a user may know of: all of an own drive, those on own devices of another's.
///
/// # Errors
/// The catalogue's.
pub async fn of_drive(tx: &mut Tx, drive: i64, user: i64) -> Result<Vec<Mount>> {
    Ok(sql::query(OF_DRIVE).bind(drive).bind(user).fetch_all(tx).await?)
}

/// The same of all drives that a user may see.
///
/// # Errors
/// The catalogue's.
pub async fn of_drives(tx: &mut Tx, user: i64) -> Result<Vec<Mount>> {
    Ok(sql::query(OF_DRIVES).bind(user).fetch_all(tx).await?)
}

/// A device's mounts, those that are not there any more too.
///
/// # Errors
/// The catalogue's.
pub async fn of_device(tx: &mut Tx, device: i64) -> Result<Vec<Mount>> {
    Ok(sql::query(OF_DEVICE).bind(device).fetch_all(tx).await?)
}

/// What a device has at a place.
///
/// # Errors
/// The catalogue's.
pub async fn at_key(tx: &mut Tx, device: i64, key: &str) -> Result<Vec<Mount>> {
    Ok(sql::query(AT_KEY).bind(device).bind(key).fetch_all(tx).await?)
}

/// What a device has at any of some places, of drives that a user may see; one indexed query however many mounts there are.
///
/// # Errors
/// The catalogue's.
pub async fn at_any(tx: &mut Tx, device: i64, user: i64, keys: &[String]) -> Result<Vec<Mount>> {
    let mut found = Vec::new();
    for (_, portion) in portions(keys) {
        found.extend(any_of(tx.engine_name(), device, user, portion).fetch_all::<Mount>(tx).await?);
    }
    Ok(found)
}

/// The question of [`at_any`].
pub(super) fn any_of(engine: EngineName, device: i64, user: i64, keys: &[String]) -> Query<'_> {
    let mut asked = Builder::new(engine, select!("WHERE m.client_id = "));
    asked.bind(device).push(" AND m.is_available AND (d.owner_id = ").bind(user);
    asked
        .push(" OR EXISTS (SELECT 1 FROM drive_members s WHERE s.drive_id = d.id AND s.user_id = ")
        .bind(user);
    asked.push(")) AND m.mount_key IN (").list(keys.iter().map(String::as_str)).push(")");
    asked.build()
}

/// Notes what a device reports.
///
/// # Errors
/// The catalogue's.
pub async fn report(tx: &mut Tx, reported: &Reported<'_>) -> Result<()> {
    sql::query(REPORT)
        .bind(sql::new_id())
        .bind(reported.drive_id)
        .bind(reported.client_id)
        .bind(reported.mount_point)
        .bind(reported.mount_key)
        .bind(reported.now)
        .bind(reported.is_available)
        .bind(reported.sync_status)
        .bind(reported.sync_error)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes that a mount is not there any more. When it was last seen stays.
///
/// # Errors
/// The catalogue's.
pub async fn set_unavailable(tx: &mut Tx, id: i64) -> Result<()> {
    sql::query(UNAVAILABLE).bind(id).execute(tx).await?;
    Ok(())
}

/// Adds to a mount's history what is the case from now on.
///
/// # Errors
/// The catalogue's.
pub async fn add_past(
    tx: &mut Tx,
    (drive, device): (i64, i64),
    at: i64,
    mount_point: &str,
    is_available: bool,
    reason: &'static str,
) -> Result<()> {
    sql::query(ADD_PAST)
        .bind(sql::new_id())
        .bind(drive)
        .bind(device)
        .bind(at)
        .bind(mount_point)
        .bind(is_available)
        .bind(reason)
        .execute(tx)
        .await?;
    Ok(())
}

/// A mount's history before an internal id, the newest first.
///
/// # Errors
/// The catalogue's.
pub async fn past(tx: &mut Tx, drive: i64, device: i64, before: i64, limit: i64) -> Result<Vec<Past>> {
    Ok(sql::query(PAST).bind(drive).bind(device).bind(before).bind(limit).fetch_all(tx).await?)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    ONE, OF_DRIVE, OF_DRIVES, OF_DEVICE, AT_KEY, REPORT, UNAVAILABLE, ADD_PAST, PAST
};
