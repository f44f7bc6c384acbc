//! What other programs do in the plain folder (promise P4).

use super::*;
use crate::catalog::findings;
use crate::catalog::testing::both_engines;
use crate::store::Phys;

both_engines! {
    async fn files_that_were_there_before_the_start_are_adopted(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "a").await.unwrap();
        house.drives.stop().await;
        std::fs::create_dir_all(house.root.join("new/deep")).unwrap();
        std::fs::write(house.root.join("new/deep/x.txt"), "x").unwrap();
        std::fs::write(house.root.join("a.txt"), "edited outside").unwrap();
        let house = house.restart().await;
        until("the new file is known", || async {
            house.read("new/deep/x.txt").await.is_ok_and(|text| text == "x")
        })
        .await;
        until("the edit is a version", || async { house.history("a.txt").await.len() == 2 }).await;
        assert_eq!(house.read("a.txt").await.unwrap(), "edited outside");
        assert!(
            house.history("a.txt").await[1].is_err(),
            "what an in-place edit overwrote is gone, and said to be"
        );
    }

    async fn a_file_renamed_outside_keeps_its_history(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("a.txt", "two").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        std::fs::rename(house.root.join("a.txt"), house.root.join("b.txt")).unwrap();
        let house = house.restart().await;
        until("the new name is known", || async { house.read("b.txt").await.is_ok() }).await;
        assert_eq!(house.history("b.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
        until("the old name is gone", || async { house.read("a.txt").await.is_err() }).await;
    }

    async fn what_another_program_wrote_just_before_is_kept_when_it_is_overwritten(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "ours").await.unwrap();
        house.settled().await;
        // As an editor saves: a new file renamed over the old one.
        std::fs::write(house.root.join("a.tmp"), "outside work").unwrap();
        std::fs::rename(house.root.join("a.tmp"), house.root.join("a.txt")).unwrap();
        house.put("a.txt", "ours again").await.unwrap();
        house.settled().await;
        let history = house.history("a.txt").await;
        assert!(history.contains(&Ok("outside work".to_owned())), "kept as a version: {history:?}");
        assert_eq!(house.read("a.txt").await.unwrap(), "ours again");
    }

    async fn what_another_name_leads_to_is_kept_apart_from_it_when_it_is_overwritten(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "linked").await.unwrap();
        house.settled().await;
        let other = house.root.with_extension("link");
        std::fs::hard_link(house.root.join("a.txt"), &other).unwrap();
        house.put("a.txt", "ours").await.unwrap();
        house.settled().await;
        std::fs::write(&other, "scribbled over").unwrap();
        assert_eq!(house.history("a.txt").await, [Ok("ours".to_owned()), Ok("linked".to_owned())]);
    }

    async fn a_link_where_a_file_is_put_is_set_aside_and_told(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.settled().await;
        std::fs::remove_file(house.root.join("a.txt")).unwrap();
        std::os::unix::fs::symlink("elsewhere", house.root.join("a.txt")).unwrap();
        house.put("a.txt", "two").await.unwrap();
        house.settled().await;
        assert_eq!(house.on_disk("a.txt").unwrap(), "two");
        let aside = std::fs::read_dir(house.root.join(".holdfast/lost-and-found")).unwrap();
        let aside: Vec<_> = aside.map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap()).collect();
        assert_eq!(aside, [PathBuf::from("elsewhere")]);
        let drive = house.drive;
        let told = house.db.read(move |tx| Box::pin(findings::any_open(tx, drive, "lost-and-found"))).await;
        assert!(told.unwrap());
    }

    async fn a_version_that_was_touched_in_its_slot_is_looked_at_before_it_is_served(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("a.txt", "two").await.unwrap();
        house.settled().await;
        let (_, node) = content::open(&house.mounted(), &path("a.txt")).await.unwrap();
        let all = house.db.read(move |tx| Box::pin(versions::of_node(tx, node.id, i64::MAX, 9))).await.unwrap();
        assert!(all[1].sealed);
        let slot = house.root.join(Phys::slot(all[1].slot.unwrap()).as_str());
        let touch = std::fs::File::options().write(true).open(&slot).unwrap();
        touch.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(house.history("a.txt").await[1], Ok("one".to_owned()), "touched, not changed");
        std::fs::write(&slot, "ENO").unwrap();
        assert!(house.history("a.txt").await[1].is_err(), "other bytes are never served as this version");
    }

    async fn a_deleted_folder_takes_along_what_another_program_put_into_it(db: Db) {
        let house = House::new(db).await;
        house.put("f/known.txt", "known").await.unwrap();
        house.settled().await;
        std::fs::write(house.root.join("f/unknown.txt"), "unknown").unwrap();
        files::delete(&house.mounted(), house.who, path("f"), Expect::Anything).await.unwrap();
        house.settled().await;
        let (drive, hash) = (house.drive, house.blob("unknown").await.hash);
        until("the unknown file is catalogued where it lies now", || async {
            let kept = house.db.read(move |tx| Box::pin(versions::holding(tx, drive, hash, 10))).await.unwrap();
            match kept.first() {
                Some(version) => {
                    text(content::open_version(&house.mounted(), version).await.unwrap()).await == "unknown"
                }
                None => false,
            }
        })
        .await;
    }

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
        let drive = house.drive;
        until("a finding tells", || async {
            let asked = house.db.read(move |tx| Box::pin(findings::any_open(tx, drive, "mass-missing")));
            asked.await.unwrap()
        })
        .await;
        let count = house.db.read(move |tx| Box::pin(crate::catalog::tree::count(tx, drive))).await.unwrap();
        assert_eq!(count, 60);
    }
}
