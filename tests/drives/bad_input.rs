//! What makes no sense is refused in plain words, and changes nothing.

use reqwest::Method;
use serde_json::json;
use support::both_engines;

use crate::{device, drive_for, put, report};

both_engines! {
    async fn a_place_that_is_none_on_that_device_is_refused(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        device(&ada, "pc", "windows").await;
        for (name, place) in [
            ("laptop", ""), ("laptop", "media/usb"), ("laptop", "C:\\Data"), ("laptop", "/a/../b"), ("laptop", "/a\0b"),
            ("pc", "/media/usb"), ("pc", "C:Data"), ("pc", "\\\\nas"), ("pc", ""),
        ] {
            let one = json!({"mount_point": place});
            put(&ada, &format!("/api/drives/home/mounts/{name}"), &one).await.expect_problem_named(422, "bad-mount-point");
            let all = json!({"drives": [{"unique_identifier": "new", "mount_point": place}]});
            put(&ada, &format!("/api/devices/{name}/drives"), &all).await.expect_problem_named(422, "bad-mount-point");
        }
        let long = json!({"mount_point": format!("/{}", "x".repeat(5_000))});
        put(&ada, "/api/drives/home/mounts/laptop", &long).await.expect_problem(422);
        assert_eq!(ada.get("/api/drives").await.expect(200)["items"].as_array().unwrap().len(), 1, "no drive was added");
        assert_eq!(ada.get("/api/devices/laptop/drives").await.expect(200)["items"], json!([]));
    }

    async fn another_users_drive_and_device_are_not_there(server: Server) {
        let ada = server.admin().await;
        let (_, eve) = server.member().await;
        device(&ada, "laptop", "linux").await;
        device(&eve, "eve", "linux").await;
        let first = report(&ada, "laptop", &[("USB-SERIAL-12345", "/media/usb")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap().to_owned();
        let place = json!({"mount_point": "/media/usb"});
        put(&eve, &format!("/api/drives/{drive}/mounts/eve"), &place).await.expect_problem(404);
        eve.get(&format!("/api/drives/{drive}/mounts")).await.expect_problem(404);
        eve.get("/api/devices/laptop/drives").await.expect_problem(404);
        drive_for(&eve, "laptop", "/media/usb/x").await.expect_problem(404);
        let named = json!({"drives": [{"drive": drive, "mount_point": "/media/usb"}]});
        put(&eve, "/api/devices/eve/drives", &named).await.expect_problem(404);
        // Guessing an identifier opens nobody's catalogue: it makes a drive of one's own (000-09).
        let guessed = report(&eve, "eve", &[("USB-SERIAL-12345", "/media/usb")]).await;
        assert_ne!(guessed["items"][0]["drive_id"], drive.as_str());
        assert_eq!(ada.get(&format!("/api/drives/{drive}/mounts")).await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_report_that_says_too_much_or_a_thing_twice_is_refused_as_a_whole(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let report = |drives: serde_json::Value| {
            let ada = &ada;
            async move { put(ada, "/api/devices/laptop/drives", &json!({"drives": drives})).await }
        };
        let many: Vec<_> = (0..1_001).map(|n| json!({"unique_identifier": n.to_string(), "mount_point": format!("/{n}")})).collect();
        report(json!(many)).await.expect_problem(422);
        report(json!([{"unique_identifier": "A", "mount_point": "/a"}, {"unique_identifier": "A", "mount_point": "/b"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "A", "mount_point": "/a"}, {"unique_identifier": "B", "mount_point": "/a"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "x".repeat(600), "mount_point": "/a"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "", "mount_point": "/a"}])).await.expect_problem(422);
        report(json!([{"mount_point": "/a"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "A", "mount_point": "/a", "kind": "floppy"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "A", "mount_point": "/a", "name": "a/b"}])).await.expect_problem(422);
        report(json!([{"unique_identifier": "A", "mount_point": "/a", "sync_status": "perhaps"}])).await.expect_problem(422);
        let huge = format!("{{\"drives\": [{{\"unique_identifier\": \"{}\"}}]}}", "x".repeat(8 << 20));
        let asked = ada.request(Method::PUT, "/api/devices/laptop/drives").header("content-type", "application/json");
        ada.send(asked.body(huge)).await.expect_problem(413);
        assert_eq!(ada.get("/api/drives").await.expect(200)["items"].as_array().unwrap().len(), 1, "no drive was added");
        ada.get("/api/drives?include=everything").await.expect_problem(422);
        drive_for(&ada, "nobody", "/a").await.expect_problem_named(404, "unknown-device");
    }

    async fn a_device_tells_of_itself_alone(server: Server) {
        let ada = server.admin().await;
        device(&ada, "laptop", "linux").await;
        let login = json!({"username": server.username(), "password": server.password(), "device_id": "phone"});
        let phone = ada.with_tokens(&ada.anonymous().post("/api/auth/login", login).await.expect(200));
        let first = report(&ada, "laptop", &[("USB", "/media/usb")]).await;
        let drive = first["items"][0]["drive_id"].as_str().unwrap();
        put(&phone, "/api/devices/laptop/drives", &json!({"drives": []})).await.expect_problem_named(403, "other-device");
        let place = json!({"mount_point": "/elsewhere"});
        put(&phone, &format!("/api/drives/{drive}/mounts/laptop"), &place).await.expect_problem_named(403, "other-device");
        let told = json!({"device_id": "laptop", "mount_point": "/media/usb", "folders": [{"path": "", "complete": true}]});
        phone.post(&format!("/api/drives/{drive}/reports"), told).await.expect_problem_named(403, "other-device");
        assert_eq!(ada.get("/api/devices/laptop/drives").await.expect(200)["items"][0]["is_available"], true);
    }
}
