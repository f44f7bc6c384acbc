//! The four ways to settle a conflict: whichever is taken, both contents can be read afterwards.

use serde_json::{Value, json};
use support::{Answer, Client, Server, both_engines};

use crate::device::{Device, agreed, file, hash, is_empty, only, paths, read, text};

/// Laptop and phone, and the id of the phone's conflict, whose bytes have arrived.
async fn in_conflict(server: &Server) -> (Device, Device, String) {
    let (mut laptop, mut phone) = agreed(server, &[("/Documents/a.txt", "old"), ("/b.txt", "b")]).await;
    laptop.write("/Documents/a.txt", "the laptop's").await;
    phone.hold("/Documents/a.txt", "the phone's");
    let problem = phone.send("/Documents/a.txt", Some(&hash("old"))).await.expect_problem(412);
    let id = text(&problem["conflict"]["id"]).to_owned();
    (laptop, phone, id)
}

async fn resolve(client: &Client, id: &str, body: Value) -> Answer {
    client.post(&format!("/api/conflicts/{id}/resolve"), body).await
}

/// Every content that the history of the file has.
async fn contents(client: &Client) -> Vec<String> {
    let told = client.get("/api/sync/history/Documents/a.txt").await.expect(200);
    let mut found = Vec::new();
    for version in told["versions"].as_array().unwrap() {
        found.push(
            client.get(&format!("/api/drives/home/versions/{}/content", text(&version["id"]))).await.text(),
        );
    }
    found
}

async fn candidate(client: &Client, id: &str) -> String {
    let answer = client.get(&format!("/api/conflicts/{id}/candidate")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The conflict is closed, and still readable with the client's content.
async fn is_closed(client: &Client, id: &str, resolution: &str) {
    assert_eq!(client.get("/api/conflicts").await.expect(200)["conflicts"], json!([]));
    let all = client.get("/api/conflicts?state=all").await.expect(200);
    let closed = &all["conflicts"][0];
    assert_eq!((&closed["id"], &closed["state"]), (&json!(id), &json!("resolved")));
    assert_eq!(closed["resolution"], resolution);
    assert!(text(&closed["resolved_at"]).starts_with("20"));
    assert_eq!(candidate(client, id).await, "the phone's");
}

both_engines! {
    async fn keep_server_replaces_the_devices_content_by_the_next_download(server: Server) {
        let (mut laptop, mut phone, id) = in_conflict(&server).await;
        let answer = resolve(&phone.client, &id, json!({"resolution": "keep_server"})).await.expect(200);
        let told = json!({"file_path": "/Documents/a.txt", "resolution": "keep_server", "resolved": true, "conflict_id": id});
        assert_eq!(answer, told);
        let plan = phone.tell().await;
        let step = only(&plan, "to_download");
        assert_eq!((&step["hash"], &step["replaces"]), (&json!(hash("the laptop's")), &json!(hash("the phone's"))));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
        assert!(is_empty(&laptop.tell().await));
        is_closed(&phone.client, &id, "keep_server").await;
        laptop.settle().await;
    }

    async fn keep_local_replaces_the_servers_content_by_the_next_upload(server: Server) {
        let (mut laptop, mut phone, id) = in_conflict(&server).await;
        let answer = resolve(&phone.client, &id, json!({"resolution": "keep_local"})).await.expect(200);
        assert_eq!(answer["resolved"], true);
        assert_eq!(read(&phone.client, "/Documents/a.txt").await, "the laptop's", "nothing has changed yet");
        let plan = phone.tell().await;
        assert_eq!(only(&plan, "to_upload")["expect"], hash("the laptop's"));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
        assert_eq!(read(&phone.client, "/Documents/a.txt").await, "the phone's");
        assert_eq!(contents(&phone.client).await, ["the phone's", "the laptop's", "old"]);
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
        is_closed(&phone.client, &id, "keep_local").await;
    }

    async fn create_version_keeps_the_devices_content_in_history(server: Server) {
        let (laptop, mut phone, id) = in_conflict(&server).await;
        let answer = resolve(&phone.client, &id, json!({"resolution": "create_version"})).await.expect(200);
        assert_eq!(answer["resolved"], true);
        assert_eq!(read(&phone.client, "/Documents/a.txt").await, "the laptop's");
        assert_eq!(contents(&phone.client).await, ["the phone's", "the laptop's", "old"]);
        let history = phone.client.get("/api/sync/history/Documents/a.txt").await.expect(200);
        let current: Vec<_> = history["versions"].as_array().unwrap().iter().map(|v| v["current"].as_bool().unwrap()).collect();
        assert_eq!(current, [false, true, false]);
        assert_eq!((&history["versions"][0]["reason"], &history["versions"][0]["device"]), (&json!("conflict"), &json!("phone")));
        let plan = phone.tell().await;
        assert_eq!(only(&plan, "to_download")["replaces"], hash("the phone's"));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
        assert!(is_empty(&laptop.tell().await));
        is_closed(&phone.client, &id, "create_version").await;
    }

    async fn keep_both_puts_the_devices_content_beside_it(server: Server) {
        let (mut laptop, mut phone, id) = in_conflict(&server).await;
        let answer = resolve(&phone.client, &id, json!({"resolution": "keep_both"})).await.expect(200);
        let copy = "/Documents/a (conflict from phone).txt";
        assert_eq!((&answer["resolved"], &answer["copy"]), (&json!(true), &json!(copy)));
        assert_eq!(read(&phone.client, "/Documents/a.txt").await, "the laptop's");
        assert_eq!(read(&phone.client, copy).await, "the phone's");
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "to_download"), [copy, "/Documents/a.txt"]);
        phone.settle().await;
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
        assert_eq!(laptop.files[copy], "the phone's");
        is_closed(&phone.client, &id, "keep_both").await;
    }

    async fn a_second_copy_gets_a_name_of_its_own(server: Server) {
        let (mut laptop, mut phone, id) = in_conflict(&server).await;
        let first = resolve(&phone.client, &id, json!({"resolution": "keep_both"})).await.expect(200)["copy"].clone();
        phone.settle().await;
        laptop.write("/Documents/a.txt", "the laptop's second").await;
        phone.hold("/Documents/a.txt", "the phone's second");
        let plan = phone.send("/Documents/a.txt", Some(&hash("the laptop's"))).await.expect_problem(412);
        let id = text(&plan["conflict"]["id"]);
        let second = resolve(&phone.client, id, json!({"resolution": "keep_both"})).await.expect(200)["copy"].clone();
        assert_ne!(first, second);
        assert_eq!(read(&phone.client, text(&first)).await, "the phone's");
        assert_eq!(read(&phone.client, text(&second)).await, "the phone's second");
    }

    async fn a_server_that_moved_on_is_409_with_the_conflict_as_it_is_now(server: Server) {
        let (mut laptop, phone, id) = in_conflict(&server).await;
        laptop.write("/Documents/a.txt", "newer").await;
        for resolution in ["keep_server", "keep_local", "create_version", "keep_both"] {
            let body = json!({"resolution": resolution, "server_hash": hash("the laptop's")});
            let problem = resolve(&phone.client, &id, body).await.expect_problem_named(409, "server-moved");
            assert_eq!(problem["conflict"]["id"], json!(id));
            assert_eq!((&problem["conflict"]["server_hash"], &problem["conflict"]["state"]), (&json!(hash("newer")), &json!("open")));
        }
        assert_eq!(contents(&phone.client).await, ["newer", "the laptop's", "old"]);
        let body = json!({"resolution": "create_version", "server_hash": hash("newer")});
        resolve(&phone.client, &id, body).await.expect(200);
        assert_eq!(contents(&phone.client).await, ["the phone's", "newer", "the laptop's", "old"]);
    }

    async fn a_server_that_moved_on_is_noticed_without_being_told_what_was_seen(server: Server) {
        let (mut laptop, phone, id) = in_conflict(&server).await;
        laptop.write("/Documents/a.txt", "newer").await;
        let body = json!({"file_path": "/Documents/a.txt", "resolution": "keep_local"});
        let address = "/api/sync/conflicts/Documents%2Fa.txt/resolve";
        phone.client.post(address, body.clone()).await.expect_problem_named(409, "server-moved");
        // Now it has been told.
        assert_eq!(phone.client.post(address, body).await.expect(200)["resolved"], true);
        assert_eq!(only(&phone.tell().await, "to_upload")["expect"], hash("newer"));
        resolve(&phone.client, &id, json!({"resolution": "keep_server"})).await.expect_problem_named(409, "not-open");
    }

    async fn a_keep_local_whose_upload_comes_too_late_is_a_conflict_again(server: Server) {
        let (mut laptop, phone, id) = in_conflict(&server).await;
        resolve(&phone.client, &id, json!({"resolution": "keep_local"})).await.expect(200);
        let plan = phone.tell().await;
        laptop.write("/Documents/a.txt", "newer").await;
        let expect = text(&only(&plan, "to_upload")["expect"]).to_owned();
        phone.send("/Documents/a.txt", Some(&expect)).await.expect_problem(412);
        assert_eq!(read(&phone.client, "/Documents/a.txt").await, "newer");
        assert_ne!(only(&phone.tell().await, "conflicts")["id"], json!(id));
    }

    async fn what_was_never_sent_is_asked_for_before_it_is_kept(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/Documents/a.txt", "old"), ("/b.txt", "b")]).await;
        laptop.write("/Documents/a.txt", "the laptop's").await;
        phone.hold("/Documents/a.txt", "the phone's");
        let plan = phone.tell().await;
        let id = text(&only(&plan, "conflicts")["id"]).to_owned();
        let address = format!("/api/conflicts/{id}/candidate");
        phone.client.get(&address).await.expect_problem_named(404, "no-candidate");
        for resolution in ["create_version", "keep_both"] {
            let answer = resolve(&phone.client, &id, json!({"resolution": resolution})).await.expect(200);
            assert_eq!((&answer["resolved"], &answer["needs"]), (&json!(false), &json!("upload")));
        }
        assert_eq!(phone.client.get(&format!("/api/conflicts/{id}")).await.expect(200)["state"], "open");
        let problem = phone.client.put(&address, "something else").await.expect_problem_named(409, "other-content");
        assert_eq!(problem["expected_hash"], hash("the phone's"));
        for _ in 0..2 {
            let conflict = phone.client.put(&address, "the phone's").await.expect(200);
            assert_eq!((&conflict["id"], &conflict["candidate_present"]), (&json!(id), &json!(true)));
        }
        assert_eq!(only(&phone.tell().await, "conflicts")["candidate_present"], true);
        let answer = resolve(&phone.client, &id, json!({"resolution": "keep_both"})).await.expect(200);
        assert_eq!(read(&phone.client, text(&answer["copy"])).await, "the phone's");
        phone.client.put(&address, "the phone's").await.expect_problem_named(409, "not-open");
        is_closed(&phone.client, &id, "keep_both").await;
    }

    async fn an_edit_of_what_was_deleted_can_be_settled_each_way(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/b.txt", "b")]).await;
        for resolution in ["keep_server", "keep_local", "create_version", "keep_both"] {
            let path = format!("/{resolution}.txt");
            laptop.write(&path, "old").await;
            phone.settle().await;
            laptop.remove(&path).await;
            phone.hold(&path, "edited");
            let problem = phone.send(&path, Some(&hash("old"))).await.expect_problem(412);
            let id = text(&problem["conflict"]["id"]).to_owned();
            let answer = resolve(&phone.client, &id, json!({"resolution": resolution, "server_hash": null})).await.expect(200);
            assert_eq!(answer["resolved"], true, "{answer}");
            phone.settle().await;
            laptop.settle().await;
            assert_eq!(laptop.files, phone.files);
            let lives = answer["copy"].as_str().map_or(path.clone(), str::to_owned);
            let expected = matches!(resolution, "keep_local" | "keep_both").then_some("edited");
            assert_eq!(phone.files.get(&lives).map(String::as_str), expected, "{resolution}");
            assert_eq!(candidate(&phone.client, &id).await, "edited");
        }
    }

    async fn many_are_resolved_at_once_and_one_that_is_refused_stops_no_other(server: Server) {
        let (_, mut phone, first) = in_conflict(&server).await;
        server.admin().await.put(&file("/b.txt"), "an app's").await.expect(200);
        phone.hold("/b.txt", "the phone's b");
        let plan = phone.tell().await;
        let second = text(&plan["conflicts"][1]["id"]).to_owned();
        let unknown = uuid::Uuid::new_v4().to_string();
        let body = json!({"conflicts": [{"id": first, "resolution": "keep_server"}, {"id": unknown, "resolution": "keep_server"},
            {"id": second, "resolution": "keep_server", "server_hash": hash("b")}, {"id": second, "resolution": "keep_local"}]});
        let results = phone.client.post("/api/conflicts/resolve", body).await.expect(200)["results"].clone();
        assert_eq!((&results[0]["resolved"]["resolved"], &results[0]["problem"]), (&json!(true), &Value::Null));
        assert_eq!((&results[1]["id"], &results[1]["problem"]["status"]), (&json!(unknown), &json!(404)));
        assert_eq!(results[2]["problem"]["type"], "urn:holdfast:problem:server-moved");
        assert_eq!(results[3]["resolved"]["resolution"], "keep_local");
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "to_download"), ["/Documents/a.txt"]);
        assert_eq!(paths(&plan, "to_upload"), ["/b.txt"]);
    }
}
