//! Devices of an account.

use serde_json::Value;

use crate::tool::{Tool, other_side, with_server};

async fn own_id(tool: &Tool) -> String {
    tool.json(&["status"]).await["device_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_device_is_listed_and_renamed() {
    with_server(async |_, tool| {
        let id = own_id(&tool).await;
        assert_eq!(tool.json(&["devices", "rename", "Küche"]).await["device_name"], "Küche");
        let listed = tool.json(&["devices"]).await;
        assert_eq!(
            (&listed[0]["device_id"], &listed[0]["device_name"]),
            (&id.as_str().into(), &"Küche".into())
        );
        let shown = tool.run(&["devices", "list"]).await.ok().out;
        assert!(shown.lines().nth(1).unwrap().starts_with('*') && shown.contains("Küche"), "{shown}");
        assert_eq!(tool.json(&["status"]).await["device_name"], "Küche");
        tool.run(&["devices", "rename", ""]).await.failed(1, &[&id]);
    });
}

#[test]
fn a_lost_device_is_revoked_from_another_and_finds_itself_logged_out() {
    with_server(async |server, tool| {
        let lost = Tool::logged_in(&server).await;
        let id = own_id(&lost).await;
        tool.run(&["devices", "rename", "mine now", "--device", &id])
            .await
            .failed(5, &[&id, "its own device"]);
        tool.run(&["devices", "revoke", &id]).await.ok();
        lost.run(&["ls"]).await.failed(5, &["your login has ended", "holdfast login"]);
        let one = |listed: Value| listed.as_array().unwrap().len();
        assert_eq!(one(tool.json(&["devices", "list"]).await), 1);
        assert_eq!(one(tool.json(&["devices", "list", "--all"]).await), 2);
        assert!(tool.run(&["devices", "list", "--all"]).await.ok().out.contains("(revoked)"));
        tool.run(&["devices", "revoke", &id]).await.failed(3, &["no such device"]);
        // A person who has it again logs in again.
        lost.login(&server).await.ok();
        lost.run(&["ls"]).await.ok();
    });
}

#[test]
fn a_device_that_revokes_itself_is_logged_out() {
    with_server(async |server, tool| {
        let id = own_id(&tool).await;
        assert!(tool.run(&["devices", "revoke", &id]).await.ok().out.contains("now logged out"));
        tool.run(&["ls"]).await.failed(5, &["you are not logged in"]);
        let device = other_side(&server).await.get(&format!("/api/devices/{id}")).await.expect(200);
        assert!(device["revoked_at"].is_string());
    });
}
