//! Manifests that are not understood, and bodies beyond a limit: a clear answer, and nothing has changed.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Server, both_engines, home_of, only_slots, slots};

use crate::device::{Device, agreed, claim, expect_problem_of, file, hash, is_empty, look, text, two};

/// Sends a body as it is to `POST /api/sync/changes`.
async fn post(device: &Device, body: impl Into<reqwest::Body>) -> Answer {
    let request = device.client.request(Method::POST, "/api/sync/changes");
    device.client.send(request.header("content-type", "application/json").body(body)).await
}

/// The same without a declared length.
async fn post_in_pieces(device: &Device, body: &str) -> Answer {
    let pieces: Vec<_> =
        body.as_bytes().chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    post(device, reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))).await
}

/// Two devices in agreement, and what the phone's status is before anything bad happens.
async fn before(server: &Server) -> (Device, Device, Value) {
    let (laptop, phone) = agreed(server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
    let status = phone.client.get("/api/sync/status/phone").await.expect(200);
    (laptop, phone, status)
}

/// Nothing that was sent since has left a trace.
async fn unchanged(phone: &Device, status: &Value) {
    assert_eq!(phone.client.get("/api/sync/status/phone").await.expect(200), *status);
    assert!(is_empty(&phone.tell().await));
}

both_engines! {
    async fn what_is_no_json_or_breaks_off_is_400(server: Server) {
        let (_, phone, status) = before(&server).await;
        let whole = json!({"device_id": "phone", "file_list": [claim("/new.txt", "new")]}).to_string();
        for end in 0..whole.len() {
            // Every place where it can break off is tried, but not with a server round trip each.
            if end % 7 == 0 || end + 3 > whole.len() {
                post(&phone, whole[..end].to_owned()).await.expect_problem(400);
            }
        }
        for broken in ["nonsense", "{\"device_id\": \"phone\", \"file_list\": [],}", "{\"device_id\": \"phone\" \"file_list\": []}",
            "{\"device_id\": \"phone\", \"file_list\": []} {}", "{'device_id': 'phone', 'file_list': []}", "\u{feff}{}"] {
            post(&phone, broken).await.expect_problem(400);
        }
        post(&phone, b"{\"device_id\": \"ph\xffone\", \"file_list\": []}".to_vec()).await.expect_problem(400);
        unchanged(&phone, &status).await;
    }

    async fn json_of_another_shape_is_422(server: Server) {
        let (_, phone, status) = before(&server).await;
        for shape in [json!(null), json!([]), json!("phone"), json!({}), json!({"device_id": "phone"}), json!({"file_list": []}),
            json!({"device_id": 1, "file_list": []}), json!({"device_id": null, "file_list": []}),
            json!({"device_id": "phone", "file_list": {}}), json!({"device_id": "phone", "file_list": null}),
            json!({"device_id": "phone", "file_list": "/a.txt"}), json!({"device_id": "phone", "file_list": [], "folders": "yes"}),
            json!({"device_id": "phone", "file_list": [], "accept": "move"}), json!({"device_id": "phone", "file_list": [], "complete": 1}),
            json!({"device_id": "phone", "file_list": [], "change_token": 1}), json!({"device_id": "phone", "file_list": [], "confirm": true}),
            json!({"device_id": "phone", "file_list": [], "drive": {}})] {
            let problem = post(&phone, shape.to_string()).await.expect_problem(422);
            assert!(problem.get("entry").is_none(), "{shape} has no bad entry: {problem}");
        }
        let twice = "{\"device_id\": \"phone\", \"file_list\": [], \"file_list\": []}";
        post(&phone, twice).await.expect_problem(422);
        unchanged(&phone, &status).await;
    }

    async fn json_that_is_nested_without_end_is_refused_or_ignored_and_harms_nobody(server: Server) {
        let (_, phone, status) = before(&server).await;
        let deep = |open: &str, close: &str| open.repeat(200_000) + "1" + &close.repeat(200_000);
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = deep(open, close);
            let answer = post(&phone, format!("{{\"device_id\": \"phone\", \"file_list\": [{nested}]}}")).await;
            expect_problem_of(answer, &[400, 422]);
            post(&phone, format!("{{\"device_id\": {nested}, \"file_list\": []}}")).await.expect_problem(422);
            post(&phone, open.repeat(200_000)).await;
            let open_end = format!("{{\"device_id\": \"phone\", \"file_list\": [], \"x\": {}", open.repeat(200_000));
            post(&phone, open_end).await.expect_problem(400);
        }
        for address in ["/api/sync/register", "/api/sync/conflicts/a.txt/resolve", "/api/conflicts/resolve"] {
            let request = phone.client.request(Method::POST, address).header("content-type", "application/json");
            let nested = format!("{{\"device_id\": \"phone\", \"x\": {}", "[".repeat(200_000));
            phone.client.send(request.body(nested)).await.expect_problem(400);
        }
        unchanged(&phone, &status).await;
    }

    async fn a_manifest_that_is_not_called_json_is_415(server: Server) {
        let (_, phone, status) = before(&server).await;
        let body = json!({"device_id": "phone", "file_list": []}).to_string();
        for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let request = phone.client.request(Method::POST, "/api/sync/changes").header("content-type", content_type);
            phone.client.send(request.body(body.clone())).await.expect_problem(415);
        }
        let request = phone.client.request(Method::POST, "/api/sync/changes").header("content-type", "application/json");
        phone.client.send(request.header("content-encoding", "gzip").body(body)).await.expect_problem(415);
        unchanged(&phone, &status).await;
    }

    async fn more_entries_than_the_limit_are_413(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_MANIFEST_ENTRIES", "3").start().await;
        let (_, phone, status) = before(&server).await;
        let list: Vec<_> = (0..4).map(|n| claim(&format!("/{n}.txt"), "x")).collect();
        let problem = phone.ask(json!({"file_list": list})).await.expect_problem_named(413, "too-many-entries");
        assert_eq!(problem["limit"], 3);
        unchanged(&phone, &status).await;
        let plan = phone.tell_with(json!({"file_list": list[..3]})).await;
        assert_eq!(plan["to_upload"].as_array().unwrap().len(), 3);
    }

    async fn a_manifest_beyond_its_limit_is_413_declared_or_not(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_MANIFEST_BODY", "4KiB").start().await;
        let (_, phone, status) = before(&server).await;
        let list: Vec<_> = (0..40).map(|n| claim(&format!("/{n}.txt"), "x")).collect();
        let large = json!({"device_id": "phone", "file_list": list}).to_string();
        let padded = format!("{}{}", " ".repeat(5000), json!({"device_id": "phone", "file_list": []}));
        for body in [large, padded] {
            let problem = post(&phone, body.clone()).await.expect_problem_named(413, "too-large");
            assert_eq!(problem["limit"], 4096);
            post_in_pieces(&phone, &body).await.expect_problem_named(413, "too-large");
        }
        unchanged(&phone, &status).await;
        let fits = json!({"device_id": "phone", "file_list": phone.list()}).to_string();
        assert!(is_empty(&post_in_pieces(&phone, &fits).await.expect(200)));
    }

    async fn a_content_beyond_its_limit_is_413_and_opens_no_conflict(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_UPLOAD_SIZE", "1KiB").start().await;
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", &"x".repeat(2000));
        let plan = phone.tell().await;
        let address = format!("/api/conflicts/{}/candidate", text(&plan["conflicts"][0]["id"]));
        let root = home_of(&server, &phone.client).await;
        let (kept, seen) = (slots(&root), look(&server, &phone.client, &["/a.txt", "/new.txt"]).await);
        for target in [file("/a.txt"), file("/new.txt"), address] {
            let piece = || Ok::<_, std::io::Error>(vec![b'x'; 1000]);
            let streamed = reqwest::Body::wrap_stream(futures_util::stream::iter([piece(), piece()]));
            for body in ["x".repeat(2000).into(), streamed] {
                let request = phone.client.request(Method::PUT, &target).header("if-match", format!("\"{}\"", hash("old")));
                phone.client.send(request.body(body)).await.expect_problem(413);
            }
        }
        assert_eq!(look(&server, &phone.client, &["/a.txt", "/new.txt"]).await, seen);
        only_slots(&root, &kept).await;
    }

    async fn a_content_that_is_not_what_it_declares_is_refused_and_opens_no_conflict(server: Server) {
        let (laptop, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let root = home_of(&server, &phone.client).await;
        let (kept, seen) = (slots(&root), look(&server, &phone.client, &["/a.txt", "/new.txt"]).await);
        for path in ["/a.txt", "/new.txt"] {
            // The digest of nothing: the file changed while it was being sent.
            let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
            let request = phone.client.request(Method::PUT, &file(path)).header("repr-digest", digest);
            let answer = phone.client.send(request.body("something")).await;
            expect_problem_of(answer, &[400, 422]);
        }
        assert_eq!(look(&server, &phone.client, &["/a.txt", "/new.txt"]).await, seen);
        only_slots(&root, &kept).await;
        assert!(is_empty(&laptop.tell().await));
    }

    async fn resolutions_that_cannot_be_are_refused(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_JSON_BODY", "2KiB").start().await;
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let id = text(&phone.tell().await["conflicts"][0]["id"]).to_owned();
        let seen = look(&server, &phone.client, &["/a.txt"]).await;
        let by_id = format!("/api/conflicts/{id}/resolve");
        for (address, body, status) in [
            (by_id.as_str(), json!({}), 422),
            (&by_id, json!({"resolution": "KEEP_SERVER"}), 422),
            (&by_id, json!({"resolution": 1}), 422),
            (&by_id, json!({"resolution": "keep_server", "server_hash": "abc"}), 422),
            ("/api/conflicts/not-a-uuid/resolve", json!({"resolution": "keep_server"}), 404),
            ("/api/conflicts/resolve", json!({"conflicts": [{"id": "x", "resolution": "keep_server"}]}), 422),
            ("/api/conflicts/resolve", json!({"conflicts": [{"id": id, "resolution": "x"}]}), 422),
            ("/api/conflicts/resolve", json!({"conflicts": vec![json!({"id": id, "resolution": "keep_server"}); 100]}), 413),
            ("/api/sync/conflicts/a.txt", json!({"resolution": "keep_server"}), 404),
            ("/api/sync/conflicts/a.txt/resolve", json!({"resolution": "keep_server", "file_path": "../a.txt"}), 422),
            ("/api/sync/conflicts/..%2Fa.txt/resolve", json!({"resolution": "keep_server"}), 422),
            ("/api/sync/conflicts/%2Eholdfast%2Fdrive.json/resolve", json!({"resolution": "keep_server"}), 422),
            ("/api/sync/conflicts/%ff/resolve", json!({"resolution": "keep_server"}), 400),
            ("/api/sync/conflicts/a%00.txt/resolve", json!({"resolution": "keep_server"}), 422),
        ] {
            phone.client.post(address, body).await.expect_problem(status);
        }
        assert_eq!(look(&server, &phone.client, &["/a.txt"]).await, seen);
    }

    async fn a_history_of_what_cannot_be_is_refused(server: Server) {
        let admin = server.admin().await;
        for (address, status) in [("..%2Fa", 422), ("%2e%2e%2Fetc%2Fpasswd", 422), (".holdfast/drive.json", 422), ("a%00b", 422),
            ("%ff", 400), ("a?cursor=nonsense", 400), ("a?limit=many", 400), ("a?drive=attic", 404)] {
            admin.get(&format!("/api/sync/history/{address}")).await.expect_problem(status);
        }
        assert_eq!(admin.get("/api/sync/history/never.txt").await.expect(200)["versions"], json!([]));
    }
}
