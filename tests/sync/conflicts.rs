//! How conflicts open, what they keep, and what opens none.

use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, both_engines};

use crate::device::{agreed, file, hash, is_empty, only, paths, read, text, two};

/// The open conflicts.
async fn open(client: &Client) -> Vec<Value> {
    client.get("/api/conflicts").await.expect(200)["conflicts"].as_array().unwrap().clone()
}

/// The contents that a history kept at a path, with why.
async fn history(client: &Client, path: &str) -> Vec<(String, String)> {
    let told = client.get(&format!("/api/sync/history{path}")).await.expect(200);
    let mut found = Vec::new();
    for version in told["versions"].as_array().unwrap() {
        let address = format!("/api/drives/home/versions/{}/content", text(&version["id"]));
        found.push((client.get(&address).await.text(), text(&version["reason"]).to_owned()));
    }
    found
}

both_engines! {
    async fn a_put_that_came_too_late_opens_a_conflict_and_keeps_its_bytes(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let problem = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("the laptop's"))));
        let conflict = &problem["conflict"];
        assert_eq!((&conflict["path"], &conflict["device_id"], &conflict["state"]), (&json!("/a.txt"), &json!("phone"), &json!("open")));
        assert_eq!((&conflict["client_hash"], &conflict["server_hash"]), (&json!(hash("the phone's")), &json!(hash("the laptop's"))));
        assert_eq!((&conflict["base_hash"], &conflict["candidate_present"]), (&json!(hash("old")), &json!(true)));
        let id = text(&conflict["id"]);
        let candidate = phone.client.get(&format!("/api/conflicts/{id}/candidate")).await;
        assert_eq!((candidate.status, candidate.text().as_str()), (200, "the phone's"));
        assert_eq!(phone.client.get(&format!("/api/conflicts/{id}")).await.expect(200), *conflict);
        let plan = phone.tell().await;
        assert_eq!((&only(&plan, "conflicts")["id"], &plan["conflicts"][0]["candidate_present"]), (&json!(id), &json!(true)));
        assert_eq!(read(&phone.client, "/a.txt").await, "the laptop's");
        assert_eq!(history(&phone.client, "/a.txt").await.len(), 2, "a candidate is no version yet");
    }

    async fn a_device_has_one_open_conflict_at_a_path_and_a_replaced_candidate_becomes_a_version(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "first try");
        let first = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412)["conflict"].clone();
        phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        phone.hold("/a.txt", "second try");
        let second = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412)["conflict"].clone();
        assert_eq!(first["id"], second["id"]);
        let open = open(&phone.client).await;
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0]["client_hash"], &open[0]["candidate_present"]), (&json!(hash("second try")), &json!(true)));
        let kept = history(&phone.client, "/a.txt").await;
        assert_eq!(kept[0], ("first try".to_owned(), "conflict".to_owned()));
        assert_eq!(kept.len(), 3);
    }

    async fn a_candidate_that_the_device_no_longer_holds_becomes_a_version(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "sent");
        phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        phone.hold("/a.txt", "edited again");
        let plan = phone.tell().await;
        let conflict = only(&plan, "conflicts");
        assert_eq!((&conflict["client_hash"], &conflict["candidate_present"]), (&json!(hash("edited again")), &json!(false)));
        assert_eq!(history(&phone.client, "/a.txt").await[0], ("sent".to_owned(), "conflict".to_owned()));
    }

    async fn a_file_that_another_made_first_or_deleted_is_a_conflict_too(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/new.txt", "the laptop's").await;
        laptop.remove("/a.txt").await;
        phone.hold("/new.txt", "the phone's");
        phone.hold("/a.txt", "edited");
        let made = phone.send("/new.txt", None).await.expect_problem(412)["conflict"].clone();
        assert_eq!((&made["base_hash"], &made["server_hash"]), (&Value::Null, &json!(hash("the laptop's"))));
        let gone = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412)["conflict"].clone();
        assert_eq!((&gone["base_hash"], &gone["server_hash"]), (&json!(hash("old")), &Value::Null));
        assert_eq!(paths(&phone.tell().await, "conflicts"), ["/a.txt", "/new.txt"]);
    }

    async fn a_put_that_names_no_device_opens_none_and_touches_no_agreement(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "old")]).await;
        let body = json!({"username": server.username(), "password": server.password(), "device_id": "phone"});
        // An app on the phone, signed in on it: what it writes is not in the synced folder.
        let app = server.client().with_tokens(&server.client().post("/api/auth/login", body).await.expect(200));
        let late = app.request(Method::PUT, &file("/a.txt")).header("if-match", format!("\"{}\"", hash("older"))).body("late");
        let problem = app.send(late).await.expect_problem(412);
        assert!(problem.get("conflict").is_none(), "{problem}");
        app.put(&file("/a.txt"), "an app's").await.expect(200);
        app.put(&file("/new.txt"), "new").await.expect(201);
        assert!(open(&app).await.is_empty());
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "to_download"), ["/a.txt", "/new.txt"]);
        assert_eq!(plan["to_download"][0]["stale"], false, "the phone is known to hold what it held before");
        assert_eq!(plan["deleted_by_client"], json!([]));
        assert_eq!(history(&app, "/a.txt").await[0].1, "manual");
    }

    async fn a_file_saved_through_the_network_drive_is_no_act_of_a_device(server: Server) {
        let (_, phone) = agreed(&server, &[("/a.txt", "old")]).await;
        let program = json!({"name": "mount", "device_id": "phone"});
        let made = server.admin().await.post("/api/app-passwords", program).await.expect(201);
        let mount = server.client().basic(server.username(), text(&made["password"])).on_device("phone");
        let late = mount.request(Method::PUT, "/dav/home/a.txt").header("if-match", format!("\"{}\"", hash("older"))).body("late");
        assert_eq!(mount.send(late).await.status, 412);
        assert_eq!(mount.put("/dav/home/a.txt", "the mount's").await.status, 204);
        assert_eq!(mount.put("/dav/home/new.txt", "new").await.status, 201);
        assert!(open(&phone.client).await.is_empty());
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "to_download"), ["/a.txt", "/new.txt"]);
        assert_eq!(plan["to_download"][0]["stale"], false);
        assert_eq!((&plan["conflicts"], &plan["deleted_by_client"]), (&json!([]), &json!([])));
        assert_eq!(history(&phone.client, "/a.txt").await[0].1, "webdav");
    }

    async fn a_delete_or_move_that_came_too_late_opens_none(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old"), ("/b.txt", "b")]).await;
        laptop.write("/a.txt", "new").await;
        phone.delete("/a.txt", &hash("old")).await.expect_problem(412);
        let late = json!({"from": "/a.txt", "to": "/c.txt", "expect": hash("old")});
        phone.client.post("/api/drives/home/moves", late).await.expect_problem(412);
        assert!(open(&phone.client).await.is_empty());
        phone.settle().await;
        assert_eq!(phone.files["/a.txt"], "new");
    }

    async fn several_devices_in_conflict_at_one_path_are_told_apart(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        let admin = server.admin().await;
        admin.put(&file("/a.txt"), "the server's").await.expect(201);
        laptop.hold("/a.txt", "the laptop's");
        phone.hold("/a.txt", "the phone's");
        let mut ids = Vec::new();
        for device in [&laptop, &phone] {
            ids.push(only(&device.tell().await, "conflicts")["id"].clone());
        }
        assert_ne!(ids[0], ids[1]);
        let body = json!({"file_path": "/a.txt", "resolution": "keep_server"});
        let problem = admin.post("/api/sync/conflicts/a.txt/resolve", body.clone()).await.expect_problem_named(409, "several-conflicts");
        let told: Vec<_> = problem["conflicts"].as_array().unwrap().iter().map(|c| c["id"].clone()).collect();
        assert_eq!(told, ids);
        // By the header, and by the body.
        let answer = phone.client.post("/api/sync/conflicts/a.txt/resolve", body).await.expect(200);
        assert_eq!(answer["conflict_id"], ids[1]);
        let body = json!({"file_path": "/a.txt", "resolution": "keep_server", "device_id": "laptop"});
        let answer = admin.post("/api/sync/conflicts/a.txt/resolve", body).await.expect(200);
        assert_eq!(answer["conflict_id"], ids[0]);
        laptop.settle().await;
        phone.settle().await;
        assert_eq!((laptop.files["/a.txt"].as_str(), phone.files["/a.txt"].as_str()), ("the server's", "the server's"));
    }

    async fn a_conflict_ends_by_itself_when_both_hold_the_same_again(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        phone.hold("/a.txt", "the laptop's");
        assert!(is_empty(&phone.tell().await));
        assert!(open(&phone.client).await.is_empty());
        let all = phone.client.get("/api/conflicts?state=all").await.expect(200);
        let closed = &all["conflicts"][0];
        assert_eq!((&closed["state"], &closed["resolution"]), (&json!("obsolete"), &Value::Null));
        let candidate = phone.client.get(&format!("/api/conflicts/{}/candidate", text(&closed["id"]))).await;
        assert_eq!((candidate.status, candidate.text().as_str()), (200, "the phone's"), "what was sent stays readable");
    }

    async fn conflicts_survive_a_crash_with_their_bytes(server: Server) {
        let mut server = server;
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let conflict = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412)["conflict"].clone();
        server.kill9();
        server.launch().await;
        phone.client = phone.client.at(server.url());
        assert_eq!(open(&phone.client).await, std::slice::from_ref(&conflict));
        let candidate = phone.client.get(&format!("/api/conflicts/{}/candidate", text(&conflict["id"]))).await;
        assert_eq!(candidate.text(), "the phone's");
    }
}
