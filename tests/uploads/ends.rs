//! Uploads that nobody completes, and those whose completion was put off.

use reqwest::Method;
use serde_json::json;
use support::{both_engines, eventually, only_slots, slots};

use crate::sender::{Sender, bytes, number};

both_engines! {
    async fn an_upload_that_is_given_up_is_gone_with_its_bytes(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(10, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"01234").await.status, 204);
        assert_eq!(sender.waiting().len(), 1);
        assert_eq!(sender.terminate(&at).await.status, 204);
        assert_eq!(sender.waiting(), [""; 0]);
        assert_eq!(sender.look(&at).await.status, 404);
        sender.append(&at, 5, b"56789").await.expect_problem(404);
        sender.terminate(&at).await.expect_problem(404);
        assert_eq!(sender.paths().await, [""; 0]);
    }

    async fn an_upload_that_nobody_goes_on_with_is_removed_in_time(given: Builder) {
        let mut server = given.env("HOLDFAST_LIMITS_UPLOAD_LIFETIME", "1").start().await;
        let sender = Sender::of(&server).await;
        let at = sender.begin(10, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"01234").await.status, 204);
        eventually("it to be removed", || async { sender.waiting().is_empty().then_some(()) }).await;
        assert_eq!(sender.look(&at).await.status, 404);
        // And at its start, what expired while the server was not there.
        let at = sender.begin(10, &[("path", "/b")]).await;
        assert_eq!(sender.append(&at, 0, b"01234").await.status, 204);
        server.kill9();
        assert_eq!(sender.waiting().len(), 1);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        server.launch().await;
        eventually("it to be removed", || async { sender.waiting().is_empty().then_some(()) }).await;
        assert_eq!(sender.at(server.url()).look(&at).await.status, 404);
    }

    async fn bytes_that_no_upload_claims_are_removed_when_the_drive_is_opened(server: Server) {
        let mut server = server;
        let sender = Sender::of(&server).await;
        let at = sender.begin(10, &[("path", "/a")]).await;
        assert_eq!(sender.append(&at, 0, b"01234").await.status, 204);
        server.kill9();
        let stray = sender.root.join(".holdfast/uploads/5f0c1d7e-3f1f-4b5c-9a70-0d5f6f3d1c11");
        std::fs::write(&stray, "stray").unwrap();
        server.launch().await;
        assert!(!stray.exists());
        assert_eq!(sender.at(server.url()).offset(&at).await, 5);
    }

    async fn an_upload_that_could_not_become_a_file_yet_becomes_one_later(server: Server) {
        let sender = Sender::of(&server).await;
        let at = sender.begin(4, &[("path", "/folder/a")]).await;
        sender.append(&at, 0, b"abcd").await.expect_problem(409);
        let kept = slots(&sender.root);
        // It is whole, and honest about it.
        assert_eq!(sender.look(&at).await.status, 409);
        assert_eq!(sender.waiting().len(), 1);
        sender.client.post("/api/drives/home/folders", json!({"path": "/folder"})).await.expect(201);
        let look = sender.look(&at).await;
        assert_eq!((look.status, number(&look, "upload-offset")), (200, 4));
        assert!(look.header("etag").is_some());
        assert_eq!(sender.read("/folder/a").await, b"abcd");
        only_slots(&sender.root, &kept).await;
    }

    async fn a_locked_file_is_not_replaced_until_it_is_free(server: Server) {
        let sender = Sender::of(&server).await;
        sender.client.put("/api/drives/home/files/a", "locked").await.expect(201);
        let lock = "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>";
        let ask = sender.client.request(Method::from_bytes(b"LOCK").unwrap(), "/dav/home/a").body(lock);
        let locked = sender.client.send(ask).await;
        assert_eq!(locked.status, 200, "{}", locked.text());
        let token = locked.header("lock-token").unwrap().to_owned();
        let at = sender.begin(4, &[("path", "/a")]).await;
        sender.append(&at, 0, b"abcd").await.expect_problem(423);
        assert_eq!(sender.read("/a").await, b"locked");
        let ask = sender.part(&at, 4, "").header("Lock-Token", token);
        assert_eq!(sender.client.send(ask).await.status, 204);
        assert_eq!(sender.read("/a").await, b"abcd");
    }

    async fn whoever_lost_the_last_answer_gets_it_again(server: Server) {
        let mut server = server;
        let sender = Sender::of(&server).await;
        let content = bytes(1000);
        let at = sender.begin(1000, &[("path", "/a"), ("expect", "none")]).await;
        let first = sender.append(&at, 0, &content).await;
        assert_eq!(first.status, 204);
        server.kill9();
        server.launch().await;
        let sender = sender.at(server.url());
        for answer in [sender.look(&at).await, sender.append(&at, 1000, b"").await] {
            assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
            for name in ["upload-offset", "etag", "holdfast-node", "holdfast-version", "holdfast-mtime-ns"] {
                assert_eq!(answer.header(name), first.header(name), "{name}");
            }
        }
        assert_eq!(sender.terminate(&at).await.status, 204);
        assert_eq!(sender.read("/a").await, content);
    }
}
