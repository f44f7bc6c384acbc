//! Entries of a manifest that are not usable: the answer names them, and nothing of the manifest counts.

use serde_json::{Value, json};
use support::{Server, both_engines};

use crate::device::{Device, agreed, claim, hash, is_empty, text};

/// The bad entry comes second, after one that would be a change.
async fn refused(server: &Server, entries: impl IntoIterator<Item = Value>) {
    let (_, phone) = agreed(server, &[("/a.txt", "a"), ("/b.txt", "b")]).await;
    let before = phone.client.get("/api/sync/status/phone").await.expect(200);
    for entry in entries {
        let list = json!([claim("/new.txt", "new"), entry, claim("/more.txt", "more")]);
        let problem = phone.ask(json!({"file_list": list})).await.expect_problem_named(422, "bad-entry");
        assert_eq!(problem["entry"], 1, "{problem}");
        assert!(text(&problem["detail"]).contains("entry 1"), "{problem}");
    }
    assert_eq!(phone.client.get("/api/sync/status/phone").await.expect(200), before);
    assert!(is_empty(&phone.tell().await));
}

fn at(path: &str) -> Value {
    claim(path, "x")
}

both_engines! {
    async fn a_hash_must_be_a_sha256(server: Server) {
        let short = &hash("x")[1..];
        let hashes = [json!(""), json!(short), json!(format!("{}0", hash("x"))), json!(format!("{short}g")),
            json!(format!("0x{}", &short[1..])), json!("sha256abc123..."), json!(12), json!([hash("x")]), json!({"sha256": hash("x")})];
        let missing = [json!({"path": "/x.txt"}), json!({"path": "/x.txt", "hash": null})];
        let malformed = hashes.into_iter().map(|hash| json!({"path": "/x.txt", "hash": hash}));
        refused(&server, malformed.chain(missing)).await;
    }

    async fn a_size_is_a_whole_number_from_zero(server: Server) {
        let sizes = [json!(-1), json!(i64::MIN), json!(1.5), json!(1e300), json!("1024"), json!(true), json!([1])];
        refused(&server, sizes.into_iter().map(|size| json!({"path": "/x.txt", "hash": hash("x"), "size": size}))).await;
    }

    async fn a_time_and_a_kind_are_what_they_are(server: Server) {
        let times = [json!("yesterday"), json!(""), json!("2025-13-01T12:00:00Z"), json!(1_735_732_800)];
        let times = times.into_iter().map(|time| json!({"path": "/x.txt", "hash": hash("x"), "modified_at": time}));
        let kinds = [json!("link"), json!(""), json!(1)];
        let kinds = kinds.into_iter().map(|kind| json!({"path": "/x.txt", "hash": hash("x"), "kind": kind}));
        refused(&server, times.chain(kinds)).await;
    }

    async fn a_path_cannot_leave_the_drive(server: Server) {
        let paths = ["..", "/..", "/../x", "/a/../x", "/a/..", "../../etc/passwd", "/.", "/a/./b", "//a", "/a//b", "", "/",
            "/a\0b", "\0", "/a/b\0"];
        let none = [json!({"hash": hash("x")}), json!({"path": null, "hash": hash("x")}), json!({"path": 7, "hash": hash("x")})];
        refused(&server, paths.map(at).into_iter().chain(none)).await;
    }

    async fn the_reserved_folder_has_no_spelling_that_is_taken(server: Server) {
        let paths = ["/.holdfast", ".holdfast/drive.json", "/.HOLDFAST/x", "/.HoldFast/versions/00/x", "/.holdfast./x",
            "/.holdfast /x", "/.holdfast::$INDEX_ALLOCATION/x", "/HOLDFA~1/x", "/.hold\u{200d}fast/x", "/a/.holdfast/x",
            "/\u{ff0e}\u{ff48}\u{ff4f}\u{ff4c}\u{ff44}\u{ff46}\u{ff41}\u{ff53}\u{ff54}/x"];
        refused(&server, paths.map(at)).await;
    }

    async fn a_path_and_its_names_have_a_length(server: Server) {
        let long = |names: usize, letter: &str| format!("/{}", vec![letter.repeat(200 / letter.len()); names].join("/"));
        let paths = [format!("/{}", "x".repeat(256)), format!("/{}", "ä".repeat(128)), long(21, "x"), long(500, "ä")];
        refused(&server, paths.iter().map(|path| at(path))).await;
        let tablet = Device::new(&server.admin().await, "tablet").await;
        let fit = json!([at(&format!("/{}", "x".repeat(255))), at(&long(20, "x"))]);
        let plan = tablet.tell_with(json!({"file_list": fit})).await;
        assert_eq!(plan["to_upload"].as_array().unwrap().len(), 2);
    }

    async fn a_path_is_listed_once(server: Server) {
        refused(&server, [at("/new.txt"), at("new.txt"), json!({"path": "/new.txt", "deleted": true}),
            json!({"path": "/new.txt", "kind": "folder"}), json!({"path": "/new.txt", "unreadable": true})]).await;
    }

    async fn an_entry_is_an_object_with_fields_of_their_kinds(server: Server) {
        refused(&server, [json!(null), json!("/x.txt"), json!(1), json!([]), json!(["/x.txt", hash("x")]), json!({}),
            json!({"path": "/x.txt", "deleted": "yes"}), json!({"path": "/x.txt", "unreadable": 1})]).await;
    }

    async fn what_an_entry_has_beyond_is_ignored(server: Server) {
        let owner = server.admin().await;
        let phone = Device::new(&owner, "phone").await;
        let mut entry = claim("/x.txt", "x");
        entry["inode"] = json!([1, {"two": null}]);
        let plan = phone.tell_with(json!({"file_list": [entry], "client": "a new one"})).await;
        assert_eq!(plan["to_upload"][0]["path"], "/x.txt");
    }
}
