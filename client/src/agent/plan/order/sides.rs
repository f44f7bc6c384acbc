//! A side as it will be when the steps so far were done.

use std::collections::BTreeMap;

use holdfast_protocol::fold_key;

use crate::agent::plan::entities::All;
use crate::agent::plan::{Entity, View};

/// Where everything is on one side.
pub struct Virtual {
    at: Vec<Option<(Entity, String)>>,
    names: Vec<BTreeMap<String, Entity>>,
    folds: bool,
}

impl Virtual {
    fn empty(all: &All<'_>, folds: bool) -> Self {
        Self { at: vec![None; all.list.len()], names: vec![BTreeMap::new(); all.list.len()], folds }
    }

    /// The device, as it was walked.
    pub fn of_device(view: &View<'_>, all: &All<'_>, folds: bool) -> Self {
        let mut side = Self::empty(all, folds);
        for (index, node) in view.local.iter().skip(1) {
            side.put(all.of_local[index], all.of_local[node.parent], &node.name);
        }
        side
    }

    /// The server, as its feed told it.
    pub fn of_server(all: &All<'_>) -> Self {
        let mut side = Self::empty(all, false);
        for (entity, thing) in all.list.iter().enumerate().skip(1) {
            if let Some(node) = thing.remote
                && let Some(parent) = node.parent.and_then(|id| all.of_node.get(&id))
            {
                side.put(entity, *parent, &node.name);
            }
        }
        side
    }

    fn key(&self, name: &str) -> String {
        if self.folds { fold_key(name) } else { name.to_owned() }
    }

    /// Folder and name.
    pub fn place(&self, entity: Entity) -> Option<(Entity, &str)> {
        self.at[entity].as_ref().map(|(parent, name)| (*parent, name.as_str()))
    }

    /// Whether it is on this side; the root is.
    pub fn is_there(&self, entity: Entity) -> bool {
        entity == 0 || self.at[entity].is_some()
    }

    /// What has a name.
    pub fn occupant(&self, parent: Entity, name: &str) -> Option<Entity> {
        self.names[parent].get(&self.key(name)).copied()
    }

    /// Whether nothing has a name.
    pub fn is_free(&self, parent: Entity, name: &str) -> bool {
        self.occupant(parent, name).is_none()
    }

    /// What is in it.
    pub fn inside(&self, entity: Entity) -> impl Iterator<Item = Entity> {
        self.names[entity].values().copied()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self, entity: Entity) -> bool {
        self.names[entity].is_empty()
    }

    /// Whether something is a folder or in it.
    pub fn is_within(&self, mut entity: Entity, folder: Entity) -> bool {
        loop {
            if entity == folder {
                return true;
            }
            match &self.at[entity] {
                Some((parent, _)) if entity != 0 => entity = *parent,
                _ => return false,
            }
        }
    }

    /// How many folders are above.
    pub fn depth(&self, mut entity: Entity) -> usize {
        let mut depth = 0;
        while let Some((parent, _)) = &self.at[entity] {
            entity = *parent;
            depth += 1;
        }
        depth
    }

    /// Path from the root.
    pub fn path(&self, entity: Entity) -> Option<String> {
        let (mut parent, name) = self.place(entity)?;
        let mut names = vec![name];
        while parent != 0 {
            let (above, name) = self.place(parent)?;
            names.push(name);
            parent = above;
        }
        names.reverse();
        Some(names.join("/"))
    }

    /// Path of a name in a folder that is there.
    pub fn path_in(&self, parent: Entity, name: &str) -> String {
        match self.path(parent) {
            Some(path) => format!("{path}/{name}"),
            None => name.to_owned(),
        }
    }

    /// Puts it there, from wherever it was.
    pub fn put(&mut self, entity: Entity, parent: Entity, name: &str) {
        self.remove(entity);
        let key = self.key(name);
        self.names[parent].insert(key, entity);
        self.at[entity] = Some((parent, name.to_owned()));
    }

    /// Takes it away.
    pub fn remove(&mut self, entity: Entity) {
        if let Some((parent, name)) = self.at[entity].take() {
            let key = self.key(&name);
            if self.names[parent].get(&key) == Some(&entity) {
                self.names[parent].remove(&key);
            }
        }
    }
}
