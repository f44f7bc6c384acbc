//! The disks of the server's machine, told by a file that the test rewrites (document 001).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Builder, Client, Server, both_engines, eventually};

/// The file that tells a server's disks.
pub struct Machine {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("volumes.json");
        std::fs::write(&file, json!({"volumes": []}).to_string()).unwrap();
        Self { _folder: folder, file }
    }

    pub async fn started(&self, builder: Builder) -> Server {
        builder.env("HOLDFAST_VOLUMES_SOURCE", self.file.to_str().unwrap()).start().await
    }

    /// Tells other disks from now on, in one step.
    pub fn has(&self, volumes: &[Value]) {
        self.tells(&json!({"volumes": volumes}));
    }

    fn tells(&self, snapshot: &Value) {
        let beside = self.file.with_extension("new");
        std::fs::write(&beside, snapshot.to_string()).unwrap();
        std::fs::rename(&beside, &self.file).unwrap();
    }
}

pub fn disk(name: &str, mount_point: Option<&Path>, available: u64) -> Value {
    let mounts: Vec<Value> = mount_point.iter().map(|place| json!({"mount_point": place})).collect();
    json!({"name": name, "fingerprint": format!("fs:{name}"), "kind": "usb", "mounts": mounts,
        "total_bytes": 1_000_000_000_000_u64, "available_bytes": available})
}

pub async fn refresh(client: &Client) -> Value {
    client.post("/api/volumes/refresh", json!({})).await.expect(200)
}

/// Kinds and fingerprints of all that was logged about volumes.
async fn told(client: &Client) -> Vec<String> {
    let events = client.get("/api/events?limit=1000").await.expect(200);
    let about = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"].as_str().unwrap().starts_with("volume-"));
    let line = |event: &Value| {
        let detail = &event["detail"];
        let mounted = match detail["is_mounted"].as_bool() {
            Some(true) => " mounted",
            Some(false) => " unmounted",
            None => "",
        };
        format!("{} {}{mounted}", event["kind"].as_str().unwrap(), detail["fingerprint"].as_str().unwrap())
    };
    about.map(line).collect()
}

pub async fn volume(client: &Client, name: &str) -> Value {
    client.get(&format!("/api/volumes/fs:{name}")).await.expect(200)
}

both_engines! {
    async fn disks_that_come_and_go_are_known_told_of_and_kept_over_a_restart(builder: Builder) {
        let machine = Machine::new();
        let mut server = machine.started(builder).await;
        let admin = server.admin().await;
        machine.has(&[disk("a", Some(Path::new("/mnt/a")), 500_000_000_000), disk("b", None, 0)]);
        assert_eq!(refresh(&admin).await["changed"]["added"], json!(["fs:a", "fs:b"]));
        let a = volume(&admin, "a").await;
        assert_eq!((&a["is_online"], &a["is_mounted"], &a["total_capacity"]), (&json!(true), &json!(true), &json!(1_000_000_000_000_u64)));
        assert_eq!(a["mounts"][0]["mount_point"], "/mnt/a");
        // Somewhere else, and a little fuller: that is no news. Much fuller is.
        machine.has(&[disk("a", Some(Path::new("/mnt/elsewhere")), 499_900_000_000), disk("b", None, 0)]);
        let changed = refresh(&admin).await["changed"].clone();
        assert_eq!(changed, json!({"mounted": ["fs:a"], "unmounted": ["fs:a"]}));
        machine.has(&[disk("a", Some(Path::new("/mnt/elsewhere")), 100_000_000_000), disk("b", None, 0)]);
        assert_eq!(refresh(&admin).await["changed"], json!({"updated": ["fs:a"]}));
        // Gone is offline at the same look, and stays known.
        machine.has(&[disk("b", None, 0)]);
        assert_eq!(refresh(&admin).await["changed"], json!({"removed": ["fs:a"]}));
        let a = volume(&admin, "a").await;
        assert_eq!((&a["is_online"], &a["is_mounted"], &a["mounts"]), (&json!(false), &json!(false), &json!([])));
        assert_eq!(refresh(&admin).await["changed"], json!({}), "what was told once is not told again");
        server.restart().await;
        let admin = server.admin().await;
        assert_eq!(refresh(&admin).await["changed"], json!({}), "nor after a restart");
        machine.has(&[disk("a", Some(Path::new("/mnt/a")), 100_000_000_000), disk("b", None, 0)]);
        assert_eq!(refresh(&admin).await["changed"], json!({"added": ["fs:a"]}));
        assert_eq!(volume(&admin, "a").await["id"], a["id"], "it is the same volume");
        let expected = [
            "volume-added fs:a", "volume-added fs:b", "volume-mount-changed fs:a unmounted", "volume-mount-changed fs:a mounted",
            "volume-updated fs:a", "volume-removed fs:a", "volume-added fs:a",
        ];
        assert_eq!(told(&admin).await, expected);
    }

    async fn a_look_that_failed_says_nothing_of_what_is_there(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        machine.has(&[disk("a", Some(Path::new("/mnt/a")), 0)]);
        refresh(&admin).await;
        std::fs::write(&machine.file, "{").unwrap();
        let found = refresh(&admin).await;
        assert_eq!((&found["changed"], found["problems"].as_array().unwrap().len()), (&json!({}), 1));
        assert_eq!(volume(&admin, "a").await["is_online"], true);
        machine.tells(&json!({"volumes": [], "complete": false, "problems": ["lsblk is not there"]}));
        refresh(&admin).await;
        refresh(&admin).await;
        assert_eq!(volume(&admin, "a").await["is_online"], true);
        let errors = told(&admin).await.into_iter().filter(|line| line.starts_with("volume-error")).count();
        assert_eq!(errors, 2, "each problem is told once");
    }

    async fn a_volume_is_tracked_once_by_each_who_wants_to_under_their_own_name(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let (_, eve) = server.member().await;
        machine.has(&[disk("a", None, 0), disk("b", None, 0)]);
        refresh(&admin).await;
        let id = volume(&admin, "a").await["id"].as_str().unwrap().to_owned();
        let tracked = admin.post(&format!("/api/volumes/{id}/track"), json!({"display_name": "Blue disk"})).await.expect(201);
        assert_eq!((&tracked["volume_name"], &tracked["name"]), (&json!("Blue disk"), &json!("a")));
        admin.post("/api/volumes/fs:a/track", json!({})).await.expect_problem_named(409, "already-tracked");
        eve.post("/api/volumes/fs:a/track", json!({})).await.expect(201);
        assert_eq!(volume(&eve, "a").await["volume_name"], "a");
        let listed = admin.get("/api/volumes?tracked=true").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        // One that is not there can be tracked as well.
        machine.has(&[disk("a", None, 0)]);
        refresh(&admin).await;
        admin.post("/api/volumes/fs:b/track", json!({"display_name": "Drawer"})).await.expect(201);
        admin.post("/api/volumes/fs:a/untrack", json!({})).await.expect(204);
        admin.post("/api/volumes/fs:a/untrack", json!({})).await.expect_problem_named(404, "not-tracked");
        assert_eq!(volume(&admin, "a").await["tracked_at"], Value::Null, "the volume stays known");
        assert!(volume(&eve, "a").await["tracked_at"].is_string(), "each for themselves");
        admin.post("/api/volumes/fs:c/track", json!({})).await.expect_problem(404);
        admin.post(&format!("/api/volumes/{}/track", "x".repeat(2_000)), json!({})).await.expect_problem(404);
        admin.post("/api/volumes/fs:a/track", json!({"display_name": ""})).await.expect_problem(422);
        let lines = told(&admin).await;
        let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|line| line.contains("tracked")).collect();
        assert_eq!(lines, ["volume-tracked fs:a", "volume-tracked fs:a", "volume-tracked fs:b", "volume-untracked fs:a"]);
    }

    async fn only_admins_have_the_machine_looked_at_and_see_all_that_it_tells(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let (_, eve) = server.member().await;
        machine.has(&[disk("a", None, 0)]);
        eve.post("/api/volumes/refresh", json!({})).await.expect_problem_named(403, "needs-admin");
        refresh(&admin).await;
        eve.get("/api/volumes?raw=true").await.expect_problem_named(403, "needs-admin");
        assert!(eve.get("/api/volumes/fs:a").await.expect(200).get("raw").is_none());
        let told = admin.get("/api/volumes/fs:a?raw=true").await.expect(200);
        assert_eq!(told["raw"]["fingerprint"], "fs:a");
        server.client().get("/api/volumes").await.expect_problem(401);
    }

    async fn a_backup_of_a_disk_is_not_taken_for_it_while_it_is_away(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let place = |name: &str| server.scratch().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(place("usb")).unwrap();
        admin.post("/api/drives", json!({"name": "Photos", "kind": "usb", "root": place("usb")})).await.expect(201);
        admin.put("/api/drives/Photos/files/a.jpg", "old").await.expect(201);
        let copied = std::process::Command::new("cp").arg("-a").arg(place("usb")).arg(place("backup")).status().unwrap();
        assert!(copied.success());
        admin.put("/api/drives/Photos/files/a.jpg", "new").await.expect(200);
        std::fs::rename(place("usb"), place("away")).unwrap();
        machine.has(&[disk("backup", Some(&place("backup")), 0)]);
        refresh(&admin).await;
        admin.get("/api/drives/Photos/files/a.jpg").await.expect_problem_named(503, "drive-offline");
        machine.has(&[disk("backup", Some(&place("backup")), 0), disk("usb", Some(&place("away")), 0)]);
        refresh(&admin).await;
        assert_eq!(admin.get("/api/drives/Photos/files/a.jpg").await.text(), "new");
    }

    async fn a_drive_continues_where_its_disk_is_plugged_in_next(builder: Builder) {
        let machine = Machine::new();
        let server = machine.started(builder).await;
        let admin = server.admin().await;
        let place = |name: &str| server.scratch().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(place("usb/photos")).unwrap();
        machine.has(&[disk("usb", Some(&place("usb")), 0)]);
        refresh(&admin).await;
        let drive = admin.post("/api/drives", json!({"name": "Photos", "kind": "usb", "root": place("usb/photos")})).await.expect(201);
        admin.put("/api/drives/Photos/files/a.jpg", "picture").await.expect(201);
        std::fs::rename(place("usb"), place("usb1")).unwrap();
        admin.get("/api/drives/Photos/files/a.jpg").await.expect_problem_named(503, "drive-offline");
        // Another disk at the old place, with a folder of the same name.
        std::fs::create_dir_all(place("usb/photos")).unwrap();
        std::fs::write(place("usb/photos/other.jpg"), "theirs").unwrap();
        machine.has(&[disk("other", Some(&place("usb")), 0), disk("usb", Some(&place("usb1")), 0)]);
        refresh(&admin).await;
        eventually("the drive to be found", || async {
            (admin.get("/api/drives/Photos/files/a.jpg").await.text() == "picture").then_some(())
        }).await;
        assert_eq!(admin.get("/api/drives/Photos").await.expect(200)["id"], drive["id"]);
        admin.put("/api/drives/Photos/files/b.jpg", "another").await.expect(201);
        assert!(place("usb1/photos/b.jpg").exists() && !place("usb/photos/b.jpg").exists());
        let changes = admin.get("/api/drives/Photos/changes").await.text();
        assert!(!changes.contains("dead") && !changes.contains("other.jpg"), "{changes}");
        let events = admin.get("/api/events?limit=1000").await.text();
        assert!(events.contains("drive-found-elsewhere"), "{events}");
    }
}
