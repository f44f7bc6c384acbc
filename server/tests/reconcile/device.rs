//! A device of the model: a disk, a person who works on it, and a client that lists the disk and follows plans.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_protocol::manifest::Claim;
use holdfast_protocol::path::{ancestors, beneath};
use holdfast_protocol::plan::{Download, Plan};
use holdfast_protocol::{ContentHash, Kind, Value};

use crate::random::Random;
use crate::server::{Refused, Server};
use crate::sync::Sending;

pub type Disk = BTreeMap<String, Value>;

#[derive(Debug, Clone, Default)]
pub struct Device {
    pub number: usize,
    pub disk: Disk,
    /// Lists folders.
    pub folders: bool,
    /// Carries out moves.
    pub moves: bool,
    /// Sends deltas once it has a token.
    pub deltas: bool,
    /// Checks what a step replaces. One that does not must be right, too, as long as nobody works on it meanwhile.
    pub careful: bool,
    /// The last answer that was stored: its token, and what had been listed.
    pub stored: Option<(u64, BTreeMap<String, Claim>)>,
    /// Paths from which the person (not a plan) removed what was there.
    pub removed: BTreeSet<String>,
    /// Contents that were ever on the disk.
    pub ever_held: BTreeSet<ContentHash>,
    /// Contents that the person gave up by choosing the server's side.
    pub given_up: BTreeSet<ContentHash>,
    /// What it cannot read at the moment.
    pub unreadable: BTreeSet<String>,
}

impl Device {
    // -- the person -------------------------------------------------------------------------------------------------------

    fn has_beneath(&self, path: &str) -> bool {
        self.disk.keys().any(|at| beneath(at, path))
    }

    fn is_blocked(&self, path: &str) -> bool {
        ancestors(path).any(|folder| self.disk.get(folder).is_some_and(|value| !value.is_folder()))
    }

    fn place(&mut self, path: &str, value: Value) {
        for folder in ancestors(path) {
            self.disk.insert(folder.to_owned(), Value::Folder);
        }
        self.disk.insert(path.to_owned(), value);
        if let Value::File(hash) = value {
            self.removed.remove(path);
            self.ever_held.insert(hash);
        }
    }

    pub fn write(&mut self, path: &str, hash: ContentHash) {
        if !self.is_blocked(path) && !self.has_beneath(path) {
            self.place(path, Value::File(hash));
        }
    }

    pub fn make_folder(&mut self, path: &str) {
        if !self.is_blocked(path) && !self.has_beneath(path) {
            if self.disk.get(path).is_some_and(|value| !value.is_folder()) {
                self.removed.insert(path.to_owned());
            }
            self.place(path, Value::Folder);
        }
    }

    pub fn remove(&mut self, path: &str) {
        let gone: Vec<String> =
            self.disk.keys().filter(|at| *at == path || beneath(at, path)).cloned().collect();
        for path in gone {
            self.disk.remove(&path);
            self.removed.insert(path);
        }
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        let is_free = from != to && !beneath(to, from) && !self.disk.contains_key(to) && !self.is_blocked(to);
        if !is_free || !self.disk.contains_key(from) {
            return;
        }
        let moved: Vec<(String, Value)> = self
            .disk
            .iter()
            .filter(|(at, _)| *at == from || beneath(at, from))
            .map(|(at, value)| (at.clone(), *value))
            .collect();
        for (at, value) in moved {
            self.disk.remove(&at);
            self.removed.insert(at.clone());
            self.place(&format!("{to}{}", &at[from.len()..]), value);
        }
    }

    /// Renames here and, by an explicit sync act, on the server, without a plan that says so.
    pub fn rename_at_once(&mut self, server: &mut Server, from: &str, to: &str) {
        let Some(held) = self.disk.get(from).copied() else { return };
        let is_free = !self.is_blocked(to) && !self.disk.contains_key(to);
        // MOVE names what it expects: the same file, or a folder.
        let is_meant = server.value(from) == Some(held);
        if is_free && is_meant && server.rename(Some(self.number), from, to, held.hash()).is_ok() {
            // What the person had deleted in that folder before is deleted at its new place.
            let inside = self.removed.iter().filter(|at| beneath(at, from));
            let moved: Vec<String> = inside.map(|at| format!("{to}{}", &at[from.len()..])).collect();
            self.rename(from, to);
            let has_file = |at: &String| matches!(self.disk.get(at), Some(Value::File(_)));
            self.removed.extend(moved.into_iter().filter(|at| !has_file(at)));
        }
    }

    /// The disk becomes what it was when this copy was made, or empty.
    pub fn replace_disk(&mut self, disk: Disk) {
        for (path, value) in &self.disk {
            if disk.get(path) != Some(value) {
                self.removed.insert(path.clone());
            }
        }
        self.disk = disk;
        for (path, value) in &self.disk {
            if !value.is_folder() {
                self.removed.remove(path);
            }
        }
    }

    // -- the client -------------------------------------------------------------------------------------------------------

    fn listing(&self) -> BTreeMap<String, Claim> {
        let mut listed = BTreeMap::new();
        for (path, value) in &self.disk {
            if self.unreadable.contains(path) {
                listed.insert(path.clone(), Claim::Unreadable);
            } else if !ancestors(path).any(|folder| self.unreadable.contains(folder))
                && (self.folders || !value.is_folder())
            {
                listed.insert(path.clone(), Claim::Held(*value));
            }
        }
        listed
    }

    /// Posts the manifest, and checks the plan against what the person did here.
    pub fn post(&mut self, server: &mut Server, confirm: Option<String>, keep_answer: bool) -> Plan {
        let listing = self.listing();
        let mut sent = Sending {
            claims: listing.clone(),
            folders: self.folders,
            moves: self.moves,
            confirm,
            complete: true,
            ..Sending::default()
        };
        if let Some((token, before)) = &self.stored {
            sent.token = Some(*token);
            sent.complete = !self.deltas;
            if self.deltas {
                let changed = listing.iter().filter(|(path, claim)| before.get(*path) != Some(*claim));
                let gone = before.keys().filter(|path| !listing.contains_key(*path));
                sent.claims = changed
                    .map(|(path, claim)| (path.clone(), *claim))
                    .chain(gone.map(|path| (path.clone(), Claim::Deleted)))
                    .collect();
            }
        }
        let before = (server.live.clone(), self.disk.clone());
        let answer = server.changes(self.number, &sent);
        let (plan, token) = answer.unwrap_or_else(|| {
            sent.claims.clone_from(&listing);
            sent.complete = true;
            server.changes(self.number, &sent).unwrap()
        });
        assert_eq!(before, (server.live.clone(), self.disk.clone()), "planning changes no content");
        self.check(&plan);
        // Something counts as unreadable that it can read or no longer has: only a whole list can say so.
        let is_unclear = plan.unsyncable.iter().any(|entry| !self.unreadable.contains(entry.path.as_str()));
        if is_unclear {
            self.stored = None;
        } else if keep_answer {
            self.stored = Some((token, listing));
        }
        plan
    }

    /// What must hold for every plan, whatever happened before.
    fn check(&self, plan: &Plan) {
        for entry in plan.deleted_by_client.iter().filter(|entry| entry.kind == Kind::File) {
            let path = entry.path.as_str();
            assert!(self.removed.contains(path), "nobody deleted {path} on device {}", self.number);
            let hash = entry.expect.unwrap();
            assert!(
                self.ever_held.contains(&hash),
                "device {} never held what it deletes at {path}",
                self.number
            );
        }
        let mut steps: Vec<&str> = Vec::new();
        steps.extend(plan.to_download.iter().map(|entry| entry.path.as_str()));
        steps.extend(plan.to_upload.iter().map(|entry| entry.path.as_str()));
        steps.extend(plan.to_move.iter().flat_map(|entry| [entry.from.as_str(), entry.to.as_str()]));
        let count = steps.len();
        steps.sort_unstable();
        steps.dedup();
        assert_eq!(steps.len(), count, "two steps for one path: {plan:?}");
        let listing = self.listing();
        for (path, _) in listing.iter().filter(|(_, claim)| **claim == Claim::Unreadable) {
            let touched = |at: &str| at == path || beneath(at, path);
            assert!(!steps.iter().any(|at| touched(at)), "{path} is left alone");
            assert!(!plan.deleted_by_client.iter().any(|entry| touched(entry.path.as_str())));
            assert!(!plan.to_delete.iter().any(|entry| touched(entry.path.as_str())));
        }
    }

    /// Follows a plan in its order, leaving steps out as `luck` has it. Between steps others may act.
    pub fn follow(&mut self, plan: &Plan, server: &mut Server, mut luck: impl FnMut(&mut Server) -> bool) {
        for entry in &plan.moved_by_client {
            if luck(server) {
                let (from, to) = (entry.from.as_str(), entry.to.as_str());
                let _ = server.rename(Some(self.number), from, to, Some(entry.expect));
            }
        }
        for entry in &plan.to_move {
            let (from, to) = (entry.from.as_str(), entry.to.as_str());
            let is_here = self.disk.get(from) == Some(&Value::File(entry.hash));
            if luck(server) && is_here && self.make_room(to) && !self.disk.contains_key(to) {
                let value = self.disk.remove(from).unwrap();
                self.place(to, value);
            }
        }
        for entry in &plan.deleted_by_client {
            if luck(server) {
                let _ = server.delete(Some(self.number), entry.path.as_str(), entry.expect);
            }
        }
        for entry in &plan.to_delete {
            let path = entry.path.as_str();
            let held = self.disk.get(path).copied();
            let expected = match entry.kind {
                Kind::Folder => held == Some(Value::Folder) && !self.has_beneath(path),
                Kind::File if self.careful => held == entry.replaces.map(Value::File),
                Kind::File => held.is_some_and(|value| !value.is_folder()),
            };
            if luck(server) && expected {
                self.give_way(server, path);
            }
        }
        for entry in &plan.to_download {
            if luck(server) {
                self.download(server, entry);
            }
        }
        for entry in &plan.to_upload {
            if luck(server) {
                let path = entry.path.as_str();
                let _ = match entry.hash {
                    Some(hash) => server.put(Some(self.number), path, hash, Some(entry.expect)),
                    None => server.make_folder(Some(self.number), path),
                };
            }
        }
    }

    fn download(&mut self, server: &Server, entry: &Download) {
        let path = entry.path.as_str();
        let Some(value) = server.value(path) else { return };
        let held = self.disk.get(path).copied();
        if held == Some(value) || self.careful && held.and_then(Value::hash) != entry.replaces {
            return;
        }
        if self.make_room(path) {
            self.give_way(server, path);
            self.place(path, value);
        }
    }

    /// A folder without files beneath gives way to a file (rule 4). False when the path is not free for a file.
    fn make_room(&mut self, path: &str) -> bool {
        let has_files = self.disk.iter().any(|(at, held)| beneath(at, path) && !held.is_folder());
        if has_files || self.is_blocked(path) {
            return false;
        }
        self.disk.retain(|at, held| !beneath(at, path) && (at != path || !held.is_folder()));
        true
    }

    /// A plan takes a content from the disk: it must not be the only place where it is.
    fn give_way(&mut self, server: &Server, path: &str) {
        if let Some(Value::File(hash)) = self.disk.remove(path) {
            let kept = server.holds(hash) || self.given_up.contains(&hash);
            assert!(kept, "device {} loses what it had at {path}", self.number);
        }
    }

    /// What only a person can settle: whether old files go or come back.
    pub fn settle_deleted_elsewhere(&mut self, plan: &Plan, server: &mut Server, random: &mut Random) {
        for entry in &plan.deleted_elsewhere {
            let path = entry.path.as_str();
            if self.disk.get(path) != Some(&Value::File(entry.hash)) {
                continue;
            }
            let refused = random.chance(50)
                || server.put(Some(self.number), path, entry.hash, Some(None)) == Err(Refused::Conflict);
            if refused {
                self.give_way(server, path);
            }
        }
    }

    /// What is on the disk, as far as this client lists it.
    pub fn tree(&self) -> Disk {
        self.disk
            .iter()
            .filter(|(_, value)| self.folders || !value.is_folder())
            .map(|(path, value)| (path.clone(), *value))
            .collect()
    }
}
