//! Folders are made, and deleted with what is in them.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use support::{both_engines, only_slots, plain};

use crate::home::{Home, file, tag};

const FOLDERS: &str = "/api/drives/home/folders";

both_engines! {
    async fn a_folder_is_made_once_however_often_it_is_asked_for(server: Server) {
        let home = Home::of(&server).await;
        let made = home.folder("/Empty").await;
        assert_eq!((&made["path"], &made["kind"], &made["hash"]), (&json!("/Empty"), &json!("folder"), &Value::Null));
        assert_eq!(plain(&home.root).get("/Empty"), Some(&None), "in the plain folder when it is answered");
        let before = home.before().await;
        assert_eq!(home.folder("/Empty").await, made);
        assert_eq!(home.folder("/Empty/").await["id"], made["id"]);
        home.is_as(&before).await;
    }

    async fn folders_above_are_made_unless_that_is_not_wanted(server: Server) {
        let home = Home::of(&server).await;
        home.client.post(FOLDERS, json!({"path": "/A/B/C", "parents": false})).await.expect_problem(409);
        assert!(home.tree().await.is_empty());
        home.folder("/A/B/C").await;
        assert_eq!(home.paths().await, ["/A", "/A/B", "/A/B/C"]);
        home.client.post(FOLDERS, json!({"path": "/A/D", "parents": false})).await.expect(201);
        home.is_plain().await;
        only_slots(&home.root, &[]).await;
    }

    async fn many_who_make_one_folder_make_one(server: Server) {
        let home = Home::of(&server).await;
        let paths: Vec<String> = (0..8).map(|n| format!("/A/B/{}", n % 2)).collect();
        let made = join_all(paths.iter().map(|path| home.folder(path))).await;
        let ids = |n: usize| made.iter().skip(n).step_by(2).map(|entry| &entry["id"]).collect::<Vec<_>>();
        assert!(ids(0).windows(2).all(|pair| pair[0] == pair[1]), "one folder has one id: {made:?}");
        assert!(ids(1).windows(2).all(|pair| pair[0] == pair[1]), "one folder has one id: {made:?}");
        assert_eq!(home.paths().await, ["/A", "/A/B", "/A/B/0", "/A/B/1"]);
        home.is_plain().await;
        only_slots(&home.root, &[]).await;
    }

    async fn a_folder_cannot_be_made_where_or_below_where_a_file_is(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a")]).await;
        let before = home.before().await;
        for path in ["/a.txt", "/a.txt/below", "/a.txt/below/deeper"] {
            home.client.post(FOLDERS, json!({"path": path})).await.expect_problem(409);
        }
        home.is_as(&before).await;
    }

    async fn a_deleted_folder_takes_along_what_is_in_it(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a"), ("/A/B/b.txt", "b"), ("/other.txt", "other")]).await;
        home.remove("/A").await;
        assert_eq!(home.paths().await, ["/other.txt"]);
        home.is_plain().await;
        for path in ["/A/a.txt", "/A/B/b.txt", "/A"] {
            home.client.get(&file(path)).await.expect_problem(404);
        }
        home.client.delete(&file("/A")).await.expect_problem(404);
        home.client.get("/api/drives/home/tree/A").await.expect_problem(404);
        home.folder("/A").await;
        assert!(home.client.get("/api/drives/home/tree/A").await.expect(200)["entries"].as_array().unwrap().is_empty());
        home.is_plain().await;
    }

    async fn a_folder_has_no_content_to_expect(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        let before = home.before().await;
        for expected in [tag("a").as_str(), "*"] {
            home.send_with(Method::DELETE, "/A", "", &[("if-match", expected)]).await.expect_problem(412);
        }
        home.is_as(&before).await;
    }

    async fn the_drive_itself_is_neither_made_nor_moved_nor_deleted(server: Server) {
        let home = Home::with(&server, &[("/A/a.txt", "a")]).await;
        let before = home.before().await;
        for address in ["/api/drives/home/files/", "/api/drives/home/files"] {
            for method in [Method::DELETE, Method::PUT] {
                let answer = home.client.send(home.client.request(method, address)).await;
                assert!(matches!(answer.status, 404 | 405 | 409), "{address}: {}", answer.status);
                let status = answer.status;
                answer.expect_problem(status);
            }
        }
        for (from, to) in [("/", "/A/drive"), ("/A", "/"), ("", "/x"), ("/A/a.txt", "")] {
            for what in ["moves", "copies"] {
                let answer = home.client.post(&format!("/api/drives/home/{what}"), json!({"from": from, "to": to})).await;
                assert!(matches!(answer.status, 404 | 409 | 422), "{what} {from} {to}: {}", answer.status);
                let status = answer.status;
                answer.expect_problem(status);
            }
        }
        home.is_as(&before).await;
        assert_eq!(home.folder("/").await["kind"], "folder", "it is there already");
        home.is_as(&before).await;
    }

    async fn an_empty_folder_gives_way_to_a_file_and_a_full_one_does_not(server: Server) {
        let home = Home::with(&server, &[("/Full/a.txt", "a")]).await;
        home.folder("/Hollow/Within").await;
        let before = home.before().await;
        home.client.put(&file("/Full"), "file").await.expect_problem(409);
        home.is_as(&before).await;
        home.client.put(&file("/Hollow"), "file").await.expect(201);
        assert_eq!(home.read("/Hollow").await, "file");
        assert_eq!(home.paths().await, ["/Full", "/Full/a.txt", "/Hollow"]);
        home.is_plain().await;
        assert_eq!(home.trash().await[0]["kind"], "folder", "what gave way can come back");
    }
}
