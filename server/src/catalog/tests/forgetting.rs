//! A drive that is forgotten is gone for everybody at once, and leaves nothing behind but its name in the activity log.

use uuid::Uuid;

use crate::catalog::changes::{self, Actor, NewChange, Side};
use crate::catalog::db::Tx;
use crate::catalog::drives::{self, NewDrive};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::forgetting::{self, Step};
use crate::catalog::reports::{self, Told};
use crate::catalog::sql;
use crate::catalog::testing::both_engines;
use crate::error::Result;

const USER: &str = "INSERT INTO users (uuid, username, username_key, display_name, role, password_hash, created_at, \
    updated_at) VALUES ($1, 'ada', 'ada', 'ada', 'member', '', 1, 1) RETURNING id";

async fn count(tx: &mut Tx, text: &'static str, drive: i64) -> Result<i64> {
    Ok(sql::query(text).bind(drive).fetch_one(tx).await?)
}

/// A drive with so many folders, each in the one before.
async fn deep(tx: &mut Tx, owner: i64, uuid: Uuid, folders: i64) -> Result<i64> {
    let new = NewDrive {
        uuid,
        owner_id: owner,
        name: &format!("drive {uuid}"),
        name_key: &format!("drive {uuid}"),
        kind: "usb",
        unique_identifier: &format!("id {uuid}"),
        provider: None,
        root: None,
        now: 1,
    };
    let (drive, mut above) = drives::insert(tx, &new).await?;
    let actor = Actor { user_id: Some(owner), device_id: None, action: uuid, now: 1 };
    for seq in 1..=folders {
        let told =
            Told { parent_id: above, name: "d", kind: "folder", seq, hash: None, size: 0, mtime_ns: 0 };
        let made = reports::insert_all(tx, drive, &[told], 1).await?;
        let change = NewChange { seq, kind: "add", actor: &actor, old: &Side::default(), new: &made[0] };
        changes::insert_all(tx, drive, &[change]).await?;
        above = made[0].id;
    }
    drives::set_head(tx, drive, folders).await?;
    events::add(tx, NewEvent { drive_id: Some(drive), kind: "drive-created", ..NewEvent::default() }).await?;
    Ok(drive)
}

const NODES: &str = "SELECT COUNT(*) FROM nodes WHERE drive_id = $1";
const CHANGES: &str = "SELECT COUNT(*) FROM changes WHERE drive_id = $1";
const EVENTS: &str = "SELECT COUNT(*) FROM events WHERE drive_id = $1";

both_engines! {
    async fn a_forgotten_drive_goes_in_portions_and_its_name_stays_in_the_log(db: Db) {
        let uuid = Uuid::new_v4();
        let (owner, drive, other) = db.write(move |tx| Box::pin(async move {
            let owner: i64 = sql::query(USER).bind(Uuid::new_v4()).fetch_one(tx).await?;
            Ok((owner, deep(tx, owner, uuid, 4_500).await?, deep(tx, owner, Uuid::new_v4(), 3).await?))
        })).await.unwrap();
        db.write(move |tx| Box::pin(async move { forgetting::forget(tx, drive, 2).await })).await.unwrap();
        db.write(move |tx| Box::pin(async move {
            assert!(drives::by_id(tx, drive).await?.is_none() && drives::lock(tx, drive).await?.is_none());
            assert_eq!(drives::right(tx, drive, owner).await?, None);
            assert_eq!(drives::visible(tx, owner).await?.len(), 1);
            assert!(drives::visible_one(tx, owner, drive).await?.is_none());
            Ok(())
        })).await.unwrap();
        // It may come back at once, as another row.
        let again = db.write(move |tx| Box::pin(async move { deep(tx, owner, uuid, 1).await })).await.unwrap();
        let (mut step, mut steps) = (Step::Agreements, 0);
        loop {
            let was = step;
            let next = db.write(move |tx| Box::pin(async move {
                let left = forgetting::next(tx).await?;
                match left {
                    Some(left) => forgetting::clear(tx, left, was).await.map(Some),
                    None => Ok(None),
                }
            })).await.unwrap();
            steps += 1;
            match next {
                Some(next) => step = next,
                None => break,
            }
        }
        assert!(steps > 9, "in portions: {steps}");
        db.read(move |tx| Box::pin(async move {
            assert_eq!((count(tx, NODES, drive).await?, count(tx, CHANGES, drive).await?), (0, 0));
            assert_eq!((count(tx, NODES, other).await?, count(tx, NODES, again).await?), (4, 2));
            assert_eq!(count(tx, EVENTS, drive).await?, 1);
            let told = events::after(tx, 0, owner, false, 10).await?;
            assert_eq!(told[0].drive.as_ref().map(|drive| drive.1.clone()), Some(format!("drive {uuid}")));
            Ok(())
        })).await.unwrap();
    }
}
