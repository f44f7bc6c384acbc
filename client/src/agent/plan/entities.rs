//! What there is, whether it stays, and on which side its name is to be read.

use std::collections::BTreeMap;

use holdfast_protocol::Kind;

use super::matching::{self, Matches};
use super::scope::{self, Reach};
use super::values::{self, Value};
use super::{Entity, View, Withheld};
use crate::agent::trees::{BaseRow, NodeId, RemoteNode, What};

/// Said of what people put where nothing is sent from.
const NOT_SENT: &str = "lies in a folder that is left out on this device; it stays here and is not sent";
const MOVED_OUT: &str = "was moved into a folder that is left out on this device; left alone on both sides";

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
    /// It is left out from now on and goes from here: once what is here is on the server as well, and never there.
    pub leaving: bool,
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
    /// What is left alone, and why.
    pub notices: Vec<(String, String)>,
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
    judge_leaving(view, &mut all);
    guard(view, &mut all);
    settle(&mut all, view);
    all
}

/// One entity for each node that is live, each row, each entry that stands for neither.
fn gather<'a>(view: &View<'a>, matches: &Matches) -> All<'a> {
    let mut all = All {
        list: Vec::new(),
        of_node: BTreeMap::new(),
        of_local: vec![0; view.local.end()],
        withheld: None,
        forgotten: Vec::new(),
        notices: Vec::new(),
    };
    let mut walk = scope::RemoteWalk::new(view, matches);
    while let Some((node, reach, missing)) = walk.next() {
        let entity = all.list.len();
        let thing = match reach {
            Reach::Ignored => Thing { remote: Some(node), ..out(None, None, node.kind) },
            Reach::Out => Thing { remote: Some(node), ..out(Some(node.id), None, node.kind) },
            Reach::In | Reach::Leaving => Thing {
                remote: Some(node),
                base: view.base.get(node.id),
                frozen: missing,
                leaving: reach == Reach::Leaving,
                side: Side::Remote,
                ..thing(Some(node.id), matches.local_of.get(&node.id).copied(), node.kind)
            },
        };
        if reach != Reach::Ignored {
            all.of_node.insert(node.id, entity);
        }
        all.list.push(thing);
    }
    for row in view.base.iter() {
        if let Some(&entity) = all.of_node.get(&row.id) {
            // What is left out is agreed on no more.
            let thing = &all.list[entity];
            if thing.base.is_none() {
                all.forgotten.push(row.id);
            }
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
    gather_here(view, matches, &mut all);
    all
}

/// What stands in the folder: known already, or an entity of its own.
fn gather_here(view: &View<'_>, matches: &Matches, all: &mut All<'_>) {
    let places = scope::Places::of(view, matches, all);
    let mut is_out = vec![false; view.local.end()];
    for (index, node) in view.local.iter() {
        let known = matches.node_of[index].and_then(|id| all.of_node.get(&id)).copied();
        let known = known.filter(|&entity| all.list[entity].local == Some(index));
        let above = all.of_local[node.parent];
        let is_below = index != 0 && (is_out[node.parent] || all.list[above].leaving);
        if let Some(entity) = known {
            all.of_local[index] = entity;
            let is_told = is_out[node.parent] && all.list[above].remote.is_some();
            let thing = &mut all.list[entity];
            if is_below && !thing.leaving {
                is_out[index] = true;
                thing.frozen = true;
                thing.stays_put = true;
                if !is_told {
                    all.notices.push((view.local.path(index), MOVED_OUT.to_owned()));
                }
            }
            continue;
        }
        let kind = if matches!(node.what, What::Folder | What::Closed) { Kind::Folder } else { Kind::File };
        let is_told = places.has(index).then_some(!places.is_kept(index));
        let thing = if node.what == What::Ignored || is_below || is_told.is_some() {
            is_out[index] = node.what != What::Ignored;
            if is_told.unwrap_or(!is_out[node.parent]) && is_out[index] {
                all.notices.push((view.local.path(index), NOT_SENT.to_owned()));
            }
            out(None, Some(index), kind)
        } else {
            let frozen = matches!(node.what, What::Other | What::File(None));
            Thing { frozen, ..thing(None, Some(index), kind) }
        };
        all.of_local[index] = all.list.len();
        all.list.push(thing);
    }
}

/// Something that is none of this device's business: it has its name, and nothing is done to it.
fn out<'a>(id: Option<NodeId>, local: Option<usize>, kind: Kind) -> Thing<'a> {
    Thing { keep: false, frozen: true, side: Side::Remote, ..thing(id, local, kind) }
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
        leaving: false,
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

/// What is left out from now on: it goes from here as soon as the server has what is here.
fn judge_leaving(view: &View<'_>, all: &mut All<'_>) {
    for thing in &mut all.list {
        if !thing.leaving {
            // Moved to where nothing is sent from: its name there counts no more than anything else of it.
            if thing.frozen && thing.stays_put && thing.remote.is_some() {
                thing.side = Side::Remote;
            }
            continue;
        }
        let what = thing.local.map(|index| view.local.get(index).what);
        thing.stays_put = true;
        thing.side = Side::Local;
        thing.frozen |= what == Some(What::Closed);
        let value = values::of(view, thing);
        thing.frozen |= value == Value::Wait;
        thing.keep = thing.frozen || !matches!(value, Value::Same | Value::Download);
    }
}

/// Withholds deletions on the server when so much vanished here that it may not have been meant.
fn guard(view: &View<'_>, all: &mut All<'_>) {
    let files = |thing: &&Thing<'_>| thing.kind == Kind::File;
    let agreed = view.base.iter().filter(|row| row.kind == Kind::File).count() + view.still;
    let going: Vec<Entity> = (1..all.list.len())
        .filter(|&entity| {
            let thing = &all.list[entity];
            !thing.keep && !thing.frozen && !thing.leaving && thing.remote.is_some()
        })
        .collect();
    let deletes = going.iter().map(|&entity| &all.list[entity]).filter(files).count();
    let here = view.still > 0
        || all.list.iter().filter(files).any(|thing| thing.base.is_some() && thing.local.is_some());
    let few = view.settings.guard.allows(deletes, agreed);
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
                    .and_then(|index| view.local.child(index, &row.name))
                    .is_some_and(|index| matches!(view.local.get(index).what, What::Other | What::Ignored));
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
