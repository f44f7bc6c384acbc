//! What must hold of the tree once everything is placed, and the scan that adopts what other programs did.

use std::collections::{BTreeMap, HashSet};

use super::model::{Id, TORN};
use super::sim::{Node, Sim, Step};
use crate::store::Phys;

impl Sim {
    /// Panics unless the tree is what the catalogue says, wherever nobody else had a hand in it. All ops are placed.
    pub fn check_tree(&self) {
        let world = self.machine.0.borrow();
        for node in self.live() {
            let (path, known) = (self.path(node), &self.nodes[node]);
            if self.is_tainted(node) {
                continue;
            }
            let there = world
                .model
                .find(path.as_str())
                .map(|id| (world.model.ident(id), world.model.node(id).content));
            assert_eq!(there.ok(), Some((known.ident, known.content)), "{path} is not what was acknowledged");
        }
        for (path, id) in world.model.list("").into_iter().filter(|(path, _)| !path.starts_with(".holdfast"))
        {
            let ident = world.model.ident(id);
            let known = self.live().into_iter().find(|&node| self.nodes[node].ident == ident);
            let mut its = (0..self.nodes.len()).filter(|&node| self.nodes[node].ident == ident);
            let excused = world.tainted.contains(&ident)
                || world.is_tainted(&path)
                || self.strangers.contains(&ident)
                || its.any(|node| self.is_tainted(node));
            assert!(known.is_some() || excused, "{path} {ident:?} should not be in the tree");
            // Torn by the other program is how it may have been adopted.
            let known = known.map(|node| self.nodes[node].content);
            let torn =
                !world.model.is_folder(id) && world.model.node(id).content == TORN && known != Some(TORN);
            assert!(!torn || excused, "{path} is torn");
        }
    }

    fn is_tainted(&self, node: usize) -> bool {
        let world = self.machine.0.borrow();
        world.is_tainted(self.path(node).as_str())
            || std::iter::successors(Some(node), |&node| self.nodes[node].parent)
                .any(|node| world.tainted.contains(&self.nodes[node].ident))
    }

    /// Has the catalogue adopt what is in the tree. All ops are placed.
    pub fn scan(&mut self) -> Step {
        self.mark()?;
        self.say(|| "  scan".to_owned());
        self.machine.0.borrow_mut().model.sync_everything();
        let tree: Vec<(String, Id)> = {
            let world = self.machine.0.borrow();
            world.model.list("").into_iter().filter(|(path, _)| !path.starts_with(".holdfast")).collect()
        };
        let mut by_path: BTreeMap<String, usize> =
            self.live().into_iter().map(|node| (self.path(node).to_string(), node)).collect();
        let mut at: BTreeMap<String, usize> = BTreeMap::new();
        for (path, id) in tree {
            let (ident, folder, content) = {
                let world = self.machine.0.borrow();
                (world.model.ident(id), world.model.is_folder(id), world.model.node(id).content)
            };
            let known = by_path.get(&path).copied().filter(|&node| self.nodes[node].folder == folder);
            let node = known.inspect(|_| _ = by_path.remove(&path)).unwrap_or_else(|| {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
                let (parent, name) = (at.get(parent).copied(), name.to_owned());
                self.nodes.push(Node { parent, name, folder, ident, content, dead: None, astray: false });
                self.nodes.len() - 1
            });
            (self.nodes[node].ident, self.nodes[node].content) = (ident, content);
            self.machine.0.borrow_mut().committed.insert(content);
            at.insert(path, node);
        }
        // What is not in the tree lies in a slot, or another program removed it: it is not brought back here.
        for node in by_path.into_values() {
            self.nodes[node].dead = Some(Phys::slot(self.new_slot()));
        }
        for node in (0..self.nodes.len()).filter(|&node| self.is_dead(node)).collect::<Vec<_>>() {
            let world = self.machine.0.borrow();
            let there = world.model.find(self.path(node).as_str()).ok();
            let there = there.filter(|&id| world.model.ident(id) == self.nodes[node].ident);
            let content = there.map(|id| world.model.node(id).content);
            drop(world);
            match content {
                Some(content) => self.nodes[node].content = content,
                None => {
                    self.nodes[node].astray = true;
                    self.nodes[node].dead = Some(Phys::slot(self.new_slot()));
                }
            }
        }
        let mut world = self.machine.0.borrow_mut();
        let known: HashSet<String> = (0..self.nodes.len()).map(|node| self.path(node).to_string()).collect();
        let inside =
            world.model.list(".holdfast").into_iter().filter(|(path, _)| path.matches('/').count() > 3);
        let strange = inside.filter(|(path, _)| !known.contains(path)).map(|(_, id)| world.model.ident(id));
        self.strangers.extend(strange);
        world.tainted.clear();
        world.tainted_paths.clear();
        Ok(())
    }
}
