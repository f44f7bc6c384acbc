//! An upload from its beginning to its end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use support::{both_engines, plain, slots};

use crate::sender::{PART, Sender, bytes, hash, number};

both_engines! {
    async fn a_file_in_three_parts_is_the_file(server: Server) {
        let sender = Sender::of(&server).await;
        let content = bytes(700_000);
        let at = sender.begin(content.len(), &[("path", "/a/b.bin"), ("parents", "true"), ("mtime", "1735732800.5")]).await;
        for (from, to) in [(0, 1), (1, 300_000)] {
            let answer = sender.append(&at, from, &content[from..to]).await;
            assert_eq!((answer.status, number(&answer, "upload-offset")), (204, to), "{}", answer.text());
            assert_eq!(answer.header("etag"), None);
            assert!(answer.header("upload-expires").is_some());
        }
        let look = sender.look(&at).await;
        assert_eq!((number(&look, "upload-offset"), number(&look, "upload-length")), (300_000, 700_000));
        assert!(look.header("upload-metadata").unwrap().contains("path L2EvYi5iaW4="));
        let answer = sender.append(&at, 300_000, &content[300_000..]).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(answer.header("etag").unwrap(), format!("\"{}\"", hash(&content)));
        assert_eq!(answer.header("holdfast-mtime-ns"), Some("1735732800500000000"));
        assert_eq!(answer.header("holdfast-version"), Some("1"));
        assert_eq!(sender.read("/a/b.bin").await, content);
        let node = answer.header("holdfast-node").unwrap();
        let node = sender.client.get(&format!("/api/drives/home/nodes/{node}")).await.expect(200);
        assert_eq!(node["path"], "/a/b.bin");
        assert_eq!(sender.waiting(), [""; 0]);
    }

    async fn what_is_under_way_is_in_no_listing_history_or_folder(server: Server) {
        let sender = Sender::of(&server).await;
        let (before, kept) = (plain(&sender.root), slots(&sender.root));
        let content = bytes(300_000);
        let at = sender.begin(content.len() + 1, &[("path", "/a.bin"), ("hash", &"00".repeat(32))]).await;
        assert_eq!(sender.append(&at, 0, &content).await.status, 204);
        assert_eq!(sender.paths().await, [""; 0]);
        assert_eq!(sender.client.get("/api/drives/home/trash").await.expect(200)["items"], serde_json::json!([]));
        let history = sender.client.get("/api/sync/history/a.bin").await;
        assert!(history.status == 404 || history.json()["versions"] == serde_json::json!([]), "{}", history.text());
        assert_eq!((plain(&sender.root), slots(&sender.root)), (before, kept));
        let id = at.rsplit('/').next().unwrap();
        assert_eq!(sender.waiting(), [id]);
        for path in [format!("/api/drives/home/files/.holdfast/uploads/{id}"), format!("/dav/home/.holdfast/uploads/{id}")] {
            assert!(matches!(sender.client.get(&path).await.status, 403 | 404 | 422), "{path}");
        }
        // Whoever forgot where it was finds it.
        let listed = sender.client.get("/api/uploads").await.expect(200);
        assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["path"]), (&id.into(), &"/a.bin".into()));
        assert_eq!((&listed["items"][0]["offset"], &listed["items"][0]["size"]), (&300_000.into(), &300_001.into()));
    }

    async fn a_small_file_goes_in_the_request_that_begins_it(server: Server) {
        let sender = Sender::of(&server).await;
        let begin = |size: usize, name: &str, body: &'static str| {
            let ask = sender.ask(Method::POST, "/api/uploads").header("Upload-Length", size).header("Content-Type", PART);
            let metadata = crate::sender::metadata(&[("filename", name), ("relativePath", "null"), ("filetype", "text/plain")]);
            sender.client.send(ask.header("Upload-Metadata", metadata).body(body))
        };
        let whole = begin(5, "whole.txt", "whole").await;
        assert_eq!((whole.status, number(&whole, "upload-offset")), (201, 5), "{}", whole.text());
        assert!(whole.header("etag").is_some());
        assert_eq!(sender.read("/whole.txt").await, b"whole");
        let half = begin(10, "half.txt", "first").await;
        assert_eq!((half.status, number(&half, "upload-offset")), (201, 5));
        assert_eq!(sender.append(half.header("location").unwrap(), 5, b" last").await.status, 204);
        assert_eq!(sender.read("/half.txt").await, b"first last");
        let empty = sender.create(0, &[("path", "/empty")]).await;
        assert_eq!((empty.status, empty.header("holdfast-version")), (201, Some("1")), "{}", empty.text());
        assert_eq!(sender.read("/empty").await, b"");
    }

    async fn a_client_is_told_what_is_spoken(given: Builder) {
        let server = given.env("HOLDFAST_LIMITS_UPLOAD_SIZE", "1000").start().await;
        let sender = Sender::of(&server).await;
        let options = sender.client.send(sender.client.request(Method::OPTIONS, "/api/uploads")).await;
        assert_eq!((options.status, options.header("tus-version")), (204, Some("1.0.0")));
        assert_eq!(options.header("tus-max-size"), Some("1000"));
        for extension in ["creation", "creation-with-upload", "checksum", "expiration", "termination"] {
            assert!(options.header("tus-extension").unwrap().split(',').any(|one| one == extension), "{extension}");
        }
        assert!(options.header("tus-checksum-algorithm").unwrap().contains("sha1"));
        let ask = sender.client.request(Method::POST, "/api/uploads").header("Upload-Length", 1);
        let old = sender.client.send(ask.header("Tus-Resumable", "0.2.2")).await;
        assert_eq!(old.header("tus-version"), Some("1.0.0"));
        old.expect_problem_named(412, "other-tus-version");
        sender.create(1001, &[("path", "a")]).await.expect_problem_named(413, "too-large");
        let anonymous = sender.client.anonymous();
        anonymous.send(anonymous.request(Method::OPTIONS, "/api/uploads")).await.expect_problem(401);
    }

    async fn a_part_with_another_checksum_is_not_kept(server: Server) {
        let sender = Sender::of(&server).await;
        let content = bytes(400_000);
        let at = sender.begin(content.len(), &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, &content[..1000]).await.status, 204);
        let (part, rest) = (&content[1000..300_000], &content[300_000..]);
        let checked = |checksum: String, part: &[u8], offset| {
            sender.client.send(sender.part(&at, offset, part.to_vec()).header("Upload-Checksum", checksum))
        };
        let sha256 = |part: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(part)));
        checked(sha256(rest), part, 1000).await.expect_problem_named(460, "other-checksum");
        checked(format!("sha1 {}", STANDARD.encode([7; 20])), part, 1000).await.expect_problem_named(460, "other-checksum");
        checked("crc32 AAAA".to_owned(), part, 1000).await.expect_problem(400);
        assert_eq!(sender.offset(&at).await, 1000);
        assert_eq!(checked(sha256(part), part, 1000).await.status, 204);
        assert_eq!(sender.append(&at, 300_000, rest).await.status, 204);
        assert_eq!(sender.read("/a").await, content);
    }

    async fn a_client_that_can_only_post_is_understood(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(3, &[("path", "/a")]).await;
        let post = |method: &'static str| sender.ask(Method::POST, &at).header("X-HTTP-Method-Override", method);
        let part = post("PATCH").header("Content-Type", PART).header("Upload-Offset", 0).body("abc");
        assert_eq!(sender.client.send(part).await.status, 204);
        assert_eq!(sender.read("/a").await, b"abc");
        assert_eq!(sender.client.send(post("DELETE")).await.status, 204);
        assert_eq!(sender.look(&at).await.status, 404);
        sender.client.send(post("PUT")).await.expect_problem(405);
    }
}
