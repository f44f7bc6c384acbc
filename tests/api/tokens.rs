//! Access and refresh tokens.

use serde_json::{Value, json};
use support::{Client, both_engines, eventually};

async fn refresh(client: &Client, token: &str) -> support::Answer {
    client.anonymous().post("/api/auth/refresh", json!({"refresh_token": token})).await
}

/// The same text with one character in its middle changed.
fn tampered(text: &str) -> String {
    let at = text.len() / 2;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

both_engines! {
    async fn a_refresh_gives_new_tokens(server: Server) {
        let admin = server.admin().await;
        let tokens = refresh(&admin, admin.refresh_token()).await.expect(200);
        let renewed = admin.with_tokens(&tokens);
        assert_ne!(renewed.refresh_token(), admin.refresh_token());
        renewed.get("/api/me").await.expect(200);
        refresh(&renewed, renewed.refresh_token()).await.expect(200);
    }

    async fn a_refresh_token_used_twice_ends_its_login_for_everyone(server: Server) {
        let thief = server.admin().await;
        let owner = thief.with_tokens(&refresh(&thief, thief.refresh_token()).await.expect(200));
        refresh(&thief, thief.refresh_token()).await.expect_problem_named(401, "invalid-token");
        refresh(&owner, owner.refresh_token()).await.expect_problem_named(401, "invalid-token");
        owner.get("/api/me").await.expect_problem_named(401, "invalid-token");
        let events = server.admin().await.get("/api/events?limit=1000").await.expect(200);
        let kinds: Vec<&Value> = events["items"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
        assert!(kinds.contains(&&json!("refresh-token-reused")), "{kinds:?}");
    }

    async fn of_many_who_refresh_at_once_with_one_token_at_most_one_gets_through(server: Server) {
        let admin = server.admin().await;
        let attempts = (0..8).map(|_| refresh(&admin, admin.refresh_token()));
        let answers = futures_util::future::join_all(attempts).await;
        assert!(answers.iter().filter(|answer| answer.status == 200).count() <= 1);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 401)));
    }

    async fn logging_out_ends_both_tokens_and_no_other_login(server: Server) {
        let (first, second) = (server.admin().await, server.admin().await);
        first.post("/api/auth/logout", json!({})).await.expect(204);
        first.get("/api/me").await.expect_problem_named(401, "invalid-token");
        refresh(&first, first.refresh_token()).await.expect_problem_named(401, "invalid-token");
        second.get("/api/me").await.expect(200);
    }

    async fn a_request_without_a_login_has_none_to_end(server: Server) {
        let basic = server.client().basic(server.username(), server.password());
        basic.post("/api/auth/logout", json!({})).await.expect_problem_named(409, "no-session");
    }

    async fn a_tampered_token_is_no_token(server: Server) {
        let admin = server.admin().await;
        let parts: Vec<&str> = admin.access_token().split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("three parts") };
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for forged in [
            format!("{}.{claims}.{signature}", tampered(header)),
            format!("{header}.{}.{signature}", tampered(claims)),
            format!("{header}.{claims}.{}", tampered(signature)),
            format!("{header}.{claims}."),
            format!("{unsigned}.{claims}."),
            format!("{unsigned}.{claims}.{signature}"),
            admin.refresh_token().to_owned(),
        ] {
            let client = server.client().with_access_token(&forged);
            client.get("/api/me").await.expect_problem_named(401, "invalid-token");
        }
        for forged in [tampered(admin.refresh_token()), admin.access_token().to_owned(), String::new()] {
            refresh(&admin, &forged).await.expect_problem_named(401, "invalid-token");
        }
        admin.get("/api/me").await.expect(200);
        refresh(&admin, admin.refresh_token()).await.expect(200);
    }

    async fn tokens_survive_a_restart_but_not_another_key(server: Server) {
        let mut server = server;
        let admin = server.admin().await;
        server.restart().await;
        let admin = admin.at(server.url());
        admin.get("/api/me").await.expect(200);
        assert!(server.stop().await.success());
        std::fs::remove_file(server.data_dir().join("secret.key")).unwrap();
        server.launch().await;
        let admin = admin.at(server.url());
        admin.get("/api/me").await.expect_problem_named(401, "invalid-token");
        refresh(&admin, admin.refresh_token()).await.expect_problem_named(401, "invalid-token");
    }

    async fn an_access_token_ends_and_a_refresh_renews_it(builder: Builder) {
        let server = builder.env("HOLDFAST_TOKENS_ACCESS_LIFETIME", "1").start().await;
        let admin = server.admin().await;
        eventually("the token to end", || async { (admin.get("/api/me").await.status == 401).then_some(()) }).await;
        refresh(&admin, admin.refresh_token()).await.expect(200);
    }

    async fn a_login_that_is_not_used_ends(builder: Builder) {
        let server = builder.env("HOLDFAST_TOKENS_REFRESH_LIFETIME", "1").start().await;
        let admin = server.admin().await;
        eventually("the login to end", || async { (admin.get("/api/me").await.status == 401).then_some(()) }).await;
        refresh(&admin, admin.refresh_token()).await.expect_problem_named(401, "invalid-token");
    }

    async fn a_person_sees_and_ends_their_logins_one_by_one(server: Server) {
        let (here, there) = (server.admin().await, server.admin().await);
        let listed = here.get("/api/me/sessions").await.expect(200);
        let sessions = listed["items"].as_array().unwrap();
        assert_eq!(sessions.len(), 2);
        let other = sessions.iter().find(|session| session["current"] == false).unwrap();
        let path = format!("/api/me/sessions/{}", other["id"].as_str().unwrap());
        let (_, stranger) = server.member().await;
        stranger.delete(&path).await.expect_problem(404);
        there.get("/api/me").await.expect(200);
        here.delete(&path).await.expect(204);
        there.get("/api/me").await.expect_problem(401);
        here.delete(&path).await.expect_problem(404);
        here.get("/api/me").await.expect(200);
    }
}
