//! Uploads that were interrupted, and go on.

use std::time::Duration;

use rand::Rng as _;
use support::{Cutting, Server, both_engines, eventually};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::sender::{PART, Sender, bytes, hash};

/// Sends the head of a part and some of its bytes, and keeps the connection as it is.
async fn hang(
    server: &Server,
    sender: &Sender,
    at: &str,
    offset: usize,
    length: usize,
    part: &[u8],
) -> TcpStream {
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\n\
         Content-Type: {PART}\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n",
        sender.client.access_token()
    );
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(part).await.unwrap();
    stream
}

/// Waits until so many bytes of an upload are on the disk.
async fn arrived(sender: &Sender, at: &str, bytes: usize) {
    let path = sender.root.join(".holdfast/uploads").join(at.rsplit('/').next().unwrap());
    eventually("the bytes to arrive", || async {
        std::fs::metadata(&path).is_ok_and(|file| file.len() >= bytes as u64).then_some(())
    })
    .await;
}

both_engines! {
    async fn a_cut_at_any_byte_costs_nothing_that_had_arrived(server: Server) {
        let sender = Sender::of(&server).await;
        let proxy = Cutting::before(server.address()).await;
        let through = sender.at(proxy.url());
        let content = bytes(4_000_000);
        let at = sender.begin(content.len(), &[("path", "/a"), ("hash", &hash(&content))]).await;
        let (mut offset, mut cuts) = (0, 0);
        while offset < content.len() {
            // In the head of the request, so that nobody hears of it, or so far behind it that what went on tells when the server
            // has begun with it: HEAD might overtake a request of which nothing is seen yet.
            let in_head = rand::rng().random_bool(0.2);
            let place = if in_head { 1..200 } else { 72_000..600_000 };
            proxy.cut_at([rand::rng().random_range(place)]);
            let part = through.part(&at, offset, content[offset..].to_vec());
            let before = proxy.sent();
            let sent = through.client.try_send(part).await;
            let carried = (proxy.sent() - before).min(600_000);
            if let Ok(answer) = sent {
                assert_eq!(answer.status, 204, "{}", answer.text());
                break;
            }
            cuts += 1;
            // All that went on to the server, but for the head of the request; it may still be reading that.
            let least = (offset as u64 + carried).saturating_sub(2000 + 65_536);
            eventually("what arrived to be kept", || async {
                // HEAD would end what is still being read.
                let listed = sender.client.get("/api/uploads").await.expect(200);
                listed["items"][0]["offset"].as_u64().filter(|stands| *stands >= least)
            })
            .await;
            let stands = sender.offset(&at).await;
            assert!(stands >= offset, "{stands} after {offset}");
            offset = stands;
        }
        assert!(cuts > 3, "{cuts} cuts");
        assert_eq!(sender.read("/a").await, content);
    }

    async fn a_killed_server_goes_on_from_what_is_durable(server: Server) {
        let mut server = server;
        let sender = Sender::of(&server).await;
        let content = bytes(20_000_000);
        let at = sender.begin(content.len(), &[("path", "/a"), ("hash", &hash(&content))]).await;
        assert_eq!(sender.append(&at, 0, &content[..1_000_000]).await.status, 204);
        let rest = &content[1_000_000..19_000_000];
        let hanging = hang(&server, &sender, &at, 1_000_000, 19_000_000, rest).await;
        arrived(&sender, &at, 18_500_000).await;
        server.kill9();
        drop(hanging);
        server.launch().await;
        let sender = sender.at(server.url());
        let stands = sender.offset(&at).await;
        assert!((9_000_000..19_000_000).contains(&stands), "{stands}");
        assert_eq!(sender.append(&at, stands, &content[stands..]).await.status, 204);
        assert_eq!(sender.read("/a").await, content);
    }

    async fn a_server_that_is_stopped_keeps_what_had_arrived(given: Builder) {
        let mut server = given.env("HOLDFAST_SHUTDOWN_GRACE", "1").start().await;
        let sender = Sender::of(&server).await;
        let content = bytes(600_000);
        let at = sender.begin(content.len(), &[("path", "/a")]).await;
        let hanging = hang(&server, &sender, &at, 0, content.len(), &content[..400_000]).await;
        arrived(&sender, &at, 256 * 1024).await;
        server.restart().await;
        drop(hanging);
        let sender = sender.at(server.url());
        assert_eq!(sender.offset(&at).await, 400_000);
        assert_eq!(sender.append(&at, 400_000, &content[400_000..]).await.status, 204);
        assert_eq!(sender.read("/a").await, content);
    }

    async fn a_connection_that_hangs_is_left_for_a_new_one_at_once(server: Server) {
        let sender = Sender::of(&server).await;
        let content = bytes(900_000);
        let at = sender.begin(content.len(), &[("path", "/a")]).await;
        let hanging = hang(&server, &sender, &at, 0, content.len(), &content[..400_000]).await;
        arrived(&sender, &at, 256 * 1024).await;
        // All that the hanging one has sent is kept.
        let stands = tokio::time::timeout(Duration::from_secs(20), sender.offset(&at)).await.unwrap();
        assert_eq!(stands, 400_000);
        assert_eq!(sender.append(&at, stands, &content[stands..]).await.status, 204);
        drop(hanging);
        assert_eq!(sender.read("/a").await, content);
    }

    async fn of_two_parts_at_once_the_newer_goes_on(server: Server) {
        let sender = Sender::of(&server).await;
        let content = bytes(500_000);
        let at = sender.begin(content.len(), &[("path", "/a"), ("hash", &hash(&content))]).await;
        let hanging = hang(&server, &sender, &at, 0, content.len(), &content[..100_000]).await;
        eventually("the older to have begun", || async { (sender.waiting().len() == 1).then_some(()) }).await;
        // It begins where the older one did, and learns where that one came to.
        let problem = sender.append(&at, 0, &content).await.expect_problem_named(409, "other-offset");
        assert_eq!(problem["offset"], 100_000);
        let many = (0..8).map(|_| sender.append(&at, 100_000, &content[100_000..]));
        let answers = futures_util::future::join_all(many).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 204 | 409)), "{statuses:?}");
        drop(hanging);
        let stands = sender.offset(&at).await;
        assert_eq!(sender.append(&at, stands, &content[stands..]).await.status, 204);
        assert_eq!(sender.read("/a").await, content);
    }

    async fn a_server_that_dies_while_it_completes_an_upload_completes_it_later(given: Builder) {
        let mut server = given.prepare().await;
        let content = bytes(300_000);
        for point in ["upload.synced", "upload.renamed", "stage.synced"] {
            server.launch().await;
            let sender = Sender::of(&server).await;
            let path = format!("/{point}");
            let at = sender.begin(content.len(), &[("path", &path)]).await;
            assert_eq!(sender.append(&at, 0, &content[..100_000]).await.status, 204);
            server.kill9();
            server.set_env("HOLDFAST_FAILPOINT", point);
            server.launch().await;
            let sender = sender.at(server.url());
            let last = sender.part(&at, 100_000, content[100_000..].to_vec());
            assert!(sender.client.try_send(last).await.is_err(), "{point}: it lives");
            server.ended().await;
            server.unset_env("HOLDFAST_FAILPOINT");
            server.launch().await;
            let sender = sender.at(server.url());
            let stands = sender.offset(&at).await;
            assert!(stands == 100_000 || stands == 300_000, "{point}: {stands}");
            assert_eq!(sender.append(&at, stands, &content[stands..]).await.status, 204, "{point}");
            assert_eq!(sender.read(&path).await, content);
            assert_eq!(sender.waiting(), [""; 0], "{point}");
            server.kill9();
        }
    }
}
