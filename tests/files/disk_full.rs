//! A full drive: nothing is lost, nothing half done, and it goes on when there is room.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::{Builder, Server, both_engines, eventually, skip};

use crate::home::{Home, file};

/// A small file system of its own, gone with this value.
struct Small {
    at: PathBuf,
}

impl Small {
    /// Mounts it; an error says why that cannot be done here.
    fn mount(at: &Path, options: &str) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        let arguments = ["-t", "tmpfs", "-o", options, "holdfast-test"];
        match Command::new("mount").args(arguments).arg(at).output() {
            Ok(output) if output.status.success() => Ok(Self { at: at.to_owned() }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes all the room that is left but for so many blocks; gives it back with [`Small::free`].
    fn fill(&self, but: usize) {
        let filler = self.at.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        let block = vec![b'x'; 4096];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(but as u64 * 4096)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: the server may still be running in there.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.at).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} could not be unmounted", self.at.display());
        }
    }
}

/// A server whose drives are on a small file system, its catalogue elsewhere. `None`: not on this machine.
async fn small(test: &str, builder: Builder, options: &str) -> Option<(Server, Small)> {
    let server = builder.prepare().await;
    let at = server.data_dir().join("drives");
    start_on(test, server, &at, options).await
}

async fn start_on(test: &str, mut server: Server, at: &Path, options: &str) -> Option<(Server, Small)> {
    let small = match Small::mount(at, options) {
        Ok(small) => small,
        Err(why) => {
            skip(test, &format!("no file system can be mounted: {why}"));
            return None;
        }
    };
    server.launch().await;
    Some((server, small))
}

fn in_pieces(size: usize) -> reqwest::Body {
    let pieces = (0..size / 65_536).map(|_| Ok::<_, std::io::Error>(vec![b'y'; 65_536]));
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

/// Waits until the drive takes changes again and has caught up with them.
async fn until_writable(home: &Home, path: &str) {
    eventually("the drive to take changes", || async {
        let answer = home.client.put(&file(path), "there is room").await;
        (answer.status < 300 && answer.header("holdfast-placement").is_none()).then_some(())
    })
    .await;
}

both_engines! {
    async fn a_content_that_does_not_fit_is_507_and_changes_nothing(builder: Builder) {
        let Some((server, small)) = small("a_content_that_does_not_fit", builder, "size=8m").await else { return };
        let home = Home::with(&server, &[("/a.txt", "old"), ("/a.txt", "a"), ("/A/b.txt", "b")]).await;
        let before = home.before().await;
        for path in ["/a.txt", "/new.txt"] {
            home.client.put(&file(path), vec![b'y'; 12 << 20]).await.expect_problem(507);
            home.client.put(&file(path), in_pieces(12 << 20)).await.expect_problem(507);
            home.is_as(&before).await;
        }
        home.client.put(&file("/fits.bin"), vec![b'y'; 4 << 20]).await.expect(201);
        home.is_plain().await;
        drop(small);
    }

    async fn on_a_full_disk_writes_are_507_and_everything_can_be_read(builder: Builder) {
        let Some((server, small)) = small("on_a_full_disk", builder, "size=8m").await else { return };
        let home = Home::with(&server, &[("/a.txt", "old"), ("/a.txt", "a"), ("/A/b.txt", "b")]).await;
        let history = home.contents(&home.entry("/a.txt").await["id"]).await;
        small.fill(0);
        let before = home.before().await;
        let old = home.versions(&home.entry("/a.txt").await["id"]).await.pop().unwrap();
        for _ in 0..3 {
            for path in ["/a.txt", "/new.txt", "/A/new.txt"] {
                home.client.put(&file(path), "some bytes").await.expect_problem(507);
                home.client.put(&file(path), in_pieces(1 << 20)).await.expect_problem(507);
            }
            home.copy("/a.txt", "/copy.txt").await.expect_problem(507);
            home.copy("/A", "/Copy").await.expect_problem(507);
            let restore = format!("/api/drives/home/versions/{}/restore", old["id"].as_str().unwrap());
            home.client.post(&restore, json!({})).await.expect_problem(507);
            assert_eq!((home.read("/a.txt").await, home.read("/A/b.txt").await), ("a".to_owned(), "b".to_owned()));
            assert_eq!(home.contents(&home.entry("/a.txt").await["id"]).await, history);
            home.is_as(&before).await;
        }
        server.admin().await.get("/api/me").await.expect(200);
        small.free();
        home.write("/a.txt", "there is room again").await;
        home.write("/A/new.txt", "new").await;
        home.is_plain().await;
        assert_eq!(home.contents(&home.entry("/a.txt").await["id"]).await, ["there is room again", "a", "old"]);
    }

    async fn where_no_more_files_can_be_made_writes_are_507_and_change_nothing(builder: Builder) {
        let Some((server, small)) = small("where_no_more_files_can_be_made", builder, "size=32m,nr_inodes=700").await else { return };
        let home = Home::with(&server, &[("/A/b.txt", "b")]).await;
        let taken = small.at.join("taken");
        std::fs::create_dir(&taken).unwrap();
        for n in 0.. {
            if std::fs::File::create(taken.join(n.to_string())).is_err() {
                break;
            }
        }
        let before = home.before().await;
        home.client.put(&file("/new.txt"), "new").await.expect_problem(507);
        home.client.put(&file("/A/b.txt"), "changed").await.expect_problem(507);
        home.client.post("/api/drives/home/folders", json!({"path": "/New/Deep"})).await.expect_problem(507);
        home.copy("/A", "/Copy").await.expect_problem(507);
        home.is_as(&before).await;
        assert_eq!(home.read("/A/b.txt").await, "b");
        std::fs::remove_dir_all(&taken).unwrap();
        home.folder("/New/Deep").await;
        home.write("/A/b.txt", "changed").await;
        home.is_plain().await;
    }

    async fn on_a_full_disk_things_can_be_deleted_and_moved(builder: Builder) {
        let Some((server, small)) = small("deleted_and_moved_on_a_full_disk", builder, "size=8m").await else { return };
        let home = Home::with(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/A/c.txt", "c"), ("/B/d.txt", "d")]).await;
        small.fill(0);
        // Names take room, too, so each may be refused; then it has changed nothing.
        let (b, folder) = (file("/b.txt"), file("/B"));
        let (moved, deleted, folder) =
            tokio::join!(home.rename("/a.txt", "/moved.txt"), home.client.delete(&b), home.client.delete(&folder));
        for (answer, done) in [(moved, 200), (deleted, 204), (folder, 204)] {
            assert!(answer.status == done || answer.status == 507, "{}", answer.text());
        }
        assert_eq!(home.read("/A/c.txt").await, "c");
        small.free();
        until_writable(&home, "/after.txt").await;
        home.is_plain().await;
    }

    async fn what_was_acknowledged_before_the_disk_was_full_survives_a_crash_on_it(builder: Builder) {
        let Some((mut server, small)) = small("a_crash_on_a_full_disk", builder, "size=8m").await else { return };
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        home.write("/a.txt", "two").await;
        home.write("/A/b.txt", "b").await;
        small.fill(4);
        let last = home.client.put(&file("/last.txt"), "last").await;
        server.kill9();
        server.launch().await;
        let home = home.at(&server);
        assert_eq!((home.read("/a.txt").await, home.read("/A/b.txt").await), ("two".to_owned(), "b".to_owned()));
        assert_eq!(home.contents(&home.entry("/a.txt").await["id"]).await, ["two", "one"]);
        if last.status == 201 {
            assert_eq!(home.read("/last.txt").await, "last");
        } else {
            last.expect_problem(507);
        }
        home.client.put(&file("/more.txt"), in_pieces(1 << 20)).await.expect_problem(507);
        small.free();
        until_writable(&home, "/more.txt").await;
        home.is_plain().await;
    }

    async fn a_drive_without_a_free_byte_is_served_for_reading_after_a_restart(builder: Builder) {
        let Some((mut server, small)) = small("a_restart_on_a_full_disk", builder, "size=8m").await else { return };
        let mut home = Home::with(&server, &[("/a.txt", "old"), ("/a.txt", "a"), ("/A/b.txt", "b")]).await;
        for stops_in_order in [true, false] {
            home.is_plain().await;
            small.fill(0);
            if stops_in_order {
                server.stop().await;
            } else {
                server.kill9();
            }
            server.launch().await;
            home = home.at(&server);
            assert_eq!((home.read("/a.txt").await, home.read("/A/b.txt").await), ("a".to_owned(), "b".to_owned()));
            assert_eq!(home.contents(&home.entry("/a.txt").await["id"]).await, ["a", "old"]);
            home.client.put(&file("/new.txt"), in_pieces(1 << 20)).await.expect_problem(507);
            small.free();
            until_writable(&home, "/after.txt").await;
        }
    }

    async fn where_everything_is_on_one_disk_all_goes_on_once_there_is_room(builder: Builder) {
        let server = builder.prepare().await;
        let at = server.data_dir();
        let started = start_on("where_everything_is_on_one_disk", server, &at, "size=16m").await;
        let Some((server, small)) = started else { return };
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two"), ("/b.txt", "b")]).await;
        let id = home.entry("/a.txt").await["id"].clone();
        small.fill(0);
        for n in 0..4 {
            home.client.put(&file("/new.txt"), "new").await.expect_problem(507);
            // The catalogue may be on this disk, too.
            let deleted = home.client.delete(&file("/b.txt")).await;
            assert!(matches!(deleted.status, 204 | 404 | 503 | 507), "{n}: {}", deleted.text());
            assert_eq!(home.contents(&id).await, ["two", "one"]);
        }
        small.free();
        until_writable(&home, "/after.txt").await;
        home.write("/a.txt", "three").await;
        assert_eq!(home.contents(&id).await, ["three", "two", "one"]);
        server.admin().await.get("/api/me").await.expect(200);
        home.is_plain().await;
    }
}
