//! https, also by a server that is its own authority.

use support::{Engine, Server, block_on};

use crate::tool::Tool;

#[test]
fn a_server_that_is_its_own_authority_is_trusted_by_its_certificate_alone() {
    block_on(async {
        let server = Server::builder(Engine::Sqlite).env("HOLDFAST_TLS_LISTEN", "127.0.0.1:0").start().await;
        let tool = Tool::new();
        let mut login = vec!["login", server.secure_url(), "-u", server.username(), "--password-stdin"];
        tool.run_with(&login, server.password()).await.failed(6, &["does not trust", "/ca.crt", "--ca"]);
        tool.write("not.pem", "hello");
        login.extend(["--ca", "not.pem"]);
        tool.run_with(&login, server.password()).await.failed(2, &["not.pem", "no certificate"]);
        tool.write("ca.pem", server.client().get("/ca.crt").await.bytes);
        *login.last_mut().unwrap() = "ca.pem";
        tool.run_with(&login, server.password()).await.ok();
        // It is remembered; the file may go.
        std::fs::remove_file(tool.here().join("ca.pem")).unwrap();
        tool.write("a.txt", "a");
        tool.run(&["put", "a.txt"]).await.ok();
        assert_eq!(tool.run(&["get", "a.txt", "-"]).await.ok().out, "a");
        tool.run(&["logout"]).await.ok();
        login.truncate(5);
        tool.run_with(&login, server.password()).await.ok();
    });
}

#[test]
fn https_where_only_http_is_spoken_is_told_as_that() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let tool = Tool::new();
        let url = server.url().replace("http://", "https://");
        let login = ["login", &url, "-u", "ada", "--password-stdin"];
        tool.run_with(&login, "x\n").await.failed(6, &["does not speak https"]);
    });
}
