//! One server, some devices, and what happens to them meanwhile.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use holdfast_client::agent::Trouble;
use holdfast_protocol::ContentHash;

use crate::disk::SimDisk;
use crate::edits;
use crate::rng::Rng;
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
    /// Somebody writes this to a device's file, with this time, while the content comes that is to replace it.
    pub while_it_comes: Option<(String, Vec<u8>, i64)>,
    /// Only the first device is edited.
    pub lonely: bool,
    /// How many syncs were begun.
    pub syncs: usize,
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
            while_it_comes: None,
            lonely,
            syncs: 0,
            trace: told.then(Vec::new),
        }
    }

    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// Something may go wrong, or somebody may do something, around an act of an agent.
    pub fn around(&mut self, device: usize, is_remote: bool) -> Result<(), Trouble> {
        let Faults { crash, cut, edit, web, prune, .. } = self.faults;
        if self.rng.once_in(edit) && (device == 0 || !self.lonely) {
            edits::on_device(self, device);
        }
        if self.rng.once_in(web) {
            edits::on_server(self);
        }
        if self.rng.once_in(prune) {
            self.server.forget();
        }
        // Whoever dies before he notes what has come takes it for his own later.
        if (device == 0 || !self.lonely) && self.rng.once_in(crash) {
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

    pub fn is_twice(&mut self) -> bool {
        let twice = self.faults.twice;
        self.rng.once_in(twice)
    }

    /// Whether a device has room for something new; a full disk ends what its agent does (`local::trouble`).
    pub fn has_room(&mut self, device: usize) -> Result<(), Trouble> {
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
    pub fn is_let(&mut self, what: &str) -> Result<(), Trouble> {
        let Faults { refuse, .. } = self.faults;
        if !self.rng.once_in(refuse) {
            return Ok(());
        }
        self.say(|| format!("{what} is refused"));
        Err(Trouble::Item(format!("{what}: permission denied")))
    }

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
    pub fn is_known(&mut self, device: usize, deed: &Deed) {
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
    pub fn is_safe(&mut self, device: usize, path: &str, bytes: &[u8]) {
        if !self.server.memory().keeps(&hash_of(bytes)) {
            let what = String::from_utf8_lossy(bytes).into_owned();
            self.wrong.push(format!("device {device} lost {what:?} at {path}"));
        }
    }
}
