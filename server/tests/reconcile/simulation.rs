//! Whole lives of several devices, in random order: edits, deletes, renames, half-followed plans, lost disks, restored
//! older copies, folders, resolutions, other users' edits.

use std::collections::BTreeSet;

use holdfast_protocol::ContentHash;
use holdfast_protocol::plan::Plan;
use holdfastd::domain::reconcile::Guard;
use holdfastd::domain::reconcile::resolution::{Outcome, Resolution};

use crate::device::{Device, Disk};
use crate::random::{Random, for_seeds};
use crate::server::Server;

pub const PATHS: [&str; 11] = ["f", "g", "h", "d", "d/x", "d/y", "d.t", "e", "e/x", "e/s", "e/s/z"];
pub const RESOLUTIONS: [Resolution; 4] =
    [Resolution::KeepLocal, Resolution::KeepServer, Resolution::CreateVersion, Resolution::KeepBoth];
/// As many rounds as it may take until all hold the same once nobody works any more.
const ROUNDS: usize = 14;

/// A household.
pub struct World {
    pub server: Server,
    pub devices: Vec<Device>,
    copies: Vec<Option<Device>>,
    contents: u16,
}

pub const fn content(number: u16) -> ContentHash {
    let mut bytes = [7; 32];
    [bytes[0], bytes[1]] = number.to_be_bytes();
    ContentHash::from_bytes(bytes)
}

impl World {
    pub fn new(random: &mut Random, most_devices: usize) -> Self {
        let devices: Vec<Device> = (0..=random.below(most_devices))
            .map(|number| Device {
                number,
                folders: random.chance(50),
                moves: random.chance(50),
                deltas: random.chance(50),
                careful: random.chance(50),
                ..Device::default()
            })
            .collect();
        let guard = if random.chance(30) { Guard { files: 2, percent: 20 } } else { Guard::default() };
        let mut server = Server::default();
        server.guard = guard;
        Self { server, copies: vec![None; devices.len()], devices, contents: 0 }
    }

    /// Mostly something new, sometimes one that was there before, sometimes nothing at all.
    pub fn some_content(&mut self, random: &mut Random) -> ContentHash {
        match random.below(10) {
            0 => ContentHash::EMPTY,
            1..=3 if self.contents > 0 => {
                content(u16::try_from(random.below(usize::from(self.contents))).unwrap())
            }
            _ => self.new_content(),
        }
    }

    pub fn new_content(&mut self) -> ContentHash {
        self.contents += 1;
        content(self.contents - 1)
    }

    /// One thing happens in the household.
    pub fn step(&mut self, random: &mut Random) {
        let device = random.below(self.devices.len());
        match random.below(20) {
            0..=7 => self.work(device, random),
            8 | 9 => self.others_work(random),
            10 => self.copies[device] = Some(self.devices[device].clone()),
            11 if random.chance(60) => self.misfortune(device, random),
            12 => {
                let open: Vec<_> = self.server.conflicts.keys().cloned().collect();
                if !open.is_empty() {
                    let (device, path) = random.pick(&open);
                    self.settle(device, &path, random);
                }
            }
            13 => {
                let path = random.pick(&PATHS).to_owned();
                if !self.devices[device].unreadable.remove(&path) && random.chance(30) {
                    self.devices[device].unreadable.insert(path);
                }
            }
            14 => {
                let (from, to) = (random.pick(&PATHS), random.pick(&PATHS));
                self.devices[device].rename_at_once(&mut self.server, from, to);
            }
            _ => {
                self.sync(device, random, false);
            }
        }
    }

    /// The person at a device does something.
    pub fn work(&mut self, device: usize, random: &mut Random) {
        let path = random.pick(&PATHS);
        match random.below(10) {
            0..=4 => {
                let hash = self.some_content(random);
                self.devices[device].write(path, hash);
            }
            5 | 6 => self.devices[device].remove(path),
            7 | 8 => self.devices[device].rename(path, random.pick(&PATHS)),
            _ => self.devices[device].make_folder(path),
        }
    }

    /// Somebody else changes the drive through the mount.
    pub fn others_work(&mut self, random: &mut Random) {
        let hash = self.some_content(random);
        others_work(&mut self.server, hash, random);
    }

    fn misfortune(&mut self, device: usize, random: &mut Random) {
        let copy = self.copies[device].clone();
        let this = &mut self.devices[device];
        match random.below(5) {
            0 => {
                this.replace_disk(Disk::new());
                if random.chance(50) {
                    this.stored = None;
                }
            }
            1 | 2 => {
                if let Some(copy) = copy {
                    this.replace_disk(copy.disk);
                    this.stored = copy.stored;
                }
            }
            3 => this.stored = None,
            _ => {
                self.server.reset(device);
                this.stored = None;
            }
        }
    }

    /// A manifest, and its plan followed as far as luck has it. True when there was nothing to do.
    pub fn sync(&mut self, device: usize, random: &mut Random, faithful: bool) -> bool {
        let this = &mut self.devices[device];
        let keep_answer = faithful || random.chance(80);
        let mut plan = this.post(&mut self.server, None, keep_answer);
        if plan.needs_confirmation.is_some() {
            if random.chance(50) {
                plan = self.confirm(device);
            } else if faithful {
                self.server.reset(device);
                self.devices[device].stored = None;
                plan = self.devices[device].post(&mut self.server, None, true);
            }
        }
        let is_quiet = is_quiet(&plan) && plan.deleted_elsewhere.is_empty() && plan.unsyncable.is_empty();
        let hash = self.some_content(random);
        let this = &mut self.devices[device];
        let half = !faithful && random.chance(40);
        this.follow(&plan, &mut self.server, |server| {
            if !faithful && random.chance(3) {
                others_work(server, hash, random);
            }
            !half || random.chance(60)
        });
        if faithful || random.chance(30) {
            this.settle_deleted_elsewhere(&plan, &mut self.server, random);
        }
        is_quiet
    }

    /// A person says yes to what is withheld. That set is named exactly, so it is asked once more where the device now
    /// sends the token and with it tells more.
    pub fn confirm(&mut self, device: usize) -> Plan {
        let this = &mut self.devices[device];
        let mut plan = this.post(&mut self.server, None, true);
        for _ in 0..2 {
            let Some(withheld) = plan.needs_confirmation else { break };
            assert!(!withheld.deletes.is_empty() || !withheld.reverts.is_empty());
            plan = this.post(&mut self.server, Some(withheld.token), true);
        }
        assert_eq!(plan.needs_confirmation, None, "a confirmation releases what it names");
        plan
    }

    /// A person settles one of a device's conflicts, bringing its content if that is asked for.
    pub fn settle(&mut self, device: usize, path: &str, random: &mut Random) {
        let contested = self.server.conflicts[&(device, path.to_owned())].open.client_hash;
        for _ in 0..20 {
            let resolution = random.pick(&RESOLUTIONS);
            match self.server.settle(device, path, resolution) {
                Outcome::NeedsUpload => self.server.bring_candidate(device, path),
                Outcome::KindsDiffer | Outcome::ServerMoved => {}
                Outcome::Settled { .. } => {
                    if resolution == Resolution::KeepServer {
                        self.devices[device].given_up.insert(contested);
                    }
                    return;
                }
            }
        }
    }

    fn settle_all(&mut self, random: &mut Random) {
        let open: Vec<_> = self.server.conflicts.keys().cloned().collect();
        for (device, path) in open {
            self.settle(device, &path, random);
        }
    }

    /// Everybody stops working, syncs and settles what is open, until there is nothing left to do.
    pub fn come_to_rest(&mut self, random: &mut Random) {
        for device in &mut self.devices {
            device.unreadable.clear();
        }
        for _ in 0..ROUNDS {
            self.settle_all(random);
            let mut is_quiet = true;
            for device in 0..self.devices.len() {
                is_quiet &= self.sync(device, random, true);
            }
            if is_quiet && self.server.conflicts.is_empty() {
                break;
            }
        }
        for device in &self.devices {
            assert_eq!(
                device.tree(),
                self.server.tree(device.folders),
                "device {} holds the same",
                device.number
            );
        }
    }
}

pub fn others_work(server: &mut Server, hash: ContentHash, random: &mut Random) {
    let (path, other) = (random.pick(&PATHS), random.pick(&PATHS));
    let _ = match random.below(6) {
        0..=2 => server.put(None, path, hash, None),
        3 => server.delete(None, path, None),
        4 => server.make_folder(None, path),
        _ => server.rename(None, path, other, None),
    };
}

pub fn is_quiet(plan: &Plan) -> bool {
    plan.to_download.is_empty()
        && plan.to_delete.is_empty()
        && plan.to_upload.is_empty()
        && plan.to_move.is_empty()
        && plan.moved_by_client.is_empty()
        && plan.deleted_by_client.is_empty()
        && plan.needs_confirmation.is_none()
}

fn live(random: &mut Random, most_devices: usize, steps: usize) {
    let mut world = World::new(random, most_devices);
    let mut uploaded = BTreeSet::new();
    for _ in 0..steps {
        world.step(random);
        uploaded.extend(world.server.live.values().filter_map(|node| node.value.hash()));
        uploaded.extend(world.server.conflicts.values().filter_map(|conflict| conflict.candidate));
    }
    world.come_to_rest(random);
    for hash in uploaded {
        assert!(world.server.holds(hash), "{hash} was here and cannot be reached any more");
    }
}

#[test]
fn nothing_is_lost_and_all_come_to_hold_the_same() {
    for_seeds(20_000, |random| {
        let steps = 5 + random.below(30);
        live(random, 3, steps);
    });
}

#[test]
fn one_device_and_other_users_come_to_hold_the_same() {
    for_seeds(15_000, |random| {
        let steps = 3 + random.below(16);
        live(random, 1, steps);
    });
}
