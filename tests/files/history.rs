//! Nothing that was overwritten is lost.

use serde_json::{Value, json};
use support::{Answer, both_engines, plain};

use crate::home::{Home, file, hash, tag, text, version_content};

async fn restore(home: &Home, version: &Value, condition: Option<&str>) -> Answer {
    let address = format!("/api/drives/home/versions/{}/restore", text(&version["id"]));
    let mut request = home.client.request(reqwest::Method::POST, &address);
    if let Some(condition) = condition {
        request = request.header("if-match", condition);
    }
    home.client.send(request).await
}

async fn node(home: &Home, id: &Value) -> Value {
    home.client.get(&format!("/api/drives/home/nodes/{}", text(id))).await.expect(200)
}

both_engines! {
    async fn every_content_of_a_file_is_a_version(server: Server) {
        let home = Home::of(&server).await;
        let contents: Vec<String> = (0..6).map(|n| format!("content {n}")).collect();
        for content in &contents {
            home.write("/a.txt", content).await;
        }
        let id = home.entry("/a.txt").await["id"].clone();
        let versions = home.versions(&id).await;
        let numbers: Vec<&Value> = versions.iter().map(|version| &version["version_number"]).collect();
        assert_eq!(numbers, [6, 5, 4, 3, 2, 1]);
        for (version, content) in versions.iter().zip(contents.iter().rev()) {
            assert_eq!((&version["hash"], &version["size"]), (&json!(hash(content)), &json!(content.len())));
            assert_eq!((&version["path"], &version["node"], &version["kept"]), (&json!("/a.txt"), &id, &json!(true)));
            assert_eq!((&version["reason"], &version["author"]), (&json!("manual"), &json!(server.username())));
            assert_eq!(version["current"], version["version_number"] == 6);
            let got = home.client.get(&version_content(version)).await;
            assert_eq!((got.status, &got.text()), (200, content));
            assert_eq!(got.header("etag"), Some(tag(content).as_str()));
        }
        assert_eq!(plain(&home.root).len(), 1, "the plain folder shows the newest alone");
    }

    async fn a_history_comes_in_pages(server: Server) {
        let home = Home::of(&server).await;
        for n in 0..7 {
            home.write("/a.txt", &n.to_string()).await;
        }
        let id = home.entry("/a.txt").await["id"].clone();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let address = format!("/api/drives/home/nodes/{}/versions?limit=3{cursor}", text(&id));
            let page = home.client.get(&address).await.expect(200);
            found.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, home.versions(&id).await);
        assert_eq!(found.len(), 7);
        home.client.get(&format!("/api/drives/home/nodes/{}/versions?cursor=nonsense", text(&id))).await.expect_problem(400);
    }

    async fn a_history_goes_along_through_renames_deletes_and_restores(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "one")]).await;
        let id = home.entry("/A/a.txt").await["id"].clone();
        home.rename("/A/a.txt", "/A/b.txt").await.expect(200);
        home.write("/A/b.txt", "two").await;
        home.rename("/A", "/B").await.expect(200);
        home.write("/B/b.txt", "three").await;
        assert_eq!(home.contents(&id).await, ["three", "two", "one"]);
        let paths: Vec<Value> = home.versions(&id).await.iter().map(|version| version["path"].clone()).collect();
        assert_eq!(paths, ["/B/b.txt", "/A/b.txt", "/A/a.txt"], "as it was called then");
        home.remove("/B/b.txt").await;
        assert_eq!(home.contents(&id).await, ["three", "two", "one"], "still there when the file is not");
        let shown = node(&home, &id).await;
        assert_eq!((&shown["live"], &shown["path"]), (&json!(false), &json!("/B/b.txt")));
        assert!(shown["deleted_at"].is_string());
        assert!(home.versions(&id).await.iter().all(|version| version["current"] == false));
        home.write("/B/b.txt", "four").await;
        assert_eq!(home.entry("/B/b.txt").await["id"], id, "a file that comes back under its name goes on");
        assert_eq!(home.contents(&id).await, ["four", "three", "two", "one"]);
        home.remove("/B").await;
        assert_eq!(home.contents(&id).await, ["four", "three", "two", "one"]);
        assert_eq!(node(&home, &id).await["live"], false);
    }

    async fn to_go_back_is_a_new_version(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        home.write("/a.txt", "two").await;
        let id = home.entry("/a.txt").await["id"].clone();
        let first = home.versions(&id).await.pop().unwrap();
        let restored = restore(&home, &first, None).await.expect(200);
        assert_eq!((&restored["id"], &restored["path"], &restored["version_number"]), (&id, &json!("/a.txt"), &json!(3)));
        assert_eq!(restored["hash"], hash("one"));
        assert_eq!(home.read("/a.txt").await, "one");
        assert_eq!(home.contents(&id).await, ["one", "two", "one"]);
        assert_eq!(home.versions(&id).await[0]["reason"], "restore");
        home.is_plain().await;
        let before = home.before().await;
        restore(&home, &first, None).await.expect(200);
        home.is_as(&before).await;
    }

    async fn a_version_goes_back_to_where_its_file_is_now(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        home.write("/a.txt", "two").await;
        let id = home.entry("/a.txt").await["id"].clone();
        let first = home.versions(&id).await.pop().unwrap();
        home.rename("/a.txt", "/b.txt").await.expect(200);
        home.write("/a.txt", "somebody else").await;
        assert_eq!(restore(&home, &first, None).await.expect(200)["path"], "/b.txt");
        assert_eq!((home.read("/a.txt").await, home.read("/b.txt").await), ("somebody else".to_owned(), "one".to_owned()));
        home.is_plain().await;
    }

    async fn a_version_of_a_deleted_file_brings_it_back_but_not_over_another(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "one")]).await;
        home.write("/A/a.txt", "two").await;
        let id = home.entry("/A/a.txt").await["id"].clone();
        let first = home.versions(&id).await.pop().unwrap();
        home.remove("/A").await;
        let restored = restore(&home, &first, None).await.expect(200);
        assert_eq!(restored["path"], "/A/a.txt");
        assert_eq!(home.read("/A/a.txt").await, "one");
        home.is_plain().await;
        home.rename("/A/a.txt", "/A/moved.txt").await.expect(200);
        home.remove("/A/moved.txt").await;
        home.folder("/A/moved.txt").await;
        let before = home.before().await;
        let last = home.versions(&restored["id"]).await.remove(0);
        restore(&home, &last, None).await.expect_problem_named(409, "exists");
        home.is_as(&before).await;
    }

    async fn to_go_back_may_expect_what_is_there(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one")]).await;
        home.write("/a.txt", "two").await;
        let id = home.entry("/a.txt").await["id"].clone();
        let first = home.versions(&id).await.pop().unwrap();
        let before = home.before().await;
        let problem = restore(&home, &first, Some(&tag("old"))).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("two"))));
        home.is_as(&before).await;
        restore(&home, &first, Some(&tag("two"))).await.expect(200);
        assert_eq!(home.read("/a.txt").await, "one");
    }

    async fn every_content_that_was_ever_acknowledged_can_be_had(server: Server) {
        let home = Home::of(&server).await;
        let mut written = Vec::new();
        for n in 0..5 {
            for name in ["a", "b", "c"] {
                let content = format!("{name} {n}");
                home.write(&format!("/{name}"), &content).await;
                written.push(content);
            }
            let over = json!({"from": "/a", "to": "/b", "overwrite": true});
            match n {
                0 => drop(home.client.post("/api/drives/home/moves", over).await.expect(200)),
                1 => drop(home.client.post("/api/drives/home/copies", over).await.expect(201)),
                2 => home.remove("/c").await,
                3 => drop(home.rename("/b", "/d").await.expect(200)),
                _ => {}
            }
        }
        let mut kept = Vec::new();
        for path in ["/a", "/b", "/c", "/d"] {
            let history = home.client.get(&format!("/api/sync/history{path}")).await.expect(200);
            for version in history["versions"].as_array().unwrap() {
                kept.push(home.content_of(version).await);
            }
        }
        written.retain(|content| !kept.contains(content));
        assert_eq!(written, [""; 0], "not to be had any more");
        home.is_plain().await;
    }

    async fn what_never_was_has_no_history(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        let strange = json!({"id": uuid::Uuid::new_v4()});
        home.client.get(&version_content(&strange)).await.expect_problem(404);
        restore(&home, &strange, None).await.expect_problem(404);
        for id in [text(&strange["id"]), "not-an-id"] {
            home.client.get(&format!("/api/drives/home/nodes/{id}")).await.expect_problem(404);
            home.client.get(&format!("/api/drives/home/nodes/{id}/versions")).await.expect_problem(404);
            home.client.get(&format!("/api/drives/home/versions/{id}/content")).await.expect_problem(404);
        }
        assert!(home.versions(&home.entry("/A").await["id"]).await.is_empty(), "a folder has none");
        home.client.get(&file("/A/none.txt")).await.expect_problem(404);
    }
}
