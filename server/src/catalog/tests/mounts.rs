//! Which drive a path lies in is asked of an index, however many mounts there are (issue: 10,000 mounts on 1,000 devices).

use uuid::Uuid;

use crate::catalog::db::{EngineName, Tx};
use crate::catalog::mounts;
use crate::catalog::sql::{self, Builder, portions};
use crate::catalog::testing::both_engines;
use crate::error::Result;

const USER: &str = "INSERT INTO users (uuid, username, username_key, display_name, role, password_hash, created_at, \
    updated_at) VALUES ($1, 'ada', 'ada', 'ada', 'member', '', 1, 1) RETURNING id";

/// 1,000 devices of one account, each with 10 of its 100 drives; gives the account and the last device.
async fn ten_thousand(tx: &mut Tx) -> Result<(i64, i64)> {
    let user: i64 = sql::query(USER).bind(Uuid::new_v4()).fetch_one(tx).await?;
    let drives: Vec<String> = (0..100).map(|n| format!("drive {n}")).collect();
    let mut keys = Vec::new();
    for (_, names) in portions(&drives) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO drives (uuid, owner_id, name, name_key, kind, unique_identifier, created_at, updated_at) ",
        );
        query.rows(names.iter().map(|name| {
            let name = name.as_str();
            [
                Uuid::new_v4().into(),
                user.into(),
                name.into(),
                name.into(),
                "usb".into(),
                name.into(),
                1_i64.into(),
                1_i64.into(),
            ]
        }));
        query.push(" RETURNING id");
        keys.extend(query.build().fetch_all::<i64>(tx).await?);
    }
    let devices: Vec<String> = (0..1_000).map(|n| format!("device {n}")).collect();
    let mut mounts = Vec::new();
    for (begin, names) in portions(&devices) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO devices (uuid, user_id, device_id, name, created_at, updated_at) ",
        );
        query.rows(names.iter().map(|name| {
            let name = name.as_str();
            [Uuid::new_v4().into(), user.into(), name.into(), name.into(), 1_i64.into(), 1_i64.into()]
        }));
        query.push(" RETURNING id");
        for (at, device) in query.build().fetch_all::<i64>(tx).await?.into_iter().enumerate() {
            let first = (begin + at) * 10;
            mounts.extend(
                (first..first + 10)
                    .map(|n| (keys[n % keys.len()], device, format!("/media/disk {}", n % 10))),
            );
        }
    }
    let last = mounts.last().map(|(_, device, _)| *device).unwrap_or_default();
    for (_, mounts) in portions(&mounts) {
        let mut query = Builder::new(
            tx.engine_name(),
            "INSERT INTO drive_client_mounts (uuid, drive_id, client_id, mount_point, mount_key, last_seen_at) ",
        );
        query.rows(mounts.iter().map(|(drive, device, place)| {
            [
                Uuid::new_v4().into(),
                (*drive).into(),
                (*device).into(),
                place.into(),
                place.into(),
                1_i64.into(),
            ]
        }));
        query.build().execute(tx).await?;
    }
    sql::query("ANALYZE").execute(tx).await?;
    Ok((user, last))
}

both_engines! {
    async fn a_path_is_looked_up_by_the_index_of_places_among_ten_thousand(db: Db) {
        let (user, device) = db.write(|tx| Box::pin(ten_thousand(tx))).await.unwrap();
        let keys: Vec<String> = ["/", "/media", "/media/disk 7", "/media/disk 7/a"].map(str::to_owned).to_vec();
        let (found, steps) = db.read(move |tx| Box::pin(async move {
            let found = mounts::at_any(tx, device, user, &keys).await?;
            Ok((found, sql::explained(tx, mounts::any_of(tx.engine_name(), device, user, &keys)).await?))
        })).await.unwrap();
        let places: Vec<&str> = found.iter().map(|mount| mount.mount_point.as_str()).collect();
        assert_eq!(places, ["/media/disk 7"]);
        let steps = steps.join("\n");
        let by_both = match db.engine_name() {
            EngineName::Sqlite => "SEARCH m USING INDEX idx_drive_mounts_client_key (client_id=? AND mount_key=?)",
            // Of ten places of a device it may as well take all, and look at them.
            EngineName::Postgres => "idx_drive_mounts_client",
        };
        assert!(steps.contains(by_both), "{steps}");
        for all in ["SCAN ", "Seq Scan on drive_client_mounts", "Seq Scan on devices"] {
            assert!(!steps.contains(all), "{steps}");
        }
    }
}
