//! The real engine, over and over: some devices and a server in memory, people who edit on all sides, and everything that
//! can go wrong on the way. A schedule is determined by its seed. After it all sync until it is quiet; then all hold the same,
//! nothing that an agent took away is lost, and one more sync does nothing (promises P1 and P5).
//!
//! `HOLDFAST_SIM_SEEDS=FROM..TO` runs others, `HOLDFAST_SIM_KIND=Busy
//! HOLDFAST_SIM_SEED=N` runs one and tells what happened.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod disk;
mod edits;
mod rng;
mod schedule;
mod scope;
mod server;
mod world;

use schedule::{Kind, run};

fn sweep(kind: Kind, seeds: std::ops::Range<u64>) {
    let seeds = match std::env::var("HOLDFAST_SIM_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").unwrap();
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => seeds,
    };
    let mut failed = Vec::new();
    for seed in seeds {
        if let Err(why) = run(kind, seed, false) {
            failed.push(format!("{kind:?} seed {seed}: {why}"));
            if failed.len() >= 20 {
                break;
            }
        }
    }
    assert!(failed.is_empty(), "{} schedules failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn devices_agree_on_what_people_did_where_one_of_them_was_edited() {
    sweep(Kind::Turns, 0..1_000);
}

#[test]
fn nothing_is_a_conflict_where_one_device_alone_is_edited() {
    sweep(Kind::Lonely, 30_000..31_000);
}

#[test]
fn devices_agree_whatever_people_do() {
    sweep(Kind::Calm, 5_000..5_750);
}

#[test]
fn devices_agree_whatever_people_do_while_they_sync() {
    sweep(Kind::Busy, 10_000..10_750);
}

#[test]
fn devices_agree_whatever_fails_on_the_way() {
    sweep(Kind::Stormy, 20_000..21_500);
}

#[test]
fn nothing_is_lost_whatever_is_left_out_ignored_and_taken_in_again() {
    sweep(Kind::Scoped, 40_000..41_500);
}

#[test]
fn a_file_moves_into_a_new_folder_that_has_its_name() {
    for (kind, seed) in [(Kind::Calm, 972), (Kind::Calm, 1262), (Kind::Stormy, 21_203), (Kind::Busy, 10_590)]
    {
        assert_eq!(run(kind, seed, false), Ok(()), "{kind:?} {seed}");
    }
}

#[test]
fn a_file_takes_the_name_of_the_folder_it_was_in() {
    for (kind, seed) in [(Kind::Stormy, 21_275), (Kind::Stormy, 21_490), (Kind::Busy, 10_195)] {
        assert_eq!(run(kind, seed, false), Ok(()), "{kind:?} {seed}");
    }
}

#[test]
fn an_edit_so_soon_after_another_that_it_does_not_show_is_not_replaced() {
    for (kind, seed) in [(Kind::Busy, 103_317), (Kind::Stormy, 109_796)] {
        assert_eq!(run(kind, seed, false), Ok(()), "{kind:?} {seed}");
    }
}

/// One schedule, told step by step.
#[test]
fn one_schedule_by_hand() {
    let Ok(seed) = std::env::var("HOLDFAST_SIM_SEED") else { return };
    let kind = match std::env::var("HOLDFAST_SIM_KIND").unwrap().as_str() {
        "Turns" => Kind::Turns,
        "Lonely" => Kind::Lonely,
        "Calm" => Kind::Calm,
        "Busy" => Kind::Busy,
        "Scoped" => Kind::Scoped,
        _ => Kind::Stormy,
    };
    run(kind, seed.parse().unwrap(), true).unwrap();
}
