//! Living on a laptop: pauses, schedules, limits, and an agent's own files that are damaged.

use serde_json::{Value, json};
use support::{block_on, eventually};

use crate::laptop::{Laptop, a_server, all_hold};

fn status(laptop: &Laptop) -> Value {
    let said: Value = serde_json::from_str(&laptop.done(&["sync", "status", "--json"])).unwrap();
    said[0].clone()
}

fn state(laptop: &Laptop, file: &str) -> std::path::PathBuf {
    laptop.folder().with_file_name("state").join(file)
}

#[test]
fn a_running_agent_rests_while_it_is_paused_and_lets_its_folder_go() {
    block_on(async {
        let server = a_server().await;
        let (mut one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.start();
        one.write("first.txt", "first");
        eventually("the agent is at work", || async {
            two.sync();
            two.at("first.txt").exists().then_some(())
        })
        .await;
        one.done(&["sync", "pause"]);
        let told = status(&one);
        assert_eq!(
            (&told["paused"], &told["paused_until"], &told["next_at"]),
            (&json!(true), &json!(null), &json!(null))
        );
        // It holds the folder no more, so another sync of it is not refused.
        eventually("it lets the folder go", || async {
            one.run(&["sync", "now"]).status.success().then_some(())
        })
        .await;
        one.write("second.txt", "second");
        two.write("third.txt", "third");
        two.sync();
        assert!(!two.at("second.txt").exists() && !one.at("third.txt").exists());
        one.done(&["sync", "resume"]);
        assert_eq!(status(&one)["paused"], false);
        eventually("it goes on", || async {
            two.sync();
            (two.tree().len() == 3 && one.tree() == two.tree()).then_some(())
        })
        .await;
        assert!(one.stop().success(), "{}", one.log());
    });
}

#[test]
fn an_agent_that_rests_and_goes_on_holds_no_more_than_before() {
    block_on(async {
        let server = a_server().await;
        let mut one = Laptop::with_folder(&server, "one");
        one.write("folder/a.txt", "a");
        one.start();
        let fds = format!("/proc/{}/fd", one.process());
        let watches = || {
            let all = std::fs::read_dir(&fds).into_iter().flatten().flatten();
            all.filter_map(|fd| std::fs::read_link(fd.path()).ok())
                .filter(|to| to.to_string_lossy().contains("inotify"))
                .count()
        };
        for _ in 0..3 {
            eventually("it watches its folder", || async { (watches() == 1).then_some(()) }).await;
            one.done(&["sync", "pause"]);
            eventually("it watches nothing", || async { (watches() == 0).then_some(()) }).await;
            one.done(&["sync", "resume"]);
        }
        assert!(one.stop().success(), "{}", one.log());
    });
}

#[test]
fn a_pause_for_a_while_tells_its_end_and_nonsense_is_refused() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        let folder = one.folder();
        one.done(&["sync", "pause", folder.to_str().unwrap(), "--for", "2h"]);
        let until = status(&one)["paused_until"].as_i64().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert!((until - i64::try_from(now).unwrap() - 7200).abs() < 600, "{until}");
        for span in ["soon", "-1h", "0min", "99999999999999999d"] {
            assert_eq!(one.run(&["sync", "pause", "--for", span]).status.code(), Some(2), "{span}");
        }
        assert_eq!(one.run(&["sync", "pause", "/elsewhere"]).status.code(), Some(3));
        assert_eq!(status(&one)["paused_until"].as_i64(), Some(until), "nothing has changed");
    });
}

#[test]
fn a_running_agent_keeps_the_schedule_and_notices_another() {
    block_on(async {
        let server = a_server().await;
        let (mut one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.done(&["config", "set", "schedule", "every 8 h"]);
        assert_eq!(one.run(&["config", "set", "schedule", "whenever"]).status.code(), Some(2));
        one.write("first.txt", "first");
        one.start();
        eventually("what was never synced is so at once", || async {
            two.sync();
            two.at("first.txt").exists().then_some(())
        })
        .await;
        one.write("second.txt", "second");
        // It rests: the folder is free for others.
        eventually("it rests", || async {
            (one.run(&["sync", "now", "--dry-run"]).status.success()).then_some(())
        })
        .await;
        two.sync();
        assert!(!two.at("second.txt").exists());
        let told = status(&one);
        assert!(told["next_at"].as_i64().unwrap() > told["synced_at"].as_i64().unwrap() + 7 * 3600, "{told}");
        one.done(&["config", "set", "schedule", "always"]);
        eventually("it syncs as things happen", || async {
            two.sync();
            two.at("second.txt").exists().then_some(())
        })
        .await;
        assert!(one.stop().success(), "{}", one.log());
    });
}

#[test]
fn folders_are_added_to_a_running_agent_and_removed_from_it() {
    block_on(async {
        let server = a_server().await;
        let (mut one, two) = (Laptop::new(&server, "one"), Laptop::with_folder(&server, "two"));
        two.write("letters/a.txt", "a");
        two.write("photos/b.jpg", "b");
        two.sync();
        let (folder, more) = (one.folder(), one.folder().with_file_name("more"));
        one.done(&["sync", "add", folder.to_str().unwrap(), "home:letters"]);
        one.start();
        all_hold(&[&one], "the first", |tree| tree.len() == 1).await;
        one.done(&["sync", "add", more.to_str().unwrap(), "home:photos"]);
        eventually("the second", || async { more.join("b.jpg").exists().then_some(()) }).await;
        one.done(&["sync", "remove", folder.to_str().unwrap()]);
        assert!(one.at("a.txt").exists() && !one.at(".holdfast-sync").exists());
        two.write("photos/c.jpg", "c");
        two.sync();
        eventually("the second is synced still", || async { more.join("c.jpg").exists().then_some(()) })
            .await;
        assert!(one.stop().success(), "{}", one.log());
    });
}

#[test]
fn contents_travel_whole_at_the_pace_that_is_set() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        for laptop in [&one, &two] {
            laptop.done(&["config", "set", "upload-limit", "4 MB/s"]);
            laptop.done(&["config", "set", "download-limit", "32 Mbit/s"]);
            for nonsense in ["fast", "0", "1 B/s"] {
                assert_eq!(laptop.run(&["config", "set", "upload-limit", nonsense]).status.code(), Some(2));
            }
        }
        let text: String =
            (0..400_000).map(|n: u32| char::from(b'a' + u8::try_from(n % 23).unwrap())).collect();
        one.write("large.txt", &text);
        one.sync();
        two.sync();
        assert_eq!(two.read("large.txt"), text);
        let copy = two.folder().with_file_name("copy");
        two.done(&["get", "home:large.txt", copy.to_str().unwrap()]);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), text);
    });
}

#[test]
fn a_setting_says_how_many_deletions_are_not_asked_about() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        for n in 0..10 {
            one.write(&format!("{n}.txt"), "text");
        }
        one.sync();
        one.done(&["config", "set", "guard-files", "1"]);
        one.done(&["config", "set", "guard-percent", "10"]);
        std::fs::remove_file(one.at("0.txt")).unwrap();
        one.sync();
        std::fs::remove_file(one.at("1.txt")).unwrap();
        std::fs::remove_file(one.at("2.txt")).unwrap();
        assert_eq!(one.run(&["sync", "now"]).status.code(), Some(4));
        one.done(&["config", "set", "guard-percent", "50"]);
        assert_eq!(one.sync()["done"], json!({"removed there": 2}));
    });
}

#[test]
fn a_damaged_list_of_folders_is_told_set_aside_and_made_again_and_nothing_is_lost() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        one.write("a.txt", "a");
        one.write("b.txt", "b");
        one.sync();
        two.sync();
        let list = state(&one, "sync.json");
        let text = std::fs::read_to_string(&list).unwrap();
        std::fs::write(&list, &text[..text.len() / 2]).unwrap();
        let refused = one.run(&["sync", "now"]);
        assert_eq!(refused.status.code(), Some(1));
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("sync.json") && told.contains("holdfast sync add"), "{told}");
        one.done(&["sync", "add", one.folder().to_str().unwrap(), "home"]);
        assert!(state(&one, "sync.json.damaged-1").exists());
        // What was remembered of the folder counts still: a deletion is one.
        std::fs::remove_file(one.at("a.txt")).unwrap();
        assert_eq!(one.sync()["done"], json!({"removed there": 1}));
        two.sync();
        assert_eq!(two.tree().into_keys().collect::<Vec<_>>(), ["b.txt"]);
    });
}

#[test]
fn a_damaged_login_is_told_and_replaced_by_the_next_and_nothing_else_is_lost() {
    block_on(async {
        let server = a_server().await;
        let one = Laptop::with_folder(&server, "one");
        one.write("a.txt", "a");
        one.sync();
        std::fs::write(state(&one, "account.json"), "{\"server\": \"http").unwrap();
        let refused = one.run(&["sync", "now"]);
        assert_eq!(refused.status.code(), Some(1));
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("damaged") && told.contains("holdfast login"), "{told}");
        one.log_in(&server, "one");
        assert_eq!(one.sync()["done"], json!({}));
        // Settings that are no settings are told, and are nobody's but their owner's to put right.
        std::fs::write(state(&one, "config.toml"), "schedule = [").unwrap();
        let refused = one.run(&["sync", "now"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("config.toml"));
        std::fs::remove_file(state(&one, "config.toml")).unwrap();
        assert_eq!(one.sync()["done"], json!({}));
    });
}

#[test]
fn a_memory_that_was_cut_off_is_set_aside_and_both_sides_are_compared() {
    block_on(async {
        let server = a_server().await;
        let (one, two) = (Laptop::with_folder(&server, "one"), Laptop::with_folder(&server, "two"));
        for n in 0..200 {
            one.write(&format!("{n}.txt"), &format!("text {n}"));
        }
        one.sync();
        two.sync();
        let folder = state(&one, "sync");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let length = std::fs::metadata(&path).unwrap().len();
            std::fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }
        std::fs::remove_file(one.at("1.txt")).unwrap();
        std::fs::write(one.at("2.txt"), "edited").unwrap();
        let done = one.run(&["sync", "now"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let told = String::from_utf8_lossy(&done.stdout);
        assert!(told.contains("damaged"), "{told}");
        assert_eq!(one.read("1.txt"), "text 1", "without a memory nothing is taken for deleted");
        two.sync();
        assert!(two.tree().into_values().flatten().any(|text| text == "edited"));
        assert_eq!(one.tree(), two.tree());
    });
}
