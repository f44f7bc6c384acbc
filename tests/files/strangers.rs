//! Another user's drive is not there, nor anything in it, for whoever knows its ids.

use reqwest::Method;
use serde_json::{Value, json};
use support::both_engines;

use crate::home::{Home, file, hash, tag, text};

both_engines! {
    async fn anothers_drive_is_not_there(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "one"), ("/a.txt", "two"), ("/A/b.txt", "b"), ("/deleted.txt", "deleted")]).await;
        home.remove("/deleted.txt").await;
        let drive = text(&home.client.get("/api/drives/home").await.expect(200)["id"]).to_owned();
        let node = text(&home.entry("/a.txt").await["id"]).to_owned();
        let version = text(&home.versions(&json!(node)).await[1]["id"]).to_owned();
        let deleted = text(&home.trash().await[0]["id"]).to_owned();
        let (_, stranger) = server.member().await;
        let before = home.before().await;
        let theirs = Home::of_client(&server, stranger).await;
        let their_before = theirs.before().await;
        // By the drive's id, and by the thing's id in a drive of their own.
        for drive in [drive.as_str(), "home"] {
            let ask = |method: Method, rest: String, body: Value| {
                let request = theirs.client.request(method, &format!("/api/drives/{drive}/{rest}"));
                theirs.client.send(if body.is_null() { request } else { request.json(&body) })
            };
            for (method, rest) in [
                (Method::GET, "files/a.txt".to_owned()),
                (Method::DELETE, "files/a.txt".to_owned()),
                (Method::GET, "tree/A".to_owned()),
                (Method::GET, format!("nodes/{node}")),
                (Method::GET, format!("nodes/{node}/versions")),
                (Method::GET, format!("versions/{version}/content")),
                (Method::POST, format!("versions/{version}/restore")),
                (Method::POST, format!("trash/{deleted}/restore")),
            ] {
                ask(method, rest, Value::Null).await.expect_problem(404);
            }
            for noun in ["moves", "copies"] {
                ask(Method::POST, noun.to_owned(), json!({"from": "/a.txt", "to": "/new"})).await.expect_problem(404);
            }
        }
        for (method, rest, body) in [
            (Method::GET, "tree", Value::Null),
            (Method::GET, "trash", Value::Null),
            (Method::PUT, "files/new.txt", json!("x")),
            (Method::PUT, "files/a.txt", json!("x")),
            (Method::POST, "folders", json!({"path": "/New"})),
        ] {
            let request = theirs.client.request(method, &format!("/api/drives/{drive}/{rest}"));
            theirs.client.send(request.json(&body)).await.expect_problem(404);
        }
        // A hash is no capability: who names a content does not get it.
        let request = theirs.client.request(Method::GET, &file("/a.txt")).header("if-match", tag("two"));
        theirs.client.send(request).await.expect_problem(404);
        home.is_as(&before).await;
        theirs.is_as(&their_before).await;
    }

    async fn two_users_have_homes_of_their_own(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "mine")]).await;
        let (_, stranger) = server.member().await;
        let theirs = Home::of_client(&server, stranger).await;
        theirs.write("/a.txt", "theirs").await;
        theirs.remove("/a.txt").await;
        assert_eq!(home.read("/a.txt").await, "mine");
        assert!(home.trash().await.is_empty());
        home.is_plain().await;
        theirs.is_plain().await;
        assert!(!home.root.starts_with(&theirs.root) && !theirs.root.starts_with(&home.root));
    }

    async fn nobody_without_a_credential_gets_past_401(server: Server) {
        let home = Home::with(&server, &[("/a.txt", "a")]).await;
        let node = text(&home.entry("/a.txt").await["id"]).to_owned();
        let version = text(&home.versions(&json!(node)).await[0]["id"]).to_owned();
        let before = home.before().await;
        for client in [server.client(), server.client().with_access_token("nonsense")] {
            for (method, rest) in [
                (Method::GET, "files/a.txt".to_owned()),
                (Method::PUT, "files/a.txt".to_owned()),
                (Method::PUT, "files/..%2F..%2Fx".to_owned()),
                (Method::DELETE, "files/a.txt".to_owned()),
                (Method::GET, "tree".to_owned()),
                (Method::GET, "trash".to_owned()),
                (Method::POST, "moves".to_owned()),
                (Method::POST, "copies".to_owned()),
                (Method::POST, "folders".to_owned()),
                (Method::GET, format!("nodes/{node}")),
                (Method::GET, format!("nodes/{node}/versions")),
                (Method::GET, format!("versions/{version}/content")),
                (Method::POST, format!("versions/{version}/restore")),
                (Method::POST, format!("trash/{node}/restore")),
            ] {
                let request = client.request(method, &format!("/api/drives/home/{rest}"));
                client.send(request.body("{}")).await.expect_problem(401);
            }
            assert_eq!(client.send(client.request(Method::HEAD, &file("/a.txt"))).await.status, 401);
        }
        server.client().basic(server.username(), "wrong").get(&file("/a.txt")).await.expect_problem(401);
        server.client().basic(server.username(), "wrong").get(&file("/a.txt")).await.expect_problem(401);
        home.is_as(&before).await;
        assert_eq!(hash(home.read("/a.txt").await), hash("a"));
    }
}
