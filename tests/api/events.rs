//! The activity log.

use serde_json::{Value, json};
use support::{both_engines, random_hex};

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

both_engines! {
    async fn every_act_of_an_account_is_in_the_log_with_who_and_where(server: Server) {
        let admin = server.admin().await;
        let login = json!({"username": server.username(), "password": server.password(), "device_id": "laptop"});
        server.client().post("/api/auth/login", login).await.expect(200);
        let made = admin.post("/api/app-passwords", json!({"name": "mail"})).await.expect(201);
        admin.delete(&format!("/api/app-passwords/{}", made["id"].as_str().unwrap())).await.expect(204);
        admin.delete("/api/devices/laptop").await.expect(204);
        let page = admin.get("/api/events?limit=1000").await.expect(200);
        let kinds = kinds(&page);
        for kind in ["user-created", "signed-in", "device-registered", "app-password-created", "app-password-revoked",
            "device-revoked"] {
            assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
        }
        let revoked = page["items"].as_array().unwrap().iter().find(|event| event["kind"] == "device-revoked").unwrap();
        assert_eq!(revoked["actor"]["name"], server.username());
        assert_eq!(revoked["device_id"], "laptop");
        assert_eq!(revoked["result"], "ok");
        assert!(!page.to_string().contains(made["password"].as_str().unwrap()));
    }

    async fn a_reader_goes_on_where_it_stopped(server: Server) {
        let admin = server.admin().await;
        let first = admin.get("/api/events?limit=1").await.expect(200);
        assert_eq!(first["items"].as_array().unwrap().len(), 1);
        let mut seen: Vec<i64> = vec![first["items"][0]["seq"].as_i64().unwrap()];
        let mut next = first["next"].as_str().unwrap().to_owned();
        loop {
            let page = admin.get(&format!("/api/events?limit=2&cursor={next}")).await.expect(200);
            next = page["next"].as_str().unwrap().to_owned();
            if page["items"] == json!([]) {
                break;
            }
            seen.extend(page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()));
        }
        let all = admin.get("/api/events?limit=1000").await.expect(200);
        let all: Vec<i64> = all["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
        assert_eq!(seen, all);
        admin.patch("/api/me", json!({"display_name": "Ada"})).await.expect(200);
        let later = admin.get(&format!("/api/events?cursor={next}")).await.expect(200);
        assert_eq!(kinds(&later), ["user-changed"]);
        admin.get("/api/events?cursor=yesterday").await.expect_problem(400);
    }

    async fn a_member_sees_their_own_acts_alone(server: Server) {
        let admin = server.admin().await;
        let (name, member) = server.member().await;
        admin.post("/api/users", json!({"username": "eva", "password": random_hex(12)})).await.expect(201);
        let page = member.get("/api/events?limit=1000").await.expect(200);
        let events = page["items"].as_array().unwrap();
        assert!(!events.is_empty());
        assert!(events.iter().all(|event| event["actor"]["name"] == name.as_str()), "{page}");
        assert!(!page.to_string().contains("eva"));
    }

    async fn the_server_tells_what_it_is_and_takes(builder: Builder) {
        let server = builder.env("HOLDFAST_LIMITS_UPLOAD_SIZE", "10MiB").start().await;
        let about = server.admin().await.get("/api/server").await.expect(200);
        assert_eq!(about["name"], "holdfastd");
        assert_eq!(about["limits"]["upload_size"], 10 * 1024 * 1024);
        assert_eq!(about["limits"]["manifest_entries"], 2_000_000);
        assert!(about["features"].as_array().unwrap().contains(&json!("accounts")));
        assert!(about["version"].as_str().is_some_and(|version| !version.is_empty()));
    }
}
