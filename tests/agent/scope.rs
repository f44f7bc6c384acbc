//! What people leave out and ignore.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use support::block_on;

use crate::laptop::{Laptop, a_server, all_hold};

fn names(laptop: &Laptop) -> Vec<String> {
    laptop.tree().into_keys().collect()
}

fn notices(done: &Value) -> Vec<&str> {
    done["notices"].as_array().unwrap().iter().map(|notice| notice["path"].as_str().unwrap()).collect()
}

/// What is in the trash of a device's folder.
fn trash(laptop: &Laptop) -> Vec<String> {
    let days = std::fs::read_dir(laptop.at(".holdfast-sync/trash")).unwrap();
    let files = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn what_the_ignore_file_names_stays_where_it_is_on_every_device() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write(".holdfastignore", "# mine\n*.tmp\nbuild/\n!keep.tmp\n");
        one.write("main.c", "main");
        one.write("build/main.o", "object");
        one.write("deep/a.tmp", "passing");
        one.write("keep.tmp", "kept");
        one.write("Thumbs.db", "thumbs");
        two.write("deep/a.tmp", "of two");
        one.sync();
        two.sync();
        assert_eq!(names(&two), [".holdfastignore", "deep", "deep/a.tmp", "keep.tmp", "main.c"]);
        assert_eq!(two.read("deep/a.tmp"), "of two");
        for laptop in [&one, &two] {
            assert_eq!(laptop.sync()["done"], json!({}));
        }
        assert_eq!(one.read("deep/a.tmp"), "passing");
    });
}

#[test]
fn what_is_ignored_from_now_on_stays_on_both_sides_and_is_compared_when_it_is_not_any_more() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        for n in 0..60 {
            one.write(&format!("logs/{n}.log"), &format!("line {n}"));
        }
        one.sync();
        two.sync();
        one.write(".holdfastignore", "logs/\n");
        one.sync();
        // Neither a deletion nor an edit of what is ignored travels.
        std::fs::remove_file(one.at("logs/0.log")).unwrap();
        one.write("logs/1.log", "edited on one");
        assert_eq!(one.sync()["done"], json!({}));
        two.sync();
        two.write("logs/1.log", "edited on two");
        assert_eq!(two.sync()["done"], json!({}));
        assert_eq!(two.read("logs/0.log"), "line 0");
        assert_eq!(one.read("logs/1.log"), "edited on one");

        std::fs::remove_file(one.at(".holdfastignore")).unwrap();
        one.sync();
        assert_eq!(one.read("logs/0.log"), "line 0", "it comes back");
        two.sync();
        one.sync();
        assert_eq!(one.tree(), two.tree());
        let contents: Vec<String> = one.tree().into_values().flatten().collect();
        for content in ["edited on one", "edited on two", "line 59"] {
            assert!(contents.iter().any(|text| text == content), "{content}");
        }
    });
}

#[test]
fn a_line_that_is_broken_is_told_and_a_file_that_cannot_be_read_means_what_it_meant() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        one.write(".holdfastignore", "*.tmp\n[z-a]\n");
        one.write("a.tmp", "a");
        let done = one.sync();
        assert_eq!(notices(&done), [".holdfastignore"], "{done}");
        assert_eq!(done["quiet"], true);
        // As good as unreadable, also for root: no file.
        std::fs::remove_file(one.at(".holdfastignore")).unwrap();
        std::fs::create_dir(one.at(".holdfastignore")).unwrap();
        let done = one.sync();
        assert!(notices(&done).contains(&".holdfastignore"), "{done}");
        let two = Laptop::with_folder(&server, "two");
        two.sync();
        assert!(!names(&two).contains(&"a.tmp".to_owned()), "{:?}", names(&two));
    });
}

#[test]
fn a_folder_that_is_left_out_goes_to_the_trash_and_comes_back_when_it_is_taken_in() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("photos/raw/beach.raw", "sand");
        one.write("photos/raw/lake.raw", "water");
        one.write("photos/beach.jpg", "picture");
        one.sync();
        two.sync();
        two.write("photos/raw/lake.raw", "edited on two");
        let raw = two.at("photos/raw");
        two.done(&["sync", "exclude", raw.to_str().unwrap()]);
        let said: Value = serde_json::from_str(&two.done(&["sync", "status", "--json"])).unwrap();
        assert_eq!(said[0]["left_out"], json!([{"path": "photos/raw", "keep": false}]));
        two.sync();
        assert_eq!(names(&two), ["photos", "photos/beach.jpg"]);
        let mut kept = trash(&two);
        kept.sort();
        assert_eq!(kept, ["beach.raw", "lake.raw"]);
        one.sync();
        assert_eq!(one.read("photos/raw/lake.raw"), "edited on two", "it was sent before it went");
        assert_eq!(one.read("photos/raw/beach.raw"), "sand");

        // Whatever it is called by now; and what is made under its name stays here.
        std::fs::rename(one.at("photos/raw"), one.at("photos/unedited")).unwrap();
        one.sync();
        two.write("photos/unedited/mine.raw", "of two");
        let done = two.sync();
        assert_eq!((notices(&done), &done["done"]), (vec!["photos/unedited"], &json!({})), "{done}");
        one.sync();
        assert!(!one.at("photos/unedited/mine.raw").exists());

        two.done(&["sync", "include", raw.to_str().unwrap()]);
        two.sync();
        one.sync();
        assert_eq!(one.tree(), two.tree());
        assert_eq!(one.tree().len(), 6, "{:?}", names(&one));
    });
}

#[test]
fn a_folder_that_is_left_out_and_kept_stays_and_is_compared_when_it_is_taken_in() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("photos/raw/beach.raw", "sand");
        one.sync();
        two.sync();
        let raw = two.at("photos/raw");
        two.done(&["sync", "exclude", "--keep", raw.to_str().unwrap()]);
        assert_eq!(two.sync()["done"], json!({}));
        two.write("photos/raw/beach.raw", "edited on two");
        std::fs::write(one.at("photos/raw/beach.raw"), "edited on one").unwrap();
        one.sync();
        assert_eq!(two.sync()["done"], json!({}));
        two.done(&["sync", "include", raw.to_str().unwrap()]);
        let done = two.sync();
        assert_eq!(done["conflicts"].as_array().unwrap().len(), 1, "{done}");
        one.sync();
        assert_eq!(one.tree(), two.tree());
        assert_eq!(one.read("photos/raw/beach.raw"), "edited on one");
    });
}

#[test]
fn a_folder_can_be_left_out_from_the_start_and_what_is_none_is_refused() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::new(&server, "two"));
        one.write("films/long.mkv", "long");
        one.write("letters/a.txt", "a");
        one.sync();
        let folder = two.folder();
        let folder = folder.to_str().unwrap();
        assert_eq!(two.run(&["sync", "add", folder, "home", "--without", "nothing"]).status.code(), Some(3));
        two.done(&["sync", "add", folder, "home", "--without", "films"]);
        two.sync();
        assert_eq!(names(&two), ["letters", "letters/a.txt"]);
        for (path, code) in [("letters/a.txt", 2), ("", 2), ("elsewhere", 3)] {
            let refused = two.run(&["sync", "exclude", two.at(path).to_str().unwrap()]);
            assert_eq!(refused.status.code(), Some(code), "{path}");
        }
        assert_eq!(two.run(&["sync", "include", two.at("letters").to_str().unwrap()]).status.code(), Some(3));
        assert_eq!(two.run(&["sync", "exclude", "/elsewhere/films"]).status.code(), Some(3));
    });
}

#[test]
fn a_running_agent_notices_what_is_left_out_and_taken_in() {
    block_on(async {
        let server = a_server().await;
        let (one, mut two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("raw/beach.raw", "sand");
        one.sync();
        two.start();
        all_hold(&[&one, &two], "both have it", |tree| tree.len() == 2).await;
        let raw = two.at("raw");
        two.done(&["sync", "exclude", raw.to_str().unwrap()]);
        all_hold(&[&two], "it goes", |tree| tree.is_empty()).await;
        two.done(&["sync", "include", raw.to_str().unwrap()]);
        all_hold(&[&one, &two], "it comes", |tree| tree.len() == 2).await;
        assert!(two.stop().success(), "{}", two.log());
    });
}

#[test]
fn what_cannot_be_synced_is_told_and_left_alone() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("a.txt", "a");
        std::os::unix::fs::symlink("a.txt", one.at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(one.at("socket")).unwrap();
        std::fs::write(one.at("").join(std::ffi::OsStr::from_bytes(b"not\xfftext")), "x").unwrap();
        one.write("secret.txt", "secret");
        let mut expected = vec!["link", "not\u{fffd}text", "socket"];
        std::fs::set_permissions(one.at("secret.txt"), std::fs::Permissions::from_mode(0o000)).unwrap();
        // Who may read everything reads this as well.
        if std::fs::read(one.at("secret.txt")).is_err() {
            expected.push("secret.txt");
        }
        for _ in 0..2 {
            let done = one.sync();
            let mut told = notices(&done);
            told.sort_unstable();
            assert_eq!(told, expected, "{done}");
        }
        two.sync();
        assert_eq!(two.tree().keys().filter(|name| **name != "secret.txt").collect::<Vec<_>>(), ["a.txt"]);
        assert!(one.at("link").is_symlink() && one.at("socket").exists());
    });
}
