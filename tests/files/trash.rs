//! What was deleted can come back.

use serde_json::{Value, json};
use support::{Answer, both_engines, plain, slots};

use crate::home::{Home, file, text};

async fn restore(home: &Home, id: &Value, body: Value) -> Answer {
    home.client.post(&format!("/api/drives/home/trash/{}/restore", text(id)), body).await
}

both_engines! {
    async fn a_deleted_file_comes_back_with_its_history(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "one")]).await;
        let written = home.write("/A/a.txt", "two").await;
        home.remove("/A/a.txt").await;
        assert_eq!(home.paths().await, ["/A"]);
        let trash = home.trash().await;
        assert_eq!((trash.len(), &trash[0]["path"], &trash[0]["id"]), (1, &json!("/A/a.txt"), &written["id"]));
        assert!(trash[0]["deleted_at"].is_string());
        let back = restore(&home, &trash[0]["id"], json!({})).await.expect(201);
        assert_eq!(back["path"], "/A/a.txt");
        assert_eq!(home.read("/A/a.txt").await, "two");
        assert_eq!(home.contents(&back["id"]).await, ["two", "two", "one"], "to come back is a version, too");
        assert_eq!(home.versions(&back["id"]).await[0]["reason"], "restore");
        assert!(home.trash().await.is_empty());
        home.is_plain().await;
    }

    async fn a_deleted_folder_comes_back_with_all_that_was_in_it(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a"), ("/A/B/b.txt", "b")]).await;
        home.folder("/A/Empty").await;
        home.write("/A/a.txt", "a, changed").await;
        let tree = home.tree().await;
        home.remove("/A").await;
        let trash = home.trash().await;
        assert_eq!((trash.len(), &trash[0]["path"]), (1, &json!("/A")), "the folder stands for what is in it");
        let answer = home.client.post(&format!("/api/drives/home/trash/{}/restore", text(&trash[0]["id"])), json!({})).await;
        assert_eq!(answer.expect(201)["id"], tree[0]["id"]);
        assert_eq!(home.tree().await, tree, "ids and times are what they were");
        assert_eq!(home.contents(&home.entry("/A/a.txt").await["id"]).await, ["a, changed", "a"]);
        assert!(home.trash().await.is_empty());
        home.is_plain().await;
    }

    async fn a_restore_needs_no_body(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a")]).await;
        home.remove("/a.txt").await;
        let address = format!("/api/drives/home/trash/{}/restore", text(&home.trash().await[0]["id"]));
        home.client.send(home.client.request(reqwest::Method::POST, &address)).await.expect(201);
        assert_eq!(home.read("/a.txt").await, "a");
    }

    async fn what_comes_back_elsewhere_gets_the_folders_it_needs(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/A/b.txt", "b")]).await;
        home.remove("/a.txt").await;
        home.remove("/A").await;
        let trash = home.trash().await;
        assert_eq!(restore(&home, &trash[0]["id"], json!({"to": "/New/Place/A"})).await.expect(201)["path"], "/New/Place/A");
        restore(&home, &trash[1]["id"], json!({"to": "/Other/b.txt"})).await.expect(201);
        assert_eq!(home.read("/New/Place/A/b.txt").await, "b");
        assert_eq!(home.read("/Other/b.txt").await, "a");
        home.is_plain().await;
    }

    async fn a_file_whose_folder_is_gone_too_brings_it_back(server: Server) {
        let home = Home::with(&server, &[("/A/B/a.txt", "a"), ("/A/B/b.txt", "b")]).await;
        home.remove("/A/B/a.txt").await;
        home.remove("/A").await;
        let trash = home.trash().await;
        assert_eq!((trash.len(), &trash[0]["path"], &trash[1]["path"]), (2, &json!("/A"), &json!("/A/B/a.txt")), "latest first");
        assert_eq!(restore(&home, &trash[1]["id"], json!({})).await.expect(201)["path"], "/A/B/a.txt");
        assert_eq!(home.paths().await, ["/A", "/A/B", "/A/B/a.txt"]);
        home.is_plain().await;
        restore(&home, &trash[0]["id"], json!({})).await.expect_problem_named(409, "exists");
        restore(&home, &trash[0]["id"], json!({"to": "/A, as it was"})).await.expect(201);
        assert_eq!(home.read("/A, as it was/B/b.txt").await, "b");
        home.is_plain().await;
    }

    async fn one_file_can_be_taken_out_of_a_deleted_folder(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a"), ("/A/b.txt", "b")]).await;
        let id = home.entry("/A/a.txt").await["id"].clone();
        home.remove("/A").await;
        assert_eq!(restore(&home, &id, json!({"to": "/a.txt"})).await.expect(201)["path"], "/a.txt");
        assert_eq!(home.read("/a.txt").await, "a");
        assert_eq!(home.trash().await.len(), 1, "the folder is still there to come back");
        home.is_plain().await;
    }

    async fn what_took_the_place_is_not_replaced(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "old"), ("/A/x.txt", "x")]).await;
        home.remove("/A").await;
        home.write("/A/y.txt", "y").await;
        home.rename("/a.txt", "/b.txt").await.expect(200);
        home.remove("/b.txt").await;
        home.write("/b.txt/c.txt", "a file in a folder of that name").await;
        let before = home.before().await;
        let trash = home.trash().await;
        for deleted in &trash {
            restore(&home, &deleted["id"], json!({})).await.expect_problem_named(409, "exists");
            restore(&home, &deleted["id"], json!({"to": "/A/y.txt"})).await.expect_problem_named(409, "exists");
            restore(&home, &deleted["id"], json!({"to": "/A/y.txt/below"})).await.expect_problem(409);
            restore(&home, &deleted["id"], json!({"to": "/"})).await.expect_problem(409);
            restore(&home, &deleted["id"], json!({"to": "/../x"})).await.expect_problem(422);
        }
        home.is_as(&before).await;
    }

    async fn what_is_there_or_never_was_cannot_come_back(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        let before = home.before().await;
        for entry in home.tree().await {
            restore(&home, &entry["id"], json!({})).await.expect_problem_named(409, "not-deleted");
        }
        restore(&home, &json!(uuid::Uuid::new_v4()), json!({})).await.expect_problem(404);
        restore(&home, &json!("not-an-id"), json!({})).await.expect_problem(404);
        home.is_as(&before).await;
    }

    async fn deleting_and_coming_back_again_and_again_loses_nothing(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        let folder = home.entry("/A").await["id"].clone();
        for n in 0..4 {
            home.write("/A/a.txt", &format!("change {n}")).await;
            home.remove("/A").await;
            assert!(plain(&home.root).is_empty());
            restore(&home, &folder, json!({})).await.expect(201);
            home.is_plain().await;
        }
        let kept = home.contents(&home.entry("/A/a.txt").await["id"]).await;
        assert_eq!(kept, ["change 3", "change 2", "change 1", "change 0", "a"]);
    }

    async fn the_trash_comes_in_pages_latest_first(server: Server) {
        let home = Home::of(&server).await;
        for n in 0..7 {
            home.write(&format!("/{n}.txt"), "x").await;
            home.remove(&format!("/{n}.txt")).await;
        }
        let (mut paths, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = home.client.get(&format!("/api/drives/home/trash?limit=3{cursor}")).await.expect(200);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 3);
            paths.extend(items.iter().map(|one| text(&one["path"]).to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paths, ["/6.txt", "/5.txt", "/4.txt", "/3.txt", "/2.txt", "/1.txt", "/0.txt"]);
        assert_eq!(slots(&home.root).len(), 7, "each is kept");
        home.client.get("/api/drives/home/trash?cursor=nonsense").await.expect_problem(400);
        home.client.get(&file("/0.txt")).await.expect_problem(404);
    }
}
