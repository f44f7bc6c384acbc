//! Where this device has drives, and what disks there are.

use reqwest::Method;
use serde_json::json;

use crate::tool::{other_side, with_server};

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
