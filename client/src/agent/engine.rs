//! The engine: pulls the feed, walks the folder, plans, does the steps, and begins anew until nothing is left to do.

mod groups;
mod here;
mod landing;
mod there;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use holdfast_protocol::ContentHash;

use super::contract::{Disk, Remote, Scan, Trouble};
use super::plan::{self, Plan, Settings, Step, Withheld};
use super::store::{Memory, Note, Store};
use super::trees::Look;
use groups::Run;

/// So often a sync looks anew; whoever goes on changing things meanwhile is met by the next sync.
const ROUNDS: usize = 30;
/// Contents of files that are not agreed on, kept so that they are not hashed in each round.
const REMEMBERED: usize = 100_000;

/// Keeps one folder and one drive alike.
pub struct Engine<R, D> {
    /// The server.
    pub remote: R,
    /// The device.
    pub disk: D,
    store: Store,
    memory: Memory,
    contents: RefCell<HashMap<Look, ContentHash>>,
    /// Looks that were so fresh when they were judged that a change since might not show in them.
    fresh: RefCell<HashSet<Look>>,
    /// Contents that could not be put together from parts: they travel whole from now on.
    whole: HashSet<ContentHash>,
}

/// What a sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many steps of each kind were done.
    pub done: BTreeMap<&'static str, usize>,
    /// Bytes that came.
    pub received: u64,
    /// Bytes that went.
    pub sent: u64,
    /// What was left alone, and why.
    pub notices: Vec<(String, String)>,
    /// What could not be done, and why.
    pub failed: Vec<(String, String)>,
    /// Both changed: which file, and where the device's content is kept.
    pub conflicts: Vec<(String, String)>,
    /// What a person has to confirm.
    pub withheld: Option<Withheld>,
    /// Nothing was left to do but what is listed above.
    pub quiet: bool,
}

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    /// With what the store remembers.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn new(remote: R, disk: D, store: Store) -> Result<Self, Trouble> {
        let memory = store.load()?;
        Ok(Self {
            remote,
            disk,
            store,
            memory,
            contents: RefCell::default(),
            fresh: RefCell::default(),
            whole: HashSet::new(),
        })
    }

    /// The store, for whoever goes on with it.
    pub fn into_parts(self) -> (R, D, Store) {
        (self.remote, self.disk, self.store)
    }

    /// What is remembered.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Remembers how a sync went, for whoever asks later.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn tell(&self, facts: &BTreeMap<&'static str, String>) -> Result<(), Trouble> {
        for (name, value) in facts {
            self.store.set_fact(name, value)?;
        }
        Ok(())
    }

    /// What would be done now.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn dry_run(&mut self, settings: &mut Settings) -> Result<Plan, Trouble> {
        self.pull()?;
        let scan = self.scan()?;
        let mut plan = self.plan(&scan, settings)?;
        plan.notices.extend(scan.notices);
        Ok(plan)
    }

    /// Syncs until nothing is left to do.
    ///
    /// # Errors
    /// [`Trouble::Side`] when one side cannot be used; what was done until then is done and noted.
    pub fn sync(&mut self, settings: &mut Settings) -> Result<Report, Trouble> {
        let mut report = Report::default();
        let mut tries = BTreeMap::new();
        settings.stuck.clear();
        settings.histories.clear();
        for _ in 0..ROUNDS {
            self.pull()?;
            let scan = self.scan()?;
            let plan = self.plan(&scan, settings)?;
            report.notices.clone_from(&scan.notices);
            report.notices.extend(plan.notices.iter().cloned());
            report.conflicts.extend(plan.conflicts.iter().cloned());
            report.withheld.clone_from(&plan.withheld);
            let is_idle =
                plan.steps.iter().all(|step| matches!(step, Step::Agree { .. } | Step::Forget { .. }));
            let ids = plan.ids.clone();
            let (tries, report) = (&mut tries, &mut report);
            self.carry_out(plan, &mut Run { settings, tries, report, ids, is_settled: false })?;
            if is_idle {
                report.quiet = true;
                if !self.memory.intents.is_empty() {
                    self.note(vec![Note::Quiet])?;
                }
                break;
            }
        }
        Ok(report)
    }

    /// Everything that the feed has to tell.
    fn pull(&mut self) -> Result<(), Trouble> {
        loop {
            let page = self.remote.feed(self.memory.token.as_deref())?;
            let more = page.more;
            if !page.changes.is_empty() || page.reset || self.memory.token.as_deref() != Some(&page.token) {
                self.store.take(&page)?;
                self.memory.take(page);
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn scan(&self) -> Result<Scan, Trouble> {
        let agreed: HashMap<Look, ContentHash> = self
            .memory
            .base
            .iter()
            .filter_map(|row| row.look.filter(|look| look.ctime_ns != 0).zip(row.hash))
            .collect();
        let contents = self.contents.borrow();
        let scan = self.disk.scan(&|look: &Look| agreed.get(look).or_else(|| contents.get(look)).copied())?;
        drop(contents);
        self.remember(&scan);
        Ok(scan)
    }

    fn remember(&self, scan: &Scan) {
        let (mut contents, mut fresh) = (self.contents.borrow_mut(), self.fresh.borrow_mut());
        contents.clear();
        fresh.clear();
        for (_, node) in scan.tree.iter() {
            let super::trees::What::File(Some(hash)) = node.what else { continue };
            let look = self.disk.settled(node.look);
            if look.ctime_ns == 0 {
                fresh.insert(node.look);
            } else if contents.len() < REMEMBERED {
                contents.insert(look, hash);
            }
        }
    }

    fn plan(&self, scan: &Scan, settings: &mut Settings) -> Result<Plan, Trouble> {
        loop {
            let Memory { remote, base, intents, .. } = &self.memory;
            let plan = plan::plan(remote, base, &scan.tree, intents, settings)
                .map_err(|why| Trouble::Side(why.to_string()))?;
            let unknown: Vec<_> =
                plan.asks.iter().filter(|id| !settings.histories.contains_key(id)).copied().collect();
            if unknown.is_empty() {
                return Ok(plan);
            }
            for id in unknown {
                let history = self.remote.history(id)?;
                settings.histories.insert(id, history.into_iter().collect());
            }
        }
    }

    fn note(&mut self, notes: Vec<Note>) -> Result<(), Trouble> {
        note(&mut self.store, &mut self.memory, notes)
    }
}

/// Stores notes, and then counts on them.
fn note(store: &mut Store, memory: &mut Memory, notes: Vec<Note>) -> Result<(), Trouble> {
    if !notes.is_empty() {
        store.note(&notes)?;
        memory.note(notes);
    }
    Ok(())
}
