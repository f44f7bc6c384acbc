//! What a drive tells of itself, on a device without a server and without a login.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{block_on, eventually};

use crate::tool::{Tool, finished, names_in};

const ID: &str = "01a217c2-890f-7498-b024-290fe2a74347";

/// A folder that carries a drive's signature.
fn a_drive(at: &Path) -> PathBuf {
    std::fs::create_dir_all(at.join(".holdfast")).unwrap();
    let signature = json!({
        "format_version": 1, "drive_id": ID, "name": "Stick", "created_at": "2026-01-01T00:00:00Z",
        "notes": "blue", "colour": "a field of a later version",
    });
    std::fs::write(at.join(".holdfast/drive.json"), signature.to_string()).unwrap();
    at.to_owned()
}

fn put(drive: &Path, path: &str, content: &str) {
    let path = drive.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn paths(found: &Value) -> Vec<&str> {
    found.as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap()).collect()
}

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_stick_is_searched_by_what_it_carries_without_a_server() {
    block_on(async {
        let tool = Tool::new();
        let stick = a_drive(&tool.here().join("stick"));
        put(&stick, "2024/Beach.JPG", "abc");
        put(&stick, "2025/beach-2.jpg", "abc");
        put(&stick, "notes.txt", &"n".repeat(5000));
        tool.run(&["find", "beach", "--index", "stick"]).await.failed(3, &["no index", "holdfast index"]);
        let told = tool.run(&["index", "stick", "--hash"]).await.ok().out;
        assert!(told.contains("Stick: 3 files in 2 folders") && told.contains("3 contents read"), "{told}");
        let find = async |asked: &[&str]| {
            let mut all = vec!["find", "--index", "stick"];
            all.extend_from_slice(asked);
            tool.json(&all).await
        };
        assert_eq!(paths(&find(&["beach"]).await), ["2024/Beach.JPG", "2025/beach-2.jpg"]);
        assert_eq!(paths(&find(&["beach.*"]).await), ["2024/Beach.JPG"]);
        assert_eq!(paths(&find(&[ABC]).await).len(), 2, "two places of one content");
        assert_eq!(paths(&find(&["--hash", ABC, "--limit", "1"]).await).len(), 1);
        assert_eq!(paths(&find(&["--size", "4k..", "--kind", "file"]).await), ["notes.txt"]);
        assert_eq!(paths(&find(&["--kind", "folder"]).await), ["2024", "2025"]);
        assert_eq!(paths(&find(&["--since", "2026-01-01"]).await).len(), 5);
        let hit = find(&["notes"]).await[0].clone();
        assert_eq!(
            (&hit["drive"], &hit["drive_id"], &hit["size"]),
            (&json!("Stick"), &json!(ID), &json!(5000))
        );
        assert_eq!(hit["local"], json!("stick/notes.txt"));
        let shown = tool.run(&["find", "*.txt", "--index", "stick", "--long"]).await.ok().out;
        assert!(shown.contains("4.8 KiB") && shown.ends_with("  notes.txt\n"), "{shown}");
        let alone = ["find", "notes", "--index", "stick/.holdfast/index.json"];
        assert_eq!(tool.run(&alone).await.ok().out, "notes.txt\n");
        tool.run(&["find", "nowhere", "--index", "stick"]).await.failed(3, &["nothing like that", "Stick"]);
        assert_eq!(tool.run(&["find", "nowhere", "--index", "stick", "--json"]).await.out, "[]\n");
        tool.run(&["find", "--index", "stick"]).await.failed(2, &["nothing is asked for"]);
        for wrong in [["--size", "big"], ["--since", "soon"], ["--hash", "abc"], ["--kind", "socket"]] {
            tool.run(&["find", "--index", "stick", wrong[0], wrong[1]]).await.failed(2, &[wrong[0]]);
        }
        assert!(!tool.state().exists(), "nobody logged in, and nothing is kept");
    });
}

#[test]
fn an_index_follows_what_changed_and_the_signature_counts_it() {
    block_on(async {
        let tool = Tool::new();
        let stick = a_drive(&tool.here().join("stick"));
        put(&stick, "a", "abc");
        put(&stick, "b", "abc");
        tool.run(&["index", "stick"]).await.ok();
        std::fs::remove_file(stick.join("a")).unwrap();
        put(&stick, "c/d", "12345");
        let report = tool.json(&["index", "stick"]).await;
        let of = |name: &str| report[name].as_u64().unwrap();
        assert_eq!((of("added"), of("gone"), of("files"), of("total_size_bytes")), (2, 1, 2, 8), "{report}");
        assert_eq!(report["problems"], json!([]));
        let text = std::fs::read_to_string(stick.join(".holdfast/drive.json")).unwrap();
        let signature: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&signature["file_count"], &signature["total_size_bytes"]), (&json!(2), &json!(8)));
        assert_eq!(signature["last_indexed"], report["written_at"]);
        assert_eq!(
            (&signature["notes"], &signature["colour"]),
            (&json!("blue"), &json!("a field of a later version"))
        );
        assert_eq!(names_in(&stick.join(".holdfast")), ["README.txt", "drive.json", "index.json", "lock"]);
    });
}

#[test]
fn an_index_is_written_for_a_drive_alone() {
    block_on(async {
        let tool = Tool::new();
        std::fs::create_dir(tool.here().join("plain")).unwrap();
        tool.run(&["index", "plain"]).await.failed(3, &["plain", "no signature"]);
        tool.run(&["index", "gone"]).await.failed(3, &["gone", "no such folder"]);
        tool.run(&["index", "plain", "--again"]).await.failed(2, &["--hash"]);
        assert_eq!(names_in(&tool.here().join("plain")), Vec::<String>::new());
    });
}

#[test]
fn an_index_that_means_harm_shows_nothing_outside_and_is_refused_where_it_is_broken() {
    block_on(async {
        let tool = Tool::new();
        let stick = a_drive(&tool.here().join("stick"));
        put(&stick, "a\u{1b}[2J.txt", "abc");
        tool.run(&["index", "stick"]).await.ok();
        let shown = tool.run(&["find", "a*", "--index", "stick"]).await.ok().out;
        assert_eq!(shown, "a\\u{1b}[2J.txt\n", "a name does not steer the terminal");
        let index = stick.join(".holdfast/index.json");
        let good = std::fs::read_to_string(&index).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        let evil = r#"{"path":"../../etc/passwd","kind":"file"},"#;
        let with =
            [lines[0], evil, lines[1], lines[2]].join("\n").replace("\"entries\":1", "\"entries\":2") + "\n";
        std::fs::write(&index, with).unwrap();
        let done = tool.run(&["find", "*", "--index", "stick"]).await;
        assert_eq!((done.code, done.out.lines().count()), (0, 1), "{}", done.out);
        assert!(done.err.contains("1 bad entries") && done.err.contains("line 2"), "{}", done.err);
        std::fs::write(&index, &good[..good.len() - 20]).unwrap();
        let done = tool.run(&["find", "*", "--index", "stick", "--json"]).await;
        assert!(serde_json::from_str::<Value>(&done.out).is_err(), "a part is not taken for the whole");
        done.failed(1, &["not written or copied whole"]);
        std::fs::write(&index, good.replace("\"format_version\":1", "\"format_version\":9")).unwrap();
        tool.run(&["find", "*", "--index", "stick"]).await.failed(1, &["format version 9"]);
        let done = tool.run(&["index", "stick"]).await;
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.err.contains("was not used"), "{}", done.err);
        tool.run(&["find", "a*", "--index", "stick"]).await.ok();
    });
}

#[test]
fn indexing_that_is_interrupted_or_killed_leaves_the_old_index() {
    block_on(async {
        let tool = Tool::new();
        let stick = a_drive(&tool.here().join("stick"));
        put(&stick, "a", "abc");
        tool.run(&["index", "stick", "--hash"]).await.ok();
        let reserved = stick.join(".holdfast");
        let old = std::fs::read(reserved.join("index.json")).unwrap();
        // Terabytes of nothing: nobody waits for the end of that.
        let endless = std::fs::File::create(stick.join("endless")).unwrap();
        endless.set_len(8 << 40).unwrap();
        for (signal, code) in [("INT", 130), ("TERM", 130), ("KILL", -1)] {
            let arguments = ["index", "stick", "--hash"];
            let child = tool.command(&arguments).spawn().unwrap();
            let pid = child.id().unwrap().to_string();
            let part = reserved.join("index.json.part");
            eventually("the index to be begun", || async { part.exists().then_some(()) }).await;
            assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
            let done = finished(child, &arguments).await;
            assert_eq!(done.code, code, "{}", done.err);
            assert_eq!(std::fs::read(reserved.join("index.json")).unwrap(), old);
            assert_eq!(part.exists(), signal == "KILL");
        }
        endless.set_len(0).unwrap();
        tool.run(&["index", "stick", "--hash"]).await.ok();
        assert_eq!(names_in(&reserved), ["README.txt", "drive.json", "index.json", "lock"]);
        assert_eq!(paths(&tool.json(&["find", "endless", "--index", "stick"]).await), ["endless"]);
    });
}

#[test]
fn drives_are_found_on_a_laptop_and_those_of_before_when_that_is_asked_for() {
    block_on(async {
        let tool = Tool::new();
        let place = tool.here().join("media");
        a_drive(&place.join("usb/stick"));
        let old = place.join("imalink_20240115_120000_abc1234");
        put(&old, "index.json", r#"{"files": [{"filename": "a.jpg"}]}"#);
        put(&old, "metadata.txt", "Grandma's pictures");
        put(&place, "web/index.json", r#"{"name": "app", "files": []}"#);
        tool.run(&["index", "media/usb/stick"]).await.ok();
        let found = tool.json(&["discover", "media"]).await;
        assert_eq!(found["found"].as_array().unwrap().len(), 1, "{found}");
        let one = &found["found"][0];
        assert_eq!(
            (&one["sign"], &one["drive_id"], &one["name"]),
            (&json!("signature"), &json!(ID), &json!("Stick"))
        );
        assert_eq!((&one["path"], &one["file_count"]), (&json!("media/usb/stick"), &json!(0)));
        let shown = tool.run(&["discover", "media", "--legacy"]).await.ok().out;
        assert!(shown.contains("legacy_v0") && shown.contains("media/usb/stick"), "{shown}");
        assert!(shown.contains("2 found") && !shown.contains("web"), "{shown}");
        let legacy = tool.json(&["discover", "media", "--legacy"]).await;
        assert_eq!(legacy["found"][0]["notes"], "Grandma's pictures");
        assert_eq!(names_in(&old), ["index.json", "metadata.txt"], "nothing is added by finding it");
        let none = tool.json(&["discover", "media", "--max-depth", "1"]).await;
        assert_eq!((&none["found"], &none["too_deep"]), (&json!([]), &json!(1)));
        tool.run(&["discover", "gone"]).await.failed(3, &["gone"]);
        std::fs::create_dir(tool.here().join("copy")).unwrap();
        a_drive(&tool.here().join("copy/stick"));
        let done = tool.run(&["discover", "media", "copy"]).await;
        assert!(done.code == 0 && done.err.contains("several places"), "{} {}", done.out, done.err);
    });
}
