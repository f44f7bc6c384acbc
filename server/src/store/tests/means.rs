//! Placing on a real file system, by each of the means that there are: what the model is told to do is what the system does.

use std::fs::{self, File};
use std::path::PathBuf;

use tempfile::TempDir;
use uuid::Uuid;

use crate::domain::stat::Ident;
use crate::store::place::place;
use crate::store::root::Root;
use crate::store::seam::Means;
use crate::store::{Done, How, Op, OpKind, Outcome, Phys};

const ALL: [Means; 3] = [Means::Exchange, Means::NoReplace, Means::Links];

struct Folder {
    dir: TempDir,
    root: Root,
    ops: u128,
}

impl Folder {
    fn new(means: Means) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".holdfast/versions/00")).unwrap();
        let root = Root::new(File::open(dir.path()).unwrap().into(), means, true).unwrap();
        Self { dir, root, ops: 0 }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    fn kept(&self, op: &Op) -> Option<String> {
        self.read(Phys::slot(op.slot).as_str())
    }

    fn ident(&self, path: &str) -> Ident {
        self.root.lstat(&Phys::parse(path).unwrap()).unwrap().unwrap().ident.into()
    }

    fn op(&mut self, kind: OpKind, path: &str) -> Op {
        self.ops += 1;
        let slot = Uuid::from_u128(self.ops);
        let path = Phys::parse(path).unwrap();
        Op { seq: 1, slot, kind, path, dst: None, ident: Ident { ino: 0, btime_ns: 0 }, displaced: None }
    }

    fn about(&mut self, kind: OpKind, path: &str, dst: Option<&str>) -> Op {
        let dst = dst.map(|dst| Phys::parse(dst).unwrap());
        Op { ident: self.ident(path), dst, ..self.op(kind, path) }
    }

    fn put(&mut self, path: &str, content: &str) -> Op {
        let op = self.op(OpKind::Put, path);
        fs::write(self.at(Phys::slot(op.slot).as_str()), content).unwrap();
        Op { ident: self.ident(Phys::slot(op.slot).as_str()), ..op }
    }

    fn place(&self, op: &Op) -> Done {
        let once = match place(&self.root, op) {
            Outcome::Done(done) => done,
            other => panic!("{other:?}"),
        };
        match place(&self.root, op) {
            Outcome::Done(again) => assert_eq!(again, once, "a redo changes something"),
            other => panic!("{other:?}"),
        }
        once
    }

    /// Everything in the slots' folder, sorted.
    fn slots(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at(".holdfast/versions/00")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_real_file_system_does_by_each_means_what_is_expected_of_it() {
    for means in ALL {
        let mut folder = Folder::new(means);
        fs::write(folder.at("a"), "old").unwrap();
        let put = folder.put("a", "new");
        assert_eq!(folder.place(&put).how, How::InPlace, "{means:?}");
        assert_eq!((folder.read("a"), folder.kept(&put)), (Some("new".into()), Some("old".into())));

        let moved = folder.about(OpKind::Mv, "a", Some("b"));
        assert_eq!(folder.place(&moved).how, How::InPlace, "{means:?}");
        assert_eq!((folder.read("a"), folder.read("b")), (None, Some("new".into())));

        fs::write(folder.at("c"), "other").unwrap();
        let displaced = Some(folder.ident("c"));
        let over = Op { displaced, ..folder.about(OpKind::MvOver, "b", Some("c")) };
        assert_eq!(folder.place(&over).how, How::InPlace, "{means:?}");
        assert_eq!((folder.read("c"), folder.kept(&over)), (Some("new".into()), Some("other".into())));

        let deleted = folder.about(OpKind::Del, "c", None);
        assert_eq!(folder.place(&deleted).how, How::InPlace, "{means:?}");
        assert_eq!((folder.read("c"), folder.kept(&deleted)), (None, Some("new".into())));

        let names = [&put, &over, &deleted].map(|op| op.slot.to_string());
        assert_eq!(folder.slots(), names, "nothing is left over ({means:?})");
    }
}

#[test]
fn a_new_folder_takes_the_place_of_a_file_by_each_means() {
    for means in ALL {
        let mut folder = Folder::new(means);
        fs::write(folder.at("a"), "a file").unwrap();
        let op = folder.op(OpKind::Mkdir, "a");
        fs::create_dir(folder.at(Phys::slot(op.slot).as_str())).unwrap();
        let op = Op { ident: folder.ident(Phys::slot(op.slot).as_str()), ..op };
        assert_eq!(folder.place(&op).how, How::InPlace, "{means:?}");
        assert!(folder.at("a").is_dir());
        assert_eq!(folder.kept(&op).unwrap(), "a file");
        let moved = folder.about(OpKind::Mv, "a", Some("b"));
        assert_eq!(folder.place(&moved).how, How::InPlace, "{means:?}");
        assert!(folder.at("b").is_dir() && !folder.at("a").exists());
    }
}
