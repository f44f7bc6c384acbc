//! A small server over the machine: a catalogue, and clients that change it. What `service::placement` does with
//! `place()` is in `placer`.

use std::collections::HashSet;

use rand::Rng;
use uuid::Uuid;

use super::machine::{Machine, NAMES};
use super::model::Content;
use crate::domain::stat::Ident;
use crate::store::{Barriers, Op, OpKind, Phys, SlotId};

/// A file or folder of the catalogue.
#[derive(Debug, Clone)]
pub struct Node {
    pub parent: Option<usize>,
    pub name: String,
    pub folder: bool,
    pub ident: Ident,
    pub content: Content,
    /// Where it was put when it was deleted.
    pub dead: Option<Phys>,
    /// Deleted, and not where it was put: another program had a hand in it.
    pub astray: bool,
}

pub struct Sim {
    pub machine: Machine,
    // The catalogue: survives every crash.
    pub nodes: Vec<Node>,
    pub ops: Vec<(Op, usize)>,
    /// Marked without having been placed.
    pub parked: Vec<(Op, usize)>,
    pub slots: HashSet<SlotId>,
    /// What other programs left in folders that were then deleted: restored with them.
    pub strangers: HashSet<Ident>,
    pub head_seq: i64,
    pub placed_seq: i64,
    // What the process knows: gone with it.
    /// The last op it has placed.
    pub done: i64,
    pub barriers: Barriers,
    /// What it has parked since the mark.
    pub parking: Vec<(Op, usize)>,
    pub staged: Vec<SlotId>,
}

/// The process died.
#[derive(Debug)]
pub struct Died;

pub type Step = Result<(), Died>;

impl Sim {
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            nodes: Vec::new(),
            ops: Vec::new(),
            parked: Vec::new(),
            slots: HashSet::new(),
            strangers: HashSet::new(),
            head_seq: 0,
            placed_seq: 0,
            done: 0,
            barriers: Barriers::default(),
            parking: Vec::new(),
            staged: Vec::new(),
        }
    }

    pub fn random<T>(&self, pick: impl FnOnce(&mut rand::rngs::StdRng) -> T) -> T {
        pick(&mut self.machine.0.borrow_mut().rng)
    }

    pub fn say(&self, line: impl FnOnce() -> String) {
        self.machine.0.borrow_mut().say(line);
    }

    /// A place between two steps of ours, at which the process may die.
    pub fn alive(&self) -> Step {
        match &mut self.machine.0.borrow_mut().crash_in {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    // The catalogue's tree.

    pub fn path(&self, node: usize) -> Phys {
        let mut names = Vec::new();
        let (mut at, mut start) = (Some(node), Phys::root());
        while let Some(node) = at {
            if let Some(dead) = &self.nodes[node].dead {
                start = dead.clone();
                break;
            }
            names.push(self.nodes[node].name.as_str());
            at = self.nodes[node].parent;
        }
        names.iter().rev().fold(start, |path, name| path.join(name).unwrap())
    }

    pub fn is_dead(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        node.dead.is_some() || node.parent.is_some_and(|parent| self.is_dead(parent))
    }

    fn is_within(&self, node: usize, ancestor: usize) -> bool {
        node == ancestor || self.nodes[node].parent.is_some_and(|parent| self.is_within(parent, ancestor))
    }

    pub fn live(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| !self.is_dead(node)).collect()
    }

    fn child(&self, parent: Option<usize>, name: &str) -> Option<usize> {
        self.live()
            .into_iter()
            .find(|&node| self.nodes[node].parent == parent && self.nodes[node].name == name)
    }

    fn any(&self, from: &[usize]) -> Option<usize> {
        if from.is_empty() { None } else { Some(from[self.random(|rng| rng.random_range(0..from.len()))]) }
    }

    fn any_place(&self) -> (Option<usize>, String) {
        let folders: Vec<usize> = self.live().into_iter().filter(|&node| self.nodes[node].folder).collect();
        let parent = self.random(|rng| rng.random_range(0..=folders.len()));
        let names = self.machine.0.borrow().names;
        let name = NAMES[self.random(|rng| rng.random_range(0..names))];
        (folders.get(parent).copied(), name.to_owned())
    }

    // Clients.

    pub fn new_slot(&self) -> SlotId {
        // Few buckets, so that slots share folders.
        Uuid::from_u128(self.random(|rng| rng.random::<u128>() >> 8 | rng.random_range(0..3_u128) << 120))
    }

    fn stage(&mut self, folder: bool) -> Result<(SlotId, Ident, Content), Died> {
        let slot = self.new_slot();
        let path = Phys::slot(slot);
        self.staged.push(slot);
        self.alive()?;
        let (ident, content) = {
            let world = &mut *self.machine.0.borrow_mut();
            let content = if folder { 0 } else { world.new_content() };
            let made = if folder {
                world.model.make_folder(path.as_str(), Some(&mut world.rng))
            } else {
                world.model.make_file(path.as_str(), content, Some(&mut world.rng))
            };
            (world.model.ident(made.unwrap()), content)
        };
        self.alive()?;
        self.machine.0.borrow_mut().model.sync_file(path.as_str()).unwrap();
        self.alive()?;
        Ok((slot, ident, content))
    }

    fn commit(&mut self, slot: SlotId, kind: OpKind, path: Phys, node: usize) -> &mut Op {
        self.head_seq += 1;
        self.slots.insert(slot);
        let ident = self.nodes[node].ident;
        self.say(|| format!("  commit {} {kind:?} {path} {ident:?}", self.head_seq));
        self.ops.push((Op { seq: self.head_seq, slot, kind, path, dst: None, ident, displaced: None }, node));
        &mut self.ops.last_mut().unwrap().0
    }

    /// One random act of a client, committed or refused by the catalogue.
    pub fn act(&mut self) -> Step {
        let live = self.live();
        let files: Vec<usize> = live.iter().copied().filter(|&node| !self.nodes[node].folder).collect();
        match self.random(|rng| rng.random_range(0..16)) {
            0..=4 => {
                let (parent, name) = self.any_place();
                self.put(parent, name)?;
            }
            5 | 6 => {
                let (parent, name) = self.any_place();
                if self.child(parent, &name).is_none() {
                    let (slot, ident, _) = self.stage(true)?;
                    self.nodes.push(Node {
                        parent,
                        name,
                        folder: true,
                        ident,
                        content: 0,
                        dead: None,
                        astray: false,
                    });
                    let node = self.nodes.len() - 1;
                    self.commit(slot, OpKind::Mkdir, self.path(node), node);
                }
            }
            7 | 8 => {
                if let Some(node) = self.any(&live) {
                    let (slot, path) = (self.new_slot(), self.path(node));
                    self.commit(slot, OpKind::Del, path, node);
                    self.nodes[node].dead = Some(Phys::slot(slot));
                }
            }
            9..=11 => {
                let (parent, name) = self.any_place();
                if let Some(node) = self.any(&live)
                    && self.child(parent, &name).is_none()
                    && parent.is_none_or(|parent| !self.is_within(parent, node))
                {
                    self.relocate(node, parent, name);
                }
            }
            12 => {
                if let (Some(node), Some(over)) = (self.any(&files), self.any(&files))
                    && node != over
                {
                    let (slot, path, displaced) = (self.new_slot(), self.path(node), self.nodes[over].ident);
                    let dst = self.path(over);
                    let op = self.commit(slot, OpKind::MvOver, path, node);
                    (op.dst, op.displaced) = (Some(dst), Some(displaced));
                    let (parent, name) = (self.nodes[over].parent, self.nodes[over].name.clone());
                    self.nodes[over].dead = Some(Phys::slot(slot));
                    (self.nodes[node].parent, self.nodes[node].name) = (parent, name);
                }
            }
            13 => {
                if let (Some(a), Some(b)) = (self.any(&live), self.any(&live))
                    && !self.is_within(a, b)
                    && !self.is_within(b, a)
                {
                    self.swap(a, b);
                }
            }
            _ => {
                // Something deleted, or a part of it, comes back.
                let dead: Vec<usize> = (0..self.nodes.len())
                    .filter(|&node| self.is_dead(node) && !self.nodes[node].astray)
                    .collect();
                let (parent, name) = self.any_place();
                if let Some(node) = self.any(&dead)
                    && self.child(parent, &name).is_none()
                {
                    self.relocate(node, parent, name);
                    self.nodes[node].dead = None;
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, parent: Option<usize>, name: String) -> Step {
        let there = self.child(parent, &name);
        if there.is_some_and(|node| self.nodes[node].folder) {
            return Ok(());
        }
        let (slot, ident, content) = self.stage(false)?;
        let displaced = there.map(|node| self.nodes[node].ident);
        let node = there.unwrap_or_else(|| {
            self.nodes.push(Node { parent, name, folder: false, ident, content, dead: None, astray: false });
            self.nodes.len() - 1
        });
        (self.nodes[node].ident, self.nodes[node].content) = (ident, content);
        let path = self.path(node);
        self.commit(slot, OpKind::Put, path, node).displaced = displaced;
        let mut world = self.machine.0.borrow_mut();
        world.owed.insert(content);
        world.committed.insert(content);
        Ok(())
    }

    fn relocate(&mut self, node: usize, parent: Option<usize>, name: String) {
        let (slot, from) = (self.new_slot(), self.path(node));
        self.nodes[node].dead = None;
        (self.nodes[node].parent, self.nodes[node].name) = (parent, name);
        let to = self.path(node);
        self.commit(slot, OpKind::Mv, from, node).dst = Some(to);
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (path_a, path_b) = (self.path(a), self.path(b));
        let slots = [a, b].map(|node| {
            let (slot, path) = (self.new_slot(), self.path(node));
            self.commit(slot, OpKind::Mv, path, node).dst = Some(Phys::slot(slot));
            slot
        });
        for (slot, node, dst) in [(slots[0], a, path_b), (slots[1], b, path_a)] {
            let own = self.new_slot();
            self.commit(own, OpKind::Mv, Phys::slot(slot), node).dst = Some(dst);
        }
        let place = |node: usize| (self.nodes[node].parent, self.nodes[node].name.clone());
        let (place_a, place_b) = (place(a), place(b));
        (self.nodes[a].parent, self.nodes[a].name) = place_b;
        (self.nodes[b].parent, self.nodes[b].name) = place_a;
    }
}
