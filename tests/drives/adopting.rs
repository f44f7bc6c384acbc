//! A folder that people have becomes a drive; first they may ask what it would be.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use support::{Server, both_engines, eventually};

/// A folder with all kinds of things in it.
fn odd(server: &Server) -> PathBuf {
    let root = server.scratch().join("odd");
    std::fs::create_dir_all(root.join("2024/deep")).unwrap();
    let root = root.canonicalize().unwrap();
    std::fs::write(root.join("2024/a.jpg"), "picture").unwrap();
    std::fs::write(root.join("2024/A.jpg"), "other").unwrap();
    std::fs::write(root.join("2024/deep/con.txt"), "x").unwrap();
    std::fs::write(root.join("2024/deep/what?"), "").unwrap();
    std::fs::write(root.join("2024/a:b"), "").unwrap();
    std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"n\xff")), "").unwrap();
    std::os::unix::fs::symlink("2024", root.join("link")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    assert!(made.success());
    root
}

/// Names, kinds and times of all that is in a folder.
fn looks(root: &Path) -> String {
    let listed = std::process::Command::new("find")
        .arg(root)
        .args(["-printf", "%P %y %s %T@ %C@\n"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

fn command(server: &Server, arguments: &[&str]) -> Output {
    server.command().arg("adopt").args(arguments).output().unwrap()
}

fn expected(found: &Value) {
    for (name, count) in [
        ("files", 5),
        ("folders", 2),
        ("bytes", 13),
        ("links", 1),
        ("special", 1),
        ("unreadable", 0),
        ("other_file_systems", 0),
    ] {
        assert_eq!(found[name], count, "{name}: {found}");
    }
    assert_eq!(found["names"], json!({"refused": 1, "twins": 1, "windows": 3, "apple": 1, "android": 2}));
    let remarks = found["remarks"].as_array().unwrap();
    let told = |what: &str, path: &str| remarks.contains(&json!({"what": what, "path": path}));
    assert!(told("twin-name", "2024/a.jpg") && told("unholdable-name", "2024/deep/con.txt"), "{remarks:?}");
    assert_eq!((&found["signed"], &found["cut_off"]), (&Value::Null, &json!(false)));
    let system = &found["file_system"];
    assert!(system["total_bytes"].as_u64().unwrap() > 0);
    assert_eq!((&system["read_only"], &system["folds_case"]), (&json!(false), &json!(false)));
}

both_engines! {
    async fn a_dry_run_tells_what_a_folder_would_be_and_leaves_it_as_it_is(server: Server) {
        let admin = server.admin().await;
        let root = odd(&server);
        let before = looks(&root);
        let body = json!({"name": "Odd", "root": root, "adopt": true, "dry_run": true});
        expected(&admin.post("/api/drives", body).await.expect(200));
        assert_eq!(looks(&root), before);
        assert_eq!(admin.get("/api/drives").await.expect(200)["items"].as_array().unwrap().len(), 1);
        // What was only asked for can be done then; and what carries a signature is told as that drive.
        let made = admin.post("/api/drives", json!({"name": "Odd", "root": root, "adopt": true})).await.expect(201);
        admin.delete("/api/drives/Odd").await.expect(204);
        let again = json!({"name": "Odd", "root": root, "adopt": true, "dry_run": true});
        let told = admin.post("/api/drives", again).await.expect(200);
        assert_eq!((&told["signed"], &told["files"]), (&made["id"], &json!(5)));
    }

    async fn what_would_be_refused_is_refused_in_a_dry_run(server: Server) {
        let admin = server.admin().await;
        let (_, member) = server.member().await;
        let root = odd(&server);
        let ask = |name: &str, root: &Path, adopt: bool| json!({"name": name, "root": root, "adopt": adopt, "dry_run": true});
        admin.post("/api/drives", ask("Odd", &root, false)).await.expect_problem_named(409, "not-empty");
        admin.post("/api/drives", ask("HOME", &root, true)).await.expect_problem_named(409, "drive-exists");
        admin.post("/api/drives", ask("a/b", &root, true)).await.expect_problem(422);
        for bad in [PathBuf::from("/"), server.data_dir(), root.join("link"), root.join("2024/a.jpg")] {
            admin.post("/api/drives", ask("Bad", &bad, true)).await.expect_problem_named(422, "bad-root");
        }
        member.post("/api/drives", ask("Mine", &root, true)).await.expect_problem_named(403, "needs-admin");
        admin.post("/api/drives", json!({"name": "None", "dry_run": true})).await.expect_problem(422);
        admin.post("/api/drives", json!({"name": "Odd", "root": root, "adopt": true})).await.expect(201);
        admin.post("/api/drives", ask("Again", &root, true)).await.expect_problem_named(409, "already-a-drive");
        admin.post("/api/drives", ask("In", &root.join("2024"), true)).await.expect_problem_named(409, "inside-another-drive");
    }

    async fn a_folder_is_adopted_on_the_command_line_beside_a_running_server(server: Server) {
        let admin = server.admin().await;
        let root = odd(&server);
        let (before, place) = (looks(&root), root.to_str().unwrap());
        let asked = command(&server, &[place, "--dry-run", "--json"]);
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        expected(&serde_json::from_slice(&asked.stdout).unwrap());
        let asked = String::from_utf8(command(&server, &[place, "--dry-run"]).stdout).unwrap();
        assert!(asked.contains("would be a new drive") && asked.contains("twin-name: 2024/a.jpg"), "{asked}");
        assert_eq!(looks(&root), before);
        for wrong in [&[place, "--owner", "nobody"][..], &["/", "--name", "All"][..], &[place, "--name", "home"][..]] {
            let refused = command(&server, wrong);
            assert!(!refused.status.success() && !refused.stderr.is_empty(), "{wrong:?}");
        }
        assert_eq!(looks(&root), before, "what was refused left the folder as it was");
        let done = command(&server, &[place, "--name", "Odd things", "--json"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let made: Value = serde_json::from_slice(&done.stdout).unwrap();
        eventually("the server to serve it", || async {
            (admin.get("/api/drives/Odd%20things/files/2024/a.jpg").await.text() == "picture").then_some(())
        }).await;
        let shown = admin.get(&format!("/api/drives/{}", made["id"].as_str().unwrap())).await.expect(200);
        assert_eq!((&shown["state"], &shown["name"]), (&json!("online"), &json!("Odd things")));
        server.member().await;
        let whose = command(&server, &[place, "--dry-run"]);
        assert!(String::from_utf8_lossy(&whose.stderr).contains("--owner"));
    }
}
