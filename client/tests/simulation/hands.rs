//! A device's disk as its agent reaches it, while people write to it, it runs full, and the system refuses.

use std::collections::BTreeSet;

use holdfast_client::agent::trees::{LocalTree, Look, What};
use holdfast_client::agent::{Arriving, Disk, Incoming, Scan, Trouble};
use holdfast_protocol::ContentHash;
use holdfast_protocol::delta::{Chunk, Recipe};

use crate::disk::Body;
use crate::scope;
use crate::server::hash_of;
use crate::world::{Faults, Shared, World};

/// A device's disk.
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
            let is_read = (self.known)(&look).is_none();
            let what = self.what(&path, ino, &look);
            let child = self.tree.add(index, &name, what, look);
            if is_read && look.ctime_ns >= self.world.disks[self.device].now {
                self.tree.mark_fresh(child);
            }
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
    ) -> Result<(Self::Part, Option<Recipe>), Trouble> {
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
                Ok(((bytes.clone(), what.mtime_ns), None))
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
