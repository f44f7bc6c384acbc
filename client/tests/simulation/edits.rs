//! What people do.

use std::collections::BTreeMap;

use holdfast_protocol::{ContentHash, fold_key};

use crate::disk::Body;
use crate::server::{Deed, Expect, hash_of};
use crate::world::World;

/// Some differ by case only, two by Unicode form only: é in one letter, and in two.
const NAMES: [&str; 9] = ["a", "b", "c", "A", "report.odt", "d", "e.txt", "\u{e9}", "e\u{301}"];

/// What nobody ever touches.
pub const KEPT: &str = "kept";

fn is_kept(path: &str) -> bool {
    path == KEPT || path.starts_with("kept/")
}

/// Whether a path is one of those, or a folder in which one is. An agent may have what nobody touches under another name for a
/// moment: then nobody touches it there either.
fn holds_one_of(path: &str, paths: &[String]) -> bool {
    paths.iter().any(|one| one == path || one.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
}

/// A new content, or one that was there before.
fn content(world: &mut World) -> Vec<u8> {
    if world.rng.once_in(3)
        && let Some(bytes) = world.rng.clone().pick(&world.pool)
    {
        let _ = world.rng.next();
        return bytes.clone();
    }
    if world.rng.once_in(15) {
        return Vec::new();
    }
    world.written += 1;
    // Often of one length.
    let bytes = format!("content {:04}{}", world.written, ".".repeat(world.rng.below(2))).into_bytes();
    world.pool.push(bytes.clone());
    bytes
}

fn time(world: &mut World, now: i64) -> i64 {
    match world.rng.below(6) {
        0 => 1_000,
        1 => -5,
        2 => now + 1_000_000_000_000,
        _ => now,
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn a_name(world: &mut World) -> &'static str {
    NAMES[world.rng.below(NAMES.len())]
}

/// Somebody does something in a device's folder.
pub fn on_device(world: &mut World, device: usize) {
    let disk = &world.disks[device];
    let mut all = disk.paths();
    let is_one = |ino: &u64| disk.bytes(*ino).is_some_and(|bytes| bytes.starts_with(b"kept/"));
    let passing: Vec<String> =
        all.iter().filter(|(_, ino)| is_one(ino)).map(|(path, _)| path.clone()).collect();
    all.retain(|(path, _)| !is_kept(path) && !holds_one_of(path, &passing));
    let mut folders = vec![String::new()];
    let mut files = Vec::new();
    for (path, ino) in &all {
        match disk.inodes[ino].body {
            Body::Folder(_) if path.matches('/').count() < 4 => folders.push(path.clone()),
            Body::File(_) => files.push(path.clone()),
            _ => {}
        }
    }
    let any: Vec<String> = all.iter().map(|(path, _)| path.clone()).collect();
    let folder = folders[world.rng.below(folders.len())].clone();
    let name = a_name(world);
    let target = join(&folder, name);
    let file = world.rng.pick(&files).cloned();
    let thing = world.rng.pick(&any).cloned();
    let act = world.rng.below(100);
    let tick = i64::from(!world.rng.once_in(4));
    world.disks[device].now += tick;
    let now = world.disks[device].now;
    let mtime = time(world, now);
    let said = match act {
        0..25 => {
            let bytes = content(world);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let disk = &mut world.disks[device];
            if !disk.write(&target, bytes.clone(), mtime) {
                disk.make(&target, Body::File(bytes), mtime);
            }
            format!("writes {target} {text:?}")
        }
        25..33 => {
            world.disks[device].make(&target, Body::Folder(Default::default()), now);
            format!("makes folder {target}")
        }
        33..45 => {
            let Some(file) = file else { return };
            let bytes = content(world);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            world.disks[device].write(&file, bytes, mtime);
            format!("edits {file} {text:?}")
        }
        45..52 => {
            // As many programs save: a new file, renamed over the old.
            let Some(file) = file else { return };
            let bytes = content(world);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (folder, _) = file.rsplit_once('/').unwrap_or(("", &file));
            let part = join(folder, "part~");
            let disk = &mut world.disks[device];
            disk.make(&part, Body::File(bytes), mtime);
            disk.rename(&part, &file, true);
            format!("saves {file} {text:?}")
        }
        52..70 => {
            let Some(thing) = thing else { return };
            let done = world.disks[device].rename(&thing, &target, false);
            format!("moves {thing} {target}: {done}")
        }
        70..74 => {
            let (Some(one), Some(other)) = (thing, world.rng.pick(&any).cloned()) else { return };
            let disk = &mut world.disks[device];
            // Three renames, as far as they can be.
            if disk.rename(&one, "swap~", false) {
                if disk.rename(&other, &one, false) {
                    disk.rename("swap~", &other, false);
                } else {
                    disk.rename("swap~", &one, false);
                }
            }
            format!("swaps {one} {other}")
        }
        74..78 => {
            let Some(thing) = thing else { return };
            let (folder, name) = thing.rsplit_once('/').unwrap_or(("", &thing));
            let cased = if name == name.to_lowercase() { name.to_uppercase() } else { name.to_lowercase() };
            let target = join(folder, &cased);
            world.disks[device].rename(&thing, &target, false);
            format!("renames {thing} {target}")
        }
        78..92 => {
            let Some(thing) = thing else { return };
            world.disks[device].remove(&thing);
            format!("deletes {thing}")
        }
        92..94 => {
            world.disks[device].make(&target, Body::Link, now);
            format!("links {target}")
        }
        94..97 => {
            // What was a file is a folder, or the other way round.
            let Some(thing) = thing else { return };
            let bytes = content(world);
            let disk = &mut world.disks[device];
            let was_file = disk.find(&thing).and_then(|ino| disk.bytes(ino)).is_some();
            disk.remove(&thing);
            let body = if was_file { Body::Folder(Default::default()) } else { Body::File(bytes) };
            disk.make(&thing, body, mtime);
            format!("turns {thing} into another kind")
        }
        _ => {
            // A copy.
            let Some(file) = file else { return };
            let disk = &mut world.disks[device];
            let Some(bytes) = disk.find(&file).and_then(|ino| disk.bytes(ino)).cloned() else { return };
            disk.make(&target, Body::File(bytes), mtime);
            format!("copies {file} {target}")
        }
    };
    world.say(|| format!("{device}! {said}"));
}

/// Somebody does something on the server, in a browser or through the mount.
pub fn on_server(world: &mut World) {
    let mut tree = world.server.memory().tree();
    let kept: Vec<ContentHash> = (0..10).map(|n| hash_of(format!("{KEPT}/{n}").as_bytes())).collect();
    let is_one = |hash: &Option<ContentHash>| hash.is_some_and(|hash| kept.contains(&hash));
    let passing: Vec<String> =
        tree.iter().filter(|(_, hash)| is_one(hash)).map(|(path, _)| path.clone()).collect();
    tree.retain(|path, _| !is_kept(path) && !holds_one_of(path, &passing));
    let mut folders = vec![String::new()];
    folders.extend(
        tree.iter()
            .filter(|(path, hash)| hash.is_none() && path.matches('/').count() < 4)
            .map(|(p, _)| p.clone()),
    );
    let files: Vec<_> =
        tree.iter().filter(|(_, hash)| hash.is_some()).map(|(path, _)| path.clone()).collect();
    let any: Vec<_> = tree.keys().cloned().collect();
    let folder = folders[world.rng.below(folders.len())].clone();
    let target = join(&folder, a_name(world));
    let thing = world.rng.pick(&any).cloned();
    let file = world.rng.pick(&files).cloned();
    let mtime = time(world, 7);
    let put = |path: String, bytes: Vec<u8>| Deed::Put {
        path,
        bytes: bytes.into(),
        mtime_ns: mtime,
        expect: Expect::Anything,
    };
    let deed = match world.rng.below(100) {
        0..25 => put(target, content(world)),
        25..45 => {
            let Some(file) = file else { return };
            put(file, content(world))
        }
        45..53 => Deed::MakeFolder(target),
        53..70 => {
            let Some(from) = thing else { return };
            Deed::Rename { from, to: target, expect: None }
        }
        70..84 => {
            let Some(path) = thing else { return };
            Deed::Delete { path, expect: None, only_empty: world.rng.once_in(6) }
        }
        84..93 => {
            let mut trash = world.server.memory().trash();
            trash.retain(|id| world.server.memory().get(*id).is_some_and(|node| !is_kept(&node.name)));
            let Some(&id) = world.rng.pick(&trash) else { return };
            Deed::Restore(id)
        }
        93..97 => {
            let all: Vec<_> = world.server.memory().files().collect();
            let Some(&id) = world.rng.pick(&all) else { return };
            Deed::GoBack(id, world.rng.below(3))
        }
        // A request that was on its way all the time.
        _ => {
            if world.late.is_empty() {
                return;
            }
            let which = world.rng.below(world.late.len());
            world.late.swap_remove(which)
        }
    };
    let done = world.does(deed.clone());
    world.say(|| format!("web! {deed:?} -> {done:?}"));
}

/// Somebody gives names of their own to what differs from a sibling by case or Unicode form only, on the server.
pub fn part_twins(world: &mut World) {
    let mut number = 0;
    loop {
        let mut seen = BTreeMap::new();
        let tree = world.server.memory().tree();
        let twin = tree.into_keys().find(|path| seen.insert(fold_key(path), ()).is_some());
        let Some(from) = twin else { return };
        number += 1;
        let (folder, _) = from.rsplit_once('/').unwrap_or(("", &from));
        let to = join(folder, &format!("twin {number}"));
        let done = world.does(Deed::Rename { from: from.clone(), to: to.clone(), expect: None });
        world.say(|| format!("web! {from} is {to}: {done:?}"));
    }
}
