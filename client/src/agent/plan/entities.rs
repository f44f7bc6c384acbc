//! What there is, whether it stays, and on which side its name is to be read.

use std::collections::BTreeMap;

use holdfast_protocol::Kind;

use super::matching::{self, Matches};
use super::{Entity, View, Withheld};
use crate::agent::trees::{BaseRow, NodeId, RemoteNode, State, What};

/// Fewer deletions than this need no confirmation, unless they are all there is (algorithms B rule 9).
const FEW: usize = 50;

/// Whose name and folder count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The server's.
    Remote,
    /// The device's.
    Local,
}

/// Something that device or server hold.
pub struct Thing<'a> {
    /// The node, if it is one on the server now.
    pub id: Option<NodeId>,
    /// A node that it was: what is here now is new to the server.
    pub was: Option<NodeId>,
    /// The server's side, if it is live there.
    pub remote: Option<&'a RemoteNode>,
    /// What both held last, as far as it still counts.
    pub base: Option<&'a BaseRow>,
    /// The device's side.
    pub local: Option<usize>,
    /// File or folder.
    pub kind: Kind,
    /// It stays (or comes).
    pub keep: bool,
    /// Nothing is done to it on either side.
    pub frozen: bool,
    /// It keeps its name and folder on either side for now.
    pub stays_put: bool,
    /// Whose name and folder count.
    pub side: Side,
    /// The folder it is to be in.
    pub parent: Entity,
    /// The name it is to have.
    pub name: String,
    /// It takes this node's content to a name of its own; the node's row is to forget how the file looked.
    pub leaves: Option<NodeId>,
}

/// All of it. Index 0 is the root.
pub struct All<'a> {
    /// By entity.
    pub list: Vec<Thing<'a>>,
    /// By node.
    pub of_node: BTreeMap<NodeId, Entity>,
    /// By entry of the folder.
    pub of_local: Vec<Entity>,
    /// Deletions that a person has to confirm.
    pub withheld: Option<Withheld>,
    /// Rows of what neither side holds.
    pub forgotten: Vec<NodeId>,
}

/// Decides what stays.
pub fn decide<'a>(view: &View<'a>) -> All<'a> {
    let matches = matching::find(view);
    let mut all = gather(view, &matches);
    let unknown = Unknown::of(view, &matches);
    all.forgotten.retain(|id| !unknown.contains(*id));
    let moved = judge_locals(view, &matches, &mut all);
    judge_absent(view, &mut all, &unknown);
    choose_sides(&mut all, &moved);
    guard(view, &mut all);
    settle(&mut all, view);
    all
}

/// One entity for each node that is live, each row, each entry that stands for neither.
fn gather<'a>(view: &View<'a>, matches: &Matches) -> All<'a> {
    let mut all = All {
        list: Vec::new(),
        of_node: BTreeMap::new(),
        of_local: vec![0; view.local.len()],
        withheld: None,
        forgotten: Vec::new(),
    };
    let mut live: Vec<(&RemoteNode, bool)> =
        view.remote.get(view.settings.root).map(|root| (root, false)).into_iter().collect();
    let mut next = 0;
    while let Some(&(node, missing)) = live.get(next) {
        next += 1;
        let missing = missing || node.state == State::Missing;
        live.extend(
            view.remote
                .children(node.id)
                .filter(|child| child.state != State::Dead)
                .map(|child| (child, missing)),
        );
        let entity = all.list.len();
        all.of_node.insert(node.id, entity);
        let base = view.base.get(node.id);
        let local = matches.local_of.get(&node.id).copied();
        all.list.push(Thing {
            remote: Some(node),
            base,
            frozen: missing,
            side: Side::Remote,
            ..thing(Some(node.id), local, node.kind)
        });
    }
    for row in view.base.iter() {
        if all.of_node.contains_key(&row.id) {
            continue;
        }
        let local = matches.local_of.get(&row.id).copied();
        if local.is_none() {
            all.forgotten.push(row.id);
            continue;
        }
        all.of_node.insert(row.id, all.list.len());
        all.list.push(Thing { base: Some(row), ..thing(Some(row.id), local, row.kind) });
    }
    for (index, node) in view.local.iter() {
        all.of_local[index] = if let Some(entity) = matches.node_of[index].and_then(|id| all.of_node.get(&id))
        {
            *entity
        } else {
            let kind =
                if matches!(node.what, What::Folder | What::Closed) { Kind::Folder } else { Kind::File };
            let frozen = matches!(node.what, What::Other | What::File(None));
            all.list.push(Thing { frozen, ..thing(None, Some(index), kind) });
            all.list.len() - 1
        };
    }
    all
}

fn thing<'a>(id: Option<NodeId>, local: Option<usize>, kind: Kind) -> Thing<'a> {
    Thing {
        id,
        was: None,
        remote: None,
        base: None,
        local,
        kind,
        keep: true,
        frozen: false,
        stays_put: false,
        side: Side::Local,
        parent: 0,
        name: String::new(),
        leaves: None,
    }
}

/// What is here: whether it was renamed, and what becomes of it where the server no longer has it. Returns who was.
fn judge_locals(view: &View<'_>, matches: &Matches, all: &mut All<'_>) -> Vec<bool> {
    let mut moved = vec![false; all.list.len()];
    // Whatever was moved here lives on, and what is in it, although the server deleted it.
    let mut carried = vec![false; all.list.len()];
    for (index, node) in view.local.iter().skip(1) {
        let entity = all.of_local[index];
        let above = all.of_local[node.parent];
        let thing = &mut all.list[entity];
        let Some(row) = thing.base else { continue };
        moved[entity] = matches.node_of[node.parent] != Some(row.parent) || node.name != row.name;
        if thing.remote.is_some() {
            continue;
        }
        carried[entity] = moved[entity] || carried[above];
        let edited = matches!(node.what, What::File(hash) if hash != row.hash);
        if node.what == What::Closed || node.what == What::File(None) {
            thing.frozen = true;
        } else if carried[entity] || edited {
            become_new(thing);
        } else {
            thing.keep = false;
        }
    }
    moved
}

/// What is here is no longer what the server deleted.
fn become_new(thing: &mut Thing<'_>) {
    thing.was = thing.id.take();
    thing.base = None;
    thing.keep = true;
}

/// What is not here any more: deleted, unless the server changed it meanwhile.
fn judge_absent(view: &View<'_>, all: &mut All<'_>, unknown: &Unknown) {
    let moving = all.list.iter().any(|thing| {
        thing.base.is_none()
            && thing.local.is_some_and(|index| view.local.get(index).what == What::File(None))
    });
    let mut brought = vec![false; all.list.len()];
    for entity in 1..all.list.len() {
        let above = all.list[entity].remote.and_then(|node| node.parent).and_then(|id| all.of_node.get(&id));
        let above = above.is_some_and(|above| brought[*above]);
        let thing = &mut all.list[entity];
        let (Some(node), Some(row), None) = (thing.remote, thing.base, thing.local) else {
            continue;
        };
        let moved = (node.parent, &node.name) != (Some(row.parent), &row.name);
        let touched = row.seq.is_some_and(|seq| seq != node.seq);
        brought[entity] = above || moved || touched;
        if unknown.contains(row.id) || (moving && thing.kind == Kind::File) {
            // What is being written under a new name may be this very file.
            thing.frozen = true;
        } else if !brought[entity] && node.hash == row.hash {
            thing.keep = thing.frozen;
        }
    }
}

fn choose_sides(all: &mut All<'_>, moved: &[bool]) {
    for (entity, thing) in all.list.iter_mut().enumerate() {
        let (Some(node), Some(_)) = (thing.remote, thing.local) else { continue };
        let by_server =
            thing.base.is_some_and(|row| (node.parent, &node.name) != (Some(row.parent), &row.name));
        thing.side = if !by_server && moved[entity] { Side::Local } else { Side::Remote };
    }
}

/// Withholds deletions on the server when so much vanished here that it may not have been meant.
fn guard(view: &View<'_>, all: &mut All<'_>) {
    let files = |thing: &&Thing<'_>| thing.kind == Kind::File;
    let agreed = view.base.iter().filter(|row| row.kind == Kind::File).count();
    let going: Vec<Entity> = (1..all.list.len())
        .filter(|&entity| !all.list[entity].keep && all.list[entity].remote.is_some())
        .collect();
    let deletes = going.iter().map(|&entity| &all.list[entity]).filter(files).count();
    let here = all.list.iter().filter(files).any(|thing| thing.base.is_some() && thing.local.is_some());
    let few = deletes <= FEW.max(agreed / 5);
    if deletes == 0 || (few && (here || agreed < 2)) {
        return;
    }
    let paths: Vec<String> = going
        .iter()
        .filter(|&&entity| all.list[entity].kind == Kind::File)
        .filter_map(|&entity| all.list[entity].id)
        .map(|id| path_below(view, id))
        .collect();
    let token = token_of(going.iter().filter_map(|&entity| all.list[entity].remote));
    if view.settings.confirmed.as_deref() == Some(token.as_str()) {
        return;
    }
    for entity in going {
        all.list[entity].keep = true;
        all.list[entity].frozen = true;
    }
    all.withheld = Some(Withheld { token, paths });
}

/// A node's path below the root of what is synced.
fn path_below(view: &View<'_>, id: NodeId) -> String {
    let above = view.remote.names_to(view.settings.root).map_or(0, |names| names.len());
    view.remote.names_to(id).map(|names| names[above.min(names.len())..].join("/")).unwrap_or_default()
}

/// Names a set of nodes as they are now.
fn token_of<'a>(nodes: impl Iterator<Item = &'a RemoteNode>) -> String {
    let mut hasher = holdfast_disk::Hasher::new();
    for node in nodes {
        hasher.update(node.id.as_bytes());
        hasher.update(&node.seq.to_be_bytes());
    }
    hasher.finish().to_string().chars().take(16).collect()
}

/// Finds the folder of each, keeps folders that something stays in, and undoes renames here that would lead in a circle.
fn settle(all: &mut All<'_>, view: &View<'_>) {
    loop {
        place(all, view);
        revive_folders(all);
        let turned = turn_circles(all);
        if !turned {
            return;
        }
    }
}

fn place(all: &mut All<'_>, view: &View<'_>) {
    for entity in 1..all.list.len() {
        let thing = &all.list[entity];
        let here = thing.local.map(|index| view.local.get(index));
        let (parent, name) = match (thing.side, thing.remote, here) {
            (Side::Remote, Some(node), _) | (Side::Local, Some(node), None) => {
                let above = node.parent.and_then(|id| all.of_node.get(&id)).copied().unwrap_or(0);
                (above, node.name.clone())
            }
            (_, _, Some(node)) => (all.of_local[node.parent], node.name.clone()),
            (_, None, None) => (0, String::new()),
        };
        all.list[entity].parent = parent;
        all.list[entity].name = name;
    }
}

fn revive_folders(all: &mut All<'_>) {
    for entity in 1..all.list.len() {
        if !all.list[entity].keep {
            continue;
        }
        let mut above = all.list[entity].parent;
        while !all.list[above].keep {
            let folder = &mut all.list[above];
            if folder.remote.is_none() {
                become_new(folder);
            }
            folder.keep = true;
            above = folder.parent;
        }
    }
}

/// True when something was turned.
fn turn_circles(all: &mut All<'_>) -> bool {
    // 0: not seen, else the round in which it was.
    let mut seen = vec![0; all.list.len()];
    seen[0] = 1;
    for start in 1..all.list.len() {
        let round = start + 1;
        let mut at = start;
        while seen[at] == 0 {
            seen[at] = round;
            at = all.list[at].parent;
        }
        if seen[at] != round || at == 0 {
            continue;
        }
        let first = at;
        let mut turned = false;
        loop {
            let thing = &mut all.list[at];
            if thing.side == Side::Local && thing.remote.is_some() {
                thing.side = Side::Remote;
                turned = true;
            }
            at = thing.parent;
            if at == first {
                break;
            }
        }
        if turned {
            return true;
        }
    }
    false
}

/// Rows whose place could not be seen: neither held nor deleted.
struct Unknown(std::collections::BTreeSet<NodeId>);

impl Unknown {
    fn of(view: &View<'_>, matches: &Matches) -> Self {
        let mut unknown = std::collections::BTreeSet::new();
        let mut inside: BTreeMap<NodeId, Vec<&BaseRow>> = BTreeMap::new();
        for row in view.base.iter() {
            inside.entry(row.parent).or_default().push(row);
        }
        let mut above = vec![(view.settings.root, false)];
        while let Some((folder, hidden)) = above.pop() {
            let here = matches.local_of.get(&folder).copied();
            let hidden = match here {
                Some(index) => view.local.get(index).what == What::Closed,
                None => hidden,
            };
            for row in inside.remove(&folder).unwrap_or_default() {
                let covered = here
                    .and_then(|index| view.local.children(index).get(&row.name))
                    .is_some_and(|index| view.local.get(*index).what == What::Other);
                if hidden || covered {
                    unknown.insert(row.id);
                }
                above.push((row.id, hidden || covered));
            }
        }
        Self(unknown)
    }

    fn contains(&self, id: NodeId) -> bool {
        self.0.contains(&id)
    }
}
