//! Devices and what is bound to them.

use serde_json::{Value, json};
use support::{Client, Server, both_engines, random_hex};

/// Signed in on a device; a login that names one registers it.
async fn on_device(server: &Server, username: &str, password: &str, device_id: &str) -> Client {
    let body = json!({"username": username, "password": password, "device_id": device_id});
    server.client().with_tokens(&server.client().post("/api/auth/login", body).await.expect(200))
}

/// A client with an app password that is bound to a device.
async fn program(server: &Server, owner: &Client, device_id: &str) -> Client {
    let made =
        owner.post("/api/app-passwords", json!({"name": "mail", "device_id": device_id})).await.expect(201);
    assert_eq!(made["device_id"], device_id);
    server.client().basic(server.username(), made["password"].as_str().unwrap())
}

both_engines! {
    async fn a_login_that_names_a_device_registers_it_once(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "laptop-1").await;
        on_device(&server, server.username(), server.password(), "laptop-1").await;
        let devices = laptop.get("/api/devices").await.expect(200);
        assert_eq!(devices["items"].as_array().unwrap().len(), 1);
        assert_eq!(devices["items"][0]["device_id"], "laptop-1");
        assert_eq!(laptop.get("/api/me").await.expect(200)["device_id"], "laptop-1");
    }

    async fn a_device_is_renamed(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "laptop-1").await;
        let renamed = laptop.patch("/api/devices/laptop-1", json!({"device_name": "Ada's laptop"})).await.expect(200);
        assert_eq!(renamed["device_name"], "Ada's laptop");
        laptop.patch("/api/devices/laptop-1", json!({"device_name": ""})).await.expect_problem(422);
        let device = laptop.get("/api/devices/laptop-1").await.expect(200);
        assert_eq!(device["device_name"], "Ada's laptop");
        assert_eq!(device["device_id"], "laptop-1");
    }

    async fn a_revoked_device_stops_at_once_and_the_others_go_on(server: Server) {
        let admin = server.admin().await;
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        let phone = on_device(&server, server.username(), server.password(), "phone").await;
        let (laptop_mail, phone_mail) = (program(&server, &admin, "laptop").await, program(&server, &admin, "phone").await);
        for client in [&laptop, &phone, &laptop_mail, &phone_mail] {
            client.get("/api/me").await.expect(200);
        }
        admin.delete("/api/devices/laptop").await.expect(204);
        for client in [&laptop, &laptop_mail] {
            client.get("/api/me").await.expect_problem(401);
        }
        let refresh = json!({"refresh_token": laptop.refresh_token()});
        server.client().post("/api/auth/refresh", refresh).await.expect_problem_named(401, "invalid-token");
        for client in [&phone, &phone_mail, &admin] {
            client.get("/api/me").await.expect(200);
        }
        let names = |list: Value| -> Vec<String> {
            list["items"].as_array().unwrap().iter().map(|item| item["device_id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(admin.get("/api/devices").await.expect(200)), ["phone"]);
        assert_eq!(names(admin.get("/api/devices?revoked=true").await.expect(200)), ["laptop", "phone"]);
        admin.delete("/api/devices/laptop").await.expect_problem_named(404, "unknown-device");
    }

    async fn a_revoked_device_that_comes_back_does_not_bring_its_old_credentials(server: Server) {
        let admin = server.admin().await;
        let lost = on_device(&server, server.username(), server.password(), "laptop").await;
        let mail = program(&server, &admin, "laptop").await;
        admin.delete("/api/devices/laptop").await.expect(204);
        let found = on_device(&server, server.username(), server.password(), "laptop").await;
        found.get("/api/me").await.expect(200);
        lost.get("/api/me").await.expect_problem(401);
        mail.get("/api/me").await.expect_problem(401);
    }

    async fn anothers_device_is_not_there(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        let (_, stranger) = server.member().await;
        stranger.get("/api/devices/laptop").await.expect_problem_named(404, "unknown-device");
        stranger.patch("/api/devices/laptop", json!({"device_name": "mine"})).await.expect_problem_named(404, "unknown-device");
        stranger.delete("/api/devices/laptop").await.expect_problem_named(404, "unknown-device");
        stranger.post("/api/app-passwords", json!({"name": "x", "device_id": "laptop"}))
            .await.expect_problem_named(404, "unknown-device");
        assert_eq!(stranger.get("/api/devices").await.expect(200)["items"], json!([]));
        assert_eq!(laptop.get("/api/devices/laptop").await.expect(200)["device_name"], "laptop");
    }

    async fn two_people_may_have_devices_of_one_name(server: Server) {
        let admin = server.admin().await;
        let password = random_hex(12);
        admin.post("/api/users", json!({"username": "eva", "password": password})).await.expect(201);
        let mine = on_device(&server, server.username(), server.password(), "iphone-12345").await;
        let hers = on_device(&server, "eva", &password, "iphone-12345").await;
        hers.delete("/api/devices/iphone-12345").await.expect(204);
        hers.get("/api/me").await.expect_problem(401);
        mine.get("/api/me").await.expect(200);
    }

    async fn a_credential_of_one_device_does_not_touch_another(server: Server) {
        on_device(&server, server.username(), server.password(), "phone").await;
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        laptop.patch("/api/devices/phone", json!({"device_name": "x"})).await.expect_problem_named(403, "other-device");
        assert_eq!(laptop.get("/api/devices/phone").await.expect(200)["device_name"], "phone");
    }

    async fn what_a_devices_login_makes_ends_with_the_device(server: Server) {
        let admin = server.admin().await;
        on_device(&server, server.username(), server.password(), "phone").await;
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        let made = laptop.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        assert_eq!(made["device_id"], "laptop");
        let mail = server.client().basic(server.username(), made["password"].as_str().unwrap());
        assert_eq!(mail.get("/api/me").await.expect(200)["device_id"], "laptop");
        program(&server, &laptop, "laptop").await;
        laptop.post("/api/app-passwords", json!({"name": "x", "device_id": "phone"}))
            .await.expect_problem_named(403, "other-device");
        admin.delete("/api/devices/laptop").await.expect(204);
        mail.get("/api/me").await.expect_problem(401);
        assert_eq!(admin.get("/api/app-passwords").await.expect(200)["items"], json!([]));
    }

    async fn a_devices_login_manages_no_accounts(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        let (_, member) = server.member().await;
        let id = member.get("/api/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        laptop.post("/api/users", json!({"username": "mallory", "password": random_hex(12)}))
            .await.expect_problem_named(403, "needs-login");
        laptop.patch(&format!("/api/users/{id}"), json!({"role": "admin"})).await.expect_problem_named(403, "needs-login");
        laptop.post(&format!("/api/users/{id}/password"), json!({"password": random_hex(12)}))
            .await.expect_problem_named(403, "needs-login");
        assert_eq!(laptop.get("/api/users").await.expect(200)["items"].as_array().unwrap().len(), 2);
        assert_eq!(member.get("/api/me").await.expect(200)["role"], "member");
    }

    async fn ones_own_password_is_changed_from_a_device_with_the_old_one(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "laptop").await;
        let elsewhere = server.admin().await;
        let fresh = random_hex(12);
        let wrong = json!({"current_password": random_hex(12), "new_password": fresh});
        laptop.post("/api/me/password", wrong).await.expect_problem_named(403, "wrong-password");
        let right = json!({"current_password": server.password(), "new_password": fresh});
        laptop.post("/api/me/password", right).await.expect(204);
        laptop.get("/api/me").await.expect(200);
        elsewhere.get("/api/me").await.expect_problem(401);
        server.client().login(server.username(), &fresh).await.get("/api/me").await.expect(200);
    }

    async fn a_device_name_with_a_slash_is_one_device(server: Server) {
        let laptop = on_device(&server, server.username(), server.password(), "work/laptop 1").await;
        let device = laptop.get("/api/devices/work%2Flaptop%201").await.expect(200);
        assert_eq!(device["device_id"], "work/laptop 1");
    }

    async fn device_names_that_cannot_be_are_refused(server: Server) {
        for device_id in ["", " ", "x\n", "legacy_client", &"x".repeat(129)] {
            let body = json!({"username": server.username(), "password": server.password(), "device_id": device_id});
            server.client().post("/api/auth/login", body).await.expect_problem(422);
        }
        assert_eq!(server.admin().await.get("/api/devices").await.expect(200)["items"], json!([]));
    }
}
