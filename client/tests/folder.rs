//! A real folder, looked at again only where something may have changed.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use holdfast_client::agent::local::{LocalFolder, Marker};
use holdfast_client::agent::trees::{LocalTree, Look};
use holdfast_client::agent::{Disk as _, Scan};
use holdfast_protocol::ContentHash;
use uuid::Uuid;

/// A folder with some things in it, and what was walked of it.
struct Scene {
    dir: tempfile::TempDir,
    folder: LocalFolder,
    hashed: RefCell<usize>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pair = Uuid::from_u128(7);
        let marker = Marker { format: 1, pair, server: String::new(), place: String::new() };
        LocalFolder::mark(dir.path(), &marker).unwrap();
        let folder = LocalFolder::open(dir.path(), pair).unwrap();
        let scene = Self { dir, folder, hashed: RefCell::default() };
        for path in ["top", "a/one", "a/two", "a/deep/er/file", "b/one", "c/gone"] {
            scene.write(path, path);
        }
        scene
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        std::fs::write(self.at(path), text).unwrap();
    }

    fn scan(&self, before: Option<(Scan, &[&str])>) -> Scan {
        *self.hashed.borrow_mut() = 0;
        let folders: BTreeSet<String> = before
            .iter()
            .flat_map(|(_, folders)| folders.iter())
            .map(|folder| (*folder).to_owned())
            .collect();
        let unknown = |_: &Look| -> Option<ContentHash> {
            *self.hashed.borrow_mut() += 1;
            None
        };
        self.folder.scan(before.map(|(scan, _)| (scan, &folders)), &unknown).unwrap()
    }
}

/// What is in a tree, with the sizes of files.
fn list(tree: &LocalTree) -> Vec<String> {
    let mut list: Vec<String> =
        tree.iter().skip(1).map(|(index, node)| format!("{} {:?}", tree.path(index), node.what)).collect();
    list.sort();
    list
}

#[test]
fn only_folders_in_which_something_happened_are_looked_at_again() {
    let scene = Scene::new();
    let first = scene.scan(None);
    assert_eq!(*scene.hashed.borrow(), 6);
    scene.write("a/one", "edited");
    scene.write("b/one", "edited as well");
    let second = scene.scan(Some((first, &["a"])));
    assert_eq!(*scene.hashed.borrow(), 2, "what is directly in the folder");
    let whole = scene.scan(None);
    let differs: Vec<String> =
        list(&whole.tree).into_iter().filter(|line| !list(&second.tree).contains(line)).collect();
    assert_eq!(differs.len(), 1, "{differs:?}");
    assert!(differs[0].starts_with("b/one "));
}

#[test]
fn what_is_new_gone_renamed_or_another_kind_is_seen_as_a_walk_of_everything_sees_it() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("top", scene.at("link")).unwrap();
    let first = scene.scan(None);
    assert_eq!(first.notices.len(), 1);
    scene.write("new/folder/file", "new");
    std::fs::remove_dir_all(scene.at("c")).unwrap();
    std::fs::rename(scene.at("a/deep"), scene.at("b/deep")).unwrap();
    std::fs::remove_file(scene.at("a/two")).unwrap();
    scene.write("a/two/is now/a folder", "x");
    std::fs::remove_dir_all(scene.at("b/deep/er")).unwrap();
    std::fs::write(scene.at("b/deep/er"), "is now a file").unwrap();
    std::fs::remove_file(scene.at("link")).unwrap();
    std::os::unix::fs::symlink("top", scene.at("b/link")).unwrap();
    // One that is not there any more, and one that was never there, are heard of as well.
    let second = scene.scan(Some((first, &["", "a", "a/deep", "b", "c", "nowhere"])));
    let whole = scene.scan(None);
    assert_eq!(list(&second.tree), list(&whole.tree));
    assert_eq!(second.notices, whole.notices);
    assert_eq!(second.tree.len(), whole.tree.len());
}

#[test]
fn other_rules_of_what_is_ignored_have_everything_looked_at() {
    let scene = Scene::new();
    let first = scene.scan(None);
    scene.write(".holdfastignore", "b/\n");
    let second = scene.scan(Some((first, &[])));
    assert_eq!(list(&second.tree), list(&scene.scan(None).tree));
    assert!(second.tree.find("b/one").is_none() && Path::new(&scene.at("b/one")).exists());
}
