//! One schedule: what happens, and what must hold afterwards.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use holdfast_client::agent::engine::{Engine, Report};
use holdfast_client::agent::store::Store;
use holdfast_client::agent::trees::RemoteTree;
use holdfast_client::agent::{Heard, Settings, Trouble};
use holdfast_protocol::ContentHash;

use crate::disk::{Body, SimDisk};
use crate::edits;
use crate::hands::SimHands;
use crate::remote::SimRemote;
use crate::rng::Rng;
use crate::scope;
use crate::server::{self, On, hash_of};
use crate::world::{Faults, Shared, World};

/// How rough it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One device at a time is edited, and all sync before the next is: what its people did is what all have then.
    Turns,
    /// One device alone is edited, while requests are cut and arrive twice: nothing is a conflict.
    Lonely,
    /// People edit between syncs only.
    Calm,
    /// People edit while agents sync.
    Busy,
    /// And agents die, requests are cut and arrive twice, disks cannot be read.
    Stormy,
    /// As stormy; and people leave folders out, take them in again, and change what is ignored.
    Scoped,
    /// As busy, with disks that run full; and some devices take names for one that differ by case or Unicode form only.
    Folding,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Turns, Self::Lonely, Self::Calm, Self::Busy, Self::Stormy, Self::Scoped, Self::Folding];
}

/// A device: its agent, which may have died, and what its person has set.
pub struct Device {
    engine: Option<Engine<SimRemote, SimHands>>,
    pub settings: Settings,
}

/// Runs one.
///
/// # Errors
/// What did not hold.
pub fn run(on: On, kind: Kind, seed: u64, told: bool) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let devices = 2 + rng.below(2);
    let mut disks: Vec<SimDisk> = (0..devices).map(|_| SimDisk::new()).collect();
    for disk in &mut disks {
        // An inode's number that is given out again may be taken for what it was; that is not what scope is about.
        disk.tells_birth = !rng.once_in(6) || kind == Kind::Scoped;
        disk.folds = kind == Kind::Folding && rng.once_in(2);
    }
    let faults = match kind {
        Kind::Turns | Kind::Calm => Faults::default(),
        Kind::Lonely => {
            Faults { crash: 60, cut: 15, twice: 15, edit: 20, prune: 200, dies: 60, ..Faults::default() }
        }
        Kind::Busy => Faults { edit: 25, web: 60, twice: 30, ..Faults::default() },
        Kind::Folding => Faults { edit: 30, web: 50, twice: 30, cut: 60, full: 60, ..Faults::default() },
        Kind::Stormy | Kind::Scoped => {
            let often = Faults { crash: 40, cut: 40, twice: 15, edit: 40, web: 80, ..Faults::default() };
            Faults { busy: 60, offline: 30, prune: 300, dies: 80, full: 120, refuse: 120, ..often }
        }
    };
    let world = World::new(rng, server::open(on), disks, faults, kind == Kind::Lonely, told);
    let world = Rc::new(RefCell::new(world));
    let mut fleet: Vec<Device> = (0..devices).map(|device| begin(&world, device)).collect();
    // Where all is compared with what one device had, that would not be its own.
    let kept = if kind == Kind::Turns { 0 } else { 3 };
    let kept: Vec<String> = (0..kept).map(|n| format!("{}/{n}", edits::KEPT)).collect();
    if !kept.is_empty() {
        let disk = &mut world.borrow_mut().disks[0];
        disk.make(edits::KEPT, Body::Folder(BTreeMap::new()), 1);
        for path in &kept {
            disk.make(path, Body::File(path.clone().into_bytes()), 1);
        }
    }
    let held = play(&world, &mut fleet, kind).and_then(|()| settle(&world, &mut fleet)).and_then(|()| {
        let tree = world.borrow().server.memory().tree();
        let lost = kept.iter().find(|path| tree.get(*path) != Some(&Some(hash_of(path.as_bytes()))));
        if let Some(path) = lost {
            return Err(format!("nobody touched {path}, and it is gone: {}", list(&tree)));
        }
        let copy = tree.keys().find(|path| kind == Kind::Lonely && path.contains("(conflict"));
        copy.map_or(Ok(()), |path| {
            Err(format!("{path}, though one device alone was edited: {}", list(&tree)))
        })
    });
    let mut world = world.borrow_mut();
    for line in world.trace.take().into_iter().flatten() {
        eprintln!("{line}");
    }
    held
}

/// A device whose agent knows nothing yet.
pub fn begin(world: &Shared, device: usize) -> Device {
    let store = Store::in_memory().unwrap();
    let folds = world.borrow().disks[device].folds;
    let settings = Settings {
        folds,
        root: RemoteTree::ROOT,
        device: format!("d{device}"),
        time: "2026-11-20 14.05".to_owned(),
        ..Settings::default()
    };
    Device { engine: Some(engine(world, device, store)), settings }
}

fn engine(world: &Shared, device: usize, store: Store) -> Engine<SimRemote, SimHands> {
    let remote = SimRemote { world: Rc::clone(world), device };
    let disk = SimHands { world: Rc::clone(world), device };
    Engine::new(remote, disk, store).unwrap()
}

/// Some rounds of people and agents.
fn play(world: &Shared, fleet: &mut [Device], kind: Kind) -> Result<(), String> {
    let rounds = 4 + world.borrow_mut().rng.below(8);
    for _ in 0..rounds {
        if kind == Kind::Turns {
            turn(world, fleet)?;
            continue;
        }
        let device = {
            let mut world = world.borrow_mut();
            let device = if kind == Kind::Lonely { 0 } else { world.rng.below(fleet.len()) };
            for _ in 0..world.rng.below(6) {
                edits::on_device(&mut world, device);
            }
            if kind != Kind::Lonely && world.rng.once_in(4) {
                for _ in 0..=world.rng.below(3) {
                    edits::on_server(&mut world);
                }
            }
            world.rng.below(fleet.len())
        };
        if kind == Kind::Scoped {
            scope::change(&mut world.borrow_mut(), &mut fleet[device].settings, device);
        }
        if matches!(kind, Kind::Stormy | Kind::Scoped) && world.borrow_mut().rng.once_in(40) {
            world.borrow_mut().say(|| format!("{device}: its memory is lost"));
            fleet[device].engine = Some(engine(world, device, Store::in_memory().unwrap()));
        }
        sync(world, &mut fleet[device], device)?;
    }
    Ok(())
}

/// People edit one device, then all sync: all have what that device had, and nothing got another name.
fn turn(world: &Shared, fleet: &mut [Device]) -> Result<(), String> {
    let device = world.borrow_mut().rng.below(fleet.len());
    let meant = {
        let mut world = world.borrow_mut();
        for _ in 0..=world.rng.below(8) {
            edits::on_device(&mut world, device);
        }
        without_links(&mut world.disks[device]);
        tree_of(&world.disks[device])
    };
    // Twice, since a person may be asked first.
    for number in [device, device].into_iter().chain(0..fleet.len()) {
        let report = sync(world, &mut fleet[number], number)?;
        if let Some((path, copy)) = report.conflicts.first() {
            return Err(format!("device {number} made {copy} of {path} though nobody else edited"));
        }
    }
    for (number, disk) in world.borrow().disks.iter().enumerate() {
        let here = tree_of(disk);
        if here != meant {
            return Err(format!("device {number} has {}, but {} was meant", list(&here), list(&meant)));
        }
    }
    Ok(())
}

fn without_links(disk: &mut SimDisk) {
    let is_link = |ino: &u64| matches!(disk.inodes[ino].body, Body::Link);
    let links: Vec<_> = disk.paths().into_iter().filter(|(_, ino)| is_link(ino)).collect();
    for (path, _) in links {
        disk.remove(&path);
    }
}

/// One sync of one device, which may end early.
pub fn sync(world: &Shared, device: &mut Device, number: usize) -> Result<Report, String> {
    world.borrow_mut().say(|| format!("{number}: sync"));
    let Some(engine) = device.engine.as_mut() else { return Err("no engine".to_owned()) };
    {
        let mut world = world.borrow_mut();
        let heard = std::mem::take(&mut world.disks[number].heard);
        world.syncs += 1;
        // A watch loses something now and then, and says so.
        engine.hear(if world.syncs.is_multiple_of(7) { Heard::Everything } else { heard });
    }
    let done = engine.sync(&mut device.settings);
    let crashed = std::mem::take(&mut world.borrow_mut().crashed);
    if crashed && let Some(old) = device.engine.take() {
        let (_, _, store) = old.into_parts();
        device.engine = Some(self::engine(world, number, store));
    }
    if let Some(wrong) = world.borrow().wrong.first() {
        return Err(wrong.clone());
    }
    match done {
        Ok(report) => {
            // A person who is asked says yes.
            device.settings.confirmed = report.withheld.as_ref().map(|withheld| withheld.token.clone());
            world.borrow_mut().say(|| format!("{number}: {report:?}"));
            Ok(report)
        }
        Err(Trouble::Side(_)) => Ok(Report::default()),
        Err(other) => Err(format!("a sync ended with {other:?}")),
    }
}

/// All sync in peace until it is quiet; then everything must hold.
pub fn settle(world: &Shared, fleet: &mut [Device]) -> Result<(), String> {
    {
        let mut world = world.borrow_mut();
        world.faults = Faults::default();
        world.say(|| "peace".to_owned());
        world.disks.iter_mut().for_each(|disk| disk.full = 0);
        // Without rules and with all folders, all hold the same.
        scope::forget_rules(&mut world);
        // What stands where a link is cannot be held; people tidy up.
        world.disks.iter_mut().for_each(without_links);
    }
    fleet.iter_mut().for_each(|device| device.settings.left_out.clear());
    come_to_rest(world, fleet)?;
    if world.borrow().disks.iter().any(|disk| disk.folds) {
        // Nor can twins be held; here, too, people tidy up.
        edits::part_twins(&mut world.borrow_mut());
        come_to_rest(world, fleet)?;
    }
    let mut world = world.borrow_mut();
    world.server.check()?;
    let lost = world.acknowledged.iter().find(|hash| !world.server.memory().keeps(hash));
    if let Some(hash) = lost {
        return Err(format!("{hash} was acknowledged and is gone"));
    }
    let tree = world.server.memory().tree();
    for (number, disk) in world.disks.iter().enumerate() {
        let here = tree_of(disk);
        if here != tree {
            return Err(format!("device {number} has {}, the server {}", list(&here), list(&tree)));
        }
    }
    Ok(())
}

/// All sync until no sync does anything.
fn come_to_rest(world: &Shared, fleet: &mut [Device]) -> Result<(), String> {
    for _ in 0..12 {
        let mut quiet = true;
        for (number, device) in fleet.iter_mut().enumerate() {
            let report = sync(world, device, number)?;
            if let Some((path, why)) = report.failed.first() {
                return Err(format!("device {number} cannot do {path}: {why}"));
            }
            if !report.quiet {
                return Err(format!("device {number} does not come to an end"));
            }
            quiet &= report.done.is_empty() && report.withheld.is_none();
        }
        if quiet {
            return Ok(());
        }
    }
    Err("devices do not come to rest".to_owned())
}

type Tree = BTreeMap<String, Option<ContentHash>>;

fn tree_of(disk: &SimDisk) -> Tree {
    let mut tree = BTreeMap::new();
    for (path, ino) in disk.paths() {
        match &disk.inodes[&ino].body {
            Body::File(bytes) => drop(tree.insert(path, Some(hash_of(bytes)))),
            Body::Folder(_) => drop(tree.insert(path, None)),
            Body::Link => {}
        }
    }
    tree
}

fn list(tree: &Tree) -> String {
    let names = tree.iter().map(|(path, hash)| match hash {
        Some(hash) => format!("{path}={}", &hash.to_string()[..4]),
        None => format!("{path}/"),
    });
    names.collect::<Vec<_>>().join(" ")
}
