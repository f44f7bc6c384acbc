#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const SMALL: Options = Options { bytes: 16 << 20, limit: Duration::from_secs(60) };
const GIB: u64 = 1 << 30;

/// A folder that has room for a test, or a line that says that there is none.
fn a_folder(test: &str) -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir().unwrap();
    let stat = rustix::fs::statvfs(dir.path()).unwrap();
    if room(stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize, SMALL.bytes).is_err() {
        crate::skipped(test, "the disk of the temporary folder is nearly full");
        return None;
    }
    Some(dir)
}

#[test]
fn a_folder_is_measured_and_nothing_is_left_in_it_not_even_meanwhile() {
    let Some(dir) = a_folder("a_folder_is_measured_and_nothing_is_left_in_it_not_even_meanwhile") else {
        return;
    };
    let mut seen = Vec::new();
    let mut progress = |progress| {
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        seen.push(progress);
        ControlFlow::Continue(())
    };
    let speed = measure(dir.path(), SMALL, &mut progress).unwrap();
    assert_eq!((speed.written_bytes, speed.read_bytes), (SMALL.bytes, SMALL.bytes));
    assert!(speed.write_mb_per_s > 0.0 && speed.read_mb_per_s > 0.0, "{speed:?}");
    let ends = [Phase::Writing, Phase::Reading].map(|phase| Progress {
        phase,
        done: SMALL.bytes,
        total: SMALL.bytes,
    });
    assert!(ends.iter().all(|end| seen.contains(end)), "{seen:?}");
}

#[test]
fn a_file_that_needs_a_name_loses_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = rustix::fs::open(dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
    let file = File::from(unlinked(&folder, OFlags::RDWR).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    file.write_all_at(b"it is there", 0).unwrap();
}

#[test]
fn what_a_dead_process_left_is_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let left = format!("{PREFIX}{}", Uuid::new_v4().simple());
    let kept = [format!("{PREFIX}notes"), format!("{PREFIX}{}", "A".repeat(32)), "a.txt".to_owned()];
    for name in kept.iter().chain([&left]) {
        std::fs::write(at(name), "").unwrap();
    }
    let folder = format!("{PREFIX}{}", "0".repeat(32));
    std::fs::create_dir(at(&folder)).unwrap();
    assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
    assert!(!at(&left).exists() && kept.iter().all(|name| at(name).exists()) && at(&folder).exists());
    assert_eq!(remove_leftovers(dir.path()).unwrap(), 0);
}

#[test]
fn a_test_that_is_cancelled_ends_and_leaves_nothing() {
    let Some(dir) = a_folder("a_test_that_is_cancelled_ends_and_leaves_nothing") else { return };
    for phase in [Phase::Writing, Phase::Reading] {
        let mut told = 0;
        let mut progress = |progress: Progress| {
            told += 1;
            if progress.phase == phase { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert!(matches!(measure(dir.path(), SMALL, &mut progress), Err(SpeedError::Cancelled)));
        assert!(told <= 6, "{told}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_test_without_time_counts_what_it_did() {
    let Some(dir) = a_folder("a_test_without_time_counts_what_it_did") else { return };
    let options = Options { limit: Duration::ZERO, ..SMALL };
    let speed = measure(dir.path(), options, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((speed.written_bytes, speed.read_bytes), (BLOCK as u64, BLOCK as u64));
}

#[test]
fn the_cache_is_used_where_the_disk_cannot_be_reached_past_it() {
    let Some(dir) = a_folder("the_cache_is_used_where_the_disk_cannot_be_reached_past_it") else {
        return;
    };
    let folder = rustix::fs::open(dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
    let (file, past_cache) = nameless_file(&folder).unwrap();
    let progress = &mut |_| ControlFlow::Continue(());
    let mut test = Test { file, past_cache, buffer: Buffer::new(), limit: SMALL.limit, progress };
    if past_cache {
        test.use_cache().unwrap();
    }
    assert_eq!(test.write(SMALL.bytes).unwrap().0, SMALL.bytes);
    assert_eq!(test.read(SMALL.bytes).unwrap().0, SMALL.bytes);
}

#[test]
fn a_disk_that_gives_back_something_else_is_found_out() {
    let Some(dir) = a_folder("a_disk_that_gives_back_something_else_is_found_out") else { return };
    let folder = rustix::fs::open(dir.path(), OFlags::RDONLY, Mode::empty()).unwrap();
    let (file, past_cache) = nameless_file(&folder).unwrap();
    let progress = &mut |_| ControlFlow::Continue(());
    let mut test = Test { file, past_cache, buffer: Buffer::new(), limit: SMALL.limit, progress };
    test.write(SMALL.bytes).unwrap();
    // As sticks do that say they are larger than they are: what comes later lands on what was before.
    test.buffer.mark(4 << 20);
    test.buffer.block_mut()[3 * ALIGN] ^= 1;
    test.write_block(4 << 20).unwrap();
    let found = test.read(SMALL.bytes);
    assert!(matches!(found, Err(SpeedError::Differs(at)) if at == 4 << 20), "{found:?}");
}

#[test]
fn a_disk_keeps_a_gibibyte_or_a_twentieth_free() {
    assert_eq!(room(100 * GIB, 50 * GIB, 256 << 20).unwrap(), 256 << 20);
    assert_eq!(room(10 * GIB, GIB + (64 << 20), 256 << 20).unwrap(), 64 << 20);
    let full = room(10 * GIB, GIB, 256 << 20);
    assert!(matches!(full, Err(SpeedError::NearlyFull { floor: GIB, .. })), "{full:?}");
    assert!(room(1000 * GIB, 49 * GIB, 256 << 20).is_err());
    assert_eq!(room(1000 * GIB, 51 * GIB, 0).unwrap(), LEAST);
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let missing = measure(&dir.path().join("no"), SMALL, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(missing, Err(SpeedError::Io(_))), "{missing:?}");
}

#[test]
fn speeds_are_in_millions_of_bytes() {
    let speed = mb_per_s(256_000_000, Duration::from_secs(2));
    assert!((speed - 128.0).abs() < 1e-9, "{speed}");
    assert!(mb_per_s(1, Duration::ZERO).is_finite());
}
