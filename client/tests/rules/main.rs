//! Rules of the planner that a simulation of devices alone would not show: what is withheld, told, and left alone.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod ignored;
mod left_out;
mod names;
mod trees;

use holdfast_client::agent::plan::{Guard, NoPlan};
use holdfast_client::agent::trees::{BaseRow, Look, State, What};
use holdfast_client::agent::{Step, plan};

use trees::*;

#[test]
fn a_few_deletions_are_done_and_many_wait_for_a_person() {
    for (gone, waits) in [(50, false), (51, true)] {
        let mut trees = Trees::new();
        for n in 0..200 {
            trees.agreed(n + 1, 0, &format!("f{n}"), Some(&format!("content {n}")));
            if n >= gone {
                let what = What::File(Some(hash(&format!("content {n}"))));
                trees.here(0, &format!("f{n}"), what, u64::try_from(n).unwrap() + 101);
            }
        }
        let withheld = trees.plan();
        assert_eq!(withheld.withheld.is_some(), waits, "{gone}");
        assert_eq!(deletes(&withheld), if waits { 0 } else { 50 });
        trees.settings.confirmed = withheld.withheld.map(|withheld| withheld.token);
        let confirmed = trees.plan();
        assert_eq!((deletes(&confirmed), confirmed.withheld), (usize::try_from(gone).unwrap(), None));
    }
}

#[test]
fn a_confirmation_is_for_the_deletions_that_were_shown_and_no_others() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", Some("a"));
    trees.agreed(2, 0, "b", Some("b"));
    trees.settings.confirmed = trees.plan().withheld.map(|withheld| withheld.token);
    assert_eq!(deletes(&trees.plan()), 2);
    trees.agreed(3, 0, "c", Some("c"));
    let plan = trees.plan();
    assert_eq!(deletes(&plan), 0);
    assert_eq!(plan.withheld.unwrap().paths, ["a", "b", "c"]);
}

#[test]
fn what_lies_in_a_folder_that_cannot_be_read_is_not_deleted() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "closed", None);
    trees.agreed(2, 1, "a", Some("a"));
    trees.agreed(3, 1, "below", None);
    trees.agreed(4, 3, "b", Some("b"));
    trees.agreed(5, 0, "open", Some("c"));
    trees.here(0, "closed", What::Closed, 101);
    trees.here(0, "open", What::File(Some(hash("c"))), 105);
    assert!(trees.plan().steps.is_empty(), "{:?}", trees.plan().steps);
}

#[test]
fn what_a_link_stands_in_for_is_neither_deleted_nor_written_through_it() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", Some("a"));
    trees.node(2, 0, "b", Some("b"));
    trees.here(0, "a", What::Other, 7);
    trees.here(0, "b", What::Other, 8);
    assert!(trees.plan().steps.is_empty(), "{:?}", trees.plan().steps);
}

#[test]
fn what_the_servers_disk_has_lost_is_not_removed_here() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", Some("a"));
    let mut node = trees.remote.get(id(1)).unwrap().clone();
    (node.state, node.seq) = (State::Missing, 9);
    trees.remote.take(node);
    trees.here(0, "a", What::File(Some(hash("a"))), 101);
    assert!(trees.plan().steps.is_empty(), "{:?}", trees.plan().steps);
}

#[test]
fn nothing_is_decided_when_the_servers_folder_is_gone() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "root", None);
    trees.agreed(2, 1, "a", Some("a"));
    trees.settings.root = id(1);
    trees.here(0, "a", What::File(Some(hash("a"))), 102);
    let mut node = trees.remote.get(id(1)).unwrap().clone();
    (node.state, node.seq) = (State::Dead, 9);
    trees.remote.take(node);
    let none = plan(&trees.remote, &trees.base, &trees.local, &[], &trees.settings);
    assert_eq!(none.unwrap_err(), NoPlan::NoRoot);
}

#[test]
fn a_folder_that_got_a_deleted_ones_inode_number_is_not_taken_for_that_one_renamed() {
    // As on a file system that does not tell when an inode was made.
    let unborn = |ino| Look { ino, btime_ns: 0, size: 0, mtime_ns: 1, ctime_ns: 1 };
    let mut trees = Trees::new();
    trees.node(1, 0, "kept", None);
    trees.node(2, 1, "a.txt", Some("text"));
    trees.agreed(3, 0, "gone", None);
    trees.base.set(BaseRow { look: Some(unborn(7)), ..trees.base.get(id(3)).unwrap().clone() });
    let kept = trees.local.add(0, "kept", What::Folder, unborn(7));
    trees.here(kept, "a.txt", What::File(Some(hash("text"))), 8);
    let plan = trees.plan();
    assert_eq!(plan.conflicts, [], "kept is kept");
    assert_eq!(deletes(&plan), 1, "gone was deleted here: {:?}", plan.steps);
}

#[test]
fn a_folder_that_was_renamed_is_known_by_what_is_in_it_where_no_time_of_birth_is_told() {
    let unborn = |ino| Look { ino, btime_ns: 0, size: 0, mtime_ns: 1, ctime_ns: 1 };
    let mut trees = Trees::new();
    trees.agreed(1, 0, "before", None);
    trees.agreed(2, 1, "a.txt", Some("text"));
    trees.base.set(BaseRow { look: Some(unborn(7)), ..trees.base.get(id(1)).unwrap().clone() });
    let after = trees.local.add(0, "after", What::Folder, unborn(7));
    trees.still_here(2, after, "a.txt", Some("text"));
    let plan = trees.plan();
    assert!(matches!(plan.steps.as_slice(), [Step::MoveRemote { .. }]), "{:?}", plan.steps);
}

#[test]
fn an_empty_folder_under_a_passing_name_is_known_where_no_time_of_birth_is_told() {
    let unborn = |ino| Look { ino, btime_ns: 0, size: 0, mtime_ns: 1, ctime_ns: 1 };
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", None);
    trees.base.set(BaseRow { look: Some(unborn(7)), ..trees.base.get(id(1)).unwrap().clone() });
    trees.local.add(0, "a (moving)", What::Folder, unborn(7));
    let plan = trees.plan();
    assert!(matches!(plan.steps.as_slice(), [Step::MoveRemote { .. }]), "{:?}", plan.steps);
}

#[test]
fn while_a_new_file_is_being_written_no_file_counts_as_deleted() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", Some("a"));
    trees.agreed(2, 0, "b", Some("b"));
    trees.here(0, "b", What::File(Some(hash("b"))), 102);
    trees.here(0, "a, renamed", What::File(None), 999);
    assert!(trees.plan().steps.is_empty(), "{:?}", trees.plan().steps);
}

#[test]
fn how_many_deletions_wait_for_a_person_can_be_set() {
    let mut trees = Trees::new();
    for n in 0..10 {
        trees.agreed(n + 1, 0, &format!("f{n}"), Some(&format!("content {n}")));
        if n >= 3 {
            trees.still_here(
                u64::try_from(n).unwrap() + 1,
                0,
                &format!("f{n}"),
                Some(&format!("content {n}")),
            );
        }
    }
    assert_eq!(deletes(&trees.plan()), 3);
    trees.settings.guard = Guard { files: 2, percent: 20 };
    assert_eq!(deletes(&trees.plan()), 0);
    trees.settings.guard = Guard { files: 0, percent: 30 };
    assert_eq!(deletes(&trees.plan()), 3);
}
