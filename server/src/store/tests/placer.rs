//! The serial placer with its marks and barriers, crashes and recovery: what `service::placement` does with `place()`.

use super::model::Content;
use super::sim::{Died, Sim, Step};
use crate::domain::stat::{EntryKind, Ident};
use crate::store::place::place;
use crate::store::{Barriers, Done, How, Op, OpKind, Outcome, Phys, Why};

impl Sim {
    /// Step 6. The ops placed so far are not redone any more.
    pub fn mark(&mut self) -> Step {
        self.alive()?;
        self.machine.0.borrow_mut().model.flush();
        self.alive()?;
        self.say(|| format!("  mark {}", self.done));
        self.placed_seq = self.done;
        self.ops.retain(|(op, _)| op.seq > self.placed_seq);
        self.parked.append(&mut self.parking);
        self.barriers.marked();
        Ok(())
    }

    fn needs_barrier(&self, op: &Op) -> bool {
        let is_folder = [&op.path, op.target()].into_iter().any(|path| {
            let stat = self.machine.0.borrow().model.stat(path);
            stat.is_ok_and(|s| s.is_some_and(|s| s.ident == op.ident && s.kind == EntryKind::Folder))
        });
        self.barriers.needed(op, is_folder)
    }

    /// Places the next op; false when there is none, or the drive has a problem.
    pub fn place_next(&mut self) -> Result<bool, Died> {
        let Some((op, node)) = self.ops.iter().find(|(op, _)| op.seq > self.done).cloned() else {
            return Ok(false);
        };
        if self.needs_barrier(&op) {
            self.mark()?;
        }
        self.alive()?;
        self.say(|| format!("  place {} {:?} {} {:?}", op.seq, op.kind, op.path, op.dst));
        let before = self.at(&op.path);
        let outcome = place(&self.machine, &op);
        self.say(|| format!("    {outcome:?}"));
        self.machine.0.borrow().check_nothing_lost("placing");
        self.check_left_alone(&op, before);
        self.alive()?;
        self.barriers.placed(&op, &outcome);
        self.spread_taint(&op, &outcome);
        match outcome {
            Outcome::Degraded(_) => return Ok(false),
            Outcome::Parked(parked) => {
                if parked.why == Why::Forbidden {
                    self.taint(&op);
                }
                self.parking.push((op.clone(), node));
            }
            Outcome::Done(Done { how: How::Adopted(ident), .. }) => {
                self.nodes[node].ident = ident;
                for (later, _) in self.ops.iter_mut().filter(|(_, of)| *of == node) {
                    later.ident = ident;
                }
            }
            Outcome::Done(_) => {}
        }
        self.done = op.seq;
        Ok(true)
    }

    fn at(&self, path: &Phys) -> Option<Ident> {
        let world = self.machine.0.borrow();
        world.model.find(path.as_str()).ok().map(|id| world.model.ident(id))
    }

    /// What is deleted or moved is what the op names, never another thing that has come to stand there.
    fn check_left_alone(&self, op: &Op, before: Option<Ident>) {
        let named = [Some(op.ident), op.displaced];
        let races = self.machine.0.borrow().races > 0.0;
        if !matches!(op.kind, OpKind::Put | OpKind::Mkdir)
            && !races
            && before.is_some()
            && !named.contains(&before)
        {
            assert_eq!(
                self.at(&op.path),
                before,
                "{} is not what op {} was about, and was moved",
                op.path,
                op.seq
            );
        }
    }

    /// Places again what could not be placed, where it belongs by now. All ops are placed.
    pub fn retry(&mut self) -> Step {
        self.mark()?;
        for (mut op, node) in std::mem::take(&mut self.parked) {
            if self.is_dead(node) || self.nodes[node].ident != op.ident {
                continue;
            }
            let path = self.path(node);
            match op.kind {
                OpKind::Put | OpKind::Mkdir => op.path = path,
                OpKind::Mv | OpKind::MvOver => op.dst = Some(path),
                OpKind::Del => continue,
            }
            self.say(|| format!("  retry {} {:?} {} {:?}", op.seq, op.kind, op.path, op.dst));
            let outcome = place(&self.machine, &op);
            self.say(|| format!("    {outcome:?}"));
            self.machine.0.borrow().check_nothing_lost("a retry");
            self.taint(&op);
            if !matches!(outcome, Outcome::Done(_)) {
                self.parked.push((op, node));
            }
            self.alive()?;
        }
        self.mark()
    }

    /// Nothing is promised of where a thing is when another program had a hand in it, or a right was refused.
    fn taint(&self, op: &Op) {
        let mut world = self.machine.0.borrow_mut();
        world.tainted.extend([op.ident].into_iter().chain(op.displaced));
        for path in [&op.path, op.target()] {
            world.tainted_paths.insert(path.to_string());
        }
    }

    fn spread_taint(&self, op: &Op, outcome: &Outcome) {
        let world = self.machine.0.borrow();
        let hindered =
            !matches!(outcome, Outcome::Done(Done { how: How::InPlace, .. }) | Outcome::Degraded(_));
        let tainted = [op.ident].into_iter().chain(op.displaced).any(|ident| world.tainted.contains(&ident))
            || [&op.path, op.target()].into_iter().any(|path| world.is_tainted(path.as_str()));
        let tainted = tainted || (hindered && !world.tainted.is_empty());
        drop(world);
        if tainted {
            self.taint(op);
        }
    }

    // Crashes.

    pub fn crash(&mut self, power: bool) {
        self.say(|| if power { "POWER CUT".to_owned() } else { "KILL".to_owned() });
        let mut world = self.machine.0.borrow_mut();
        world.crash_in = None;
        if power {
            world.power_cut();
        } else {
            world.model.kill();
        }
        drop(world);
        self.barriers = Barriers::default();
        self.parking.clear();
        self.done = self.placed_seq;
        self.machine.0.borrow().check_nothing_lost("a crash");
    }

    /// What is done before a drive serves: slots nobody knows are discarded, every op beyond the mark is placed anew.
    pub fn recover(&mut self) -> Step {
        self.say(|| "RECOVERY".to_owned());
        for slot in std::mem::take(&mut self.staged) {
            if !self.slots.contains(&slot) {
                self.machine.0.borrow_mut().model.remove(Phys::slot(slot).as_str()).ok();
            }
        }
        self.drain()
    }

    /// Places everything, through all refusals.
    pub fn drain(&mut self) -> Step {
        while self.done < self.head_seq {
            self.place_next()?;
        }
        Ok(())
    }

    /// Every file in the tree and in slots, by path.
    pub fn snapshot(&self) -> Vec<(String, Ident, Content)> {
        let world = self.machine.0.borrow();
        let all = world.model.list("").into_iter();
        all.map(|(path, id)| (path, world.model.ident(id), world.model.node(id).content)).collect()
    }
}
