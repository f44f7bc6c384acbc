//! What people do through Holdfast itself.

use super::*;
use crate::catalog::testing::both_engines;

both_engines! {
    async fn a_file_written_twice_is_plain_on_disk_and_keeps_both_contents(db: Db) {
        let house = House::new(db).await;
        assert!(house.put("docs/letter.txt", "first").await.unwrap().created);
        assert!(!house.put("docs/letter.txt", "second").await.unwrap().created);
        assert_eq!(house.read("docs/letter.txt").await.unwrap(), "second");
        assert_eq!(house.on_disk("docs/letter.txt").as_deref(), Some("second"));
        assert_eq!(house.history("docs/letter.txt").await, [Ok("second".to_owned()), Ok("first".to_owned())]);
    }

    async fn a_deleted_file_comes_back_with_its_history_when_it_is_written_again(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        files::delete(&house.mounted(), house.who.clone(), gone("a.txt")).await.unwrap();
        assert!(house.read("a.txt").await.is_err());
        assert_eq!(house.on_disk("a.txt"), None);
        house.put("a.txt", "two").await.unwrap();
        assert_eq!(house.history("a.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_folder_moves_with_all_beneath_it_and_versions_stay_readable(db: Db) {
        let house = House::new(db).await;
        house.put("work/a.txt", "old").await.unwrap();
        house.put("work/a.txt", "new").await.unwrap();
        house.put("work/deep/b.txt", "b").await.unwrap();
        house.rename("work", "archive/work").await.unwrap();
        assert_eq!(house.on_disk("archive/work/deep/b.txt").as_deref(), Some("b"));
        assert_eq!(house.on_disk("work/a.txt"), None);
        assert_eq!(house.history("archive/work/a.txt").await, [Ok("new".to_owned()), Ok("old".to_owned())]);
    }

    async fn a_file_moved_over_another_replaces_it_and_keeps_it_as_a_version(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "a").await.unwrap();
        house.put("b.txt", "b").await.unwrap();
        house.rename("a.txt", "b.txt").await.unwrap();
        assert_eq!(house.read("b.txt").await.unwrap(), "a");
        assert_eq!(house.on_disk("a.txt"), None);
        let (drive, hash) = (house.drive, house.blob("b").await.hash);
        let kept = house.db.read(move |tx| Box::pin(versions::holding(tx, drive, hash, 10))).await.unwrap();
        let opened = content::open_version(&house.mounted(), &kept[0]).await.unwrap();
        assert_eq!(text(opened).await, "b");
    }

    async fn a_copied_folder_is_a_folder_of_its_own(db: Db) {
        let house = House::new(db).await;
        house.put("from/a.txt", "a").await.unwrap();
        house.put("from/sub/b.txt", "b").await.unwrap();
        let transfer = Transfer {
            from: path("from"),
            to: path("to"),
            expect: Expect::Anything,
            overwrite: false,
            parents: false,
            shallow: false,
        };
        files::copy(&house.mounted(), house.who.clone(), transfer).await.unwrap();
        house.put("to/sub/b.txt", "changed").await.unwrap();
        assert_eq!(house.on_disk("from/sub/b.txt").as_deref(), Some("b"));
        assert_eq!(house.on_disk("to/sub/b.txt").as_deref(), Some("changed"));
        assert_eq!(house.on_disk("to/a.txt").as_deref(), Some("a"));
    }

    async fn a_write_that_expected_something_else_changes_nothing_and_leaves_nothing_behind(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "theirs").await.unwrap();
        house.settled().await;
        let slots = || house.mounted().store.slots().count();
        let before = slots();
        assert!(house.put_if("a.txt", "mine", Expect::Nothing).await.is_err());
        assert!(house.put_if("b/c.txt", "mine", Expect::Something).await.is_err());
        assert!(house.put("a.txt/beneath", "mine").await.is_err());
        assert_eq!(house.read("a.txt").await.unwrap(), "theirs");
        assert_eq!(slots(), before);
    }

    async fn everything_is_there_after_a_restart(db: Db) {
        let house = House::new(db).await;
        house.put("x/a.txt", "one").await.unwrap();
        house.put("x/a.txt", "two").await.unwrap();
        house.rename("x", "y").await.unwrap();
        let house = house.restart().await;
        assert_eq!(house.read("y/a.txt").await.unwrap(), "two");
        assert_eq!(house.history("y/a.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
        house.put("y/a.txt", "three").await.unwrap();
        assert_eq!(house.on_disk("y/a.txt").as_deref(), Some("three"));
    }
}
