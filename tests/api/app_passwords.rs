//! App passwords with Basic.

use serde_json::json;
use support::{both_engines, random_hex};

both_engines! {
    async fn an_app_password_opens_the_api_with_basic_and_is_shown_once(server: Server) {
        let admin = server.admin().await;
        let made = admin.post("/api/app-passwords", json!({"name": "Finder"})).await.expect(201);
        let secret = made["password"].as_str().unwrap();
        let me = server.client().basic(server.username(), secret).get("/api/me").await.expect(200);
        assert_eq!(me["credential"], "app_password");
        assert_eq!(me["device_id"], json!(null));
        let listed = admin.get("/api/app-passwords").await;
        assert!(!listed.text().contains(secret));
        let listed = listed.expect(200);
        assert_eq!(listed["items"][0]["name"], "Finder");
        assert_eq!(listed["items"][0]["id"], made["id"]);
    }

    async fn hyphens_and_case_of_an_app_password_do_not_matter(server: Server) {
        let made = server.admin().await.post("/api/app-passwords", json!({"name": "phone"})).await.expect(201);
        let typed = made["password"].as_str().unwrap().replace('-', " ").to_uppercase();
        server.client().basic(server.username(), &typed).get("/api/me").await.expect(200);
    }

    async fn an_app_password_belongs_to_its_name(server: Server) {
        let made = server.admin().await.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        let (other, _) = server.member().await;
        let secret = made["password"].as_str().unwrap();
        server.client().basic(&other, secret).get("/api/me").await.expect_problem_named(401, "wrong-credentials");
        let login = json!({"username": server.username(), "password": secret});
        server.client().post("/api/auth/login", login).await.expect_problem_named(401, "wrong-credentials");
    }

    async fn a_revoked_app_password_stops_at_once_and_the_others_go_on(server: Server) {
        let admin = server.admin().await;
        let first = admin.post("/api/app-passwords", json!({"name": "one"})).await.expect(201);
        let second = admin.post("/api/app-passwords", json!({"name": "two"})).await.expect(201);
        let client = |made: &serde_json::Value| {
            server.client().basic(server.username(), made["password"].as_str().unwrap())
        };
        let path = format!("/api/app-passwords/{}", first["id"].as_str().unwrap());
        let (_, stranger) = server.member().await;
        stranger.delete(&path).await.expect_problem(404);
        client(&first).get("/api/me").await.expect(200);
        admin.delete(&path).await.expect(204);
        client(&first).get("/api/me").await.expect_problem(401);
        client(&second).get("/api/me").await.expect(200);
        admin.delete(&path).await.expect_problem(404);
        assert_eq!(admin.get("/api/app-passwords").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn an_app_password_cannot_make_others_or_manage_the_account(server: Server) {
        let admin = server.admin().await;
        let made = admin.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        let program = server.client().basic(server.username(), made["password"].as_str().unwrap());
        program.post("/api/app-passwords", json!({"name": "more"})).await.expect_problem_named(403, "needs-login");
        program.get("/api/app-passwords").await.expect_problem_named(403, "needs-login");
        program.get("/api/users").await.expect_problem_named(403, "needs-login");
        program.get("/api/me/sessions").await.expect_problem_named(403, "needs-login");
        program.patch("/api/me", json!({"display_name": "x"})).await.expect_problem_named(403, "needs-login");
        let change = json!({"current_password": server.password(), "new_password": random_hex(12)});
        program.post("/api/me/password", change).await.expect_problem_named(403, "needs-login");
        assert_eq!(admin.get("/api/app-passwords").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn an_app_password_for_a_device_needs_that_device(server: Server) {
        let admin = server.admin().await;
        let body = json!({"name": "mail", "device_id": "unknown"});
        admin.post("/api/app-passwords", body).await.expect_problem_named(404, "unknown-device");
        let unnamed = json!({"name": " "});
        admin.post("/api/app-passwords", unnamed).await.expect_problem(422);
    }
}
