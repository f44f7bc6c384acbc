//! How many wrong passwords one gets.

use serde_json::json;
use support::{Server, both_engines, random_hex};

async fn wrong_login(server: &Server, username: &str) -> support::Answer {
    let body = json!({"username": username, "password": random_hex(12)});
    server.client().post("/api/auth/login", body).await
}

both_engines! {
    async fn an_account_under_attack_is_closed_and_says_when_to_come_back(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        let admin = server.admin().await;
        let made = admin.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        for _ in 0..3 {
            wrong_login(&server, server.username()).await.expect_problem(401);
        }
        let answer = wrong_login(&server, server.username()).await;
        assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        answer.expect_problem_named(429, "too-many-attempts");
        // The right password would tell the attacker that it is right.
        let right = json!({"username": server.username(), "password": server.password()});
        server.client().post("/api/auth/login", right).await.expect_problem(429);
        server.client().basic(server.username(), server.password()).get("/api/me").await.expect_problem(429);
        // Whoever is in stays in, and an app password cannot be guessed.
        admin.get("/api/me").await.expect(200);
        server.client().basic(server.username(), made["password"].as_str().unwrap()).get("/api/me").await.expect(200);
    }

    async fn basic_counts_like_a_login(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        for _ in 0..3 {
            server.client().basic(server.username(), &random_hex(12)).get("/api/me").await.expect_problem(401);
        }
        server.client().basic(server.username(), &random_hex(12)).get("/api/me").await.expect_problem(429);
        wrong_login(&server, server.username()).await.expect_problem(429);
    }

    async fn an_address_is_closed_whatever_names_it_tries(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS_PER_ADDRESS", "3").start().await;
        for _ in 0..3 {
            wrong_login(&server, &random_hex(4)).await.expect_problem(401);
        }
        wrong_login(&server, &random_hex(4)).await.expect_problem_named(429, "too-many-attempts");
    }

    async fn attempts_at_once_count_like_attempts_in_a_row(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        let attempts = (0..10).map(|_| wrong_login(&server, server.username()));
        let answers = futures_util::future::join_all(attempts).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 3);
        assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 7);
    }

    async fn a_program_that_begins_with_many_requests_at_once_is_let_in(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        let mounted = server.client().basic(server.username(), server.password());
        let answers = futures_util::future::join_all((0..20).map(|_| mounted.get("/api/me"))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    }

    async fn right_passwords_do_not_use_up_attempts(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "2").start().await;
        for _ in 0..5 {
            server.admin().await;
            wrong_login(&server, server.username()).await.expect_problem(401);
        }
    }

    async fn changing_a_password_is_no_way_around(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        let admin = server.admin().await;
        let guess = || json!({"current_password": random_hex(12), "new_password": random_hex(12)});
        for _ in 0..3 {
            admin.post("/api/me/password", guess()).await.expect_problem(403);
        }
        admin.post("/api/me/password", guess()).await.expect_problem(429);
    }

    async fn behind_a_trusted_proxy_each_client_has_its_own_attempts(builder: Builder) {
        let server = builder
            .env("HOLDFAST_TRUSTED_PROXIES", "127.0.0.1")
            .env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS_PER_ADDRESS", "2")
            .start()
            .await;
        let attempt = |from: &'static str| {
            let body = json!({"username": random_hex(4), "password": random_hex(12)});
            let request = server.client().request(reqwest::Method::POST, "/api/auth/login").json(&body);
            let client = server.client();
            async move { client.send(request.header("x-forwarded-for", from)).await.status }
        };
        for _ in 0..2 {
            assert_eq!(attempt("198.51.100.7").await, 401);
        }
        assert_eq!(attempt("198.51.100.7").await, 429);
        assert_eq!(attempt("203.0.113.1, 198.51.100.7").await, 429, "what a client says of itself counts for nothing");
        assert_eq!(attempt("198.51.100.8").await, 401);
    }

    async fn the_setup_code_cannot_be_guessed_for_long(builder: Builder) {
        let server = builder.without_admin().env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS", "3").start().await;
        let guess = || json!({"code": random_hex(10), "username": "mallory", "password": random_hex(12)});
        for _ in 0..3 {
            server.client().post("/api/setup", guess()).await.expect_problem_named(403, "wrong-code");
        }
        server.client().post("/api/setup", guess()).await.expect_problem(429);
    }
}
