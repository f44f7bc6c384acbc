//! What must hold of single plans, in worlds that random lives have led to.

use holdfast_protocol::path::ancestors;
use holdfast_protocol::plan::Plan;
use holdfast_protocol::{ContentHash, Kind, Value};
use holdfastd::domain::reconcile::resolution::{Outcome, Resolution};

use crate::device::Disk;
use crate::random::{Random, for_seeds};
use crate::simulation::{PATHS, RESOLUTIONS, World, is_quiet, others_work};

/// A household after some life.
fn somewhere(random: &mut Random, most_devices: usize, steps: usize) -> World {
    let mut world = World::new(random, most_devices);
    for _ in 0..random.below(steps) {
        world.step(random);
    }
    world
}

/// A household in which all hold the same.
fn at_rest(random: &mut Random, most_devices: usize, steps: usize) -> World {
    let mut world = somewhere(random, most_devices, steps);
    world.come_to_rest(random);
    world
}

/// Sync with a client that does all it is told, and a person who confirms it, until there is nothing to do.
fn sync_alone(world: &mut World, device: usize) {
    for _ in 0..6 {
        let plan = world.confirm(device);
        if is_quiet(&plan) {
            return;
        }
        world.devices[device].follow(&plan, &mut world.server, |_| true);
    }
}

/// One change by the person at a device: anything but bringing back what was deleted there before.
fn one_change(world: &mut World, device: usize, random: &mut Random) {
    let path = random.pick(&PATHS);
    let old: Vec<ContentHash> = world.server.history(path).into_iter().collect();
    let is_file = matches!(world.devices[device].disk.get(path), Some(Value::File(_)));
    match random.below(4) {
        0 if is_file && !old.is_empty() => world.devices[device].write(path, random.pick(&old)),
        0 | 1 => {
            let new = world.new_content();
            world.devices[device].write(path, new);
        }
        2 => world.devices[device].remove(path),
        _ => world.devices[device].rename(path, random.pick(&PATHS)),
    }
}

#[test]
fn a_change_on_a_device_that_is_up_to_date_reaches_the_server() {
    for_seeds(20_000, |random| {
        let mut world = at_rest(random, 2, 16);
        for _ in 0..3 {
            let device = random.below(world.devices.len());
            sync_alone(&mut world, device);
            one_change(&mut world, device, random);
            let meant = world.devices[device].tree();
            sync_alone(&mut world, device);
            let this = &world.devices[device];
            assert_eq!(world.server.tree(this.folders), meant, "the server has what was meant");
            assert_eq!(this.tree(), meant, "the device keeps what was meant");
        }
    });
}

#[test]
fn a_change_right_after_following_a_plan_reaches_the_server_as_well() {
    for_seeds(15_000, |random| {
        let mut world = at_rest(random, 1, 12);
        sync_alone(&mut world, 0);
        // What is new, and what the plan made of it, is known to both without another manifest.
        one_change(&mut world, 0, random);
        let plan = world.confirm(0);
        world.devices[0].follow(&plan, &mut world.server, |_| true);
        one_change(&mut world, 0, random);
        let meant = world.devices[0].tree();
        sync_alone(&mut world, 0);
        let this = &world.devices[0];
        assert_eq!(world.server.tree(this.folders), meant, "the server has what was meant");
        assert_eq!(this.tree(), meant, "the device keeps what was meant");
    });
}

#[test]
fn a_plan_followed_twice_changes_nothing_the_second_time() {
    for_seeds(20_000, |random| {
        let mut world = somewhere(random, 2, 24);
        let this = &mut world.devices[0];
        this.careful = true;
        let plan = this.post(&mut world.server, None, true);
        this.follow(&plan, &mut world.server, |_| true);
        let after_once = (world.server.live.clone(), this.disk.clone());
        this.follow(&plan, &mut world.server, |_| true);
        assert_eq!((world.server.live.clone(), this.disk.clone()), after_once);
    });
}

#[test]
fn the_same_manifest_gets_the_same_plan() {
    for_seeds(10_000, |random| {
        let mut world = somewhere(random, 2, 24);
        let this = &mut world.devices[0];
        this.moves = false;
        this.unreadable.clear();
        // The first answer is acknowledged, which makes the second request a different one.
        this.post(&mut world.server, None, true);
        let second = this.post(&mut world.server, None, true);
        assert_eq!(this.post(&mut world.server, None, true), second);
    });
}

/// Files that the server once had, wherever the tree has room for them.
fn stale_files(world: &World, random: &mut Random) -> Disk {
    let mut disk = Disk::new();
    for path in PATHS {
        let versions: Vec<ContentHash> = world.server.history(path).into_iter().collect();
        let is_free = !ancestors(path).any(|folder| disk.contains_key(folder));
        if is_free && !versions.is_empty() && random.chance(60) {
            disk.insert(path.to_owned(), Value::File(random.pick(&versions)));
        }
    }
    disk
}

#[test]
fn a_reinstalled_device_with_stale_files_gets_downloads_and_no_conflicts() {
    for_seeds(20_000, |random| {
        let mut world = somewhere(random, 2, 24);
        let disk = stale_files(&world, random);
        world.server.reset(0);
        let this = &mut world.devices[0];
        this.unreadable.clear();
        this.stored = None;
        this.replace_disk(disk);
        let plan = this.post(&mut world.server, None, true);
        assert!(!world.server.conflicts.keys().any(|(device, _)| *device == 0), "no conflict");
        assert_eq!((&plan.to_upload, &plan.to_delete, &plan.deleted_by_client), (&vec![], &vec![], &vec![]));
        for (path, held) in &this.disk {
            let named = |at: &str| at == path;
            let download = plan.to_download.iter().find(|entry| named(entry.path.as_str()));
            let elsewhere = plan.deleted_elsewhere.iter().any(|entry| named(entry.path.as_str()));
            match world.server.value(path) {
                server if server == Some(*held) => assert!(download.is_none() && !elsewhere),
                Some(Value::File(_)) => {
                    let download = download.expect("a stale file is replaced");
                    assert!(download.stale && download.replaces.map(Value::File) == Some(*held));
                }
                _ => assert!(elsewhere, "{path} is long gone"),
            }
        }
    });
}

#[test]
fn an_old_laptop_does_not_bring_deletions_back() {
    for_seeds(20_000, |random| {
        let mut world = at_rest(random, 2, 14);
        let old = world.devices[0].clone();
        for _ in 0..4 + random.below(8) {
            world.step(random);
        }
        world.come_to_rest(random);
        let has_token = random.chance(50);
        let this = &mut world.devices[0];
        this.replace_disk(old.disk);
        this.stored = old.stored.filter(|_| has_token);
        this.deltas = false;
        let is_outdated = this.stored.is_some();
        let plan = this.post(&mut world.server, None, true);
        assert!(!is_outdated || plan.deleted_by_client.is_empty() && plan.needs_confirmation.is_none());
        for entry in plan.to_upload.iter().filter(|entry| entry.kind == Kind::File) {
            let known = world.server.history(entry.path.as_str()).contains(&entry.hash.unwrap());
            // A whole list without a token may be that of a person who renamed a file back; it stays, under one name.
            let renamed = plan.deleted_by_client.iter().any(|gone| gone.expect == entry.hash);
            assert!(!known || renamed, "{} comes back", entry.path);
        }
    });
}

/// The device and somebody else both change what they had agreed on; `None` when the device has no file.
fn disagree(world: &mut World, random: &mut Random) -> Option<(String, ContentHash)> {
    sync_alone(world, 0);
    let files = world.devices[0].disk.iter().filter(|(_, value)| !value.is_folder());
    let files: Vec<String> = files.map(|(path, _)| path.clone()).collect();
    let path = (!files.is_empty()).then(|| random.pick(&files))?;
    let (ours, theirs) = (world.new_content(), world.new_content());
    world.devices[0].write(&path, ours);
    match random.below(4) {
        0 => world.server.delete(None, &path, None).unwrap(),
        1 => world.server.rename(None, &path, "elsewhere", None).unwrap(),
        _ => world.server.put(None, &path, theirs, None).unwrap(),
    }
    Some((path, ours))
}

#[test]
fn a_conflict_is_settled_as_the_person_chose() {
    for_seeds(20_000, |random| {
        let mut world = at_rest(random, 1, 14);
        let Some((path, ours)) = disagree(&mut world, random) else { return };
        let theirs = world.server.value(&path);
        let plan = world.devices[0].post(&mut world.server, None, true);
        assert!(world.server.conflicts.contains_key(&(0, path.clone())), "{plan:?}");
        let mut resolution = random.pick(&RESOLUTIONS);
        loop {
            match world.server.settle(0, &path, resolution) {
                Outcome::Settled { .. } => break,
                Outcome::NeedsUpload => world.server.bring_candidate(0, &path),
                Outcome::KindsDiffer | Outcome::ServerMoved => resolution = Resolution::KeepServer,
            }
        }
        if resolution == Resolution::KeepServer {
            world.devices[0].given_up.insert(ours);
        }
        sync_alone(&mut world, 0);
        let expected = if resolution == Resolution::KeepLocal { Some(Value::File(ours)) } else { theirs };
        assert_eq!(world.server.value(&path), expected);
        let lives_beside = world.server.live.values().any(|node| node.value == Value::File(ours));
        match resolution {
            Resolution::KeepLocal => {}
            Resolution::KeepServer => assert!(!lives_beside),
            Resolution::CreateVersion => {
                assert!(!lives_beside && world.server.history(&path).contains(&ours));
            }
            Resolution::KeepBoth => assert!(lives_beside),
        }
        let this = &world.devices[0];
        assert_eq!(this.tree(), world.server.tree(this.folders));
    });
}

#[test]
fn what_keep_local_named_is_not_deleted_by_a_device_that_never_held_it() {
    for_seeds(5_000, |random| {
        let mut world = at_rest(random, 1, 14);
        let Some((path, _)) = disagree(&mut world, random) else { return };
        world.devices[0].post(&mut world.server, None, true);
        if matches!(world.server.settle(0, &path, Resolution::KeepLocal), Outcome::Settled { .. }) {
            let theirs = world.server.value(&path);
            world.devices[0].remove(&path);
            sync_alone(&mut world, 0);
            assert_eq!(world.server.value(&path), theirs);
        }
    });
}

#[test]
fn a_device_that_lost_its_disk_does_not_empty_the_server() {
    for_seeds(5_000, |random| {
        let mut world = at_rest(random, 2, 20);
        sync_alone(&mut world, 0);
        let before = world.server.tree(true);
        let files = before.values().filter(|value| !value.is_folder()).count();
        let this = &mut world.devices[0];
        this.replace_disk(Disk::new());
        if random.chance(50) {
            this.stored = None;
        }
        let plan = this.post(&mut world.server, None, true);
        assert!(plan.needs_confirmation.is_some() || files < 2, "{plan:?}");
        if files >= 2 {
            this.follow(&plan, &mut world.server, |_| true);
            assert_eq!(world.server.tree(true), before);
        }
        world.server.reset(0);
        let this = &mut world.devices[0];
        this.stored = None;
        sync_alone(&mut world, 0);
        let this = &world.devices[0];
        assert_eq!(this.tree(), world.server.tree(this.folders), "it gets everything back");
    });
}

#[test]
fn a_file_deleted_and_restored_meanwhile_is_not_deleted_again() {
    for_seeds(5_000, |random| {
        let mut world = at_rest(random, 1, 14);
        sync_alone(&mut world, 0);
        let before = world.server.live.clone();
        let files: Vec<&String> =
            before.iter().filter(|(_, node)| !node.value.is_folder()).map(|(path, _)| path).collect();
        if files.is_empty() {
            return;
        }
        let path = random.pick(&files);
        let hash = before[path].value.hash().unwrap();
        world.server.delete(None, path, None).unwrap();
        // The device carries the deletion out; before it reports so, somebody restores the file.
        let this = &mut world.devices[0];
        let plan = this.post(&mut world.server, None, true);
        this.follow(&plan, &mut world.server, |_| true);
        world.server.put(None, path, hash, None).unwrap();
        sync_alone(&mut world, 0);
        assert_eq!(world.server.value(path), Some(Value::File(hash)));
        assert_eq!(world.devices[0].disk.get(path), Some(&Value::File(hash)));
    });
}

#[test]
fn an_edit_wins_over_a_deletion() {
    for_seeds(5_000, |random| {
        let mut world = at_rest(random, 1, 14);
        sync_alone(&mut world, 0);
        let files = world.devices[0].disk.iter().filter(|(_, value)| !value.is_folder());
        let files: Vec<String> = files.map(|(path, _)| path.clone()).collect();
        if files.is_empty() {
            return;
        }
        let path = random.pick(&files);
        let new = world.new_content();
        world.devices[0].remove(&path);
        world.server.put(None, &path, new, None).unwrap();
        let plan: Plan = world.confirm(0);
        assert!(!plan.deleted_by_client.iter().any(|entry| entry.path.as_str() == path));
        sync_alone(&mut world, 0);
        assert_eq!(world.server.value(&path), Some(Value::File(new)));
        assert_eq!(world.devices[0].disk.get(&path), Some(&Value::File(new)));
    });
}

#[test]
fn others_never_stop_a_device_from_getting_what_they_did() {
    for_seeds(10_000, |random| {
        let mut world = at_rest(random, 1, 14);
        sync_alone(&mut world, 0);
        for _ in 0..1 + random.below(4) {
            let hash = world.new_content();
            others_work(&mut world.server, hash, random);
        }
        let theirs = world.server.tree(true);
        sync_alone(&mut world, 0);
        let this = &world.devices[0];
        assert_eq!(world.server.tree(true), theirs, "a device that did nothing changes nothing");
        assert_eq!(this.tree(), world.server.tree(this.folders));
    });
}
