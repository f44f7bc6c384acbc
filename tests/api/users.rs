//! Accounts and roles.

use serde_json::json;
use support::{both_engines, random_hex};

both_engines! {
    async fn an_admin_makes_an_account_that_can_sign_in(server: Server) {
        let admin = server.admin().await;
        let password = random_hex(12);
        let body = json!({"username": "Eva", "password": password, "display_name": "Eva from upstairs"});
        let eva = admin.post("/api/users", body).await.expect(201);
        assert_eq!(eva["role"], "member");
        assert_eq!(eva["display_name"], "Eva from upstairs");
        let client = server.client().login("eva", &password).await;
        assert_eq!(client.get("/api/me").await.expect(200)["id"], eva["id"]);
        let names: Vec<_> = admin.get("/api/users").await.expect(200)["items"].as_array().unwrap()
            .iter().map(|user| user["username"].clone()).collect();
        assert_eq!(names, [server.username(), "Eva"]);
    }

    async fn an_account_comes_with_its_home_folder(server: Server) {
        let (_, member) = server.member().await;
        let id = member.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        assert!(server.home_root(&id).is_dir());
    }

    async fn a_name_is_taken_whatever_its_case_and_leaves_nothing_behind(server: Server) {
        let admin = server.admin().await;
        let homes = || std::fs::read_dir(server.data_dir().join("drives")).unwrap().count();
        let before = homes();
        let body = json!({"username": server.username().to_uppercase(), "password": random_hex(12)});
        admin.post("/api/users", body).await.expect_problem_named(409, "username-taken");
        assert_eq!(admin.get("/api/users").await.expect(200)["items"].as_array().unwrap().len(), 1);
        assert_eq!(homes(), before);
    }

    async fn names_and_passwords_that_cannot_be_are_refused(server: Server) {
        let admin = server.admin().await;
        for (username, password) in
            [("", "long enough"), ("a:b", "long enough"), ("a/b", "long enough"), ("a\u{0}b", "long enough"), ("ok", "short")]
        {
            let body = json!({"username": username, "password": password});
            admin.post("/api/users", body).await.expect_problem(422);
        }
        admin.post("/api/users", json!({"username": "ok"})).await.expect_problem(422);
        admin.post("/api/users", json!({"username": "ok", "password": random_hex(8), "role": "root"}))
            .await.expect_problem(422);
        assert_eq!(admin.get("/api/users").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_member_manages_no_accounts(server: Server) {
        let (_, member) = server.member().await;
        let id = member.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        member.get("/api/users").await.expect_problem_named(403, "needs-admin");
        member.get(&format!("/api/users/{id}")).await.expect_problem_named(403, "needs-admin");
        member.post("/api/users", json!({"username": "x", "password": random_hex(12)}))
            .await.expect_problem_named(403, "needs-admin");
        member.patch(&format!("/api/users/{id}"), json!({"role": "admin"})).await.expect_problem_named(403, "needs-admin");
        member.post(&format!("/api/users/{id}/password"), json!({"password": random_hex(12)}))
            .await.expect_problem_named(403, "needs-admin");
        assert_eq!(member.get("/api/me").await.expect(200)["role"], "member");
    }

    async fn a_role_counts_from_the_next_request_on(server: Server) {
        let admin = server.admin().await;
        let (_, member) = server.member().await;
        let id = member.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let path = format!("/api/users/{id}");
        admin.patch(&path, json!({"role": "admin"})).await.expect(200);
        member.get("/api/users").await.expect(200);
        admin.patch(&path, json!({"role": "member"})).await.expect(200);
        member.get("/api/users").await.expect_problem(403);
    }

    async fn a_disabled_account_stops_at_once_in_every_way(server: Server) {
        let admin = server.admin().await;
        let (name, password) = ("eva", random_hex(12));
        let id = admin.post("/api/users", json!({"username": name, "password": password})).await.expect(201)["id"]
            .as_str().unwrap().to_owned();
        let session = server.client().login(name, &password).await;
        let basic = server.client().basic(name, &password);
        let made = session.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        let program = server.client().basic(name, made["password"].as_str().unwrap());
        for client in [&session, &basic, &program] {
            client.get("/api/me").await.expect(200);
        }
        let path = format!("/api/users/{id}");
        assert_eq!(admin.patch(&path, json!({"disabled": true})).await.expect(200)["disabled"], true);
        for client in [&session, &basic, &program] {
            client.get("/api/me").await.expect_problem(401);
        }
        let login = json!({"username": name, "password": password});
        server.client().post("/api/auth/login", login.clone()).await.expect_problem_named(401, "wrong-credentials");
        admin.patch(&path, json!({"disabled": false})).await.expect(200);
        server.client().post("/api/auth/login", login).await.expect(200);
        session.get("/api/me").await.expect_problem(401);
        program.get("/api/me").await.expect(200);
    }

    async fn the_last_admin_stays(server: Server) {
        let admin = server.admin().await;
        let id = admin.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let path = format!("/api/users/{id}");
        admin.patch(&path, json!({"role": "member"})).await.expect_problem_named(409, "last-admin");
        admin.patch(&path, json!({"disabled": true})).await.expect_problem_named(409, "last-admin");
        admin.post("/api/users", json!({"username": "eva", "password": random_hex(12), "role": "admin"})).await.expect(201);
        admin.patch(&path, json!({"role": "member"})).await.expect(200);
    }

    async fn two_admins_who_dismiss_each_other_at_once_do_not_both_succeed(server: Server) {
        let first = server.admin().await;
        let password = random_hex(12);
        let body = json!({"username": "eva", "password": password, "role": "admin"});
        let eva = first.post("/api/users", body).await.expect(201)["id"].as_str().unwrap().to_owned();
        let second = server.client().login("eva", &password).await;
        let ada = first.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let dismissal = json!({"role": "member"});
        let (one, other) = (format!("/api/users/{eva}"), format!("/api/users/{ada}"));
        let (one, other) = tokio::join!(first.patch(&one, dismissal.clone()), second.patch(&other, dismissal));
        assert!(one.status != 200 || other.status != 200, "{} {}", one.status, other.status);
    }

    async fn an_admin_resets_a_password_and_the_old_logins_end(server: Server) {
        let admin = server.admin().await;
        let (name, member) = server.member().await;
        let id = member.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        let fresh = random_hex(12);
        admin.post(&format!("/api/users/{id}/password"), json!({"password": fresh})).await.expect(204);
        member.get("/api/me").await.expect_problem(401);
        server.client().login(&name, &fresh).await.get("/api/me").await.expect(200);
    }

    async fn changing_ones_password_needs_the_old_one_and_ends_the_other_logins(server: Server) {
        let (here, there) = (server.admin().await, server.admin().await);
        let fresh = random_hex(12);
        let wrong = json!({"current_password": random_hex(12), "new_password": fresh});
        here.post("/api/me/password", wrong).await.expect_problem_named(403, "wrong-password");
        let short = json!({"current_password": server.password(), "new_password": "short"});
        here.post("/api/me/password", short).await.expect_problem(422);
        there.get("/api/me").await.expect(200);
        let right = json!({"current_password": server.password(), "new_password": fresh});
        here.post("/api/me/password", right).await.expect(204);
        here.get("/api/me").await.expect(200);
        there.get("/api/me").await.expect_problem(401);
        let old = json!({"username": server.username(), "password": server.password()});
        server.client().post("/api/auth/login", old).await.expect_problem(401);
        server.client().login(server.username(), &fresh).await;
    }

    async fn one_changes_ones_own_display_name(server: Server) {
        let admin = server.admin().await;
        let me = admin.patch("/api/me", json!({"display_name": "  Ada Lovelace "})).await.expect(200);
        assert_eq!(me["display_name"], "Ada Lovelace");
        admin.patch("/api/me", json!({"display_name": ""})).await.expect_problem(422);
        assert_eq!(admin.get("/api/me").await.expect(200)["display_name"], "Ada Lovelace");
    }

    async fn a_list_pages_to_its_end_without_repeating(server: Server) {
        let admin = server.admin().await;
        for number in 0..4 {
            let body = json!({"username": format!("user-{number}"), "password": random_hex(12)});
            admin.post("/api/users", body).await.expect(201);
        }
        let (mut names, mut path) = (Vec::new(), "/api/users?limit=2".to_owned());
        loop {
            let page = admin.get(&path).await.expect(200);
            names.extend(page["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/users?limit=2&cursor={next}");
        }
        assert_eq!(names, [server.username(), "user-0", "user-1", "user-2", "user-3"]);
        admin.get("/api/users?cursor=nonsense").await.expect_problem(400);
        admin.get("/api/users?limit=many").await.expect_problem(400);
    }
}
