//! What a schedule once found, told step by step, so that it is tried whatever schedules become.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::disk::{Body, SimDisk};
use crate::rng::Rng;
use crate::schedule::{Device, begin, settle, sync};
use crate::server::{self, Deed, Expect, On, hash_of};
use crate::world::{Faults, Shared, World};

/// Two devices, a server, and nothing that goes wrong.
struct Story {
    world: Shared,
    fleet: Vec<Device>,
}

impl Story {
    fn on(on: On) -> Self {
        let disks = vec![SimDisk::new(), SimDisk::new()];
        let world = World::new(Rng::new(0), server::open(on), disks, Faults::default(), false, false);
        let world = Rc::new(RefCell::new(world));
        let fleet = (0..2).map(|device| begin(&world, device)).collect();
        Self { world, fleet }
    }

    fn disk<T>(&self, device: usize, act: impl FnOnce(&mut SimDisk) -> T) -> T {
        let disk = &mut self.world.borrow_mut().disks[device];
        disk.now += 1;
        act(disk)
    }

    fn write(&self, device: usize, path: &str, text: &str) {
        self.disk(device, |disk| {
            let now = disk.now;
            if !disk.write(path, text.into(), now) {
                disk.make(path, Body::File(text.into()), now).unwrap();
            }
        });
    }

    fn make_folder(&self, device: usize, path: &str) {
        self.disk(device, |disk| disk.make(path, Body::Folder(BTreeMap::new()), disk.now)).unwrap();
    }

    fn rename(&self, device: usize, from: &str, to: &str) {
        assert!(self.disk(device, |disk| disk.rename(from, to, false)), "{from} {to}");
    }

    fn remove(&self, device: usize, path: &str) {
        assert!(self.disk(device, |disk| disk.remove(path)), "{path}");
    }

    fn does(&self, deed: Deed) {
        self.world.borrow_mut().does(deed).unwrap();
    }

    fn sync(&mut self, device: usize) {
        sync(&self.world, &mut self.fleet[device], device).unwrap();
    }

    /// All sync until it is quiet; then this is what there is: a file with its text, or a folder.
    fn ends_with(mut self, meant: &[(&str, Option<&str>)]) {
        settle(&self.world, &mut self.fleet).unwrap();
        let meant: BTreeMap<String, _> = meant
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.map(|text| hash_of(text.as_bytes()))))
            .collect();
        assert_eq!(self.world.borrow().server.memory().tree(), meant);
    }
}

fn on_both(tell: impl Fn(Story)) {
    [On::Memory, On::Twin].into_iter().for_each(|on| tell(Story::on(on)));
}

#[test]
fn a_file_moves_into_a_new_folder_that_has_its_name() {
    on_both(|mut story| {
        story.write(0, "a", "text");
        (0..2).for_each(|device| story.sync(device));
        story.rename(0, "a", "aside");
        story.make_folder(0, "a");
        story.rename(0, "aside", "a/a");
        story.ends_with(&[("a", None), ("a/a", Some("text"))]);
    });
}

#[test]
fn a_file_takes_the_name_of_the_folder_it_was_in() {
    on_both(|mut story| {
        story.make_folder(1, "a");
        story.write(1, "a/b", "text");
        (0..2).rev().for_each(|device| story.sync(device));
        story.rename(0, "a/b", "aside");
        story.remove(0, "a");
        story.rename(0, "aside", "a");
        story.ends_with(&[("a", Some("text"))]);
    });
}

fn put(path: &str, text: &str) -> Deed {
    let bytes = Rc::from(text.as_bytes());
    Deed::Put { path: path.to_owned(), bytes, mtime_ns: 1, expect: Expect::Anything }
}

#[test]
fn an_edit_so_soon_after_another_that_it_does_not_show_is_not_replaced() {
    on_both(|mut story| {
        story.write(0, "a", "one.");
        (0..2).for_each(|device| story.sync(device));
        story.does(put("a", "two."));
        // Written once more, and then again within the same tick: of the same length, and with the same time.
        story.disk(1, |disk| disk.write("a", "one.".into(), 7));
        story.world.borrow_mut().while_it_comes = Some(("a".to_owned(), "new.".into(), 7));
        story.sync(1);
        story.ends_with(&[("a", Some("two.")), ("a (conflict, d1, 2026-11-20 14.05)", Some("new."))]);
    });
}

#[test]
fn a_file_that_took_a_deleted_folders_name_meanwhile_is_not_deleted_with_it() {
    on_both(|mut story| {
        story.make_folder(0, "a");
        (0..2).for_each(|device| story.sync(device));
        story.remove(0, "a");
        // After the agent has planned, before its request arrives.
        story.world.borrow_mut().before_request = Some(put("a", "a file now"));
        story.ends_with(&[("a", Some("a file now"))]);
    });
}

#[test]
fn what_was_deleted_with_its_folder_comes_back_with_it() {
    on_both(|mut story| {
        story.make_folder(0, "a");
        story.write(0, "a/b", "text");
        (0..2).for_each(|device| story.sync(device));
        let file = story.world.borrow().server.memory().find("a/b").unwrap();
        story.remove(1, "a");
        story.sync(1);
        story.does(Deed::Restore(file));
        story.ends_with(&[("a", None), ("a/b", Some("text"))]);
    });
}
