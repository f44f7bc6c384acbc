//! What other programs do in the plain folder (promise P4).

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
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
        files::delete(&house.mounted(), house.who.clone(), gone("f")).await.unwrap();
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

    async fn a_folder_renamed_outside_keeps_its_history_though_a_file_took_its_name(db: Db) {
        let house = House::new(db).await;
        house.put("a/x.txt", "one").await.unwrap();
        house.put("a/x.txt", "two").await.unwrap();
        house.put("b.txt", "kept").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        std::fs::rename(house.root.join("a"), house.root.join("a.old")).unwrap();
        std::fs::write(house.root.join("a"), "a file now").unwrap();
        let house = house.restart().await;
        until("the file is known", || async { house.read("a").await.is_ok_and(|text| text == "a file now") }).await;
        assert_eq!(house.history("a.old/x.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_file_renamed_outside_keeps_its_history_though_another_took_its_name(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("a.txt", "two").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        std::fs::rename(house.root.join("a.txt"), house.root.join("a.txt.bak")).unwrap();
        std::fs::write(house.root.join("a.txt"), "three").unwrap();
        let house = house.restart().await;
        until("both are known", || async {
            let there = house.node("a.txt.bak").await.is_some();
            there && house.read("a.txt").await.is_ok_and(|text| text == "three")
        })
        .await;
        assert_eq!(house.history("a.txt.bak").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_folder_that_a_copy_replaced_outside_can_be_moved_and_stays_moved(db: Db) {
        let house = House::new(db).await;
        house.put("f/sub/x.txt", "x").await.unwrap();
        house.put("other.txt", "kept").await.unwrap();
        house.settled().await;
        let before = house.node("f").await.unwrap();
        // Made before the old one goes, so that no inode number comes again.
        std::fs::create_dir_all(house.root.join("copy/sub")).unwrap();
        std::fs::write(house.root.join("copy/sub/x.txt"), "x").unwrap();
        std::fs::remove_dir_all(house.root.join("f")).unwrap();
        std::fs::rename(house.root.join("copy"), house.root.join("f")).unwrap();
        // A reader who finds another file there is what tells the scanner.
        assert_eq!(house.read("f/sub/x.txt").await.unwrap(), "x");
        until("the folder is known again", || async {
            let ino = |at: &str| std::fs::metadata(house.root.join(at)).unwrap().ino();
            let (f, sub) = (house.node("f").await.unwrap(), house.node("f/sub").await.unwrap());
            (f.ident().ino, sub.ident().ino) == (ino("f"), ino("f/sub")) && f.id == before.id
        })
        .await;
        house.rename("f", "g").await.unwrap();
        assert_eq!(house.on_disk("g/sub/x.txt").as_deref(), Some("x"));
        let house = house.restart().await;
        house.looked_at("").await;
        assert!(house.node("f").await.is_none());
        assert_eq!(house.read("g/sub/x.txt").await.unwrap(), "x");
    }

    async fn a_folder_that_cannot_be_read_keeps_the_scan_from_nothing_else(db: Db) {
        let house = House::new(db).await;
        house.put("closed/a.txt", "a").await.unwrap();
        house.settled().await;
        house.drives.stop().await;
        let closed = house.root.join("closed");
        std::fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        if std::fs::read_dir(&closed).is_ok() {
            std::fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
            skipped("a_folder_that_cannot_be_read_keeps_the_scan_from_nothing_else", "root may read every folder");
            return;
        }
        std::fs::create_dir(house.root.join("z")).unwrap();
        std::fs::write(house.root.join("z/new.txt"), "new").unwrap();
        let house = house.restart().await;
        until("the rest is known", || async { house.read("z/new.txt").await.is_ok() }).await;
        until("a finding tells", || async { house.open_finding("unreadable").await }).await;
        assert!(house.node("closed/a.txt").await.is_some());
        std::fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
        let house = house.restart().await;
        until("the finding is settled", || async { !house.open_finding("unreadable").await }).await;
        assert_eq!(house.read("closed/a.txt").await.unwrap(), "a");
    }
}

/// Says that a test could not do its work here; `tests/run` counts and names it.
fn skipped(test: &str, why: &str) {
    if let Some(list) = std::env::var_os("HOLDFAST_TEST_SKIPS") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}
