//! Cases of `place()` that a random run meets too seldom: each was once done wrong.

use std::cell::{Cell, RefCell};
use std::io;

use uuid::Uuid;

use super::model::{Id, Model};
use crate::domain::stat::{Ident, Stat};
use crate::store::place::place;
use crate::store::seam::{Means, Seam};
use crate::store::{Barriers, Done, How, Op, OpKind, Outcome, Phys, Why};

/// A model, with one thing that happens before a chosen call.
struct Disk {
    model: RefCell<Model>,
    means: Means,
    calls: Cell<u32>,
    then: Cell<Option<Interference>>,
}

/// Before which call it happens, and what.
type Interference = (u32, fn(&mut Model));

impl Disk {
    fn new() -> Self {
        Self::with(Means::Exchange)
    }

    fn with(means: Means) -> Self {
        let model = Model::new(&[".holdfast", ".holdfast/versions", ".holdfast/versions/00"]);
        Self { model: RefCell::new(model), means, calls: Cell::new(0), then: Cell::new(None) }
    }

    /// Has another program act before the `n`th call from now.
    fn before_call(&self, n: u32, act: fn(&mut Model)) {
        self.calls.set(0);
        self.then.set(Some((n, act)));
    }

    fn step(&self) {
        self.calls.set(self.calls.get() + 1);
        if let Some((n, act)) = self.then.get()
            && n == self.calls.get()
        {
            act(&mut self.model.borrow_mut());
        }
    }

    fn file(&self, path: &str, content: u64) -> Ident {
        let mut model = self.model.borrow_mut();
        let id = model.make_file(path, content, None).unwrap();
        model.ident(id)
    }

    fn folder(&self, path: &str) -> Ident {
        let mut model = self.model.borrow_mut();
        let id = model.make_folder(path, None).unwrap();
        model.ident(id)
    }

    fn find(&self, path: &str) -> Option<Id> {
        self.model.borrow().find(path).ok()
    }

    /// What the file there holds.
    fn content(&self, path: &str) -> Option<u64> {
        self.find(path).map(|id| self.model.borrow().node(id).content)
    }

    fn place(&self, op: &Op) -> Done {
        match place(self, op) {
            Outcome::Done(done) => done,
            other => panic!("{other:?}"),
        }
    }
}

impl Seam for Disk {
    fn means(&self) -> Means {
        self.means
    }

    fn stat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        self.step();
        self.model.borrow().stat(path)
    }

    fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().exchange(a.as_str(), b.as_str())
    }

    fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().rename(from.as_str(), to.as_str())
    }

    fn replace(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().replace(from.as_str(), to.as_str())
    }

    fn link(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().add_name(from.as_str(), to.as_str())
    }

    fn remove_file(&self, path: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().remove_file(path.as_str())
    }

    fn remove_folder(&self, path: &Phys) -> io::Result<()> {
        self.step();
        self.model.borrow_mut().remove_folder(path.as_str())
    }
}

fn slot(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn at(n: u128) -> String {
    Phys::slot(slot(n)).to_string()
}

fn op(n: u128, kind: OpKind, path: &str, ident: Ident) -> Op {
    let path = Phys::parse(path).unwrap();
    Op { seq: 1, slot: slot(n), kind, path, dst: None, ident, displaced: None }
}

fn to(op: Op, dst: &str) -> Op {
    Op { dst: Some(Phys::parse(dst).unwrap()), ..op }
}

#[test]
fn a_finished_put_that_is_redone_does_not_bring_the_old_content_back() {
    let disk = Disk::new();
    let old = disk.file("a", 1);
    let put = Op { displaced: Some(old), ..op(1, OpKind::Put, "a", disk.file(&at(1), 2)) };
    let once = disk.place(&put);
    assert_eq!((once.how, once.in_slot.unwrap().ident), (How::InPlace, old));
    assert_eq!(disk.place(&put), once);
    assert_eq!((disk.content("a"), disk.content(&at(1))), (Some(2), Some(1)));
}

#[test]
fn a_put_into_a_missing_folder_waits_in_its_slot() {
    let disk = Disk::new();
    let put = op(1, OpKind::Put, "gone/a", disk.file(&at(1), 2));
    assert!(matches!(place(&disk, &put), Outcome::Parked(parked) if parked.why == Why::ParentMissing));
    assert_eq!(disk.content(&at(1)), Some(2));
    disk.folder("gone");
    assert_eq!(disk.place(&put).how, How::InPlace);
}

#[test]
fn a_new_folder_adopts_the_one_that_stands_there() {
    let disk = Disk::new();
    let theirs = disk.folder("a");
    disk.file("a/x", 1);
    let mkdir = op(1, OpKind::Mkdir, "a", disk.folder(&at(1)));
    assert_eq!(disk.place(&mkdir).how, How::Adopted(theirs));
    assert_eq!(disk.place(&mkdir).how, How::Adopted(theirs));
    assert_eq!((disk.content("a/x"), disk.find(&at(1))), (Some(1), None));
}

#[test]
fn a_folder_that_was_filled_before_the_power_failed_is_not_given_up_for_a_newcomer() {
    let disk = Disk::new();
    // The folder's own placement was lost, the one of a file in it was not.
    let mkdir = op(1, OpKind::Mkdir, "a", disk.folder(&at(1)));
    disk.file(&format!("{}/x", at(1)), 2);
    disk.folder("a");
    disk.file("a/y", 3);
    assert_eq!(disk.place(&mkdir).how, How::InPlace);
    assert_eq!((disk.content("a/x"), disk.content(&format!("{}/y", at(1)))), (Some(2), Some(3)));
}

#[test]
fn a_deletion_leaves_what_another_program_has_put_there() {
    let disk = Disk::new();
    let ours = disk.file("a", 1);
    disk.model.borrow_mut().remove("a").unwrap();
    disk.file("a", 2);
    assert!(matches!(disk.place(&op(1, OpKind::Del, "a", ours)).how, How::Newcomer(_)));
    assert_eq!(disk.content("a"), Some(2));
}

#[test]
fn a_file_with_the_inode_number_of_the_deleted_one_is_another_file() {
    let disk = Disk::new();
    let there = disk.file("a", 1);
    let ours = Ident { btime_ns: there.btime_ns - 1, ..there };
    disk.place(&op(1, OpKind::Del, "a", ours));
    disk.place(&to(op(2, OpKind::Mv, "a", ours), "b"));
    assert_eq!(disk.content("a"), Some(1));
}

#[test]
fn a_newcomer_that_takes_the_name_between_look_and_step_has_its_name_back() {
    fn replace(model: &mut Model) {
        model.remove("a").unwrap();
        model.make_file("a", 7, None).unwrap();
    }
    // Which call renames `a`: after the looks at the slot, the target and the source.
    for (n, kind) in [(3, OpKind::Del), (3, OpKind::Mv), (4, OpKind::MvOver)] {
        let disk = Disk::new();
        let moved = op(1, kind, "a", disk.file("a", 1));
        disk.before_call(n, replace);
        disk.place(&if kind == OpKind::Del { moved } else { to(moved, "b") });
        assert_eq!((disk.content("a"), disk.find("b"), disk.find(&at(1))), (Some(7), None, None), "{kind:?}");
    }
}

#[test]
fn a_move_puts_a_newcomer_at_its_target_aside() {
    let disk = Disk::new();
    let mv = to(op(1, OpKind::Mv, "a", disk.file("a", 1)), "b");
    let newcomer = disk.file("b", 2);
    let done = disk.place(&mv);
    assert_eq!((done.how, done.in_slot.unwrap().ident), (How::InPlace, newcomer));
    assert_eq!(disk.place(&mv), done);
    assert_eq!((disk.content("b"), disk.find("a")), (Some(1), None));
}

#[test]
fn a_move_between_two_links_to_one_inode_leaves_one_and_stays_done() {
    for kind in [OpKind::Mv, OpKind::MvOver] {
        let disk = Disk::new();
        let mv = to(op(1, kind, "a", disk.file("a", 1)), "b");
        disk.model.borrow_mut().link("a", "b").unwrap();
        assert_eq!(disk.place(&mv).how, How::InPlace);
        assert_eq!((disk.content("b"), disk.find("a")), (Some(1), None), "{kind:?}");
        disk.place(&op(2, OpKind::Put, "b", disk.file(&at(2), 2)));
        disk.place(&mv);
        assert_eq!(disk.content("b"), Some(2), "a redo must not push the later content away ({kind:?})");
    }
}

#[test]
fn a_move_between_two_links_that_differ_in_case_stays_done_though_a_later_op_took_the_target() {
    let disk = Disk::new();
    let ident = disk.file("a", 1);
    disk.model.borrow_mut().link("a", "A").unwrap();
    let moved = to(op(1, OpKind::Mv, "a", ident), "A");
    disk.place(&moved);
    let put = op(2, OpKind::Put, "A", disk.file(&at(2), 2));
    disk.place(&put);
    for op in [&moved, &put] {
        disk.place(op);
    }
    assert_eq!((disk.content("A"), disk.content(&at(2))), (Some(2), Some(1)), "what was acknowledged last");
}

#[test]
fn the_second_half_of_a_move_over_is_done_though_a_later_op_took_the_target() {
    let disk = Disk::new();
    let displaced = Some(disk.file("b", 1));
    let mv = Op { displaced, ..to(op(1, OpKind::MvOver, "a", disk.file("a", 2)), "b") };
    disk.model.borrow_mut().exchange("a", "b").unwrap();
    disk.place(&op(2, OpKind::Put, "b", disk.file(&at(2), 3)));
    disk.place(&mv);
    assert_eq!((disk.find("a"), disk.content(&at(1)), disk.content("b")), (None, Some(1), Some(3)));
}

#[test]
fn what_was_moved_or_displaced_since_the_mark_is_not_moved_again_without_one() {
    let disk = Disk::new();
    let (x, y) = (disk.file("a", 1), disk.file("b", 2));
    let mut barriers = Barriers::default();
    let mv = to(op(1, OpKind::Mv, "a", x), "c");
    barriers.placed(&mv, &place(&disk, &mv));
    let again = to(op(2, OpKind::Mv, "c", x), "a");
    let over = Op { displaced: Some(x), ..to(op(3, OpKind::MvOver, "b", y), "c") };
    assert!(barriers.needed(&again, false) && barriers.needed(&over, false));
    assert!(!barriers.needed(&op(4, OpKind::Del, "c", x), false));
    barriers.marked();
    assert!(!barriers.needed(&again, false) && !barriers.needed(&over, false));
    assert!(barriers.needed(&over, true) && barriers.needed(&op(4, OpKind::Del, "c", x), true));
}

/// The file systems that cannot swap two names.
const IN_STEPS: [Means; 2] = [Means::NoReplace, Means::Links];

#[test]
fn without_an_exchange_what_was_displaced_lies_in_the_slot_all_the_same() {
    for means in IN_STEPS {
        let disk = Disk::with(means);
        let old = disk.file("a", 1);
        let put = Op { displaced: Some(old), ..op(1, OpKind::Put, "a", disk.file(&at(1), 2)) };
        let once = disk.place(&put);
        assert_eq!((once.how, once.in_slot.unwrap().ident), (How::InPlace, old), "{means:?}");
        assert_eq!(disk.place(&put), once);
        assert_eq!((disk.content("a"), disk.content(&at(1))), (Some(2), Some(1)));
        assert_eq!(disk.find(&format!("{}.old", at(1))), None);
    }
}

#[test]
fn without_an_exchange_a_newcomer_in_the_free_moment_is_put_beside_and_nothing_is_lost() {
    fn newcomer(model: &mut Model) {
        assert!(model.find("a.txt").is_err(), "the name should be free just now");
        model.make_file("a.txt", 7, None).unwrap();
    }
    // Which call takes the name that is free for a moment.
    for (n, means) in [(5, Means::NoReplace), (9, Means::Links)] {
        let disk = Disk::with(means);
        let old = disk.file("a.txt", 1);
        let put = Op {
            displaced: Some(old),
            ..op(0xab << 96 | 1, OpKind::Put, "a.txt", Ident { ino: 0, btime_ns: 0 })
        };
        let put = Op { ident: disk.file(Phys::slot(put.slot).as_str(), 2), ..put };
        disk.before_call(n, newcomer);
        assert_eq!(disk.place(&put).how, How::InPlace, "{means:?}");
        assert_eq!(disk.content("a.txt"), Some(2));
        assert_eq!(disk.content(Phys::slot(put.slot).as_str()), Some(1));
        assert_eq!(disk.content("a (kept 000000ab-1).txt"), Some(7));
    }
}

#[test]
fn without_an_exchange_a_put_that_cannot_be_finished_leaves_the_old_content_at_its_name() {
    fn refuse(model: &mut Model) {
        // What was staged is not there any more when it is to be placed.
        let slot = at(1);
        model.remove(&slot).unwrap();
    }
    let disk = Disk::with(Means::NoReplace);
    let put = Op { displaced: Some(disk.file("a", 1)), ..op(1, OpKind::Put, "a", disk.file(&at(1), 2)) };
    disk.before_call(5, refuse);
    assert!(matches!(place(&disk, &put), Outcome::Parked(_)));
    assert_eq!(disk.content("a"), Some(1));
}

#[test]
fn without_an_exchange_a_move_over_goes_on_where_it_was_cut_short() {
    for means in IN_STEPS {
        let disk = Disk::with(means);
        let displaced = Some(disk.file("b", 1));
        let mv = Op { displaced, ..to(op(1, OpKind::MvOver, "a", disk.file("a", 2)), "b") };
        disk.model.borrow_mut().rename("b", &at(1)).unwrap();
        assert_eq!(disk.place(&mv).how, How::InPlace, "{means:?}");
        assert_eq!((disk.find("a"), disk.content("b"), disk.content(&at(1))), (None, Some(2), Some(1)));
        disk.place(&mv);
        assert_eq!((disk.content("b"), disk.content(&at(1))), (Some(2), Some(1)));
    }
}

#[test]
fn a_rename_by_links_that_was_cut_short_is_finished_and_leaves_one_name() {
    let disk = Disk::with(Means::Links);
    let put = op(1, OpKind::Put, "a", disk.file(&at(1), 2));
    disk.model.borrow_mut().link(&at(1), "a").unwrap();
    assert_eq!(disk.place(&put).how, How::InPlace);
    assert_eq!((disk.content("a"), disk.find(&at(1))), (Some(2), None));
    let mv = to(op(2, OpKind::Mv, "a", put.ident), "b");
    disk.model.borrow_mut().link("a", "b").unwrap();
    assert_eq!(disk.place(&mv).how, How::InPlace);
    assert_eq!((disk.find("a"), disk.content("b"), disk.find(&at(2))), (None, Some(2), None));
    assert_eq!(disk.find(&format!("{}.spare", at(2))), None);
}

#[test]
fn what_took_a_name_while_it_was_taken_away_by_links_has_it_back() {
    fn replace(model: &mut Model) {
        model.remove("a").unwrap();
        model.make_file("a", 7, None).unwrap();
    }
    let disk = Disk::with(Means::Links);
    let mv = to(op(1, OpKind::Mv, "a", disk.file("a", 1)), "b");
    // After the looks at the spare name, target and source, and a look at what is to be linked, and the link.
    disk.before_call(6, replace);
    disk.place(&mv);
    assert_eq!((disk.content("a"), disk.content("b")), (Some(7), Some(1)));
}

#[test]
fn a_name_whose_case_is_changed_is_spelled_anew_where_both_are_one() {
    for means in [Means::Exchange, Means::NoReplace, Means::Links] {
        let disk = Disk::with(means);
        disk.model.borrow_mut().folds_case = true;
        let spelled = |disk: &Disk| -> Vec<String> {
            let tree = disk.model.borrow().list("");
            tree.into_iter().map(|(path, _)| path).filter(|path| !path.starts_with(".holdfast")).collect()
        };
        let file = to(op(1, OpKind::Mv, "a.txt", disk.file("a.txt", 1)), "A.txt");
        let folder = to(op(2, OpKind::Mv, "dir", disk.folder("dir")), "Dir");
        for mv in [&file, &folder] {
            assert_eq!(disk.place(mv).how, How::InPlace, "{means:?}");
        }
        assert_eq!(spelled(&disk), ["A.txt", "Dir"]);
        // Cut short between its two steps, and then done again though it is done.
        disk.model.borrow_mut().rename("A.txt", &at(1)).unwrap();
        for _ in 0..2 {
            assert_eq!(disk.place(&file).how, How::InPlace);
        }
        assert_eq!((spelled(&disk), disk.find(&at(1))), (vec!["A.txt".to_owned(), "Dir".to_owned()], None));
    }
}
