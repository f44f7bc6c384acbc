//! Rules of the planner that a simulation of devices alone would not show: what is withheld, told, and left alone.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use holdfast_client::agent::ignore::Ignore;
use holdfast_client::agent::plan::{Guard, LeftOut, NoPlan};
use holdfast_client::agent::trees::{
    BaseRow, BaseTree, LocalTree, Look, NodeId, RemoteNode, RemoteTree, State, What,
};
use holdfast_client::agent::{Plan, Settings, Step, plan};
use holdfast_disk::Hasher;
use holdfast_protocol::{ContentHash, Kind};

fn hash(text: &str) -> ContentHash {
    let mut hasher = Hasher::new();
    hasher.update(text.as_bytes());
    hasher.finish()
}

fn id(n: u128) -> NodeId {
    NodeId::from_u128(n)
}

fn look(n: u64) -> Look {
    Look { ino: n, btime_ns: 1, size: 1, mtime_ns: 1, ctime_ns: 1 }
}

/// Three trees in the making.
struct Trees {
    remote: RemoteTree,
    base: BaseTree,
    local: LocalTree,
    settings: Settings,
}

impl Trees {
    fn new() -> Self {
        let settings = Settings {
            device: "laptop".to_owned(),
            time: "2026-11-20 14.05".to_owned(),
            ..Settings::default()
        };
        let (remote, base, local) = (RemoteTree::default(), BaseTree::default(), LocalTree::new(look(1)));
        Self { remote, base, local, settings }
    }

    /// With an ignore file.
    fn ignoring(rules: &str) -> Self {
        let (ignore, wrong) = Ignore::read(rules.as_bytes(), false);
        assert!(wrong.is_empty(), "{wrong:?}");
        Self { local: LocalTree::ignoring(look(1), ignore), ..Self::new() }
    }

    fn leave_out(&mut self, n: u128, path: &str, keep: bool) {
        self.settings.left_out.push(LeftOut { id: id(n), path: path.to_owned(), keep });
    }

    /// An agreed file or folder, as it was.
    fn still_here(&mut self, n: u64, parent: usize, name: &str, content: Option<&str>) -> usize {
        let what = content.map_or(What::Folder, |content| What::File(Some(hash(content))));
        self.here(parent, name, what, n + 100)
    }

    fn node(&mut self, n: u128, parent: u128, name: &str, content: Option<&str>) -> RemoteNode {
        let kind = if content.is_some() { Kind::File } else { Kind::Folder };
        let node = RemoteNode {
            id: id(n),
            parent: Some(id(parent)),
            name: name.to_owned(),
            kind,
            state: State::Live,
            hash: content.map(hash),
            size: 1,
            mtime_ns: 1,
            seq: i64::try_from(n).unwrap(),
        };
        self.remote.take(node.clone());
        node
    }

    /// What both held: on the server and in the base.
    fn agreed(&mut self, n: u128, parent: u128, name: &str, content: Option<&str>) {
        let node = self.node(n, parent, name, content);
        let row = BaseRow {
            id: node.id,
            parent: id(parent),
            name: node.name,
            kind: node.kind,
            hash: node.hash,
            seq: Some(node.seq),
            look: Some(match node.kind {
                Kind::File => look(u64::try_from(n).unwrap() + 100),
                Kind::Folder => Look { ino: u64::try_from(n).unwrap() + 100, btime_ns: 1, ..Look::default() },
            }),
        };
        self.base.set(row);
    }

    fn here(&mut self, parent: usize, name: &str, what: What, ino: u64) -> usize {
        self.local.add(parent, name, what, look(ino))
    }

    fn plan(&self) -> Plan {
        plan(&self.remote, &self.base, &self.local, &[], &self.settings).unwrap()
    }
}

fn deletes(plan: &Plan) -> usize {
    plan.steps
        .iter()
        .filter(|step| matches!(step, Step::DeleteRemote { .. } | Step::DeleteLocal { .. }))
        .count()
}

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
fn while_a_new_file_is_being_written_no_file_counts_as_deleted() {
    let mut trees = Trees::new();
    trees.agreed(1, 0, "a", Some("a"));
    trees.agreed(2, 0, "b", Some("b"));
    trees.here(0, "b", What::File(Some(hash("b"))), 102);
    trees.here(0, "a, renamed", What::File(None), 999);
    assert!(trees.plan().steps.is_empty(), "{:?}", trees.plan().steps);
}

/// What the steps are, in a word each.
fn told(plan: &Plan) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::Agree { .. } => "agree",
        Step::Forget { .. } => "forget",
        Step::MakeLocal { .. } => "make here",
        Step::MakeRemote { .. } => "make there",
        Step::MoveLocal { .. } => "move here",
        Step::MoveRemote { .. } => "move there",
        Step::DeleteLocal { .. } => "remove here",
        Step::DeleteRemote { .. } => "remove there",
        Step::Download { .. } => "receive",
        Step::Upload { .. } => "send",
    };
    plan.steps.iter().map(|step| format!("{} {}", word(step), step.key()).trim().to_owned()).collect()
}

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
