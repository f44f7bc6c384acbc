//! Signing in with an account's password.

use serde_json::json;
use support::{both_engines, random_hex};

both_engines! {
    async fn a_login_gives_tokens_that_open_the_api(server: Server) {
        let body = json!({"username": server.username(), "password": server.password()});
        let tokens = server.client().post("/api/auth/login", body).await.expect(200);
        assert_eq!(tokens["token_type"], "bearer");
        assert!(tokens["expires_in"].as_u64().unwrap() > 0);
        let me = server.client().with_tokens(&tokens).get("/api/me").await.expect(200);
        assert_eq!(me["username"], server.username());
        assert_eq!(me["role"], "admin");
        assert_eq!(me["credential"], "session");
    }

    async fn the_name_counts_without_regard_to_case(server: Server) {
        let body = json!({"username": server.username().to_uppercase(), "password": server.password()});
        server.client().post("/api/auth/login", body).await.expect(200);
    }

    async fn a_name_longer_than_any_can_be_is_not_even_looked_at(server: Server) {
        let padded = format!("{}{}", server.username(), " ".repeat(5000));
        let body = json!({"username": padded, "password": server.password()});
        server.client().post("/api/auth/login", body).await.expect_problem_named(401, "wrong-credentials");
        server.client().basic(&padded, server.password()).get("/api/me").await
            .expect_problem_named(401, "wrong-credentials");
    }

    async fn a_wrong_password_and_an_unknown_name_are_told_alike(server: Server) {
        let client = server.client();
        let wrong = json!({"username": server.username(), "password": random_hex(12)});
        let unknown = json!({"username": random_hex(4), "password": server.password()});
        let wrong = client.post("/api/auth/login", wrong).await.expect_problem_named(401, "wrong-credentials");
        let unknown = client.post("/api/auth/login", unknown).await.expect_problem_named(401, "wrong-credentials");
        assert_eq!(wrong, unknown);
    }

    async fn neither_passwords_nor_tokens_are_logged(server: Server) {
        let admin = server.admin().await;
        admin.get("/api/me").await.expect(200);
        let made = admin.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        let app_password = made["password"].as_str().unwrap();
        server.client().basic(server.username(), app_password).get("/api/me").await.expect(200);
        server.client().basic(server.username(), &random_hex(12)).get("/api/me").await.expect_problem(401);
        let log = server.log();
        assert!(log.contains("/api/me"), "the log tells of requests");
        for secret in [server.password(), admin.access_token(), admin.refresh_token(), app_password] {
            assert!(!log.contains(secret));
        }
    }

    async fn basic_with_the_account_password_works_and_ends_with_it(server: Server) {
        let basic = server.client().basic(server.username(), server.password());
        for _ in 0..3 {
            assert_eq!(basic.get("/api/me").await.expect(200)["credential"], "password");
        }
        let fresh = random_hex(12);
        let change = json!({"current_password": server.password(), "new_password": fresh});
        basic.post("/api/me/password", change).await.expect(204);
        basic.get("/api/me").await.expect_problem_named(401, "wrong-credentials");
        server.client().basic(server.username(), &fresh).get("/api/me").await.expect(200);
    }

    async fn a_credential_of_no_known_kind_is_401_and_says_which_are(server: Server) {
        for value in ["", "Bearer", "Basic", "Basic !", "Basic bm9jb2xvbg==", "Digest x", "Bearer a.b.c", "\u{ff}"] {
            let request = server.client().request(reqwest::Method::GET, "/api/me").header("authorization", value);
            let answer = server.client().send(request).await;
            let schemes: Vec<_> = answer.headers.get_all("www-authenticate").iter().cloned().collect();
            assert!(schemes.iter().any(|scheme| scheme.as_bytes().starts_with(b"Bearer ")), "{value:?}");
            assert!(schemes.iter().any(|scheme| scheme.as_bytes().starts_with(b"Basic ")), "{value:?}");
            answer.expect_problem(401);
        }
    }
}
