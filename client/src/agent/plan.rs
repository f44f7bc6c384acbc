//! From three trees to steps: a pure function, without files, clock or randomness.
//!
//! Everything that device or server hold is an *entity*: a node of the server's, with what stands for it in the folder, or
//! something that only the folder has. `matching` finds what stands for which node; `entities` decides for each whether it
//! stays and where it belongs, its name and its value apart; `merged` makes one tree of that, in which each name is taken
//! once; `order` finds steps that make both sides that tree. Before all that, `narrow` leaves out what a plan cannot depend on.

#[cfg(debug_assertions)]
mod check;
mod entities;
pub mod level;
mod matching;
mod merged;
mod narrow;
mod order;
mod scope;
mod step;
mod values;

pub(super) use order::look_of;
pub use scope::LeftOut;
pub use step::{Entity, Receiving, Sending, Step};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use holdfast_protocol::{ContentHash, Kind};

use super::trees::{BaseRow, BaseTree, LocalTree, NodeId, RemoteNode, RemoteTree, State};

/// What was about to be sent when the last answer may have been lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// A content, for a node or (when it is new) for a name in a folder.
    Put {
        /// The node, if it was one.
        id: Option<NodeId>,
        /// The folder.
        parent: NodeId,
        /// The name.
        name: String,
        /// The content.
        hash: ContentHash,
    },
    /// A new folder.
    Make {
        /// The folder it is in.
        parent: NodeId,
        /// Its name.
        name: String,
    },
    /// Another folder or name for a node.
    Move {
        /// The node.
        id: NodeId,
        /// The folder.
        parent: NodeId,
        /// The name.
        name: String,
    },
}

/// What people and the device have set, and what is known besides the trees.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The root of what is synced.
    pub root: NodeId,
    /// What people call this device.
    pub device: String,
    /// The time, as it goes into the name of a conflict copy: `2026-11-20 14.05`.
    pub time: String,
    /// The device cannot tell names apart that differ by case or Unicode form only.
    pub folds: bool,
    /// The device has Windows' rules for names.
    pub windows: bool,
    /// Folders on the server that this device does not take part in.
    pub left_out: Vec<LeftOut>,
    /// How many deletions are not asked about.
    pub guard: Guard,
    /// The deletions that a person has confirmed, by [`Withheld::token`].
    pub confirmed: Option<String>,
    /// Paths on which something could not be done in this sync, and which are left alone till the next.
    pub stuck: BTreeSet<String>,
    /// The contents that nodes have had, as far as they were asked for.
    pub histories: BTreeMap<NodeId, BTreeSet<ContentHash>>,
    /// Set from elsewhere: no further step is begun.
    pub stop: Arc<AtomicBool>,
}

/// More files than both of these are not deleted on the server before a person has confirmed it (algorithms B rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// So many.
    pub files: usize,
    /// So many in a hundred of those that were agreed on.
    pub percent: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self { files: 50, percent: 20 }
    }
}

impl Guard {
    /// Whether so many deletions are few.
    pub fn allows(&self, deletes: usize, agreed: usize) -> bool {
        deletes <= self.files || deletes.saturating_mul(100) <= agreed.saturating_mul(self.percent)
    }
}

/// Deletions that a person has to confirm first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld {
    /// Names exactly this set.
    pub token: String,
    /// What would be deleted on the server, from the root of what is synced.
    pub paths: Vec<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// The node of each entity.
    pub ids: Vec<Option<NodeId>>,
    /// Nodes whose history decides: to be asked for, and planned again.
    pub asks: Vec<NodeId>,
    /// What is left alone, and why.
    pub notices: Vec<(String, String)>,
    /// What a person has to confirm.
    pub withheld: Option<Withheld>,
    /// Both changed: where the device's content is kept.
    pub conflicts: Vec<(String, String)>,
}

/// Why nothing can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The folder on the server to which all belongs is not there: that is no deletion of what was in it (P8).
    #[error("the folder on the server that is synced here is not there any more")]
    NoRoot,
}

/// Decides what is to be done.
///
/// # Errors
/// [`NoPlan`].
pub fn plan(
    remote: &RemoteTree,
    base: &BaseTree,
    local: &LocalTree,
    intents: &[Intent],
    settings: &Settings,
) -> Result<Plan, NoPlan> {
    let prefix = remote.names_to(settings.root).ok_or(NoPlan::NoRoot)?.join("/");
    let sent = sent(remote, base, intents);
    // Noted as well, since the intent is forgotten once all is quiet.
    let noted: Vec<Step> = sent.iter().map(|row| Step::Agree { row: row.clone() }).collect();
    let known: BaseTree;
    let base = if sent.is_empty() {
        base
    } else {
        known = base.iter().cloned().chain(sent).collect();
        &known
    };
    let view = View { remote, base, local, settings, still: 0 };
    #[cfg(debug_assertions)]
    check::narrow_is_whole(&view, &prefix);
    let half = base.len().max(local.len()) / 2;
    let mut plan = match narrow::narrow(&view, half) {
        Some(narrowed) => decide(&narrowed.view(settings), &prefix),
        None => decide(&view, &prefix),
    };
    plan.steps.splice(0..0, noted);
    scope::rules_first(&mut plan);
    Ok(plan)
}

fn decide(view: &View<'_>, prefix: &str) -> Plan {
    let View { remote, base, local, settings, still } = *view;
    let ignored = scope::ignored(base, local, settings.root);
    let in_scope: BaseTree;
    let base = if ignored.is_empty() {
        base
    } else {
        in_scope = base.iter().filter(|row| !ignored.contains(&row.id)).cloned().collect();
        &in_scope
    };
    let view = View { remote, base, local, settings, still };
    let mut all = entities::decide(&view);
    let mut plan = Plan { withheld: all.withheld.take(), ..Plan::default() };
    plan.steps.extend(ignored.into_iter().map(|id| Step::Forget { id }));
    plan.notices.append(&mut all.notices);
    merged::merge(&view, &mut all, &mut plan);
    order::steps(&view, &mut all, prefix, &mut plan);
    plan.ids = all.list.iter().map(|entity| entity.id).collect();
    plan
}

/// What we did on the server without having heard the answer, as rows: it was agreed on, whatever became of it here since.
fn sent(remote: &RemoteTree, base: &BaseTree, intents: &[Intent]) -> Vec<BaseRow> {
    let mut rows: BTreeMap<NodeId, BaseRow> = BTreeMap::new();
    for intent in intents {
        let (node, hash) = match intent {
            Intent::Move { id, parent, name } => {
                let is_there = |node: &&RemoteNode| node.parent == Some(*parent) && node.name == *name;
                (remote.get(*id).filter(is_there), None)
            }
            Intent::Put { id: Some(id), hash, .. } => {
                (remote.get(*id).filter(|node| node.hash == Some(*hash)), Some(*hash))
            }
            Intent::Put { id: None, parent, name, hash } => (
                remote.children(*parent).find(|node| node.name == *name && node.hash == Some(*hash)),
                Some(*hash),
            ),
            Intent::Make { parent, name } => {
                let is_it = |node: &&RemoteNode| node.name == *name && node.kind == Kind::Folder;
                (remote.children(*parent).filter(|node| node.state == State::Live).find(is_it), None)
            }
        };
        let Some(node) = node.filter(|node| node.state == State::Live) else { continue };
        match (rows.get(&node.id).or_else(|| base.get(node.id)).cloned(), intent) {
            (Some(row), Intent::Move { parent, name, .. }) if (row.parent, &row.name) != (*parent, name) => {
                let row = BaseRow { parent: *parent, name: name.clone(), seq: Some(node.seq), ..row };
                rows.insert(row.id, row);
            }
            // Nothing was agreed on since, or the intent would be forgotten: the node came of what was sent. What was to be new
            // revived one that was deleted, whose file this is not.
            (Some(row), Intent::Put { id, .. }) if row.hash != hash => {
                let look = row.look.filter(|_| id.is_some());
                rows.insert(row.id, BaseRow { hash, seq: Some(node.seq), look, ..row });
            }
            (None, Intent::Put { id: None, .. } | Intent::Make { .. }) => {
                rows.insert(node.id, order::row_of(node, None));
            }
            _ => {}
        }
    }
    rows.into_values().collect()
}

/// What is looked at.
struct View<'a> {
    remote: &'a RemoteTree,
    base: &'a BaseTree,
    local: &'a LocalTree,
    settings: &'a Settings,
    /// Files that both sides hold as they were agreed on, and that are in none of the trees.
    still: usize,
}
