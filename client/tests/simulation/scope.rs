//! People who leave folders out, take them in again, and change what is ignored.

use holdfast_client::agent::Settings;
use holdfast_client::agent::ignore::{FILE, Ignore};
use holdfast_client::agent::plan::LeftOut;

use crate::disk::{Body, SimDisk};
use crate::edits;
use crate::server::Deed;
use crate::world::World;

const RULES: [&str; 7] = ["", "*.odt\n", "d/\n", "/a\n", "b\n!e.txt\n", "c/d\n*.txt\n", "[Aa]/b\n"];

/// The rules that a disk's ignore file has; none where there is no such file.
pub fn rules_of(disk: &SimDisk) -> Ignore {
    let text = disk.find(FILE).and_then(|ino| disk.bytes(ino));
    text.map_or_else(Ignore::default, |text| Ignore::read(text, disk.folds).0)
}

/// Somebody changes what a device takes part in, or does not.
pub fn change(world: &mut World, settings: &mut Settings, device: usize) {
    if world.rng.once_in(3) {
        let rules = RULES[world.rng.below(RULES.len())];
        world.say(|| format!("{device}! ignores {rules:?}"));
        write(world, device, rules);
    }
    if world.rng.once_in(3) && !settings.left_out.is_empty() {
        let which = world.rng.below(settings.left_out.len());
        let one = settings.left_out.remove(which);
        world.say(|| format!("{device}! takes {} in", one.path));
    }
    let folders: Vec<String> = world
        .server
        .memory()
        .tree()
        .into_iter()
        .filter(|(path, hash)| hash.is_none() && !path.starts_with(edits::KEPT))
        .map(|(path, _)| path)
        .collect();
    if world.rng.once_in(2)
        && let Some(path) = world.rng.pick(&folders).cloned()
        && let Some(id) = world.server.memory().find(&path)
    {
        let keep = world.rng.once_in(3);
        world.say(|| format!("{device}! leaves {path} out, keep {keep}"));
        settings.left_out.retain(|one| one.id != id);
        settings.left_out.push(LeftOut { id, path, keep });
    }
}

fn write(world: &mut World, device: usize, rules: &str) {
    let disk = &mut world.disks[device];
    disk.now += 1;
    let now = disk.now;
    if !disk.write(FILE, rules.as_bytes().to_vec(), now) {
        disk.make(FILE, Body::File(rules.as_bytes().to_vec()), now);
    }
}

/// Nothing is ignored any more, by anybody.
pub fn forget_rules(world: &mut World) {
    let _ = world.does(Deed::Delete { path: FILE.to_owned(), expect: None, only_empty: false });
    for disk in &mut world.disks {
        disk.now += 1;
        disk.remove(FILE);
    }
}
