//! Clients that go away in the middle of a request.

use std::path::Path;

use serde_json::json;
use support::{Server, both_engines, eventually, home_of, only_slots, send_raw, slots};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::device::{Device, agreed, claim, is_empty, look, only, two};

/// A request that declares more than it brings, on a connection of its own.
async fn begin(server: &Server, device: &Device, request: &str, length: usize, body: &[u8]) -> TcpStream {
    let head = format!(
        "{request} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nHoldfast-Device: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        device.client.access_token(),
        device.id
    );
    send_raw(server, &[head.as_bytes(), body].concat()).await
}

/// Says that no more comes, and waits until the server has done with it.
async fn end(mut stream: TcpStream) -> String {
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    // It may answer or hang up.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits until an upload has begun to arrive.
async fn arriving(root: &Path, kept: &[String]) {
    eventually("the upload to begin", || async { (slots(root) != kept).then_some(()) }).await;
}

both_engines! {
    async fn a_manifest_that_breaks_off_is_as_if_it_had_never_been_sent(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let token = phone.tell().await["change_token"].clone();
        let whole = json!({"device_id": "phone", "file_list": []}).to_string();
        let large = json!({"device_id": "phone", "file_list": (0..20_000).map(|n| claim(&format!("/{n}"), "x")).collect::<Vec<_>>()}).to_string();
        for body in [&whole.as_bytes()[..20], whole.as_bytes(), &large.as_bytes()[..large.len() - 1]] {
            let stream = begin(&server, &phone, "POST /api/sync/changes", body.len() + 100, body).await;
            let answer = end(stream).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
            let stream = begin(&server, &phone, "POST /api/sync/changes", body.len() + 100, body).await;
            drop(stream);
        }
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!(status["last_change_token"], token);
        let delta = phone.tell_with(json!({"change_token": token, "file_list": []})).await;
        assert_eq!(delta["full_list_required"], false);
        assert!(is_empty(&delta), "{delta}");
    }

    async fn a_put_that_breaks_off_leaves_nothing_behind(server: Server) {
        let (laptop, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let root = home_of(&server, &phone.client).await;
        let (kept, seen) = (slots(&root), look(&server, &phone.client, &["/a.txt", "/new.txt"]).await);
        for path in ["a.txt", "new.txt"] {
            let request = format!("PUT /api/drives/home/files/{path}");
            let stream = begin(&server, &phone, &request, 1_000_000, &[b'x'; 100_000]).await;
            arriving(&root, &kept).await;
            drop(stream);
            only_slots(&root, &kept).await;
            let stream = begin(&server, &phone, &request, 1_000_000, &[b'x'; 999_999]).await;
            arriving(&root, &kept).await;
            let answer = end(stream).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
            only_slots(&root, &kept).await;
        }
        assert_eq!(look(&server, &phone.client, &["/a.txt", "/new.txt"]).await, seen);
        assert!(is_empty(&phone.tell().await));
        assert!(is_empty(&laptop.tell().await));
    }

    async fn a_candidate_that_breaks_off_is_not_there(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let id = only(&phone.tell().await, "conflicts")["id"].as_str().unwrap().to_owned();
        let root = home_of(&server, &phone.client).await;
        let kept = slots(&root);
        let request = format!("PUT /api/conflicts/{id}/candidate");
        let stream = begin(&server, &phone, &request, 1000, b"the phone's").await;
        arriving(&root, &kept).await;
        drop(stream);
        only_slots(&root, &kept).await;
        phone.client.get(&format!("/api/conflicts/{id}/candidate")).await.expect_problem_named(404, "no-candidate");
        assert_eq!(only(&phone.tell().await, "conflicts")["candidate_present"], false);
    }

    async fn a_put_whose_client_does_not_wait_for_the_answer_is_done_or_not_but_never_half(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let content = "x".repeat(300_000);
        let stream = begin(&server, &phone, "PUT /api/drives/home/files/new.txt", content.len(), content.as_bytes()).await;
        drop(stream);
        phone.hold("/new.txt", &content);
        // Whichever it was, the device does as its plan says and both hold the same.
        phone.settle().await;
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
        let history = phone.client.get("/api/sync/history/new.txt").await.expect(200);
        assert_eq!(history["versions"].as_array().unwrap().len(), 1, "{history}");
    }
}
