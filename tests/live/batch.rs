//! Many small acts in one request.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use support::{Client, Server, both_engines, home_of, only_slots, plain, send_raw, slots};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::mirror::listed;
use crate::records::{batch, hash, put, put_with, record, send, statuses};

async fn home(server: &Server) -> (Client, PathBuf) {
    let client = server.admin().await;
    let root = home_of(server, &client).await;
    (client, root)
}

async fn paths(client: &Client) -> Vec<String> {
    listed(client, "home").await.into_keys().collect()
}

async fn read(client: &Client, path: &str) -> String {
    let answer = client.get(&format!("/api/drives/home/files{path}")).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.text()
}

fn mkdir(path: &str) -> String {
    record(&json!({"act": "mkdir", "path": path}), "")
}

fn delete(path: &str) -> String {
    record(&json!({"act": "delete", "path": path}), "")
}

fn rename(from: &str, to: &str) -> String {
    record(&json!({"act": "move", "from": from, "to": to}), "")
}

both_engines! {
    async fn acts_of_every_kind_are_done_in_their_order(server: Server) {
        let (client, root) = home(&server).await;
        let lines = batch(&client, &[
            mkdir("/A"),
            put("/A/a.txt", "one"),
            put("/A/a.txt", "two, which is longer"),
            put_with("/B/C/b.txt", "", &json!({"parents": true, "mtime_ns": 1_234_567_890_123_456_789_i64})),
            rename("/A/a.txt", "/B/a.txt"),
            put("/A/a.txt", "three"),
            delete("/A/a.txt"),
            mkdir("/A"),
        ]).await;
        assert_eq!(statuses(&lines), [201, 201, 200, 201, 201, 201, 204, 200]);
        assert_eq!(lines[1]["id"], lines[4]["id"], "it was moved, not copied");
        assert_eq!((&lines[2]["hash"], &lines[2]["size"], &lines[2]["version"]), (&json!(hash("two, which is longer")), &json!(20), &json!(2)));
        assert_eq!(lines[3]["mtime_ns"], 1_234_567_890_123_456_789_i64);
        assert_eq!(paths(&client).await, ["/A", "/B", "/B/C", "/B/C/b.txt", "/B/a.txt"]);
        assert_eq!(read(&client, "/B/a.txt").await, "two, which is longer");
        let there = plain(&root);
        assert_eq!(there["/B/a.txt"].as_deref(), Some(&b"two, which is longer"[..]));
        assert_eq!(there.len(), 5);
        let versions = client.get(&format!("/api/drives/home/nodes/{}/versions", lines[1]["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(versions["items"].as_array().unwrap().len(), 2, "what was overwritten on the way is kept");
    }

    async fn an_act_that_is_refused_takes_none_of_the_others_along(server: Server) {
        let (client, root) = home(&server).await;
        client.put("/api/drives/home/files/there.txt", "there").await.expect(201);
        client.put("/api/drives/home/files/F/x.txt?parents=true", "x").await.expect(201);
        let before = slots(&root);
        let lines = batch(&client, &[
            put("/1.txt", "1"),
            record(&json!({"act": "put", "path": "/wrong.txt", "size": 5, "hash": hash("other")}), "wrong"),
            put("/../up.txt", "x"),
            put("/no/folder/x.txt", "x"),
            put_with("/there.txt", "new", &json!({"if_none_match": "*"})),
            put_with("/there.txt", "new", &json!({"if_match": hash("another")})),
            delete("/nothing.txt"),
            record(&json!({"act": "delete", "path": "/F", "empty": true}), ""),
            rename("/1.txt", "/there.txt"),
            put_with("/there.txt", "new", &json!({"if_match": "nonsense"})),
            put("/.holdfast/x", "x"),
            rename("/F", "/F/G"),
            put("/2.txt", "2"),
        ]).await;
        assert_eq!(statuses(&lines), [201, 422, 422, 409, 412, 412, 404, 409, 409, 400, 422, 409, 201]);
        assert_eq!(lines[1]["problem"]["type"], "urn:holdfast:problem:other-digest");
        assert_eq!(lines[4]["problem"]["actual_hash"], hash("there"));
        assert_eq!(lines[5]["problem"]["expected_hash"], hash("another"));
        for line in &lines {
            assert_eq!(line["problem"]["status"].as_u64().unwrap_or(0), if line["status"].as_u64() < Some(300) { 0 } else { line["status"].as_u64().unwrap() });
        }
        assert_eq!(paths(&client).await, ["/1.txt", "/2.txt", "/F", "/F/x.txt", "/there.txt"]);
        assert_eq!(read(&client, "/there.txt").await, "there");
        only_slots(&root, &before).await;
    }

    async fn a_body_that_breaks_off_has_done_nothing(server: Server) {
        let (client, root) = home(&server).await;
        assert_eq!(statuses(&batch(&client, &[put("/kept.txt", "kept")]).await), [201]);
        let before = slots(&root);
        let whole: String = (0..20).map(|n| put(&format!("/{n}.txt"), &format!("content {n}"))).collect();
        for cut in [10, whole.len() / 2, whole.len() - 1] {
            // The connection is gone.
            let head = format!(
                "POST /api/drives/home/batch HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/x-holdfast-batch\r\nContent-Length: {}\r\n\r\n",
                client.access_token(), whole.len()
            );
            let mut stream = send_raw(&server, format!("{head}{}", &whole[..cut]).as_bytes()).await;
            stream.shutdown().await.unwrap();
            drop(stream);
            // The body ends where it should not.
            send(&client, whole[..cut].to_owned()).await.expect_problem_named(400, "broken-off");
        }
        only_slots(&root, &before).await;
        assert_eq!(paths(&client).await, ["/kept.txt"]);
        assert_eq!(read(&client, "/kept.txt").await, "kept");
        assert_eq!(send(&client, whole).await.text().lines().count(), 20);
        assert_eq!(paths(&client).await.len(), 21);
    }

    async fn what_cannot_be_taken_apart_or_is_too_much_has_done_nothing(server: Server) {
        let (client, root) = home(&server).await;
        let first = put("/first.txt", "first");
        let with = |rest: &str| format!("{first}{rest}");
        send(&client, with("{nonsense\n")).await.expect_problem(400);
        let problem = send(&client, with("{\"act\": \"dance\"}\n")).await.expect_problem(422);
        assert_eq!(problem["entry"], 1);
        send(&client, with("{\"act\": \"put\", \"path\": \"/a\"}\n")).await.expect_problem(422);
        send(&client, with("{\"act\": \"put\", \"path\": \"/a\", \"size\": -1}\n")).await.expect_problem(422);
        send(&client, with("{\"act\": \"put\", \"path\": \"/a\", \"size\": 1048577}\n")).await.expect_problem_named(413, "too-large");
        send(&client, with(&"x".repeat(40_000))).await.expect_problem_named(413, "too-large");
        send(&client, mkdir("/A").repeat(2001)).await.expect_problem_named(413, "too-large");
        let content = "x".repeat(1024 * 1024);
        // Whoever says beforehand that it will be too much has not to send it.
        let head = format!(
            "POST /api/drives/home/batch HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Content-Type: application/x-holdfast-batch\r\nContent-Length: {}\r\n\r\n",
            client.access_token(), 64 * 1024 * 1024 + 1
        );
        let mut answer = [0; 12];
        send_raw(&server, head.as_bytes()).await.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        let request = client.request(Method::POST, "/api/drives/home/batch").json(&json!({}));
        client.send(request).await.expect_problem(415);
        only_slots(&root, &[]).await;
        assert!(paths(&client).await.is_empty());
        assert!(send(&client, String::new()).await.text().is_empty());
        assert_eq!(statuses(&batch(&client, &[put("/large.txt", &content)]).await), [201]);
    }

    async fn a_batch_as_large_as_it_may_be_is_done_as_a_whole(server: Server) {
        let (client, root) = home(&server).await;
        let acts: Vec<String> = (0..2000)
            .map(|n| put_with(&format!("/d{}/{n}.txt", n % 20), &format!("content {n}"), &json!({"parents": true})))
            .collect();
        let mut server = server;
        assert!(statuses(&batch(&client, &acts).await).iter().all(|status| *status == 201));
        server.kill9();
        server.launch().await;
        let client = client.at(server.url());
        assert_eq!(paths(&client).await.len(), 2020);
        assert_eq!(read(&client, "/d7/1987.txt").await, "content 1987");
        assert_eq!(plain(&root).len(), 2020);
        assert!(slots(&root).is_empty(), "no folder that was made for it is left over");
    }

    async fn folders_that_go_in_the_middle_of_a_batch_are_made_again(server: Server) {
        let (client, root) = home(&server).await;
        client.put("/api/drives/home/files/A/B/a.txt?parents=true", "a").await.expect(201);
        let parents = json!({"parents": true});
        let lines = batch(&client, &[
            put("/0.txt", "0"),
            delete("/A"),
            put_with("/A/B/C/b.txt", "b", &parents),
            rename("/A", "/D"),
            put_with("/A/B/C/c.txt", "c", &parents),
        ]).await;
        assert_eq!(statuses(&lines), [201, 204, 201, 201, 201]);
        assert_eq!(paths(&client).await, [
            "/0.txt", "/A", "/A/B", "/A/B/C", "/A/B/C/c.txt", "/D", "/D/B", "/D/B/C", "/D/B/C/b.txt",
        ]);
        assert_eq!(plain(&root).len(), 9);
    }

    async fn a_repeated_batch_changes_nothing(server: Server) {
        let (client, root) = home(&server).await;
        let acts = [
            mkdir("/A"),
            put_with("/A/a.txt", "a", &json!({"if_none_match": "*", "mtime_ns": 1_000_000_000})),
            put_with("/b.txt", "b", &json!({"if_none_match": "*"})),
        ];
        let first = batch(&client, &acts).await;
        let before = slots(&root);
        let again = batch(&client, &acts).await;
        assert_eq!(statuses(&first), [201, 201, 201]);
        assert_eq!(statuses(&again), [200, 200, 200], "the answer was lost, so it is asked for again");
        for (first, again) in first.iter().zip(&again) {
            assert_eq!((&first["id"], &first["hash"], &first["version"]), (&again["id"], &again["hash"], &again["version"]));
        }
        only_slots(&root, &before).await;
    }

    async fn what_a_server_takes_of_a_file_it_takes_of_one_in_a_batch(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_UPLOAD_SIZE", "1000").start().await;
        let (client, root) = home(&server).await;
        let lines = batch(&client, &[put("/1.txt", &"x".repeat(1001)), put("/2.txt", &"x".repeat(1000))]).await;
        assert_eq!(statuses(&lines), [413, 201]);
        assert_eq!(plain(&root).len(), 1);
        let about = client.get("/api/server").await.expect(200);
        assert_eq!((&about["limits"]["batch_acts"], &about["limits"]["batch_content"]), (&json!(2000), &json!(1024 * 1024)));
    }

    async fn nobody_acts_in_anothers_drive(server: Server) {
        let (client, _) = home(&server).await;
        let drive = client.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned();
        let (_, stranger) = server.member().await;
        for (who, status) in [(&stranger, 404), (&server.client(), 401)] {
            for (noun, kind, body) in [("batch", "application/x-holdfast-batch", put("/a.txt", "a")), ("contents", "application/json", json!({"files": []}).to_string())] {
                let request = who.request(Method::POST, &format!("/api/drives/{drive}/{noun}"));
                who.send(request.header("content-type", kind).body(body)).await.expect_problem(status);
            }
        }
        assert!(paths(&client).await.is_empty());
    }

    async fn a_device_that_acts_by_a_batch_holds_what_came_of_it(server: Server) {
        let (client, _) = home(&server).await;
        client.post("/api/sync/register", json!({"device_id": "laptop", "device_name": "Laptop"})).await.expect(200);
        let laptop = client.on_device("laptop");
        assert_eq!(statuses(&batch(&laptop, &[put("/A/a.txt", "a"), put("/b.txt", "b")]).await), [201, 201], "a device's act makes folders");
        client.put("/api/drives/home/files/b.txt", "another's").await.expect(200);
        let lines = batch(&laptop, &[put_with("/b.txt", "mine", &json!({"if_match": hash("b")}))]).await;
        assert_eq!((statuses(&lines), lines[0]["problem"]["conflict"]["path"].clone()), (vec![412], json!("/b.txt")));
        let id = lines[0]["problem"]["conflict"]["id"].as_str().unwrap();
        assert_eq!(client.get(&format!("/api/conflicts/{id}/candidate")).await.text(), "mine", "the bytes are kept");
        // It has no a.txt any more: it had it by its own act, and so has deleted it.
        let list = json!({"device_id": "laptop", "file_list": [{"path": "/b.txt", "hash": hash("mine")}]});
        let plan = client.post("/api/sync/changes", list).await.expect(200);
        assert_eq!(plan["deleted_by_client"][0]["path"], "/A/a.txt", "{plan}");
    }
}
