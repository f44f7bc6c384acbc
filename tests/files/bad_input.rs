//! What cannot be taken is refused clearly: nothing has changed and nothing is left behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::{Server, both_engines, eventually, send_raw, slots};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::home::{Home, file, hash, text};

/// Two files to be overwritten and a folder in the way.
async fn filled(server: &Server) -> Home {
    Home::with(server, &[("/a.txt", "a, first"), ("/a.txt", "a"), ("/A/b.txt", "b")]).await
}

fn head(home: &Home, path: &str, length: u64) -> String {
    format!(
        "PUT {} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\n\r\n",
        file(path),
        home.client.access_token()
    )
}

fn in_pieces(pieces: Vec<std::io::Result<Vec<u8>>>) -> reqwest::Body {
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

both_engines! {
    async fn a_content_that_breaks_off_changes_nothing(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for path in ["/a.txt", "/new.txt"] {
            let kept = slots(&home.root).len();
            let mut stream = send_raw(&server, head(&home, path, 2_000_000).as_bytes()).await;
            stream.write_all(&vec![b'x'; 500_000]).await.unwrap();
            eventually("the content to be on its way in", || async { (slots(&home.root).len() > kept).then_some(()) }).await;
            drop(stream);
            home.is_as(&before).await;
        }
        let broken = || in_pieces(vec![Ok(vec![b'x'; 300_000]), Err(std::io::Error::other("the client is gone"))]);
        for path in ["/a.txt", "/new.txt"] {
            let request = home.client.request(Method::PUT, &file(path)).body(broken());
            assert!(home.client.try_send(request).await.is_err());
            home.is_as(&before).await;
        }
    }

    async fn a_sender_that_stops_in_the_middle_keeps_nobody_else_waiting(server: Server) {
        let home = filled(&server).await;
        let mut stalled = send_raw(&server, head(&home, "/a.txt", 100).as_bytes()).await;
        stalled.write_all(b"half").await.unwrap();
        home.write("/a.txt", "by another").await;
        assert_eq!(home.read("/a.txt").await, "by another");
        stalled.write_all(&[b'x'; 96]).await.unwrap();
        let mut answer = [0; 12];
        stalled.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        assert_eq!(home.read("/a.txt").await, format!("half{}", "x".repeat(96)), "it was last");
    }

    async fn a_content_that_is_not_what_it_declares_is_refused(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        let (right, wrong) = (STANDARD.encode(Sha256::digest("sent")), STANDARD.encode(Sha256::digest("meant")));
        for path in ["/a.txt", "/new.txt"] {
            for name in ["repr-digest", "content-digest"] {
                let answer = home.put_with(path, "sent", &[(name, &format!("sha-256=:{wrong}:"))]).await;
                let problem = answer.expect_problem_named(422, "other-digest");
                assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("meant")), &json!(hash("sent"))));
                for value in ["sha-256=:AAAA:", "sha-256=:*:", "sha-256=", &format!("sha-256={right}"), &format!("sha-256=:{right}"),
                    &format!("sha-256=:{right}:, sha-256=:{wrong}:")] {
                    home.put_with(path, "sent", &[(name, value)]).await.expect_problem(400);
                }
            }
            let differ = [("repr-digest", format!("sha-256=:{right}:")), ("content-digest", format!("sha-256=:{wrong}:"))];
            let differ = differ.each_ref().map(|(name, value)| (*name, value.as_str()));
            home.put_with(path, "sent", &differ).await.expect_problem(400);
            let longer = home.client.request(Method::PUT, &file(path)).header("x-expected-entity-length", "5");
            let answer = home.client.send(longer.body(in_pieces(vec![Ok(b"sent".to_vec())]))).await;
            let problem = answer.expect_problem_named(422, "other-length");
            assert_eq!((&problem["expected_size"], &problem["actual_size"]), (&json!(5), &json!(4)));
            let shorter = home.client.request(Method::PUT, &file(path)).header("x-expected-entity-length", "3");
            home.client.send(shorter.body(in_pieces(vec![Ok(b"sent".to_vec())]))).await.expect_problem_named(422, "other-length");
        }
        home.is_as(&before).await;
    }

    async fn a_content_beyond_the_limit_is_413_declared_or_not(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_UPLOAD_SIZE", "1MiB").start().await;
        let home = filled(&server).await;
        let before = home.before().await;
        for path in ["/a.txt", "/new.txt"] {
            let pieces = || (0..3).map(|_| Ok(vec![b'x'; 500_000])).collect();
            for body in [reqwest::Body::from(vec![b'x'; 1_500_000]), in_pieces(pieces())] {
                let problem = home.client.put(&file(path), body).await.expect_problem_named(413, "too-large");
                assert_eq!(problem["limit"], 1_048_576);
            }
            let mut stream = send_raw(&server, head(&home, path, u64::MAX).as_bytes()).await;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer[..10], b"HTTP/1.1 4", "what is known to be too large is refused before its first byte");
        }
        home.is_as(&before).await;
        home.client.put(&file("/a.txt"), vec![b'x'; 1_048_576]).await.expect(200);
    }

    async fn headers_that_mean_nothing_are_400(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for path in ["/a.txt", "/new.txt"] {
            for (name, values) in [
                ("x-oc-mtime", ["yesterday", "", "1.x", "99999999999999999999", "-"]),
                ("holdfast-mtime-ns", ["1.5", "", "x", "9223372036854775808", "1e9"]),
                ("last-modified", ["yesterday", "", "2025-01-01T12:00:00Z", "Wed, 99 Jan 2025 12:00:00 GMT", "1735732800"]),
                ("x-expected-entity-length", ["-1", "x", "", "1.5", "99999999999999999999999"]),
                ("content-range", ["bytes 0-1/2", "bytes 0-3/4", "x", "", "bytes */4"]),
            ] {
                for value in values {
                    let mut request = home.client.request(Method::PUT, &file(path)).header(name, value);
                    request = match name {
                        "x-expected-entity-length" => request.body(in_pieces(vec![Ok(b"sent".to_vec())])),
                        _ => request.body("sent"),
                    };
                    let answer = home.client.send(request).await;
                    assert_eq!(answer.status, 400, "{name}: {value}: {}", answer.text());
                    answer.expect_problem(400);
                }
            }
            for name in ["if-match", "if-none-match", "repr-digest", "x-oc-mtime", "last-modified"] {
                let request = home.client.request(Method::PUT, &file(path)).header(name, &b"\"\xff\xfe\""[..]).body("sent");
                home.client.send(request).await.expect_problem(400);
            }
            for coding in ["gzip", "br", "identity, gzip"] {
                home.put_with(path, "sent", &[("content-encoding", coding)]).await.expect_problem(415);
            }
            home.client.put(&format!("{}?parents=perhaps", file(path)), "sent").await.expect_problem(400);
        }
        home.is_as(&before).await;
    }

    async fn a_request_that_is_no_http_is_400(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        let good = head(&home, "/a.txt", 4);
        for bad in [
            good.replace("Content-Length: 4", "Content-Length: 4\r\nContent-Length: 5"),
            good.replace("Content-Length: 4", "Content-Length: -4"),
            good.replace("Content-Length: 4", "Content-Length: 4x"),
            good.replace("Content-Length: 4", "Content-Length: 99999999999999999999999"),
            good.replace("Content-Length: 4", "Transfer-Encoding: chunked\r\n\r\nnonsense"),
            good.replace("Host: test", "Host: test\r\nbad header"),
            good.replace("HTTP/1.1", "HTTP/9.9"),
        ] {
            let mut stream = send_raw(&server, format!("{bad}sent").as_bytes()).await;
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{bad}: {answer}");
        }
        home.is_as(&before).await;
    }

    async fn a_file_is_in_the_way_of_what_would_be_below_it(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for query in ["", "?parents=true"] {
            for path in ["/a.txt/below", "/a.txt/below/deeper", "/A/b.txt/below"] {
                home.client.put(&format!("{}{query}", file(path)), "sent").await.expect_problem(409);
            }
            home.client.put(&format!("{}{query}", file("/A")), "sent").await.expect_problem(409);
        }
        home.is_as(&before).await;
    }

    async fn bodies_that_are_no_json_or_another_kind_are_refused(server: Server) {
        let home = filled(&server).await;
        home.write("/deleted.txt", "deleted").await;
        home.remove("/deleted.txt").await;
        let restore = format!("trash/{}/restore", text(&home.trash().await[0]["id"]));
        let before = home.before().await;
        for noun in ["folders", "moves", "copies", &restore] {
            let address = format!("/api/drives/home/{noun}");
            let post = |body: &str| {
                let request = home.client.request(Method::POST, &address).header("content-type", "application/json");
                home.client.send(request.body(body.to_owned()))
            };
            for broken in [
                "{",
                "nonsense",
                "{\"path\": \"/x\", \"from\": \"/a.txt\", \"to\": \"/new\"} more",
                "{\"path\": \"/x\" \"from\"}",
                "{\"path\": \"\\ud800\", \"from\": \"\\ud800\", \"to\": \"\\ud800\"}",
                "\u{feff}{}",
            ] {
                post(broken).await.expect_problem(400);
            }
            for other in ["[]", "\"/x\"", "1", "{\"path\": 1, \"from\": 1, \"to\": 1}",
                "{\"path\": [\"/x\"], \"from\": {}, \"to\": []}"] {
                post(other).await.expect_problem(422);
            }
        }
        for (noun, incomplete) in [("folders", json!({})), ("moves", json!({"from": "/a.txt"})), ("moves", json!({"to": "/new"})),
            ("copies", json!({"from": "/a.txt"})), ("copies", json!({"to": "/new"})),
            ("moves", json!({"from": "/a.txt", "to": "/new", "overwrite": "no"})),
            ("moves", json!({"from": "/a.txt", "to": null})), ("copies", json!({"from": "/a.txt", "to": "/new", "expect": 1})),
            ("moves", json!({"from": "/a.txt", "to": "/new", "parents": 1})), ("folders", json!({"path": "/x", "parents": "yes"}))] {
            home.client.post(&format!("/api/drives/home/{noun}"), incomplete).await.expect_problem(422);
        }
        for noun in ["folders", "moves", "copies"] {
            let body = json!({"path": "/x", "from": "/a.txt", "to": "/new"}).to_string();
            let request = home.client.request(Method::POST, &format!("/api/drives/home/{noun}")).header("content-type", "text/plain");
            home.client.send(request.body(body)).await.expect_problem(415);
        }
        home.is_as(&before).await;
    }

    async fn methods_that_are_not_there_are_405(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for (method, address) in [(Method::POST, file("/a.txt")), (Method::PATCH, "/api/drives/home/tree/a.txt".to_owned()),
            (Method::PUT, "/api/drives/home/tree/a.txt".to_owned()),
            (Method::DELETE, "/api/drives/home/trash".to_owned()), (Method::GET, "/api/drives/home/moves".to_owned())] {
            home.client.send(home.client.request(method, &address)).await.expect_problem(405);
        }
        home.is_as(&before).await;
    }
}
