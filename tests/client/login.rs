//! Logging in and out.

use std::os::unix::fs::PermissionsExt as _;

use support::{Engine, Server, block_on};

use crate::tool::{Tool, names_in, with_server};

#[test]
fn a_login_without_a_terminal_takes_the_password_from_standard_input_or_the_environment() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        Tool::new().login(&server).await.ok();
        let tool = Tool::new();
        let arguments =
            ["login", server.url(), "-u", server.username(), "--device-name", "Ada's laptop", "--json"];
        let output =
            tool.command(&arguments).env("HOLDFAST_PASSWORD", server.password()).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["username"], server.username());
        assert_eq!(told["device_name"], "Ada's laptop");
        let device =
            server.admin().await.get(&format!("/api/devices/{}", told["device_id"].as_str().unwrap())).await;
        let device = device.expect(200);
        assert_eq!((&device["device_name"], &device["platform"]), (&"Ada's laptop".into(), &"linux".into()));
    });
}

#[test]
fn what_proves_a_login_is_for_its_owner_alone_and_the_password_is_not_kept() {
    with_server(async |server, tool| {
        let mode = |name: &str| tool.state().join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("account.json"), 0o600);
        assert_eq!(mode(""), 0o700);
        for name in names_in(&tool.state()) {
            let text = std::fs::read_to_string(tool.state().join(&name)).unwrap();
            assert!(!text.contains(server.password()), "{name}");
        }
        // Rewritten, it is still theirs alone.
        tool.run(&["devices", "rename", "again"]).await.ok();
        assert_eq!(mode("account.json"), 0o600);
    });
}

#[test]
fn a_wrong_password_is_told_as_one_and_nothing_is_kept() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let tool = Tool::new();
        let login = ["login", server.url(), "-u", server.username(), "--password-stdin"];
        tool.run_with(&login, "wrong\n").await.failed(5, &["user name or password is wrong"]);
        assert!(!tool.state().join("account.json").exists());
        tool.run(&["ls"]).await.failed(5, &["you are not logged in", "holdfast login URL"]);
        for _ in 0..15 {
            tool.run_with(&login, "wrong\n").await;
        }
        tool.run_with(&login, "wrong\n").await.failed(6, &["too many attempts", "try again in"]);
    });
}

#[test]
fn a_login_that_lacks_something_says_what() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let tool = Tool::new();
        tool.run(&["login", server.url()]).await.failed(2, &["--username"]);
        tool.run(&["login", server.url(), "-u", "ada"])
            .await
            .failed(2, &["--password-stdin", "HOLDFAST_PASSWORD"]);
        tool.run(&["login", server.url(), "-u", "ada", "--password-stdin"]).await.failed(2, &["no password"]);
        tool.run(&["login", "nas.local:8000"]).await.failed(2, &["http://nas.local:8000"]);
        tool.run(&["login", "ftp://nas"]).await.failed(2, &["not by ftp://"]);
        tool.run(&["login", "http://ada:secret@nas"]).await.failed(2, &["leave the name and password out"]);
    });
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address() {
    with_server(async |mut server, tool| {
        let url = server.url().to_owned();
        server.stop().await;
        tool.run(&["ls"]).await.failed(6, &[&url, "cannot be reached", "check that it runs"]);
        tool.run(&["logout"]).await.failed(6, &["you are still logged in", "--local"]);
        tool.run(&["logout", "--local"]).await.ok();
        tool.run(&["ls"]).await.failed(5, &["you are not logged in"]);
        let login = ["login", &url, "-u", "ada", "--password-stdin"];
        tool.run_with(&login, "whatever\n").await.failed(6, &[&url, "cannot be reached"]);
    });
}

#[test]
fn after_a_logout_the_login_counts_no_more_and_the_device_is_the_same_at_the_next() {
    with_server(async |server, tool| {
        let account = || -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(tool.state().join("account.json")).unwrap()).unwrap()
        };
        let before = account();
        tool.run(&["logout"]).await.ok();
        assert!(account()["tokens"].is_null());
        let old = server.client().with_access_token(before["tokens"]["access"].as_str().unwrap());
        assert_eq!(old.get("/api/me").await.status, 401);
        tool.run(&["logout"]).await.failed(5, &["not logged in"]);
        tool.login(&server).await.ok();
        assert_eq!(account()["device_id"], before["device_id"]);
        tool.run(&["ls"]).await.ok();
    });
}

#[test]
fn a_second_server_needs_a_logout_or_a_state_of_its_own() {
    with_server(async |server, tool| {
        let other = Server::start(Engine::Sqlite).await;
        tool.login(&other).await.failed(4, &[server.url(), "holdfast logout", "--state"]);
        tool.login(&server).await.ok();
        let state = tool.here().join("second");
        let state = state.to_str().unwrap();
        let login = ["--state", state, "login", other.url(), "-u", other.username(), "--password-stdin"];
        tool.run_with(&login, other.password()).await.ok();
        let status = async |arguments: &[&str]| tool.json(arguments).await["server"].clone();
        assert_eq!(status(&["status"]).await, server.url());
        assert_eq!(status(&["status", "--state", state]).await, other.url());
    });
}

#[test]
fn a_damaged_login_is_told_and_mended_by_the_next_login() {
    with_server(async |server, tool| {
        std::fs::write(tool.state().join("account.json"), "{\"server\": ").unwrap();
        tool.run(&["ls"]).await.failed(1, &["account.json is damaged", "log in again"]);
        tool.login(&server).await.ok();
        tool.run(&["ls"]).await.ok();
    });
}

#[test]
fn a_status_shows_who_is_logged_in_where() {
    with_server(async |server, tool| {
        let told = tool.run(&["status"]).await.ok().out;
        for word in [server.url(), server.username(), "home (online)", "none"] {
            assert!(told.contains(word), "{told}");
        }
        let told = tool.json(&["status"]).await;
        assert_eq!((&told["drives"][0]["name"], &told["open_conflicts"]), (&"home".into(), &0.into()));
        let drives = tool.json(&["drives"]).await;
        assert_eq!((&drives[0]["name"], &drives[0]["right"]), (&"home".into(), &"own".into()));
        assert!(tool.run(&["drives"]).await.ok().out.contains("online"));
    });
}
