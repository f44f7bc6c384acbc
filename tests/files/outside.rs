//! Other programs work in the plain folder, too, and nothing they do is undone or lost.

use std::fs;

use serde_json::{Value, json};
use support::{both_engines, eventually, plain};

use crate::home::{Home, file, hash, tag, text, version_content};

/// As an editor saves: a new file, renamed over the old one.
fn replace(home: &Home, name: &str, content: &str) {
    let (new, path) = (home.root.join(".editor~"), home.root.join(name));
    fs::write(&new, content).unwrap();
    fs::rename(&new, &path).unwrap();
}

/// The node of a file, whether it is live or not.
async fn node(home: &Home, id: &Value) -> Value {
    home.client.get(&format!("/api/drives/home/nodes/{}", text(id))).await.expect(200)
}

/// The versions that are said to be kept, all of which can be had, and the hashes of those that are not.
async fn kept_and_lost(home: &Home, id: &Value) -> (Vec<String>, Vec<Value>) {
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    for version in home.versions(id).await {
        if version["kept"] == true {
            kept.push(home.content_of(&version).await);
        } else {
            let answer = home.client.get(&version_content(&version)).await;
            let status = if answer.status == 409 { 409 } else { 404 };
            let kind = text(&answer.expect_problem(status)["type"]).to_owned();
            assert!(kind.ends_with(":version-lost") || kind.ends_with(":version-damaged"), "{kind}");
            lost.push(version["hash"].clone());
        }
    }
    (kept, lost)
}

both_engines! {
    async fn a_file_that_was_replaced_outside_is_served_at_once_and_adopted_soon(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two"), ("/b.txt", "b")]).await;
        let id = home.entry("/a.txt").await["id"].clone();
        replace(&home, "a.txt", "from outside");
        let at_once = home.client.get(&file("/a.txt")).await;
        assert_eq!((at_once.status, at_once.text().as_str()), (200, "from outside"));
        assert!(at_once.header("etag").is_some_and(|tag| tag.starts_with("W/")), "nobody has hashed it yet");
        assert_eq!(at_once.header("repr-digest"), None);
        home.until_known("/a.txt", "from outside").await;
        let entry = home.entry("/a.txt").await;
        assert_eq!((&entry["id"], &entry["hash"]), (&id, &json!(hash("from outside"))));
        let versions = home.versions(&id).await;
        assert_eq!((&versions[0]["reason"], &versions[0]["current"]), (&json!("external"), &json!(true)));
        assert_eq!((&versions[0]["author"], &versions[0]["device"]), (&Value::Null, &Value::Null));
        assert_eq!(plain(&home.root)["/a.txt"].as_deref(), Some(&b"from outside"[..]), "it is not taken back");
        let (kept, _) = kept_and_lost(&home, &id).await;
        assert!(kept.contains(&"one".to_owned()), "what Holdfast had replaced itself is kept: {kept:?}");
        home.is_plain().await;
    }

    async fn a_file_that_was_edited_in_place_is_adopted_and_history_is_honest(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two")]).await;
        let id = home.entry("/a.txt").await["id"].clone();
        fs::write(home.root.join("a.txt"), "two, edited in place").unwrap();
        assert_eq!(home.read("/a.txt").await, "two, edited in place");
        home.until_known("/a.txt", "two, edited in place").await;
        let (kept, lost) = kept_and_lost(&home, &id).await;
        assert_eq!(kept, ["two, edited in place", "one"]);
        assert_eq!(lost, [hash("two")], "nobody could keep it, and history says so");
        home.write("/a.txt", "three").await;
        assert_eq!(kept_and_lost(&home, &id).await.0, ["three", "two, edited in place", "one"]);
        home.is_plain().await;
    }

    async fn what_was_done_while_the_server_was_away_is_found_at_its_start(server: Server) {
        let mut server = server;
        let home = Home::with(&server, &[("/a.txt", "a"), ("/A/b.txt", "b"), ("/c.txt", "c, first"), ("/c.txt", "c")]).await;
        let moved = home.entry("/c.txt").await["id"].clone();
        server.stop().await;
        fs::create_dir_all(home.root.join("New/Deep")).unwrap();
        fs::write(home.root.join("New/Deep/new.txt"), "new").unwrap();
        fs::write(home.root.join("A/b.txt"), "b, edited in place").unwrap();
        fs::rename(home.root.join("c.txt"), home.root.join("A/moved.txt")).unwrap();
        replace(&home, "a.txt", "a, replaced");
        server.launch().await;
        let home = home.at(&server);
        for (path, content) in [("/New/Deep/new.txt", "new"), ("/A/b.txt", "b, edited in place"),
            ("/a.txt", "a, replaced"), ("/A/moved.txt", "c")] {
            home.until_known(path, content).await;
        }
        assert_eq!(home.entry("/A/moved.txt").await["id"], moved, "a file that was renamed outside is the same file");
        assert_eq!(home.contents(&moved).await, ["c", "c, first"]);
        eventually("the old name to be gone", || async { (home.client.get(&file("/c.txt")).await.status == 404).then_some(()) }).await;
        home.is_plain().await;
        home.write("/New/Deep/new.txt", "changed").await;
        assert_eq!(home.contents(&home.entry("/New/Deep/new.txt").await["id"]).await, ["changed", "new"]);
    }

    async fn a_file_that_was_deleted_outside_leaves_its_history(server: Server) {
        let mut server = server;
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two"), ("/A/b.txt", "b, first"), ("/A/b.txt", "b"),
            ("/other.txt", "o")]).await;
        let ids = [home.entry("/a.txt").await["id"].clone(), home.entry("/A/b.txt").await["id"].clone()];
        server.stop().await;
        fs::remove_file(home.root.join("a.txt")).unwrap();
        fs::remove_dir_all(home.root.join("A")).unwrap();
        server.launch().await;
        let home = home.at(&server);
        eventually("what is gone to be noticed", || async { (home.paths().await == ["/other.txt"]).then_some(()) }).await;
        for (id, first) in ids.iter().zip(["one", "b, first"]) {
            assert_eq!(node(&home, id).await["live"], false);
            let (kept, lost) = kept_and_lost(&home, id).await;
            assert_eq!((kept.as_slice(), lost.len()), (&[first.to_owned()][..], 1));
            let version = home.versions(id).await.pop().unwrap();
            home.client.post(&format!("/api/drives/home/versions/{}/restore", text(&version["id"])), json!({})).await.expect(200);
        }
        assert_eq!((home.read("/a.txt").await, home.read("/A/b.txt").await), ("one".to_owned(), "b, first".to_owned()));
        home.is_plain().await;
    }

    async fn a_file_that_is_missed_while_it_is_read_is_not_there_for_the_moment(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two"), ("/b.txt", "b")]).await;
        let id = home.entry("/a.txt").await["id"].clone();
        fs::rename(home.root.join("a.txt"), server.scratch().join("elsewhere")).unwrap();
        let answer = home.client.get(&file("/a.txt")).await;
        assert!(answer.header("retry-after").is_some());
        answer.expect_problem(503);
        fs::rename(server.scratch().join("elsewhere"), home.root.join("a.txt")).unwrap();
        eventually("the file to be there again", || async {
            let answer = home.client.get(&file("/a.txt")).await;
            (answer.header("etag") == Some(tag("two").as_str())).then_some(())
        }).await;
        assert_eq!(home.entry("/a.txt").await["id"], id);
        assert_eq!(home.contents(&id).await, ["two", "one"]);
    }

    async fn what_another_program_saved_is_kept_when_it_is_overwritten_unseen(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "ours"), ("/b.txt", "ours"), ("/c.txt", "ours")]).await;
        let mut ids = Vec::new();
        for path in ["/a.txt", "/b.txt", "/c.txt"] {
            ids.push(home.entry(path).await["id"].clone());
        }
        replace(&home, "a.txt", "a, from outside");
        fs::write(home.root.join("b.txt"), "b, from outside").unwrap();
        replace(&home, "c.txt", "c, from outside");
        home.write("/a.txt", "ours again").await;
        home.write("/b.txt", "ours again").await;
        home.remove("/c.txt").await;
        assert_eq!((home.read("/a.txt").await, home.read("/b.txt").await), ("ours again".to_owned(), "ours again".to_owned()));
        for (id, content) in ids.iter().zip(["a, from outside", "b, from outside", "c, from outside"]) {
            eventually("the other program's work to be in history", || async {
                let hashes: Vec<Value> = home.versions(id).await.iter().map(|version| version["hash"].clone()).collect();
                hashes.contains(&json!(hash(content))).then_some(())
            }).await;
            assert!(kept_and_lost(&home, id).await.0.contains(&content.to_owned()));
        }
        let conflicts = home.client.get("/api/conflicts?state=open").await.expect(200);
        let conflicts: Vec<&str> = conflicts["conflicts"].as_array().unwrap().iter().map(|one| text(&one["path"])).collect();
        for path in ["/a.txt", "/b.txt"] {
            assert!(conflicts.contains(&path), "somebody is told of both: {conflicts:?}");
        }
    }

    async fn what_another_program_put_where_something_is_to_be_is_kept(server: Server) {
        let mut server = server;
        let home = Home::of(&server).await;
        fs::write(home.root.join("a.txt"), "unknown").unwrap();
        home.write("/a.txt", "ours").await;
        fs::create_dir(home.root.join("A")).unwrap();
        fs::write(home.root.join("A/inside.txt"), "inside").unwrap();
        home.folder("/A").await;
        assert_eq!(home.read("/a.txt").await, "ours");
        let id = home.entry("/a.txt").await["id"].clone();
        eventually("the unknown file to be in history", || async {
            (home.versions(&id).await.len() == 2).then_some(())
        }).await;
        let mut kept = home.contents(&id).await;
        kept.sort();
        assert_eq!(kept, ["ours", "unknown"]);
        server.restart().await;
        let home = home.at(&server);
        home.until_known("/A/inside.txt", "inside").await;
        home.is_plain().await;
    }

    async fn links_and_devices_are_neither_followed_nor_listed(server: Server) {
        let mut server = server;
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        server.stop().await;
        let secret = server.scratch().join("secret");
        fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, home.root.join("link")).unwrap();
        std::os::unix::fs::symlink(server.scratch(), home.root.join("A/out")).unwrap();
        std::os::unix::fs::symlink("a.txt", home.root.join("A/near")).unwrap();
        fs::write(home.root.join("last.txt"), "last").unwrap();
        server.launch().await;
        let home = home.at(&server);
        home.until_known("/last.txt", "last").await;
        assert_eq!(home.paths().await, ["/A", "/A/a.txt", "/last.txt"]);
        for path in ["/link", "/A/out", "/A/out/secret", "/A/near"] {
            let answer = home.client.get(&file(path)).await;
            assert!(!answer.text().contains("secret\n") && answer.status != 200, "{path}: {}", answer.status);
        }
        home.client.put(&format!("{}?parents=true", file("/A/out/escaped.txt")), "x").await;
        assert!(!server.scratch().join("escaped.txt").exists(), "nothing leaves the drive");
        home.client.put(&file("/link"), "x").await;
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    }
}
