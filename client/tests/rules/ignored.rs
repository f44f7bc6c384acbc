//! The ignore file.

use holdfast_client::agent::trees::{State, What};

use super::trees::*;

#[test]
fn what_is_ignored_is_neither_sent_nor_brought_nor_deleted() {
    let mut trees = Trees::ignoring("*.tmp\nbuild/\n");
    trees.node(1, 0, "there.tmp", Some("a"));
    trees.node(2, 0, "build", None);
    trees.node(3, 2, "out.o", Some("b"));
    trees.here(0, "here.tmp", What::Ignored, 7);
    assert_eq!(told(&trees.plan()), [""; 0]);
}

#[test]
fn what_was_synced_and_is_ignored_from_now_on_stays_on_both_sides() {
    let mut trees = Trees::ignoring("build/\n");
    trees.agreed(1, 0, "build", None);
    trees.agreed(2, 1, "a.o", Some("a"));
    trees.agreed(3, 0, "main.c", Some("b"));
    trees.here(0, "build", What::Ignored, 101);
    trees.still_here(3, 0, "main.c", Some("b"));
    assert_eq!(told(&trees.plan()), ["forget", "forget"]);
    // It vanished here at the same time: that deletes nothing there, either.
    let mut trees = Trees::ignoring("build/\n");
    trees.agreed(1, 0, "build", None);
    trees.agreed(2, 1, "a.o", Some("a"));
    assert_eq!(told(&trees.plan()), ["forget", "forget"]);
}

#[test]
fn what_is_ignored_no_more_is_compared_by_content() {
    let mut trees = Trees::ignoring("");
    trees.node(1, 0, "same.tmp", Some("a"));
    trees.node(2, 0, "other.tmp", Some("b"));
    trees.here(0, "same.tmp", What::File(Some(hash("a"))), 7);
    trees.here(0, "other.tmp", What::File(Some(hash("mine"))), 8);
    trees.settings.histories.insert(id(2), [hash("b")].into());
    let plan = trees.plan();
    let copy = "other (conflict, laptop, 2026-11-20 14.05).tmp";
    let steps = told(&plan);
    for step in [format!("send {copy}"), "receive other.tmp".to_owned(), "agree same.tmp".to_owned()] {
        assert!(steps.contains(&step), "{step}: {steps:?}");
    }
    assert_eq!(plan.conflicts, [("other.tmp".to_owned(), copy.to_owned())]);
}

#[test]
fn the_rules_come_before_what_they_are_about() {
    let mut trees = Trees::new();
    trees.node(1, 0, ".holdfastignore", Some("*.tmp"));
    trees.node(2, 0, "a.tmp", Some("a"));
    trees.node(3, 0, "folder", None);
    assert_eq!(told(&trees.plan()), ["receive .holdfastignore"]);
}

#[test]
fn a_folder_that_holds_what_is_ignored_stays_when_it_is_deleted_elsewhere_and_is_not_made_there_again() {
    let mut trees = Trees::ignoring("*.tmp\n");
    trees.agreed(1, 0, "folder", None);
    let folder = trees.still_here(1, 0, "folder", None);
    trees.here(folder, "a.tmp", What::Ignored, 7);
    let mut node = trees.remote.get(id(1)).unwrap().clone();
    (node.state, node.seq) = (State::Dead, 9);
    trees.remote.take(node);
    let plan = trees.plan();
    assert_eq!(told(&plan), [""; 0]);
    assert_eq!(plan.notices.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["folder"]);
    // And the other way round.
    let mut trees = Trees::ignoring("*.tmp\n");
    trees.agreed(1, 0, "folder", None);
    trees.agreed(3, 0, "other", Some("b"));
    trees.node(2, 1, "a.tmp", Some("a"));
    trees.still_here(3, 0, "other", Some("b"));
    assert_eq!(told(&trees.plan()), [""; 0]);
}
