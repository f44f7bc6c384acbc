//! A copy is a file of its own, and appears whole or not at all.

use serde_json::{Value, json};
use support::{Answer, both_engines, only_slots, slots};

use crate::home::{Home, hash, text};

async fn transfer(home: &Home, body: Value) -> Answer {
    home.client.post("/api/drives/home/copies", body).await
}

both_engines! {
    async fn a_copied_file_has_its_own_id_and_history(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "old")]).await;
        let original = home.write("/a.txt", "content").await;
        let copied = home.copy("/a.txt", "/b.txt").await.expect(201);
        assert_eq!((&copied["from"], &copied["to"]), (&json!("/a.txt"), &json!("/b.txt")));
        assert_ne!(copied["entry"]["id"], original["id"]);
        assert_eq!(copied["entry"]["hash"], original["hash"]);
        assert_eq!(copied["entry"]["mtime_ns"], original["mtime_ns"]);
        let versions = home.versions(&copied["entry"]["id"]).await;
        assert_eq!((versions.len(), &versions[0]["reason"]), (1, &json!("copy")));
        home.write("/a.txt", "changed").await;
        assert_eq!(home.read("/b.txt").await, "content");
        home.write("/b.txt", "changed, too").await;
        assert_eq!(home.read("/a.txt").await, "changed");
        home.is_plain().await;
    }

    async fn a_copied_folder_has_everything_that_was_in_it(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a"), ("/A/B/b.txt", "b"), ("/A/B/C/c.txt", "c"), ("/M/m.txt", "m")]).await;
        home.folder("/A/Empty/Within").await;
        // A folder that was moved into one which was made after it.
        home.rename("/M", "/A/Empty/M").await.expect(200);
        let before = home.tree().await;
        home.copy("/A", "/Copy").await.expect(201);
        let tree = home.tree().await;
        let copied: Vec<(String, &Value)> = tree.iter().filter(|entry| text(&entry["path"]).starts_with("/Copy"))
            .map(|entry| (text(&entry["path"]).replacen("/Copy", "/A", 1), &entry["hash"])).collect();
        let original: Vec<(String, &Value)> = before.iter().map(|entry| (text(&entry["path"]).to_owned(), &entry["hash"])).collect();
        assert_eq!(copied, original);
        let ids: std::collections::BTreeSet<&str> = tree.iter().map(|entry| text(&entry["id"])).collect();
        assert_eq!(ids.len(), tree.len(), "every copy has an id of its own");
        home.is_plain().await;
        only_slots(&home.root, &[]).await;
    }

    async fn what_is_at_the_target_stays_unless_it_may_be_replaced(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/A/x.txt", "x"), ("/B/y.txt", "y")]).await;
        home.folder("/Empty").await;
        let before = home.before().await;
        for (from, to) in [("/a.txt", "/b.txt"), ("/a.txt", "/B"), ("/A", "/b.txt"), ("/A", "/B"), ("/a.txt", "/Empty"),
            ("/A", "/Empty")] {
            let problem = home.copy(from, to).await.expect_problem_named(409, "exists");
            assert_eq!(problem["path"], to);
        }
        home.is_as(&before).await;
    }

    async fn what_a_copy_replaces_stays_in_history_or_in_the_trash(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/A/x.txt", "x"), ("/B/y.txt", "y")]).await;
        let (file, folder) = (home.entry("/b.txt").await["id"].clone(), home.entry("/B").await["id"].clone());
        transfer(&home, json!({"from": "/a.txt", "to": "/b.txt", "overwrite": true})).await.expect(201);
        assert_eq!(home.contents(&file).await, ["a", "b"]);
        transfer(&home, json!({"from": "/A", "to": "/B", "overwrite": true})).await.expect(201);
        assert_eq!(home.paths().await, ["/A", "/A/x.txt", "/B", "/B/x.txt", "/a.txt", "/b.txt"]);
        home.is_plain().await;
        let back = format!("/api/drives/home/trash/{}/restore", text(&folder));
        home.client.post(&back, json!({"to": "/back"})).await.expect(201);
        assert_eq!(home.read("/back/y.txt").await, "y");
        home.is_plain().await;
    }

    async fn nothing_can_be_copied_into_itself_or_onto_what_it_is_in(server: Server) {
        let home = Home::with(&server, &[("/A/B/x.txt", "x"), ("/a.txt", "a")]).await;
        let before = home.before().await;
        for overwrite in [false, true] {
            for (from, to) in [("/A", "/A"), ("/A", "/A/B"), ("/A", "/A/new"), ("/A/B", "/A"), ("/A/B/x.txt", "/A"),
                ("/a.txt", "/a.txt"),
                ("/a.txt", "/a.txt/new"), ("/A", "/a.txt/new"), ("/A/B/x.txt", "/a.txt/new")] {
                let body = json!({"from": from, "to": to, "overwrite": overwrite, "parents": true});
                transfer(&home, body).await.expect_problem(409);
            }
        }
        home.is_as(&before).await;
    }

    async fn a_copy_expects_what_it_says(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        let before = home.before().await;
        let body = |from: &str, expect: &str| json!({"from": from, "to": "/new.txt", "expect": expect});
        let problem = transfer(&home, body("/a.txt", &hash("old"))).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("one"))));
        transfer(&home, body("/a.txt", "nonsense")).await.expect_problem(422);
        home.copy("/none.txt", "/new.txt").await.expect_problem(404);
        home.copy("/a.txt", "/Missing/new.txt").await.expect_problem(409);
        home.is_as(&before).await;
        transfer(&home, body("/a.txt", &hash("one"))).await.expect(201);
        transfer(&home, json!({"from": "/a.txt", "to": "/New/new.txt", "parents": true})).await.expect(201);
        home.is_plain().await;
    }

    async fn a_copy_whose_paths_would_be_too_long_makes_nothing(server: Server) {
        let home = Home::of(&server).await;
        let long = format!("/{}", "x".repeat(250));
        home.write(&format!("/A{}/a.txt", long.repeat(9)), "a").await;
        home.write("/A/first.txt", "first").await;
        let before = home.before().await;
        let target = format!("/B{}", long.repeat(8));
        let body = json!({"from": "/A", "to": target, "parents": true});
        transfer(&home, body).await.expect_problem(422);
        home.is_as(&before).await;
        assert!(slots(&home.root).is_empty());
    }
}
