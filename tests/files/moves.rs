//! A move gives another name and changes nothing else.

use serde_json::{Value, json};
use support::{Answer, both_engines, only_slots, plain};

use crate::home::{Home, file, hash, items, text};

async fn transfer(home: &Home, body: Value) -> Answer {
    home.client.post("/api/drives/home/moves", body).await
}

both_engines! {
    async fn a_moved_file_keeps_its_id_time_and_history(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "one")]).await;
        home.write("/A/a.txt", "two").await;
        home.folder("/B").await;
        let before = home.entry("/A/a.txt").await;
        let moved = home.rename("/A/a.txt", "/B/b.txt").await.expect(200);
        assert_eq!((&moved["from"], &moved["to"]), (&json!("/A/a.txt"), &json!("/B/b.txt")));
        let mut expected = before.clone();
        expected["path"] = json!("/B/b.txt");
        assert_eq!(moved["entry"], expected);
        assert_eq!(home.paths().await, ["/A", "/B", "/B/b.txt"]);
        home.client.get(&file("/A/a.txt")).await.expect_problem(404);
        home.is_plain().await;
        assert_eq!(home.contents(&before["id"]).await, ["two", "one"]);
        assert!(home.trash().await.is_empty());
    }

    async fn renaming_a_folder_is_one_change_whatever_is_in_it(server: Server) {
        let home = Home::of(&server).await;
        for n in 0..20 {
            home.write(&format!("/A/B{}/{n}.txt", n % 3), &n.to_string()).await;
        }
        let (tree, acts) = (home.tree().await, home.acts().await);
        home.rename("/A", "/Renamed").await.expect(200);
        let now = home.acts().await;
        assert_eq!(now.len(), acts.len() + 1, "one change for 20 files");
        let act = now.last().unwrap();
        assert_eq!((&act["kind"], &act["path"], &act["detail"]["from"]), (&json!("moved"), &json!("/Renamed"), &json!("/A")));
        let renamed = |mut entry: Value| {
            entry["path"] = text(&entry["path"]).replacen("/A", "/Renamed", 1).into();
            entry
        };
        assert_eq!(home.tree().await, tree.into_iter().map(renamed).collect::<Vec<_>>(), "ids survive");
        home.is_plain().await;
        only_slots(&home.root, &[]).await;
    }

    async fn what_is_at_the_target_stays_unless_it_may_be_replaced(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/A/x.txt", "x"), ("/B/y.txt", "y")]).await;
        let before = home.before().await;
        for (from, to) in [("/a.txt", "/b.txt"), ("/a.txt", "/B"), ("/A", "/b.txt"), ("/A", "/B")] {
            let problem = home.rename(from, to).await.expect_problem_named(409, "exists");
            assert_eq!(problem["path"], to);
        }
        home.is_as(&before).await;
    }

    async fn what_a_move_replaces_stays_in_the_trash_and_in_history(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/b.txt", "b, first")]).await;
        let displaced = home.write("/b.txt", "b, second").await["id"].clone();
        let moved = transfer(&home, json!({"from": "/a.txt", "to": "/b.txt", "overwrite": true})).await.expect(200);
        assert_ne!(moved["entry"]["id"], displaced);
        assert_eq!(home.paths().await, ["/b.txt"]);
        assert_eq!(home.read("/b.txt").await, "a");
        home.is_plain().await;
        assert_eq!(home.contents(&displaced).await, ["b, second", "b, first"]);
        assert_eq!(home.trash().await[0]["id"], displaced);
        let back = format!("/api/drives/home/trash/{}/restore", text(&displaced));
        home.client.post(&back, json!({"to": "/back.txt"})).await.expect(201);
        assert_eq!(home.read("/back.txt").await, "b, second");
        home.is_plain().await;
    }

    async fn what_a_folder_replaces_comes_back_whole(server: Server) {
        let home = Home::with(&server, &[("/A/x.txt", "x"), ("/B/y.txt", "y"), ("/B/C/z.txt", "z"), ("/file", "file")]).await;
        let displaced = home.entry("/B").await["id"].clone();
        transfer(&home, json!({"from": "/A", "to": "/B", "overwrite": true})).await.expect(200);
        assert_eq!(home.paths().await, ["/B", "/B/x.txt", "/file"]);
        home.is_plain().await;
        let back = format!("/api/drives/home/trash/{}/restore", text(&displaced));
        home.client.post(&back, json!({"to": "/A"})).await.expect(201);
        assert_eq!(home.read("/A/C/z.txt").await, "z");
        transfer(&home, json!({"from": "/A", "to": "/file", "overwrite": true})).await.expect(200);
        transfer(&home, json!({"from": "/B/x.txt", "to": "/file", "overwrite": true})).await.expect(200);
        assert_eq!(home.paths().await, ["/B", "/file"]);
        home.is_plain().await;
        assert_eq!(home.trash().await.len(), 2, "the file that the folder replaced, and the folder that a file replaced");
    }

    async fn an_empty_folder_gives_way(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a"), ("/A/x.txt", "x")]).await;
        home.folder("/Empty/Within").await;
        home.rename("/A", "/Empty").await.expect(200);
        assert_eq!(home.paths().await, ["/Empty", "/Empty/x.txt", "/a.txt"]);
        home.folder("/Empty2").await;
        home.rename("/a.txt", "/Empty2").await.expect(200);
        assert_eq!(home.read("/Empty2").await, "a");
        home.is_plain().await;
    }

    async fn nothing_can_be_moved_into_itself_or_onto_what_it_is_in(server: Server) {
        let home = Home::with(&server, &[("/A/B/x.txt", "x"), ("/a.txt", "a")]).await;
        let before = home.before().await;
        for overwrite in [false, true] {
            for (from, to) in [("/A", "/A"), ("/A", "/A/B"), ("/A", "/A/new"), ("/A", "/A/B/new/deep"), ("/A/B", "/A"),
                ("/A/B/x.txt", "/A"),
                ("/a.txt", "/a.txt"), ("/a.txt", "/a.txt/new"), ("/A", "/a.txt/new")] {
                let body = json!({"from": from, "to": to, "overwrite": overwrite, "parents": true});
                transfer(&home, body).await.expect_problem(409);
            }
        }
        home.is_as(&before).await;
        home.rename("/A", "/A2").await.expect(200);
        assert_eq!(home.read("/A2/B/x.txt").await, "x", "a name that begins the same is another one");
    }

    async fn a_move_expects_what_it_says(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/A/x.txt", "x")]).await;
        let before = home.before().await;
        let body = |from: &str, expect: &str| json!({"from": from, "to": "/new", "expect": expect});
        let problem = transfer(&home, body("/a.txt", &hash("old"))).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("one"))));
        transfer(&home, body("/A", &hash("x"))).await.expect_problem(412);
        transfer(&home, body("/none.txt", &hash("one"))).await.expect_problem(412);
        transfer(&home, body("/none.txt", "*")).await.expect_problem(412);
        transfer(&home, body("/a.txt", "nonsense")).await.expect_problem(422);
        home.rename("/none.txt", "/new").await.expect_problem(404);
        home.is_as(&before).await;
        transfer(&home, body("/a.txt", &hash("one"))).await.expect(200);
        transfer(&home, json!({"from": "/new", "to": "/a.txt", "expect": "*"})).await.expect(200);
    }

    async fn missing_folders_above_the_target_are_made_when_asked_for(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a")]).await;
        let before = home.before().await;
        home.rename("/a.txt", "/New/Deep/a.txt").await.expect_problem(409);
        home.is_as(&before).await;
        transfer(&home, json!({"from": "/a.txt", "to": "/New/Deep/a.txt", "parents": true})).await.expect(200);
        assert_eq!(home.paths().await, ["/New", "/New/Deep", "/New/Deep/a.txt"]);
        home.is_plain().await;
    }

    async fn of_two_who_move_one_file_one_does(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a")]).await;
        let (left, right) = tokio::join!(home.rename("/a.txt", "/left.txt"), home.rename("/a.txt", "/right.txt"));
        let (won, path, lost) = if left.status == 200 { (left, "/left.txt", right) } else { (right, "/right.txt", left) };
        won.expect(200);
        lost.expect_problem(404);
        assert_eq!(home.paths().await, [path]);
        home.is_plain().await;
    }

    async fn two_files_can_trade_places(server: Server) {
        let home = Home::with(&server, &[("/a", "a"), ("/b", "b")]).await;
        let ids = [home.entry("/a").await["id"].clone(), home.entry("/b").await["id"].clone()];
        for (from, to) in [("/a", "/between"), ("/b", "/a"), ("/between", "/b")] {
            home.rename(from, to).await.expect(200);
        }
        assert_eq!((home.read("/a").await, home.read("/b").await), ("b".to_owned(), "a".to_owned()));
        assert_eq!([home.entry("/b").await["id"].clone(), home.entry("/a").await["id"].clone()], ids);
        home.is_plain().await;
    }

    async fn a_name_that_was_left_is_free_and_its_new_file_has_a_past_of_its_own(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "first")]).await;
        let first = home.entry("/a.txt").await["id"].clone();
        home.rename("/a.txt", "/b.txt").await.expect(200);
        let second = home.write("/a.txt", "second").await["id"].clone();
        assert_ne!(first, second);
        assert_eq!(home.contents(&second).await, ["second"]);
        assert_eq!(home.contents(&first).await, ["first"]);
        let node = home.client.get(&format!("/api/drives/home/nodes/{}", text(&first))).await.expect(200);
        assert_eq!((&node["path"], &node["live"]), (&json!("/b.txt"), &json!(true)));
        let listed = home.client.get("/api/drives/home/tree").await.expect(200);
        assert_eq!(items(&listed["entries"]).len(), plain(&home.root).len());
    }
}
