//! A client as a mount is one.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use support::{Answer, Client, Server};

pub async fn dav(client: &Client, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = client.request(method, path).body(body.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request).await
}

/// A client that signs in as mounts do: with an app password, over Basic.
pub async fn mounted(server: &Server) -> Client {
    let made = server.admin().await.post("/api/app-passwords", json!({"name": "mount"})).await.expect(201);
    server.client().basic(server.username(), made["password"].as_str().unwrap())
}

pub async fn home(server: &Server) -> PathBuf {
    let id = server.admin().await.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    server.home_root(&id)
}

/// An exclusive lock for writing.
pub const LOCK: &str = r#"<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>ada's editor</D:owner></D:lockinfo>"#;
/// A shared one.
pub const SHARED: &str = r#"<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"#;

/// Takes a lock and returns its token, with the angle brackets.
pub async fn lock(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let locked = dav(client, "LOCK", path, headers, body).await;
    assert!(matches!(locked.status, 200 | 201), "{}: {}", locked.status, locked.text());
    locked.header("lock-token").unwrap().to_owned()
}

/// A PROPFIND that must succeed; its answer.
pub async fn propfind(client: &Client, path: &str, depth: &str, body: &str) -> String {
    let found = dav(client, "PROPFIND", path, &[("depth", depth)], body).await;
    assert_eq!(found.status, 207, "{path}: {}", found.text());
    found.text()
}

/// What is in the first element of a name, as the answer writes it.
pub fn value(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}
