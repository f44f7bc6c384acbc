//! The verbs of `holdfastd`.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use support::{Engine, Server, block_on, both_engines, random_hex};

fn run(server: &Server, arguments: &[&str]) -> Output {
    server.command().args(arguments).output().unwrap()
}

fn run_with_input(server: &Server, arguments: &[&str], input: &str) -> Output {
    let mut command = server.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn applied(server: &Server) -> Vec<bool> {
    stdout(&run(server, &["migrate", "status"])).lines().map(|line| line.contains("applied")).collect()
}

#[test]
fn config_prints_effective_values_with_their_sources_and_no_secret() {
    block_on(async {
        let password = random_hex(12);
        let server = Server::builder(Engine::Sqlite)
            .env("HOLDFAST_DATABASE_URL", format!("postgres://ada:{password}@localhost/holdfast"))
            .prepare()
            .await;
        let text = stdout(&run(&server, &["config", "--listen", "127.0.0.1:9"]));
        assert!(text.lines().any(|line| line.starts_with("listen")
            && line.contains("127.0.0.1:9")
            && line.contains("--listen")));
        assert!(text.contains("environment HOLDFAST_DATA_DIR"));
        let json = stdout(&run(&server, &["config", "--json"]));
        let settings: Value = serde_json::from_str(&json).unwrap();
        assert!(
            settings.as_array().unwrap().iter().any(|s| s["key"] == "log_format" && s["source"] == "default")
        );
        for secret in [password.as_str(), server.password()] {
            assert!(!text.contains(secret) && !json.contains(secret));
        }
        assert!(!server.data_dir().exists(), "looking changes nothing");
    });
}

#[test]
fn a_wrong_setting_is_named_and_nothing_starts() {
    block_on(async {
        let mut server = Server::builder(Engine::Sqlite).env("HOLDFAST_LOG_FORMAT", "poetry").prepare().await;
        assert!(!server.try_launch().await.unwrap().success());
        assert!(
            server.log().contains("log_format") && server.log().contains("HOLDFAST_LOG_FORMAT"),
            "{}",
            server.log()
        );
        assert!(!server.data_dir().exists());
    });
}

#[test]
fn an_address_in_use_is_a_clear_word() {
    block_on(async {
        let first = Server::start(Engine::Sqlite).await;
        let mut second =
            Server::builder(Engine::Sqlite).env("HOLDFAST_LISTEN", first.address()).prepare().await;
        assert!(!second.try_launch().await.unwrap().success());
        assert!(second.log().contains(&format!("cannot listen on {}", first.address())), "{}", second.log());
    });
}

#[test]
fn a_superuser_does_not_write_into_somebody_elses_data() {
    block_on(async {
        let mut server = Server::start(Engine::Sqlite).await;
        assert!(server.stop().await.success());
        let changed = std::os::unix::fs::chown(server.data_dir(), Some(65534), Some(65534));
        if changed.is_err() {
            return support::skip("a_superuser_does_not_write_into_somebody_elses_data", "needs root");
        }
        for arguments in [&["user", "list"][..], &["migrate", "status"]] {
            let output = run(&server, arguments);
            assert!(!output.status.success());
            assert!(String::from_utf8_lossy(&output.stderr).contains("belongs to user 65534"));
        }
        assert!(run(&server, &["config"]).status.success());
    });
}

both_engines! {
    async fn healthcheck_tells_by_its_exit_code(server: Server) {
        let mut server = server;
        assert!(run(&server, &["healthcheck"]).status.success());
        server.kill9();
        assert!(!run(&server, &["healthcheck"]).status.success());
    }

    async fn accounts_are_made_and_repaired_from_the_command_line_while_the_server_runs(server: Server) {
        let (first, second) = (random_hex(12), random_hex(12));
        let added = run_with_input(&server, &["user", "add", "eva", "--admin", "--display-name", "Eva"], &format!("{first}\n"));
        assert!(stdout(&added).contains("eva"));
        let eva = server.client().login("eva", &first).await;
        let me = eva.get("/api/me").await.expect(200);
        assert_eq!(me["role"], "admin");
        assert_eq!(me["display_name"], "Eva");
        assert!(stdout(&run(&server, &["user", "list"])).lines().any(|line| line.contains("eva") && line.contains("admin")));
        stdout(&run_with_input(&server, &["user", "passwd", "EVA"], &format!("{second}\n")));
        eva.get("/api/me").await.expect_problem(401);
        server.client().login("eva", &second).await;
        let again = run_with_input(&server, &["user", "add", "Eva"], &format!("{first}\n"));
        assert!(!again.status.success());
        assert!(String::from_utf8_lossy(&again.stderr).contains("taken"));
        assert!(!run_with_input(&server, &["user", "passwd", "nobody"], &format!("{first}\n")).status.success());
        assert!(!run_with_input(&server, &["user", "add", "empty"], "").status.success());
    }

    async fn migrations_go_up_down_and_up_again(builder: Builder) {
        let mut server = builder.prepare().await;
        assert!(applied(&server).iter().all(|applied| !applied));
        stdout(&run(&server, &["migrate", "up", "--to", "1"]));
        assert_eq!(applied(&server)[..2], [true, false]);
        stdout(&run(&server, &["migrate", "up"]));
        assert!(applied(&server).iter().all(|applied| *applied));
        stdout(&run(&server, &["migrate", "down", "--to", "1"]));
        assert_eq!(applied(&server)[..2], [true, false]);
        stdout(&run(&server, &["migrate", "down", "--to", "0"]));
        assert!(applied(&server).iter().all(|applied| !applied));
        assert!(!run(&server, &["migrate", "up", "--to", "99"]).status.success());
        server.launch().await;
        assert!(applied(&server).iter().all(|applied| *applied), "the server migrates at its start");
        server.admin().await;
    }

    async fn a_server_that_may_not_migrate_refuses_an_old_catalogue(builder: Builder) {
        let mut server = builder.env("HOLDFAST_MIGRATE", "false").prepare().await;
        assert!(!server.try_launch().await.unwrap().success());
        assert!(server.log().contains("holdfastd migrate up"), "{}", server.log());
        stdout(&run(&server, &["migrate", "up"]));
        server.launch().await;
    }
}
