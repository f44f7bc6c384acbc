//! Migrations up, down and up again, and document 000's example for 0002.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::catalog::db::{Db, EngineName};
use crate::catalog::migrate;
use crate::catalog::sql;
use crate::catalog::testing::run_empty;

/// Every column of every table, and every index, as `table.column type` and `index on table`.
async fn schema(db: &Db) -> BTreeSet<String> {
    let sql = match db.engine_name() {
        EngineName::Sqlite => {
            "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" FROM sqlite_master m, \
             pragma_table_info(m.name) c WHERE m.type = 'table' \
             UNION ALL SELECT name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'index'"
        }
        EngineName::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION ALL SELECT indexname || ' on ' || tablename FROM pg_indexes WHERE schemaname = 'public'"
        }
    };
    let all: Vec<String> =
        db.read(move |tx| Box::pin(async move { Ok(sql::query(sql).fetch_all(tx).await?) })).await.unwrap();
    all.into_iter()
        .filter(|name| !name.contains("sqlx_migrations") && !name.starts_with("sqlite_sequence"))
        .collect()
}

async fn has(db: &Db, what: &str) -> bool {
    schema(db).await.iter().any(|name| name.starts_with(what))
}

async fn up_down_and_up_again(db: Db) {
    migrate::up(&db, None).await.unwrap();
    let whole = schema(&db).await;
    let newest = migrate::newest(&db);
    for number in (0..newest).rev() {
        migrate::down(&db, None).await.unwrap();
        let status = migrate::status(&db).await.unwrap();
        assert!(status.iter().all(|step| step.applied == (step.number <= number)), "{status:?}");
    }
    assert_eq!(schema(&db).await, BTreeSet::new(), "down to nothing leaves nothing");
    for number in 1..=newest {
        migrate::up(&db, Some(number)).await.unwrap();
    }
    assert_eq!(schema(&db).await, whole);
    migrate::up(&db, None).await.unwrap();
    assert!(migrate::up(&db, Some(newest + 1)).await.is_err());
    assert!(migrate::down(&db, Some(newest + 1)).await.is_err());
}

/// A drive of the time when it had one mount point.
struct Before {
    name: &'static str,
    owner: &'static str,
    mount_point: Option<&'static str>,
    available: bool,
    last_seen_at: Option<i64>,
}

const USER: &str = "INSERT INTO users (uuid, username, username_key, display_name, role, password_hash, created_at, \
    updated_at) VALUES ($1, $2, $2, $2, 'member', '', 1, 1)";
const DRIVE: &str = "INSERT INTO drives (uuid, owner_id, name, name_key, kind, unique_identifier, mount_point, \
    is_available, last_seen_at, created_at, updated_at) \
    VALUES ($1, (SELECT id FROM users WHERE username = $2), $3, $3, 'usb', $3, $4, $5, $6, 7, 7)";
const DEVICE: &str = "INSERT INTO devices (uuid, user_id, device_id, name, created_at, updated_at) \
    VALUES ($1, (SELECT id FROM users WHERE username = $2), $3, $3, 1, 1)";
const MOUNT: &str = "INSERT INTO drive_client_mounts (uuid, drive_id, client_id, mount_point, last_seen_at) \
    VALUES ($1, (SELECT id FROM drives WHERE name = $2), (SELECT id FROM devices WHERE device_id = $3), $4, $5)";
const MOUNTS: &str = "SELECT d.name, c.device_id, u.username, m.mount_point, m.is_available, m.last_seen_at \
    FROM drive_client_mounts m JOIN drives d ON d.id = m.drive_id JOIN devices c ON c.id = m.client_id \
    JOIN users u ON u.id = c.user_id ORDER BY d.name, c.device_id";

async fn users(db: &Db) {
    for name in ["ada", "eva"] {
        db.write(move |tx| {
            Box::pin(async move { Ok(sql::query(USER).bind(Uuid::new_v4()).bind(name).execute(tx).await?) })
        })
        .await
        .unwrap();
    }
}

async fn drive(db: &Db, drive: Before) {
    db.write(move |tx| {
        Box::pin(async move {
            Ok(sql::query(DRIVE)
                .bind(Uuid::new_v4())
                .bind(drive.owner)
                .bind(drive.name)
                .bind(drive.mount_point)
                .bind(drive.available)
                .bind(drive.last_seen_at)
                .execute(tx)
                .await?)
        })
    })
    .await
    .unwrap();
}

/// A device's mount; the device is made when it is not there.
async fn mount(db: &Db, drive: &'static str, device: &'static str, mount_point: &'static str, seen: i64) {
    db.write(move |tx| {
        Box::pin(async move {
            let known: i64 = sql::query("SELECT COUNT(*) FROM devices WHERE device_id = $1")
                .bind(device)
                .fetch_one(tx)
                .await?;
            if known == 0 {
                sql::query(DEVICE).bind(Uuid::new_v4()).bind("ada").bind(device).execute(tx).await?;
            }
            Ok(sql::query(MOUNT)
                .bind(Uuid::new_v4())
                .bind(drive)
                .bind(device)
                .bind(mount_point)
                .bind(seen)
                .execute(tx)
                .await?)
        })
    })
    .await
    .unwrap();
}

type Mount = (String, String, String, String, bool, i64);

async fn mounts(db: &Db) -> Vec<Mount> {
    db.read(|tx| Box::pin(async move { Ok(sql::query(MOUNTS).fetch_all(tx).await?) })).await.unwrap()
}

async fn mount_points(db: &Db) -> Vec<(String, Option<String>)> {
    let sql = "SELECT name, mount_point FROM drives ORDER BY name";
    db.read(move |tx| Box::pin(async move { Ok(sql::query(sql).fetch_all(tx).await?) })).await.unwrap()
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    db.read(move |tx| Box::pin(async move { Ok(sql::query(sql).fetch_one(tx).await?) })).await.unwrap()
}

fn owned(name: &str, mount_point: Option<&str>) -> (String, Option<String>) {
    (name.to_owned(), mount_point.map(str::to_owned))
}

fn mounted(drive: &str, device: &str, owner: &str, at: &str, available: bool, seen: i64) -> Mount {
    (drive.to_owned(), device.to_owned(), owner.to_owned(), at.to_owned(), available, seen)
}

/// 000-19 to 000-24: the example of document 000 with an unplugged drive, drives without a mount point and a second
/// owner beside it.
async fn one_mount_point_a_drive_becomes_one_a_device_and_back(db: Db) {
    migrate::up(&db, Some(1)).await.unwrap();
    users(&db).await;
    for before in [
        Before {
            name: "drive-1",
            owner: "ada",
            mount_point: Some("/media/usb"),
            available: true,
            last_seen_at: Some(5),
        },
        Before {
            name: "drive-2",
            owner: "ada",
            mount_point: Some("/media/old"),
            available: false,
            last_seen_at: None,
        },
        Before { name: "drive-3", owner: "ada", mount_point: None, available: true, last_seen_at: Some(6) },
        Before {
            name: "drive-4",
            owner: "eva",
            mount_point: Some(""),
            available: true,
            last_seen_at: Some(6),
        },
        Before {
            name: "drive-5",
            owner: "eva",
            mount_point: Some("E:\\"),
            available: true,
            last_seen_at: Some(8),
        },
    ] {
        drive(&db, before).await;
    }

    migrate::up(&db, Some(2)).await.unwrap();
    assert!(has(&db, "drive_client_mounts.mount_point").await);
    assert!(has(&db, "idx_drive_mounts_drive on drive_client_mounts").await);
    assert!(has(&db, "idx_drive_mounts_client on drive_client_mounts").await);
    assert!(!has(&db, "drives.mount_point").await);
    let migrated = [
        mounted("drive-1", "legacy_client", "ada", "/media/usb", true, 5),
        mounted("drive-2", "legacy_client", "ada", "/media/old", false, 7),
        mounted("drive-5", "legacy_client", "eva", "E:\\", true, 8),
    ];
    assert_eq!(mounts(&db).await, migrated);
    assert_eq!(
        count(&db, "SELECT COUNT(*) FROM devices").await,
        2,
        "one legacy client per owner who needs one"
    );

    // What devices reported since: the legacy client's word goes first, then the one seen last (000-23).
    mount(&db, "drive-1", "laptop-1", "/mnt/usb", 100).await;
    mount(&db, "drive-3", "laptop-1", "/mnt/early", 50).await;
    mount(&db, "drive-3", "laptop-2", "/mnt/late", 60).await;
    migrate::down(&db, Some(1)).await.unwrap();
    assert!(!has(&db, "drive_client_mounts").await);
    assert_eq!(
        mount_points(&db).await,
        [
            owned("drive-1", Some("/media/usb")),
            owned("drive-2", Some("/media/old")),
            owned("drive-3", Some("/mnt/late")),
            owned("drive-4", None),
            owned("drive-5", Some("E:\\")),
        ]
    );
    assert_eq!(count(&db, "SELECT COUNT(*) FROM devices WHERE device_id = 'legacy_client'").await, 0);
    assert_eq!(count(&db, "SELECT COUNT(*) FROM devices").await, 2, "real devices stay");

    migrate::up(&db, Some(2)).await.unwrap();
    let again = mounts(&db).await;
    assert_eq!(again.len(), 4);
    assert_eq!((again[0].1.as_str(), again[0].3.as_str()), ("legacy_client", "/media/usb"));
}

/// 000-02 to 000-04: defaults, one mount per drive and device, gone with the drive or the device.
async fn a_mount_belongs_to_its_drive_and_its_device(db: Db) {
    migrate::up(&db, Some(1)).await.unwrap();
    users(&db).await;
    for name in ["drive-1", "drive-2"] {
        drive(&db, Before { name, owner: "ada", mount_point: None, available: true, last_seen_at: None })
            .await;
    }
    migrate::up(&db, Some(2)).await.unwrap();
    mount(&db, "drive-1", "laptop-1", "/a", 1).await;
    mount(&db, "drive-2", "laptop-1", "/b", 1).await;
    mount(&db, "drive-1", "laptop-2", "/c", 1).await;
    assert!(mounts(&db).await.iter().all(|mount| mount.4), "available unless somebody says otherwise");
    let twice = db.write(|tx| {
        Box::pin(async move {
            Ok(sql::query(MOUNT)
                .bind(Uuid::new_v4())
                .bind("drive-1")
                .bind("laptop-1")
                .bind("/d")
                .bind(2_i64)
                .execute(tx)
                .await?)
        })
    });
    assert!(twice.await.is_err());
    let now = "INSERT INTO drive_client_mounts (uuid, drive_id, client_id, mount_point) VALUES ($1, \
        (SELECT id FROM drives WHERE name = 'drive-2'), (SELECT id FROM devices WHERE device_id = 'laptop-2'), '/e')";
    db.write(move |tx| Box::pin(async move { Ok(sql::query(now).bind(Uuid::new_v4()).execute(tx).await?) }))
        .await
        .unwrap();
    let seen = mounts(&db).await.iter().map(|mount| mount.5).max().unwrap();
    assert!(seen > 1_700_000_000_000_000, "seen now, in microseconds: {seen}");
    for (sql, left) in [
        ("DELETE FROM drives WHERE name = 'drive-1'", 2),
        ("DELETE FROM devices WHERE device_id = 'laptop-1'", 1),
    ] {
        db.write(move |tx| Box::pin(async move { Ok(sql::query(sql).execute(tx).await?) })).await.unwrap();
        assert_eq!(mounts(&db).await.len(), left, "{sql}");
    }
}

/// Each of these begins with a catalogue that has nothing yet.
macro_rules! from_nothing {
    ($($name:ident)+) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                super::run_empty(super::EngineName::Sqlite, super::$name);
            }

            #[test]
            fn postgres() {
                super::run_empty(super::EngineName::Postgres, super::$name);
            }
        }
    )+};
}

from_nothing! {
    up_down_and_up_again
    one_mount_point_a_drive_becomes_one_a_device_and_back
    a_mount_belongs_to_its_drive_and_its_device
}
