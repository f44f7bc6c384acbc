//! Drives: which there are, where each device has them, and what becomes of them (documents 000 and 001).
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod adopting;
mod bad_input;
mod disks;
mod failing_disks;
mod jobs;
mod managing;
mod mounts;
mod paths;
mod reports;
mod roots;
mod volumes;

use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Client};

/// Registers a device of an account's, with its platform.
async fn device(client: &Client, name: &str, platform: &str) {
    let body = json!({"device_id": name, "device_name": name, "platform": platform});
    client.post("/api/sync/register", body).await.expect(200);
}

async fn put(client: &Client, path: &str, body: &Value) -> Answer {
    client.send(client.request(Method::PUT, path).json(body)).await
}

/// Reports all the drives that a device sees, given as identifier and place.
async fn report(client: &Client, device: &str, drives: &[(&str, &str)]) -> Value {
    let drives: Vec<Value> = drives
        .iter()
        .map(|(identifier, place)| json!({"unique_identifier": identifier, "mount_point": place}))
        .collect();
    put(client, &format!("/api/devices/{device}/drives"), &json!({"drives": drives})).await.expect(200)
}

async fn drive_for(client: &Client, device: &str, path: &str) -> Answer {
    let asked = client.request(Method::GET, &format!("/api/devices/{device}/drive-for-path"));
    client.send(asked.query(&[("path", path)])).await
}

/// The identifier of the drive that a path lies in and what of it lies below, or none.
async fn found(client: &Client, device: &str, path: &str) -> Option<(String, String)> {
    let answer = drive_for(client, device, path).await;
    if answer.status == 404 {
        answer.expect_problem_named(404, "no-drive-for-path");
        return None;
    }
    let found = answer.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Some((text(&found["drive"]["unique_identifier"]), text(&found["relative_path"])))
}
