//! Start and stop.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use support::{Engine, Server, block_on, both_engines, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A login whose head and half of whose body are with the server, and the rest of the body.
async fn half_a_login(server: &Server) -> (TcpStream, String) {
    let body = json!({"username": server.username(), "password": server.password()}).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address(),
        body.len()
    );
    stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
    // The server has begun with it once it answers somebody who came later on the same socket queue.
    server.client().get("/healthz").await.expect(200);
    (stream, rest.to_owned())
}

/// Until nobody takes connections there any more.
async fn closed(address: &str) {
    eventually("the server to take no more connections", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
}

#[test]
fn a_request_that_never_ends_does_not_hold_up_the_end_for_ever() {
    block_on(async {
        let mut server = Server::builder(Engine::Sqlite).env("HOLDFAST_SHUTDOWN_GRACE", "1").start().await;
        let (_stream, _) = half_a_login(&server).await;
        assert!(server.stop().await.success());
        assert!(server.log().contains("cut off"), "{}", server.log());
    });
}

#[test]
fn asked_twice_the_server_stops_at_once() {
    block_on(async {
        let mut server = Server::start(Engine::Sqlite).await;
        let (_stream, _) = half_a_login(&server).await;
        server.signal("TERM");
        closed(server.address()).await;
        server.signal("TERM");
        assert!(!server.ended().await.success());
    });
}

#[test]
fn a_stopped_server_leaves_its_catalogue_in_one_file() {
    block_on(async {
        let mut server = Server::start(Engine::Sqlite).await;
        server.member().await;
        assert!(server.stop().await.success());
        let files: Vec<String> = std::fs::read_dir(server.data_dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("catalog"))
            .collect();
        assert_eq!(files, ["catalog.db"]);
    });
}

both_engines! {
    async fn a_request_under_way_is_finished_before_the_end(server: Server) {
        let mut server = server;
        let (mut stream, rest) = half_a_login(&server).await;
        server.signal("TERM");
        closed(server.address()).await;
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("refresh_token"));
        assert!(server.ended().await.success());
    }

    async fn a_catalogue_that_goes_away_for_a_moment_is_used_again(server: Server) {
        let admin = server.admin().await;
        server.cut_database_connections().await;
        eventually("the catalogue to be used again", || async {
            (admin.patch("/api/me", json!({"display_name": "Ada"})).await.status == 200).then_some(())
        })
        .await;
        assert_eq!(admin.get("/api/me").await.expect(200)["display_name"], "Ada");
        server.client().get("/readyz").await.expect(200);
    }

    async fn a_fresh_server_is_healthy_ready_and_stops_in_order(server: Server) {
        let mut server = server;
        assert_eq!(server.client().get("/healthz").await.expect(200)["status"], "ok");
        assert_eq!(server.client().get("/readyz").await.expect(200)["status"], "ok");
        assert!(server.stop().await.success());
        assert!(!server.data_dir().join("listen").exists());
        server.launch().await;
        server.signal("INT");
        assert!(server.ended().await.success());
    }

    async fn what_the_server_keeps_is_for_its_user_alone(server: Server) {
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&server.data_dir()), 0o700);
        assert_eq!(mode(&server.data_dir().join("secret.key")), 0o600);
        let catalogue = server.data_dir().join("catalog.db");
        if catalogue.exists() {
            for entry in std::fs::read_dir(server.data_dir()).unwrap() {
                let path = entry.unwrap().path();
                if path.to_string_lossy().contains("catalog.db") {
                    assert_eq!(mode(&path), 0o600, "{}", path.display());
                }
            }
        }
    }

    async fn the_start_says_what_it_is_where_to_go_and_how_to_log_in(server: Server) {
        let log = server.log();
        assert!(log.contains("Holdfast") && log.contains(&format!("{}/docs", server.url())) && log.contains("Log in"), "{log}");
    }
}
