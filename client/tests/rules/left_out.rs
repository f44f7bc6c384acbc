//! Folders that people leave out on a device.

use holdfast_client::agent::trees::{LocalTree, What};

use super::trees::*;

/// A folder `raw` in `photos`, left out, with a file in each.
fn with_raw(keep: bool, content: &str) -> Trees {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "photos", None);
    trees.agreed(2, 1, "beach.jpg", Some("sand"));
    trees.agreed(3, 1, "raw", None);
    trees.agreed(4, 3, "beach.raw", Some("all the sand"));
    let photos = trees.still_here(1, 0, "photos", None);
    trees.still_here(2, photos, "beach.jpg", Some("sand"));
    let raw = trees.still_here(3, photos, "raw", None);
    trees.still_here(4, raw, "beach.raw", Some(content));
    trees.leave_out(3, "photos/raw", keep);
    trees
}

#[test]
fn a_folder_that_is_left_out_goes_from_here_and_stays_there() {
    let plan = with_raw(false, "all the sand").plan();
    assert_eq!(told(&plan), ["remove here photos/raw/beach.raw", "remove here photos/raw"]);
    assert_eq!(plan.withheld, None);
}

#[test]
fn what_was_edited_in_a_folder_that_is_left_out_is_sent_before_it_goes() {
    let mut trees = with_raw(false, "edited here");
    assert_eq!(told(&trees.plan()), ["send photos/raw/beach.raw"]);
    // Edited there as well: both are kept there.
    trees.node(4, 3, "beach.raw", Some("edited there"));
    let mut node = trees.remote.get(id(4)).unwrap().clone();
    node.seq = 9;
    trees.remote.take(node);
    trees.settings.histories.insert(id(4), [hash("all the sand"), hash("edited there")].into());
    let steps = told(&trees.plan());
    let copy = "photos/raw/beach (conflict, laptop, 2026-11-20 14.05).raw";
    assert_eq!(steps, [format!("move here {copy}"), format!("send {copy}")]);
}

#[test]
fn what_only_the_server_changed_in_a_folder_that_is_left_out_is_not_brought_first() {
    let mut trees = with_raw(false, "all the sand");
    let mut node = trees.remote.get(id(4)).unwrap().clone();
    (node.hash, node.seq) = (Some(hash("edited there")), 9);
    trees.remote.take(node);
    assert_eq!(told(&trees.plan()), ["remove here photos/raw/beach.raw", "remove here photos/raw"]);
}

#[test]
fn a_folder_that_is_left_out_and_kept_stays_on_both_sides() {
    let mut trees = with_raw(true, "edited here");
    let plan = trees.plan();
    assert_eq!((told(&plan), &plan.notices), (vec!["forget".to_owned(), "forget".to_owned()], &vec![]));
    // Also once its rows are forgotten, and when the folder has another name there.
    trees.base.remove(id(3));
    trees.base.remove(id(4));
    assert_eq!(told(&trees.plan()), [""; 0]);
    let mut node = trees.remote.get(id(3)).unwrap().clone();
    (node.name, node.seq) = ("unedited".to_owned(), 9);
    trees.remote.take(node);
    assert_eq!(told(&trees.plan()), [""; 0]);
}

#[test]
fn what_is_made_in_a_folder_that_is_left_out_stays_here_and_is_told_once() {
    let mut trees = with_raw(false, "all the sand");
    for n in [3, 4] {
        trees.base.remove(id(n));
    }
    trees.local = LocalTree::new(look(1));
    let photos = trees.still_here(1, 0, "photos", None);
    trees.still_here(2, photos, "beach.jpg", Some("sand"));
    let raw = trees.here(photos, "raw", What::Folder, 7);
    trees.here(raw, "new.raw", What::File(Some(hash("new"))), 8);
    trees.here(raw, "newer.raw", What::File(Some(hash("newer"))), 9);
    let plan = trees.plan();
    assert_eq!(told(&plan), [""; 0]);
    assert_eq!(plan.notices.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["photos/raw"]);
}

#[test]
fn what_is_moved_into_a_folder_that_is_left_out_is_no_deletion() {
    let mut trees = with_raw(false, "all the sand");
    for n in [3, 4] {
        trees.base.remove(id(n));
    }
    trees.local = LocalTree::new(look(1));
    let photos = trees.still_here(1, 0, "photos", None);
    trees.agreed(5, 1, "2026", None);
    trees.agreed(6, 5, "lake.jpg", Some("water"));
    trees.agreed(7, 5, "hill.jpg", Some("grass"));
    let raw = trees.here(photos, "raw", What::Folder, 7);
    trees.still_here(2, raw, "beach.jpg", Some("sand"));
    let year = trees.still_here(5, raw, "2026", None);
    trees.still_here(6, year, "lake.jpg", Some("water"));
    trees.still_here(7, year, "hill.jpg", Some("grass"));
    let plan = trees.plan();
    assert_eq!(told(&plan), [""; 0]);
    let told_of: Vec<&str> = plan.notices.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(told_of, ["photos/raw", "photos/raw/beach.jpg", "photos/raw/2026"]);
}

#[test]
fn what_the_server_moves_out_of_reach_goes_from_here_and_comes_back_with_it() {
    let mut trees = with_raw(false, "all the sand");
    for n in [3, 4] {
        trees.base.remove(id(n));
    }
    trees.local = LocalTree::new(look(1));
    let photos = trees.still_here(1, 0, "photos", None);
    trees.still_here(2, photos, "beach.jpg", Some("sand"));
    let mut node = trees.remote.get(id(2)).unwrap().clone();
    (node.parent, node.seq) = (Some(id(3)), 9);
    trees.remote.take(node.clone());
    assert_eq!(told(&trees.plan()), ["remove here photos/beach.jpg"]);
    trees.base.remove(id(2));
    trees.local = LocalTree::new(look(1));
    trees.still_here(1, 0, "photos", None);
    assert_eq!(told(&trees.plan()), [""; 0]);
    (node.parent, node.seq) = (Some(id(1)), 10);
    trees.remote.take(node);
    assert_eq!(told(&trees.plan()), ["receive photos/beach.jpg"]);
}

#[test]
fn deleting_a_folder_here_spares_what_is_left_out_in_it() {
    let mut trees = with_raw(false, "all the sand");
    trees.agreed(5, 0, "other", Some("other"));
    trees.agreed(6, 0, "more", Some("more"));
    for n in [3, 4] {
        trees.base.remove(id(n));
    }
    trees.local = LocalTree::new(look(1));
    trees.still_here(5, 0, "other", Some("other"));
    trees.still_here(6, 0, "more", Some("more"));
    assert_eq!(told(&trees.plan()), ["remove there photos/beach.jpg"]);
}
