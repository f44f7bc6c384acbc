//! What no manifest, no old disk and no missing disk may do: let a user's files go.

use serde_json::{Value, json};
use support::{both_engines, eventually, home_of};

use crate::device::{Device, agreed, claim, file, hash, is_empty, look, only, paths, read, steps, text, two};

/// So many files, on the device and on the server, each with its number in it.
async fn write_many(device: &mut Device, count: usize, content: &str) {
    for number in 0..count {
        device.hold(&format!("/many/{number:03}.txt"), &format!("{content} {number}"));
    }
    let client = &device.client;
    let writes =
        device.files.iter().map(|(path, text)| async { client.put(&file(path), text.clone()).await });
    for answer in futures_util::future::join_all(writes).await {
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    }
}

both_engines! {
    async fn a_device_that_lost_its_disk_deletes_nothing_unasked(server: Server) {
        let (laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        let files = std::mem::take(&mut phone.files);
        let plan = phone.tell().await;
        for list in ["deleted_by_client", "to_download", "to_delete", "to_upload"] {
            assert_eq!(plan[list], json!([]), "{list}");
        }
        let withheld = &plan["needs_confirmation"];
        assert_eq!(withheld["deletes"], json!(["/a.txt", "/b.txt", "/c.txt"]));
        assert_eq!(withheld["reverts"], json!([]));
        let token = text(&withheld["token"]);
        // The user found the disk again.
        phone.files = files;
        assert!(is_empty(&phone.tell().await));
        assert!(is_empty(&laptop.tell().await));
        // Or means it.
        phone.files.clear();
        let plan = phone.tell_with(json!({"confirm": token})).await;
        assert!(plan.get("needs_confirmation").is_none(), "{plan}");
        assert_eq!(paths(&plan, "deleted_by_client"), ["/c.txt", "/b.txt", "/a.txt"]);
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn a_confirmation_releases_exactly_the_set_it_names(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/c.txt", "c")]).await;
        phone.files.clear();
        let token = text(&phone.tell().await["needs_confirmation"]["token"]).to_owned();
        laptop.write("/c.txt", "edited").await;
        let plan = phone.tell_with(json!({"confirm": token})).await;
        assert_eq!(plan["deleted_by_client"], json!([]), "another set needs another yes");
        assert_eq!(plan["needs_confirmation"]["deletes"], json!(["/a.txt", "/b.txt"]));
        let plan = phone.tell_with(json!({"confirm": "yes"})).await;
        let token = text(&plan["needs_confirmation"]["token"]).to_owned();
        let plan = phone.tell_with(json!({"confirm": token})).await;
        assert_eq!(paths(&plan, "deleted_by_client"), ["/b.txt", "/a.txt"]);
        assert_eq!(read(&laptop.client, "/c.txt").await, "edited");
    }

    async fn one_file_of_many_may_be_deleted_unasked_and_so_may_the_only_one(server: Server) {
        let (_, mut phone) = agreed(&server, &[("/a.txt", "a")]).await;
        phone.lose("/a.txt");
        only(&phone.tell().await, "deleted_by_client");
    }

    async fn more_than_fifty_deletions_need_a_yes(server: Server) {
        let (_, mut phone) = two(&server).await;
        write_many(&mut phone, 60, "file").await;
        assert!(is_empty(&phone.tell().await));
        for number in 0..50 {
            phone.lose(&format!("/many/{number:03}.txt"));
        }
        let plan = phone.tell().await;
        assert_eq!(steps(&plan, "deleted_by_client").len(), 50);
        phone.lose("/many/050.txt");
        phone.hold("/new.txt", "new");
        let plan = phone.tell().await;
        assert_eq!(plan["deleted_by_client"], json!([]));
        assert_eq!(steps(&plan["needs_confirmation"], "deletes").len(), 51);
        assert_eq!(paths(&plan, "to_upload"), ["/new.txt"], "the rest of the plan goes on");
    }

    async fn more_than_fifty_reverts_need_a_yes(server: Server) {
        let (_, mut phone) = two(&server).await;
        write_many(&mut phone, 51, "older").await;
        let older = phone.files.clone();
        write_many(&mut phone, 51, "newer").await;
        let token = phone.tell().await["change_token"].clone();
        phone.files = older;
        let fields = json!({"change_token": token, "complete": true});
        let plan = phone.tell_with(fields).await;
        assert_eq!(plan["to_upload"], json!([]));
        let withheld = &plan["needs_confirmation"];
        assert_eq!((steps(withheld, "reverts").len(), &withheld["deletes"]), (51, &json!([])));
        let fields = json!({"change_token": plan["change_token"], "complete": true, "confirm": withheld["token"]});
        assert_eq!(steps(&phone.tell_with(fields).await, "to_upload").len(), 51);
    }

    async fn a_reinstalled_device_with_stale_files_downloads_and_has_no_conflict(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "first"), ("/b.txt", "b"), ("/same.txt", "same")]).await;
        laptop.write("/a.txt", "second").await;
        laptop.write("/b.txt", "b2").await;
        laptop.write("/c.txt", "c").await;
        let body = json!({"device_id": "phone", "device_name": "phone", "reset": true});
        phone.client.post("/api/sync/register", body).await.expect(200);
        let plan = phone.tell().await;
        assert_eq!(paths(&plan, "to_download"), ["/a.txt", "/b.txt", "/c.txt"]);
        let stale: Vec<_> = steps(&plan, "to_download").iter().map(|step| step["stale"].as_bool().unwrap()).collect();
        assert_eq!(stale, [true, true, false]);
        assert_eq!((&plan["conflicts"], &plan["to_upload"]), (&json!([]), &json!([])));
        phone.settle().await;
        assert_eq!(phone.files, laptop.files);
    }

    async fn an_old_laptop_does_not_bring_deletions_back(server: Server) {
        let (mut laptop, _) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b"), ("/keep.txt", "k")]).await;
        let owner = server.admin().await;
        // One that was in a drawer, and one that nobody remembers.
        let mut known = Device::new(&owner, "drawer").await;
        known.settle().await;
        let mut unknown = Device::new(&owner, "attic").await;
        unknown.files = known.files.clone();
        laptop.remove("/a.txt").await;
        laptop.write("/b.txt", "b2").await;
        laptop.remove("/b.txt").await;
        assert_eq!(paths(&known.tell().await, "to_delete"), ["/b.txt", "/a.txt"]);
        known.settle().await;
        assert_eq!(known.files, laptop.files);
        let plan = unknown.tell().await;
        assert_eq!(paths(&plan, "deleted_elsewhere"), ["/a.txt", "/b.txt"]);
        assert_eq!((&plan["to_upload"], &plan["conflicts"]), (&json!([]), &json!([])));
        unknown.follow(&plan).await;
        assert!(is_empty(&laptop.tell().await));
    }

    async fn planning_never_changes_content(server: Server) {
        let (mut laptop, phone) = agreed(&server, &[("/a.txt", "first"), ("/Documents/b.txt", "b"), ("/gone.txt", "g")]).await;
        laptop.write("/a.txt", "second").await;
        laptop.remove("/gone.txt").await;
        let at = ["/a.txt", "/Documents/b.txt", "/gone.txt", "/Documents", "/new.txt"];
        let before = look(&server, &laptop.client, &at).await;
        let lists = [
            json!([]),
            json!([claim("/a.txt", "first"), claim("/new.txt", "new"), claim("/gone.txt", "g")]),
            json!([claim("/a", "first"), {"path": "/Documents", "kind": "folder"}]),
            json!([{"path": "/Documents", "unreadable": true}, {"path": "/New", "kind": "folder"}]),
            json!([claim("/renamed.txt", "second"), claim("/Documents/b.txt", "b")]),
        ];
        for list in lists {
            let mut token = Value::Null;
            for fields in [json!({}), json!({"folders": true, "accept": ["move"]}), json!({"complete": true})] {
                let mut fields = fields;
                fields["file_list"] = list.clone();
                if fields.get("complete").is_some() {
                    fields["change_token"] = token.clone();
                }
                for device in [&phone, &laptop] {
                    let plan = device.tell_with(fields.clone()).await;
                    token = plan["change_token"].clone();
                    fields["confirm"] = plan["needs_confirmation"]["token"].clone();
                    device.tell_with(fields.clone()).await;
                }
            }
        }
        assert_eq!(look(&server, &laptop.client, &at).await, before);
    }

    async fn telling_of_a_conflict_changes_neither_side(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        phone.tell().await;
        let before = look(&server, &laptop.client, &["/a.txt"]).await;
        phone.tell().await;
        laptop.tell().await;
        assert_eq!(look(&server, &laptop.client, &["/a.txt"]).await, before);
    }

    async fn a_drive_that_is_offline_answers_503_and_never_deletions(server: Server) {
        let (laptop, phone) = agreed(&server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
        let root = home_of(&server, &laptop.client).await;
        let away = root.with_extension("away");
        std::fs::rename(&root, &away).unwrap();
        let token = phone.client.get("/api/sync/status/phone").await.expect(200)["last_change_token"].clone();
        // Gone, and then an empty folder where the disk is not mounted.
        for _ in 0..2 {
            for fields in [json!({}), json!({"file_list": []}), json!({"change_token": token, "file_list": []})] {
                let answer = phone.ask(fields).await;
                assert!(answer.header("retry-after").is_some());
                answer.expect_problem(503);
            }
            let late = phone.send("/a.txt", Some(&hash("older"))).await;
            assert!(late.header("retry-after").is_some());
            late.expect_problem(503);
            phone.delete("/a.txt", &hash("a")).await.expect_problem(503);
            std::fs::create_dir_all(&root).unwrap();
        }
        let status = phone.client.get("/api/sync/status/phone").await.expect(200);
        assert_eq!((&status["pending"], &status["last_change_token"]), (&Value::Null, &token));
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is written where the drive is not");
        std::fs::remove_dir(&root).unwrap();
        std::fs::rename(&away, &root).unwrap();
        let plan = eventually("the drive to come back", || async {
            let answer = phone.ask(json!({})).await;
            (answer.status == 200).then(|| answer.json())
        }).await;
        assert!(is_empty(&plan), "{plan}");
        assert!(is_empty(&laptop.tell().await));
    }

    async fn a_conflict_cannot_be_settled_while_the_drive_is_offline(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/a.txt", "old")]).await;
        laptop.write("/a.txt", "the laptop's").await;
        phone.hold("/a.txt", "the phone's");
        let problem = phone.send("/a.txt", Some(&hash("old"))).await.expect_problem(412);
        let address = format!("/api/conflicts/{}", text(&problem["conflict"]["id"]));
        let root = home_of(&server, &laptop.client).await;
        std::fs::rename(&root, root.with_extension("away")).unwrap();
        phone.client.get(&file("/a.txt")).await.expect_problem(503);
        let body = json!({"resolution": "keep_both"});
        phone.client.post(&format!("{address}/resolve"), body.clone()).await.expect_problem(503);
        assert_eq!(phone.client.get(&address).await.expect(200)["state"], "open");
        std::fs::rename(root.with_extension("away"), &root).unwrap();
        eventually("the drive to come back", || async {
            (phone.client.get(&file("/a.txt")).await.status == 200).then_some(())
        }).await;
        let answer = phone.client.post(&format!("{address}/resolve"), body).await.expect(200);
        assert_eq!(read(&phone.client, text(&answer["copy"])).await, "the phone's");
    }
}
