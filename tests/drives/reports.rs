//! Drives without a folder on the server, as devices tell of them: listed and looked at wherever they are, and emptied by no
//! mount point that is (promise P8).

use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Client, Server, both_engines};

use crate::{device, put, report as mounts};

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn file(name: &str, size: u64) -> Value {
    json!({"name": name, "kind": "file", "size": size, "mtime_ns": 1_735_732_800_123_456_789_i64})
}

fn folder(name: &str) -> Value {
    json!({"name": name, "kind": "folder", "mtime_ns": 5})
}

/// A folder of which all names are told.
fn whole(path: &str, entries: &[Value]) -> Value {
    json!({"path": path, "complete": true, "entries": entries})
}

/// A folder of which some are.
fn some(path: &str, entries: &[Value]) -> Value {
    json!({"path": path, "entries": entries})
}

/// A device of an account's that has a stick at `/media/stick`; gives the stick's id.
async fn with_stick(client: &Client, name: &str) -> String {
    device(client, name, "linux").await;
    let told = mounts(client, name, &[("STICK", "/media/stick")]).await;
    told["items"][0]["drive_id"].as_str().unwrap().to_owned()
}

async fn send(client: &Client, drive: &str, device: &str, more: Value) -> Answer {
    let mut body = json!({"device_id": device, "mount_point": "/media/stick"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(&format!("/api/drives/{drive}/reports"), body).await
}

/// Tells of some folders, in one report that is all.
async fn tell(client: &Client, drive: &str, device: &str, folders: &[Value]) -> Value {
    send(client, drive, device, json!({"folders": folders})).await.expect(200)
}

fn counts(told: &Value) -> [u64; 4] {
    ["added", "changed", "unchanged", "gone"].map(|name| told[name].as_u64().unwrap())
}

/// All paths of a drive.
async fn paths(client: &Client, drive: &str) -> Vec<String> {
    let tree = client.get(&format!("/api/drives/{drive}/tree/?recursive=true&limit=10000")).await.expect(200);
    tree["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap().to_owned())
        .collect()
}

async fn entry(client: &Client, drive: &str, path: &str) -> Value {
    client.get(&format!("/api/drives/{drive}/tree/{path}")).await.expect(200)["entries"][0].clone()
}

/// Files `f0`, `f1`, ...
fn files(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|number| file(&format!("f{number:05}"), 1)).collect()
}

async fn another(server: &Server) -> (Client, String) {
    let (_, client) = server.member().await;
    let name = client.get("/api/me").await.expect(200)["username"].as_str().unwrap().to_owned();
    (client, name)
}

both_engines! {
    async fn a_stick_is_listed_and_looked_at_while_it_lies_in_a_drawer(server: Server) {
        let mut server = server;
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        ada.get(&format!("/api/drives/{stick}/tree/")).await.expect_problem_named(503, "drive-offline");
        let known = json!({"name": "empty", "kind": "file", "size": 0, "mtime_ns": -5, "hash": EMPTY});
        let told = tell(&ada, &stick, "laptop", &[
            whole("2024/summer", &[file("a.jpg", 7), known]),
            whole("", &[folder("2024"), file("b.txt", 3)]),
        ]).await;
        assert_eq!(counts(&told), [5, 0, 0, 0]);
        mounts(&ada, "laptop", &[]).await;
        server.restart().await;
        let ada = server.admin().await;
        assert_eq!(paths(&ada, &stick).await, ["/2024", "/2024/summer", "/2024/summer/a.jpg", "/2024/summer/empty", "/b.txt"]);
        let there = entry(&ada, &stick, "2024/summer/a.jpg").await;
        assert_eq!((&there["size"], &there["kind"], &there["hash"]), (&json!(7), &json!("file"), &Value::Null));
        assert_eq!(there["mtime_ns"], 1_735_732_800_123_456_789_i64);
        let shown = ada.get(&format!("/api/drives/{stick}")).await.expect(200);
        assert_eq!(shown["state"], "reported");
        assert!(shown["reported_at"].is_string() && shown["head"].is_string(), "{shown}");
        // A page after the other.
        let first = ada.get(&format!("/api/drives/{stick}/tree/?recursive=true&limit=2")).await.expect(200);
        let next = first["next"].as_str().unwrap();
        let second = ada.get(&format!("/api/drives/{stick}/tree/?recursive=true&limit=2&cursor={next}")).await.expect(200);
        assert_eq!(second["entries"][0]["path"], "/2024/summer/a.jpg");
    }

    async fn what_is_told_of_a_file_is_answered_without_its_content(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let known = json!({"name": "known.txt", "kind": "file", "size": 0, "mtime_ns": 1_735_732_800_000_000_001_i64, "hash": EMPTY});
        tell(&ada, &stick, "laptop", &[whole("", &[known, file("unread.jpg", 12), folder("deep")])]).await;
        let head = |path: &str| ada.request(Method::HEAD, &format!("/api/drives/{stick}/files/{path}"));
        let told = ada.send(head("known.txt")).await;
        assert_eq!(told.status, 200);
        assert_eq!(told.header("etag"), Some(format!("\"{EMPTY}\"").as_str()));
        assert_eq!(told.header("last-modified"), Some("Wed, 01 Jan 2025 12:00:00 GMT"));
        assert_eq!(told.header("holdfast-mtime-ns"), Some("1735732800000000001"));
        assert_eq!(told.header("holdfast-placement"), Some("elsewhere"));
        let same = ada.send(head("known.txt").header("If-None-Match", format!("\"{EMPTY}\""))).await;
        assert_eq!(same.status, 304);
        let unread = ada.send(head("unread.jpg")).await;
        assert_eq!((unread.status, unread.header("content-length")), (200, Some("12")));
        assert!(unread.header("etag").unwrap().starts_with("W/") && unread.header("repr-digest").is_none());
        assert_eq!(ada.send(head("deep")).await.status, 409);
        assert_eq!(ada.send(head("never/told")).await.status, 404);
        let get = ada.get(&format!("/api/drives/{stick}/files/known.txt")).await;
        assert!(get.header("retry-after").is_some());
        get.expect_problem_named(503, "drive-offline");
    }

    async fn no_protocol_takes_such_a_drive_for_an_empty_one_or_changes_it(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        tell(&ada, &stick, "laptop", &[whole("", &[folder("d"), file("a", 1)]), whole("d", &[file("b", 2)])]).await;
        let name = ada.get(&format!("/api/drives/{stick}")).await.expect(200)["name"].as_str().unwrap().replace(' ', "%20");
        let list = json!({"device_id": "laptop", "drive": stick, "file_list": [], "complete": true});
        for answer in [
            ada.post("/api/sync/changes", list).await,
            ada.get(&format!("/api/drives/{stick}/changes")).await,
            ada.put(&format!("/api/drives/{stick}/files/a"), "new").await,
            ada.delete(&format!("/api/drives/{stick}/files/a")).await,
            ada.post(&format!("/api/drives/{stick}/moves"), json!({"from": "a", "to": "c"})).await,
            ada.post(&format!("/api/drives/{stick}/folders"), json!({"path": "new"})).await,
            ada.get(&format!("/api/drives/{stick}/trash")).await,
            ada.get(&format!("/dav/{name}/a")).await,
            ada.get(&format!("/dav/{name}/never")).await,
            ada.delete(&format!("/dav/{name}/a")).await,
            ada.put(&format!("/dav/{name}/new"), "new").await,
            ada.get(&format!("/dav/by-id/{stick}/a")).await,
            ada.send(ada.request(Method::from_bytes(b"PROPFIND").unwrap(), &format!("/dav/{name}/")).header("Depth", "1")).await,
        ] {
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.header("retry-after").is_some());
        }
        assert_eq!(paths(&ada, &stick).await, ["/a", "/d", "/d/b"]);
    }

    async fn the_same_report_again_changes_nothing_and_a_later_one_what_is_different(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let first = [whole("", &[folder("d"), file("a", 1), file("b", 1)]), whole("d", &[file("c", 1)])];
        assert_eq!(counts(&tell(&ada, &stick, "laptop", &first).await), [4, 0, 0, 0]);
        let head = || async { ada.get(&format!("/api/drives/{stick}")).await.expect(200)["head"].clone() };
        let (before, id) = (head().await, entry(&ada, &stick, "a").await["id"].clone());
        assert_eq!(counts(&tell(&ada, &stick, "laptop", &first).await), [0, 0, 4, 0]);
        assert_eq!(head().await, before);
        // A part says nothing of what it does not name.
        assert_eq!(counts(&tell(&ada, &stick, "laptop", &[some("", &[file("a", 2)])]).await), [0, 1, 0, 0]);
        assert_ne!(head().await, before);
        let now = entry(&ada, &stick, "a").await;
        assert_eq!((&now["id"], &now["size"]), (&id, &json!(2)), "it is the same file");
        let second = [whole("", &[folder("d"), file("a", 2), file("new", 1)]), some("d", &[])];
        assert_eq!(counts(&tell(&ada, &stick, "laptop", &second).await), [1, 0, 2, 1]);
        assert_eq!(paths(&ada, &stick).await, ["/a", "/d", "/d/c", "/new"]);
        let events = ada.get("/api/events?limit=1000").await.expect(200);
        let told = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "drive-reported");
        assert_eq!(told.count(), 3, "one line for each report that said something new");
    }

    async fn a_content_that_one_device_has_read_stays_known_until_the_file_is_written(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        with_stick(&ada, "desktop").await;
        let read = json!({"name": "a", "kind": "file", "size": 0, "mtime_ns": 1, "hash": EMPTY});
        let unread = json!({"name": "a", "kind": "file", "size": 0, "mtime_ns": 1});
        let written = json!({"name": "a", "kind": "file", "size": 4, "mtime_ns": 2});
        tell(&ada, &stick, "laptop", &[whole("", &[read])]).await;
        tell(&ada, &stick, "desktop", &[whole("", &[unread])]).await;
        assert_eq!(entry(&ada, &stick, "a").await["hash"], EMPTY);
        // The last word counts, whatever times the files have.
        tell(&ada, &stick, "desktop", &[whole("", &[written])]).await;
        assert_eq!(entry(&ada, &stick, "a").await["hash"], Value::Null);
        tell(&ada, &stick, "laptop", &[whole("", &[json!({"name": "a", "kind": "file", "size": 3, "mtime_ns": 1})])]).await;
        assert_eq!(entry(&ada, &stick, "a").await["size"], 3);
    }

    async fn a_file_in_the_place_of_a_folder_is_another_thing(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        tell(&ada, &stick, "laptop", &[whole("", &[folder("x"), file("y", 1), file("keep", 1)]), whole("x", &[file("in", 1)])]).await;
        let before = entry(&ada, &stick, "y").await["id"].clone();
        let told = tell(&ada, &stick, "laptop", &[whole("", &[file("x", 1), folder("y"), file("keep", 1)]), whole("y", &[file("in", 1)])]).await;
        assert_eq!(counts(&told), [3, 0, 1, 2]);
        assert_eq!(paths(&ada, &stick).await, ["/keep", "/x", "/y", "/y/in"]);
        tell(&ada, &stick, "laptop", &[whole("", &[file("x", 1), file("y", 1), file("keep", 1)])]).await;
        assert_ne!(entry(&ada, &stick, "y").await["id"], before);
    }

    async fn an_empty_mount_point_empties_no_catalogue(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        tell(&ada, &stick, "laptop", &[whole("", &[folder("d"), file("a", 1)]), whole("d", &[file("b", 1)])]).await;
        let emptied = json!({"folders": [whole("", &[])]});
        let asked = send(&ada, &stick, "laptop", emptied.clone()).await.expect(200);
        assert_eq!((counts(&asked)[3], &asked["needs_confirmation"]["files"]), (0, &json!(2)));
        assert_eq!(asked["needs_confirmation"]["paths"], json!(["/a", "/d"]));
        assert_eq!(paths(&ada, &stick).await, ["/a", "/d", "/d/b"]);
        // Another yes is none to this.
        let confirmed = |token: &Value| json!({"folders": [whole("", &[])], "confirm": token});
        let wrong = send(&ada, &stick, "laptop", confirmed(&json!("00"))).await.expect(200);
        assert!(wrong["needs_confirmation"].is_object());
        let done = send(&ada, &stick, "laptop", confirmed(&asked["needs_confirmation"]["token"])).await.expect(200);
        assert_eq!((counts(&done)[3], &done["needs_confirmation"]), (2, &Value::Null));
        assert_eq!(paths(&ada, &stick).await, Vec::<String>::new());
    }

    async fn the_only_file_of_a_stick_is_kept_as_well(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        tell(&ada, &stick, "laptop", &[whole("", &[file("diary", 1)])]).await;
        let asked = tell(&ada, &stick, "laptop", &[whole("", &[])]).await;
        assert_eq!(asked["needs_confirmation"]["files"], 1);
        assert_eq!(paths(&ada, &stick).await, ["/diary"]);
        // Where something is there, what is gone was deleted.
        assert_eq!(counts(&tell(&ada, &stick, "laptop", &[whole("", &[file("poem", 1)])]).await), [1, 0, 0, 1]);
    }

    async fn much_that_is_gone_is_kept_until_somebody_says_yes_however_it_is_divided(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let halves = |files: &[Value], others: &[Value]| [whole("", &[folder("x"), folder("y")]), whole("x", files), whole("y", others)];
        tell(&ada, &stick, "laptop", &halves(&files(0..60), &files(0..60))).await;
        let walk = "018f2c1e-0000-7000-8000-000000000001";
        let part = |folder: Value, more: Value| {
            let mut body = json!({"walk": walk, "folders": [folder]});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        // Fifty of them may go; in the next part there is one too many.
        let first = send(&ada, &stick, "laptop", part(whole("x", &files(0..10)), json!({}))).await.expect(200);
        assert_eq!(counts(&first), [0, 0, 10, 50]);
        let second = send(&ada, &stick, "laptop", part(whole("y", &[files(0..59), vec![file("more", 1)]].concat()), json!({"end": true}))).await.expect(200);
        assert_eq!((counts(&second), &second["needs_confirmation"]["files"]), ([1, 0, 59, 0], &json!(1)), "all else counts");
        // Walking once more does not begin to count anew.
        let again = send(&ada, &stick, "laptop", json!({"folders": [whole("y", &files(0..59))]})).await.expect(200);
        assert_eq!(again["needs_confirmation"]["files"], 2);
        let yes = json!({"folders": [whole("y", &files(0..59))], "confirm": again["needs_confirmation"]["token"]});
        assert_eq!(counts(&send(&ada, &stick, "laptop", yes).await.expect(200))[3], 2);
        assert_eq!(paths(&ada, &stick).await.len(), 2 + 10 + 59);
    }

    async fn a_folder_too_large_for_one_report_is_told_in_parts(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let part = |entries: Vec<Value>, after: Option<&str>, through: Option<&str>| {
            json!({"path": "", "complete": true, "after": after, "through": through, "entries": entries})
        };
        let all = [part(files(0..2_500), None, Some("f02499")), part(files(2_500..5_000), Some("f02499"), None)];
        for part in &all {
            tell(&ada, &stick, "laptop", std::slice::from_ref(part)).await;
        }
        assert_eq!(paths(&ada, &stick).await.len(), 5_000);
        // Each part is about its own names.
        let told = tell(&ada, &stick, "laptop", &[part(files(2_501..5_000), Some("f02499"), None)]).await;
        assert_eq!(counts(&told), [0, 0, 2_499, 1]);
        assert_eq!(paths(&ada, &stick).await.len(), 4_999);
        let told = tell(&ada, &stick, "laptop", &all[..1]).await;
        assert_eq!((counts(&told), &told["needs_confirmation"]), ([0, 0, 2_500, 0], &Value::Null));
        let outside = json!({"folders": [part(files(0..1), Some("f02499"), None)]});
        send(&ada, &stick, "laptop", outside).await.expect_problem_named(422, "bad-report");
    }

    async fn only_a_device_that_has_the_drive_there_and_may_write_tells_of_it(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        tell(&ada, &stick, "laptop", &[whole("", &[file("a", 1)])]).await;
        let (eve, name) = another(&server).await;
        device(&eve, "eve", "linux").await;
        let one = json!({"folders": [whole("", &[file("b", 1)])]});
        send(&eve, &stick, "eve", one.clone()).await.expect_problem(404);
        put(&ada, &format!("/api/drives/{stick}/members/{name}"), &json!({"role": "viewer"})).await.expect(200);
        put(&eve, &format!("/api/drives/{stick}/mounts/eve"), &json!({"mount_point": "/media/stick"})).await.expect(200);
        send(&eve, &stick, "eve", one.clone()).await.expect_problem(403);
        send(&eve, &stick, "laptop", one.clone()).await.expect_problem_named(404, "unknown-device");
        put(&ada, &format!("/api/drives/{stick}/members/{name}"), &json!({"role": "editor"})).await.expect(200);
        assert_eq!(counts(&send(&eve, &stick, "eve", json!({"folders": [some("", &[file("b", 1)])]})).await.expect(200))[0], 1);
        // Not plugged in, or somewhere else.
        mounts(&ada, "laptop", &[]).await;
        send(&ada, &stick, "laptop", one.clone()).await.expect_problem_named(409, "not-mounted");
        mounts(&ada, "laptop", &[("STICK", "/media/elsewhere")]).await;
        send(&ada, &stick, "laptop", one.clone()).await.expect_problem_named(409, "not-mounted");
        mounts(&ada, "laptop", &[("OTHER", "/media/stick")]).await;
        send(&ada, &stick, "laptop", one.clone()).await.expect_problem_named(409, "not-mounted");
        put(&ada, "/api/drives/home/mounts/laptop", &json!({"mount_point": "/media/stick"})).await.expect(200);
        send(&ada, "home", "laptop", one).await.expect_problem_named(409, "has-root");
        assert_eq!(paths(&ada, &stick).await, ["/a", "/b"]);
    }

    async fn a_report_that_makes_no_sense_is_refused_as_a_whole(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let good = some("good", &[file("good", 1)]);
        let deep = vec!["d"; 256].join("/");
        for bad in [
            some("", &[file("a/b", 1)]), some("", &[file("", 1)]), some("", &[file("..", 1)]), some("", &[file(".Holdfast", 1)]),
            some("", &[file("nul\0", 1)]), some("", &[file(&"x".repeat(256), 1)]), some("../x", &[]), some("a//b", &[]),
            some(&deep, &[]), some(&vec!["x".repeat(255); 16].join("/"), &[file("too-long", 1)]),
            some("", &[file("a", 1), file("a", 2)]), some("", &[file("good", 1)]), some("", &[file("a", u64::MAX)]),
            some("", &[json!({"name": "d", "kind": "folder", "size": 1})]), some("", &[json!({"name": "d", "kind": "link"})]),
            some("", &[json!({"name": "a", "kind": "file", "hash": "short"})]), some("good", &[]),
            json!({"path": "", "after": "a", "entries": []}),
        ] {
            let told = bad.to_string();
            let answer = send(&ada, &stick, "laptop", json!({"folders": [good, bad]})).await;
            assert_eq!(answer.status, 422, "{told}: {}", answer.text());
        }
        let many: Vec<Value> = files(0..5_000);
        send(&ada, &stick, "laptop", json!({"folders": [some("", &many)]})).await.expect_problem_named(422, "too-many-entries");
        send(&ada, &stick, "laptop", json!({"total_bytes": 1, "available_bytes": 2})).await.expect_problem(422);
        send(&ada, &stick, "laptop", json!({"mount_point": "relative"})).await.expect_problem_named(422, "bad-mount-point");
        let nobodys = json!({"mount_point": "/media/stick", "folders": []});
        ada.post(&format!("/api/drives/{stick}/reports"), nobodys).await.expect_problem_named(422, "no-device");
        ada.anonymous().post(&format!("/api/drives/{stick}/reports"), json!({})).await.expect_problem(401);
        ada.get(&format!("/api/drives/{stick}/tree/")).await.expect_problem_named(503, "drive-offline");
    }

    async fn how_large_a_drive_is_is_told_by_whoever_sees_it(server: Server) {
        let ada = server.admin().await;
        let stick = with_stick(&ada, "laptop").await;
        let size = || async {
            let shown = ada.get(&format!("/api/drives/{stick}")).await.expect(200);
            (shown["total_bytes"].clone(), shown["available_bytes"].clone(), shown["measured_at"].is_string())
        };
        assert_eq!(size().await, (Value::Null, Value::Null, false));
        let plugged = json!({"drives": [{"drive": stick, "mount_point": "/media/stick", "total_bytes": 8_000_000_000_u64, "available_bytes": 5_000_000_000_u64}]});
        put(&ada, "/api/devices/laptop/drives", &plugged).await.expect(200);
        assert_eq!(size().await, (json!(8_000_000_000_u64), json!(5_000_000_000_u64), true));
        send(&ada, &stick, "laptop", json!({"total_bytes": 8_000_000_000_u64, "available_bytes": 4_000_000_000_u64})).await.expect(200);
        // Also when it is unplugged.
        mounts(&ada, "laptop", &[]).await;
        assert_eq!(size().await.1, json!(4_000_000_000_u64));
        let more = json!({"mount_point": "/media/stick", "total_bytes": 1, "available_bytes": 2});
        put(&ada, &format!("/api/drives/{stick}/mounts/laptop"), &more).await.expect_problem(422);
        // Who may only look says nothing of it.
        let (eve, name) = another(&server).await;
        device(&eve, "eve", "linux").await;
        put(&ada, &format!("/api/drives/{stick}/members/{name}"), &json!({"role": "viewer"})).await.expect(200);
        let other = json!({"mount_point": "/media/stick", "total_bytes": 9, "available_bytes": 8});
        put(&eve, &format!("/api/drives/{stick}/mounts/eve"), &other).await.expect(200);
        assert_eq!(size().await.1, json!(4_000_000_000_u64));
        // Of a folder of its own the server asks the file system, whatever a device says.
        let lie = json!({"mount_point": "/home/ada", "total_bytes": 5, "available_bytes": 4});
        put(&ada, "/api/drives/home/mounts/laptop", &lie).await.expect(200);
        let home = ada.get("/api/drives/home").await.expect(200);
        let (total, free) = (home["total_bytes"].as_u64().unwrap(), home["available_bytes"].as_u64().unwrap());
        assert!(total > 1_000_000 && free <= total, "{home}");
    }

    async fn a_drive_that_is_offline_is_as_large_as_it_was_seen_last(server: Server) {
        let mut server = server;
        let admin = server.admin().await;
        let root = server.scratch().join("disk");
        std::fs::create_dir(&root).unwrap();
        let root = root.canonicalize().unwrap();
        let made = admin.post("/api/drives", json!({"name": "Disk", "root": root})).await.expect(201);
        let total = made["total_bytes"].clone();
        assert!(total.as_u64().unwrap() > 0);
        std::fs::rename(&root, root.with_file_name("away")).unwrap();
        let shown = admin.get("/api/drives/Disk").await.expect(200);
        assert_eq!((&shown["state"], &shown["total_bytes"]), (&json!("offline"), &total));
        server.restart().await;
        let admin = server.admin().await;
        let shown = admin.get("/api/drives/Disk").await.expect(200);
        assert_eq!((&shown["state"], &shown["total_bytes"]), (&json!("offline"), &total));
    }
}
