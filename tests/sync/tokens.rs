//! The change token: smaller calls and undoing for those who keep it, and correct answers for those who do not.

use serde_json::{Value, json};
use support::{both_engines, random_hex};

use crate::device::{agreed, claim, hash, is_empty, only, paths, read, text, two};

/// Only what changed since the answer with this token.
fn delta(token: &Value, changed: Value) -> Value {
    json!({"change_token": token, "file_list": changed})
}

/// The whole list along with the last token.
fn whole(token: &Value) -> Value {
    json!({"change_token": token, "complete": true})
}

both_engines! {
    async fn a_token_survives_a_restart_of_the_server(server: Server) {
        let mut server = server;
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let token = phone.tell().await["change_token"].clone();
        server.restart().await;
        laptop.client = laptop.client.at(server.url());
        phone.client = phone.client.at(server.url());
        laptop.write("/c.txt", "c").await;
        let plan = phone.tell_with(delta(&token, json!([]))).await;
        assert_eq!(plan["full_list_required"], false);
        assert_eq!(only(&plan, "to_download")["path"], "/c.txt");
        server.kill9();
        server.launch().await;
        phone.client = phone.client.at(server.url());
        let plan = phone.tell_with(delta(&plan["change_token"], json!([{"path": "/a.txt", "deleted": true}]))).await;
        assert_eq!(paths(&plan, "deleted_by_client"), ["/a.txt"]);
        assert_eq!(paths(&plan, "to_download"), ["/c.txt"]);
    }

    async fn each_answer_has_a_token_of_its_own_and_the_last_one_is_told_again(server: Server) {
        let (_, phone) = two(&server).await;
        let first = phone.tell().await["change_token"].clone();
        let second = phone.tell().await["change_token"].clone();
        assert_ne!(first, second);
        let body = json!({"device_id": "phone", "device_name": "phone"});
        let registered = phone.client.post("/api/sync/register", body).await.expect(200);
        assert_eq!(registered["change_token"], second);
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!(status["last_change_token"], second);
    }

    async fn a_delta_says_only_what_changed(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        let token = phone.tell().await["change_token"].clone();
        laptop.write("/a.txt", "a2").await;
        phone.hold("/b.txt", "b2");
        phone.lose("/c.txt");
        let changed = json!([claim("/b.txt", "b2"), {"path": "/c.txt", "deleted": true}]);
        let plan = phone.tell_with(delta(&token, changed)).await;
        assert_eq!(paths(&plan, "to_download"), ["/a.txt"]);
        assert_eq!(paths(&plan, "to_upload"), ["/b.txt"]);
        assert_eq!(paths(&plan, "deleted_by_client"), ["/c.txt"]);
        phone.follow(&plan).await;
        let plan = phone.tell_with(delta(&plan["change_token"], json!([claim("/a.txt", "a2")]))).await;
        assert!(is_empty(&plan), "{plan}");
        assert!(is_empty(&phone.tell().await), "and so says the whole list");
    }

    async fn what_a_delta_leaves_out_counts_as_last_told(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.hold("/a.txt", "the phone's");
        laptop.write("/a.txt", "the laptop's").await;
        let told = phone.tell().await;
        let id = only(&told, "conflicts")["id"].clone();
        let plan = phone.tell_with(delta(&told["change_token"], json!([]))).await;
        assert_eq!(only(&plan, "conflicts")["id"], id, "an open conflict is not overwritten by an empty delta");
        let plan = phone.tell_with(delta(&plan["change_token"], json!([{"path": "/a.txt", "deleted": true}]))).await;
        only(&plan, "to_download");
    }

    async fn an_empty_delta_of_a_device_that_has_told_nothing_deletes_nothing(server: Server) {
        let (mut laptop, phone) = two(&server).await;
        laptop.write("/a.txt", "a").await;
        let body = json!({"device_id": "phone", "device_name": "phone"});
        let token = phone.client.post("/api/sync/register", body).await.expect(200)["change_token"].clone();
        only(&phone.tell_with(delta(&token, json!([]))).await, "to_download");
    }

    async fn a_delta_on_an_outdated_token_asks_for_the_whole_list(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let outdated = phone.tell().await["change_token"].clone();
        let last = phone.tell().await["change_token"].clone();
        let others = laptop.tell().await["change_token"].clone();
        laptop.write("/c.txt", "c").await;
        for token in [outdated, others, json!(random_hex(16)), json!("")] {
            let deleted = json!([{"path": "/a.txt", "deleted": true}]);
            let plan = phone.tell_with(delta(&token, deleted)).await;
            assert_eq!(plan["full_list_required"], true);
            assert!(is_empty(&plan), "{plan}");
        }
        let plan = phone.tell_with(delta(&last, json!([]))).await;
        assert_eq!(only(&plan, "to_download")["path"], "/c.txt", "the last token is still the last");
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn a_whole_list_with_an_outdated_token_deletes_nothing(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let outdated = phone.tell().await["change_token"].clone();
        let last = phone.tell().await["change_token"].clone();
        phone.lose("/a.txt");
        let plan = phone.tell_with(whole(&outdated)).await;
        assert_eq!(plan["full_list_required"], false);
        assert_eq!(only(&plan, "to_download")["path"], "/a.txt");
        assert_ne!(plan["change_token"], last);
        let plan = phone.tell_with(whole(&plan["change_token"])).await;
        assert_eq!(only(&plan, "deleted_by_client")["path"], "/a.txt");
    }

    async fn going_back_to_an_earlier_content_is_an_edit_with_the_last_token(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "first"), ("/b.txt", "b")]).await;
        laptop.write("/a.txt", "second").await;
        phone.settle().await;
        let token = phone.tell().await["change_token"].clone();
        phone.hold("/a.txt", "first");
        let plan = phone.tell_with(whole(&token)).await;
        let step = only(&plan, "to_upload");
        assert_eq!((&step["action"], &step["expect"]), (&json!("modify"), &json!(hash("second"))));
        phone.follow(&plan).await;
        assert_eq!(read(&laptop.client, "/a.txt").await, "first");
        let plan = laptop.tell().await;
        assert_eq!(only(&plan, "to_download")["stale"], false, "the others get it as any other change");
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn going_back_is_an_edit_in_a_delta_too(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "first")]).await;
        laptop.write("/a.txt", "second").await;
        phone.settle().await;
        let token = phone.tell().await["change_token"].clone();
        phone.hold("/a.txt", "first");
        only(&phone.tell_with(delta(&token, json!([claim("/a.txt", "first")]))).await, "to_upload");
    }

    async fn without_the_last_token_an_earlier_content_is_a_stale_copy(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "first"), ("/b.txt", "b")]).await;
        laptop.write("/a.txt", "second").await;
        phone.settle().await;
        let outdated = phone.tell().await["change_token"].clone();
        phone.tell().await;
        phone.hold("/a.txt", "first");
        for fields in [json!({}), whole(&outdated)] {
            let plan = phone.tell_with(fields).await;
            let step = only(&plan, "to_download");
            assert_eq!((&step["stale"], &step["replaces"]), (&json!(true), &json!(hash("first"))));
        }
    }

    async fn an_undo_does_not_overwrite_what_another_wrote_meanwhile(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "first"), ("/b.txt", "b")]).await;
        laptop.write("/a.txt", "second").await;
        phone.settle().await;
        let token = phone.tell().await["change_token"].clone();
        phone.hold("/a.txt", "first");
        laptop.write("/a.txt", "third").await;
        let plan = phone.tell_with(whole(&token)).await;
        assert_eq!(only(&plan, "to_download")["hash"], hash("third"));
    }

    async fn a_client_that_acknowledges_nothing_gets_the_same_plan_until_it_followed_it(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "a").await;
        laptop.write("/b.txt", "b").await;
        phone.hold("/c.txt", "c");
        let mut first = phone.tell().await;
        let mut again = phone.tell().await;
        for plan in [&mut first, &mut again] {
            plan.as_object_mut().unwrap().remove("change_token");
        }
        assert_eq!(first, again, "handing out a plan changes nothing");
        phone.follow(&again).await;
        assert!(is_empty(&phone.tell().await));
        assert!(is_empty(&phone.tell().await));
    }

    async fn a_plan_that_was_followed_by_half_goes_on(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        laptop.write("/a.txt", "a2").await;
        laptop.remove("/b.txt").await;
        laptop.write("/new1.txt", "1").await;
        laptop.write("/new2.txt", "2").await;
        phone.lose("/c.txt");
        phone.hold("/mine.txt", "mine");
        for _ in 0..6 {
            let mut half = phone.tell().await;
            // One step only, then everything is forgotten.
            let lists = ["to_delete", "deleted_by_client", "to_download", "to_upload"];
            let list = lists.into_iter().find(|list| !half[list].as_array().unwrap().is_empty()).unwrap();
            let step = half[list][0].clone();
            lists.iter().for_each(|list| half[list] = json!([]));
            half[list] = json!([step]);
            phone.follow(&half).await;
        }
        assert!(is_empty(&phone.tell().await));
        laptop.settle().await;
        assert_eq!(phone.files, laptop.files);
        assert_eq!(phone.files.keys().map(String::as_str).collect::<Vec<_>>(), ["/a.txt", "/mine.txt", "/new1.txt", "/new2.txt"]);
    }

    async fn an_upload_whose_answer_was_lost_is_done(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        phone.hold("/a.txt", "new");
        phone.hold("/b.txt", "b");
        phone.send("/a.txt", Some(&hash("old"))).await.expect(200);
        phone.send("/b.txt", None).await.expect(201);
        // Again, under conditions that no longer hold.
        phone.send("/a.txt", Some(&hash("old"))).await.expect(200);
        phone.send("/b.txt", None).await.expect(200);
        assert!(is_empty(&phone.tell().await));
        let history = phone.client.get("/api/sync/history/a.txt").await.expect(200);
        assert_eq!(history["versions"].as_array().unwrap().len(), 2);
        assert_eq!(phone.client.get("/api/conflicts?state=all").await.expect(200)["conflicts"], json!([]));
    }

    async fn a_reset_makes_the_token_worthless_and_the_plan_independent_of_the_past(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let token = phone.tell().await["change_token"].clone();
        phone.lose("/a.txt");
        let body = json!({"device_id": "phone", "reset": true});
        let registered = phone.client.post("/api/sync/register", body).await.expect(200);
        assert!(!text(&registered["change_token"]).is_empty());
        assert_ne!(registered["change_token"], token);
        assert_eq!(phone.tell_with(delta(&token, json!([]))).await["full_list_required"], true);
        assert_eq!(only(&phone.tell().await, "to_download")["path"], "/a.txt");
    }
}
