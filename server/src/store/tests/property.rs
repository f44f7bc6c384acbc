//! The property of `place()` and recovery: whatever is done, whenever the process dies or the power fails, whatever
//! another program does to the tree meanwhile, nothing acknowledged and nothing of another program's is lost, no file is
//! torn, nothing is moved that an op is not about, and where nobody else had a hand in it the tree is what was
//! acknowledged. A second redo changes nothing.
//!
//! A run makes up to sixty acts (puts, folders, deletions, moves, moves over, swaps, restores) with crashes between any
//! two calls, also while it recovers. A power cut keeps any part of the steps that no sync covers, as long as none is
//! kept without one it needs; what was never synced may be torn. Calls are refused now and then. Where another program
//! had a hand in a name, a file or a folder above, only "nothing is lost" is asked of it, until a scan adopts what is
//! there.
//!
//! That the test can fail was seen by breaking the code, each found by this test or by `cases`: an exchange redone
//! blindly; a move of two links to one inode taken for done; no barrier at all, none for a folder moved or deleted, none
//! for what was moved or displaced before, none after an op that went astray; inode numbers compared without the time of
//! birth; a deletion or move of whatever stands there; a first flush that covers only the own steps; a flush that does
//! nothing; a commit before the content is synced; a move over that stops when a later op holds the target; a filled
//! folder given up for a newcomer; a newcomer's name not given back.
//!
//! It runs over each of the means by which a file system changes names.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::machine::{Machine, World};
use super::model::Model;
use super::sim::{Died, Sim};
use crate::store::seam::Means;

const RUNS: u64 = 20_000;

/// One run. What happens in it follows from the seed alone.
fn run(seed: u64, means: Means, traced: bool) -> Result<(), (String, Vec<String>)> {
    let mut rng = StdRng::seed_from_u64(seed);
    let steps = rng.random_range(5..60);
    let pick = |rng: &mut StdRng, from: &[f64]| from[rng.random_range(0..from.len())];
    let outside = pick(&mut rng, &[0.0, 0.0, 0.05, 0.3]);
    let races = if outside > 0.0 { pick(&mut rng, &[0.0, 0.02, 0.2]) } else { 0.0 };
    let refusals = pick(&mut rng, &[0.0, 0.0, 0.0, 0.1]);
    let crashes = pick(&mut rng, &[0.0, 0.05, 0.3]);
    let placing = pick(&mut rng, &[0.3, 1.0, 3.0]);
    let names = rng.random_range(2..=4);
    let folders = [
        ".holdfast",
        ".holdfast/versions",
        ".holdfast/versions/00",
        ".holdfast/versions/01",
        ".holdfast/versions/02",
    ];
    let mut world = World::new(Model::new(&folders), means, rng, traced);
    (world.races, world.refusals, world.names) = (races, refusals, names);
    let mut sim = Sim::new(Machine(RefCell::new(world)));
    let done = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..steps {
            if sim.random(|rng| rng.random_bool(crashes)) {
                let calls = sim.random(|rng| rng.random_range(0..12));
                sim.machine.0.borrow_mut().crash_in = Some(calls);
            }
            let mut step = || -> Result<(), Died> {
                if sim.random(|rng| rng.random_bool(outside)) {
                    sim.machine.0.borrow_mut().interfere();
                }
                sim.act()?;
                let times = sim.random(|rng| (rng.random_range(0.0..1.0) * placing * 2.0) as u32);
                for _ in 0..times {
                    sim.place_next()?;
                }
                if sim.random(|rng| rng.random_bool(0.1)) {
                    sim.mark()?;
                }
                if sim.random(|rng| rng.random_bool(0.05)) {
                    sim.drain()?;
                    sim.retry()?;
                    sim.check_tree();
                }
                if sim.random(|rng| rng.random_bool(0.05)) {
                    sim.drain()?;
                    sim.check_tree();
                    sim.scan()?;
                }
                Ok(())
            };
            if step().is_err() {
                come_back(&mut sim);
            }
        }
        for power in [false, true] {
            sim.crash(power);
            quiet(&sim);
            sim.recover().unwrap();
            sim.check_tree();
            let once = sim.snapshot();
            sim.crash(false);
            sim.recover().unwrap();
            assert_eq!(sim.snapshot(), once, "a second redo changes something");
            sim.act().unwrap();
        }
    }));
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let trace = sim.machine.0.borrow_mut().trace.take();
        (text.unwrap_or_default(), trace.unwrap_or_default())
    })
}

/// The process dies, perhaps again and again while it recovers.
fn come_back(sim: &mut Sim) {
    loop {
        let power = sim.random(|rng| rng.random());
        sim.crash(power);
        if sim.random(|rng| rng.random_bool(0.4)) {
            let calls = sim.random(|rng| rng.random_range(0..20));
            sim.machine.0.borrow_mut().crash_in = Some(calls);
        }
        if sim.recover().is_ok() {
            sim.machine.0.borrow_mut().crash_in = None;
            sim.check_tree();
            return;
        }
    }
}

fn quiet(sim: &Sim) {
    let mut world = sim.machine.0.borrow_mut();
    (world.races, world.refusals) = (0.0, 0.0);
}

/// Tests that share the runs, since each is on one core.
const PARTS: u64 = 4;

/// Of each of the other means there are fewer runs, in two of the parts: what all have in common is found above.
const OF_OTHERS: u64 = 2;

/// Prints what happened in the first run that fails. `HOLDFAST_PLACE_RUNS` asks for more runs, `HOLDFAST_PLACE_SEED` for
/// others (alone: for that one).
fn every_run_of(part: u64) {
    every_run(RUNS, Means::Exchange, part);
}

fn every_run(runs: u64, means: Means, part: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("HOLDFAST_PLACE_SEED");
    let runs = number("HOLDFAST_PLACE_RUNS").unwrap_or(if seed.is_some() { 1 } else { runs });
    let mut mine = (0..runs).filter(|run| run % PARTS == part).map(|run| seed.unwrap_or(0) + run);
    let failed = mine.find(|&seed| run(seed, means, false).is_err());
    if let Some((seed, Err((why, trace)))) = failed.map(|seed| (seed, run(seed, means, true))) {
        panic!("run {seed}: {why}\n{}", trace.join("\n"));
    }
}

#[test]
fn nothing_is_lost_and_the_tree_is_what_was_acknowledged_whenever_it_dies_1() {
    every_run_of(0);
}

#[test]
fn nothing_is_lost_and_the_tree_is_what_was_acknowledged_whenever_it_dies_2() {
    every_run_of(1);
}

#[test]
fn nothing_is_lost_and_the_tree_is_what_was_acknowledged_whenever_it_dies_3() {
    every_run_of(2);
}

#[test]
fn nothing_is_lost_and_the_tree_is_what_was_acknowledged_whenever_it_dies_4() {
    every_run_of(3);
}

#[test]
fn nothing_is_lost_where_two_names_cannot_be_swapped_1() {
    every_run(RUNS / OF_OTHERS, Means::NoReplace, 0);
}

#[test]
fn nothing_is_lost_where_two_names_cannot_be_swapped_2() {
    every_run(RUNS / OF_OTHERS, Means::NoReplace, 1);
}

#[test]
fn nothing_is_lost_where_a_rename_always_replaces_1() {
    every_run(RUNS / OF_OTHERS, Means::Links, 0);
}

#[test]
fn nothing_is_lost_where_a_rename_always_replaces_2() {
    every_run(RUNS / OF_OTHERS, Means::Links, 1);
}
