//! What other programs do where acknowledged content waits to be placed.

use std::pin::pin;

use futures_util::FutureExt as _;

use super::*;
use crate::catalog::testing::both_engines;

both_engines! {
    async fn what_lies_under_the_name_of_a_waiting_content_is_not_newer_than_it(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "acknowledged").await.unwrap();
        house.settled().await;
        let (node, slot) = (house.node("a.txt").await.unwrap(), house.blob("acknowledged").await.slot);
        house
            .db
            .write(move |tx| Box::pin(nodes::set_state(tx, node.id, "unplaced", Some(slot))))
            .await
            .unwrap();
        std::fs::write(house.root.join("a.txt"), "older").unwrap();
        house.mounted().look_at(&path("a.txt"));
        house.looked_at("").await;
        let house = house.restart().await;
        house.looked_at("").await;
        let node = house.node("a.txt").await.unwrap();
        assert_eq!((node.state.as_str(), node.last_version, node.slot), ("unplaced", 1, Some(slot)));
    }

    async fn a_folder_removed_outside_is_made_again_for_what_waits_in_it(db: Db) {
        let house = House::new(db).await;
        for name in ["f/deep/a.txt", "f/b.txt", "other.txt"] {
            house.put(name, "one").await.unwrap();
        }
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("f")).unwrap();
        house.put("f/deep/a.txt", "two").await.unwrap();
        assert_eq!(house.read("f/deep/a.txt").await.unwrap(), "two");
        until("it is placed", || async {
            // Served all the time.
            assert_eq!(house.read("f/deep/a.txt").await.unwrap(), "two");
            let _ = house.read("f/b.txt").await;
            house.on_disk("f/deep/a.txt").as_deref() == Some("two")
        })
        .await;
        until("what was removed with it is deleted", || async { house.node("f/b.txt").await.is_none() }).await;
        until("nothing waits", || async { house.node("f/deep/a.txt").await.unwrap().state == "live" }).await;
        assert_eq!(house.read("f/deep/a.txt").await.unwrap(), "two");
    }

    async fn nobody_waits_for_a_placement_on_a_drive_that_has_gone(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        let mounted = house.mounted();
        let never = mounted.attempted() + 1_000;
        let mut waiting = pin!(mounted.placed(never));
        assert!(waiting.as_mut().now_or_never().is_none(), "it is waited for while the drive is there");
        mounted.let_go();
        assert_eq!(waiting.now_or_never(), Some(false), "answered as pending, and at once");
        assert_eq!(mounted.placed(never).now_or_never(), Some(false));
    }
}
