//! A plan's steps, taken in groups: what is alike and does not wait for each other is done, made durable and noted together.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use holdfast_protocol::DrivePath;

use super::{Engine, Report};
use crate::agent::contract::{Disk, Remote, Trouble};
use crate::agent::plan::{Entity, Plan, Settings, Step};
use crate::agent::trees::NodeId;

/// So often a step may find something else than it expected before it is left to the next sync.
const TRIES: usize = 4;
/// Most steps of a group, and most bytes that are sent by one.
const MOST: usize = 1_000;
/// Most contents that are sent by one: between two groups nothing is on its way, and both sides wait for each other.
const MOST_SENT: usize = 4_000;
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// What a round needs besides the engine.
pub(super) struct Run<'r> {
    pub settings: &'r mut Settings,
    pub tries: &'r mut BTreeMap<String, usize>,
    pub report: &'r mut Report,
    /// The node of each entity.
    pub ids: Vec<Option<NodeId>>,
    /// What looked fresh was waited for.
    pub is_settled: bool,
}

impl Run<'_> {
    pub fn count(&mut self, what: &'static str) {
        *self.report.done.entry(what).or_default() += 1;
    }

    /// Takes note of a step that could not be done.
    ///
    /// # Errors
    /// When nothing more can be done on that side.
    pub fn failed(&mut self, key: &str, trouble: Trouble) -> Result<(), Trouble> {
        let why = match trouble {
            Trouble::Side(why) => return Err(Trouble::Side(why)),
            Trouble::Item(why) => why,
            Trouble::Changed(why) => {
                // What a history said may be out of date as well.
                self.settings.histories.clear();
                let tried = self.tries.entry(key.to_owned()).or_default();
                *tried += 1;
                if *tried < TRIES {
                    return Ok(());
                }
                why
            }
        };
        self.report.failed.push((key.to_owned(), why));
        self.settings.stuck.insert(key.to_owned());
        Ok(())
    }

    /// The node of an entity that has to have one by now.
    pub fn id_of(&self, entity: Entity) -> Result<NodeId, Trouble> {
        let id = self.ids.get(entity).copied().flatten();
        id.ok_or_else(|| Trouble::Changed("the folder above was not made".to_owned()))
    }
}

/// What kind of steps go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Notes,
    MakeHere,
    MoveHere,
    DeleteHere,
    MakeThere,
    MoveThere,
    DeleteThere,
    Receive,
    Send,
}

impl Class {
    fn of(step: &Step) -> Self {
        match step {
            Step::Agree { .. } | Step::Forget { .. } => Self::Notes,
            Step::MakeLocal { .. } => Self::MakeHere,
            Step::MoveLocal { .. } => Self::MoveHere,
            Step::DeleteLocal { .. } => Self::DeleteHere,
            Step::MakeRemote { .. } => Self::MakeThere,
            Step::MoveRemote { .. } => Self::MoveThere,
            Step::DeleteRemote { .. } => Self::DeleteThere,
            Step::Download(_) => Self::Receive,
            Step::Upload(_) => Self::Send,
        }
    }

    fn most(self) -> usize {
        match self {
            Self::MoveHere => 1,
            // These are taken apart as they arrive.
            Self::Notes | Self::Receive => usize::MAX,
            Self::Send => MOST_SENT,
            _ => MOST,
        }
    }
}

/// Steps that go together.
struct Group {
    class: Class,
    steps: Vec<Step>,
    bytes: u64,
    paths: Apart,
}

impl Group {
    fn begun_by(step: &Step) -> Self {
        Self { class: Class::of(step), steps: Vec::new(), bytes: 0, paths: Apart::default() }
    }

    /// Adds a step if it belongs here and need not wait for one that is here already.
    fn takes(&mut self, step: &Step, ids: &[Option<NodeId>]) -> bool {
        if self.steps.is_empty() {
            self.add(step);
            return true;
        }
        let is_known = |entity: Entity| ids.get(entity).copied().flatten().is_some();
        let waits = match step {
            Step::MakeRemote { parent, .. } => !is_known(*parent),
            Step::MoveRemote { parent, from, to, .. } => {
                !is_known(*parent) || !self.paths.are_apart(from) || !self.paths.are_apart(to)
            }
            _ => false,
        };
        let is_full = self.steps.len() >= self.class.most() || self.bytes >= MOST_BYTES;
        if Class::of(step) != self.class || waits || is_full {
            return false;
        }
        self.add(step);
        true
    }

    fn add(&mut self, step: &Step) {
        match step {
            Step::Upload(sending) => self.bytes += sending.look.size,
            Step::MoveRemote { from, to, .. } => {
                self.paths.add(from);
                self.paths.add(to);
            }
            _ => {}
        }
    }
}

/// Paths of which none lies within another.
#[derive(Default)]
struct Apart {
    paths: HashSet<String>,
    above: HashSet<String>,
}

impl Apart {
    fn are_apart(&self, path: &DrivePath) -> bool {
        let path = path.as_str();
        !self.above.contains(path)
            && !self.paths.contains(path)
            && !folders(path).any(|above| self.paths.contains(above))
    }

    fn add(&mut self, path: &DrivePath) {
        let path = path.as_str();
        self.paths.insert(path.to_owned());
        self.above.extend(folders(path).map(str::to_owned));
    }
}

/// The folders that a path lies in.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    /// Does what a plan says, as far as it can be done.
    ///
    /// # Errors
    /// [`Trouble::Side`] when one side cannot be used; what was done until then is noted.
    pub(super) fn carry_out(&mut self, mut plan: Plan, run: &mut Run<'_>) -> Result<(), Trouble> {
        let mut steps = std::mem::take(&mut plan.steps).into_iter().peekable();
        while let Some(step) = steps.peek() {
            if run.settings.stop.load(Ordering::Relaxed) {
                return Err(Trouble::Side("stopped".to_owned()));
            }
            let mut group = Group::begun_by(step);
            while let Some(step) = steps.next_if(|step| group.takes(step, &run.ids)) {
                group.steps.push(step);
            }
            let is_done = match group.class {
                Class::Notes => self.agree(group.steps)?,
                Class::MakeHere | Class::MoveHere | Class::DeleteHere => self.here(group.steps, run)?,
                Class::MakeThere | Class::MoveThere | Class::DeleteThere => self.there(group.steps, run)?,
                Class::Receive => self.receive(group.steps, run)?,
                Class::Send => self.send(group.steps, run)?,
            };
            // What has to be looked at again can be; but where something was not made or moved, later steps count on it.
            if !is_done
                && matches!(
                    group.class,
                    Class::MakeHere | Class::MoveHere | Class::MakeThere | Class::MoveThere
                )
            {
                return Ok(());
            }
        }
        Ok(())
    }
}
