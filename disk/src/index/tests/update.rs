//! Writing an index from the disk: what looks as it did is not read again, and what cannot be looked at is not gone.

use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use super::*;

const HASH: Options = Options { hash: true, again: false };

fn run(root: &File, options: Options) -> Report {
    update(root, "test", options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn entries(root: &File) -> Vec<Entry> {
    let mut reader = open(root).unwrap();
    let entries = reader.by_ref().map(Result::unwrap).collect();
    assert!(reader.is_intact());
    entries
}

fn paths(root: &File) -> Vec<String> {
    entries(root).iter().map(|entry| entry.path.as_str().to_owned()).collect()
}

/// A file that was written long ago, so that its time tells of every later write. Its inode changed just now, all the same.
fn put(dir: &tempfile::TempDir, path: &str, content: &str) {
    let path = dir.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(1000);
    File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
}

/// Makes an index say that contents were read later than they were, as if some time had gone by since.
fn as_if_later(root: &File) {
    let all = entries(root);
    let header = open(root).unwrap().header().clone();
    write::<io::Error>(root, &header, |writer| {
        all.iter().cloned().try_for_each(|mut entry| {
            entry.hashed_at = entry.hashed_at.map(|at| at + Duration::from_secs(60));
            writer.push(&entry)
        })
    })
    .unwrap();
}

#[test]
fn an_index_lists_what_is_there_in_order_and_nothing_of_holdfasts_own() {
    let (dir, root) = a_drive();
    for path in ["b/deep/x", "b.txt", "a", "b c"] {
        put(&dir, path, path);
    }
    symlink("/etc/passwd", dir.path().join("link")).unwrap();
    symlink("..", dir.path().join("b/up")).unwrap();
    fs::create_dir(dir.path().join("b/.holdfast")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
        .unwrap();
    let report = run(&root, HASH);
    assert_eq!(paths(&root), ["a", "b", "b/deep", "b/deep/x", "b/up", "b c", "b.txt", "link"]);
    let totals = report.end.totals;
    assert_eq!((totals.files, totals.folders, totals.links, totals.hashed), (4, 2, 2, 4));
    assert_eq!(totals.total_size_bytes, 8 + 5 + 1 + 3);
    assert_eq!((report.added, report.read, report.problem_count), (8, 4, 0));
    let deep = entries(&root).into_iter().find(|entry| entry.path.as_str() == "b/deep/x").unwrap();
    assert_eq!(deep.sha256, a_file("b/deep/x", b"b/deep/x").sha256);
    let signature = Signature::read(&root).unwrap();
    assert_eq!((signature.file_count, signature.total_size_bytes), (4, 17));
    assert_eq!(signature.last_indexed, Some(open(&root).unwrap().header().written_at));
    let readme = fs::read_to_string(dir.path().join(RESERVED).join("README.txt")).unwrap();
    assert!(readme.contains("index.json"));
}

#[test]
fn without_hashes_nothing_is_read_and_what_was_known_is_kept() {
    let (dir, root) = a_drive();
    put(&dir, "a", "1");
    put(&dir, "b", "2");
    assert_eq!(run(&root, Options::default()).read, 0);
    assert!(entries(&root).iter().all(|entry| entry.sha256.is_none()));
    run(&root, HASH);
    as_if_later(&root);
    put(&dir, "b", "3");
    let report = run(&root, Options::default());
    let known: Vec<bool> = entries(&root).iter().map(|entry| entry.sha256.is_some()).collect();
    assert_eq!((known, report.changed), (vec![true, false], 1), "a hash of what it was is none");
}

#[test]
fn what_looks_as_it_did_is_not_read_again() {
    let (dir, root) = a_drive();
    for path in ["a", "b", "c/d"] {
        put(&dir, path, path);
    }
    assert_eq!(run(&root, HASH).read, 3);
    as_if_later(&root);
    let before = entries(&root);
    let report = run(&root, HASH);
    assert_eq!((report.read, report.added, report.changed, report.gone), (0, 0, 0, 0));
    assert_eq!(entries(&root), before);
    put(&dir, "b", "B");
    fs::remove_file(dir.path().join("a")).unwrap();
    put(&dir, "new", "new");
    let report = run(&root, HASH);
    assert_eq!((report.read, report.added, report.changed, report.gone), (2, 1, 1, 1));
    assert_eq!(
        run(&root, Options { hash: true, again: true }).read,
        3,
        "all are read again when that is asked for"
    );
}

#[test]
fn a_folder_that_was_renamed_is_not_read_again() {
    let (dir, root) = a_drive();
    for path in ["a/1", "a/b/2", "c"] {
        put(&dir, path, path);
    }
    run(&root, HASH);
    as_if_later(&root);
    let before = entries(&root);
    fs::rename(dir.path().join("a"), dir.path().join("z")).unwrap();
    let report = run(&root, HASH);
    assert_eq!((report.read, report.moved, report.added, report.gone), (0, 2, 4, 4));
    assert_eq!(paths(&root), ["c", "z", "z/1", "z/b", "z/b/2"]);
    let hash = |path: &str, all: &[Entry]| {
        all.iter().find(|entry| entry.path.as_str() == path).and_then(|entry| entry.sha256).unwrap()
    };
    let after = entries(&root);
    assert_eq!(hash("z/b/2", &after), hash("a/b/2", &before));
    assert_eq!(hash("z/1", &after), hash("a/1", &before));
    // Another file with the same name and the same number of bytes is another file.
    put(&dir, "z/new", "z/b/3");
    fs::rename(dir.path().join("z/new"), dir.path().join("z/b/2")).unwrap();
    assert_eq!(run(&root, HASH).read, 1);
}

#[test]
fn an_edit_that_gives_a_file_its_old_time_and_size_is_noticed() {
    let (dir, root) = a_drive();
    put(&dir, "a", "one");
    let time = fs::metadata(dir.path().join("a")).unwrap().modified().unwrap();
    run(&root, HASH);
    as_if_later(&root);
    fs::write(dir.path().join("a"), "two").unwrap();
    File::options().write(true).open(dir.path().join("a")).unwrap().set_modified(time).unwrap();
    run(&root, HASH);
    assert_eq!(entries(&root)[0].sha256, a_file("a", b"two").sha256);
}

#[test]
fn a_file_written_in_the_moment_of_its_reading_is_read_again() {
    let (dir, root) = a_drive();
    put(&dir, "a", "one");
    run(&root, HASH);
    // Its inode changed just before it was read: another write may have gone unseen.
    assert_eq!(run(&root, HASH).read, 1);
}

#[test]
fn what_cannot_be_looked_into_is_told_as_it_was_and_is_not_gone() {
    if rustix::process::geteuid().is_root() {
        // Nothing is closed to root: a file system mounted there is, by the same rule.
        return mounted_over();
    }
    let (dir, root) = a_drive();
    for path in ["a/1", "a/b/2", "c"] {
        put(&dir, path, path);
    }
    run(&root, HASH);
    let closed = dir.path().join("a");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    let report = run(&root, HASH);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!((report.kept, report.gone, report.problem_count), (3, 0, 1));
    assert_eq!(paths(&root), ["a", "a/1", "a/b", "a/b/2", "c"]);
}

fn mounted_over() {
    let (dir, root) = a_drive();
    for path in ["a/1", "a/b/2", "c"] {
        put(&dir, path, path);
    }
    run(&root, HASH);
    let first = open(&root).unwrap().header().written_at;
    let over = dir.path().join("a");
    let mount = |what: &mut std::process::Command| what.status().is_ok_and(|status| status.success());
    if !mount(std::process::Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&over)) {
        return crate::skipped("what_cannot_be_looked_into", "nothing can be mounted here");
    }
    let report = run(&root, HASH);
    assert!(mount(std::process::Command::new("umount").arg(&over)));
    assert_eq!((report.kept, report.gone, report.problem_count), (4, 0, 1), "{:?}", report.problems);
    assert_eq!(paths(&root), ["a", "a/1", "a/b", "a/b/2", "c"]);
    let kept = entries(&root);
    assert!(kept[..4].iter().all(|entry| entry.seen_at == Some(first)), "{kept:?}");
    assert_eq!(kept[4].seen_at, None);
}

#[test]
fn names_that_no_index_can_hold_are_told_and_the_rest_is_listed() {
    use std::os::unix::ffi::OsStringExt as _;
    let (dir, root) = a_drive();
    put(&dir, "a", "1");
    fs::write(dir.path().join(std::ffi::OsString::from_vec(vec![b'b', 0xff])), "2").unwrap();
    put(&dir, "c", "3");
    let report = run(&root, HASH);
    assert_eq!(paths(&root), ["a", "c"]);
    assert_eq!((report.problem_count, report.end.totals.unseen), (1, 1));
}

#[test]
fn folders_ten_thousand_deep_end_where_no_path_is_long_enough() {
    let (dir, root) = a_drive();
    let mut folder = beneath::open_folder(&root, "").unwrap();
    for _ in 0..10_000 {
        rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
        folder = beneath::open_folder(&folder, "d").unwrap();
    }
    drop(folder);
    put(&dir, "e", "1");
    let report = run(&root, HASH);
    assert_eq!((report.end.totals.folders, report.end.totals.files), (2048, 1), "4,095 bytes: d/d/../d");
    assert_eq!(report.problem_count, 1, "{:?}", report.problems);
    remove_deep(&dir.path().join("d"));
}

#[test]
fn an_index_that_is_damaged_or_of_another_drive_is_written_anew_and_not_believed() {
    let (dir, root) = a_drive();
    put(&dir, "a", "1");
    let index = dir.path().join(RESERVED).join(FILE);
    let good = |root: &File| {
        run(root, HASH);
        as_if_later(root);
        fs::read_to_string(&index).unwrap()
    };
    let text = good(&root);
    let true_hash = a_file("a", b"1").sha256.unwrap().to_string();
    let others = [
        text.replace(&true_hash, &"0".repeat(64)),
        text.replace("00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000008"),
        text[..text.len() - 40].to_owned(),
        "{\"name\":\"a web project\"}\n".to_owned(),
        String::new(),
    ];
    for other in others {
        fs::write(&index, &other).unwrap();
        let report = run(&root, HASH);
        assert!(report.before.is_some(), "{other}");
        assert_eq!(report.read, 1, "{other}");
        assert_eq!(entries(&root)[0].sha256.unwrap().to_string(), true_hash);
    }
}

#[test]
fn whoever_asks_it_to_stop_finds_the_old_index() {
    let (dir, root) = a_drive();
    put(&dir, "a", "1");
    run(&root, HASH);
    let index = dir.path().join(RESERVED).join(FILE);
    let before = fs::read(&index).unwrap();
    fs::write(dir.path().join("large"), vec![7; 4 << 20]).unwrap();
    // At an entry, and in the middle of a content.
    for most in [1, 4] {
        let mut told = 0;
        let stopped = update(&root, "test", HASH, &mut |_| {
            told += 1;
            if told > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped, Err(UpdateError::Cancelled)));
        assert_eq!(told, most + 1);
        assert_eq!(fs::read(&index).unwrap(), before);
        assert!(!index.with_file_name("index.json.part").exists());
    }
}

#[test]
fn a_drive_that_a_server_holds_is_left_to_it() {
    let (dir, root) = a_drive();
    let lock = File::create(dir.path().join(RESERVED).join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = update(&root, "test", HASH, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(UpdateError::InUse)));
    drop(lock);
    run(&root, HASH);
}

#[test]
fn a_folder_without_a_signature_gets_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let root = File::open(dir.path()).unwrap();
    let refused = update(&root, "test", HASH, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(UpdateError::Signature(crate::SignatureError::Absent))));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
