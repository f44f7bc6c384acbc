//! What cannot be placed at once is kept, told, and placed or put away later.

use std::pin::pin;

use super::*;
use crate::catalog::changes::Actor;
use crate::catalog::drives::{self as drive_rows, Right};
use crate::catalog::testing::both_engines;
use crate::catalog::{feed, findings};
use crate::service::act::Act;
use crate::service::{judge, trash};
use crate::store::{Phys, TOGETHER, new_slot};

impl House {
    /// What the placer does every few seconds.
    async fn try_again(&self) {
        let mounted = self.mounted();
        let mut gate = mounted.quiet().await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        mounted.try_parked().await.unwrap();
    }

    async fn marked(&self) {
        let mounted = self.mounted();
        let mut gate = mounted.quiet().await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
    }

    async fn delete(&self, at: &str) -> files::Done<()> {
        files::delete(&self.mounted(), self.who.clone(), gone(at)).await.unwrap()
    }

    /// The bytes of the version with a content, if they can be read.
    async fn kept(&self, content: &str) -> Option<String> {
        let blob = self.blob(content).await;
        self.mounted().store.discard(blob.slot);
        let (drive, hash) = (self.drive, blob.hash);
        let found = self.db.read(move |tx| Box::pin(versions::holding(tx, drive, hash, 1))).await.unwrap();
        let opened = content::open_version(&self.mounted(), found.first()?).await.ok()?;
        Some(text(opened).await)
    }

    async fn told(&self, kind: &'static str) -> bool {
        let drive = self.drive;
        self.db.read(move |tx| Box::pin(findings::any_open(tx, drive, kind))).await.unwrap()
    }

    /// A file `a.txt` that was moved to `d/a.txt`, where another program has removed the folder.
    async fn with_a_move_that_waits(db: Db) -> Self {
        let house = Self::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("d/other.txt", "other").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        house.rename("a.txt", "d/a.txt").await.unwrap();
        house.marked().await;
        assert_eq!(house.node("d/a.txt").await.unwrap().state, "unplaced");
        assert!(house.told("unplaced").await);
        house
    }

    fn make(&self, folder: &str) {
        std::fs::create_dir_all(self.root.join(folder)).unwrap();
    }
}

/// Drives an act until it is committed; whether it was placed is not waited for.
async fn committed<T>(house: &House, act: impl Future<Output = T>) {
    let (drive, before) = (house.drive, house.mounted().attempted());
    let mut act = pin!(act);
    for _ in 0..400 {
        tokio::select! {
            _ = &mut act => return,
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
        let head = house.db.read(move |tx| Box::pin(drive_rows::by_id(tx, drive))).await.unwrap().unwrap();
        if head.head_seq > before {
            return;
        }
    }
    panic!("the act was not committed");
}

/// Forbids or allows every change to a file, also to root. False: this file system or process cannot.
fn immutable(file: &std::path::Path, on: bool) -> bool {
    let open = std::fs::File::open(file).unwrap();
    let Ok(mut flags) = rustix::fs::ioctl_getflags(&open) else { return false };
    flags.set(rustix::fs::IFlags::IMMUTABLE, on);
    rustix::fs::ioctl_setflags(&open, flags).is_ok()
}

fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    if let Some(list) = std::env::var_os("HOLDFAST_TEST_SKIPS") {
        let mut list = std::fs::File::options().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}

both_engines! {
    async fn a_file_whose_move_waits_leaves_the_tree_when_it_is_deleted(db: Db) {
        let house = House::with_a_move_that_waits(db).await;
        house.delete("d/a.txt").await;
        house.settled().await;
        assert_eq!(house.on_disk("a.txt"), None);
        assert_eq!(house.kept("one").await.as_deref(), Some("one"));
        assert!(!house.told("unplaced").await);
    }

    async fn a_file_whose_move_waits_keeps_its_content_as_a_version_when_it_is_overwritten(db: Db) {
        let house = House::with_a_move_that_waits(db).await;
        house.put("d/a.txt", "two").await.unwrap();
        house.marked().await;
        assert_eq!(house.on_disk("a.txt"), None, "the old content does not stay under the old name");
        house.make("d");
        house.try_again().await;
        house.settled().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("two"));
        assert_eq!(house.history("d/a.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_file_whose_move_waits_can_be_moved_elsewhere_and_back(db: Db) {
        let house = House::with_a_move_that_waits(db).await;
        house.rename("d/a.txt", "c.txt").await.unwrap();
        assert_eq!(house.on_disk("c.txt").as_deref(), Some("one"));
        assert_eq!(house.on_disk("a.txt"), None);
        house.rename("c.txt", "d/a.txt").await.unwrap();
        house.marked().await;
        house.rename("d/a.txt", "c.txt").await.unwrap();
        house.marked().await;
        let node = house.node("c.txt").await.unwrap();
        assert_eq!((node.state.as_str(), house.read("c.txt").await.unwrap().as_str()), ("live", "one"));
        assert_eq!(house.on_disk("c.txt").as_deref(), Some("one"));
    }

    async fn a_move_that_waits_is_done_once_its_folder_is_there(db: Db) {
        let house = House::with_a_move_that_waits(db).await;
        assert_eq!(house.read("d/a.txt").await.unwrap(), "one");
        let house = house.restart().await;
        assert_eq!(house.read("d/a.txt").await.unwrap(), "one");
        house.make("d");
        house.try_again().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("one"));
        assert_eq!(house.on_disk("a.txt"), None);
        assert_eq!(house.node("d/a.txt").await.unwrap().state, "live");
        assert!(!house.told("unplaced").await);
    }

    async fn a_file_written_where_another_waits_to_be_moved_away_does_not_become_its_content(db: Db) {
        let house = House::with_a_move_that_waits(db).await;
        house.put("a.txt", "new").await.unwrap();
        house.marked().await;
        assert_eq!(house.on_disk("a.txt").as_deref(), Some("new"));
        house.make("d");
        house.try_again().await;
        house.settled().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("one"));
        assert_eq!(house.history("d/a.txt").await, [Ok("one".to_owned())]);
        assert_eq!(house.history("a.txt").await, [Ok("new".to_owned())]);
    }

    async fn what_waits_goes_along_with_the_folder_that_it_lies_in(db: Db) {
        let house = House::new(db).await;
        house.put("f/a.txt", "one").await.unwrap();
        house.put("d/other.txt", "other").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        house.rename("f/a.txt", "d/a.txt").await.unwrap();
        house.marked().await;
        house.rename("f", "g").await.unwrap();
        house.make("d");
        house.try_again().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("one"));
        assert_eq!(house.on_disk("g/a.txt"), None);
    }

    async fn a_content_written_while_a_move_fails_is_not_pushed_away_by_it_later(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("d/other.txt", "other").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        let mounted = house.mounted();
        let mut gate = mounted.quiet().await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        committed(&house, house.rename("a.txt", "d/a.txt")).await;
        mounted.place_pending(&mut gate).await.unwrap();
        // Tried and not yet noted.
        committed(&house, house.put("d/a.txt", "two")).await;
        mounted.place_pending(&mut gate).await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        drop(gate);
        assert_eq!(house.on_disk("a.txt"), None);
        house.make("d");
        house.try_again().await;
        house.settled().await;
        house.try_again().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("two"));
        assert_eq!(house.history("d/a.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_file_deleted_while_its_move_fails_leaves_the_tree(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.put("d/other.txt", "other").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        let mounted = house.mounted();
        let mut gate = mounted.quiet().await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        committed(&house, house.rename("a.txt", "d/a.txt")).await;
        mounted.place_pending(&mut gate).await.unwrap();
        committed(&house, house.delete("d/a.txt")).await;
        mounted.place_pending(&mut gate).await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        drop(gate);
        house.settled().await;
        assert_eq!(house.on_disk("a.txt"), None);
        assert_eq!(house.kept("one").await.as_deref(), Some("one"));
    }

    async fn a_content_that_waits_is_not_put_over_one_that_came_later(db: Db) {
        let house = House::new(db).await;
        house.put("d/a.txt", "one").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        house.put("d/a.txt", "two").await.unwrap();
        house.marked().await;
        let waits = house.node("d/a.txt").await.unwrap();
        assert_eq!(waits.state, "unplaced");
        let mounted = house.mounted();
        let gate = mounted.quiet().await.unwrap();
        // Another program's content is taken in there.
        house.make("d");
        std::fs::write(house.root.join("d/a.txt"), "outside").unwrap();
        let at = path("d/a.txt");
        let stat = mounted.store.lstat(&Phys::from(&at)).unwrap().unwrap();
        let (hash, _) = mounted.store.hash_file(&Phys::from(&at)).unwrap();
        let (drive, actor) =
            (house.drive, Actor { user_id: None, device_id: None, action: Uuid::new_v4(), now: 1 });
        house
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                    act.adopt_content(&waits, &at, hash, &stat).await?;
                    act.finish().await
                })
            })
            .await
            .unwrap();
        mounted.try_parked().await.unwrap();
        drop(gate);
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("outside"));
        assert_eq!(house.read("d/a.txt").await.unwrap(), "outside");
        let history = house.history("d/a.txt").await;
        assert_eq!(history[..2], [Ok("outside".to_owned()), Ok("two".to_owned())]);
        assert!(!house.told("unplaced").await);
    }

    async fn a_deletion_that_the_disk_refuses_is_told_and_done_once_it_can_be(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.settled().await;
        if !immutable(&house.root.join("a.txt"), true) {
            skipped("a_deletion_that_the_disk_refuses", "files cannot be made immutable here");
            return;
        }
        let done = house.delete("a.txt").await;
        assert!(!done.placed, "the answer says that it is not done");
        house.marked().await;
        house.try_again().await;
        let refused = (house.on_disk("a.txt"), house.told("undeleted").await);
        assert!(immutable(&house.root.join("a.txt"), false));
        assert_eq!(refused, (Some("one".to_owned()), true));
        house.try_again().await;
        house.settled().await;
        assert_eq!(house.on_disk("a.txt"), None);
        assert!(!house.told("undeleted").await);
        assert_eq!(house.kept("one").await.as_deref(), Some("one"));
    }

    async fn what_waits_to_be_deleted_can_be_read_and_does_not_come_back(db: Db) {
        let house = House::new(db).await;
        for name in ["a.txt", "b.txt"] {
            house.put(name, name).await.unwrap();
        }
        house.settled().await;
        if !immutable(&house.root.join("a.txt"), true) {
            skipped("what_waits_to_be_deleted", "files cannot be made immutable here");
            return;
        }
        house.delete("a.txt").await;
        house.marked().await;
        house.looked_at("").await;
        let seen = (house.node("a.txt").await.is_none(), house.kept("a.txt").await);
        assert!(immutable(&house.root.join("a.txt"), false));
        assert_eq!(seen, (true, Some("a.txt".to_owned())));
        house.try_again().await;
        house.settled().await;
        assert_eq!(house.on_disk("a.txt"), None);
    }

    async fn a_file_written_anew_over_a_refused_deletion_keeps_both_contents(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.settled().await;
        if !immutable(&house.root.join("a.txt"), true) {
            skipped("a_file_written_anew_over_a_refused_deletion", "files cannot be made immutable here");
            return;
        }
        house.delete("a.txt").await;
        house.marked().await;
        house.put("a.txt", "two").await.unwrap();
        house.marked().await;
        assert!(immutable(&house.root.join("a.txt"), false));
        house.try_again().await;
        house.settled().await;
        assert_eq!(house.on_disk("a.txt").as_deref(), Some("two"));
        assert_eq!(house.history("a.txt").await, [Ok("two".to_owned()), Ok("one".to_owned())]);
    }

    async fn a_folder_that_is_being_brought_back_is_nobody_elses(db: Db) {
        let house = House::new(db).await;
        house.put("d/a.txt", "one").await.unwrap();
        let node = house.node("d").await.unwrap();
        house.delete("d").await;
        let (mounted, who) = (house.mounted(), house.who.clone());
        let mut gate = mounted.quiet().await.unwrap();
        mounted.mark(&mut gate).await.unwrap();
        // Committed, and not placed as long as the gate is held: the folder still lies in the slot of its deletion.
        let restoring = trash::restore(&mounted, who, node.uuid, None);
        let judging = async {
            until("it is brought back", || async { house.node("d").await.is_some() }).await;
            let waited = tokio::time::timeout(Duration::from_secs(1), judge::round(&mounted)).await;
            assert!(waited.is_err(), "the slot was judged while the tree was somebody else's");
            drop(gate);
        };
        let (restored, ()) = tokio::join!(restoring, judging);
        restored.unwrap();
        house.settled().await;
        assert_eq!(house.on_disk("d/a.txt").as_deref(), Some("one"));
        let drive = house.drive;
        let told = house.db.read(move |tx| Box::pin(feed::after(tx, drive, 0, 100))).await.unwrap();
        assert!(told.iter().all(|told| told.state == "live"), "{told:?}");
    }

    async fn a_path_longer_than_any_request_may_name_does_not_stop_the_drive(db: Db) {
        let house = House::new(db).await;
        let deep = vec!["n".repeat(250); 16].join("/");
        house.put(&format!("t/{deep}/a.txt"), "one").await.unwrap();
        let id = house.node(&format!("t/{deep}/a.txt")).await.unwrap().uuid;
        house.delete(&format!("t/{deep}/a.txt")).await;
        house.rename("t", &"t".repeat(250)).await.unwrap();
        trash::restore(&house.mounted(), house.who.clone(), id, None).await.unwrap();
        house.put("b.txt", "two").await.unwrap();
        assert_eq!(house.on_disk("b.txt").as_deref(), Some("two"));
        assert_eq!(house.kept("one").await.as_deref(), Some("one"));
        let house = house.restart().await;
        assert_eq!(house.read("b.txt").await.unwrap(), "two");
    }

    async fn the_answer_says_whether_a_content_is_in_the_folder_yet(db: Db) {
        let house = House::new(db).await;
        house.put("d/a.txt", "one").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        let blob = house.blob("two").await;
        let put = Put { path: path("d/b.txt"), blob, expect: Expect::Anything, parents: true, reason: "manual", upload: None };
        assert!(!files::put(&house.mounted(), house.who.clone(), put).await.unwrap().placed);
        assert_eq!(house.read("d/b.txt").await.unwrap(), "two");
        house.make("d");
        house.try_again().await;
        assert_eq!(house.on_disk("d/b.txt").as_deref(), Some("two"));
    }

    async fn a_folder_that_waits_becomes_the_one_that_another_program_made(db: Db) {
        let house = House::new(db).await;
        house.put("d/a.txt", "one").await.unwrap();
        house.settled().await;
        std::fs::remove_dir_all(house.root.join("d")).unwrap();
        files::make_folder(&house.mounted(), house.who.clone(), path("d/sub"), true, true).await.unwrap();
        house.marked().await;
        house.make("d/sub");
        house.try_again().await;
        let there = house.mounted().store.lstat(&Phys::from(&path("d/sub"))).unwrap().unwrap();
        let node = house.node("d/sub").await.unwrap();
        assert_eq!((node.state.as_str(), node.ident()), ("live", there.ident));
    }

    async fn folders_that_could_not_all_be_staged_leave_nothing_behind(db: Db) {
        let house = House::new(db).await;
        house.put("a.txt", "one").await.unwrap();
        house.settled().await;
        let before = house.mounted().store.slots().count();
        // Slots of one time lie together: the first of the folders go into one bucket, the others into the next.
        let bucket = || usize::from(new_slot().as_bytes()[0]);
        let first = bucket();
        let second = std::iter::repeat_with(bucket).find(|bucket| *bucket != first).unwrap();
        assert_eq!((0..TOGETHER - 30).filter(|_| bucket() != second).count(), 0);
        let third = house.root.join(format!(".holdfast/versions/{:02x}", (second + 1) % 256));
        std::fs::remove_dir(&third).unwrap();
        let deep = vec!["n"; 60].join("/");
        assert!(files::make_folder(&house.mounted(), house.who.clone(), path(&deep), true, true).await.is_err());
        std::fs::create_dir(&third).unwrap();
        assert_eq!(house.mounted().store.slots().count(), before);
    }

    async fn a_drive_that_was_degraded_takes_changes_again_when_nothing_is_left_to_be_placed(db: Db) {
        let house = House::new(db).await;
        let drive = house.drive;
        house.drives.stop().await;
        house
            .db
            .write(move |tx| Box::pin(drive_rows::set_degraded(tx, drive, Some("the drive cannot be written"))))
            .await
            .unwrap();
        let house = house.restart().await;
        until("it takes changes", || async { house.put("a.txt", "one").await.is_ok() }).await;
        assert_eq!(house.on_disk("a.txt").as_deref(), Some("one"));
    }
}
