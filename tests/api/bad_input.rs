//! What cannot be understood gets a clear answer and changes nothing.

use reqwest::Method;
use serde_json::json;
use support::{both_engines, random_hex};

both_engines! {
    async fn broken_json_is_400_and_json_of_another_shape_422(server: Server) {
        let client = server.client();
        let post = |body: &'static str| {
            let request = client.request(Method::POST, "/api/auth/login").header("content-type", "application/json").body(body);
            client.send(request)
        };
        for broken in ["", "{", "{\"username\": \"a\",}", "nonsense", "{\"username\": \"\\ud800\"}"] {
            post(broken).await.expect_problem(400);
        }
        for shape in ["[]", "{}", "\"text\"", "{\"username\": 1, \"password\": \"x\"}", "null"] {
            post(shape).await.expect_problem(422);
        }
    }

    async fn a_body_that_is_not_called_json_is_415(server: Server) {
        let client = server.client();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
            let body = json!({"username": server.username(), "password": server.password()}).to_string();
            let request = client.request(Method::POST, "/api/auth/login").header("content-type", content_type).body(body);
            client.send(request).await.expect_problem(415);
        }
        let body = json!({"username": server.username(), "password": server.password()}).to_string();
        let request = client.request(Method::POST, "/api/auth/login")
            .header("content-type", "application/json; charset=utf-8").body(body);
        client.send(request).await.expect(200);
    }

    async fn a_body_beyond_its_limit_is_413_declared_or_not(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_JSON_BODY", "2KiB").start().await;
        let admin = server.admin().await;
        let large = json!({"username": "eva", "password": random_hex(12), "display_name": "x".repeat(4096)}).to_string();
        let declared = admin.request(Method::POST, "/api/users").header("content-type", "application/json").body(large.clone());
        admin.send(declared).await.expect_problem(413);
        let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(large)]);
        let streamed = admin.request(Method::POST, "/api/users").header("content-type", "application/json")
            .body(reqwest::Body::wrap_stream(chunks));
        admin.send(streamed).await.expect_problem(413);
        assert_eq!(admin.get("/api/users").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn what_is_not_there_is_a_problem_too(server: Server) {
        let admin = server.admin().await;
        for path in ["/", "/nothing", "/api", "/api/nothing", "/docs/nothing", "/api/users/not-a-uuid"] {
            let problem = admin.get(path).await.expect_problem(404);
            assert_eq!(problem["instance"], path);
        }
        let answer = admin.put("/api/me", "").await;
        assert_eq!(answer.header("allow"), Some("GET,HEAD,PATCH"));
        answer.expect_problem(405);
        admin.get(&format!("/api/users/{}", uuid::Uuid::new_v4())).await.expect_problem(404);
    }

    async fn every_answer_has_an_id_and_keeps_browsers_from_guessing(server: Server) {
        let client = server.client();
        for path in ["/healthz", "/api/me", "/nothing", "/docs/", "/openapi.json"] {
            let answer = client.get(path).await;
            assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 32), "{path}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
            assert!(answer.header("content-security-policy").is_some(), "{path}");
        }
    }

    async fn names_of_any_length_are_no_burden(server: Server) {
        let client = server.client();
        let long = "x".repeat(100_000);
        for (username, password) in [(long.as_str(), "password"), ("admin", long.as_str())] {
            let body = json!({"username": username, "password": password});
            client.post("/api/auth/login", body).await.expect_problem_named(401, "wrong-credentials");
        }
    }
}
