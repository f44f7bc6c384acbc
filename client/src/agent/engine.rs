//! The engine: pulls the feed, walks the folder, plans, does the steps, and begins anew until nothing is left to do.

mod groups;
mod here;
mod landing;
mod there;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use holdfast_protocol::ContentHash;

use super::contract::{Disk, Heard, Remote, Scan, Trouble};
use super::plan::{self, Intent, Plan, Settings, Step, Withheld, level};
use super::store::{Memory, Note, Store};
use super::trees::{BaseRow, ByInode, Look, What};
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
    /// The folder as it was seen last, and what may be otherwise by now.
    seen: Option<Scan>,
    heard: Heard,
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
            seen: None,
            heard: Heard::Everything,
        })
    }

    /// Tells what may have changed in the folder. Until something else is told, that is anything; what the engine does itself
    /// it knows.
    pub fn hear(&mut self, heard: Heard) {
        self.heard.and(heard);
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
        self.heard = Heard::Everything;
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
            if self.is_level(&scan, settings)? {
                report.notices.clone_from(&scan.notices);
                report.withheld = None;
                report.quiet = true;
                self.seen = Some(scan);
                break;
            }
            let plan = self.plan(&scan, settings)?;
            self.seen = Some(Scan { tree: scan.tree, notices: scan.notices.clone() });
            plan.steps.iter().for_each(|step| step.paths(|path| self.heard.about(path)));
            report.notices = scan.notices;
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

    /// Looks at the folder, or at what of it may be otherwise than it was.
    fn scan(&mut self) -> Result<Scan, Trouble> {
        let heard = std::mem::take(&mut self.heard);
        let before = self.seen.take().filter(|scan| !scan.tree.is_worn());
        let before = before.zip(if let Heard::In(folders) = &heard { Some(folders) } else { None });
        // Should it come to nothing, nothing is known any more.
        self.heard = Heard::Everything;
        let rows = self.memory.base.iter().filter_map(|row| Some((row.look?.ino, row)));
        let rows: ByInode<&BaseRow> = rows.filter(|(ino, _)| *ino != 0).collect();
        let agreed = |look: &Look| {
            let row =
                rows.get(&look.ino).filter(|row| row.look.is_some_and(|known| known.is_untouched(look)));
            row.and_then(|row| row.hash)
        };
        let contents = self.contents.borrow();
        let known = |look: &Look| agreed(look).or_else(|| contents.get(look).copied());
        let scan = self.disk.scan(before, &known)?;
        drop(contents);
        let unsettled = self.remember(&scan, &agreed);
        self.heard = unsettled;
        Ok(scan)
    }

    /// Contents that were hashed and are not agreed on, and what looks so fresh that it may change unseen; that is to be looked
    /// at again, as is what could not be seen.
    fn remember(&self, scan: &Scan, agreed: &dyn Fn(&Look) -> Option<ContentHash>) -> Heard {
        let mut unsettled = Heard::default();
        let (mut contents, mut fresh) = (self.contents.borrow_mut(), self.fresh.borrow_mut());
        contents.clear();
        fresh.clear();
        for (index, node) in scan.tree.iter() {
            let hash = match node.what {
                What::File(Some(hash)) => hash,
                What::File(None) | What::Closed => {
                    unsettled.about(&scan.tree.path(index));
                    continue;
                }
                _ => continue,
            };
            if scan.tree.is_fresh(index) {
                fresh.insert(node.look);
                unsettled.about(&scan.tree.path(index));
            } else if contents.len() < REMEMBERED && agreed(&node.look).is_none() {
                contents.insert(node.look, hash);
            }
        }
        unsettled
    }

    /// Whether all three trees are the same, so that there is nothing to plan. The server's is not even read where nothing was
    /// told of it since it last was.
    fn is_level(&mut self, scan: &Scan, settings: &Settings) -> Result<bool, Trouble> {
        let Some(looks) = level::with_local(&scan.tree, &self.memory.base, settings) else {
            return Ok(false);
        };
        let token = self.memory.token.clone();
        let was_level = self.memory.intents.is_empty() && self.store.level()? == token;
        let mut notes = Vec::new();
        if !was_level {
            self.remote_tree()?;
            let Memory { remote: Some(remote), base, .. } = &self.memory else { return Ok(false) };
            let Some(seqs) = level::with_remote(remote, base, settings) else { return Ok(false) };
            notes.extend(seqs.into_iter().map(Note::Agreed));
            if !self.memory.intents.is_empty() {
                notes.push(Note::Quiet);
            }
        }
        notes.extend(looks.into_iter().filter_map(|row| {
            let look = row.look.map(|look| self.judged(row.kind, look));
            Some(Note::Looks { id: row.id, look: Some(look?) })
        }));
        let is_noted = !notes.is_empty();
        self.note(notes)?;
        if let Some(token) = token.filter(|_| is_noted || !was_level) {
            self.store.set_level(&token)?;
        }
        Ok(true)
    }

    /// The server's tree, read when it is first asked for.
    fn remote_tree(&mut self) -> Result<(), Trouble> {
        if self.memory.remote.is_none() {
            self.memory.remote = Some(self.store.load_remote()?);
        }
        Ok(())
    }

    fn plan(&mut self, scan: &Scan, settings: &mut Settings) -> Result<Plan, Trouble> {
        self.remote_tree()?;
        loop {
            let Memory { remote: Some(remote), base, intents, .. } = &self.memory else {
                return Err(Trouble::Side("the server's tree was not read".to_owned()));
            };
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
fn note(store: &mut Store, memory: &mut Memory, mut notes: Vec<Note>) -> Result<(), Trouble> {
    if !memory.intents.is_empty() {
        let (mut nodes, mut names) = (HashSet::new(), HashSet::new());
        for note in &notes {
            match note {
                Note::Agreed(row) => {
                    nodes.insert(row.id);
                    names.insert((row.parent, row.name.as_str()));
                }
                Note::Place { parent, name, .. } => {
                    names.insert((*parent, name.as_str()));
                }
                _ => {}
            }
        }
        let is_answered = |intent: &&Intent| match intent {
            Intent::Put { id: Some(id), .. } => nodes.contains(id),
            Intent::Put { id: None, parent, name, .. } => names.contains(&(*parent, name.as_str())),
            _ => false,
        };
        let answered = memory.intents.iter().filter(is_answered).cloned().map(Note::Answered);
        notes.extend(answered.collect::<Vec<_>>());
    }
    if !notes.is_empty() {
        store.note(&notes)?;
        memory.note(notes);
    }
    Ok(())
}
