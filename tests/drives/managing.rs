//! Making, sharing, moving and forgetting drives. What is on their disks stays there.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Client, Server, both_engines, eventually};

use crate::{device, put};

/// A folder of the server's for a test, apart from its data.
fn folder(server: &Server, name: &str) -> PathBuf {
    let path = server.scratch().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path.canonicalize().unwrap()
}

async fn made(client: &Client, name: &str, root: &Path) -> Value {
    let body = json!({"name": name, "root": root, "adopt": true});
    client.post("/api/drives", body).await.expect(201)
}

fn id(drive: &Value) -> &str {
    drive["id"].as_str().unwrap()
}

/// What a copy of a folder is made with: its signature included.
fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

async fn state(client: &Client, drive: &str) -> String {
    client.get(&format!("/api/drives/{drive}")).await.expect(200)["state"].as_str().unwrap().to_owned()
}

both_engines! {
    async fn a_folder_that_people_have_becomes_a_drive_where_it_is(server: Server) {
        let admin = server.admin().await;
        let root = folder(&server, "photos");
        std::fs::create_dir(root.join("2024")).unwrap();
        std::fs::write(root.join("2024/a.jpg"), "picture").unwrap();
        let unasked = json!({"name": "Photos", "root": root});
        admin.post("/api/drives", unasked).await.expect_problem_named(409, "not-empty");
        assert!(!root.join(".holdfast").exists(), "what was refused left the folder as it was");
        let drive = made(&admin, "Photos", &root).await;
        assert_eq!((&drive["state"], &drive["kind"], &drive["right"]), (&json!("online"), &json!("nas"), &json!("own")));
        eventually("the file to be found", || async {
            let answer = admin.get("/api/drives/Photos/files/2024/a.jpg").await;
            (answer.status == 200 && answer.text() == "picture").then_some(())
        }).await;
        let put = admin.put("/api/drives/photos/files/2024/b.jpg", "another").await;
        assert_eq!(put.status, 201);
        assert_eq!(std::fs::read_to_string(root.join("2024/b.jpg")).unwrap(), "another");
        admin.post("/api/drives", json!({"name": "PHOTOS", "root": folder(&server, "other")})).await.expect_problem_named(409, "drive-exists");
        assert!(!folder(&server, "other").join(".holdfast").exists(), "what was refused left the folder as it was");
    }

    async fn what_cannot_be_a_root_is_refused_and_stays_as_it_is(server: Server) {
        let admin = server.admin().await;
        let (_, member) = server.member().await;
        let root = folder(&server, "disk");
        let inner = folder(&server, "disk/inner");
        made(&admin, "Disk", &root).await;
        std::os::unix::fs::symlink(&root, server.scratch().join("link")).unwrap();
        std::fs::write(server.scratch().join("file"), "").unwrap();
        let data = server.data_dir();
        let missing = server.scratch().join("missing");
        for bad in [
            PathBuf::from("/"), PathBuf::from("relative"), PathBuf::from(""), missing,
            server.scratch().join("link"), server.scratch().join("link/inner"), server.scratch().join("file"),
            data.clone(), data.join("drives"), root.join("inner/../inner"), PathBuf::from("/proc"),
        ] {
            let body = json!({"name": "Bad", "root": bad, "adopt": true});
            admin.post("/api/drives", body).await.expect_problem_named(422, "bad-root");
        }
        for inside in [&inner, &server.scratch().canonicalize().unwrap()] {
            let answer = admin.post("/api/drives", json!({"name": "Bad", "root": inside, "adopt": true})).await;
            assert!(answer.status == 409 || answer.status == 422, "{}", answer.text());
        }
        admin.post("/api/drives", json!({"name": "Bad", "root": inner, "adopt": true})).await.expect_problem_named(409, "inside-another-drive");
        admin.post("/api/drives", json!({"name": "Again", "root": root, "adopt": true})).await.expect_problem_named(409, "already-a-drive");
        let other = folder(&server, "members");
        member.post("/api/drives", json!({"name": "Mine", "root": other})).await.expect_problem_named(403, "needs-admin");
        for name in ["", "a/b", "..", "by-id", "x\u{7}"] {
            admin.post("/api/drives", json!({"name": name, "root": other})).await.expect_problem(422);
        }
        assert!(!other.join(".holdfast").exists());
        assert_eq!(admin.get("/api/drives").await.expect(200)["items"].as_array().unwrap().len(), 2);
    }

    async fn a_drive_without_a_folder_here_is_made_by_whoever_has_it(server: Server) {
        let (_, member) = server.member().await;
        let body = json!({"name": "Stick", "kind": "usb", "unique_identifier": "USB-1"});
        let drive = member.post("/api/drives", body.clone()).await.expect(201);
        assert_eq!(drive["state"], "reported");
        member.post("/api/drives", body).await.expect_problem_named(409, "drive-exists");
        let change = member.patch("/api/drives/Stick", json!({"name": "Blue stick", "provider": "me"})).await.expect(200);
        assert_eq!((&change["name"], &change["provider"], &change["id"]), (&json!("Blue stick"), &json!("me"), &drive["id"]));
        member.get("/api/drives/Stick").await.expect_problem(404);
        member.patch("/api/drives/Blue stick", json!({"name": "HOME"})).await.expect_problem_named(409, "drive-exists");
        member.patch("/api/drives/home", json!({"name": "house"})).await.expect_problem_named(409, "home-drive");
    }

    async fn a_drive_is_shared_with_those_who_may_look_and_those_who_may_write(server: Server) {
        let admin = server.admin().await;
        let (_, eve) = server.member().await;
        let (_, bob) = server.member().await;
        let name = |me: Value| me["username"].as_str().unwrap().to_owned();
        let (eves, bobs) = (name(eve.get("/api/me").await.expect(200)), name(bob.get("/api/me").await.expect(200)));
        made(&admin, "Family", &folder(&server, "family")).await;
        admin.put("/api/drives/Family/files/a.txt", "a").await.expect(201);
        eve.get("/api/drives/Family/files/a.txt").await.expect_problem(404);
        put(&admin, &format!("/api/drives/Family/members/{eves}"), &json!({"role": "viewer"})).await.expect(200);
        put(&admin, &format!("/api/drives/Family/members/{bobs}"), &json!({"role": "editor"})).await.expect(200);
        assert_eq!(eve.get("/api/drives/Family/files/a.txt").await.text(), "a");
        eve.put("/api/drives/Family/files/b.txt", "b").await.expect_problem(403);
        bob.put("/api/drives/Family/files/b.txt", "b").await.expect(201);
        // What only the owner may do.
        for member in [&eve, &bob] {
            member.patch("/api/drives/Family", json!({"name": "Mine"})).await.expect_problem_named(403, "needs-owner");
            member.delete("/api/drives/Family").await.expect_problem_named(403, "needs-owner");
            member.post("/api/drives/Family/offline", json!({})).await.expect_problem_named(403, "needs-owner");
            put(member, &format!("/api/drives/Family/members/{eves}"), &json!({"role": "editor"})).await.expect_problem_named(403, "needs-owner");
        }
        put(&admin, "/api/drives/Family/members/nobody", &json!({"role": "viewer"})).await.expect_problem_named(404, "unknown-user");
        put(&admin, &format!("/api/drives/Family/members/{eves}"), &json!({"role": "owner"})).await.expect_problem(422);
        let members = bob.get("/api/drives/Family/members").await.expect(200);
        assert_eq!(members["items"].as_array().unwrap().len(), 2);
        // Somebody else cannot be thrown out by a member, but everybody may leave.
        eve.delete(&format!("/api/drives/Family/members/{bobs}")).await.expect_problem_named(403, "needs-owner");
        eve.delete(&format!("/api/drives/Family/members/{eves}")).await.expect(204);
        eve.get("/api/drives/Family").await.expect_problem(404);
        admin.delete(&format!("/api/drives/Family/members/{bobs}")).await.expect(204);
        bob.put("/api/drives/Family/files/c.txt", "c").await.expect_problem(404);
    }

    async fn a_drive_that_is_taken_offline_is_out_of_reach_and_comes_back_whole(server: Server) {
        let mut server = server;
        let admin = server.admin().await;
        let root = folder(&server, "disk");
        let drive = made(&admin, "Disk", &root).await;
        admin.put("/api/drives/Disk/files/a.txt", "a").await.expect(201);
        let offline = admin.post("/api/drives/Disk/offline", json!({})).await.expect(200);
        assert_eq!(offline["state"], "offline");
        assert_eq!(std::fs::read_to_string(root.join("a.txt")).unwrap(), "a", "all of it is in its folder by then");
        device(&admin, "laptop", "linux").await;
        let manifest = json!({"device_id": "laptop", "drive": "Disk", "file_list": []});
        for answer in [
            admin.get("/api/drives/Disk/files/a.txt").await,
            admin.put("/api/drives/Disk/files/b.txt", "b").await,
            admin.delete("/api/drives/Disk/files/a.txt").await,
            admin.get("/api/drives/Disk/tree/").await,
            admin.get("/dav/Disk/a.txt").await,
            admin.post("/api/sync/changes", manifest).await,
        ] {
            assert!(answer.header("retry-after").is_some(), "{} {}", answer.status, answer.text());
            answer.expect_problem_named(503, "drive-offline");
        }
        // Also over a restart, and whatever happens to its folder meanwhile.
        std::fs::rename(&root, root.with_file_name("away")).unwrap();
        server.restart().await;
        let admin = server.admin().await;
        assert_eq!(state(&admin, id(&drive)).await, "offline");
        std::fs::rename(root.with_file_name("away"), &root).unwrap();
        let online = admin.post("/api/drives/Disk/online", json!({})).await.expect(200);
        assert_eq!(online["state"], "online");
        assert_eq!(admin.get("/api/drives/Disk/files/a.txt").await.text(), "a");
        let changes = admin.get("/api/drives/Disk/changes").await.text();
        assert!(!changes.contains("dead"), "{changes}");
    }

    async fn a_drive_that_is_taken_offline_stays_so_over_a_restart_though_its_disk_is_there(server: Server) {
        let mut server = server;
        let admin = server.admin().await;
        let drive = made(&admin, "Disk", &folder(&server, "disk")).await;
        admin.put("/api/drives/Disk/files/a.txt", "a").await.expect(201);
        admin.post("/api/drives/Disk/offline", json!({})).await.expect(200);
        server.restart().await;
        let admin = server.admin().await;
        assert_eq!(state(&admin, id(&drive)).await, "offline");
        admin.get("/api/drives/Disk/files/a.txt").await.expect_problem_named(503, "drive-offline");
    }

    async fn a_drive_that_is_forgotten_leaves_its_files_and_can_be_adopted_again(server: Server) {
        let admin = server.admin().await;
        let root = folder(&server, "disk");
        let drive = made(&admin, "Disk", &root).await;
        admin.put("/api/drives/Disk/files/deep/a.txt?parents=true", "a").await.expect(201);
        admin.delete("/api/drives/home").await.expect_problem_named(409, "home-drive");
        admin.delete("/api/drives/Disk").await.expect(204);
        admin.get(&format!("/api/drives/{}", id(&drive))).await.expect_problem(404);
        admin.get("/api/drives/Disk/files/deep/a.txt").await.expect_problem(404);
        assert_eq!(std::fs::read_to_string(root.join("deep/a.txt")).unwrap(), "a");
        let events = admin.get("/api/events?limit=1000").await.expect(200);
        let of_it = events["items"].as_array().unwrap().iter().filter(|event| event["drive"]["name"] == "Disk");
        assert!(of_it.map(|event| &event["path"]).any(|path| path == "/deep/a.txt"), "its history stays in the log: {events}");
        // It carries its signature, so it is the same drive again.
        admin.post("/api/drives", json!({"name": "Disk", "root": root})).await.expect_problem_named(409, "not-empty");
        let again = made(&admin, "Disk", &root).await;
        assert_eq!(again["id"], drive["id"]);
        eventually("the file to be found again", || async {
            (admin.get("/api/drives/Disk/files/deep/a.txt").await.text() == "a").then_some(())
        }).await;
    }

    async fn a_disk_at_another_place_is_the_same_drive_and_a_copy_of_it_is_not(server: Server) {
        let admin = server.admin().await;
        let root = folder(&server, "old/disk");
        let drive = made(&admin, "Disk", &root).await;
        admin.put("/api/drives/Disk/files/a.txt", "a").await.expect(201);
        admin.post("/api/drives/Disk/offline", json!({})).await.expect(200);
        let copied = folder(&server, "copies").join("disk");
        copy(&root, &copied);
        admin.post("/api/drives/Disk/online", json!({})).await.expect(200);
        // Two live roots with one id.
        let there = json!({"root": copied});
        admin.post("/api/drives/Disk/relocate", there.clone()).await.expect_problem_named(409, "still-there");
        admin.post("/api/drives", json!({"name": "Twin", "root": copied, "adopt": true})).await.expect_problem_named(409, "already-a-drive");
        let twin = admin.post("/api/drives/Disk/clone", json!({"root": copied, "name": "Twin"})).await.expect(201);
        assert_ne!(twin["id"], drive["id"]);
        eventually("the copy to be looked through", || async {
            (admin.get("/api/drives/Twin/files/a.txt").await.text() == "a").then_some(())
        }).await;
        admin.put("/api/drives/Twin/files/a.txt", "changed").await.expect(200);
        assert_eq!(admin.get("/api/drives/Disk/files/a.txt").await.text(), "a");
        // The disk itself, plugged in elsewhere.
        let new = folder(&server, "new").join("disk");
        std::fs::rename(&root, &new).unwrap();
        admin.post("/api/drives/Disk/relocate", json!({"root": copied})).await.expect_problem(409);
        admin.post("/api/drives/Disk/relocate", json!({"root": folder(&server, "empty")})).await.expect_problem_named(409, "another-drive");
        admin.post("/api/drives/Disk/clone", json!({"root": new, "name": "Third"})).await.expect_problem_named(409, "still-there");
        let moved = admin.post("/api/drives/Disk/relocate", json!({"root": new})).await.expect(200);
        assert_eq!((&moved["id"], &moved["state"]), (&drive["id"], &json!("online")));
        assert_eq!(admin.get("/api/drives/Disk/files/a.txt").await.text(), "a");
        let changes = admin.get("/api/drives/Disk/changes").await.text();
        assert!(!changes.contains("dead"), "{changes}");
    }

    async fn another_disk_at_the_same_place_is_never_mistaken_for_the_drive(server: Server) {
        let admin = server.admin().await;
        let root = folder(&server, "mnt");
        let drive = made(&admin, "Disk", &root).await;
        let drive = id(&drive);
        admin.put("/api/drives/Disk/files/a.txt", "a").await.expect(201);
        let away = root.with_file_name("away");
        std::fs::rename(&root, &away).unwrap();
        // An empty mount point, then somebody else's disk.
        for other in ["", "theirs.txt"] {
            std::fs::create_dir_all(&root).unwrap();
            if !other.is_empty() {
                std::fs::write(root.join(other), "theirs").unwrap();
            }
            let answer = admin.get("/api/drives/Disk/files/a.txt").await;
            assert!(answer.header("retry-after").is_some());
            answer.expect_problem_named(503, "drive-offline");
            admin.put("/api/drives/Disk/files/b.txt", "b").await.expect_problem(503);
            assert_eq!(state(&admin, drive).await, "offline");
        }
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "nothing was written to it");
        std::fs::rename(&root, root.with_file_name("theirs")).unwrap();
        std::fs::rename(&away, &root).unwrap();
        eventually("the drive to be back", || async { (state(&admin, drive).await == "online").then_some(()) }).await;
        assert_eq!(admin.get("/api/drives/Disk/files/a.txt").await.text(), "a");
        let changes = admin.get("/api/drives/Disk/changes").await.text();
        assert!(!changes.contains("dead") && !changes.contains("theirs"), "{changes}");
    }

    async fn a_drive_with_conflicts_that_nobody_has_resolved_is_not_forgotten(server: Server) {
        let admin = server.admin().await;
        let root = folder(&server, "disk");
        made(&admin, "Disk", &root).await;
        device(&admin, "laptop", "linux").await;
        admin.put("/api/drives/Disk/files/a.txt", "theirs").await.expect(201);
        let laptop = admin.on_device("laptop");
        let edit = laptop.request(reqwest::Method::PUT, "/api/drives/Disk/files/a.txt").header("If-None-Match", "*");
        laptop.send(edit.body("mine")).await.expect_problem(412);
        let refused = admin.delete("/api/drives/Disk").await.expect_problem_named(409, "unresolved-conflicts");
        assert_eq!(refused["conflicts"], 1);
        assert_eq!(admin.get("/api/drives/Disk/files/a.txt").await.text(), "theirs", "nothing was changed");
        let open = admin.get("/api/conflicts?drive=Disk").await.expect(200);
        let conflict = open["conflicts"][0]["id"].as_str().unwrap();
        admin.post(&format!("/api/conflicts/{conflict}/resolve"), json!({"resolution": "keep_server"})).await.expect(200);
        admin.delete("/api/drives/Disk").await.expect(204);
    }
}
