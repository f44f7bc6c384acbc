//! Conflicts, seen and settled by a person.

use serde_json::{Value, json};
use support::{Client, Server};

use crate::tool::{Tool, other_side, with_server};

/// A device of another kind comes too late with its content of a file: a conflict, with or without the bytes on the server.
async fn too_late(server: &Server, path: &str, with_bytes: bool) -> Value {
    let client = other_side(server).await;
    client.post("/api/sync/register", json!({"device_id": "phone"})).await.expect(200);
    let at = format!("/api/drives/home/files/{path}");
    let phone: Client = client.on_device("phone");
    let first = phone.put(&at, "both").await.expect(201);
    assert_eq!(client.put(&at, "theirs").await.status, 200);
    if with_bytes {
        let base = first["hash"].as_str().unwrap();
        let late =
            phone.request(reqwest::Method::PUT, &at).header("If-Match", format!("\"{base}\"")).body("mine");
        assert_eq!(phone.send(late).await.status, 412);
    } else {
        let hash = sha(b"mine");
        let list = json!({"device_id": "phone", "file_list": [{"path": format!("/{path}"), "hash": hash, "size": 4}]});
        client.post("/api/sync/changes", list).await.expect(200);
    }
    let open = client.get("/api/conflicts?state=open").await.expect(200);
    open["conflicts"].as_array().unwrap().iter().find(|c| c["path"] == format!("/{path}")).unwrap().clone()
}

fn sha(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

async fn content(tool: &Tool, path: &str) -> String {
    tool.run(&["get", path, "-"]).await.ok().out
}

#[test]
fn a_conflict_is_listed_shown_and_settled_by_keeping_both() {
    with_server(async |server, tool| {
        assert_eq!(tool.run(&["conflicts"]).await.ok().out, "there are no such conflicts\n");
        let conflict = too_late(&server, "a.txt", true).await;
        let id = conflict["id"].as_str().unwrap();
        let listed = tool.json(&["conflicts", "list"]).await;
        assert_eq!((&listed[0]["id"], &listed[0]["path"]), (&id.into(), &"/a.txt".into()));
        assert!(tool.run(&["conflicts"]).await.ok().out.contains(id));
        assert!(tool.run(&["status"]).await.ok().out.contains("1 open"));
        let shown = tool.run(&["conflicts", "show", &id[..18]]).await.ok().out;
        assert!(shown.contains("phone") && shown.contains("is on the server"), "{shown}");
        assert_eq!(tool.json(&["conflicts", "show", id]).await["state"], "open");
        let settled = tool.json(&["conflicts", "resolve", id, "--keep", "both"]).await;
        let copy = settled["copy"].as_str().unwrap();
        assert_eq!(content(&tool, "a.txt").await, "theirs");
        assert_eq!(content(&tool, copy).await, "mine");
        assert_eq!(tool.json(&["conflicts", "list", "--which", "resolved"]).await[0]["id"], id);
        tool.run(&["conflicts", "resolve", id, "--keep", "both"]).await.failed(4, &["/a.txt"]);
    });
}

#[test]
fn a_conflict_whose_content_is_on_the_device_alone_asks_for_the_file() {
    with_server(async |server, tool| {
        let conflict = too_late(&server, "a.txt", false).await;
        let id = conflict["id"].as_str().unwrap();
        assert!(tool.run(&["conflicts", "show", id]).await.ok().out.contains("on the device alone"));
        tool.run(&["conflicts", "resolve", id, "--keep", "version"]).await.failed(4, &["--file"]);
        tool.write("other", "not it");
        let arguments = ["conflicts", "resolve", id, "--keep", "version", "--file", "other"];
        let refused = tool.run(&arguments).await;
        assert_ne!(refused.code, 0, "{}", refused.out);
        tool.write("other", "mine");
        tool.run(&arguments).await.ok();
        let versions = tool.json(&["history", "a.txt"]).await;
        let mine =
            versions.as_array().unwrap().iter().find(|version| version["hash"] == sha(b"mine")).unwrap();
        assert_eq!(mine["current"], false);
    });
}

#[test]
fn a_conflict_that_is_none_is_told_with_where_to_look() {
    with_server(async |_, tool| {
        tool.run(&["conflicts", "show", "0000"]).await.failed(3, &["0000", "holdfast conflicts list"]);
        tool.run(&["conflicts", "show", "00"]).await.failed(2, &["at least four"]);
        let unknown = "01a217c2-890f-7498-b024-290fe2a74347";
        tool.run(&["conflicts", "resolve", unknown, "--keep", "server"]).await.failed(3, &[unknown]);
        tool.run(&["conflicts", "resolve", unknown, "--keep", "mine"]).await.failed(2, &["mine"]);
    });
}
