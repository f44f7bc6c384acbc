//! Bodies of records, made and taken apart as a plain program would.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{Answer, Client};

/// SHA-256 in hex.
pub fn hash(content: &str) -> String {
    hex::encode(Sha256::digest(content))
}

/// A record: a header in one line, and a content behind it.
pub fn record(header: &Value, content: &str) -> String {
    format!("{header}\n{content}")
}

/// Writes a file.
pub fn put(path: &str, content: &str) -> String {
    record(&json!({"act": "put", "path": path, "size": content.len(), "hash": hash(content)}), content)
}

/// As [`put`], with more in its header.
pub fn put_with(path: &str, content: &str, more: &Value) -> String {
    let mut header = json!({"act": "put", "path": path, "size": content.len()});
    for (name, value) in more.as_object().unwrap() {
        header[name] = value.clone();
    }
    record(&header, content)
}

/// Sends a batch, whatever becomes of it.
pub async fn send(client: &Client, body: String) -> Answer {
    let request = client.request(Method::POST, "/api/drives/home/batch");
    client.send(request.header("content-type", "application/x-holdfast-batch").body(body)).await
}

/// Sends acts and gives the line about each.
pub async fn batch(client: &Client, acts: &[String]) -> Vec<Value> {
    let answer = send(client, acts.concat()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), acts.len());
    lines
}

/// The statuses of these lines.
pub fn statuses(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["status"].as_u64().unwrap()).collect()
}

/// Takes an answer of records apart.
pub fn unpack(mut body: &[u8]) -> Vec<(Value, Vec<u8>)> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let end = body.iter().position(|byte| *byte == b'\n').unwrap();
        let header: Value = serde_json::from_slice(&body[..end]).unwrap();
        let size = usize::try_from(header["size"].as_u64().unwrap()).unwrap();
        records.push((header, body[end + 1..end + 1 + size].to_vec()));
        body = &body[end + 1 + size..];
    }
    records
}
