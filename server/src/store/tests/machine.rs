//! The model of a file system with everything that can happen around our own steps: crashes, refusals, and another
//! program that edits the tree; and the account of what contents may not be lost.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::io;

use rand::Rng;
use rand::rngs::StdRng;
use rustix::io::Errno;

use super::model::{Content, Id, Model, TORN};
use crate::domain::stat::{Ident, Stat};
use crate::store::Phys;
use crate::store::seam::{Means, Seam};

/// What everything is called; a run with fewer names has more collisions.
pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];

pub struct Machine(pub RefCell<World>);

pub struct World {
    pub model: Model,
    pub means: Means,
    pub rng: StdRng,
    /// Our calls left until we die.
    pub crash_in: Option<u32>,
    /// How likely the other program acts before one of our calls, and a call is refused.
    pub races: f64,
    pub refusals: f64,
    /// So many of [`NAMES`] are used.
    pub names: usize,
    /// Contents that must be found somewhere, whatever we do.
    pub owed: BTreeSet<Content>,
    /// Those that were acknowledged or adopted: these survive a power cut, too.
    pub committed: BTreeSet<Content>,
    /// What the other program touched: nothing is promised of where these are.
    pub tainted: HashSet<Ident>,
    pub tainted_paths: BTreeSet<String>,
    next_content: Content,
    next_name: u64,
    pub trace: Option<Vec<String>>,
}

impl World {
    pub fn new(model: Model, means: Means, rng: StdRng, traced: bool) -> Self {
        Self {
            model,
            means,
            rng,
            crash_in: None,
            races: 0.0,
            refusals: 0.0,
            names: NAMES.len(),
            owed: BTreeSet::new(),
            committed: BTreeSet::new(),
            tainted: HashSet::new(),
            tainted_paths: BTreeSet::new(),
            next_content: TORN,
            next_name: 0,
            trace: traced.then(Vec::new),
        }
    }

    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    pub fn new_content(&mut self) -> Content {
        self.next_content += 1;
        self.next_content
    }

    pub fn is_tainted(&self, path: &str) -> bool {
        path.match_indices('/')
            .map(|(end, _)| &path[..end])
            .chain([path])
            .any(|p| self.tainted_paths.contains(p))
    }

    /// Panics when a content is gone that nobody but us can have lost.
    pub fn check_nothing_lost(&self, after: &str) {
        let found = self.model.contents();
        if let Some(content) = self.owed.iter().find(|content| !found.contains(content)) {
            panic!("content {content} is lost after {after}");
        }
    }

    pub fn power_cut(&mut self) {
        let durable = self.model.durable_contents();
        let World { model, rng, .. } = self;
        model.power_cut(rng);
        let found = self.model.contents();
        // What another program wrote and nobody had synced may be gone; what we have acknowledged may not.
        let committed = &self.committed;
        self.owed.retain(|c| found.contains(c) || durable.contains(c) || committed.contains(c));
    }

    // The other program.

    fn tree(&self, keep: impl Fn(&Model, Id) -> bool) -> Vec<(String, Id)> {
        let mut all = self.model.list("");
        all.retain(|(path, id)| !path.starts_with(".holdfast") && keep(&self.model, *id));
        all
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.rng.random_range(0..from.len())].clone()) }
    }

    /// A name in some folder of the tree, taken or not.
    fn any_place(&mut self) -> String {
        let mut folders: Vec<String> =
            self.tree(Model::is_folder).into_iter().map(|(path, _)| path + "/").collect();
        folders.push(String::new());
        let folder = self.pick(&folders).unwrap_or_default();
        let name = NAMES[self.rng.random_range(0..self.names)];
        format!("{folder}{name}")
    }

    fn taint(&mut self, path: &str) {
        self.tainted_paths.insert(path.to_owned());
        if let Ok(id) = self.model.find(path) {
            self.tainted.insert(self.model.ident(id));
            for (_, id) in self.model.list(path) {
                self.tainted.insert(self.model.ident(id));
            }
        }
    }

    /// One act of another program somewhere in the tree.
    pub fn interfere(&mut self) {
        let before = self.in_its_reach();
        let file = |model: &Model, id| !model.is_folder(id);
        match self.rng.random_range(0..8) {
            0 => {
                let files = self.tree(file);
                if let Some((path, id)) = self.pick(&files) {
                    self.taint(&path);
                    let content = self.new_content();
                    self.model.write(id, content);
                    self.owed.insert(content);
                    self.say(|| format!("    outside: writes {content} into {path}"));
                }
            }
            1 => {
                // Saved as editors do: a new file renamed over the old.
                let files = self.tree(file);
                if let Some((path, _)) = self.pick(&files) {
                    self.create(&path.clone());
                }
            }
            2 => {
                let path = self.any_place();
                if self.model.find(&path).is_err() {
                    self.create(&path);
                }
            }
            3 => {
                let path = self.any_place();
                let World { model, rng, .. } = self;
                if model.make_folder(&path, Some(rng)).is_ok() {
                    self.taint(&path);
                    self.say(|| format!("    outside: makes folder {path}"));
                }
            }
            4 => {
                let all = self.tree(|_, _| true);
                if let Some((path, _)) = self.pick(&all) {
                    self.taint(&path);
                    self.model.remove(&path).ok();
                    self.say(|| format!("    outside: removes {path}"));
                }
            }
            5 | 6 => {
                let all = self.tree(|_, _| true);
                let to = self.any_place();
                if let Some((from, _)) = self.pick(&all) {
                    self.taint(&from);
                    self.taint(&to);
                    if self.model.rename_over(&from, &to).is_ok() {
                        self.say(|| format!("    outside: moves {from} to {to}"));
                    }
                }
            }
            _ => {
                let files = self.tree(file);
                let to = self.any_place();
                if let Some((from, _)) = self.pick(&files)
                    && self.model.link(&from, &to).is_ok()
                {
                    self.taint(&from);
                    self.taint(&to);
                    self.say(|| format!("    outside: links {from} as {to}"));
                }
            }
        }
        let after = self.in_its_reach();
        self.owed.retain(|content| after.contains(content) || !before.contains(content));
    }

    /// What the other program may be blamed for. Where a rename takes a second name and the end of the first, what it removes
    /// in between is as gone as if it had been removed after that.
    fn in_its_reach(&self) -> BTreeSet<Content> {
        match self.means {
            Means::Links => self
                .tree(|model, id| !model.is_folder(id))
                .iter()
                .map(|(_, id)| self.model.node(*id).content)
                .collect(),
            Means::Exchange | Means::NoReplace => self.model.contents(),
        }
    }

    fn create(&mut self, path: &str) {
        self.taint(path);
        let content = self.new_content();
        self.next_name += 1;
        let temporary = format!("tmp{}", self.next_name);
        let World { model, rng, .. } = self;
        if model.make_file(&temporary, content, Some(rng)).is_ok()
            && model.rename_over(&temporary, path).is_ok()
        {
            self.owed.insert(content);
            if self.rng.random() {
                self.model.sync_file(path).ok();
            }
            self.taint(path);
            self.say(|| format!("    outside: creates {path} with {content}"));
        } else {
            self.model.remove(&temporary).ok();
        }
    }
}

impl Machine {
    /// Dies, is interfered with or refused, as it comes.
    fn step(&self, what: impl FnOnce() -> String, changes: bool) -> io::Result<()> {
        let mut world = self.0.borrow_mut();
        if let Some(left) = &mut world.crash_in {
            if *left == 0 {
                return Err(io::Error::other("crash"));
            }
            *left -= 1;
        }
        let (races, refusals) = (world.races, world.refusals);
        if world.rng.random_bool(races) {
            world.interfere();
        }
        if changes && world.rng.random_bool(refusals) {
            let errno = [Errno::ACCESS, Errno::NOSPC][world.rng.random_range(0..2)];
            world.say(|| format!("    refused with {errno}"));
            return Err(errno.into());
        }
        world.say(what);
        Ok(())
    }
}

impl Seam for Machine {
    fn means(&self) -> Means {
        self.0.borrow().means
    }

    fn stat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        self.step(|| format!("    stat {path}"), false)?;
        self.0.borrow().model.stat(path)
    }

    fn exchange(&self, a: &Phys, b: &Phys) -> io::Result<()> {
        assert_eq!(self.means(), Means::Exchange, "two names cannot be swapped here");
        self.step(|| format!("    exchange {a} {b}"), true)?;
        self.0.borrow_mut().model.exchange(a.as_str(), b.as_str())
    }

    fn rename(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        assert_ne!(self.means(), Means::Links, "a rename replaces here");
        self.step(|| format!("    rename {from} {to}"), true)?;
        self.0.borrow_mut().model.rename(from.as_str(), to.as_str())
    }

    fn replace(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.step(|| format!("    replace {from} {to}"), true)?;
        self.0.borrow_mut().model.replace(from.as_str(), to.as_str())
    }

    fn link(&self, from: &Phys, to: &Phys) -> io::Result<()> {
        self.step(|| format!("    link {from} {to}"), true)?;
        self.0.borrow_mut().model.add_name(from.as_str(), to.as_str())
    }

    fn remove_file(&self, path: &Phys) -> io::Result<()> {
        self.step(|| format!("    unlink {path}"), true)?;
        self.0.borrow_mut().model.remove_file(path.as_str())
    }

    fn remove_folder(&self, path: &Phys) -> io::Result<()> {
        self.step(|| format!("    rmdir {path}"), true)?;
        self.0.borrow_mut().model.remove_folder(path.as_str())
    }
}
