//! The server of the model: a tree, every version ever written, agreements, conflicts. It decides nothing itself: plans,
//! acts and resolutions are asked of the module under test.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::path::{ancestors, beneath};
use holdfast_protocol::path_map::PathMapBuilder;
use holdfast_protocol::{ContentHash, Kind, PathMap, Value};
use holdfastd::domain::reconcile::resolution::Open;
use holdfastd::domain::reconcile::{Guard, Row, ServerNode, acts};

/// Why an act was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// 404
    NotFound,
    /// 409
    Conflict,
    /// 412
    Faster,
}

/// A conflict of a device.
#[derive(Debug, Clone)]
pub struct Contested {
    pub open: Open,
    pub candidate: Option<ContentHash>,
}

#[derive(Debug, Clone)]
pub struct Life {
    pub versions: Vec<ContentHash>,
    pub path: String,
    pub live: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Server {
    pub live: BTreeMap<String, ServerNode>,
    pub lives: Vec<Life>,
    /// Nodes that ever lived at a path.
    pub lived_at: BTreeMap<String, BTreeSet<i64>>,
    seq: i64,
    pub rows: BTreeMap<usize, BTreeMap<String, Row>>,
    pub tokens: BTreeMap<usize, u64>,
    pub last_token: u64,
    pub conflicts: BTreeMap<(usize, String), Contested>,
    pub closed: BTreeSet<ContentHash>,
    pub guard: Guard,
}

pub fn map<'a, T: Clone + 'a>(entries: impl IntoIterator<Item = (&'a String, &'a T)>) -> PathMap<T> {
    let mut builder = PathMapBuilder::new();
    for (path, value) in entries {
        builder.push(path, value.clone()).unwrap();
    }
    builder.finish().unwrap()
}

impl Server {
    pub fn value(&self, path: &str) -> Option<Value> {
        self.live.get(path).map(|node| node.value)
    }

    pub fn is_file(&self, path: &str) -> bool {
        self.value(path).is_some_and(|value| !value.is_folder())
    }

    fn has_files_beneath(&self, folder: &str) -> bool {
        self.live.iter().any(|(path, node)| beneath(path, folder) && !node.value.is_folder())
    }

    /// Contents of every node that ever lived at a path.
    pub fn history(&self, path: &str) -> BTreeSet<ContentHash> {
        let nodes = self.lived_at.get(path).into_iter().flatten();
        nodes.flat_map(|id| self.life(*id).versions.clone()).collect()
    }

    /// Every content that a person can still get at: in the tree, in history or in a conflict.
    pub fn holds(&self, hash: ContentHash) -> bool {
        hash == ContentHash::EMPTY
            || self.closed.contains(&hash)
            || self.lives.iter().any(|life| life.versions.contains(&hash))
            || self.conflicts.values().any(|conflict| conflict.candidate == Some(hash))
    }

    pub fn life(&self, id: i64) -> &Life {
        &self.lives[usize::try_from(id).unwrap() - 1]
    }

    pub fn life_mut(&mut self, id: i64) -> &mut Life {
        &mut self.lives[usize::try_from(id).unwrap() - 1]
    }

    fn next_seq(&mut self) -> i64 {
        self.seq += 1;
        self.seq
    }

    fn make_folders(&mut self, path: &str) -> Result<(), Refused> {
        let mut above: Vec<String> = ancestors(path).map(str::to_owned).collect();
        above.reverse();
        if above.iter().any(|folder| self.is_file(folder)) {
            return Err(Refused::Conflict);
        }
        for folder in above {
            if !self.live.contains_key(&folder) {
                self.add(&folder, Value::Folder);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, value: Value) {
        let dead = self.lived_at.get(path).into_iter().flatten().copied().find(|id| {
            let life = self.life(*id);
            !life.live && life.path == path && life.versions.is_empty() == value.is_folder()
        });
        let id = dead.unwrap_or_else(|| {
            self.lives.push(Life { versions: Vec::new(), path: path.to_owned(), live: true });
            i64::try_from(self.lives.len()).unwrap()
        });
        self.life_mut(id).live = true;
        self.lived_at.entry(path.to_owned()).or_default().insert(id);
        let seq = self.next_seq();
        let version = u32::try_from(self.life(id).versions.len()).unwrap();
        self.live
            .insert(path.to_owned(), ServerNode { id, value, seq, size: 1, modified_at_ns: seq, version });
    }

    pub fn write(&mut self, path: &str, hash: ContentHash) -> Result<(), Refused> {
        if self.value(path) == Some(Value::Folder) {
            if self.has_files_beneath(path) {
                return Err(Refused::Conflict);
            }
            self.remove(path);
        }
        self.make_folders(path)?;
        match self.live.get(path).map(|node| node.id) {
            Some(id) => {
                let seq = self.next_seq();
                let node = self.live.get_mut(path).unwrap();
                (node.value, node.seq) = (Value::File(hash), seq);
                self.life_mut(id).versions.push(hash);
            }
            None => {
                self.add(path, Value::File(hash));
                let id = self.live[path].id;
                self.life_mut(id).versions.push(hash);
            }
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) {
        self.next_seq();
        for inner in self.subtree(path) {
            let node = self.live.remove(&inner).unwrap();
            self.life_mut(node.id).live = false;
        }
    }

    fn subtree(&self, path: &str) -> Vec<String> {
        self.live.keys().filter(|at| *at == path || beneath(at, path)).cloned().collect()
    }

    // -- acts; with a device they are its explicit sync acts ------------------------------------------------------------

    /// PUT. `expect`: `Some(None)` for If-None-Match, `None` for no condition.
    pub fn put(
        &mut self,
        device: Option<usize>,
        path: &str,
        hash: ContentHash,
        expect: Option<Option<ContentHash>>,
    ) -> Result<(), Refused> {
        let server = self.value(path);
        if server != Some(Value::File(hash)) {
            let file = server.and_then(Value::hash);
            if expect.is_some_and(|expected| expected != file) {
                if let Some(device) = device {
                    self.contest(device, path, hash);
                    self.conflicts.get_mut(&(device, path.to_owned())).unwrap().candidate = Some(hash);
                }
                return Err(Refused::Faster);
            }
            self.write(path, hash)?;
        }
        if let Some(device) = device {
            self.change_row(device, path, |row, node| Some(acts::put(row, node.unwrap())));
        }
        Ok(())
    }

    pub fn make_folder(&mut self, device: Option<usize>, path: &str) -> Result<(), Refused> {
        if self.is_file(path) {
            return Err(Refused::Conflict);
        }
        if !self.live.contains_key(path) {
            self.make_folders(path)?;
            self.add(path, Value::Folder);
        }
        if let Some(device) = device {
            self.change_row(device, path, |row, node| Some(acts::put(row, node.unwrap())));
        }
        Ok(())
    }

    pub fn delete(
        &mut self,
        device: Option<usize>,
        path: &str,
        expect: Option<ContentHash>,
    ) -> Result<(), Refused> {
        let value = self.value(path).ok_or(Refused::NotFound)?;
        if expect.is_some() && value.hash() != expect {
            return Err(Refused::Faster);
        }
        if device.is_some() && value.is_folder() && self.has_files_beneath(path) {
            return Err(Refused::Conflict);
        }
        let gone = self.subtree(path);
        self.remove(path);
        if let Some(device) = device {
            for path in gone {
                self.change_row(device, &path, |row, _| row.and_then(acts::deleted));
            }
        }
        Ok(())
    }

    pub fn rename(
        &mut self,
        device: Option<usize>,
        from: &str,
        to: &str,
        expect: Option<ContentHash>,
    ) -> Result<(), Refused> {
        let value = self.value(from).ok_or(Refused::NotFound)?;
        if expect.is_some() && value.hash() != expect {
            return Err(Refused::Faster);
        }
        if to == from || beneath(to, from) || self.live.contains_key(to) {
            return Err(Refused::Conflict);
        }
        self.make_folders(to)?;
        let before = map(self.live.iter().filter(|(path, _)| *path == from || beneath(path, from)));
        for inner in self.subtree(from) {
            let mut node = self.live.remove(&inner).unwrap();
            let target = format!("{to}{}", &inner[from.len()..]);
            node.seq = self.next_seq();
            self.life_mut(node.id).path.clone_from(&target);
            self.lived_at.entry(target.clone()).or_default().insert(node.id);
            self.live.insert(target, node);
        }
        if let Some(device) = device {
            let after = map(self.live.iter().filter(|(path, _)| *path == to || beneath(path, to)));
            let rows = map(self.rows.entry(device).or_default().iter());
            let changed = acts::moved(&acts::Moved { from, to, rows: &rows, before: &before, after: &after });
            self.apply(device, &changed.unwrap());
        }
        Ok(())
    }

    fn change_row(
        &mut self,
        device: usize,
        path: &str,
        change: impl FnOnce(Option<Row>, Option<&ServerNode>) -> Option<Row>,
    ) {
        let rows = self.rows.entry(device).or_default();
        let row = change(rows.remove(path), self.live.get(path));
        if let Some(row) = row {
            rows.insert(path.to_owned(), row);
        }
    }

    pub fn apply(&mut self, device: usize, changed: &PathMap<Option<Row>>) {
        let rows = self.rows.entry(device).or_default();
        for (path, row) in changed.iter() {
            match row {
                Some(row) => rows.insert(path.to_owned(), row.clone()),
                None => rows.remove(path),
            };
        }
    }

    /// Files alone, or with folders.
    pub fn tree(&self, folders: bool) -> BTreeMap<String, Value> {
        let shown = |value: &Value| folders || value.kind() == Kind::File;
        self.live
            .iter()
            .map(|(path, node)| (path.clone(), node.value))
            .filter(|(_, value)| shown(value))
            .collect()
    }
}
