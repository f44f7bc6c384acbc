//! A server that answers nonsense to an agent, breaks off or lies: it is told, nothing is lost, nothing gets out of the folder,
//! and all is well as soon as the server is honest.

use serde_json::{Value, json};
use support::{Server, block_on};

use crate::laptop::{Laptop, a_server};
use crate::liar::Liar;

/// A device that is honest, one that is lied to, and what stands between.
struct Scene {
    _server: Server,
    honest: Laptop,
    fooled: Laptop,
    liar: Liar,
}

/// Both hold `old.txt` and `letters/kept.txt`; the honest one has edited the first and added `new.txt` and a folder.
async fn scene() -> Scene {
    let server = a_server().await;
    let liar = Liar::before(server.url().trim_start_matches("http://"));
    let honest = Laptop::with_folder(&server, "honest");
    let fooled = Laptop::with_folder_at(&liar.url(), &server, "fooled");
    fooled.done(&["config", "set", "attempts", "2"]);
    honest.write("old.txt", "old");
    honest.write("letters/kept.txt", "kept");
    honest.sync();
    fooled.sync();
    assert_eq!(fooled.tree(), honest.tree());
    honest.write("old.txt", "edited elsewhere");
    honest.write("new.txt", "new");
    honest.write("made/inside.txt", "inside");
    honest.sync();
    Scene { _server: server, honest, fooled, liar }
}

impl Scene {
    /// A sync that is lied to ends in a failure that says so, and changes nothing here.
    #[track_caller]
    fn fails_untouched(&self, says: &[&str]) {
        let before = self.fooled.tree();
        let done = self.fooled.run(&["sync", "now"]);
        assert!(self.liar.is_honest() > 0, "it was not lied to");
        let told = [done.stdout, done.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(!done.status.success(), "{told}");
        assert!(
            says.iter().all(|word| told.contains(word)) && !told.contains("panicked"),
            "{says:?} in {told}"
        );
        assert_eq!(self.fooled.tree(), before, "{told}");
    }

    /// Now that the server is honest, both come to hold the same.
    #[track_caller]
    fn is_well(&self) {
        self.fooled.sync();
        self.honest.sync();
        assert_eq!(self.fooled.tree(), self.honest.tree());
        assert_eq!(self.fooled.read("new.txt"), "new");
        let again = self.fooled.sync();
        assert_eq!(again["done"], json!({}), "{again}");
    }
}

fn is_feed(line: &str) -> bool {
    line.starts_with("GET ") && line.contains("/changes")
}

/// A page of the feed with one of its nodes changed.
fn with_node(body: &[u8], name: &str, change: impl Fn(&mut Value)) -> Option<Vec<u8>> {
    let mut page: Value = serde_json::from_slice(body).ok()?;
    page["changes"].as_array_mut()?.iter_mut().filter(|node| node["name"] == name).for_each(change);
    Some(page.to_string().into_bytes())
}

#[test]
fn a_feed_that_is_nonsense_or_ends_early_is_told_and_changes_nothing() {
    block_on(async {
        let scene = scene().await;
        for nonsense in ["<html>not here</html>", "{\"changes\": 7}", "", "[]", "{\"changes\": [{}]}"] {
            scene.liar.lies(move |line, _| is_feed(line).then(|| nonsense.as_bytes().to_vec()));
            scene.fails_untouched(&[]);
        }
        scene.liar.lies(|line, body| is_feed(line).then(|| body[..body.len() / 2].to_vec()));
        scene.fails_untouched(&[]);
        scene.is_well();
    });
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_refused() {
    block_on(async {
        let scene = scene().await;
        for name in ["../outside.txt", "..", "", "a/b.txt", ".", "nul\0", ".holdfast-sync"] {
            for which in ["new.txt", "made"] {
                scene.liar.lies(move |line, body| {
                    is_feed(line).then(|| with_node(body, which, |node| node["name"] = json!(name))).flatten()
                });
                let outside = scene.fooled.folder().with_file_name("outside.txt");
                let own = scene.fooled.at(".holdfast-sync");
                let before = std::fs::metadata(&own).unwrap().is_dir();
                let done = scene.fooled.run(&["sync", "now"]);
                let told = String::from_utf8_lossy(&done.stderr).into_owned();
                assert!(!told.contains("panicked") && !outside.exists(), "{name:?}: {told}");
                assert!(before && own.is_dir() && !scene.fooled.at("a").exists(), "{name:?}");
                if name != ".holdfast-sync" {
                    assert!(!done.status.success(), "{name:?} was believed");
                }
                scene.liar.is_honest();
            }
        }
        // What was told once of a name that is none is told anew with the next change.
        scene.honest.write("new.txt", "newer");
        std::fs::rename(scene.honest.at("made"), scene.honest.at("made again")).unwrap();
        scene.honest.sync();
        scene.fooled.sync();
        assert_eq!(scene.fooled.tree(), scene.honest.tree());
    });
}

#[test]
fn a_content_that_is_not_what_was_said_is_not_put_in_place() {
    block_on(async {
        let scene = scene().await;
        scene.honest.write("large.bin", &"large ".repeat(400_000));
        scene.honest.sync();
        let is_content =
            |line: &str| line.contains("/contents") || (line.starts_with("GET ") && line.contains("/files/"));
        scene.liar.lies(move |line, body| {
            is_content(line).then(|| {
                let mut body = body.to_vec();
                // Somewhere in the middle and at the end: in headers or contents, whichever it is.
                for at in [body.len() / 2, body.len().saturating_sub(1)] {
                    if let Some(byte) = body.get_mut(at) {
                        *byte ^= 1;
                    }
                }
                body
            })
        });
        let before = scene.fooled.read("old.txt");
        let done = scene.fooled.run(&["sync", "now"]);
        assert!(scene.liar.is_honest() > 0 && !done.status.success());
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!told.contains("panicked"), "{told}");
        // Each is there as it should be, or not at all.
        let tree = scene.fooled.tree();
        for (path, content) in scene.honest.tree() {
            let here = tree.get(&path);
            let is_right = here.is_none_or(|here| *here == content)
                || (path == "old.txt" && scene.fooled.read(&path) == before);
            assert!(is_right, "{path}: {:?}", here.map(|here| here.as_ref().map(|text| text.len())));
        }
        scene.is_well();
    });
}

#[test]
fn a_difference_that_does_not_add_up_is_not_put_in_place_and_the_file_comes_whole() {
    block_on(async {
        let scene = scene().await;
        // So that one cannot be guessed from another place in it.
        let large: String =
            (0..200_000).map(|n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        scene.honest.write("large.bin", &large);
        scene.honest.sync();
        scene.fooled.sync();
        scene.honest.write("large.bin", &format!("one more{large}"));
        scene.honest.sync();
        // The first answer about it is a difference; whatever is wrong with that, the next attempt asks for all of it.
        let asked = std::sync::atomic::AtomicUsize::new(0);
        scene.liar.lies(move |line, body| {
            let is_it = line.starts_with("GET ") && line.contains("large.bin");
            let first = is_it && asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            first.then(|| body.iter().map(|byte| byte ^ 0x55).collect())
        });
        let _ = scene.fooled.run(&["sync", "now"]);
        assert!(scene.liar.is_honest() > 0, "no difference was sent");
        scene.is_well();
        assert_eq!(scene.fooled.read("large.bin").len(), large.len() + 8);
    });
}

#[test]
fn an_answer_that_says_something_else_was_done_is_not_believed() {
    block_on(async {
        let scene = scene().await;
        scene.fooled.sync();
        scene.fooled.write("mine.txt", "mine");
        scene.fooled.write("letters/mine too.txt", "mine too");
        // All was done, and this is what is heard of it.
        for nonsense in ["", "{\"status\": 200}\n{\"status\": 200}\n{\"status\": 200}\n", "oh well\n"] {
            scene.liar.lies(move |line, _| line.contains("/batch").then(|| nonsense.as_bytes().to_vec()));
            let done = scene.fooled.run(&["sync", "now"]);
            let told = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(
                scene.liar.is_honest() > 0 && !done.status.success() && !told.contains("panicked"),
                "{told}"
            );
            assert_eq!(scene.fooled.read("mine.txt"), "mine");
            scene.fooled.write(&format!("more {}.txt", nonsense.len()), "more");
        }
        scene.is_well();
        assert_eq!(scene.honest.read("letters/mine too.txt"), "mine too");
        assert!(!scene.honest.tree().keys().any(|name| name.contains("conflict")));
    });
}

#[test]
fn a_token_of_another_drive_or_none_at_all_is_answered_with_everything_and_nothing_is_lost() {
    block_on(async {
        let scene = scene().await;
        for token in ["00000000-0000-4000-8000-000000000001", "ffffffff-ffff-4fff-bfff-ffffffffffff"] {
            // The device remembers a token that its drive never gave.
            scene.liar.lies(move |line, body| {
                let mut page: Value = serde_json::from_slice(body).ok().filter(|_| is_feed(line))?;
                page["token"] = json!(token);
                Some(page.to_string().into_bytes())
            });
            scene.fooled.run(&["sync", "now"]);
            assert!(scene.liar.is_honest() > 0);
            scene.fooled.write("mine.txt", token);
            scene.is_well();
            assert_eq!(scene.honest.read("mine.txt"), token);
        }
    });
}
