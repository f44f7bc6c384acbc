//! A path that cannot be is refused by every endpoint, and nothing leaves the drive.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Server, both_engines, status_of_raw};
use tokio::io::AsyncReadExt as _;

use crate::home::{Home, encoded, file, text};

/// Paths that nobody may name, as they look after the decoding of an address.
fn forbidden() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/a/../../x",
        "/../x",
        "/..",
        "/a/..",
        "/./x",
        "/A/.",
        "/a//x",
        "//x",
        "/x//",
        "/nul\0.txt",
        "/\0",
        "/.holdfast",
        "/.holdfast/drive.json",
        "/.holdfast/versions/00/x",
        "/.Holdfast/drive.json",
        "/.HOLDFAST",
        "/.holdfast./drive.json",
        "/.holdfast ",
        "/.holdfast::$DATA",
        "/HOLDFA~1",
        "/.hold\u{200d}fast/drive.json",
        "/.holdfa\u{17f}t",
        "/\u{ff0e}\u{ff48}oldfast",
        "/A/.holdfast",
        "/A/.holdfast/x",
        "/A/B/.HoldFast/x",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/{}", "x".repeat(256)));
    paths.push(format!("/A/{}/x", "\u{e4}".repeat(128)));
    paths.push("/folder".repeat(600));
    paths
}

/// What a person would see of it.
fn shown(path: &str) -> String {
    path.chars().take(40).flat_map(char::escape_default).collect()
}

/// The whole answer to a request whose address is sent as it is written.
async fn raw(server: &Server, home: &Home, method: &str, address: &str) -> (u16, Value) {
    let request = format!(
        "{method} {address} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\nContent-Length: 1\r\n\
         Connection: close\r\n\r\nx",
        home.client.access_token()
    );
    let mut stream = support::send_raw(server, request.as_bytes()).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    if status >= 400 {
        assert!(
            head.to_ascii_lowercase().contains("content-type: application/problem+json"),
            "{method} {address}: {head}"
        );
    }
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn filled(server: &Server) -> Home {
    Home::with(server, &[("/a.txt", "a"), ("/A/b.txt", "b")]).await
}

both_engines! {
    async fn a_path_that_cannot_be_is_422_wherever_it_stands_in_an_address(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for path in forbidden() {
            // Dots are dissolved by the client unless what is between them is encoded as well.
            let encoded = encoded(&path).replace('/', "%2F").replace('.', "%2E");
            for (method, noun) in [("PUT", "files"), ("GET", "files"), ("DELETE", "files"), ("GET", "tree")] {
                let (status, problem) = raw(&server, &home, method, &format!("/api/drives/home/{noun}/{encoded}")).await;
                assert_eq!(status, 422, "{method} {noun} {}: {problem}", shown(&path));
                assert_eq!(problem["type"], "urn:holdfast:problem:bad-path");
            }
        }
        home.is_as(&before).await;
    }

    async fn a_path_that_cannot_be_is_422_wherever_it_stands_in_a_body(server: Server) {
        let home = filled(&server).await;
        home.write("/deleted.txt", "deleted").await;
        home.remove("/deleted.txt").await;
        let restore = format!("trash/{}/restore", text(&home.trash().await[0]["id"]));
        let before = home.before().await;
        for path in forbidden() {
            for (noun, body) in [
                ("folders", json!({"path": path})),
                ("moves", json!({"from": path, "to": "/new"})),
                ("moves", json!({"from": "/a.txt", "to": path, "parents": true, "overwrite": true})),
                ("copies", json!({"from": path, "to": "/new"})),
                ("copies", json!({"from": "/a.txt", "to": path, "parents": true, "overwrite": true})),
                (&restore, json!({"to": path})),
            ] {
                let answer = home.client.post(&format!("/api/drives/home/{noun}"), body).await;
                assert_eq!(answer.status, 422, "{noun} {}: {}", shown(&path), answer.text());
                answer.expect_problem(422);
            }
        }
        home.is_as(&before).await;
    }

    async fn dots_in_an_address_do_not_lead_out_of_the_drive(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for path in ["..", "../x", "A/../../x", "A/..", "A/.", ".", "./a.txt", "a.txt/.", "a.txt/..", "../../../../etc/passwd",
            "%2e%2e", "%2e%2e/x", "%2E%2E%2Fx", "..%2fx", "..%2f..%2f..%2fsecret.key", "A%2f..%2f..%2fx", ".%2e/x", "A/%2e/b.txt"] {
            for (method, noun) in [("PUT", "files"), ("GET", "files"), ("DELETE", "files"), ("HEAD", "files"), ("GET", "tree")] {
                let status = status_of_raw(&server, &home.client, method, &format!("/api/drives/home/{noun}/{path}")).await;
                assert_eq!(status, 422, "{method} {noun}/{path}");
            }
        }
        for address in ["/api/drives/../drives/home/files/x", "/api/drives/home/../home/files/x", "/api/./drives/home/files/x",
            "/api/drives/%2e%2e/files/x", "/api/drives/home%2f../files/x", "/..", "/../etc/passwd", "//api/drives/home/files/x"] {
            let status = status_of_raw(&server, &home.client, "PUT", address).await;
            assert!(matches!(status, 404 | 405 | 422), "{address}: {status}");
        }
        home.is_as(&before).await;
    }

    async fn an_address_that_is_not_utf_8_is_400(server: Server) {
        let home = filled(&server).await;
        let before = home.before().await;
        for path in ["%ff", "A/%ff.txt", "%c3%28", "%ed%a0%80", "a%80b", "%F5%80%80%80", "%c0%ae%c0%ae/x"] {
            for (method, noun) in [("PUT", "files"), ("GET", "files"), ("DELETE", "files"), ("GET", "tree")] {
                let (status, problem) = raw(&server, &home, method, &format!("/api/drives/home/{noun}/{path}")).await;
                assert_eq!(status, 400, "{method} {noun}/{path}: {problem}");
            }
        }
        home.is_as(&before).await;
    }

    async fn what_is_no_percent_encoding_is_a_name(server: Server) {
        let home = Home::of(&server).await;
        for (address, path) in [("100%", "/100%"), ("%zz", "/%zz"), ("%4", "/%4"), ("a%2", "/a%2"), ("%25zz", "/%zz")] {
            let (status, made) = raw(&server, &home, "PUT", &format!("/api/drives/home/files/{address}")).await;
            assert!(matches!(status, 200 | 201), "{address}: {status}");
            assert_eq!(made["path"], path);
        }
        home.is_plain().await;
    }

    async fn the_reserved_folder_is_invisible(server: Server) {
        let home = filled(&server).await;
        assert!(home.root.join(".holdfast/drive.json").exists());
        assert!(home.paths().await.iter().all(|path| !path.to_lowercase().contains("holdfast")));
        for (method, address) in [(Method::GET, "files/.holdfast/drive.json"), (Method::DELETE, "files/.holdfast/drive.json"),
            (Method::DELETE, "files/.holdfast"), (Method::GET, "tree/.holdfast")] {
            let request = home.client.request(method, &format!("/api/drives/home/{address}"));
            home.client.send(request).await.expect_problem_named(422, "bad-path");
        }
        assert!(home.root.join(".holdfast/drive.json").exists());
    }

    async fn the_longest_path_is_taken_and_one_byte_more_refused(server: Server) {
        let home = Home::of(&server).await;
        let longest = format!("{}/{}/x", format!("/{}", "x".repeat(255)).repeat(15), "x".repeat(254));
        assert_eq!(longest.trim_start_matches('/').len(), 4096);
        let before = home.before().await;
        let address = |path: &str| format!("{}?parents=true", file(path));
        home.client.put(&address(&format!("{longest}y")), "deep").await.expect_problem_named(422, "bad-path");
        home.is_as(&before).await;
        let made = home.client.put(&address(&longest), "deep").await;
        assert_eq!(made.header("holdfast-placement"), None, "{}", made.text());
        made.expect(201);
        assert_eq!(home.read(&longest).await, "deep");
        home.remove(&longest).await;
        home.client.get(&file(&longest)).await.expect_problem(404);
    }
}
