//! Renames: for clients that carry them out, and for those that do not.

use serde_json::{Value, json};
use support::both_engines;

use crate::device::{Device, agreed, hash, is_empty, only, paths, read, two};

async fn tell_moving(device: &Device) -> Value {
    device.tell_with(json!({"accept": ["move"]})).await
}

async fn move_by(device: &Device, from: &str, to: &str) {
    device.client.post("/api/drives/home/moves", json!({"from": from, "to": to})).await.expect(200);
}

both_engines! {
    async fn a_rename_on_the_device_is_a_move_for_clients_that_accept_moves(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.rename("/a.txt", "/Documents/c.txt");
        let plain = phone.tell().await;
        assert_eq!(paths(&plain, "to_upload"), ["/Documents/c.txt"]);
        assert_eq!(paths(&plain, "deleted_by_client"), ["/a.txt"]);
        assert_eq!((&plain["moved_by_client"], &plain["to_move"]), (&json!([]), &json!([])));
        let plan = tell_moving(&phone).await;
        let step = only(&plan, "moved_by_client");
        assert_eq!(*step, json!({"from": "/a.txt", "to": "/Documents/c.txt", "hash": hash("a"), "expect": hash("a")}));
        phone.follow(&plan).await;
        assert!(is_empty(&tell_moving(&phone).await));
        let history = phone.client.get("/api/sync/history/Documents/c.txt").await.expect(200);
        assert_eq!(history["versions"].as_array().unwrap().len(), 1, "no bytes were sent");
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn a_rename_on_the_server_is_a_move_for_clients_that_accept_moves(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        move_by(&laptop, "/a.txt", "/c.txt").await;
        laptop.rename("/a.txt", "/c.txt");
        let plain = phone.tell().await;
        assert_eq!(paths(&plain, "to_download"), ["/c.txt"]);
        assert_eq!(paths(&plain, "to_delete"), ["/a.txt"]);
        assert_eq!((&plain["moved_by_client"], &plain["to_move"]), (&json!([]), &json!([])));
        let plan = tell_moving(&phone).await;
        let step = only(&plan, "to_move");
        assert_eq!((&step["from"], &step["to"], &step["hash"]), (&json!("/a.txt"), &json!("/c.txt"), &json!(hash("a"))));
        phone.follow(&plan).await;
        assert!(is_empty(&tell_moving(&phone).await));
        assert!(is_empty(&laptop.tell().await), "who moved it has nothing to do");
    }

    async fn a_plain_client_follows_a_rename_on_either_side(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        phone.rename("/a.txt", "/a2.txt");
        phone.settle().await;
        move_by(&laptop, "/b.txt", "/b2.txt").await;
        laptop.rename("/b.txt", "/b2.txt");
        for _ in 0..2 {
            laptop.settle().await;
            phone.settle().await;
        }
        assert_eq!(laptop.files.keys().collect::<Vec<_>>(), ["/a2.txt", "/b2.txt", "/c.txt"]);
        assert_eq!(laptop.files, phone.files);
    }

    async fn contents_that_are_not_unique_are_never_taken_for_a_rename(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "same"), ("/b.txt", "same"), ("/empty", ""), ("/c.txt", "c")]).await;
        phone.rename("/a.txt", "/a2.txt");
        phone.rename("/empty", "/empty2");
        let plan = tell_moving(&phone).await;
        assert_eq!((&plan["moved_by_client"], &plan["to_move"]), (&json!([]), &json!([])));
        assert_eq!(paths(&plan, "to_upload"), ["/a2.txt", "/empty2"]);
        phone.follow(&plan).await;
        assert!(is_empty(&tell_moving(&phone).await));
    }

    async fn a_folder_is_moved_as_a_whole_by_one_act(server: Server) {
        let files = [("/Photos/1.jpg", "1"), ("/Photos/2025/2.jpg", "2"), ("/Photos/2025/3.jpg", "3"), ("/a.txt", "a")];
        let (mut laptop, mut phone) = agreed(&server, &files).await;
        let events = |page: Value| -> Vec<String> {
            page["items"].as_array().unwrap().iter().map(|event| event["path"].to_string()).collect()
        };
        let before = events(laptop.client.get("/api/events?limit=1000").await.expect(200));
        move_by(&laptop, "/Photos", "/Album").await;
        let after = events(laptop.client.get("/api/events?limit=1000").await.expect(200));
        assert!(after.len() <= before.len() + 1, "one act, one line in the log: {after:?}");
        for name in ["1.jpg", "2025/2.jpg", "2025/3.jpg"] {
            laptop.rename(&format!("/Photos/{name}"), &format!("/Album/{name}"));
        }
        assert!(is_empty(&laptop.tell().await), "who moved it has nothing to do");
        let plan = tell_moving(&phone).await;
        assert_eq!(plan["to_move"].as_array().unwrap().len(), 3, "{plan}");
        phone.follow(&plan).await;
        assert!(is_empty(&tell_moving(&phone).await));
        assert_eq!(phone.files, laptop.files);
    }

    async fn what_others_put_into_a_folder_that_is_moved_comes_along_and_is_downloaded(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/Photos/1.jpg", "1"), ("/a.txt", "a")]).await;
        laptop.write("/Photos/2.jpg", "2").await;
        move_by(&phone, "/Photos", "/Album").await;
        phone.rename("/Photos/1.jpg", "/Album/1.jpg");
        let plan = phone.tell().await;
        assert_eq!(only(&plan, "to_download")["path"], "/Album/2.jpg");
        phone.follow(&plan).await;
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn a_rename_of_what_another_has_edited_loses_neither(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old"), ("/b.txt", "b")]).await;
        phone.rename("/a.txt", "/c.txt");
        let plan = tell_moving(&phone).await;
        laptop.write("/a.txt", "edited").await;
        let step = only(&plan, "moved_by_client").clone();
        phone.client.post("/api/drives/home/moves", step).await.expect_problem(412);
        for _ in 0..2 {
            phone.settle().await;
            laptop.settle().await;
        }
        assert_eq!(read(&phone.client, "/a.txt").await, "edited");
        assert_eq!(read(&phone.client, "/c.txt").await, "old");
        assert_eq!(laptop.files, phone.files);
    }

    async fn a_move_onto_something_is_refused(server: Server) {
        let (laptop, _) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        for overwrite in [false, true] {
            let onto = json!({"from": "/a.txt", "to": "/b.txt", "overwrite": overwrite});
            laptop.client.post("/api/drives/home/moves", onto).await.expect_problem(409);
        }
        assert_eq!(read(&laptop.client, "/b.txt").await, "b");
        assert!(is_empty(&laptop.tell().await));
    }

    async fn two_names_that_were_swapped_are_swapped_on_the_other_side(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        phone.hold("/a.txt", "b");
        phone.hold("/b.txt", "a");
        phone.settle().await;
        laptop.settle().await;
        assert_eq!((laptop.files["/a.txt"].as_str(), laptop.files["/b.txt"].as_str()), ("b", "a"));
    }

    async fn a_file_that_is_renamed_and_renamed_back_stays(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        phone.rename("/a.txt", "/c.txt");
        phone.settle().await;
        laptop.settle().await;
        phone.rename("/c.txt", "/a.txt");
        phone.settle().await;
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
        assert_eq!(read(&phone.client, "/a.txt").await, "a");
    }

    async fn a_new_device_gets_a_file_by_its_present_name_alone(server: Server) {
        let (laptop, phone) = two(&server).await;
        let mut laptop = laptop;
        laptop.write("/a.txt", "a").await;
        move_by(&laptop, "/a.txt", "/b.txt").await;
        assert_eq!(only(&tell_moving(&phone).await, "to_download")["path"], "/b.txt");
    }
}
