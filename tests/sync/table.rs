//! What decides: each row of the table in the sync protocol, with two devices. C is what the device claims, B what both
//! last held, S what the server holds.

use serde_json::{Value, json};
use support::both_engines;

use crate::device::{Device, agreed, hash, is_empty, look, only, paths, read, steps, text, two};

both_engines! {
    async fn what_both_hold_is_agreed_and_can_be_deleted_later(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "a").await;
        phone.hold("/a.txt", "a");
        assert!(is_empty(&phone.tell().await));
        laptop.remove("/a.txt").await;
        only(&phone.tell().await, "to_delete");
    }

    async fn a_file_of_the_servers_is_downloaded(server: Server) {
        let (mut laptop, phone) = two(&server).await;
        laptop.write("/Documents/a.txt", "first").await;
        laptop.write("/Documents/a.txt", "second").await;
        let plan = phone.tell().await;
        let step = only(&plan, "to_download");
        assert_eq!(step["path"], "/Documents/a.txt");
        assert_eq!((&step["action"], &step["kind"]), (&json!("add"), &json!("file")));
        assert_eq!((&step["hash"], &step["size"], &step["version"]), (&json!(hash("second")), &json!(6), &json!(2)));
        assert_eq!((&step["replaces"], &step["stale"]), (&Value::Null, &json!(false)));
        assert!(text(&step["modified_at"]).starts_with("20"));
    }

    async fn a_file_of_the_devices_is_uploaded(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.hold("/Documents/a.txt", "a");
        let plan = laptop.tell().await;
        let step = only(&plan, "to_upload");
        let documented = json!({"path": "/Documents/a.txt", "action": "add", "kind": "file", "hash": hash("a"), "expect": null, "resurrects": false});
        assert_eq!(*step, documented);
        laptop.follow(&plan).await;
        assert!(is_empty(&laptop.tell().await));
        phone.settle().await;
        assert_eq!(phone.files["/Documents/a.txt"], "a");
    }

    async fn what_changed_on_the_server_alone_is_downloaded(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "new").await;
        let plan = phone.tell().await;
        let step = only(&plan, "to_download");
        assert_eq!((&step["action"], &step["hash"]), (&json!("modify"), &json!(hash("new"))));
        assert_eq!((&step["replaces"], &step["stale"]), (&json!(hash("old")), &json!(false)));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn what_changed_on_the_device_alone_is_uploaded(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        phone.hold("/a.txt", "new");
        let plan = phone.tell().await;
        let step = only(&plan, "to_upload");
        assert_eq!((&step["action"], &step["hash"], &step["expect"]), (&json!("modify"), &json!(hash("new")), &json!(hash("old"))));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
        laptop.settle().await;
        assert_eq!(laptop.files["/a.txt"], "new");
    }

    async fn what_both_changed_is_a_conflict_and_nothing_is_touched(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let plan = phone.tell().await;
        let step = only(&plan, "conflicts");
        assert_eq!(step["path"], "/a.txt");
        assert_eq!((&step["client_hash"], &step["server_hash"]), (&json!(hash("the phone's")), &json!(hash("the laptop's"))));
        assert_eq!((&step["base_hash"], &step["server_kind"]), (&json!(hash("old")), &json!("file")));
        assert_eq!(step["candidate_present"], false);
        assert!(text(&step["server_modified_at"]).starts_with("20"));
        let again = phone.tell().await;
        assert_eq!(only(&again, "conflicts")["id"], step["id"], "it is one conflict, however often it is told");
        assert_eq!(read(&phone.client, "/a.txt").await, "the laptop's");
    }

    async fn what_both_changed_to_the_same_is_no_conflict(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "new").await;
        phone.hold("/a.txt", "new");
        assert!(is_empty(&phone.tell().await));
    }

    async fn an_older_version_is_a_stale_copy_that_is_replaced(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        for content in ["first", "second", "third"] {
            laptop.write("/a.txt", content).await;
        }
        phone.hold("/a.txt", "first");
        let plan = phone.tell().await;
        let step = only(&plan, "to_download");
        assert_eq!((&step["action"], &step["stale"]), (&json!("modify"), &json!(true)));
        assert_eq!((&step["replaces"], &step["hash"]), (&json!(hash("first")), &json!(hash("third"))));
    }

    async fn two_files_of_one_name_that_never_met_are_a_conflict(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let plan = phone.tell().await;
        let step = only(&plan, "conflicts");
        assert_eq!((&step["base_hash"], &step["server_hash"]), (&Value::Null, &json!(hash("the laptop's"))));
    }

    async fn what_the_device_deleted_is_deleted_by_it_with_a_condition(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.lose("/a.txt");
        let plan = phone.tell().await;
        let step = only(&plan, "deleted_by_client");
        assert_eq!(*step, json!({"path": "/a.txt", "expect": hash("a"), "kind": "file"}));
        assert_eq!(read(&phone.client, "/a.txt").await, "a", "planning deletes nothing");
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
        phone.delete("/a.txt", &hash("a")).await.expect_problem(404);
        assert_eq!(only(&laptop.tell().await, "to_delete")["replaces"], hash("a"));
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn an_edit_wins_over_a_deletion(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        phone.lose("/a.txt");
        let deletion = phone.tell().await;
        laptop.write("/a.txt", "edited").await;
        let expect = text(&only(&deletion, "deleted_by_client")["expect"]);
        let problem = phone.delete("/a.txt", expect).await.expect_problem(412);
        assert_eq!((&problem["expected_hash"], &problem["actual_hash"]), (&json!(hash("old")), &json!(hash("edited"))));
        let plan = phone.tell().await;
        let step = only(&plan, "to_download");
        assert_eq!((&step["action"], &step["hash"]), (&json!("add"), &json!(hash("edited"))));
        phone.settle().await;
        assert_eq!(phone.files["/a.txt"], "edited");
    }

    async fn what_was_deleted_and_came_back_is_not_deleted_again(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a")]).await;
        phone.lose("/a.txt");
        laptop.remove("/a.txt").await;
        laptop.write("/a.txt", "a").await;
        only(&phone.tell().await, "to_download");
    }

    async fn what_the_server_deleted_is_deleted_on_the_device(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        laptop.remove("/a.txt").await;
        let plan = phone.tell().await;
        assert_eq!(*only(&plan, "to_delete"), json!({"path": "/a.txt", "kind": "file", "replaces": hash("a")}));
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn an_edit_of_what_the_server_deleted_is_a_conflict_that_keeps_it(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old"), ("/b.txt", "b")]).await;
        laptop.remove("/a.txt").await;
        phone.hold("/a.txt", "edited");
        let plan = phone.tell().await;
        let step = only(&plan, "conflicts");
        assert_eq!((&step["server_hash"], &step["server_modified_at"]), (&Value::Null, &Value::Null));
        assert_eq!((&step["base_hash"], &step["client_hash"]), (&json!(hash("old")), &json!(hash("edited"))));
    }

    async fn an_old_copy_of_what_was_let_go_waits_for_a_person(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "first").await;
        laptop.write("/a.txt", "second").await;
        laptop.remove("/a.txt").await;
        phone.hold("/a.txt", "first");
        let plan = phone.tell().await;
        assert_eq!(*only(&plan, "deleted_elsewhere"), json!({"path": "/a.txt", "hash": hash("first"), "moved_to": null}));
        phone.send("/a.txt", None).await.expect(201);
        assert!(is_empty(&phone.tell().await));
        laptop.settle().await;
        assert_eq!(laptop.files["/a.txt"], "first", "it was brought back");
    }

    async fn an_old_copy_of_what_was_moved_is_told_where_it_lives_now(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/a.txt", "a").await;
        let moved = json!({"from": "/a.txt", "to": "/Documents/b.txt", "expect": hash("a")});
        laptop.client.post("/api/drives/home/moves", moved).await.expect(200);
        phone.hold("/a.txt", "a");
        let plan = phone.tell().await;
        let left = json!([{"path": "/a.txt", "hash": hash("a"), "moved_to": "/Documents/b.txt"}]);
        assert_eq!(plan["deleted_elsewhere"], left);
        assert_eq!(paths(&plan, "to_download"), ["/Documents/b.txt"]);
        assert!(steps(&plan, "to_upload").is_empty());
    }

    async fn what_the_device_cannot_read_is_neither_deleted_nor_overwritten(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/Photos/1.jpg", "1"), ("/Photos/2.jpg", "2")]).await;
        phone.lose("/Photos/1.jpg");
        phone.lose("/Photos/2.jpg");
        laptop.write("/Photos/2.jpg", "changed").await;
        let mut list = phone.list();
        list.push(json!({"path": "/Photos", "unreadable": true}));
        let plan = phone.tell_with(json!({"file_list": list})).await;
        assert_eq!(*only(&plan, "unsyncable"), json!({"path": "/Photos", "reason": "unreadable"}));
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "deleted_by_client"), ["/Photos/1.jpg"]);
        assert_eq!(paths(&plan, "to_download"), ["/Photos/2.jpg"]);
    }

    async fn a_brought_back_name_goes_on_with_its_history(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.remove("/a.txt").await;
        phone.settle().await;
        phone.hold("/a.txt", "new");
        let plan = phone.tell().await;
        assert_eq!(only(&plan, "to_upload")["resurrects"], true);
        phone.follow(&plan).await;
        let history = phone.client.get("/api/sync/history/a.txt").await.expect(200);
        let hashes: Vec<_> = history["versions"].as_array().unwrap().iter().map(|v| text(&v["hash"])).collect();
        assert_eq!(hashes, [hash("new"), hash("old")]);
    }

    async fn hashes_may_be_in_capitals_and_paths_without_a_slash_in_front(server: Server) {
        let (mut laptop, phone) = two(&server).await;
        laptop.write("/a.txt", "a").await;
        let list = json!([{"path": "a.txt", "hash": hash("a").to_uppercase()}]);
        assert!(is_empty(&phone.tell_with(json!({"file_list": list})).await));
    }

    async fn wrong_clocks_and_sizes_decide_nothing(server: Server) {
        let (mut laptop, phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "new").await;
        let list = json!([{"path": "/a.txt", "hash": hash("old"), "size": 99, "modified_at": "2099-12-31T23:59:59Z"}]);
        let plan = phone.tell_with(json!({"file_list": list})).await;
        assert_eq!(only(&plan, "to_download")["hash"], hash("new"));
    }

    async fn a_device_of_another_drive_is_another_matter(server: Server) {
        let admin = server.admin().await;
        let (mut laptop, phone) = agreed(&server, &[("/a.txt", "a")]).await;
        let drive = text(&admin.get("/api/drives/home").await.expect(200)["id"]).to_owned();
        assert!(is_empty(&phone.tell_with(json!({"drive": drive})).await));
        assert!(is_empty(&phone.tell_with(json!({"drive": "home"})).await));
        phone.ask(json!({"drive": "attic"})).await.expect_problem(404);
        let before = look(&server, &admin, &["/a.txt"]).await;
        let mut third = Device::new(&admin, "third").await;
        third.settle().await;
        assert_eq!(look(&server, &admin, &["/a.txt"]).await, before);
        laptop.settle().await;
    }
}
