//! What an upload may not be, and what remains of it then.

use reqwest::Method;
use support::{both_engines, eventually};

use crate::sender::{PART, Sender, bytes, hash};

both_engines! {
    async fn a_name_that_no_file_can_have_is_refused_before_its_first_byte(server: Server) {
        let sender = Sender::of(&server).await;
        for path in ["../a", "/a/../b", ".holdfast/uploads/a", "/.HOLDFAST/x", "a\0b", "", "/"] {
            sender.create(1, &[("path", path)]).await.expect_problem_named(422, "bad-path");
        }
        sender.create(1, &[("filename", "../../etc/passwd")]).await.expect_problem_named(422, "bad-path");
        sender.create(1, &[]).await.expect_problem_named(422, "bad-path");
        sender.create(1, &[("path", "a"), ("hash", "abc")]).await.expect_problem_named(422, "bad-metadata");
        sender.create(1, &[("path", "a"), ("drive", "nowhere")]).await.expect_problem(404);
        let raw = |length: &str, metadata: &str| {
            let ask = sender.ask(Method::POST, "/api/uploads").header("Upload-Length", length);
            sender.client.send(ask.header("Upload-Metadata", metadata))
        };
        for (length, metadata) in [("1", "path *"), ("1", "path YQ==,path YQ=="), ("-1", "path YQ=="), ("x", "path YQ=="), ("", "path YQ==")] {
            raw(length, metadata).await.expect_problem(400);
        }
        raw("9223372036854775808", "path YQ==").await.expect_problem(507);
        let deferred = sender.ask(Method::POST, "/api/uploads").header("Upload-Defer-Length", 1);
        sender.client.send(deferred.header("Upload-Metadata", "path YQ==")).await.expect_problem(400);
        assert_eq!(sender.client.get("/api/uploads").await.expect(200)["items"], serde_json::json!([]));
        assert_eq!(sender.waiting(), [""; 0]);
    }

    async fn a_part_that_does_not_begin_at_the_end_changes_nothing(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(10, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"01234").await.status, 204);
        for offset in [0, 4, 6, 10] {
            let problem = sender.append(&at, offset, b"56").await.expect_problem_named(409, "other-offset");
            assert_eq!(problem["offset"], 5);
        }
        let other_type = sender.ask(Method::PATCH, &at).header("Upload-Offset", 5).body("56789");
        sender.client.send(other_type).await.expect_problem(415);
        let without = sender.ask(Method::PATCH, &at).header("Content-Type", PART).body("56789");
        sender.client.send(without).await.expect_problem(400);
        assert_eq!(sender.append(&at, 5, b"56789").await.status, 204);
        assert_eq!(sender.read("/a").await, b"0123456789");
    }

    async fn more_than_was_announced_is_not_taken(server: Server) {
        let sender = Sender::of(&server).await;
        let content = bytes(400_000);
        let at = sender.begin(350_000, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, &content[..100]).await.status, 204);
        sender.append(&at, 100, &content).await.expect_problem_named(413, "too-long");
        // The same without a length.
        let pieces = content.chunks(50_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        sender.client.send(sender.part(&at, 100, stream)).await.expect_problem_named(413, "too-long");
        assert_eq!(sender.offset(&at).await, 100);
        assert_eq!(sender.append(&at, 100, &content[100..350_000]).await.status, 204);
        assert_eq!(sender.read("/a").await, &content[..350_000]);
        sender.append(&at, 350_000, b"x").await.expect_problem_named(409, "other-offset");
    }

    async fn anothers_upload_is_not_there(server: Server) {
        let sender = Sender::of(&server).await;
        let (_, stranger) = server.member().await;
        let stranger = Sender::of_client(&server, stranger).await;
        let at = sender.begin(4, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"ab").await.status, 204);
        stranger.append(&at, 2, b"cd").await.expect_problem(404);
        assert_eq!(stranger.look(&at).await.status, 404);
        stranger.terminate(&at).await.expect_problem(404);
        assert_eq!(stranger.client.get("/api/uploads").await.expect(200)["items"], serde_json::json!([]));
        let drive = sender.client.get("/api/drives/home").await.expect(200)["id"].as_str().unwrap().to_owned();
        stranger.create(1, &[("path", "/a"), ("drive", &drive)]).await.expect_problem(404);
        let anonymous = Sender { client: sender.client.anonymous(), root: sender.root.clone() };
        anonymous.append(&at, 2, b"cd").await.expect_problem(401);
        sender.append("/api/uploads/00000000-0000-0000-0000-000000000000", 0, b"x").await.expect_problem(404);
        sender.append("/api/uploads/x", 0, b"x").await.expect_problem(404);
        assert_eq!(sender.append(&at, 2, b"cd").await.status, 204);
        assert_eq!(sender.read("/a").await, b"abcd");
    }

    async fn a_drive_that_is_not_there_says_so_and_the_upload_waits(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(4, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"ab").await.status, 204);
        let away = sender.root.with_extension("away");
        std::fs::rename(&sender.root, &away).unwrap();
        sender.create(1, &[("path", "/b")]).await.expect_problem_named(503, "drive-offline");
        sender.append(&at, 2, b"cd").await.expect_problem_named(503, "drive-offline");
        assert_eq!(sender.look(&at).await.status, 503);
        std::fs::rename(&away, &sender.root).unwrap();
        eventually("the drive to be back", || async {
            (sender.append(&at, 2, b"cd").await.status == 204).then_some(())
        })
        .await;
        assert_eq!(sender.read("/a").await, b"abcd");
    }

    async fn one_account_has_only_so_many_under_way(given: Builder) {
        let server = given.env("HOLDFAST_LIMITS_UPLOADS", "2").start().await;
        let sender = Sender::of(&server).await;
        let first = sender.begin(1, &[("path", "/a")]).await;
        sender.begin(1, &[("path", "/b")]).await;
        sender.create(1, &[("path", "/c")]).await.expect_problem_named(429, "too-many-uploads");
        let (_, other) = server.member().await;
        Sender::of_client(&server, other).await.begin(1, &[("path", "/c")]).await;
        assert_eq!(sender.append(&first, 0, b"x").await.status, 204);
        sender.begin(1, &[("path", "/c")]).await;
    }

    async fn a_condition_is_held_to_when_the_last_byte_is_there(server: Server) {
        let sender = Sender::of(&server).await;
        let put = |content: &'static str| sender.client.put("/api/drives/home/files/a", content);
        put("one").await.expect(201);
        sender.create(3, &[("path", "/a"), ("expect", "what")]).await.expect_problem_named(422, "bad-metadata");
        // What cannot hold now is refused before its first byte.
        let problem = sender.create(3, &[("path", "/a"), ("expect", "none")]).await.expect_problem(412);
        assert_eq!(problem["actual_hash"], hash(b"one"));
        sender.create(3, &[("path", "/b"), ("expect", "*")]).await.expect_problem(412);
        let new = sender.begin(3, &[("path", "/b"), ("expect", "none")]).await;
        sender.client.put("/api/drives/home/files/b", "faster").await.expect(201);
        sender.append(&new, 0, b"new").await.expect_problem(412);
        // It was refused for good: nothing of it is left, and its sender begins anew.
        assert_eq!(sender.look(&new).await.status, 404);
        let at = sender.begin(3, &[("path", "/a"), ("expect", &hash(b"one"))]).await;
        assert_eq!(sender.append(&at, 0, b"tw").await.status, 204);
        put("meanwhile").await.expect(200);
        sender.append(&at, 2, b"o").await.expect_problem(412);
        assert_eq!(sender.read("/a").await, b"meanwhile");
        let at = sender.begin(5, &[("path", "/a"), ("expect", &hash(b"meanwhile"))]).await;
        assert_eq!(sender.append(&at, 0, b"three").await.status, 204);
        assert_eq!(sender.read("/a").await, b"three");
        assert_eq!(sender.waiting(), [""; 0]);
    }

    async fn what_is_not_the_content_it_was_said_to_be_is_no_file(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(4, &[("path", "/a"), ("hash", &hash(b"abcd"))]).await;
        assert_eq!(sender.append(&at, 0, b"ab").await.status, 204);
        let problem = sender.append(&at, 2, b"xx").await.expect_problem_named(422, "other-digest");
        assert_eq!(problem["actual_hash"], hash(b"abxx"));
        assert_eq!(sender.look(&at).await.status, 404);
        assert_eq!((sender.paths().await, sender.waiting()), (vec![], vec![]));
    }

    async fn a_device_that_was_late_keeps_its_bytes_in_a_conflict(server: Server) {
        let sender = Sender::of(&server).await;
        let body = serde_json::json!({"device_id": "laptop", "device_name": "Laptop", "platform": "linux"});
        let registered = sender.client.post("/api/sync/register", body).await;
        assert!(registered.status < 300, "{}", registered.text());
        sender.client.put("/api/drives/home/files/a", "server").await.expect(201);
        let laptop = Sender { client: sender.client.on_device("laptop"), root: sender.root.clone() };
        let at = laptop.begin(6, &[("path", "/a"), ("expect", "none")]).await;
        let problem = laptop.append(&at, 0, b"laptop").await.expect_problem(412);
        let id = problem["conflict"]["id"].as_str().unwrap();
        let candidate = sender.client.get(&format!("/api/conflicts/{id}/candidate")).await;
        assert_eq!((candidate.status, candidate.text().as_str()), (200, "laptop"));
        assert_eq!(sender.read("/a").await, b"server");
    }
}
