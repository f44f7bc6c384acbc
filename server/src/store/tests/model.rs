//! A model of a file system under the seam: what programs see now, and what a power cut would leave.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use rand::Rng;
use rand::rngs::StdRng;
use rustix::io::Errno;

use crate::domain::stat::{EntryKind, Ident, Stat};
use crate::store::Phys;

/// Index of a file or folder in the model, which stays when its inode number is used again.
pub type Id = usize;

/// What a file holds. [`TORN`]: bytes that were never synced, after a power cut.
pub type Content = u64;
pub const TORN: Content = 0;

pub const ROOT: Id = 0;

pub struct Node {
    ident: Ident,
    folder: bool,
    /// Names in a folder, as programs see them.
    now: BTreeMap<String, Id>,
    /// The same as the disk has it.
    disk: BTreeMap<String, Id>,
    pub content: Content,
    pub synced: Content,
    recycled: bool,
}

/// One step of the journal: it reaches the disk whole or not at all.
struct Change {
    sets: Vec<(Id, String, Option<Id>)>,
    /// Whose names these are.
    about: Vec<Id>,
    born: Option<Id>,
    removed: Option<Id>,
    moves_folder: bool,
}

pub struct Model {
    nodes: Vec<Node>,
    /// Names that differ in case alone are one.
    pub folds_case: bool,
    /// Steps that have not reached the disk yet.
    journal: Vec<Change>,
    /// Folders that our own steps changed since the last flush.
    touched: BTreeSet<Id>,
    /// A process that died may have changed any folder.
    inherited: bool,
    births: i64,
}

fn fail<T>(errno: Errno) -> io::Result<T> {
    Err(errno.into())
}

impl Model {
    pub fn new(folders: &[&str]) -> Self {
        let mut model = Self {
            nodes: Vec::new(),
            folds_case: false,
            journal: Vec::new(),
            touched: BTreeSet::new(),
            inherited: false,
            births: 0,
        };
        model.add(true, 0, None);
        for path in folders {
            model.make_folder(path, None).ok();
        }
        model.sync_everything();
        model
    }

    // Nodes.

    fn add(&mut self, folder: bool, content: Content, reuse: Option<u64>) -> Id {
        self.births += 1;
        let ino = reuse.unwrap_or(1000 + self.nodes.len() as u64);
        let ident = Ident { ino, btime_ns: self.births };
        let (now, disk) = Default::default();
        self.nodes.push(Node { ident, folder, now, disk, content, synced: TORN, recycled: false });
        self.nodes.len() - 1
    }

    /// The inode number of something that has no name any more, neither now nor on the disk.
    fn free_ino(&mut self, rng: &mut StdRng) -> Option<u64> {
        if rng.random() {
            return None;
        }
        let mut named: HashSet<Id> = HashSet::from([ROOT]);
        for node in &self.nodes {
            named.extend(node.now.values().chain(node.disk.values()));
        }
        named.extend(self.journal.iter().flat_map(|c| c.sets.iter().filter_map(|s| s.2)));
        let free: Vec<Id> =
            (0..self.nodes.len()).filter(|id| !self.nodes[*id].recycled && !named.contains(id)).collect();
        let id = *free.get(rng.random_range(0..free.len().max(1)))?;
        self.nodes[id].recycled = true;
        Some(self.nodes[id].ident.ino)
    }

    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub fn is_folder(&self, id: Id) -> bool {
        self.nodes[id].folder
    }

    pub fn ident(&self, id: Id) -> Ident {
        self.nodes[id].ident
    }

    pub fn write(&mut self, id: Id, content: Content) {
        self.nodes[id].content = content;
    }

    // Names.

    pub fn find(&self, path: &str) -> io::Result<Id> {
        let mut at = ROOT;
        for name in path.split('/').filter(|n| !n.is_empty()) {
            if !self.nodes[at].folder {
                return fail(Errno::NOTDIR);
            }
            at = *self.nodes[at].now.get(&self.spelling(at, name)).ok_or(Errno::NOENT)?;
        }
        Ok(at)
    }

    fn place_of(&self, path: &str) -> io::Result<(Id, String)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.find(folder)?;
        let name = self.spelling(folder, name);
        if self.nodes[folder].folder { Ok((folder, name)) } else { fail(Errno::NOTDIR) }
    }

    /// How a name is written in a folder, if it is there in whatever case.
    fn spelling(&self, folder: Id, name: &str) -> String {
        let mut there = self.nodes[folder].now.keys();
        let alike = there.find(|known| self.folds_case && known.eq_ignore_ascii_case(name));
        alike.cloned().unwrap_or_else(|| name.to_owned())
    }

    fn entry(&self, place: &(Id, String)) -> Option<Id> {
        self.nodes[place.0].now.get(&place.1).copied()
    }

    fn is_within(&self, folder: Id, ancestor: Id) -> bool {
        folder == ancestor || self.nodes[ancestor].now.values().any(|&child| self.is_within(folder, child))
    }

    fn change(&mut self, sets: Vec<(Id, String, Option<Id>)>, born: Option<Id>, removed: Option<Id>) {
        let moves_folder = born.is_none()
            && removed.is_none()
            && sets.iter().any(|s| s.2.is_some_and(|id| self.nodes[id].folder));
        let mut about = Vec::new();
        for (folder, name, id) in &sets {
            about.extend(set(&mut self.nodes[*folder].now, name, *id));
            about.extend(id);
        }
        self.journal.push(Change { sets, about, born, removed, moves_folder });
    }

    fn touch(&mut self, places: [&(Id, String); 2]) {
        self.touched.extend(places.map(|place| place.0));
    }

    // What the seam offers.

    pub fn stat(&self, path: &Phys) -> io::Result<Option<Stat>> {
        let id = match self.find(path.as_str()) {
            Ok(id) => id,
            Err(_) => return Ok(None),
        };
        let node = &self.nodes[id];
        let kind = if node.folder { EntryKind::Folder } else { EntryKind::File };
        let names = self.nodes.iter().flat_map(|folder| folder.now.values());
        let nlink = names.filter(|named| **named == id).count() as u64;
        Ok(Some(Stat { ident: node.ident, kind, size: 0, mtime_ns: 0, nlink, mode: 0 }))
    }

    pub fn exchange(&mut self, a: &str, b: &str) -> io::Result<()> {
        let (a, b) = (self.place_of(a)?, self.place_of(b)?);
        let (Some(at_a), Some(at_b)) = (self.entry(&a), self.entry(&b)) else { return fail(Errno::NOENT) };
        if self.is_within(a.0, at_b) || self.is_within(b.0, at_a) {
            return fail(Errno::INVAL);
        }
        self.touch([&a, &b]);
        self.change(vec![(a.0, a.1, Some(at_b)), (b.0, b.1, Some(at_a))], None, None);
        Ok(())
    }

    pub fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.place_of(from)?, self.place_of(to)?);
        let Some(id) = self.entry(&from) else { return fail(Errno::NOENT) };
        if self.entry(&to).is_some() {
            return fail(Errno::EXIST);
        }
        if self.is_within(to.0, id) {
            return fail(Errno::INVAL);
        }
        self.touch([&from, &to]);
        self.change(vec![(from.0, from.1, None), (to.0, to.1, Some(id))], None, None);
        Ok(())
    }

    /// As `rename(2)`: replaces a file by a file, and an empty folder by a folder.
    pub fn replace(&mut self, from: &str, to: &str) -> io::Result<()> {
        let places = (self.place_of(from)?, self.place_of(to)?);
        let id = self.entry(&places.0).ok_or(Errno::NOENT)?;
        match self.entry(&places.1).filter(|there| *there != id) {
            None => {}
            Some(there) => match (self.nodes[id].folder, self.nodes[there].folder) {
                (true, false) => return fail(Errno::NOTDIR),
                (false, true) => return fail(Errno::ISDIR),
                (true, true) if !self.nodes[there].now.is_empty() => return fail(Errno::NOTEMPTY),
                (true, true) => self.remove(to)?,
                (false, false) => {}
            },
        }
        self.touch([&places.0, &places.1]);
        self.rename_over(from, to)
    }

    /// Takes a file's name away.
    pub fn remove_file(&mut self, path: &str) -> io::Result<()> {
        let place = self.place_of(path)?;
        if self.entry(&place).is_some_and(|id| self.nodes[id].folder) {
            return fail(Errno::ISDIR);
        }
        self.touch([&place, &place]);
        self.remove(path)
    }

    /// Gives a file a second name, as one of our own steps.
    pub fn add_name(&mut self, from: &str, to: &str) -> io::Result<()> {
        let places = (self.place_of(from)?, self.place_of(to)?);
        self.touch([&places.0, &places.1]);
        self.link(from, to)
    }

    pub fn remove_folder(&mut self, path: &str) -> io::Result<()> {
        let place = self.place_of(path)?;
        let id = self.entry(&place).ok_or(Errno::NOENT)?;
        if !self.nodes[id].folder {
            return fail(Errno::NOTDIR);
        }
        if !self.nodes[id].now.is_empty() {
            return fail(Errno::NOTEMPTY);
        }
        self.touch([&place, &place]);
        self.change(vec![(place.0, place.1, None)], None, Some(id));
        Ok(())
    }

    // What other programs, and our own staging, do besides.

    pub fn make_file(&mut self, path: &str, content: Content, rng: Option<&mut StdRng>) -> io::Result<Id> {
        let place = self.place_of(path)?;
        let ino = rng.and_then(|rng| self.free_ino(rng));
        let id = self.add(false, content, ino);
        self.change(vec![(place.0, place.1, Some(id))], None, None);
        Ok(id)
    }

    pub fn make_folder(&mut self, path: &str, rng: Option<&mut StdRng>) -> io::Result<Id> {
        let place = self.place_of(path)?;
        if self.entry(&place).is_some() {
            return fail(Errno::EXIST);
        }
        let ino = rng.and_then(|rng| self.free_ino(rng));
        let id = self.add(true, 0, ino);
        self.change(vec![(place.0, place.1, Some(id))], Some(id), None);
        Ok(id)
    }

    /// As `rename(2)`: replaces a file; of two links to one inode nothing is done.
    pub fn rename_over(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.place_of(from)?, self.place_of(to)?);
        let id = self.entry(&from).ok_or(Errno::NOENT)?;
        match self.entry(&to) {
            Some(there) if there == id => return Ok(()),
            Some(there) if self.nodes[there].folder || self.nodes[id].folder => return fail(Errno::EXIST),
            _ if self.is_within(to.0, id) => return fail(Errno::INVAL),
            _ => {}
        }
        self.change(vec![(from.0, from.1, None), (to.0, to.1, Some(id))], None, None);
        Ok(())
    }

    pub fn link(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (id, to) = (self.find(from)?, self.place_of(to)?);
        if self.nodes[id].folder || self.entry(&to).is_some() {
            return fail(Errno::EXIST);
        }
        self.change(vec![(to.0, to.1, Some(id))], None, None);
        Ok(())
    }

    pub fn remove(&mut self, path: &str) -> io::Result<()> {
        let place = self.place_of(path)?;
        let id = self.entry(&place).ok_or(Errno::NOENT)?;
        for name in self.nodes[id].now.keys().cloned().collect::<Vec<_>>() {
            self.remove(&format!("{path}/{name}"))?;
        }
        let removed = self.nodes[id].folder.then_some(id);
        self.change(vec![(place.0, place.1, None)], None, removed);
        Ok(())
    }

    // Durability.

    pub fn sync_file(&mut self, path: &str) -> io::Result<()> {
        let id = self.find(path)?;
        self.nodes[id].synced = self.nodes[id].content;
        let folder = self.place_of(path)?.0;
        self.persist(&BTreeSet::from([folder]));
        Ok(())
    }

    /// Our step 6: the folders that our own steps changed; at first, everything.
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.inherited) {
            return self.sync_everything();
        }
        let touched = std::mem::take(&mut self.touched);
        self.persist(&touched);
    }

    pub fn sync_everything(&mut self) {
        for change in std::mem::take(&mut self.journal) {
            self.bring_to_disk(&change);
        }
        for node in &mut self.nodes {
            node.synced = node.content;
        }
    }

    /// Brings to disk the steps that changed these folders, and what must have come before.
    fn persist(&mut self, folders: &BTreeSet<Id>) {
        let mut wanted = vec![false; self.journal.len()];
        for i in (0..self.journal.len()).rev() {
            wanted[i] |= self.journal[i].sets.iter().any(|set| folders.contains(&set.0));
            if wanted[i] {
                for (wanted, earlier) in wanted.iter_mut().zip(&self.journal[..i]) {
                    *wanted |= self.journal[i].needs(earlier);
                }
            }
        }
        let journal = std::mem::take(&mut self.journal);
        for (change, wanted) in journal.into_iter().zip(wanted) {
            if wanted {
                self.bring_to_disk(&change);
            } else {
                self.journal.push(change);
            }
        }
    }

    fn bring_to_disk(&mut self, change: &Change) {
        for (folder, name, id) in &change.sets {
            set(&mut self.nodes[*folder].disk, name, *id);
        }
    }

    /// The power fails: of the steps not yet on the disk any may have reached it, but none without what it needs; of
    /// unsynced content any part.
    pub fn power_cut(&mut self, rng: &mut StdRng) {
        let chance = f64::from(rng.random_range(0..=4)) / 4.0;
        let mut lost: Vec<Change> = Vec::new();
        for change in std::mem::take(&mut self.journal) {
            if rng.random_bool(chance) && !lost.iter().any(|earlier| change.needs(earlier)) {
                self.bring_to_disk(&change);
            } else {
                lost.push(change);
            }
        }
        self.touched.clear();
        for node in &mut self.nodes {
            node.now = node.disk.clone();
            if node.content != node.synced {
                node.content = [node.content, node.synced, TORN][rng.random_range(0..3)];
                node.synced = node.content;
            }
        }
    }

    /// The process is killed: what programs saw stays, what it had noted is gone.
    pub fn kill(&mut self) {
        self.touched.clear();
        self.inherited = true;
    }

    // Looking at the whole.

    /// Everything beneath a folder, folders before what is in them.
    pub fn list(&self, folder: &str) -> Vec<(String, Id)> {
        let mut found = Vec::new();
        if let Ok(id) = self.find(folder) {
            self.list_into(id, folder, false, &mut found);
        }
        found
    }

    fn list_into(&self, folder: Id, path: &str, on_disk: bool, found: &mut Vec<(String, Id)>) {
        let node = &self.nodes[folder];
        for (name, &id) in if on_disk { &node.disk } else { &node.now } {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            found.push((path.clone(), id));
            self.list_into(id, &path, on_disk, found);
        }
    }

    /// Contents of all files that have a name.
    pub fn contents(&self) -> BTreeSet<Content> {
        let files = self.list("").into_iter().filter(|(_, id)| !self.nodes[*id].folder);
        files.map(|(_, id)| self.nodes[id].content).collect()
    }

    /// Contents that are on the disk, under a name that is on the disk.
    pub fn durable_contents(&self) -> BTreeSet<Content> {
        let mut found = Vec::new();
        self.list_into(ROOT, "", true, &mut found);
        let synced =
            found.into_iter().map(|(_, id)| &self.nodes[id]).filter(|n| !n.folder && n.content == n.synced);
        synced.map(|node| node.content).collect()
    }
}

impl Change {
    /// Whether a file system that keeps this step has the earlier one, too: both are about the same name or the same
    /// inode, or this one is about a folder that the earlier made, filled or emptied.
    fn needs(&self, earlier: &Self) -> bool {
        let same_name = |a: &(Id, String, Option<Id>), b: &(Id, String, Option<Id>)| a.0 == b.0 && a.1 == b.1;
        self.sets.iter().any(|set| earlier.sets.iter().any(|other| same_name(set, other)))
            || self.about.iter().any(|id| earlier.about.contains(id))
            || self.sets.iter().any(|set| earlier.born == Some(set.0))
            || self.removed.is_some_and(|folder| earlier.sets.iter().any(|set| set.0 == folder))
            || (self.moves_folder && earlier.moves_folder)
    }
}

/// What had the name before.
fn set(names: &mut BTreeMap<String, Id>, name: &str, id: Option<Id>) -> Option<Id> {
    match id {
        Some(id) => names.insert(name.to_owned(), id),
        None => names.remove(name),
    }
}
