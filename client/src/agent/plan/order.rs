//! Steps that make both sides the merged tree, in an order in which each finds what it needs.
//!
//! Folders are made, renamed and removed first, here and then there, each as soon as its folder is there, its name is free
//! and nothing is left in it; what goes round in a circle takes a passing name. Contents follow.

mod sides;

use holdfast_protocol::{ContentHash, DrivePath, Kind};

use super::entities::{All, Thing};
use super::values::{self, Value};
use super::{Entity, Plan, Receiving, Sending, Step, View};
use crate::agent::trees::{BaseRow, Look, RemoteNode, What};
use sides::Virtual;

/// A node as a row, its look apart.
pub fn row_of(node: &RemoteNode, look: Option<Look>) -> BaseRow {
    BaseRow {
        id: node.id,
        parent: node.parent.unwrap_or_default(),
        name: node.name.clone(),
        kind: node.kind,
        hash: node.hash,
        seq: Some(node.seq),
        look,
    }
}

/// Of a folder only which one it is.
pub fn look_of(kind: Kind, look: Look) -> Look {
    match kind {
        Kind::File => look,
        Kind::Folder => Look { ino: look.ino, btime_ns: look.btime_ns, ..Look::default() },
    }
}

/// Finds the steps.
pub fn steps(view: &View<'_>, all: &mut All<'_>, prefix: &str, plan: &mut Plan) {
    plan.steps.extend(all.forgotten.iter().map(|&id| Step::Forget { id }));
    for thing in &mut all.list {
        // What is here was another node, and is this one now.
        if let (Some(_), Some(was)) = (thing.remote, thing.was) {
            plan.steps.push(Step::Forget { id: was });
            thing.was = None;
        }
    }
    let folds = view.settings.folds;
    let (here, there) = (Virtual::of_device(view, all, folds), Virtual::of_server(all));
    let moved = vec![false; all.list.len()];
    let mut ordering = Ordering { view, all, prefix, plan, here, there, moved };
    ordering.structure(true);
    ordering.structure(false);
    ordering.stays();
    ordering.agreed();
    ordering.contents();
}

struct Ordering<'o, 'a> {
    view: &'o View<'a>,
    all: &'o All<'a>,
    prefix: &'o str,
    plan: &'o mut Plan,
    here: Virtual,
    there: Virtual,
    /// Renamed here by this plan: its inode's time of change is another then.
    moved: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Make,
    Move,
    Delete,
}

impl Ordering<'_, '_> {
    fn side(&self, device: bool) -> &Virtual {
        if device { &self.here } else { &self.there }
    }

    /// What has to be made, moved and deleted on one side.
    fn pending(&self, device: bool) -> Vec<(Entity, Act)> {
        let (mut makes, mut moves, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
        for (entity, thing) in self.all.list.iter().enumerate().skip(1) {
            let (is_here, is_there) = (thing.local.is_some(), thing.remote.is_some());
            let (on, other) = if device { (is_here, is_there) } else { (is_there, is_here) };
            if thing.frozen {
                continue;
            }
            if !thing.keep {
                if on && (device || !thing.leaving) {
                    deletes.push(entity);
                }
            } else if on {
                let place = self.side(device).place(entity);
                if !thing.stays_put && place != Some((thing.parent, thing.name.as_str())) {
                    moves.push(entity);
                }
            } else if other && thing.kind == Kind::Folder && !thing.stays_put {
                makes.push(entity);
            }
        }
        let depth = |entity: Entity| self.depth(entity);
        makes.sort_by_key(|&entity| depth(entity));
        deletes.sort_by_cached_key(|&entity| std::cmp::Reverse(self.side(device).depth(entity)));
        let acts = makes.into_iter().map(|entity| (entity, Act::Make));
        let acts = acts.chain(moves.into_iter().map(|entity| (entity, Act::Move)));
        acts.chain(deletes.into_iter().map(|entity| (entity, Act::Delete))).collect()
    }

    fn depth(&self, mut entity: Entity) -> usize {
        let mut depth = 0;
        while entity != 0 && depth <= self.all.list.len() {
            entity = self.all.list[entity].parent;
            depth += 1;
        }
        depth
    }

    fn structure(&mut self, device: bool) {
        let mut pending = self.pending(device);
        let mut passed = vec![false; self.all.list.len()];
        loop {
            let before = pending.len();
            let mut left = Vec::new();
            for (entity, act) in pending {
                if !self.attempt(device, entity, act) {
                    left.push((entity, act));
                }
            }
            pending = left;
            if pending.len() < before {
                continue;
            }
            let Some(entity) = self.in_the_way(device, &pending, &passed) else { return };
            passed[entity] = true;
            let name = crate::agent::names::passing(&self.all.list[entity].name, |name| {
                !self.side(device).is_free(0, name)
            });
            if !self.rename(device, entity, 0, &name, false) {
                return;
            }
        }
    }

    /// Something on its way itself that is in the way of something else: what has the name, or what keeps a folder that is
    /// to go and has the name from being empty.
    fn in_the_way(&self, device: bool, pending: &[(Entity, Act)], passed: &[bool]) -> Option<Entity> {
        let side = self.side(device);
        let moving = |entity: Entity| !passed[entity] && pending.contains(&(entity, Act::Move));
        pending.iter().filter(|(_, act)| *act != Act::Delete).find_map(|&(entity, _)| {
            let thing = &self.all.list[entity];
            let other = side.occupant(thing.parent, &thing.name).filter(|other| *other != entity)?;
            if moving(other) {
                return Some(other);
            }
            if !pending.contains(&(other, Act::Delete)) {
                return None;
            }
            let mut inside = pending.iter().map(|(entity, _)| *entity).filter(|&entity| moving(entity));
            inside.find(|&entity| side.is_within(entity, other))
        })
    }

    /// Does one act if it can be done now.
    fn attempt(&mut self, device: bool, entity: Entity, act: Act) -> bool {
        let thing = &self.all.list[entity];
        let (parent, name) = (thing.parent, thing.name.clone());
        match act {
            Act::Make => self.make(device, entity, parent, &name),
            Act::Move => self.rename(device, entity, parent, &name, true),
            Act::Delete => self.delete(device, entity),
        }
    }

    fn is_stuck(&self, path: &str) -> bool {
        self.view.settings.stuck.contains(path)
    }

    /// A path on the server, from the drive's root.
    fn drive_path(&mut self, path: &str) -> Option<DrivePath> {
        let whole = if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) };
        match DrivePath::parse_entry(&whole) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                self.plan.notices.push((path.to_owned(), why.to_string()));
                None
            }
        }
    }

    fn make(&mut self, device: bool, entity: Entity, parent: Entity, name: &str) -> bool {
        let side = self.side(device);
        if !side.is_there(parent) || !side.is_free(parent, name) {
            return false;
        }
        let path = side.path_in(parent, name);
        if self.is_stuck(&path) {
            return false;
        }
        let thing = &self.all.list[entity];
        let step = if device {
            let Some(node) = thing.remote else { return false };
            Step::MakeLocal { path, row: row_of(node, None) }
        } else {
            let Some(look) = thing.local.map(|index| self.view.local.get(index).look) else { return false };
            let was = thing.was;
            let Some(local) = self.here.path(entity) else { return false };
            let Some(path) = self.drive_path(&path) else { return false };
            Step::MakeRemote { entity, local, path, parent, name: name.to_owned(), look, was }
        };
        self.plan.steps.push(step);
        let side = if device { &mut self.here } else { &mut self.there };
        side.put(entity, parent, name);
        true
    }

    /// `final_place`: to where it belongs, not to a passing name.
    fn rename(
        &mut self,
        device: bool,
        entity: Entity,
        parent: Entity,
        name: &str,
        final_place: bool,
    ) -> bool {
        let side = self.side(device);
        let (Some(from), true) = (side.path(entity), side.is_there(parent)) else { return false };
        if side.is_within(parent, entity) || side.occupant(parent, name).is_some_and(|other| other != entity)
        {
            return false;
        }
        let to = side.path_in(parent, name);
        if self.is_stuck(&to) || self.is_stuck(&from) {
            return false;
        }
        let thing = &self.all.list[entity];
        let step = if device {
            let Some(look) = thing.local.map(|index| self.view.local.get(index).look) else { return false };
            let agrees = final_place && self.there.place(entity) == Some((parent, name));
            let id = thing.id.filter(|_| agrees && thing.base.is_some());
            let agreed = id.map(|id| (id, parent, name.to_owned()));
            Step::MoveLocal { from, to, look: look_of(thing.kind, look), agreed, leaves: thing.leaves }
        } else {
            let (Some(id), Some(node)) = (thing.id, thing.remote) else { return false };
            if final_place && self.here.place(entity) != Some((parent, name)) {
                return false;
            }
            let expect = node.hash;
            let below = to.clone();
            let (Some(from), Some(to)) = (self.drive_path(&from), self.drive_path(&to)) else { return false };
            Step::MoveRemote { id, below, from, to, expect, parent, name: name.to_owned() }
        };
        self.plan.steps.push(step);
        self.moved[entity] = true;
        let side = if device { &mut self.here } else { &mut self.there };
        side.put(entity, parent, name);
        true
    }

    fn delete(&mut self, device: bool, entity: Entity) -> bool {
        let side = self.side(device);
        let Some(path) = side.path(entity) else { return false };
        if !side.is_empty(entity) || self.is_stuck(&path) {
            return false;
        }
        let thing = &self.all.list[entity];
        let Some(id) = thing.id else { return false };
        let step = if device {
            let Some(look) = thing.local.map(|index| self.view.local.get(index).look) else { return false };
            Step::DeleteLocal { id, path, kind: thing.kind, look }
        } else {
            let expect = thing.remote.and_then(|node| node.hash);
            let below = path.clone();
            let Some(path) = self.drive_path(&path) else { return false };
            Step::DeleteRemote { id, below, path, expect }
        };
        self.plan.steps.push(step);
        let side = if device { &mut self.here } else { &mut self.there };
        side.remove(entity);
        true
    }

    /// What both hold by now and the base does not know.
    fn agreed(&mut self) {
        for (entity, thing) in self.all.list.iter().enumerate().skip(1) {
            let (Some(node), Some(index)) = (thing.remote, thing.local) else { continue };
            let is_quiet = thing.keep && !thing.frozen && !thing.stays_put && !self.moved[entity];
            if !is_quiet || values::of(self.view, thing) != Value::Same {
                continue;
            }
            let place = Some((thing.parent, thing.name.as_str()));
            if self.here.place(entity) != place || self.there.place(entity) != place {
                continue;
            }
            let row = row_of(node, Some(look_of(thing.kind, self.view.local.get(index).look)));
            if self.view.base.get(node.id) != Some(&row) {
                self.plan.steps.push(Step::Agree { row });
            }
        }
    }

    fn contents(&mut self) {
        let mut uploads = Vec::new();
        for (entity, thing) in self.all.list.iter().enumerate().skip(1) {
            if !thing.keep || thing.frozen || thing.kind != Kind::File {
                continue;
            }
            match (thing.remote, thing.local) {
                (Some(_), None) if thing.leaving => {}
                (Some(node), None) => self.download(entity, node),
                (None, Some(_)) => uploads.push(entity),
                (Some(node), Some(_)) => match values::of(self.view, thing) {
                    Value::Download => self.download(entity, node),
                    Value::Upload => uploads.push(entity),
                    _ => {}
                },
                (None, None) => {}
            }
        }
        uploads.into_iter().for_each(|entity| self.upload(entity));
    }

    /// Tells of folders that were deleted elsewhere and stay, for what is none of the server's is in them.
    fn stays(&mut self) {
        for (entity, thing) in self.all.list.iter().enumerate().skip(1) {
            if thing.keep
                || thing.frozen
                || thing.leaving
                || thing.remote.is_some()
                || thing.kind != Kind::Folder
            {
                continue;
            }
            let is_out = |child: Entity| !self.all.list[child].keep && self.all.list[child].frozen;
            if let Some(path) = self.here.path(entity).filter(|_| self.here.inside(entity).any(is_out)) {
                let why = "was deleted elsewhere; it stays here, for it holds what is ignored or left out";
                self.plan.notices.push((path, why.to_owned()));
            }
        }
    }

    fn look(&self, entity: Entity, thing: &Thing<'_>) -> Option<Look> {
        let look = self.view.local.get(thing.local?).look;
        Some(if self.moved[entity] { Look { ctime_ns: 0, ..look } } else { look })
    }

    /// What the device has of it.
    fn content(&self, thing: &Thing<'_>) -> Option<ContentHash> {
        match self.view.local.get(thing.local?).what {
            What::File(hash) => hash,
            _ => None,
        }
    }

    fn download(&mut self, entity: Entity, node: &RemoteNode) {
        let thing = &self.all.list[entity];
        if self.moved[entity] && thing.local.is_some() {
            // Renaming changed how it looks: it is replaced when it was looked at again.
            return;
        }
        let path = match self.here.path(entity) {
            Some(path) => path,
            None if self.here.is_there(thing.parent) && self.here.is_free(thing.parent, &thing.name) => {
                self.here.path_in(thing.parent, &thing.name)
            }
            None => return,
        };
        if self.is_stuck(&path) {
            return;
        }
        let Some(from) = self.there.path(entity) else { return };
        let replaces = self.look(entity, thing);
        let Some(from) = self.drive_path(&from) else { return };
        let (size, mtime_ns, row) = (node.size, node.mtime_ns, row_of(node, None));
        let base = self.content(thing);
        let receiving = Receiving { from, path, size, mtime_ns, replaces, base, row };
        self.plan.steps.push(Step::Download(receiving));
    }

    fn upload(&mut self, entity: Entity) {
        let thing = &self.all.list[entity];
        let Some(local) = self.here.path(entity) else { return };
        let (path, parent, name) = match (self.there.path(entity), self.there.place(entity)) {
            (Some(path), Some((parent, name))) => (path, parent, name.to_owned()),
            _ if self.there.is_there(thing.parent) && self.there.is_free(thing.parent, &thing.name) => {
                (self.there.path_in(thing.parent, &thing.name), thing.parent, thing.name.clone())
            }
            _ => return,
        };
        if self.is_stuck(&local) {
            return;
        }
        let (Some(hash), Some(look)) = (self.content(thing), self.look(entity, thing)) else { return };
        let (expect, was) = (thing.remote.and_then(|node| node.hash), thing.was);
        let Some(path) = self.drive_path(&path) else { return };
        let sending = Sending { entity, local, path, parent, name, hash, look, expect, was };
        self.plan.steps.push(Step::Upload(sending));
    }
}
