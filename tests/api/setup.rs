//! The first account.

use serde_json::{Value, json};
use support::{Server, both_engines, random_hex};

/// The code as the server printed it: a line of its own, the last one.
fn code(server: &Server) -> String {
    let log = server.log();
    let mut codes = log
        .lines()
        .map(str::trim)
        .filter(|line| line.len() == 20 && line.bytes().all(|b| b.is_ascii_hexdigit()));
    codes.next_back().unwrap().to_owned()
}

fn wanted(code: &str) -> Value {
    json!({"code": code, "username": "ada", "password": random_hex(12)})
}

both_engines! {
    async fn the_printed_code_makes_the_first_account_an_admin_once(builder: Builder) {
        let server = builder.without_admin().start().await;
        let code = code(&server);
        server.client().post("/api/setup", wanted(&random_hex(10))).await.expect_problem_named(403, "wrong-code");
        let body = wanted(&code);
        let password = body["password"].as_str().unwrap().to_owned();
        assert_eq!(server.client().post("/api/setup", body).await.expect(201)["role"], "admin");
        server.client().login("ada", &password).await.get("/api/users").await.expect(200);
        server.client().post("/api/setup", wanted(&code)).await.expect_problem_named(409, "already-set-up");
    }

    async fn a_code_makes_one_account_even_when_used_many_times_at_once(builder: Builder) {
        let server = builder.without_admin().start().await;
        let code = code(&server);
        let bodies: Vec<Value> =
            (0..4).map(|n| json!({"code": code, "username": format!("u{n}"), "password": random_hex(12)})).collect();
        let client = server.client();
        let answers = futures_util::future::join_all(bodies.into_iter().map(|body| client.post("/api/setup", body))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 403, 409].contains(status)), "{statuses:?}");
        assert_eq!(std::fs::read_dir(server.data_dir().join("drives")).unwrap().count(), 1, "one home, nothing left over");
    }

    async fn a_bad_name_does_not_use_up_the_code(builder: Builder) {
        let server = builder.without_admin().start().await;
        let code = code(&server);
        let body = json!({"code": code, "username": "a:b", "password": random_hex(12)});
        server.client().post("/api/setup", body).await.expect_problem(422);
        server.client().post("/api/setup", wanted(&code)).await.expect(201);
    }

    async fn a_restart_prints_another_code(builder: Builder) {
        let mut server = builder.without_admin().start().await;
        let first = code(&server);
        server.restart().await;
        assert_ne!(code(&server), first);
        server.client().post("/api/setup", wanted(&first)).await.expect_problem_named(403, "wrong-code");
        server.client().post("/api/setup", wanted(&code(&server))).await.expect(201);
    }

    async fn the_settings_make_the_first_account_and_change_none_later(server: Server) {
        let mut server = server;
        server.client().post("/api/setup", wanted("")).await.expect_problem_named(409, "already-set-up");
        let password = server.password().to_owned();
        server.set_env("HOLDFAST_ADMIN_PASSWORD", random_hex(12));
        server.restart().await;
        server.client().login(server.username(), &password).await;
    }
}
