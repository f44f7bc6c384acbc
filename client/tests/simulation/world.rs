//! One server, some devices, and what happens to them meanwhile.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use holdfast_client::agent::trees::{LocalTree, Look, NodeId, What};
use holdfast_client::agent::{Act, Arriving, Disk, Done, Feed, Incoming, Put, Remote, Scan, Trouble, Wanted};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::{Chunk, Recipe};

use crate::disk::{Body, SimDisk};
use crate::edits;
use crate::rng::Rng;
use crate::scope;
use crate::server::{Server, hash_of};

/// How much goes wrong: once in so many acts; 0 for never.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The agent dies before or after an act.
    pub crash: usize,
    /// The network fails before or after an act.
    pub cut: usize,
    /// A request arrives twice.
    pub twice: usize,
    /// Somebody edits something on this device.
    pub edit: usize,
    /// Somebody edits something on the server.
    pub web: usize,
    /// A file is being written, a folder cannot be read.
    pub busy: usize,
    /// The root is not there.
    pub offline: usize,
    /// The server forgets what tokens mean.
    pub prune: usize,
}

/// All there is.
pub struct World {
    pub rng: Rng,
    pub server: Server,
    pub disks: Vec<SimDisk>,
    pub faults: Faults,
    /// The device whose agent died, so that it is begun anew.
    pub crashed: bool,
    /// Contents that people write again and again.
    pub pool: Vec<Vec<u8>>,
    pub written: u64,
    /// What went wrong for good.
    pub wrong: Vec<String>,
    /// Requests on their way that arrive late, once more.
    pub late: Vec<(Put, Vec<u8>)>,
    /// Only the first device is edited.
    pub lonely: bool,
    /// How many syncs were begun.
    pub syncs: usize,
    pub trace: Option<Vec<String>>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// Something may go wrong, or somebody may do something, around an act of an agent.
    fn around(&mut self, device: usize, is_remote: bool) -> Result<(), Trouble> {
        let Faults { crash, cut, edit, web, prune, .. } = self.faults;
        if self.rng.once_in(edit) && (device == 0 || !self.lonely) {
            edits::on_device(self, device);
        }
        if self.rng.once_in(web) {
            edits::on_server(self);
        }
        if self.rng.once_in(prune) {
            self.server.prune();
        }
        if self.rng.once_in(crash) {
            self.crashed = true;
            self.say(|| format!("{device}: the agent dies"));
            return Err(Trouble::Side("crash".to_owned()));
        }
        if is_remote && self.rng.once_in(cut) {
            self.say(|| format!("{device}: the network fails"));
            return Err(Trouble::Side("cut".to_owned()));
        }
        Ok(())
    }

    fn is_twice(&mut self) -> bool {
        let twice = self.faults.twice;
        self.rng.once_in(twice)
    }
}

/// The server as a device reaches it.
pub struct SimRemote {
    pub world: Shared,
    pub device: usize,
}

impl SimRemote {
    fn act_once<T: std::fmt::Debug>(
        &self,
        what: impl Fn() -> String,
        act: impl Fn(&mut Server) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        // Requests take their time: what is written meanwhile looks fresh no more when the answer comes.
        world.disks[self.device].now += 2;
        let done = act(&mut world.server);
        world.say(|| format!("{}: {} -> {done:?}", self.device, what()));
        if world.is_twice() {
            let _ = act(&mut world.server);
        }
        world.around(self.device, true)?;
        done
    }
}

impl SimRemote {
    fn one(&self, act: Act<Vec<u8>>) -> Result<Done, Trouble> {
        match act {
            Act::Put(put, bytes) => self.put(&put, bytes).map(Some),
            Act::MakeFolder(path) => {
                self.act_once(|| format!("make {path}"), |server| server.make_folder(path.as_str())).map(Some)
            }
            Act::Rename { from, to, expect } => self
                .act_once(
                    || format!("move {from} {to}"),
                    |server| server.rename(from.as_str(), to.as_str(), expect),
                )
                .map(|()| None),
            Act::DeleteFile(path, expect) => self
                .act_once(|| format!("delete {path}"), |server| server.delete(path.as_str(), Some(expect)))
                .map(|()| None),
            Act::DeleteFolder(path) => self
                .act_once(
                    || format!("delete folder {path}"),
                    |server| server.delete_empty_folder(path.as_str()),
                )
                .map(|()| None),
        }
    }

    fn put(&self, put: &Put, bytes: Vec<u8>) -> Result<NodeId, Trouble> {
        if hash_of(&bytes) != put.hash {
            return Err(Trouble::Changed("the content is not what was said".to_owned()));
        }
        {
            let mut world = self.world.borrow_mut();
            if world.is_twice() {
                world.late.push((put.clone(), bytes.clone()));
            }
        }
        self.act_once(
            || format!("put {} {:?} over {:?}", put.path, String::from_utf8_lossy(&bytes), put.expect),
            |server| server.put(put.path.as_str(), &bytes, put.mtime_ns, Some(put.expect)),
        )
    }

    fn content(&self, wanted: &Wanted) -> Result<Arriving, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        let server = &world.server;
        let node = server.find(wanted.path.as_str()).and_then(|id| server.get(id));
        let there = node.and_then(|node| node.hash);
        let bytes = there.and_then(|there| world.server.content(&there)).cloned();
        match bytes {
            // The answer has whatever is there; the device checks it.
            Some(bytes) if there == Some(wanted.hash) || world.rng.once_in(2) => {
                Ok(Arriving::Whole(Box::new(std::io::Cursor::new(bytes))))
            }
            _ => Err(Trouble::Changed("it is not there".to_owned())),
        }
    }
}

impl Remote for SimRemote {
    type Outgoing = Vec<u8>;

    fn feed(&self, since: Option<&str>) -> Result<Feed, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        let limit = 1 + world.rng.below(20);
        Ok(world.server.feed(since, limit))
    }

    fn act(&self, acts: Vec<Act<Vec<u8>>>) -> Vec<Result<Done, Trouble>> {
        // What goes in one request is done as a whole or not at all; when a request breaks off, nobody hears of the others.
        let mut became: Vec<Result<Done, Trouble>> =
            acts.iter().map(|_| Err(Trouble::Side("no answer".to_owned()))).collect();
        let mut acts: Vec<(usize, Act<Vec<u8>>)> = acts.into_iter().enumerate().collect();
        if acts.iter().all(|(_, act)| matches!(act, Act::Put(..))) {
            let mut world = self.world.borrow_mut();
            for end in (1..acts.len()).rev() {
                let other = world.rng.below(end + 1);
                acts.swap(end, other);
            }
        }
        for (index, act) in acts {
            became[index] = self.one(act);
            if matches!(became[index], Err(Trouble::Side(_))) {
                if self.world.borrow_mut().rng.once_in(2) {
                    became.fill_with(|| Err(Trouble::Side("no answer".to_owned())));
                }
                break;
            }
        }
        became
    }

    fn fetch(
        &self,
        wanted: &[Wanted],
        take: &mut dyn FnMut(usize, Result<Arriving, Trouble>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        for (index, wanted) in wanted.iter().enumerate() {
            let arriving = self.content(wanted);
            if let Err(Trouble::Side(_)) = &arriving {
                return arriving.map(|_| ());
            }
            take(index, arriving)?;
        }
        Ok(())
    }

    fn history(&self, id: NodeId) -> Result<Vec<ContentHash>, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        Ok(world.server.history(id))
    }
}

/// A device's disk as its agent reaches it.
pub struct SimHands {
    pub world: Shared,
    pub device: usize,
}

fn changed<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::Changed(why.to_owned()))
}

/// Whether something looks as it was judged; without a time of change, all else decides.
fn is_as_judged(look: &Look, judged: &Look) -> bool {
    let ctime_ns = if judged.ctime_ns == 0 { 0 } else { look.ctime_ns };
    Look { ctime_ns, ..*look } == *judged
}

impl SimHands {
    fn act<T: std::fmt::Debug>(
        &self,
        what: impl Fn() -> String,
        act: impl FnOnce(&mut World) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, false)?;
        let device = self.device;
        world.disks[device].now += i64::from(!world.rng.clone().once_in(3));
        let done = act(&mut world);
        world.say(|| format!("{device}: {} -> {done:?}", what()));
        world.around(self.device, false)?;
        done
    }
}

struct Scanning<'s> {
    world: &'s mut World,
    device: usize,
    known: &'s dyn Fn(&Look) -> Option<ContentHash>,
    tree: LocalTree,
}

impl Scanning<'_> {
    /// Looks again at what is in a folder, and at all that is new in it.
    fn again(&mut self, path: &str) {
        let here = self.tree.find(path).filter(|&index| self.tree.get(index).what == What::Folder);
        let (Some(index), Some(ino)) = (here, self.world.disks[self.device].find(path)) else { return };
        self.list(path, index, ino);
    }

    fn list(&mut self, folder: &str, index: usize, ino: u64) {
        let inside: Vec<(String, u64)> =
            self.world.disks[self.device].inside(ino).map(|(name, ino)| (name.clone(), ino)).collect();
        let is_gone =
            |tree: &LocalTree, child: usize| !inside.iter().any(|(name, _)| *name == tree.get(child).name);
        let gone: Vec<usize> =
            self.tree.children(index).filter(|child| is_gone(&self.tree, *child)).collect();
        gone.into_iter().for_each(|child| self.tree.remove(child));
        for (name, ino) in inside {
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let look = self.world.disks[self.device].look(ino);
            let is_folder = matches!(self.world.disks[self.device].inodes[&ino].body, Body::Folder(_));
            let known = self.tree.child(index, &name).filter(|&known| {
                let entry = self.tree.get(known);
                is_folder
                    && matches!(entry.what, What::Folder | What::Ignored)
                    && entry.look.is_same_file(&look)
            });
            if let Some(known) = known {
                self.tree.looks(known, look);
                continue;
            }
            let what = self.what(&path, ino, &look);
            let child = self.tree.add(index, &name, what, look);
            if what == What::Folder {
                self.list(&path, child, ino);
            }
        }
    }

    fn what(&mut self, path: &str, ino: u64, look: &Look) -> What {
        let World { disks, rng, faults, .. } = &mut *self.world;
        match &disks[self.device].inodes[&ino].body {
            body if self.tree.ignore().is_ignored(path, matches!(body, Body::Folder(_))) => What::Ignored,
            Body::Folder(_) if rng.once_in(faults.busy) => What::Closed,
            Body::Folder(_) => What::Folder,
            Body::File(_) if rng.once_in(faults.busy) => What::File(None),
            Body::File(bytes) => What::File(Some((self.known)(look).unwrap_or_else(|| hash_of(bytes)))),
            Body::Link => What::Other,
        }
    }
}

impl Disk for SimHands {
    type Outgoing = Vec<u8>;
    type Part = (Vec<u8>, i64);

    fn scan(
        &self,
        before: Option<(Scan, &BTreeSet<String>)>,
        known: &dyn Fn(&Look) -> Option<ContentHash>,
    ) -> Result<Scan, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, false)?;
        let Faults { offline, .. } = world.faults;
        if world.rng.once_in(offline) {
            return Err(Trouble::Side("the root is not the folder it was".to_owned()));
        }
        let disk = &world.disks[self.device];
        let rules = scope::rules_of(disk);
        let before = before.filter(|(scan, _)| scan.tree.ignore().is_same(&rules));
        let (tree, folders) = match before {
            Some((scan, folders)) => (scan.tree, folders.iter().cloned().collect()),
            None => (LocalTree::ignoring(disk.look(1), rules), vec![String::new()]),
        };
        let mut scanning = Scanning { world: &mut world, device: self.device, known, tree };
        folders.iter().for_each(|folder| scanning.again(folder));
        Ok(Scan { tree: scanning.tree, notices: Vec::new() })
    }

    fn look(&self, path: &str) -> Result<Option<Look>, Trouble> {
        let world = self.world.borrow();
        let disk = &world.disks[self.device];
        Ok(disk.find(path).map(|ino| disk.look(ino)))
    }

    fn settled(&self, look: Look) -> Look {
        let world = self.world.borrow();
        let fresh = look.ctime_ns >= world.disks[self.device].now;
        Look { ctime_ns: if fresh { 0 } else { look.ctime_ns }, ..look }
    }

    fn settle(&self) {
        self.world.borrow_mut().disks[self.device].now += 1;
    }

    fn make_folder(&self, path: &str) -> Result<Look, Trouble> {
        let device = self.device;
        self.act(
            || format!("makes {path} here"),
            |world| {
                let disk = &mut world.disks[device];
                let now = disk.now;
                match disk.make(path, Body::Folder(Default::default()), now) {
                    Some(ino) => Ok(disk.look(ino)),
                    None => changed("cannot be made"),
                }
            },
        )
    }

    fn rename(&self, from: &str, to: &str, judged: &Look) -> Result<(Look, Look), Trouble> {
        let device = self.device;
        self.act(
            || format!("moves {from} {to} here"),
            |world| {
                let disk = &mut world.disks[device];
                let Some(ino) = disk.find(from) else { return changed("nothing is there") };
                let before = disk.look(ino);
                if !before.is_same_file(judged) || !disk.rename(from, to, false) {
                    return changed("cannot be renamed");
                }
                Ok((before, disk.look(ino)))
            },
        )
    }

    fn remove_file(&self, path: &str, judged: &Look) -> Result<(), Trouble> {
        let device = self.device;
        self.act(
            || format!("removes {path} here"),
            |world| {
                let disk = &mut world.disks[device];
                let Some(ino) = disk.find(path) else { return changed("nothing is there") };
                let Some(bytes) = disk.bytes(ino).cloned() else { return changed("no file") };
                if !is_as_judged(&disk.look(ino), judged) {
                    return changed("looks otherwise");
                }
                disk.remove(path);
                world.is_safe(device, path, &bytes);
                Ok(())
            },
        )
    }

    fn remove_folder(&self, path: &str) -> Result<(), Trouble> {
        let device = self.device;
        self.act(
            || format!("removes folder {path} here"),
            |world| {
                let disk = &mut world.disks[device];
                let Some(ino) = disk.find(path) else { return changed("nothing is there") };
                match &disk.inodes[&ino].body {
                    Body::Folder(names) if names.is_empty() => {}
                    _ => return changed("something is in it"),
                }
                disk.remove(path);
                Ok(())
            },
        )
    }

    fn open(&self, path: &str, judged: &Look) -> Result<Vec<u8>, Trouble> {
        let device = self.device;
        self.act(
            || format!("opens {path} here"),
            |world| {
                let disk = &world.disks[device];
                let Some(ino) = disk.find(path) else { return changed("nothing is there") };
                match disk.bytes(ino) {
                    Some(bytes) if is_as_judged(&disk.look(ino), judged) => Ok(bytes.clone()),
                    _ => changed("looks otherwise"),
                }
            },
        )
    }

    fn chunks(&self, _: &str, _: &Look) -> Result<Vec<Chunk>, Trouble> {
        Err(Trouble::Item("no file is that large".to_owned()))
    }

    fn receive(
        &self,
        path: &str,
        content: Arriving,
        what: &Incoming,
        _: Option<&Look>,
    ) -> Result<(Self::Part, Option<Recipe>), Trouble> {
        let Arriving::Whole(mut content) = content else {
            return Err(Trouble::Item("nothing was asked for in parts".to_owned()));
        };
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| Trouble::Item(error.to_string()))?;
        self.act(
            || format!("receives {path}"),
            |_| {
                if hash_of(&bytes) != what.hash {
                    return changed("the content is not what was said");
                }
                Ok(((bytes.clone(), what.mtime_ns), None))
            },
        )
    }

    fn flush(&self) -> Result<(), Trouble> {
        self.world.borrow_mut().around(self.device, false)
    }

    fn place(
        &self,
        path: &str,
        (bytes, mtime_ns): Self::Part,
        replaces: Option<&Look>,
    ) -> Result<Look, Trouble> {
        let device = self.device;
        self.act(
            || format!("places {path} here, {:?}", String::from_utf8_lossy(&bytes)),
            |world| {
                let disk = &mut world.disks[device];
                match (disk.find(path), replaces) {
                    (None, None) => {}
                    (Some(ino), Some(judged)) => {
                        let Some(lost) = disk.bytes(ino).cloned() else { return changed("no file") };
                        if !is_as_judged(&disk.look(ino), judged) {
                            return changed("looks otherwise");
                        }
                        disk.remove(path);
                        world.is_safe(device, path, &lost);
                    }
                    _ => return changed("something else is there"),
                }
                let disk = &mut world.disks[device];
                match disk.make(path, Body::File(bytes.clone()), mtime_ns) {
                    Some(ino) => Ok(disk.look(ino)),
                    None => changed("cannot be placed"),
                }
            },
        )
    }
}

impl World {
    /// What an agent takes away has to be kept by the server.
    fn is_safe(&mut self, device: usize, path: &str, bytes: &[u8]) {
        if !self.server.keeps(&hash_of(bytes)) {
            let what = String::from_utf8_lossy(bytes).into_owned();
            self.wrong.push(format!("device {device} lost {what:?} at {path}"));
        }
    }
}
