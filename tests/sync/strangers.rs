//! Who may sync what: devices, drives and conflicts of others are not there, and a token that does not count opens nothing.

use reqwest::Method;
use serde_json::json;
use support::{both_engines, eventually};

use crate::device::{Device, agreed, claim, expect_problem_of, file, hash, is_empty, look, only, text};

both_engines! {
    async fn a_device_that_is_not_registered_is_404(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let seen = look(&server, &phone.client, &["/a.txt", "/new.txt"]).await;
        for device_id in ["tablet", "", "Phone", "phone "] {
            let answer = phone.ask(json!({"device_id": device_id, "file_list": []})).await;
            expect_problem_of(answer, &[404, 422]);
        }
        phone.client.get("/api/sync/status/tablet").await.expect_problem_named(404, "unknown-device");
        let tablet = phone.client.on_device("tablet");
        tablet.put(&file("/new.txt"), "new").await.expect_problem_named(404, "unknown-device");
        tablet.put(&file("/a.txt"), "new").await.expect_problem_named(404, "unknown-device");
        tablet.delete(&file("/a.txt")).await.expect_problem_named(404, "unknown-device");
        let moved = json!({"from": "/a.txt", "to": "/new.txt"});
        tablet.post("/api/drives/home/moves", moved).await.expect_problem_named(404, "unknown-device");
        tablet.post("/api/drives/home/folders", json!({"path": "/New"})).await.expect_problem_named(404, "unknown-device");
        assert_eq!(look(&server, &phone.client, &["/a.txt", "/new.txt"]).await, seen);
    }

    async fn a_revoked_device_is_not_there_any_more(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        server.admin().await.delete("/api/devices/phone").await.expect(204);
        phone.ask(json!({})).await.expect_problem_named(404, "unknown-device");
        phone.send("/a.txt", None).await.expect_problem_named(404, "unknown-device");
        let mut again = Device::new(&server.admin().await, "phone").await;
        assert_eq!(only(&again.tell().await, "to_download")["path"], "/a.txt", "one that comes back has no past");
        again.settle().await;
    }

    async fn two_people_may_have_devices_of_one_name_and_never_meet(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let (_, stranger) = server.member().await;
        stranger.get("/api/sync/status/phone").await.expect_problem_named(404, "unknown-device");
        let body = json!({"device_id": "phone", "file_list": []});
        stranger.post("/api/sync/changes", body).await.expect_problem_named(404, "unknown-device");
        let mut theirs = Device::new(&stranger, "phone").await;
        assert!(is_empty(&theirs.tell().await), "their drive is empty");
        theirs.write("/a.txt", "theirs").await;
        assert!(is_empty(&theirs.tell().await));
        assert!(is_empty(&phone.tell().await));
        stranger.delete("/api/devices/phone").await.expect(204);
        assert!(is_empty(&phone.tell().await));
    }

    async fn anothers_drive_is_not_there(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let drive = text(&phone.client.get("/api/drives/home").await.expect(200)["id"]).to_owned();
        let (_, stranger) = server.member().await;
        let theirs = Device::new(&stranger, "tablet").await;
        let seen = look(&server, &phone.client, &["/a.txt", "/new.txt"]).await;
        theirs.ask(json!({"drive": drive})).await.expect_problem(404);
        theirs.ask(json!({"drive": drive, "file_list": [claim("/a.txt", "a")]})).await.expect_problem(404);
        theirs.client.get(&format!("/api/sync/status/tablet?drive={drive}")).await.expect_problem(404);
        theirs.client.get(&format!("/api/sync/history/a.txt?drive={drive}")).await.expect_problem(404);
        assert_eq!(theirs.client.get("/api/sync/history/a.txt").await.expect(200)["versions"], json!([]));
        theirs.client.put(&format!("/api/drives/{drive}/files/new.txt"), "new").await.expect_problem(404);
        theirs.client.delete(&format!("/api/drives/{drive}/files/a.txt")).await.expect_problem(404);
        let body = json!({"resolution": "keep_server", "drive": drive});
        theirs.client.post("/api/sync/conflicts/a.txt/resolve", body).await.expect_problem(404);
        assert_eq!(look(&server, &phone.client, &["/a.txt", "/new.txt"]).await, seen);
    }

    async fn anothers_conflict_and_its_content_are_not_there(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let problem = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        let address = format!("/api/conflicts/{}", text(&problem["conflict"]["id"]));
        let (_, stranger) = server.member().await;
        let seen = look(&server, &phone.client, &["/a.txt"]).await;
        stranger.get(&address).await.expect_problem(404);
        stranger.get(&format!("{address}/candidate")).await.expect_problem(404);
        stranger.put(&format!("{address}/candidate"), "the phone's").await.expect_problem(404);
        for resolution in ["keep_server", "keep_local", "create_version", "keep_both"] {
            stranger.post(&format!("{address}/resolve"), json!({"resolution": resolution})).await.expect_problem(404);
        }
        let many = json!({"conflicts": [{"id": problem["conflict"]["id"], "resolution": "keep_server"}]});
        let results = stranger.post("/api/conflicts/resolve", many).await.expect(200);
        assert_eq!(results["results"][0]["problem"]["status"], 404);
        let by_path = json!({"file_path": "/a.txt", "resolution": "keep_server"});
        stranger.post("/api/sync/conflicts/a.txt/resolve", by_path).await.expect_problem(404);
        for state in ["open", "all"] {
            assert_eq!(stranger.get(&format!("/api/conflicts?state={state}")).await.expect(200)["conflicts"], json!([]));
        }
        assert_eq!(look(&server, &phone.client, &["/a.txt"]).await, seen);
    }

    async fn a_credential_of_one_device_does_not_speak_for_another(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let body = json!({"username": server.username(), "password": server.password(), "device_id": "laptop"});
        let bound = server.client().with_tokens(&server.client().post("/api/auth/login", body).await.expect(200));
        let body = json!({"device_id": "phone", "file_list": []});
        bound.post("/api/sync/changes", body).await.expect_problem_named(403, "other-device");
        bound.get("/api/sync/status/phone").await.expect_problem_named(403, "other-device");
        let body = json!({"device_id": "phone", "device_name": "mine", "reset": true});
        bound.post("/api/sync/register", body).await.expect_problem_named(403, "other-device");
        bound.on_device("phone").put(&file("/a.txt"), "x").await.expect_problem_named(403, "other-device");
        assert!(is_empty(&phone.tell().await));
        assert_eq!(phone.client.get("/api/devices/phone").await.expect(200)["device_name"], "phone");
    }

    async fn a_token_that_was_tampered_with_opens_nothing(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let token = phone.client.access_token().to_owned();
        let mut flipped = token.clone().into_bytes();
        let last = flipped.len() - 1;
        flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        for wrong in [flipped.as_str(), &token[..token.len() - 1], &token[1..], "x", phone.client.refresh_token()] {
            let client = server.client().with_access_token(wrong).on_device("phone");
            asks_in_vain(&client).await;
        }
        asks_in_vain(&server.client()).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn a_token_that_has_expired_opens_nothing_until_it_is_renewed(builder: Builder) {
        let server = builder.env("HOLDFAST_TOKENS_ACCESS_LIFETIME", "1").start().await;
        let client = server.admin().await;
        eventually("the token to expire", || async {
            (client.get("/api/sync/status/phone").await.status == 401).then_some(())
        }).await;
        asks_in_vain(&client).await;
        let body = json!({"refresh_token": client.refresh_token()});
        let fresh = client.with_tokens(&server.client().post("/api/auth/refresh", body).await.expect(200));
        fresh.post("/api/sync/register", json!({"device_id": "phone"})).await.expect(200);
    }
}

/// Every endpoint of sync says 401, whatever else is wrong with the request.
async fn asks_in_vain(client: &support::Client) {
    let id = uuid::Uuid::new_v4();
    for address in [
        "/api/sync/register",
        "/api/sync/changes",
        "/api/sync/conflicts/a.txt/resolve",
        "/api/conflicts/resolve",
    ] {
        client.post(address, json!({"device_id": "phone", "file_list": []})).await.expect_problem(401);
    }
    let candidate = format!("/api/conflicts/{id}/candidate");
    for address in ["/api/sync/status/phone", "/api/sync/history/a.txt", "/api/conflicts", &candidate] {
        client.get(address).await.expect_problem(401);
    }
    for address in [candidate, file("/a.txt")] {
        client.send(client.request(Method::PUT, &address).body("x")).await.expect_problem(401);
    }
}
