//! What is gone from the disk is not deleted (promise P8).

use super::*;
use crate::catalog::db::Tx;
use crate::catalog::drives;
use crate::catalog::ops::NewOp;
use crate::catalog::testing::both_engines;
use crate::error::Kind;

both_engines! {
    async fn a_drive_whose_root_was_emptied_is_offline_and_not_deleted(db: Db) {
        let house = House::new(db).await;
        for n in 0..60 {
            house.put(&format!("{n}.txt"), "kept").await.unwrap();
        }
        house.settled().await;
        house.drives.stop().await;
        let away = house.root.with_extension("away");
        std::fs::rename(&house.root, &away).unwrap();
        std::fs::create_dir(&house.root).unwrap();
        let house = house.restart().await;
        assert!(house.drives.online(house.drive).is_err());
        std::fs::remove_dir(&house.root).unwrap();
        std::fs::rename(&away, &house.root).unwrap();
        until("the drive is back", || async { house.drives.online(house.drive).is_ok() }).await;
        assert_eq!(house.read("59.txt").await.unwrap(), "kept");
    }

    async fn a_scan_that_finds_most_files_gone_deletes_nothing(db: Db) {
        let house = House::new(db).await;
        for n in 0..60 {
            house.put(&format!("{n}.txt"), "kept").await.unwrap();
        }
        house.settled().await;
        house.drives.stop().await;
        for n in 0..60 {
            std::fs::remove_file(house.root.join(format!("{n}.txt"))).unwrap();
        }
        let house = house.restart().await;
        until("a finding tells", || async { house.open_finding("mass-missing").await }).await;
        assert_eq!(house.count().await, 60);
    }

    async fn what_a_scan_did_not_delete_no_request_for_it_does(db: Db) {
        let house = House::new(db).await;
        for n in 0..60 {
            house.put(&format!("{n}.txt"), "kept").await.unwrap();
        }
        house.put("f/a.txt", "kept").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        let away = tempfile::tempdir_in(house.folder.path()).unwrap();
        for n in 0..60 {
            let name = format!("{n}.txt");
            std::fs::rename(house.root.join(&name), away.path().join(&name)).unwrap();
        }
        let house = house.restart().await;
        until("a finding tells", || async { house.open_finding("mass-missing").await }).await;
        std::fs::remove_file(house.root.join("f/a.txt")).unwrap();
        for name in ["f/a.txt", "0.txt"] {
            assert_eq!(house.read(name).await.unwrap_err().kind(), Kind::Unavailable);
        }
        house.looked_at("").await;
        house.looked_at("f/").await;
        for name in ["f/a.txt", "0.txt"] {
            assert!(house.node(name).await.is_some());
        }
        house.drives.stop().await;
        for n in 0..60 {
            let name = format!("{n}.txt");
            std::fs::rename(away.path().join(&name), house.root.join(&name)).unwrap();
        }
        let house = house.restart().await;
        house.looked_at("").await;
        assert!(house.open_finding("mass-missing").await, "one file of those is gone still");
        files::delete(&house.mounted(), house.who.clone(), gone("f/a.txt")).await.unwrap();
        let house = house.restart().await;
        until("the finding is settled", || async { !house.open_finding("mass-missing").await }).await;
        assert_eq!(house.read("59.txt").await.unwrap(), "kept");
    }

    async fn a_small_drive_that_lost_all_its_files_keeps_them_until_somebody_deletes_them(db: Db) {
        let house = House::new(db).await;
        for name in ["a.txt", "f/b.txt", "f/c.txt"] {
            house.put(name, "kept").await.unwrap();
        }
        house.settled().await;
        house.drives.stop().await;
        std::fs::remove_file(house.root.join("a.txt")).unwrap();
        std::fs::remove_dir_all(house.root.join("f")).unwrap();
        let house = house.restart().await;
        until("a finding tells", || async { house.open_finding("mass-missing").await }).await;
        assert_eq!(house.count().await, 4);
        for name in ["a.txt", "f"] {
            files::delete(&house.mounted(), house.who.clone(), gone(name)).await.unwrap();
        }
        house.settled().await;
        let house = house.restart().await;
        until("the finding is settled", || async { !house.open_finding("mass-missing").await }).await;
    }

    async fn a_folder_full_of_files_is_not_deleted_because_a_file_took_its_name(db: Db) {
        let house = House::new(db).await;
        for n in 0..60 {
            house.put(&format!("f/{n}.txt"), "kept").await.unwrap();
        }
        house.put("other.txt", "kept").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        std::fs::remove_dir_all(house.root.join("f")).unwrap();
        std::fs::write(house.root.join("f"), "a file").unwrap();
        let house = house.restart().await;
        until("a finding tells", || async { house.open_finding("mass-missing").await }).await;
        house.looked_at("").await;
        assert!(house.node("f").await.unwrap().is_folder());
    }

    async fn a_file_that_somebody_removed_from_the_disk_is_deleted(db: Db) {
        let house = House::new(db).await;
        for name in ["a.txt", "b.txt"] {
            house.put(name, "x").await.unwrap();
        }
        house.settled().await;
        std::fs::remove_file(house.root.join("a.txt")).unwrap();
        assert_eq!(house.read("a.txt").await.unwrap_err().kind(), Kind::Unavailable);
        until("it is deleted", || async { house.node("a.txt").await.is_none() }).await;
        assert_eq!(house.read("b.txt").await.unwrap(), "x");
    }

    async fn what_a_recovery_does_not_find_is_missing_and_not_deleted(db: Db) {
        let house = House::new(db).await;
        for name in ["a.txt", "b.txt", "c.txt"] {
            house.put(name, name).await.unwrap();
        }
        house.settled().await;
        let node = house.node("a.txt").await.unwrap();
        house.drives.stop().await;
        let drive = house.drive;
        house.db.write(move |tx| Box::pin(unmarked(tx, drive, node))).await.unwrap();
        std::fs::remove_file(house.root.join("a.txt")).unwrap();
        let house = house.restart().await;
        assert!(house.open_finding("missing").await);
        house.looked_at("").await;
        assert_eq!(house.read("a.txt").await.unwrap_err().kind(), Kind::Unavailable);
        house.looked_at("").await;
        assert_eq!(house.node("a.txt").await.unwrap().state, "missing");
        std::fs::write(house.root.join("a.txt"), "a.txt").unwrap();
        let house = house.restart().await;
        until("it is there again", || async { house.read("a.txt").await.is_ok_and(|text| text == "a.txt") }).await;
        until("it counts as there", || async { house.node("a.txt").await.unwrap().state == "live" }).await;
        let house = house.restart().await;
        until("the finding is settled", || async { !house.open_finding("missing").await }).await;
        assert_eq!(house.history("a.txt").await, [Ok("a.txt".to_owned())]);
    }
}

both_engines! {
    async fn a_missing_file_stays_missing_under_a_new_name(db: Db) {
        let house = House::new(db).await;
        for name in ["a.txt", "b.txt", "c.txt"] {
            house.put(name, name).await.unwrap();
        }
        house.settled().await;
        let node = house.node("a.txt").await.unwrap();
        house.drives.stop().await;
        let drive = house.drive;
        house.db.write(move |tx| Box::pin(unmarked(tx, drive, node))).await.unwrap();
        std::fs::rename(house.root.join("a.txt"), house.root.parent().unwrap().join("aside")).unwrap();
        let house = house.restart().await;
        assert_eq!(house.node("a.txt").await.unwrap().state, "missing");
        house.rename("a.txt", "new.txt").await.unwrap();
        house.looked_at("").await;
        assert_eq!(house.node("new.txt").await.unwrap().state, "missing", "nobody has deleted it");
        std::fs::rename(house.root.parent().unwrap().join("aside"), house.root.join("new.txt")).unwrap();
        let house = house.restart().await;
        until("it counts as there", || async { house.node("new.txt").await.unwrap().state == "live" }).await;
        assert_eq!(house.read("new.txt").await.unwrap(), "a.txt");
    }
}

/// A placement of a file that was committed and, as far as the catalogue knows, not done: as after a power cut.
async fn unmarked(tx: &mut Tx, drive: i64, node: Node) -> Result<()> {
    let head = drives::by_id(tx, drive).await?.unwrap().head_seq + 1;
    drives::set_head(tx, drive, head).await?;
    let op = NewOp {
        uuid: Uuid::new_v4(),
        drive_id: drive,
        seq: head,
        kind: "put",
        node_id: node.id,
        version_id: node.current_version_id,
        path: node.name.clone(),
        dst: None,
        ident: node.ident(),
        hash: node.content_hash(),
        displaced: None,
        now: 1,
    };
    ops::insert(tx, &op).await
}
