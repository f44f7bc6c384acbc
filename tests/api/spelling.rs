//! Devices that cannot tell names apart which differ by case or Unicode form alone.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, Server, both_engines};

/// SHA-256 of `one` and of `two`.
const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const TWO: &str = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";

async fn put(client: &Client, path: &str, text: &'static str) {
    let request =
        client.request(Method::PUT, &format!("/api/drives/home/files/{path}?parents=true")).body(text);
    client.send(request).await.expect(201);
}

/// A device of that system, known to the server.
async fn device(server: &Server, platform: &str) -> Client {
    let client = server.admin().await;
    let body = json!({"device_id": "mine", "platform": platform});
    client.post("/api/sync/register", body).await.expect(200);
    client
}

async fn plan(client: &Client, token: &Value, files: &[(&str, &str)]) -> Value {
    let list: Vec<Value> =
        files.iter().map(|(path, hash)| json!({"path": path, "hash": hash, "size": 3})).collect();
    let body = json!({"device_id": "mine", "change_token": token, "file_list": list});
    client.post("/api/sync/changes", body).await.expect(200)
}

fn nothing_to_do(plan: &Value) {
    assert_eq!(plan["full_list_required"], false, "{plan}");
    for part in ["to_upload", "to_download", "to_delete", "deleted_by_client", "conflicts", "unsyncable"] {
        assert!(plan[part].as_array().is_none_or(Vec::is_empty), "{part}: {plan}");
    }
}

both_engines! {
    async fn a_device_that_decomposes_names_holds_the_file_that_the_server_has_composed(server: Server) {
        let mac = device(&server, "macOS").await;
        put(&mac, "R%C3%A9sum%C3%A9s/%C3%A9va.txt", "one").await;
        let first = plan(&mac, &Value::Null, &[("/Re\u{301}sume\u{301}s/e\u{301}va.txt", ONE)]).await;
        nothing_to_do(&first);
        let second = plan(&mac, &first["change_token"], &[]).await;
        nothing_to_do(&second);
        // Edited, and told as a change: one upload, over the file that is there.
        let edited = plan(&mac, &second["change_token"], &[("/Re\u{301}sume\u{301}s/e\u{301}va.txt", TWO)]).await;
        assert_eq!(edited["to_upload"][0]["path"], "/R\u{e9}sum\u{e9}s/\u{e9}va.txt", "{edited}");
        assert_eq!(edited["to_upload"][0]["expect"], ONE, "{edited}");
        assert_eq!(edited["to_upload"].as_array().unwrap().len(), 1, "{edited}");
        assert!(edited["to_download"].as_array().is_none_or(Vec::is_empty), "{edited}");
    }

    async fn twins_are_never_taken_for_one_another(server: Server) {
        let windows = device(&server, "Windows 11").await;
        put(&windows, "readme", "one").await;
        put(&windows, "Readme", "two").await;
        let told = plan(&windows, &Value::Null, &[("/README", TWO)]).await;
        assert_eq!(told["to_upload"][0]["path"], "/README", "neither is overwritten: {told}");
        assert_eq!(told["to_upload"][0]["expect"], Value::Null, "{told}");
    }

    async fn a_device_that_keeps_names_apart_is_taken_at_its_word(server: Server) {
        let linux = device(&server, "linux").await;
        put(&linux, "readme", "one").await;
        let told = plan(&linux, &Value::Null, &[("/README", ONE)]).await;
        assert_eq!(told["to_upload"][0]["path"], "/README", "{told}");
        assert_eq!(told["to_download"][0]["path"], "/readme", "{told}");
    }
}
