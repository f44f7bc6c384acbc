//! Servers that answer nonsense, break off, or lie.

use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};
use support::block_on;

use crate::fake::{Answer, Fake, answer, header, json};
use crate::tool::Tool;

const SIZE: usize = 300_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n % 251) as u8).collect()
}

fn hash() -> String {
    hex::encode(Sha256::digest(content()))
}

/// A listing with the one file `a.bin`.
fn listing() -> Answer {
    let entry = format!(
        r#"{{"path": "/a.bin", "kind": "file", "hash": "{}", "size": {SIZE}, "modified_at": "2026-01-01T00:00:00Z",
            "mtime_ns": 1767225600000000000, "id": "01a217c2-890f-7498-b024-290fe2a74347"}}"#,
        hash()
    );
    json(200, &format!(r#"{{"entries": [{entry}], "next": null}}"#))
}

/// The content from a byte on, whole as far as its headers say.
fn from(start: usize, body: &[u8]) -> Vec<u8> {
    let (tag, length) = (format!("\"{}\"", hash()), (SIZE - start).to_string());
    let range = format!("bytes {start}-{}/{SIZE}", SIZE - 1);
    let mut headers = vec![("ETag", tag.as_str()), ("Content-Length", &length)];
    if start > 0 {
        headers.push(("Content-Range", &range));
    }
    answer(if start > 0 { 206 } else { 200 }, &headers, body)
}

/// The first byte that a request wants.
fn start_of(head: &str) -> usize {
    let range = header(head, "range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    range.map_or(0, |start| start.parse().unwrap())
}

/// What comes of the content at the first attempt; at later ones nothing does.
fn beginning(start: usize) -> Vec<u8> {
    if start == 0 { content()[..1000].to_vec() } else { Vec::new() }
}

/// A device with an old `a.bin`, at a server that answers a request for the content like this.
async fn at(of_content: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Fake, Tool) {
    let fake =
        Fake::start(move |head| if head.contains("/files/") { of_content(head) } else { listing() }).await;
    let tool = fake.device().await;
    tool.write("a.bin", "old");
    (fake, tool)
}

/// The old file is there, and nothing else.
#[track_caller]
fn untouched(tool: &Tool) {
    assert_eq!(tool.read("a.bin"), "old");
    assert_eq!(tool.names(), ["a.bin"]);
}

#[test]
fn a_download_that_breaks_off_leaves_the_old_file() {
    block_on(async {
        // Each attempt brings nothing more than the first.
        let (fake, tool) = at(|head| {
            let start = start_of(head);
            Answer::Bytes(from(start, &beginning(start)))
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.failed(6, &["broke off"]);
        untouched(&tool);
        assert!(fake.asked("/files/").len() > 1);
    });
}

#[test]
fn a_download_that_breaks_off_again_and_again_goes_on_where_it_stopped() {
    block_on(async {
        let (fake, tool) = at(|head| {
            let start = start_of(head);
            let end = (start + 70_000).min(SIZE);
            Answer::Bytes(from(start, &content()[start..end]))
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.ok();
        assert_eq!(std::fs::read(tool.here().join("a.bin")).unwrap(), content());
        assert_eq!(tool.names(), ["a.bin"]);
        let asked = fake.asked("/files/");
        assert!(asked.len() >= 5, "{asked:?}");
        // The rest has to belong to the beginning.
        let tag = format!("\"{}\"", hash());
        assert!(asked[1..].iter().all(|head| header(head, "if-match") == Some(&tag)), "{asked:?}");
    });
}

#[test]
fn a_content_that_does_not_have_its_hash_is_not_kept() {
    block_on(async {
        let (_fake, tool) = at(|_| {
            let mut wrong = content();
            wrong[SIZE / 2] ^= 1;
            Answer::Bytes(from(0, &wrong))
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.failed(1, &["not the expected one", &hash()]);
        untouched(&tool);
        std::fs::remove_file(tool.here().join("a.bin")).unwrap();
        tool.run(&["get", "a.bin"]).await.failed(1, &["not the expected one"]);
        assert!(tool.names().is_empty());
    });
}

#[test]
fn a_rest_that_belongs_to_another_range_is_not_put_behind_the_beginning() {
    block_on(async {
        let (_fake, tool) = at(|head| match start_of(head) {
            0 => Answer::Bytes(from(0, &content()[..1000])),
            start => Answer::Bytes(from(start + 1, &content()[start + 1..])),
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.failed(1, &["not the range"]);
        untouched(&tool);
    });
}

#[test]
fn a_rest_that_is_shorter_than_its_range_is_asked_on_from_its_end() {
    block_on(async {
        let (fake, tool) = at(|head| match start_of(head) {
            0 => Answer::Bytes(from(0, &content()[..1000])),
            start => {
                let body = &content()[start..(start + 150_000).min(SIZE)];
                let (tag, length) = (format!("\"{}\"", hash()), body.len().to_string());
                let range = format!("bytes {start}-{}/{SIZE}", SIZE - 1);
                let headers =
                    [("ETag", tag.as_str()), ("Content-Length", &length), ("Content-Range", &range)];
                Answer::Bytes(answer(206, &headers, body))
            }
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.ok();
        assert_eq!(std::fs::read(tool.here().join("a.bin")).unwrap(), content());
        assert_eq!(fake.asked("/files/").len(), 3);
    });
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for_for_ever() {
    block_on(async {
        let (_fake, tool) = at(|head| {
            let start = start_of(head);
            Answer::Stall(from(start, &beginning(start)))
        })
        .await;
        tool.run(&["get", "-f", "a.bin"]).await.failed(6, &["does not answer"]);
        untouched(&tool);
    });
}

#[test]
fn more_bytes_than_announced_are_nonsense() {
    block_on(async {
        let fake = Fake::start(|head| {
            if !head.contains("/files/") {
                return listing();
            }
            let body = [format!("{:x}\r\n", SIZE + 1).as_bytes(), &content(), b"x\r\n0\r\n\r\n"].concat();
            let tag = format!("\"{}\"", hash());
            Answer::Bytes(answer(200, &[("ETag", &tag), ("Transfer-Encoding", "chunked")], body))
        })
        .await;
        let tool = fake.device().await;
        tool.write("a.bin", "old");
        tool.run(&["get", "-f", "a.bin"]).await.failed(1, &["not the expected one"]);
        untouched(&tool);
    });
}

#[test]
fn an_answer_that_is_no_holdfast_servers_is_told_as_nonsense() {
    block_on(async {
        let html = "<html><body>Welcome to your router</body></html>";
        let cases: [(Vec<u8>, &str); 6] = [
            (answer(200, &[("Content-Type", "text/html")], html), "expected JSON, got text/html"),
            (answer(404, &[("Content-Type", "text/html")], html), "is there a Holdfast server"),
            (answer(200, &[("Content-Type", "application/json")], "{\"entries\": ["), "makes no sense"),
            (answer(200, &[("Content-Type", "application/json")], "[1, 2, 3]"), "makes no sense"),
            (
                answer(
                    200,
                    &[("Content-Type", "application/json")],
                    "{\"entries\": [{\"path\": \"../../etc/passwd\"}]}",
                ),
                "makes no sense",
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "broke off"),
        ];
        for (bytes, words) in cases {
            let fake = Fake::start(move |_| Answer::Bytes(bytes.clone())).await;
            let tool = fake.device().await;
            let code = if words == "broke off" { 6 } else { 1 };
            tool.run(&["ls"]).await.failed(code, &[words]);
        }
    });
}

#[test]
fn a_listing_that_leads_to_itself_is_not_followed_for_ever() {
    block_on(async {
        let fake = Fake::start(|_| json(200, r#"{"entries": [], "next": "again"}"#)).await;
        let tool = fake.device().await;
        tool.run(&["ls"]).await.failed(1, &["leads to itself"]);
        tool.run(&["ls", "--json"]).await.failed(1, &["leads to itself"]);
    });
}

#[test]
fn a_redirect_is_not_followed_and_the_login_goes_to_nobody_else() {
    block_on(async {
        let elsewhere = Fake::start(|_| listing()).await;
        let to = format!("{}/api/drives/home/tree", elsewhere.url);
        let location = to.clone();
        let fake = Fake::start(move |_| {
            Answer::Bytes(answer(307, &[("Location", &location), ("Content-Length", "0")], ""))
        })
        .await;
        let tool = fake.device().await;
        tool.write("a.bin", "old");
        tool.run(&["ls"]).await.failed(1, &["sends its visitors to", &to, "log in there"]);
        tool.run(&["put", "a.bin"]).await.failed(1, &["sends its visitors to"]);
        assert!(elsewhere.heads.lock().unwrap().is_empty());
        assert!(
            fake.asked("GET /api/drives")
                .iter()
                .all(|head| header(head, "authorization") == Some("Bearer access"))
        );
    });
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_one_that_wants_long_is_not() {
    block_on(async {
        let asked = AtomicUsize::new(0);
        let busy = |after: &str| {
            let problem = r#"{"type": "about:blank", "title": "not now", "status": 503, "detail": "the server is stopping"}"#;
            answer(503, &[("Content-Type", "application/problem+json"), ("Retry-After", after)], problem)
        };
        let fake = Fake::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Bytes(busy("1")),
            1 => listing(),
            _ => Answer::Bytes(busy("3600")),
        })
        .await;
        let tool = fake.device().await;
        assert_eq!(tool.run(&["ls"]).await.ok().out, "a.bin\n");
        tool.run(&["ls"]).await.failed(6, &["the server is stopping", "60 minutes"]);
        assert_eq!(fake.asked("/tree").len(), 3);
    });
}

#[test]
fn what_is_asked_again_when_its_answer_was_lost_is_known_by_the_server() {
    block_on(async {
        let deletions = AtomicUsize::new(0);
        let fake = Fake::start(move |head| {
            let gone = r#"{"type": "about:blank", "title": "not found", "status": 404, "detail": "there is nothing"}"#;
            match head.split(' ').next() {
                Some("POST") => Answer::Bytes(Vec::new()),
                Some("DELETE") if deletions.fetch_add(1, Ordering::Relaxed) == 0 => Answer::Bytes(Vec::new()),
                Some("DELETE") => {
                    Answer::Bytes(answer(404, &[("Content-Type", "application/problem+json")], gone))
                }
                _ => listing(),
            }
        })
        .await;
        let tool = fake.device().await;
        tool.run(&["mv", "a.bin", "/a.bin"]).await.failed(6, &["broke off"]);
        // Each time with the same key, by which a server knows that it has done it.
        let keys: Vec<String> = fake
            .asked("POST /api/drives/home/moves")
            .iter()
            .map(|head| head.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap().to_owned())
            .collect();
        assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
        // The second time it is away already: that was the first.
        tool.run(&["rm", "a.bin"]).await.ok();
        assert_eq!(fake.asked("DELETE").len(), 2);
        tool.run(&["rm", "a.bin"]).await.failed(3, &["there is nothing"]);
    });
}
