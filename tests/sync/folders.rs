//! Folders in plans, and names that are a file on one side and a folder on the other.

use serde_json::{Value, json};
use support::both_engines;

use crate::device::{Device, agreed, hash, is_empty, only, paths, steps, two};

/// Tells files and folders.
async fn tell(device: &Device, folders: &[&str]) -> Value {
    let mut list = device.list();
    list.extend(folders.iter().map(|path| json!({"path": path, "kind": "folder"})));
    device.tell_with(json!({"file_list": list, "folders": true})).await
}

async fn make(device: &Device, path: &str) {
    device.client.post("/api/drives/home/folders", json!({"path": path})).await.expect(201);
}

both_engines! {
    async fn a_client_that_lists_no_folders_is_told_of_none(server: Server) {
        let (mut laptop, phone) = two(&server).await;
        make(&laptop, "/Empty").await;
        assert!(is_empty(&phone.tell().await));
        laptop.write("/Photos/1.jpg", "1").await;
        only(&phone.tell().await, "to_download");
    }

    async fn a_client_that_lists_folders_gets_empty_ones_too(server: Server) {
        let (laptop, phone) = two(&server).await;
        make(&laptop, "/Empty/Inner").await;
        let plan = tell(&phone, &[]).await;
        assert_eq!(paths(&plan, "to_download"), ["/Empty", "/Empty/Inner"], "a folder before what is in it");
        let step = &plan["to_download"][0];
        assert_eq!((&step["kind"], &step["hash"], &step["version"]), (&json!("folder"), &Value::Null, &Value::Null));
        assert_eq!((&step["action"], &step["size"]), (&json!("add"), &json!(0)));
        assert!(is_empty(&tell(&phone, &["/Empty", "/Empty/Inner"]).await));
    }

    async fn a_new_folder_of_the_device_is_made_on_the_server(server: Server) {
        let (laptop, phone) = two(&server).await;
        let plan = tell(&laptop, &["/Empty"]).await;
        let step = only(&plan, "to_upload");
        assert_eq!((&step["path"], &step["kind"]), (&json!("/Empty"), &json!("folder")));
        assert_eq!((&step["hash"], &step["expect"]), (&Value::Null, &Value::Null));
        make(&laptop, "/Empty").await;
        assert!(is_empty(&tell(&laptop, &["/Empty"]).await));
        assert_eq!(paths(&tell(&phone, &[]).await, "to_download"), ["/Empty"]);
    }

    async fn a_folder_that_the_device_deleted_goes_after_what_was_in_it(server: Server) {
        let (mut laptop, _) = two(&server).await;
        laptop.write("/Photos/2025/1.jpg", "1").await;
        laptop.write("/keep.txt", "k").await;
        assert!(is_empty(&tell(&laptop, &["/Photos", "/Photos/2025"]).await));
        laptop.lose("/Photos/2025/1.jpg");
        let plan = tell(&laptop, &[]).await;
        assert_eq!(paths(&plan, "deleted_by_client"), ["/Photos/2025/1.jpg", "/Photos/2025", "/Photos"]);
        let folder = &plan["deleted_by_client"][2];
        assert_eq!((&folder["kind"], &folder["expect"]), (&json!("folder"), &Value::Null));
        laptop.client.delete("/api/drives/home/files/Photos").await.expect_problem(409);
        for path in paths(&plan, "deleted_by_client") {
            laptop.client.delete(&format!("/api/drives/home/files{path}")).await.expect(204);
        }
        assert!(is_empty(&tell(&laptop, &[]).await));
    }

    async fn a_folder_that_the_server_deleted_goes_after_what_was_in_it(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/Photos/2025/1.jpg", "1"), ("/keep.txt", "k")]).await;
        assert!(is_empty(&tell(&phone, &["/Photos", "/Photos/2025"]).await));
        server.admin().await.delete("/api/drives/home/files/Photos").await.expect(204);
        let plan = tell(&phone, &["/Photos", "/Photos/2025"]).await;
        assert_eq!(paths(&plan, "to_delete"), ["/Photos/2025/1.jpg", "/Photos/2025", "/Photos"]);
        let last = json!({"path": "/Photos", "kind": "folder", "replaces": null});
        assert_eq!(plan["to_delete"][2], last);
        phone.lose("/Photos/2025/1.jpg");
        assert!(is_empty(&tell(&phone, &[]).await));
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn a_file_that_another_put_into_a_deleted_folder_keeps_it(server: Server) {
        let (mut laptop, mut phone) = agreed(&server, &[("/Photos/1.jpg", "1"), ("/keep.txt", "k")]).await;
        assert!(is_empty(&tell(&phone, &["/Photos"]).await));
        laptop.write("/Photos/2.jpg", "2").await;
        phone.lose("/Photos/1.jpg");
        let plan = tell(&phone, &[]).await;
        assert!(paths(&plan, "deleted_by_client").contains(&"/Photos/1.jpg"), "{plan}");
        assert!(paths(&plan, "to_download").contains(&"/Photos/2.jpg"), "{plan}");
        phone.delete("/Photos/1.jpg", &hash("1")).await.expect(204);
        phone.client.delete("/api/drives/home/files/Photos").await.expect_problem(409);
        assert_eq!(paths(&tell(&phone, &[]).await, "to_download"), ["/Photos/2.jpg"]);
        phone.hold("/Photos/2.jpg", "2");
        assert!(is_empty(&tell(&phone, &["/Photos"]).await), "the survivor has made its folder anew");
        laptop.settle().await;
        assert_eq!(laptop.files, phone.files);
    }

    async fn an_empty_folder_gives_way_to_a_file(server: Server) {
        let (laptop, mut phone) = two(&server).await;
        make(&laptop, "/thing").await;
        phone.hold("/thing", "a file");
        let plan = phone.tell().await;
        only(&plan, "to_upload");
        phone.follow(&plan).await;
        assert!(is_empty(&phone.tell().await));
    }

    async fn a_file_in_the_place_of_a_full_folder_is_a_conflict(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/thing/inside.txt", "inside").await;
        phone.hold("/thing", "a file");
        let plan = phone.tell().await;
        let conflict = &steps(&plan, "conflicts")[0];
        assert_eq!((&conflict["path"], &conflict["server_kind"], &conflict["server_hash"]),
            (&json!("/thing"), &json!("folder"), &Value::Null));
        let body = json!({"resolution": "keep_local"});
        let address = format!("/api/conflicts/{}/resolve", conflict["id"].as_str().unwrap());
        phone.client.post(&address, body).await.expect_problem_named(409, "kinds-differ");
    }

    async fn a_file_beneath_a_file_of_the_servers_is_a_conflict_that_names_it(server: Server) {
        let (mut laptop, mut phone) = two(&server).await;
        laptop.write("/thing", "a file").await;
        phone.hold("/thing/inside.txt", "inside");
        let plan = phone.tell().await;
        let conflict = &steps(&plan, "conflicts")[0];
        assert_eq!((&conflict["path"], &conflict["blocked_by"]), (&json!("/thing/inside.txt"), &json!("/thing")));
        phone.send("/thing/inside.txt", None).await.expect_problem(409);
        let id = conflict["id"].as_str().unwrap();
        phone.client.put(&format!("/api/conflicts/{id}/candidate"), "inside").await.expect(200);
        let body = json!({"resolution": "keep_local"});
        phone.client.post(&format!("/api/conflicts/{id}/resolve"), body).await.expect_problem_named(409, "kinds-differ");
        let body = json!({"resolution": "keep_both"});
        let answer = phone.client.post(&format!("/api/conflicts/{id}/resolve"), body).await.expect(200);
        let copy = answer["copy"].as_str().unwrap().to_owned();
        assert_eq!(crate::device::read(&phone.client, &copy).await, "inside");
        assert_eq!(crate::device::read(&phone.client, "/thing").await, "a file");
    }
}
