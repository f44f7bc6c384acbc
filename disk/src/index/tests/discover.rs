//! Finding drives.

use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::super::discover::{Candidate, Event, Options, Sign, Summary, discover};
use super::*;

const BOTH: Options = Options { signature: true, legacy: true, deep: false, max_depth: 6, mounts: false };

fn look(root: &Path, options: Options) -> (Vec<Candidate>, Summary) {
    let mut found = Vec::new();
    let summary = discover(&[root.to_owned()], options, &mut |event| {
        if let Event::Found(candidate) = event {
            found.push((*candidate).clone());
        }
        ControlFlow::Continue(())
    });
    assert_eq!(summary.found, found.len() as u64);
    (found, summary)
}

fn places(root: &Path, options: Options) -> Vec<String> {
    let found = look(root, options).0;
    found.iter().map(|one| one.path.strip_prefix(root).unwrap().display().to_string()).collect()
}

#[test]
fn drives_are_found_with_what_they_say_of_themselves() {
    let dir = tempfile::tempdir().unwrap();
    sign(&dir.path().join("a/stick"), 1);
    sign(&dir.path().join("b"), 2);
    fs::create_dir_all(dir.path().join("c/.holdfast")).unwrap();
    fs::create_dir_all(dir.path().join("d/.holdfast")).unwrap();
    fs::write(dir.path().join("d/.holdfast/drive.json"), "{").unwrap();
    let (found, summary) = look(dir.path(), BOTH);
    let said: Vec<_> = found
        .iter()
        .map(|one| (one.path.file_name().unwrap().to_str().unwrap(), one.drive_id(), one.problem.is_some()))
        .collect();
    let id = |id| Some(Uuid::from_u128(id));
    assert_eq!(said, [("stick", id(1), false), ("b", id(2), false), ("d", None, true)]);
    assert!(found.iter().all(|one| one.sign == Sign::Signature));
    assert_eq!(found[0].signature.as_ref().unwrap().name, "Stick");
    assert_eq!((summary.unreadable, summary.was_ended), (0, false));
}

#[test]
fn the_root_itself_may_be_one_also_behind_a_link() {
    let dir = tempfile::tempdir().unwrap();
    sign(&dir.path().join("drive"), 1);
    symlink("drive", dir.path().join("link")).unwrap();
    assert_eq!(places(&dir.path().join("drive"), BOTH), [""]);
    assert_eq!(places(&dir.path().join("link"), BOTH), [""]);
    assert_eq!(places(dir.path(), BOTH), ["drive"], "a link on the way is not followed");
}

#[test]
fn loops_of_links_end_and_each_folder_is_looked_into_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    sign(&dir.path().join("a/drive"), 1);
    symlink("..", dir.path().join("a/b/up")).unwrap();
    symlink(dir.path(), dir.path().join("a/b/top")).unwrap();
    symlink("self", dir.path().join("self")).unwrap();
    let deep = Options { deep: true, max_depth: 64, ..BOTH };
    let (found, summary) = look(dir.path(), deep);
    assert_eq!((found.len(), summary.folders, summary.unreadable), (1, 4, 0), "the top, a, b, and the drive");
}

#[test]
fn what_is_hidden_installed_or_within_a_drive_is_found_by_a_thorough_search_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (path, id) in [("outer", 1), ("outer/inner", 2), (".cache/x", 3), ("node_modules/y", 4)] {
        sign(&dir.path().join(path), id);
    }
    // Whatever lies there is history.
    sign(&dir.path().join("outer/.holdfast/versions/z"), 5);
    assert_eq!(places(dir.path(), BOTH), ["outer"]);
    let deep = Options { deep: true, ..BOTH };
    assert_eq!(places(dir.path(), deep), [".cache/x", "node_modules/y", "outer", "outer/inner"]);
}

#[test]
fn a_search_goes_no_deeper_than_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    sign(&dir.path().join("1/2/3"), 1);
    let to = |max_depth| look(dir.path(), Options { max_depth, ..BOTH });
    assert_eq!(to(3).0.len(), 1);
    let (found, summary) = to(2);
    assert_eq!((found.len(), summary.too_deep), (0, 1));
    assert_eq!(to(0).1.folders, 1);
}

#[test]
fn ten_thousand_levels_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let root = File::open(dir.path()).unwrap();
    let mut folder = beneath::open_folder(&root, "").unwrap();
    for _ in 0..10_000 {
        rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
        folder = beneath::open_folder(&folder, "d").unwrap();
    }
    drop(folder);
    sign(&dir.path().join("e"), 1);
    let (found, summary) = look(dir.path(), Options { deep: true, max_depth: 64, ..BOTH });
    assert_eq!((found.len(), summary.too_deep, summary.folders), (1, 1, 66));
    remove_deep(&dir.path().join("d"));
}

#[test]
fn what_cannot_be_read_is_counted_and_told() {
    let dir = tempfile::tempdir().unwrap();
    sign(&dir.path().join("b"), 1);
    let mut told = Vec::new();
    let mut tell = |event: &Event<'_>| {
        if let Event::Unreadable(path, _) = event {
            told.push((*path).to_owned());
        }
        ControlFlow::Continue(())
    };
    let gone = dir.path().join("gone");
    let mut expected = vec![gone.clone()];
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
        expected.push(closed.clone());
    }
    let summary = discover(&[gone, dir.path().to_owned()], BOTH, &mut tell);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((summary.unreadable, summary.found), (expected.len() as u64, 1));
    assert_eq!(told, expected);
}

#[test]
fn a_search_that_is_stopped_ends_there() {
    let dir = tempfile::tempdir().unwrap();
    (1..=5).for_each(|n| sign(&dir.path().join(n.to_string()), n));
    let mut found = 0;
    let summary = discover(&[dir.path().to_owned()], BOTH, &mut |event| {
        found += u64::from(matches!(event, Event::Found(_)));
        if found == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((summary.found, summary.was_ended), (2, true));
}

#[test]
fn a_file_system_on_the_way_is_looked_into_when_that_is_asked_for() {
    let proc = PathBuf::from("/proc");
    let dir = |mounts| {
        let mut folders = Vec::new();
        let options = Options { deep: true, max_depth: 1, mounts, ..BOTH };
        let summary = discover(&[PathBuf::from("/")], options, &mut |event| {
            if let Event::Folder(path) = event {
                folders.push((*path).to_owned());
            }
            ControlFlow::Continue(())
        });
        (folders.contains(&proc), summary.mounts)
    };
    let (was_entered, mounts) = dir(false);
    assert!(!was_entered && mounts > 0);
    assert!(dir(true).0);
}

#[test]
fn only_what_is_asked_for_is_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    sign(&dir.path().join("new"), 1);
    legacy::storage(&dir.path().join("old"));
    legacy::v0(&dir.path().join("imalink_20240115_120000_abc1234"));
    let signature = Options { legacy: false, ..BOTH };
    assert_eq!(places(dir.path(), signature), ["new"]);
    let legacy = Options { signature: false, ..BOTH };
    assert_eq!(places(dir.path(), legacy), ["imalink_20240115_120000_abc1234", "old"]);
    let found = look(dir.path(), legacy).0;
    let counts: Vec<_> = found.iter().map(|one| one.signature.as_ref().unwrap().file_count).collect();
    assert_eq!(counts, [3, 15_432]);
}

#[test]
fn the_index_of_a_web_project_is_none_whatever_its_folder_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let project = r#"{"name":"my-app","version":"1.0.0","main":"index.js","files":"dist"}"#;
    for folder in ["app", "imalink_20240115_120000_abc1234", "imalink_2024_12_x", "imalink_20240115_120000_"]
    {
        fs::create_dir(dir.path().join(folder)).unwrap();
        fs::write(dir.path().join(folder).join("index.json"), project).unwrap();
    }
    legacy::v0(&dir.path().join("imalink-copy"));
    assert_eq!(places(dir.path(), BOTH), Vec::<String>::new());
}
