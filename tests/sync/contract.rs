//! Document 003: its requests word for word, with curl, and answers that hold at least what it shows.

use std::process::Command;

use serde_json::{Value, json};
use support::{Client, Server, both_engines};

use crate::device::{Device, agreed, claim, hash, only, paths, text, two};

const REGISTER: &str = r#"curl -X POST http://localhost:8000/api/sync/register \
  -H "Authorization: Bearer {token}" \
  -H "Content-Type: application/json" \
  -d '{
    "device_id": "iphone-12345",
    "device_name": "iPhone XS"
  }'"#;

const CHANGES: &str = r#"curl -X POST http://localhost:8000/api/sync/changes \
  -H "Authorization: Bearer {token}" \
  -H "Content-Type: application/json" \
  -d '{
    "device_id": "iphone-12345",
    "file_list": [
      {
        "path": "/Documents/file1.txt",
        "hash": "sha256abc123...",
        "size": 1024,
        "modified_at": "2025-01-01T12:00:00Z"
      }
    ]
  }'"#;

const RESOLVE: &str = r#"curl -X POST http://localhost:8000/api/sync/conflicts/Documents%2Fconflict.txt/resolve \
  -H "Authorization: Bearer {token}" \
  -H "Content-Type: application/json" \
  -d '{
    "file_path": "/Documents/conflict.txt",
    "resolution": "create_version"
  }'"#;

const HISTORY: &str = r#"curl -X GET http://localhost:8000/api/sync/history/Documents%2Ffile.txt \
  -H "Authorization: Bearer {token}""#;

const CHANGES_ANSWER: &str = r#"{
  "to_download": [
    {
      "path": "/Documents/file2.txt",
      "action": "add",
      "size": 2048,
      "modified_at": "2025-01-01T13:00:00Z"
    }
  ],
  "to_delete": [
    {"path": "/Documents/old_file.txt"}
  ],
  "conflicts": [
    {
      "path": "/Documents/conflict.txt",
      "client_hash": "hash1...",
      "server_hash": "hash2...",
      "server_modified_at": "2025-01-01T14:00:00Z"
    }
  ],
  "change_token": "new-uuid-..."
}"#;

/// Runs an example of the document as it stands there, but for the host and the placeholders; its status and answer.
fn curl(server: &Server, client: &Client, example: &str, sha256: &str) -> (u16, Value) {
    let example = example
        .replace("http://localhost:8000", server.url())
        .replace("{token}", client.access_token())
        .replace("sha256abc123...", sha256);
    let script = format!("curl() {{ command curl -sS -w '\\n%{{http_code}}' \"$@\"; }}\n{example}\n");
    let run = Command::new("sh").args(["-c", &script]).env("no_proxy", "*").output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let output = String::from_utf8(run.stdout).unwrap();
    let (body, status) = output.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// An answer has every field that the document shows, of the same kind.
#[track_caller]
fn covers(answer: &Value, documented: &Value) {
    match (answer, documented) {
        (Value::Object(answer), Value::Object(documented)) => {
            for (field, shown) in documented {
                let Some(value) = answer.get(field) else { panic!("no {field} in {answer:?}") };
                covers(value, shown);
            }
        }
        (Value::Array(answer), Value::Array(documented)) => {
            assert!(!answer.is_empty());
            answer.iter().for_each(|item| covers(item, &documented[0]));
        }
        _ => assert_eq!(
            std::mem::discriminant(answer),
            std::mem::discriminant(documented),
            "{answer} in the place of {documented}"
        ),
    }
}

both_engines! {
    async fn a_device_registers_as_the_document_says(server: Server) {
        let admin = server.admin().await;
        let (status, answer) = curl(&server, &admin, REGISTER, "");
        assert_eq!(status, 200);
        let token = text(&answer["change_token"]).to_owned();
        assert!(uuid::Uuid::parse_str(&token).is_ok(), "{token}");
        let documented = json!({"device_id": "iphone-12345", "device_name": "iPhone XS", "status": "registered", "change_token": token});
        assert_eq!(answer, documented);
        assert_eq!(curl(&server, &admin, REGISTER, ""), (200, documented), "it may be repeated");
    }

    async fn changes_are_detected_as_the_document_says(server: Server) {
        let admin = server.admin().await;
        curl(&server, &admin, REGISTER, "");
        let mut laptop = Device::new(&admin, "laptop").await;
        let mine = "1".repeat(1024);
        laptop.write("/Documents/file2.txt", &"2".repeat(2048)).await;
        laptop.write("/Documents/conflict.txt", "the server's").await;
        let (status, plan) = curl(&server, &admin, CHANGES, &hash(&mine));
        assert_eq!(status, 200);
        assert_eq!(paths(&plan, "to_download"), ["/Documents/conflict.txt", "/Documents/file2.txt"]);
        let file2 = &plan["to_download"][1];
        assert_eq!((&file2["action"], &file2["size"]), (&json!("add"), &json!(2048)));
        assert_eq!((&plan["to_delete"], &plan["conflicts"]), (&json!([]), &json!([])));
        assert_eq!(paths(&plan, "to_upload"), ["/Documents/file1.txt"]);

        // The rest of its answer, for a device that holds the old file and has one of its own in conflict.
        let phone = admin.on_device("iphone-12345");
        phone.put("/api/drives/home/files/Documents/old_file.txt", "old").await.expect(201);
        laptop.settle().await;
        laptop.remove("/Documents/old_file.txt").await;
        let list = json!([claim("/Documents/file1.txt", &mine), claim("/Documents/old_file.txt", "old"),
            claim("/Documents/conflict.txt", "the phone's")]);
        let plan = admin.post("/api/sync/changes", json!({"device_id": "iphone-12345", "file_list": list})).await.expect(200);
        covers(&plan, &serde_json::from_str(CHANGES_ANSWER).unwrap());
        assert_eq!(paths(&plan, "to_download"), ["/Documents/file2.txt"]);
        assert_eq!(paths(&plan, "to_delete"), ["/Documents/old_file.txt"]);
        let conflict = &plan["conflicts"][0];
        assert_eq!(conflict["path"], "/Documents/conflict.txt");
        assert_eq!(conflict["client_hash"], hash("the phone's"));
        assert_eq!(conflict["server_hash"], hash("the server's"));
    }

    async fn a_conflict_is_resolved_and_a_history_told_as_the_document_says(server: Server) {
        let admin = server.admin().await;
        let (mut laptop, mut phone) = two(&server).await;
        for path in ["/Documents/conflict.txt", "/Documents/file.txt"] {
            laptop.write(path, "first").await;
            phone.hold(path, &"p".repeat(2048));
            phone.send(path, None).await.expect_problem(412);
            laptop.write(path, &"s".repeat(1024)).await;
        }
        phone.tell().await;
        let (status, answer) = curl(&server, &admin, RESOLVE, "");
        assert_eq!(status, 200, "{answer}");
        covers(&answer, &json!({"file_path": "", "resolution": "", "resolved": true}));
        assert_eq!(answer["file_path"], "/Documents/conflict.txt");
        assert_eq!((&answer["resolution"], &answer["resolved"]), (&json!("create_version"), &json!(true)));

        let other = json!({"file_path": "/Documents/file.txt", "resolution": "create_version"});
        admin.post("/api/sync/conflicts/Documents%2Ffile.txt/resolve", other).await.expect(200);
        let (status, answer) = curl(&server, &admin, HISTORY, "");
        assert_eq!(status, 200);
        assert_eq!(answer["file_path"], "/Documents/file.txt");
        let version = json!({"version_number": 3, "size": 2048, "hash": "", "created_at": "", "reason": "conflict"});
        covers(&answer, &json!({"file_path": "", "versions": [version]}));
        let told: Vec<_> = answer["versions"].as_array().unwrap().iter()
            .map(|v| (v["version_number"].as_i64().unwrap(), v["size"].as_i64().unwrap(), text(&v["reason"]))).collect();
        assert_eq!(told, [(3, 2048, "conflict"), (2, 1024, "sync"), (1, 5, "sync")]);
        assert_eq!(answer["versions"][0]["hash"], hash(&"p".repeat(2048)));
    }

    async fn a_device_that_registers_again_is_renamed_and_keeps_its_state(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.lose("/a.txt");
        let plan = phone.tell().await;
        only(&plan, "deleted_by_client");
        let again = json!({"device_id": "phone", "device_name": "Ada's phone"});
        let answer = phone.client.post("/api/sync/register", again).await.expect(200);
        assert_eq!(answer["device_name"], "Ada's phone");
        assert_eq!(answer["status"], "registered");
        assert_eq!(answer["change_token"], plan["change_token"], "the last token issued to it");
        only(&phone.tell().await, "deleted_by_client");
        let reset = json!({"device_id": "phone", "device_name": "Ada's phone", "reset": true});
        phone.client.post("/api/sync/register", reset).await.expect(200);
        assert_eq!(only(&phone.tell().await, "to_download")["path"], "/a.txt");
    }

    async fn the_status_says_where_a_device_stands(server: Server) {
        let (mut laptop, phone) = two(&server).await;
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!(status["device_id"], "phone");
        assert_eq!(status["device_name"], "phone");
        assert_eq!(status["status"], "registered");
        assert!(status["last_sync"].is_null(), "{status}");
        let plan = phone.tell().await;
        laptop.write("/a.txt", "a").await;
        laptop.write("/b.txt", "b").await;
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        covers(&status, &json!({"last_sync": "", "created_at": "", "updated_at": "", "open_conflicts": 0}));
        assert_eq!(status["last_change_token"], plan["change_token"]);
        assert_eq!(status["pending"], json!({"downloads": 2, "uploads": 0, "deletes": 0, "conflicts": 0}));
        let told = phone.tell_with(json!({"file_list": [claim("/a.txt", "mine")]})).await;
        assert_eq!(paths(&told, "conflicts"), ["/a.txt"]);
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!(status["open_conflicts"], 1);
        assert_eq!(status["pending"], json!({"downloads": 1, "uploads": 0, "deletes": 0, "conflicts": 1}));
    }

    async fn asking_for_the_status_is_no_sync(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let token = phone.tell().await["change_token"].clone();
        let first = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!(phone.client.get("/api/sync/status/phone").await.expect(200), first);
        let delta = phone.tell_with(json!({"file_list": [], "change_token": token})).await;
        assert_eq!(delta["full_list_required"], false);
    }

    async fn a_history_tells_the_newest_first_and_why(server: Server) {
        let (mut laptop, _) = two(&server).await;
        let admin = server.admin().await;
        laptop.write("/a.txt", "from the laptop").await;
        admin.put("/api/drives/home/files/a.txt", "from an app").await.expect(200);
        admin.put("/dav/home/a.txt", "from the mount").await.expect(204);
        let history = admin.get("/api/sync/history/a.txt").await.expect(200);
        let first = text(&history["versions"][2]["id"]).to_owned();
        admin.post(&format!("/api/drives/home/versions/{first}/restore"), json!({})).await.expect(200);
        let history = admin.get("/api/sync/history/a.txt").await.expect(200);
        let versions = history["versions"].as_array().unwrap();
        let told: Vec<_> = versions.iter().map(|v| (v["version_number"].as_i64().unwrap(), text(&v["reason"]))).collect();
        assert_eq!(told, [(4, "restore"), (3, "webdav"), (2, "manual"), (1, "sync")]);
        assert_eq!(versions[0]["hash"], hash("from the laptop"));
        assert_eq!((&versions[3]["device"], &versions[2]["device"]), (&json!("laptop"), &Value::Null));
    }

    async fn a_history_of_what_was_deleted_or_renamed_stays_and_pages_to_its_end(server: Server) {
        let (mut laptop, _) = two(&server).await;
        for content in ["1", "2", "3"] {
            laptop.write("/Old Name.txt", content).await;
        }
        let moved = json!({"from": "/Old Name.txt", "to": "/new.txt"});
        laptop.client.post("/api/drives/home/moves", moved).await.expect(200);
        laptop.client.delete("/api/drives/home/files/new.txt").await.expect(204);
        for path in ["/Old%20Name.txt", "/new.txt"] {
            let (mut hashes, mut address) = (Vec::new(), format!("/api/sync/history{path}?limit=2"));
            loop {
                let page = laptop.client.get(&address).await.expect(200);
                hashes.extend(page["versions"].as_array().unwrap().iter().map(|v| text(&v["hash"]).to_owned()));
                let Some(next) = page["next"].as_str() else { break };
                address = format!("/api/sync/history{path}?limit=2&cursor={next}");
            }
            assert_eq!(hashes, [hash("3"), hash("2"), hash("1")], "{path}");
        }
    }

    async fn a_path_in_an_address_has_its_slashes_raw_or_encoded(server: Server) {
        let admin = server.admin().await;
        let (mut laptop, mut phone) = two(&server).await;
        // Names that look like the address itself.
        let names = ["/Documents/ä b.txt", "/resolve", "/Documents/resolve", "/resolve/resolve"];
        let addresses = ["Documents/%C3%A4%20b.txt", "resolve", "Documents%2Fresolve", "resolve%2fresolve"];
        for (path, address) in names.into_iter().zip(addresses) {
            laptop.write(path, "the server's").await;
            phone.hold(path, "the phone's");
            phone.send(path, None).await.expect_problem(412);
            let body = json!({"file_path": path, "resolution": "keep_server"});
            let answer = admin.post(&format!("/api/sync/conflicts/{address}/resolve"), body).await.expect(200);
            assert_eq!((&answer["file_path"], &answer["resolved"]), (&json!(path), &json!(true)));
            let history = admin.get(&format!("/api/sync/history/{address}")).await.expect(200);
            assert_eq!(history["file_path"], path);
            assert_eq!(history["versions"][0]["hash"], hash("the server's"));
            laptop.remove(path).await;
            phone.lose(path);
        }
    }

    async fn a_body_that_names_another_file_than_the_address_is_400(server: Server) {
        let admin = server.admin().await;
        let (_, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.hold("/a.txt", "the phone's");
        admin.put("/api/drives/home/files/a.txt", "an app's").await.expect(200);
        phone.tell().await;
        let wrong = json!({"file_path": "/b.txt", "resolution": "keep_server"});
        admin.post("/api/sync/conflicts/a.txt/resolve", wrong).await.expect_problem(400);
        let unknown = json!({"file_path": "/a.txt", "resolution": "toss_a_coin"});
        admin.post("/api/sync/conflicts/a.txt/resolve", unknown).await.expect_problem(422);
        let elsewhere = json!({"file_path": "/b.txt", "resolution": "keep_server"});
        admin.post("/api/sync/conflicts/b.txt/resolve", elsewhere).await.expect_problem(404);
        let open = admin.get("/api/conflicts").await.expect(200);
        assert_eq!(open["conflicts"].as_array().unwrap().len(), 1);
        assert_eq!(paths(&phone.tell().await, "conflicts"), ["/a.txt"]);
    }
}
