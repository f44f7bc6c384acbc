//! Names that a device cannot hold, or cannot tell apart.

use holdfast_client::agent::Step;
use holdfast_client::agent::trees::What;

use super::trees::*;

#[test]
fn of_twins_a_device_holds_the_first_and_tells_of_the_other() {
    let mut trees = Trees::new();
    trees.settings.folds = true;
    trees.node(1, 0, "Readme", Some("one"));
    trees.node(2, 0, "README", Some("two"));
    trees.node(3, 0, "caf\u{e9}", None);
    trees.node(4, 0, "cafe\u{301}", None);
    trees.node(5, 4, "inside", Some("three"));
    let plan = trees.plan();
    let made: Vec<&str> = plan.steps.iter().map(Step::key).collect();
    assert_eq!(made, ["caf\u{e9}", "Readme"]);
    assert_eq!(plan.notices.len(), 2, "{:?}", plan.notices);
}

#[test]
fn a_name_that_the_device_cannot_hold_is_told_and_left_alone() {
    let mut trees = Trees::new();
    trees.settings.windows = true;
    trees.node(1, 0, "a:b", None);
    trees.node(2, 1, "inside", Some("x"));
    trees.node(3, 0, "fine", Some("y"));
    let plan = trees.plan();
    assert_eq!(plan.steps.iter().map(Step::key).collect::<Vec<_>>(), ["fine"]);
    assert_eq!(plan.notices.len(), 1);
}

#[test]
fn a_conflict_copy_is_made_where_the_file_is_when_the_device_cannot_hold_the_folder_that_it_was_moved_to() {
    let mut trees = Trees::new();
    trees.settings.folds = true;
    trees.agreed(1, 0, "caf\u{e9}", None);
    trees.still_here(1, 0, "caf\u{e9}", None);
    trees.agreed(2, 0, "menu.txt", Some("soup"));
    trees.here(0, "menu.txt", What::File(Some(hash("soup, and bread"))), 102);
    trees.node(3, 0, "cafe\u{301}", None);
    trees.node(2, 3, "menu.txt", Some("stew"));
    trees.settings.histories.insert(id(2), [hash("soup"), hash("stew")].into());
    let plan = trees.plan();
    let copy = "menu (conflict, laptop, 2026-11-20 14.05).txt";
    assert_eq!(told(&plan), [format!("move here {copy}"), format!("send {copy}")]);
    let sent = plan.steps.iter().find_map(|step| match step {
        Step::Upload(sending) => Some((sending.parent, sending.path.to_string())),
        _ => None,
    });
    assert_eq!(
        sent,
        Some((0, format!("/{copy}"))),
        "a folder that this device does not hold has it deleted again"
    );
}
