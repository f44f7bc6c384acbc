//! Disks, partitions and shares of this machine (document 001), and who tracks them under what name.

use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, row};
use crate::error::Result;

/// A volume as the catalogue knows it.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// By what it is known again.
    pub fingerprint: String,
    /// For people.
    pub name: String,
    /// Whether the last look saw it.
    pub is_online: bool,
    /// JSON of `holdfast_disk::volumes::Volume`: all that was told of it when it was seen last.
    pub raw: String,
    /// Reading, in 10^6 bytes a second.
    pub read_speed_mbps: Option<i64>,
    /// Writing, in 10^6 bytes a second.
    pub write_speed_mbps: Option<i64>,
    /// When that was measured, in microseconds since 1970.
    pub last_speed_test_at: Option<i64>,
    /// When it was first seen, in microseconds since 1970.
    pub first_seen_at: i64,
    /// When it was last seen to change, or to be there when it went, in microseconds since 1970.
    pub last_seen_at: i64,
}

row!(Volume {
    id,
    uuid,
    fingerprint,
    name,
    is_online,
    raw,
    read_speed_mbps,
    write_speed_mbps,
    last_speed_test_at,
    first_seen_at,
    last_seen_at,
});

/// A volume, and how the asking user tracks it.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// The volume.
    pub volume: Volume,
    /// Since when the user tracks it, in microseconds since 1970; `None`: they do not.
    pub tracked_at: Option<i64>,
    /// What the user calls it.
    pub display_name: Option<String>,
}

row!(Tracked [volume: Volume] { tracked_at, display_name });

macro_rules! columns {
    () => {
        "v.id, v.uuid, v.fingerprint, v.name, v.is_online, v.raw, v.read_speed_mbps, v.write_speed_mbps, \
         v.last_speed_test_at, v.first_seen_at, v.last_seen_at"
    };
}

const ALL: &str = concat!("SELECT ", columns!(), " FROM volumes v ORDER BY v.fingerprint");
const FOR_USER: &str = concat!(
    "SELECT ",
    columns!(),
    ", t.tracked_at, t.display_name FROM volumes v \
     LEFT JOIN volume_tracking t ON t.volume_id = v.id AND t.owner_id = $1 ORDER BY v.fingerprint"
);
const SEEN: &str = "INSERT INTO volumes (uuid, fingerprint, name, is_online, raw, first_seen_at, last_seen_at) \
     VALUES ($1, $2, $3, TRUE, $4, $5, $5) \
     ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name, is_online = TRUE, raw = excluded.raw, \
         last_seen_at = excluded.last_seen_at RETURNING id";
const GONE: &str = "UPDATE volumes SET is_online = FALSE, last_seen_at = $2 WHERE fingerprint = $1";
const MEASURED: &str = "UPDATE volumes SET read_speed_mbps = $2, write_speed_mbps = $3, last_speed_test_at = $4 \
     WHERE id = $1";
const TRACK: &str = "INSERT INTO volume_tracking (uuid, volume_id, owner_id, display_name, tracked_at) \
     VALUES ($1, $2, $3, $4, $5)";
const UNTRACK: &str = "DELETE FROM volume_tracking WHERE volume_id = $1 AND owner_id = $2";

/// Every volume that was ever seen, by fingerprint.
///
/// # Errors
/// The catalogue's.
pub async fn all(tx: &mut Tx) -> Result<Vec<Volume>> {
    Ok(sql::query(ALL).fetch_all(tx).await?)
}

/// The same, and how a user tracks each.
///
/// # Errors
/// The catalogue's.
pub async fn for_user(tx: &mut Tx, user: i64) -> Result<Vec<Tracked>> {
    Ok(sql::query(FOR_USER).bind(user).fetch_all(tx).await?)
}

/// Notes what was told of a volume that is there; its internal key.
///
/// # Errors
/// The catalogue's.
pub async fn seen(tx: &mut Tx, fingerprint: &str, name: &str, raw: &str, now: i64) -> Result<i64> {
    let asked = sql::query(SEEN).bind(sql::new_id()).bind(fingerprint).bind(name).bind(raw).bind(now);
    Ok(asked.fetch_one(tx).await?)
}

/// Notes that a volume is not there any more.
///
/// # Errors
/// The catalogue's.
pub async fn gone(tx: &mut Tx, fingerprint: &str, now: i64) -> Result<()> {
    sql::query(GONE).bind(fingerprint).bind(now).execute(tx).await?;
    Ok(())
}

/// Notes how fast a volume was found to be, in 10^6 bytes a second.
///
/// # Errors
/// The catalogue's.
pub async fn measured(tx: &mut Tx, volume: i64, read: i64, written: i64, now: i64) -> Result<()> {
    sql::query(MEASURED).bind(volume).bind(read).bind(written).bind(now).execute(tx).await?;
    Ok(())
}

/// Has a user track a volume.
///
/// # Errors
/// The catalogue's, also when they do already.
pub async fn track(
    tx: &mut Tx,
    volume: i64,
    user: i64,
    display_name: Option<&str>,
    now: i64,
) -> Result<(), sql::Error> {
    let asked = sql::query(TRACK).bind(sql::new_id()).bind(volume).bind(user).bind(display_name).bind(now);
    asked.execute(tx).await.map(drop)
}

/// Has a user track a volume no longer; whether they did.
///
/// # Errors
/// The catalogue's.
pub async fn untrack(tx: &mut Tx, volume: i64, user: i64) -> Result<bool> {
    Ok(sql::query(UNTRACK).bind(volume).bind(user).execute(tx).await? > 0)
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements =
    super::testing::statements! { ALL, FOR_USER, SEEN, GONE, MEASURED, TRACK, UNTRACK };
