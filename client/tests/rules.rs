//! Rules of the planner that a simulation of devices alone would not show: what is withheld, told, and left alone.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use holdfast_client::agent::plan::NoPlan;
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
