//! Where this device has drives, and what disks there are.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use support::Server;

use crate::tool::{Tool, other_side, with_server};

#[test]
fn a_file_of_this_device_is_told_with_the_drive_that_it_is_in() {
    with_server(async |server, tool| {
        let folder = tempfile::tempdir().unwrap();
        let stick = folder.path().canonicalize().unwrap().join("stick");
        std::fs::create_dir_all(stick.join("2024")).unwrap();
        let device = tool.json(&["status"]).await["device_id"].as_str().unwrap().to_owned();
        let client = other_side(&server).await;
        let body = json!({"drives": [{"unique_identifier": "USB-1", "name": "Stick", "mount_point": stick}]});
        let asked = client.request(Method::PUT, &format!("/api/devices/{device}/drives")).json(&body);
        client.send(asked).await.expect(200);
        let inside = stick.join("2024/a.jpg");
        let inside = inside.to_str().unwrap();
        assert_eq!(tool.run(&["drives", "where", inside]).await.ok().out.trim(), "Stick:2024/a.jpg");
        let told = tool.json(&["drives", "where", inside]).await;
        assert_eq!(
            (&told[0]["drive"]["name"], &told[0]["relative_path"]),
            (&json!("Stick"), &json!("2024/a.jpg"))
        );
        let beside = folder.path().join("stick2/a.jpg");
        tool.run(&["drives", "where", inside, beside.to_str().unwrap()])
            .await
            .failed(3, &["1 of 2 in no drive"]);
        let drives = tool.run(&["drives"]).await.ok().out;
        assert!(drives.contains("reported") && drives.contains("Stick"), "{drives}");
    });
}

#[test]
fn what_is_plugged_in_is_reported_and_what_is_not_counts_as_unplugged() {
    with_server(async |server, tool| {
        let device = tool.json(&["status"]).await["device_id"].as_str().unwrap().to_owned();
        let client = other_side(&server).await;
        let body = json!({"drives": [{"unique_identifier": "USB-1", "mount_point": "/nowhere/usb"}]});
        let asked = client.request(Method::PUT, &format!("/api/devices/{device}/drives")).json(&body);
        client.send(asked).await.expect(200);
        tool.run(&["drives", "report", "--dry-run"]).await.ok();
        let place = format!("/api/devices/{device}/drives");
        let is_there = async || client.get(&place).await.expect(200)["items"][0]["is_available"].clone();
        assert_eq!(is_there().await, true, "it was only asked what would be reported");
        tool.run(&["drives", "report"]).await.ok();
        assert_eq!(is_there().await, false);
    });
}

#[test]
fn the_disks_of_the_server_are_listed() {
    with_server(async |_, tool| {
        assert_eq!(tool.json(&["volumes"]).await, json!([]), "this server looks at none");
        assert!(tool.run(&["volumes"]).await.ok().out.contains("PLACE"));
        tool.run(&["volumes", "--raw"]).await.ok();
    });
}

/// A cloud folder of this device, as the server knows it.
async fn cloud(server: &Server, tool: &Tool, kind: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let device = tool.json(&["status"]).await["device_id"].as_str().unwrap().to_owned();
    let body = json!({"drives": [
        {"unique_identifier": "C-1", "name": "Cloud", "kind": kind, "provider": "somebody", "mount_point": place}
    ]});
    let client = other_side(server).await;
    let asked = client.request(Method::PUT, &format!("/api/devices/{device}/drives")).json(&body);
    client.send(asked).await.expect(200);
    (folder, place)
}

fn counts(told: &serde_json::Value) -> [u64; 5] {
    ["added", "changed", "unchanged", "gone", "withheld"].map(|name| told[0][name].as_u64().unwrap())
}

#[test]
fn what_is_on_a_drive_that_only_this_device_has_is_told_and_listed() {
    with_server(async |server, tool| {
        let (_folder, place) = cloud(&server, &tool, "cloud").await;
        std::fs::create_dir(place.join("2024")).unwrap();
        std::fs::write(place.join("2024/a.jpg"), "picture").unwrap();
        std::fs::write(place.join("empty"), "").unwrap();
        std::os::unix::fs::symlink("empty", place.join("link")).unwrap();
        let told = tool.json(&["drives", "report", "--files", "Cloud"]).await;
        assert_eq!((counts(&told), &told[0]["skipped"]), ([3, 0, 0, 0, 0], &json!(1)));
        assert_eq!(tool.run(&["ls", "-R", "Cloud:"]).await.ok().out, "2024/\n2024/a.jpg\nempty\n");
        // By a path in it, and read this time.
        let inside = place.join("2024");
        std::fs::write(place.join("2024/b.jpg"), "another").unwrap();
        let told = tool.json(&["drives", "report", "--hash", "--files", inside.to_str().unwrap()]).await;
        assert_eq!(counts(&told)[..2], [1, 2 + 1], "a folder has changed with what is in it");
        let listed = tool.json(&["ls", "Cloud:empty"]).await;
        assert_eq!(listed[0]["hash"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let again = tool.run(&["drives", "report", "--files", "Cloud"]).await.ok().out;
        assert!(again.contains("Cloud") && again.contains("1 links"), "{again}");
        tool.run(&["drives", "report", "--files", "Nowhere"]).await.failed(3, &["Nowhere"]);
        tool.run(&["drives", "report", "--files", "home"]).await.failed(3, &["home"]);
    });
}

#[test]
fn a_folder_that_lost_most_of_its_files_is_asked_about() {
    with_server(async |server, tool| {
        let (_folder, place) = cloud(&server, &tool, "cloud").await;
        for number in 0..60 {
            std::fs::write(place.join(format!("{number}")), "").unwrap();
        }
        tool.run(&["drives", "report", "--files", "Cloud"]).await.ok();
        for number in 0..60 {
            std::fs::remove_file(place.join(format!("{number}"))).unwrap();
        }
        let command = ["drives", "report", "--files", "Cloud"];
        tool.run(&command).await.failed(4, &["60 files seem to be gone", "--confirm"]);
        assert_eq!(tool.json(&["ls", "Cloud:"]).await.as_array().unwrap().len(), 60);
        let told = tool.json(&["drives", "report", "--confirm", "--files", "Cloud"]).await;
        assert_eq!(counts(&told), [0, 0, 0, 60, 0]);
        assert_eq!(tool.json(&["ls", "Cloud:"]).await, json!([]));
    });
}

#[test]
fn the_empty_place_of_a_stick_that_is_not_plugged_in_is_not_told_of() {
    with_server(async |server, tool| {
        let (_folder, place) = cloud(&server, &tool, "usb").await;
        std::fs::write(place.join("not of the stick"), "").unwrap();
        tool.run(&["drives", "report", "--files", "Cloud"]).await.failed(4, &["not plugged in"]);
        tool.run(&["ls", "Cloud:"]).await.failed(6, &["offline"]);
    });
}
