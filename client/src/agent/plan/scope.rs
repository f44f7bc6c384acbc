//! What this device takes part in: not in what is ignored, and not in the folders that its people left out.
//!
//! Ignored is a path, on whichever side it is; a folder that is left out is a node, whatever it is called by now (algorithms C:
//! scope by node against what the device holds). What was agreed on and is ignored from now on stays on both sides; what is
//! left out goes from here, as soon as the server has it. Neither is ever a deletion on the server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use holdfast_protocol::{Kind, fold_key};

use super::entities::All;
use super::matching::Matches;
use super::{Plan, Step, View};
use crate::agent::ignore;
use crate::agent::trees::{BaseRow, BaseTree, LocalTree, NodeId, RemoteNode, State, What};

/// A folder on the server that this device does not take part in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The folder.
    pub id: NodeId,
    /// Where it was, from the root of what is synced, when it was left out. What is here under that name is not sent, even if
    /// the folder is called otherwise by now.
    pub path: String,
    /// What is here stays here, and is agreed on no more.
    pub keep: bool,
}

/// How a node concerns this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is synced.
    In,
    /// It is left out and still here.
    Leaving,
    /// It is left out.
    Out,
    /// Its name is ignored.
    Ignored,
}

/// Rows whose place is ignored by now.
pub fn ignored(base: &BaseTree, local: &LocalTree, root: NodeId) -> BTreeSet<NodeId> {
    let rules = local.ignore();
    let mut found = BTreeSet::new();
    if rules.is_empty() {
        return found;
    }
    let mut inside: BTreeMap<NodeId, Vec<&BaseRow>> = BTreeMap::new();
    for row in base.iter() {
        inside.entry(row.parent).or_default().push(row);
    }
    let mut above = vec![(root, String::new(), false, Some(0))];
    while let Some((folder, path, is_hidden, here)) = above.pop() {
        for row in inside.remove(&folder).unwrap_or_default() {
            let path = join(&path, &row.name);
            let is_folder = row.kind == Kind::Folder;
            let here = here.and_then(|folder| local.child(folder, &row.name));
            // What was walked under this name was judged by the same rules already.
            let is_judged = here.is_some_and(|index| match local.get(index).what {
                What::Folder | What::Closed => is_folder,
                What::File(_) => !is_folder,
                What::Other | What::Ignored => false,
            });
            let is_hidden = is_hidden || (!is_judged && rules.is_ignored(&path, is_folder));
            if is_hidden {
                found.insert(row.id);
            }
            if is_folder {
                above.push((row.id, path, is_hidden, here));
            }
        }
    }
    found
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The server's live nodes, each folder before what is in it, and how they concern this device. What lies in a folder that is
/// ignored is not met.
pub struct RemoteWalk<'v, 'a> {
    view: &'v View<'a>,
    matches: &'v Matches,
    left_out: BTreeMap<NodeId, bool>,
    waiting: VecDeque<Met<'a>>,
}

struct Met<'a> {
    node: &'a RemoteNode,
    path: String,
    /// It is where it was agreed on, and so is all above it.
    agreed: bool,
    reach: Reach,
    keep: bool,
    missing: bool,
}

impl<'v, 'a> RemoteWalk<'v, 'a> {
    /// From the root of what is synced.
    pub fn new(view: &'v View<'a>, matches: &'v Matches) -> Self {
        let left_out = view.settings.left_out.iter().map(|one| (one.id, one.keep)).collect();
        let root = view.remote.get(view.settings.root).map(|node| Met {
            node,
            path: String::new(),
            agreed: true,
            reach: Reach::In,
            keep: false,
            missing: false,
        });
        Self { view, matches, left_out, waiting: root.into_iter().collect() }
    }

    /// The next one, and whether the server's disk has lost it.
    pub fn next(&mut self) -> Option<(&'a RemoteNode, Reach, bool)> {
        let mut met = self.waiting.pop_front()?;
        met.missing |= met.node.state == State::Missing;
        if met.reach != Reach::Ignored {
            let live = self.view.remote.children(met.node.id).filter(|child| child.state != State::Dead);
            let below: Vec<_> = live.map(|child| self.meet(child, &met)).collect();
            self.waiting.extend(below);
        }
        Some((met.node, met.reach, met.missing))
    }

    fn meet(&self, node: &'a RemoteNode, above: &Met<'_>) -> Met<'a> {
        let path = join(&above.path, &node.name);
        let own = self.left_out.get(&node.id).copied();
        let keep = above.keep || own == Some(true);
        let row = self.view.base.get(node.id);
        let is_here = row.is_some() && self.matches.local_of.contains_key(&node.id);
        // Rows whose place is ignored are none by now.
        let is_agreed = |row: &BaseRow| (Some(row.parent), &row.name) == (node.parent, &node.name);
        let agreed = above.agreed && row.is_some_and(is_agreed);
        let is_ignored = || self.view.local.ignore().is_ignored(&path, node.kind == Kind::Folder);
        let reach = match above.reach {
            Reach::In if !agreed && is_ignored() => Reach::Ignored,
            Reach::In if own.is_none() => Reach::In,
            _ if is_here && !keep => Reach::Leaving,
            _ => Reach::Out,
        };
        Met { node, path, agreed, reach, keep, missing: above.missing }
    }
}

/// Which entries of the folder stand where something is left out, though they are no agreed part of it.
pub struct Places {
    /// By index: whether they were meant to stay.
    found: BTreeMap<usize, bool>,
}

impl Places {
    /// Finds them.
    pub fn of(view: &View<'_>, matches: &Matches, all: &All<'_>) -> Self {
        let key = |name: &str| if view.settings.folds { fold_key(name) } else { name.to_owned() };
        let mut found = BTreeMap::new();
        for one in &view.settings.left_out {
            // Where it is now, and where it was when it was left out, if the server has nothing else there.
            let node = view.remote.get(one.id).filter(|node| node.state != State::Dead);
            let folder = node.and_then(|node| matches.local_of.get(&node.parent?)).copied();
            let now = folder.zip(node).and_then(|(folder, node)| {
                let name = key(&node.name);
                view.local.children(folder).find(|index| key(&view.local.get(*index).name) == name)
            });
            let then = view.local.find(&one.path).filter(|index| {
                let entry = view.local.get(*index);
                let above = matches.node_of[entry.parent];
                let mut there = above.into_iter().flat_map(|above| view.remote.children(above));
                let is_other = |node: &RemoteNode| {
                    let is_out = all.of_node.get(&node.id).is_some_and(|entity| all.list[*entity].frozen);
                    node.state != State::Dead && node.name == entry.name && !is_out
                };
                !there.any(is_other)
            });
            found.extend(now.into_iter().chain(then).map(|index| (index, one.keep)));
        }
        Self { found }
    }

    /// Whether an entry is one of them.
    pub fn has(&self, index: usize) -> bool {
        self.found.contains_key(&index)
    }

    /// Whether it was meant to stay here.
    pub fn is_kept(&self, index: usize) -> bool {
        self.found.get(&index).copied().unwrap_or(false)
    }
}

/// Where the rules of what is ignored come with this plan, nothing is done before they are here.
pub fn rules_first(plan: &mut Plan) {
    let comes = |step: &Step| matches!(step, Step::Download(receiving) if receiving.path == ignore::FILE);
    if plan.steps.iter().any(comes) {
        plan.steps.retain(|step| match step {
            Step::Agree { .. } | Step::Forget { .. } => true,
            Step::MoveLocal { from, .. } => from == ignore::FILE,
            other => other.key() == ignore::FILE,
        });
    }
}
