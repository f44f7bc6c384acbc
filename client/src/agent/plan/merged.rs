//! One tree of all that stays, in which each name of a folder is taken once.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::{Kind, fold_key};

use super::entities::{All, Side, Thing};
use super::values::{self, Value};
use super::{Entity, Plan, View};
use crate::agent::names;
use crate::agent::trees::What;

/// Joins what both sides made under one name, and gives a name of its own to what cannot keep the one it has.
pub fn merge<'a>(view: &View<'a>, all: &mut All<'a>, plan: &mut Plan) {
    let mut inside: Vec<Vec<Entity>> = vec![Vec::new(); all.list.len()];
    for entity in 1..all.list.len() {
        if all.list[entity].keep {
            inside[all.list[entity].parent].push(entity);
        }
    }
    let mut next = vec![0];
    while let Some(folder) = next.pop() {
        let mut merging = Merging { view, all, plan, inside: &mut inside, folder };
        merging.names();
        merging.values();
        next.extend(inside[folder].iter().copied().filter(|&entity| all.list[entity].kind == Kind::Folder));
    }
}

struct Merging<'m, 'a, 'v> {
    view: &'v View<'a>,
    all: &'m mut All<'a>,
    plan: &'m mut Plan,
    inside: &'m mut Vec<Vec<Entity>>,
    folder: Entity,
}

impl Merging<'_, '_, '_> {
    fn names(&mut self) {
        let mut groups: BTreeMap<String, Vec<Entity>> = BTreeMap::new();
        for &entity in &self.inside[self.folder] {
            let Thing { name, leaving, .. } = &self.all.list[entity];
            // What leaves makes room by itself.
            if *leaving {
                continue;
            }
            let key = if self.view.settings.folds { fold_key(name) } else { name.clone() };
            groups.entry(key).or_default().push(entity);
        }
        // Nothing new of what is in such a folder comes either.
        let closed = self.is_closed(self.folder);
        for group in groups.into_values() {
            if closed {
                group.iter().for_each(|&entity| self.leave(entity, None));
            } else {
                self.group(&group);
            }
        }
    }

    /// Whether it is a folder that this device does not hold, for it cannot.
    fn is_closed(&self, folder: Entity) -> bool {
        let thing = &self.all.list[folder];
        folder != 0 && thing.local.is_none() && thing.frozen
    }

    /// Those that want one name.
    fn group(&mut self, group: &[Entity]) {
        let from_server = |all: &All<'_>, entity: Entity| {
            let thing = &all.list[entity];
            thing.remote.is_some() && (thing.side == Side::Remote || thing.local.is_none())
        };
        let (mut theirs, ours): (Vec<_>, Vec<_>) =
            group.iter().copied().partition(|&entity| from_server(self.all, entity));
        theirs.retain(|&entity| {
            let why = names::unholdable(&self.all.list[entity].name, self.view.settings.windows);
            if why.is_some() {
                self.leave(entity, why);
            }
            why.is_none()
        });
        let other = ours.iter().copied().find(|&entity| self.is_left_alone(entity));
        if other.is_some() {
            theirs.iter().for_each(|&entity| self.leave(entity, None));
            return;
        }
        // Twins: whoever is here under this name already stays; else the one that was there first.
        theirs.sort_by_key(|&entity| {
            let thing = &self.all.list[entity];
            (!self.is_in_place(entity), thing.remote.map(|node| node.seq), thing.id)
        });
        let mut theirs = theirs.into_iter();
        let Some(winner) = theirs.next() else { return };
        theirs.for_each(|twin| self.leave(twin, Some("differs from a sibling by case or Unicode form only")));
        for entity in ours {
            self.meet(winner, entity);
        }
    }

    /// Whether an entry has its name here already.
    fn is_in_place(&self, entity: Entity) -> bool {
        let thing = &self.all.list[entity];
        thing.local.is_some_and(|index| {
            let node = self.view.local.get(index);
            node.name == thing.name && self.all.of_local[node.parent] == thing.parent
        })
    }

    fn is_left_alone(&self, entity: Entity) -> bool {
        let local = self.all.list[entity].local;
        local.is_some_and(|index| matches!(self.view.local.get(index).what, What::Other | What::File(None)))
    }

    /// Nothing is done about its name, nor anything if it is not here.
    fn leave(&mut self, entity: Entity, why: Option<&str>) {
        let thing = &mut self.all.list[entity];
        thing.stays_put = true;
        thing.frozen |= thing.local.is_none();
        if let Some(why) = why {
            let path = thing.name.clone();
            self.plan.notices.push((path, why.to_owned()));
        }
    }

    /// Something of the server's that is to have a name, and something here that has it or wants it.
    fn meet(&mut self, winner: Entity, entity: Entity) {
        let (there, here) = (&self.all.list[winner], &self.all.list[entity]);
        if there.frozen {
            self.all.list[entity].frozen = true;
            return;
        }
        if there.local.is_some() || here.remote.is_some() || there.kind != here.kind {
            return self.rename(entity);
        }
        if there.kind == Kind::Folder {
            return self.join(winner, entity);
        }
        let hash = here.local.and_then(|index| match self.view.local.get(index).what {
            What::File(hash) => hash,
            _ => None,
        });
        let (Some(hash), Some(node)) = (hash, there.remote) else { return };
        let value =
            if node.hash == Some(hash) { Value::Same } else { values::against(self.view, node.id, hash) };
        match value {
            Value::Ask => {
                self.plan.asks.push(node.id);
                self.all.list[winner].frozen = true;
                self.all.list[entity].frozen = true;
            }
            Value::Both => self.rename(entity),
            _ => self.join(winner, entity),
        }
    }

    /// They are one.
    fn join(&mut self, winner: Entity, entity: Entity) {
        let local = self.all.list[entity].local.take();
        if let Some(index) = local {
            self.all.of_local[index] = winner;
        }
        self.all.list[winner].local = local;
        self.all.list[winner].was = self.all.list[entity].was.take();
        self.all.list[entity].keep = false;
        let below = std::mem::take(&mut self.inside[entity]);
        for &child in &below {
            self.all.list[child].parent = winner;
        }
        self.inside[winner].extend(below);
        self.inside[self.folder].retain(|&other| other != entity);
    }

    /// It gets a name of its own, for people.
    fn rename(&mut self, entity: Entity) {
        let before = self.all.list[entity].name.clone();
        let name = self.free_name(self.folder, &before);
        self.plan.conflicts.push((before, name.clone()));
        self.all.list[entity].name = name;
        self.all.list[entity].side = Side::Local;
    }

    /// A name for a conflict copy that nothing has on either side.
    fn free_name(&self, folder: Entity, name: &str) -> String {
        let mut taken: BTreeSet<String> =
            self.inside[folder].iter().map(|&entity| fold_key(&self.all.list[entity].name)).collect();
        let folder = &self.all.list[folder];
        if let Some(index) = folder.local {
            taken.extend(
                self.view.local.children(index).map(|child| fold_key(&self.view.local.get(child).name)),
            );
        }
        if let Some(node) = folder.remote {
            taken.extend(self.view.remote.children(node.id).map(|child| fold_key(&child.name)));
        }
        let settings = self.view.settings;
        names::conflict_copy(name, &settings.device, &settings.time, |name| taken.contains(&fold_key(name)))
    }

    /// Files whose content changed on both sides: what is here goes to a name of its own.
    fn values(&mut self) {
        for entity in self.inside[self.folder].clone() {
            let thing = &self.all.list[entity];
            if thing.frozen {
                continue;
            }
            match values::of(self.view, thing) {
                Value::Ask => {
                    self.plan.asks.extend(thing.id);
                    self.all.list[entity].frozen = true;
                }
                Value::Both => self.part(entity),
                _ => {}
            }
        }
    }

    fn part(&mut self, entity: Entity) {
        let Some(folder) = self.folder_of_copy(entity) else {
            self.all.list[entity].frozen = true;
            return;
        };
        let name = self.free_name(folder, &self.all.list[entity].name);
        let copy = self.all.list.len();
        let thing = &mut self.all.list[entity];
        self.plan.conflicts.push((thing.name.clone(), name.clone()));
        let local = thing.local.take();
        // What could not come here under its own name does not come now either.
        thing.frozen |= thing.stays_put;
        let part = Thing {
            id: None,
            was: None,
            remote: None,
            base: None,
            local,
            kind: Kind::File,
            keep: true,
            frozen: false,
            stays_put: false,
            leaving: false,
            side: Side::Local,
            parent: folder,
            name,
            leaves: thing.base.and(thing.id),
        };
        if let Some(index) = local {
            self.all.of_local[index] = copy;
        }
        self.all.list.push(part);
        self.inside.push(Vec::new());
        self.inside[folder].push(copy);
    }

    /// Where the conflict copy of a file goes: beside it, or to where it lies now if this device cannot hold the folder that
    /// it is to be in. A copy sent there would be gone from here, and so be deleted there, again and again. `None`: neither.
    fn folder_of_copy(&self, entity: Entity) -> Option<Entity> {
        if !self.is_closed(self.folder) {
            return Some(self.folder);
        }
        let index = self.all.list[entity].local?;
        let here = self.all.of_local[self.view.local.get(index).parent];
        let thing = &self.all.list[here];
        (thing.keep && !thing.frozen && !thing.leaving).then_some(here)
    }
}
