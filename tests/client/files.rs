//! Listing, getting, putting, moving and deleting.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, UNIX_EPOCH};

use crate::tool::{other_side, with_server};

#[test]
fn a_file_that_is_put_comes_back_as_it_was_with_its_time() {
    with_server(async |server, tool| {
        let path = tool.write("note.txt", "milk\n");
        let time = UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let told = tool.run(&["put", "note.txt"]).await.ok().out;
        assert_eq!(told, "note.txt -> home:/note.txt (5 B)\n");
        let seen = other_side(&server).await.get("/api/drives/home/files/note.txt").await;
        assert_eq!((seen.status, seen.text().as_str()), (200, "milk\n"));
        assert_eq!(
            tool.run(&["get", "note.txt", "again.txt"]).await.ok().out,
            "home:/note.txt -> again.txt (5 B)\n"
        );
        assert_eq!(tool.read("again.txt"), "milk\n");
        assert_eq!(tool.here().join("again.txt").metadata().unwrap().modified().unwrap(), time);
        assert_eq!(tool.run(&["get", "note.txt", "-"]).await.ok().out, "milk\n");
        assert_eq!(tool.run(&["-q", "get", "note.txt", "quiet.txt"]).await.ok().out, "");
    });
}

#[test]
fn a_file_goes_into_a_folder_that_is_there_and_needs_one_to_be_there() {
    with_server(async |_, tool| {
        tool.write("a.txt", "a");
        tool.run(&["mkdir", "docs"]).await.ok();
        assert_eq!(tool.json(&["put", "a.txt", "docs"]).await["path"], "/docs/a.txt");
        assert_eq!(tool.json(&["put", "a.txt", "home:docs/b.txt"]).await["path"], "/docs/b.txt");
        tool.run(&["put", "a.txt", "no/where/a.txt"]).await.failed(4, &["home:/no/where/a.txt"]);
        tool.run(&["put", "a.txt", "new/"]).await.failed(4, &["home:/new/a.txt"]);
        assert_eq!(tool.json(&["put", "-p", "a.txt", "no/where/"]).await["path"], "/no/where/a.txt");
        std::fs::create_dir(tool.here().join("sub")).unwrap();
        tool.run(&["get", "docs/a.txt", "sub"]).await.ok();
        assert_eq!(tool.read("sub/a.txt"), "a");
        tool.run(&["get", "docs/a.txt", "missing/a.txt"]).await.failed(3, &["no such folder on this device"]);
    });
}

#[test]
fn nothing_on_this_device_is_replaced_unasked() {
    with_server(async |_, tool| {
        tool.write("a.txt", "server");
        tool.run(&["put", "a.txt"]).await.ok();
        let path = tool.write("a.txt", "mine");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        tool.run(&["get", "a.txt"]).await.failed(4, &["a.txt is there already", "--force"]);
        assert_eq!(tool.read("a.txt"), "mine");
        tool.run(&["get", "--force", "a.txt"]).await.ok();
        assert_eq!(tool.read("a.txt"), "server");
        // Whoever might read it before, and nobody else, may read it now.
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(tool.names(), ["a.txt"]);
    });
}

#[test]
fn through_a_link_the_file_is_replaced_and_the_link_stays() {
    with_server(async |_, tool| {
        tool.write("new.txt", "new");
        tool.run(&["put", "new.txt", "a.txt"]).await.ok();
        tool.write("real.txt", "old");
        std::os::unix::fs::symlink("real.txt", tool.here().join("a.txt")).unwrap();
        tool.run(&["get", "a.txt"]).await.failed(4, &["is there already"]);
        tool.run(&["get", "-f", "a.txt"]).await.ok();
        assert!(tool.here().join("a.txt").symlink_metadata().unwrap().is_symlink());
        assert_eq!(tool.read("real.txt"), "new");
    });
}

#[test]
fn a_put_replaces_what_is_there_unless_it_may_not() {
    with_server(async |_, tool| {
        tool.write("a.txt", "one");
        tool.run(&["put", "a.txt", "--if-absent"]).await.ok();
        tool.write("a.txt", "two");
        tool.run(&["put", "a.txt", "--if-absent"]).await.failed(4, &["home:/a.txt is there already"]);
        assert_eq!(tool.run(&["get", "a.txt", "-"]).await.ok().out, "one");
        assert_eq!(tool.json(&["put", "a.txt"]).await["version"], 2);
        tool.run(&["put", "missing.txt"]).await.failed(3, &["missing.txt", "no such file on this device"]);
        tool.run(&["put", "."]).await.failed(2, &["is a folder"]);
        let error = tool.run(&["put", "missing.txt", "--json"]).await;
        let error: serde_json::Value = serde_json::from_str(&error.err).unwrap();
        assert_eq!(error["error"]["exit"], 3);
    });
}

#[test]
fn a_listing_shows_names_and_with_l_sizes_and_times() {
    with_server(async |_, tool| {
        tool.write("a.txt", vec![b'a'; 2048]);
        tool.run(&["mkdir", "-p", "docs/deep"]).await.ok();
        for to in ["a.txt", "docs/b.txt", "docs/deep/c.txt"] {
            tool.run(&["put", "a.txt", to]).await.ok();
        }
        assert_eq!(tool.run(&["ls"]).await.ok().out, "a.txt\ndocs/\n");
        assert_eq!(tool.run(&["ls", "docs"]).await.ok().out, "b.txt\ndeep/\n");
        assert_eq!(tool.run(&["ls", "docs/b.txt"]).await.ok().out, "b.txt\n");
        assert_eq!(tool.run(&["ls", "-R", "home:docs"]).await.ok().out, "b.txt\ndeep/\ndeep/c.txt\n");
        let long = tool.run(&["ls", "-l"]).await.ok().out;
        assert!(
            long.contains("  2.0 KiB  20") && long.lines().nth(1).unwrap().ends_with("  docs/"),
            "{long}"
        );
        let all = tool.json(&["ls", "-R"]).await;
        assert_eq!(all.as_array().unwrap().len(), 5);
        assert_eq!(
            (&all[0]["path"], &all[0]["kind"], &all[0]["size"]),
            (&"/a.txt".into(), &"file".into(), &2048.into())
        );
        assert_eq!(tool.json(&["ls", "docs/deep"]).await.as_array().unwrap().len(), 1);
        tool.run(&["mkdir", "empty"]).await.ok();
        assert_eq!(tool.json(&["ls", "empty"]).await, serde_json::json!([]));
        tool.run(&["ls", "nope"]).await.failed(3, &["home:/nope"]);
        tool.run(&["ls", "other:"]).await.failed(3, &["no such drive"]);
    });
}

#[test]
fn a_listing_of_many_pages_is_whole() {
    with_server(async |server, tool| {
        let client = other_side(&server).await;
        for n in 0..1005 {
            let answer = client.put(&format!("/api/drives/home/files/f{n:04}"), "x").await;
            assert_eq!(answer.status, 201);
        }
        let names: Vec<String> = (0..1005).map(|n| format!("f{n:04}")).collect();
        assert_eq!(tool.run(&["ls"]).await.ok().out.lines().collect::<Vec<_>>(), names);
        assert_eq!(tool.json(&["ls"]).await.as_array().unwrap().len(), 1005);
    });
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_listing_quietly() {
    with_server(async |_, tool| {
        tool.run(&["mkdir", "a", "b"]).await.ok();
        let mut child = tool.command(&["ls"]).spawn().unwrap();
        drop(child.stdout.take());
        let done = crate::tool::finished(child, &["ls"]).await;
        assert_eq!(done.err, "");
        assert_eq!(done.code, 1);
    });
}

#[test]
fn a_move_is_one_step_and_replaces_nothing_unasked() {
    with_server(async |_, tool| {
        tool.write("a.txt", "a");
        tool.write("b.txt", "b");
        tool.run(&["put", "a.txt"]).await.ok();
        tool.run(&["put", "b.txt"]).await.ok();
        tool.run(&["mkdir", "docs"]).await.ok();
        let moved = tool.json(&["mv", "a.txt", "docs"]).await;
        assert_eq!((&moved["from"], &moved["to"]), (&"/a.txt".into(), &"/docs/a.txt".into()));
        tool.run(&["mv", "b.txt", "docs/a.txt"])
            .await
            .failed(4, &["home:/docs/a.txt is there already", "--force"]);
        tool.run(&["mv", "--force", "b.txt", "docs/a.txt"]).await.ok();
        assert_eq!(tool.run(&["get", "docs/a.txt", "-"]).await.ok().out, "b");
        tool.run(&["mv", "nope", "docs"]).await.failed(3, &["home:/nope"]);
        tool.run(&["mv", "docs", "docs/inside"]).await.failed(4, &["home:/docs"]);
        tool.run(&["mv", "docs", "other:docs"]).await.failed(2, &["from one drive to another"]);
        tool.run(&["cp", "docs", "copy"]).await.ok();
        assert_eq!(tool.run(&["ls", "-R"]).await.ok().out, "copy/\ncopy/a.txt\ndocs/\ndocs/a.txt\n");
    });
}

#[test]
fn a_folder_is_deleted_only_when_that_is_said() {
    with_server(async |_, tool| {
        tool.write("a.txt", "a");
        tool.run(&["put", "-p", "a.txt", "docs/"]).await.ok();
        tool.run(&["put", "a.txt"]).await.ok();
        tool.run(&["rm", "docs"]).await.failed(2, &["is a folder", "--recursive"]);
        tool.run(&["rm", "/"]).await.failed(2, &["the drive itself"]);
        tool.run(&["rm", "-r", "a.txt", "docs"]).await.ok();
        assert_eq!(tool.run(&["ls"]).await.ok().out, "");
        tool.run(&["rm", "a.txt"]).await.failed(3, &["home:/a.txt"]);
    });
}

#[test]
fn a_locked_file_is_told_as_open_elsewhere() {
    with_server(async |server, tool| {
        tool.write("a.txt", "a");
        tool.run(&["put", "a.txt"]).await.ok();
        let client = other_side(&server).await;
        let lock = "<?xml version=\"1.0\"?><lockinfo xmlns=\"DAV:\"><lockscope><exclusive/></lockscope>\
                    <locktype><write/></locktype></lockinfo>";
        let method = "LOCK".parse().unwrap();
        let locked = client.send(client.request(method, "/dav/home/a.txt").body(lock)).await;
        assert_eq!(locked.status, 200);
        tool.write("a.txt", "b");
        tool.run(&["put", "a.txt"]).await.failed(4, &["locked", "another program has it open"]);
    });
}
