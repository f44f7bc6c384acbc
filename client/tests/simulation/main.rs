//! The real engine, over and over: some devices and a server in memory, people who edit on all sides, and everything that
//! can go wrong on the way. A schedule is determined by its seed. After it all sync until it is quiet; then all hold the same,
//! nothing that an agent took away is lost, and one more sync does nothing (promises P1 and P5).
//!
//! Most schedules run on a server in memory, some thousands on that and the real catalogue side by side ([`server::Twin`]),
//! which must not differ in anything. `tests/simulate` runs as many more as wanted; `HOLDFAST_SIM_KIND=Busy HOLDFAST_SIM_SEED=N`
//! with the test `one_schedule_by_hand` tells what happened in one, `HOLDFAST_SIM_TWIN=1` on both servers.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod disk;
mod edits;
mod hands;
mod remote;
mod rng;
mod schedule;
mod scope;
mod server;
mod stories;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use schedule::{Kind, run};
use server::On;

fn range(text: &str) -> Range<u64> {
    let (from, to) = text.split_once("..").unwrap();
    from.parse().unwrap()..to.parse().unwrap()
}

/// Most failures that are told.
const TOLD: usize = 20;

fn failures(on: On, kind: Kind, seeds: Range<u64>) -> impl Iterator<Item = String> {
    seeds.filter_map(move |seed| {
        // Whoever looks for one more failure wants the others, too.
        let ended = catch_unwind(AssertUnwindSafe(|| run(on, kind, seed, false)));
        let why = ended.unwrap_or_else(|_| Err("it panicked".to_owned())).err()?;
        Some(format!("{kind:?} seed {seed} on {on:?}: {why}"))
    })
}

fn none(failed: &[String]) {
    let told = failed.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>();
    assert!(failed.is_empty(), "{} schedules failed:\n{}", failed.len(), told.join("\n"));
}

/// One of the parts of so many schedules of a kind; ten times as many in a long run.
fn sweep(on: On, kind: Kind, from: u64, count: u64, part: u64) {
    let count = if std::env::var_os("HOLDFAST_LONG").is_some() { 10 * count } else { count } / PARTS;
    let from = from + part * count;
    none(&failures(on, kind, from..from + count).take(TOLD).collect::<Vec<_>>());
}

/// A sweep has so many tests, which run side by side and end soon.
const PARTS: u64 = 3;

macro_rules! sweeps {
    ($on:expr, $($name:ident: $kind:ident, $from:literal, $count:literal;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn first_part() {
                sweep($on, Kind::$kind, $from, $count, 0);
            }

            #[test]
            fn second_part() {
                sweep($on, Kind::$kind, $from, $count, 1);
            }

            #[test]
            fn third_part() {
                sweep($on, Kind::$kind, $from, $count, 2);
            }
        }
    )+};
}

sweeps! { On::Memory,
    devices_agree_on_what_people_did_where_one_of_them_was_edited: Turns, 1_000_000, 9_000;
    nothing_is_a_conflict_where_one_device_alone_is_edited: Lonely, 2_000_000, 6_000;
    devices_agree_whatever_people_do: Calm, 3_000_000, 7_500;
    devices_agree_whatever_people_do_while_they_sync: Busy, 4_000_000, 7_500;
    devices_agree_whatever_fails_on_the_way: Stormy, 5_000_000, 9_000;
    nothing_is_lost_whatever_is_left_out_ignored_and_taken_in_again: Scoped, 6_000_000, 6_000;
    devices_agree_where_some_cannot_tell_names_apart: Folding, 7_000_000, 6_000;
}

sweeps! { On::Twin,
    the_catalogue_does_the_same_where_one_device_after_the_other_is_edited: Turns, 1_000_000, 600;
    the_catalogue_does_the_same_where_one_device_alone_is_edited: Lonely, 2_000_000, 600;
    the_catalogue_does_the_same_whatever_people_do: Calm, 3_000_000, 900;
    the_catalogue_does_the_same_whatever_people_do_while_devices_sync: Busy, 4_000_000, 900;
    the_catalogue_does_the_same_whatever_fails_on_the_way: Stormy, 5_000_000, 900;
    the_catalogue_does_the_same_whatever_is_left_out: Scoped, 6_000_000, 600;
    the_catalogue_does_the_same_where_some_cannot_tell_names_apart: Folding, 7_000_000, 600;
}

/// What each of them found is told in docs/reliability.md.
#[test]
fn schedules_that_failed_once_do_so_no_more() {
    let failed = [
        (Kind::Busy, 30_024_155),
        (Kind::Scoped, 30_027_898),
        (Kind::Folding, 30_005_923),
        (Kind::Scoped, 30_074_231),
        (Kind::Lonely, 30_070_084),
        (Kind::Lonely, 30_070_544),
        (Kind::Lonely, 30_093_137),
    ];
    let again = failed.map(|(kind, seed)| failures(On::Memory, kind, seed..seed + 1).collect::<Vec<_>>());
    none(&again.concat());
}

fn on() -> On {
    if std::env::var_os("HOLDFAST_SIM_TWIN").is_some() { On::Twin } else { On::Memory }
}

/// As many as wanted, of every kind.
#[test]
fn many_schedules_by_hand() {
    let Ok(seeds) = std::env::var("HOLDFAST_SIM_SEEDS") else { return };
    let mut failed = Vec::new();
    for kind in Kind::ALL {
        let of_kind: Vec<String> = failures(on(), kind, range(&seeds)).collect();
        println!("{kind:?} {seeds} on {:?}: {} failed", on(), of_kind.len());
        failed.extend(of_kind);
    }
    none(&failed);
}

/// One schedule, told step by step.
#[test]
fn one_schedule_by_hand() {
    let Ok(seed) = std::env::var("HOLDFAST_SIM_SEED") else { return };
    let named = std::env::var("HOLDFAST_SIM_KIND").unwrap();
    let kind = Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == named).unwrap();
    run(on(), kind, seed.parse().unwrap(), true).unwrap();
}
