//! `sync now`: one sync after the other, so that each step is known.

use support::block_on;

use crate::laptop::{Laptop, a_server};

#[test]
fn what_one_device_does_another_has_after_both_synced() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("letters/to bank.txt", "dear bank");
        one.write("empty.txt", "");
        std::fs::create_dir_all(one.at("plans/none yet")).unwrap();
        one.sync();
        two.sync();
        assert_eq!(two.tree(), one.tree());
        assert_eq!(two.read("letters/to bank.txt"), "dear bank");

        two.write("letters/to bank.txt", "dear bank, again");
        std::fs::rename(two.at("plans"), two.at("letters/plans")).unwrap();
        std::fs::remove_file(two.at("empty.txt")).unwrap();
        let done = two.sync();
        assert_eq!(done["done"]["moved there"], 1, "a renamed folder is one step: {done}");
        let done = one.sync();
        assert_eq!(done["done"]["moved here"], 1, "{done}");
        assert_eq!(one.tree(), two.tree());
        assert_eq!(one.read("letters/to bank.txt"), "dear bank, again");
        for laptop in [&one, &two] {
            let done = laptop.sync();
            assert_eq!(done["done"], serde_json::json!({}), "nothing was left to do: {done}");
        }
    });
}

#[test]
fn both_contents_are_kept_where_two_devices_edited_one_file() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "desk"), Laptop::with_folder(&server, "sofa"));
        one.write("report.odt", "draft");
        one.sync();
        two.sync();
        one.write("report.odt", "as written at the desk");
        two.write("report.odt", "as written on the sofa");
        one.sync();
        let done = two.sync();
        assert_eq!(done["conflicts"].as_array().unwrap().len(), 1, "{done}");
        one.sync();
        assert_eq!(one.tree(), two.tree());
        assert_eq!(one.read("report.odt"), "as written at the desk");
        let copy = one.tree().into_keys().find(|name| name.contains("conflict")).unwrap();
        assert!(copy.starts_with("report (conflict, sofa, 20") && copy.ends_with(").odt"), "{copy}");
        assert_eq!(one.read(&copy), "as written on the sofa");
    });
}

#[test]
fn a_folder_that_is_not_there_is_offline_and_nothing_is_deleted() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("kept.txt", "kept");
        one.sync();
        std::fs::rename(one.folder(), one.folder().with_file_name("unmounted")).unwrap();
        assert_eq!(one.run(&["sync", "now"]).status.code(), Some(6));
        // An empty mount point is another folder, too.
        std::fs::create_dir(one.folder()).unwrap();
        assert_eq!(one.run(&["sync", "now"]).status.code(), Some(6));
        two.sync();
        assert_eq!(two.read("kept.txt"), "kept");
    });
}

#[test]
fn deleting_everything_waits_until_a_person_has_confirmed_it() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        for n in 0..5 {
            one.write(&format!("photo {n}.jpg"), &format!("picture {n}"));
        }
        one.sync();
        for n in 0..5 {
            std::fs::remove_file(one.at(&format!("photo {n}.jpg"))).unwrap();
        }
        let asked = one.run(&["sync", "now", "--json"]);
        assert_eq!(asked.status.code(), Some(4));
        let said: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
        let token = said[0]["withheld"]["token"].as_str().unwrap();
        two.sync();
        assert_eq!(two.tree().len(), 5, "nothing was deleted");
        one.done(&["sync", "now", "--confirm", token]);
        two.sync();
        assert!(two.tree().is_empty(), "{:?}", two.tree());
    });
}

#[test]
fn a_damaged_memory_is_set_aside_and_nothing_is_lost_or_doubled() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        for n in 0..20 {
            one.write(&format!("folder/{n}.txt"), &format!("text {n}"));
        }
        one.sync();
        let before = one.tree();
        let folder = one.folder().with_file_name("state").join("sync");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let length = std::fs::metadata(&path).unwrap().len();
            std::fs::write(&path, vec![0x55; usize::try_from(length).unwrap()]).unwrap();
        }
        one.write("folder/new.txt", "new");
        let done = one.sync();
        assert_eq!(done["done"], serde_json::json!({"sent": 1}), "{done}");
        assert_eq!(one.tree().len(), before.len() + 1);
    });
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_does_nothing() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        one.write("a.txt", "a");
        let said: serde_json::Value =
            serde_json::from_str(&one.done(&["sync", "now", "--dry-run", "--json"])).unwrap();
        assert_eq!(said[0]["steps"], serde_json::json!([{"what": "send", "path": "a.txt"}]));
        let two = Laptop::with_folder(&server, "two");
        two.sync();
        assert!(two.tree().is_empty());
    });
}

#[test]
fn a_folder_of_a_drive_is_synced_alone() {
    block_on(async {
        let server = a_server().await;
        let (whole, part) = (Laptop::with_folder(&server, "whole"), Laptop::new(&server, "part"));
        whole.write("photos/2026/beach.jpg", "sand");
        whole.write("letters/secret.txt", "not for the part");
        whole.sync();
        part.done(&["sync", "add", part.folder().to_str().unwrap(), "home:photos/2026"]);
        part.sync();
        assert_eq!(part.tree().into_keys().collect::<Vec<_>>(), ["beach.jpg"]);
        part.write("mountain.jpg", "snow");
        part.sync();
        // Its folder is the same whatever it is called.
        std::fs::rename(whole.at("photos"), whole.at("pictures")).unwrap();
        whole.sync();
        part.write("lake.jpg", "water");
        part.sync();
        whole.sync();
        assert_eq!(whole.read("pictures/2026/mountain.jpg"), "snow");
        assert_eq!(whole.read("pictures/2026/lake.jpg"), "water");
        // That it is gone there is no deletion of what is here.
        std::fs::remove_dir_all(whole.at("pictures")).unwrap();
        whole.sync();
        assert_eq!(part.run(&["sync", "now"]).status.code(), Some(6));
        assert_eq!(part.tree().len(), 3);
    });
}

#[test]
fn what_is_no_file_is_told_and_left_alone() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("a.txt", "a");
        std::os::unix::fs::symlink("a.txt", one.at("link")).unwrap();
        std::fs::create_dir(one.at("holds a link")).unwrap();
        std::os::unix::fs::symlink("/", one.at("holds a link/all")).unwrap();
        let done = one.sync();
        assert_eq!(done["notices"].as_array().unwrap().len(), 2, "{done}");
        two.sync();
        assert_eq!(two.tree().into_keys().collect::<Vec<_>>(), ["a.txt", "holds a link"]);
    });
}
