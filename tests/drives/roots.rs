//! Every kind of root: file systems that cannot swap two names, that take names which differ in case for one, that can only be
//! read, and what is mounted within a drive.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, Disk, Engine, Over, Server, block_on, both_engines, eventually, plain, skip, tool};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn made(client: &Client, name: &str, root: &Path) -> Value {
    let body = json!({"name": name, "root": root, "adopt": true});
    client.post("/api/drives", body).await.expect(201)
}

async fn shown(client: &Client, drive: &str) -> Value {
    client.get(&format!("/api/drives/{drive}")).await.expect(200)
}

async fn until(client: &Client, drive: &str, state: &str) -> Value {
    eventually(&format!("the drive to be {state}"), || async {
        Some(shown(client, drive).await).filter(|shown| shown["state"] == state)
    })
    .await
}

/// Until a path reads as it should, which a drive that has just come may take a moment for.
async fn until_read(client: &Client, path: &str, content: &str) {
    eventually(&format!("{path} to be {content:?}"), || async {
        let answer = client.get(path).await;
        (answer.status == 200 && answer.text() == content).then_some(())
    })
    .await;
}

async fn contents(client: &Client, drive: &str, path: &str) -> Vec<String> {
    let tree = client.get(&format!("/api/drives/{drive}/tree/")).await.expect(200);
    let entry = tree["entries"].as_array().unwrap().iter().find(|entry| entry["path"] == path).unwrap();
    let node = entry["id"].as_str().unwrap();
    let versions = client.get(&format!("/api/drives/{drive}/nodes/{node}/versions")).await.expect(200);
    let mut contents = Vec::new();
    for version in versions["items"].as_array().unwrap() {
        let id = version["id"].as_str().unwrap();
        let content = client.get(&format!("/api/drives/{drive}/versions/{id}/content")).await;
        assert_eq!(content.status, 200, "{version} {}", content.text());
        contents.push(content.text());
    }
    contents
}

/// Names in the reserved folder that are no slots: steps that were not finished.
fn unfinished(root: &Path) -> Vec<String> {
    let slots = support::slots(root);
    slots.into_iter().filter(|name| name.contains('.')).collect()
}

#[test]
fn where_two_names_cannot_be_swapped_every_version_is_kept_and_a_kill_loses_nothing() {
    const NAME: &str = "where_two_names_cannot_be_swapped_every_version_is_kept_and_a_kill_loses_nothing";
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap().join("disk");
    let disk = Disk::made(&folder.path().join("image"), "ntfs")
        .and_then(|mut disk| disk.plug_in_as(&place, &["-t", "ntfs-3g"]).map(|()| disk));
    match disk {
        Ok(disk) => block_on(in_steps(&place, disk)),
        Err(why) => skip(NAME, &why),
    }
}

async fn in_steps(root: &Path, _disk: Disk) {
    let mut server = Server::start(Engine::Sqlite).await;
    let admin = server.admin().await;
    let drive = made(&admin, "Stick", root).await;
    let can = &drive["capabilities"];
    assert_eq!(
        (&can["exchange"], &can["stable_inodes"], &can["hard_links"]),
        (&json!(false), &json!(true), &json!(true))
    );
    assert!(can["file_system"].as_str().unwrap().starts_with("fuse"), "{can}");

    let at = |name: &str| format!("/api/drives/Stick/files/{name}");
    let moved = |from: &str, to: &str| json!({"from": from, "to": to, "overwrite": true});
    for content in ["one", "two", "three"] {
        let answer = admin.put(&at("a.txt"), content).await;
        assert!(matches!(answer.status, 200 | 201 | 204), "{} {}", answer.status, answer.text());
        assert_eq!(answer.header("holdfast-placement"), None, "it is in the plain folder at once");
        assert_eq!(std::fs::read_to_string(root.join("a.txt")).unwrap(), content);
    }
    admin.put(&at("b.txt"), "other").await.expect(201);
    admin.post("/api/drives/Stick/moves", moved("/a.txt", "/b.txt")).await.expect(200);
    admin.post("/api/drives/Stick/folders", json!({"path": "/dir"})).await.expect(201);
    admin.put(&at("dir/c.txt"), "c").await.expect(201);
    admin.post("/api/drives/Stick/moves", moved("/dir", "/folder")).await.expect(200);
    admin.put(&at("gone.txt"), "gone").await.expect(201);
    admin.delete(&at("gone.txt")).await.expect(204);
    let tree: Vec<_> = plain(root).into_keys().collect();
    assert_eq!(tree, ["/b.txt", "/folder", "/folder/c.txt"]);
    assert_eq!(contents(&admin, "Stick", "/b.txt").await, ["three", "two", "one"]);

    let mut last = "three".to_owned();
    for (number, point) in
        ["place.before", "place.exchanged", "place.exchanged:2", "place.linked", "place.after", "mark.before"]
            .iter()
            .enumerate()
    {
        server.stop().await;
        server.set_env("HOLDFAST_FAILPOINT", *point);
        server.launch().await;
        let client = admin.at(server.url());
        until(&client, "Stick", "online").await;
        let next = format!("content {number}");
        let sent = client.try_send(client.request(Method::PUT, &at("b.txt")).body(next.clone())).await;
        let acknowledged = sent.is_ok_and(|answer| answer.status < 300);
        server.ended().await;
        server.unset_env("HOLDFAST_FAILPOINT");
        server.launch().await;
        let client = admin.at(server.url());
        until(&client, "Stick", "online").await;
        until_read(&client, &at("b.txt"), &next).await;
        assert_eq!(std::fs::read_to_string(root.join("b.txt")).unwrap(), next, "{point}, {acknowledged}");
        assert_eq!(unfinished(root), Vec::<String>::new(), "{point}");
        let kept = contents(&client, "Stick", "/b.txt").await;
        assert_eq!(kept[..2], [next.clone(), last], "{point}");
        last = next;
    }
    let client = admin.at(server.url());
    assert_eq!(client.get(&at("folder/c.txt")).await.text(), "c");
    let state = shown(&client, "Stick").await;
    assert_eq!(state["state"], "online", "{state}");
}

#[test]
fn where_names_that_differ_in_case_are_one_a_twin_is_refused_and_a_name_can_be_spelled_anew() {
    const NAME: &str =
        "where_names_that_differ_in_case_are_one_a_twin_is_refused_and_a_name_can_be_spelled_anew";
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap().join("disk");
    let disk = Disk::made(&folder.path().join("image"), "ntfs").and_then(|mut disk| {
        disk.plug_in_as(&place, &["-t", "lowntfs-3g", "-o", "ignore_case"]).map(|()| disk)
    });
    match disk {
        Ok(disk) => block_on(folding(&place, disk)),
        Err(why) => skip(NAME, &why),
    }
}

async fn folding(root: &Path, _disk: Disk) {
    let server = Server::start(Engine::Sqlite).await;
    let admin = server.admin().await;
    let drive = made(&admin, "Stick", root).await;
    assert_eq!(drive["capabilities"]["folds_case"], true);
    let at = |name: &str| format!("/api/drives/Stick/files/{name}");
    admin.put(&at("a.txt"), "first").await.expect(201);
    let refused = admin.put(&at("A.txt"), "second").await.expect_problem_named(409, "name-twin");
    assert_eq!(refused["name"], "a.txt");
    admin
        .post("/api/drives/Stick/folders", json!({"path": "/A.TXT"}))
        .await
        .expect_problem_named(409, "name-twin");
    admin.put(&at("b.txt"), "b").await.expect(201);
    let moved = |from: &str, to: &str| json!({"from": from, "to": to});
    admin
        .post("/api/drives/Stick/moves", moved("/b.txt", "/A.Txt"))
        .await
        .expect_problem_named(409, "name-twin");
    assert_eq!(admin.get(&at("a.txt")).await.text(), "first");
    assert_eq!(std::fs::read_to_string(root.join("a.txt")).unwrap(), "first");

    let answer = admin.post("/api/drives/Stick/moves", moved("/a.txt", "/A.txt")).await;
    assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.text());
    assert_eq!(admin.get(&at("A.txt")).await.text(), "first");
    assert_eq!(std::fs::read_to_string(root.join("a.txt")).unwrap(), "first");
    admin.put(&at("A.txt"), "second").await.expect(200);
    assert_eq!(contents(&admin, "Stick", "/A.txt").await, ["second", "first"]);
}

/// Mounts something over a folder in two ways: another file system, and another folder of the same one.
fn ways(server: &Server) -> Vec<(&'static str, Vec<String>)> {
    let other = server.data_dir().join("drives/other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("theirs.txt"), "not of this drive").unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![("tmpfs", words(&["-t", "tmpfs", "holdfast-test"])), ("bind", words(&["--bind", text(&other)]))]
}

async fn dead_or_missing(client: &Client) -> bool {
    let changes = client.get("/api/drives/home/changes?limit=5000").await.text();
    changes.contains("\"dead\"") || changes.contains("\"missing\"")
}

both_engines! {
    async fn what_is_mounted_over_a_folder_hides_its_files_and_deletes_none(given: Server) {
        const NAME: &str = "what_is_mounted_over_a_folder_hides_its_files_and_deletes_none";
        let mut server = given;
        let admin = server.admin().await;
        let root = support::home_of(&server, &admin).await;
        let at = |name: &str| format!("/api/drives/home/files/{name}");
        for name in ["photos/a.jpg", "photos/2024/b.jpg", "letter.txt"] {
            admin.put(&format!("{}?parents=true", at(name)), name.to_owned()).await.expect(201);
        }
        for (way, options) in ways(&server) {
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let over = match Over::mount(&options, &root.join("photos")) {
                Ok(over) => over,
                Err(why) => return skip(NAME, &why),
            };
            for restart in [false, true] {
                if restart {
                    server.restart().await;
                }
                let client = admin.at(server.url());
                until(&client, "home", "online").await;
                client.get(&at("photos/a.jpg")).await.expect_problem_named(503, "other-file-system");
                client.put(&at("photos/new.jpg"), "new").await.expect_problem_named(409, "other-file-system");
                client.put(&at("photos/a.jpg"), "new").await.expect_problem_named(409, "other-file-system");
                let folder = json!({"path": "/photos/new"});
                client.post("/api/drives/home/folders", folder).await.expect_problem_named(409, "other-file-system");
                let transfer = json!({"from": "/letter.txt", "to": "/photos/letter.txt"});
                client.post("/api/drives/home/moves", transfer).await.expect_problem_named(409, "other-file-system");
                // Whoever looks for what was changed outside has been there by now.
                let seen = format!("seen-{way}-{restart}.txt");
                std::fs::write(root.join(&seen), "outside").unwrap();
                client.get(&at(&seen)).await;
                if restart {
                    until_read(&client, &at(&seen), "outside").await;
                }
                let tree = client.get("/api/drives/home/tree/?recursive=true").await.text();
                assert!(tree.contains("/photos/2024/b.jpg") && !tree.contains("theirs"), "{way}: {tree}");
                assert!(!dead_or_missing(&client).await, "{way}: something counts as gone");
                assert_eq!(shown(&client, "home").await["state"], "online", "one folder is not the drive");
            }
            drop(over);
            let client = admin.at(server.url());
            until_read(&client, &at("photos/2024/b.jpg"), "photos/2024/b.jpg").await;
            let name = format!("photos/{way}.jpg");
            let put = client.put(&at(&name), "written again").await;
            put.expect(201);
            assert_eq!(std::fs::read_to_string(root.join(&name)).unwrap(), "written again");
        }
    }

    async fn a_drive_on_a_disk_that_became_read_only_is_read_and_takes_changes_again_by_itself(given: Server) {
        const NAME: &str = "a_drive_on_a_disk_that_became_read_only_is_read_and_takes_changes_again_by_itself";
        let mut server = given;
        let admin = server.admin().await;
        let root = server.scratch().canonicalize().unwrap().join("disk");
        std::fs::create_dir(&root).unwrap();
        let disk = match Over::mount(&["-t", "tmpfs", "holdfast-test"], &root) {
            Ok(disk) => disk,
            Err(why) => return skip(NAME, &why),
        };
        made(&admin, "Disk", &root).await;
        let at = |name: &str| format!("/api/drives/Disk/files/{name}");
        admin.put(&at("a.txt"), "one").await.expect(201);
        admin.put(&at("a.txt"), "two").await.expect(200);
        server.stop().await;
        tool("mount", &["-o", "remount,ro", text(&root)]).unwrap();
        server.launch().await;
        let client = admin.at(server.url());
        let drive = until(&client, "Disk", "degraded").await;
        assert_eq!((&drive["capabilities"]["read_only"], &drive["reason"]), (&json!(true), &json!("the drive is read-only")));
        assert_eq!(client.get(&at("a.txt")).await.text(), "two");
        assert_eq!(contents(&client, "Disk", "/a.txt").await, ["two", "one"]);
        client.put(&at("a.txt"), "three").await.expect_problem_named(403, "drive-read-only");
        client.put(&at("b.txt"), "new").await.expect_problem_named(403, "drive-read-only");
        client.delete(&at("a.txt")).await.expect_problem_named(403, "drive-read-only");
        client.post("/api/drives/Disk/folders", json!({"path": "/dir"})).await.expect_problem_named(403, "drive-read-only");
        let share = client.basic(server.username(), server.password());
        assert_eq!(share.put("/dav/Disk/b.txt", "new").await.status, 403);
        assert_eq!(share.get("/dav/Disk/a.txt").await.text(), "two");
        assert_eq!(client.get(&at("b.txt")).await.status, 404);

        tool("mount", &["-o", "remount,rw", text(&root)]).unwrap();
        let drive = until(&client, "Disk", "online").await;
        assert_eq!(drive["capabilities"]["read_only"], false);
        client.put(&at("a.txt"), "three").await.expect(200);
        assert_eq!(std::fs::read_to_string(root.join("a.txt")).unwrap(), "three");
        server.stop().await;
        drop(disk);
    }
}

/// Images of discs that can only be read, each with what is in a folder, by what can make them here.
fn discs(folder: &Path, content: &str) -> Vec<Result<(&'static str, PathBuf), String>> {
    let source = folder.join(format!("source-{content}"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("song.ogg"), content).unwrap();
    let image = |kind: &str| folder.join(format!("{content}.{kind}"));
    let squashed = tool("mksquashfs", &[text(&source), text(&image("squashfs")), "-quiet", "-no-progress"])
        .map(|_| ("squashfs", image("squashfs")));
    let written = Disk::made(&image("ext4"), "ext4").and_then(|mut disk| {
        let place = folder.join("writing");
        disk.plug_in(&place)?;
        std::fs::write(place.join("song.ogg"), content).map_err(|error| error.to_string())?;
        tool("umount", &[text(&disk.at.take().unwrap())])?;
        Ok(("ext4", image("ext4")))
    });
    vec![written, squashed]
}

#[test]
fn a_disc_that_can_only_be_read_is_a_drive_and_another_at_its_place_is_not() {
    const NAME: &str = "a_disc_that_can_only_be_read_is_a_drive_and_another_at_its_place_is_not";
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().canonicalize().unwrap();
    let pairs: Vec<_> = discs(&here, "first").into_iter().zip(discs(&here, "other")).collect();
    for pair in pairs {
        let made = match pair {
            (Ok((kind, first)), Ok((_, other))) => {
                Disk::of(&first).and_then(|first| Ok((kind, first, Disk::of(&other)?)))
            }
            (Err(why), _) | (_, Err(why)) => Err(why),
        };
        match made {
            Ok((kind, first, other)) => block_on(only_read(&here.join(kind), first, other)),
            Err(why) => skip(NAME, &why),
        }
    }
}

async fn only_read(place: &Path, mut first: Disk, mut other: Disk) {
    let server = Server::builder(Engine::Sqlite).env("HOLDFAST_VOLUMES_SOURCE", "none").start().await;
    let admin = server.admin().await;
    first.plug_in_as(place, &["-o", "ro"]).unwrap();
    let body = json!({"name": "Disc", "root": place});
    admin.post("/api/drives", body).await.expect_problem_named(409, "not-empty");
    made(&admin, "Disc", place).await;
    until(&admin, "Disc", "degraded").await;
    let at = |name: &str| format!("/api/drives/Disc/files/{name}");
    until_read(&admin, &at("song.ogg"), "first").await;
    admin.put(&at("mine.txt"), "x").await.expect_problem_named(403, "drive-read-only");
    let again = json!({"name": "Again", "root": place, "adopt": true});
    admin.post("/api/drives", again).await.expect_problem_named(409, "already-a-drive");

    first.pull_out();
    other.plug_in_as(place, &["-o", "ro"]).unwrap();
    let offline = until(&admin, "Disc", "offline").await;
    admin.get(&at("song.ogg")).await.expect_problem_named(503, "drive-offline");
    assert!(
        eventually("the other disc to be told apart", || async {
            let reason = shown(&admin, "Disc").await["reason"].as_str().unwrap_or_default().to_owned();
            Some(reason).filter(|reason| reason.contains("another disc"))
        })
        .await
        .contains("another disc"),
        "{offline}"
    );
    other.pull_out();
    first.plug_in_as(place, &["-o", "ro"]).unwrap();
    until(&admin, "Disc", "degraded").await;
    until_read(&admin, &at("song.ogg"), "first").await;
}
