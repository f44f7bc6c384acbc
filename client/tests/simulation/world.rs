//! One server, some devices, and what happens to them meanwhile.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use holdfast_client::agent::trees::{LocalTree, Look, NodeId, What};
use holdfast_client::agent::{Act, Arriving, Disk, Done, Feed, Incoming, Remote, Scan, Trouble, Wanted};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::Chunk;

use crate::disk::{Body, SimDisk};
use crate::edits;
use crate::rng::Rng;
use crate::scope;
use crate::server::{Became, Deed, Expect, Server, hash_of};

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
    /// The server dies before it commits.
    pub dies: usize,
    /// The device's disk is full for a while.
    pub full: usize,
    /// The device's system refuses something about one file or folder.
    pub refuse: usize,
}

/// All there is.
pub struct World {
    pub rng: Rng,
    pub server: Box<dyn Server>,
    /// Contents of which the server said that it has them.
    pub acknowledged: BTreeSet<ContentHash>,
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
    pub late: Vec<Deed>,
    /// Happens on the server just before the next request of a device that asks for something to be done.
    pub before_request: Option<Deed>,
    /// Only the first device is edited.
    pub lonely: bool,
    pub trace: Option<Vec<String>>,
}

pub type Shared = Rc<RefCell<World>>;

impl World {
    /// Disks and a server on which nothing has happened yet.
    pub fn new(
        rng: Rng,
        server: Box<dyn Server>,
        disks: Vec<SimDisk>,
        faults: Faults,
        lonely: bool,
        told: bool,
    ) -> Self {
        Self {
            rng,
            server,
            acknowledged: BTreeSet::new(),
            disks,
            faults,
            crashed: false,
            pool: Vec::new(),
            written: 0,
            wrong: Vec::new(),
            late: Vec::new(),
            before_request: None,
            lonely,
            trace: told.then(Vec::new),
        }
    }

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
            let all = self.rng.once_in(2);
            self.server.forget(all);
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

fn deed_of(act: Act<Vec<u8>>) -> Result<Deed, Trouble> {
    Ok(match act {
        Act::Put(put, bytes) => {
            if hash_of(&bytes) != put.hash {
                return Err(Trouble::Changed("the content is not what was said".to_owned()));
            }
            let expect = put.expect.map_or(Expect::Nothing, Expect::Content);
            Deed::Put { path: put.path.to_string(), bytes: bytes.into(), mtime_ns: put.mtime_ns, expect }
        }
        Act::MakeFolder(path) => Deed::MakeFolder(path.as_str().to_owned()),
        Act::Rename { from, to, expect } => {
            Deed::Rename { from: from.as_str().to_owned(), to: to.as_str().to_owned(), expect }
        }
        Act::DeleteFile(path, expect) => {
            Deed::Delete { path: path.as_str().to_owned(), expect: Some(expect), only_empty: false }
        }
        Act::DeleteFolder(path) => {
            Deed::Delete { path: path.as_str().to_owned(), expect: None, only_empty: true }
        }
    })
}

impl SimRemote {
    /// Acts that travel in one request.
    fn request(&self, deeds: &[Deed]) -> Vec<Became> {
        let ends = |why: Trouble| deeds.iter().map(|_| Err(why.clone())).collect();
        let mut world = self.world.borrow_mut();
        for deed in deeds {
            if world.is_twice() {
                world.late.push(deed.clone());
            }
        }
        if let Err(why) = world.around(self.device, true) {
            return ends(why);
        }
        if let Some(deed) = world.before_request.take() {
            world.does(deed).unwrap();
        }
        // Requests take their time: what is written meanwhile looks fresh no more when the answer comes.
        world.disks[self.device].now += 2;
        let dies = world.faults.dies;
        if world.rng.once_in(dies) {
            world.say(|| format!("{}: the server dies over {deeds:?}", self.device));
            world.server.dies(deeds);
            return ends(Trouble::Side("no answer".to_owned()));
        }
        let became = world.do_all(deeds);
        for (deed, became) in deeds.iter().zip(&became) {
            if became.is_ok() {
                world.is_known(self.device, deed);
            }
            world.say(|| format!("{}: {deed:?} -> {became:?}", self.device));
        }
        if world.is_twice() {
            world.do_all(deeds);
        }
        if let Err(why) = world.around(self.device, true) {
            return ends(why);
        }
        became
    }

    fn content(&self, wanted: &Wanted) -> Result<Arriving, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, true)?;
        let there = world.server.look(wanted.path.as_str()).map(|(_, hash)| hash);
        let bytes = there.and_then(|there| world.server.memory().content(&there)).cloned();
        match bytes {
            // The answer has whatever is there; the device checks it.
            Some(bytes) if there == Some(wanted.hash) || world.rng.once_in(2) => {
                Ok(Arriving::Whole(Box::new(std::io::Cursor::new(bytes.to_vec()))))
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
        // When a request breaks off, nobody hears of the others.
        let mut became: Vec<Result<Done, Trouble>> =
            acts.iter().map(|_| Err(Trouble::Side("no answer".to_owned()))).collect();
        let is_ordered = acts.iter().any(|act| !matches!(act, Act::Put(..)));
        let mut deeds = Vec::new();
        for (index, act) in acts.into_iter().enumerate() {
            match deed_of(act) {
                Ok(deed) => deeds.push((index, deed)),
                Err(why) => became[index] = Err(why),
            }
        }
        let together = {
            let mut world = self.world.borrow_mut();
            if !is_ordered {
                for end in (1..deeds.len()).rev() {
                    let other = world.rng.below(end + 1);
                    deeds.swap(end, other);
                }
            }
            // Many in a request, or each by itself.
            if world.rng.once_in(2) { 256 } else { 1 }
        };
        for request in deeds.chunks(together) {
            let (indices, deeds): (Vec<usize>, Vec<Deed>) = request.iter().cloned().unzip();
            let answers = self.request(&deeds);
            let is_over = answers.iter().any(|answer| matches!(answer, Err(Trouble::Side(_))));
            for (index, answer) in indices.into_iter().zip(answers) {
                became[index] = answer;
            }
            if is_over {
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

impl World {
    /// Whether a device has room for something new; a full disk ends what its agent does (`local::trouble`).
    fn has_room(&mut self, device: usize) -> Result<(), Trouble> {
        let Faults { full, .. } = self.faults;
        if self.rng.once_in(full) {
            self.disks[device].full = 1 + self.rng.below(12);
        }
        let left = &mut self.disks[device].full;
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        self.say(|| format!("{device}: the disk is full"));
        Err(Trouble::Side("this device's disk is full".to_owned()))
    }

    /// Whether the system lets an agent do something about one file or folder.
    fn is_let(&mut self, what: &str) -> Result<(), Trouble> {
        let Faults { refuse, .. } = self.faults;
        if !self.rng.once_in(refuse) {
            return Ok(());
        }
        self.say(|| format!("{what} is refused"));
        Err(Trouble::Item(format!("{what}: permission denied")))
    }
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

impl Disk for SimHands {
    type Outgoing = Vec<u8>;
    type Part = (Vec<u8>, i64);

    fn scan(&self, known: &dyn Fn(&Look) -> Option<ContentHash>) -> Result<Scan, Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, false)?;
        let world = &mut *world;
        let Faults { busy, offline, .. } = world.faults;
        if world.rng.once_in(offline) {
            return Err(Trouble::Side("the root is not the folder it was".to_owned()));
        }
        let disk = &world.disks[self.device];
        let mut tree = LocalTree::ignoring(disk.look(1), scope::rules_of(disk));
        let mut closed: BTreeSet<usize> = BTreeSet::new();
        for (path, ino) in disk.paths() {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let Some(parent) = tree.find(folder).filter(|parent| !closed.contains(parent)) else { continue };
            let look = disk.look(ino);
            let what = match &disk.inodes[&ino].body {
                body if tree.ignore().is_ignored(&path, matches!(body, Body::Folder(_))) => What::Ignored,
                Body::Folder(_) if world.rng.once_in(busy) => What::Closed,
                Body::Folder(_) => What::Folder,
                Body::File(_) if world.rng.once_in(busy) => What::File(None),
                Body::File(bytes) => What::File(Some(known(&look).unwrap_or_else(|| hash_of(bytes)))),
                Body::Link => What::Other,
            };
            let index = tree.add(parent, name, what, look);
            if matches!(what, What::Closed | What::Ignored) {
                closed.insert(index);
            }
        }
        Ok(Scan { tree, notices: Vec::new() })
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
                world.has_room(device)?;
                world.is_let(path)?;
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
                world.is_let(from)?;
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
                world.is_let(path)?;
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
                world.is_let(path)?;
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
                world.is_let(path)?;
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
    ) -> Result<Self::Part, Trouble> {
        let Arriving::Whole(mut content) = content else {
            return Err(Trouble::Item("nothing was asked for in parts".to_owned()));
        };
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| Trouble::Item(error.to_string()))?;
        let device = self.device;
        self.act(
            || format!("receives {path}"),
            |world| {
                world.has_room(device)?;
                if hash_of(&bytes) != what.hash {
                    return changed("the content is not what was said");
                }
                Ok((bytes.clone(), what.mtime_ns))
            },
        )
    }

    fn flush(&self) -> Result<(), Trouble> {
        let mut world = self.world.borrow_mut();
        world.around(self.device, false)?;
        world.has_room(self.device)
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
                world.has_room(device)?;
                world.is_let(path)?;
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
    /// Has the server do what comes in one request.
    pub fn do_all(&mut self, deeds: &[Deed]) -> Vec<Became> {
        let became = self.server.acts(deeds);
        for (deed, became) in deeds.iter().zip(&became) {
            if let (Deed::Put { bytes, .. }, Ok(_)) = (deed, became) {
                self.acknowledged.insert(hash_of(bytes));
            }
        }
        if let Some(fault) = self.server.fault() {
            self.wrong.push(fault);
        }
        became
    }

    /// Has the server do one thing.
    pub fn does(&mut self, deed: Deed) -> Became {
        self.do_all(std::slice::from_ref(&deed)).pop().unwrap()
    }

    /// What an agent deletes or replaces on the server, its device has to have held: else nobody here has ever seen it.
    fn is_known(&mut self, device: usize, deed: &Deed) {
        let (path, gone) = match deed {
            Deed::Delete { path, expect: Some(hash), .. } => (path, hash),
            Deed::Put { path, expect: Expect::Content(hash), .. } => (path, hash),
            _ => return,
        };
        if !self.disks[device].held.contains(gone) {
            self.wrong.push(format!("device {device} took {gone} away from {path}, which it never held"));
        }
    }

    /// What an agent takes away has to be kept by the server.
    fn is_safe(&mut self, device: usize, path: &str, bytes: &[u8]) {
        if !self.server.memory().keeps(&hash_of(bytes)) {
            let what = String::from_utf8_lossy(bytes).into_owned();
            self.wrong.push(format!("device {device} lost {what:?} at {path}"));
        }
    }
}
