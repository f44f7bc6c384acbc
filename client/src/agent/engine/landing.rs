//! Contents on their way in: taken in as they arrive, made durable together, put in place, and noted.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use holdfast_protocol::delta::{Chunk, Recipe};
use holdfast_protocol::{ContentHash, Kind};

use super::groups::Run;
use super::there::is_in_chunks;
use super::{Engine, note};
use crate::agent::contract::{Arriving, Disk, Incoming, Remote, Trouble, Wanted};
use crate::agent::plan::{Receiving, Step, look_of};
use crate::agent::store::{Memory, Note, Store};

/// Most contents, and bytes, that wait to be put in place.
const MOST: usize = 500;
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Contents that have arrived.
struct Landing<'e, 'r, 's, D: Disk> {
    disk: &'e D,
    store: &'e mut Store,
    memory: &'e mut Memory,
    whole: &'e mut HashSet<ContentHash>,
    run: &'r mut Run<'s>,
    steps: Vec<Receiving>,
    arrived: Vec<(usize, D::Part, Option<Vec<Chunk>>)>,
    bytes: u64,
}

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    /// Gets contents. Always counts as done: what could not be got is looked at again.
    pub(super) fn receive(&mut self, steps: Vec<Step>, run: &mut Run<'_>) -> Result<bool, Trouble> {
        let (mut wanted, mut receiving) = (Vec::new(), Vec::new());
        for step in steps {
            let Step::Download(step) = step else { continue };
            match self.wanted(&step, run) {
                Ok(one) => {
                    wanted.push(one);
                    receiving.push(step);
                }
                Err(trouble) => run.failed(&step.path, trouble)?,
            }
        }
        let Self { remote, disk, store, memory, whole, .. } = self;
        let mut landing =
            Landing { disk, store, memory, whole, run, steps: receiving, arrived: Vec::new(), bytes: 0 };
        let stop = Arc::clone(&landing.run.settings.stop);
        let fetched = remote.fetch(&wanted, &mut |index, arriving| {
            if stop.load(Ordering::Relaxed) {
                return Err(Trouble::Side("stopped".to_owned()));
            }
            landing.take(index, arriving)
        });
        // What has arrived counts, whatever became of the rest.
        landing.settle().and(fetched).map(|()| true)
    }

    fn wanted(&self, step: &Receiving, run: &mut Run<'_>) -> Result<Wanted, Trouble> {
        self.expect_settled(&step.path, step.replaces.as_ref(), run)?;
        let nameless = || Trouble::Item("the server names no content".to_owned());
        let hash = step.row.hash.ok_or_else(nameless)?;
        let base = step.base.filter(|_| step.replaces.is_some() && !self.whole.contains(&hash));
        Ok(Wanted {
            path: step.from.clone(),
            hash,
            size: step.size,
            base: base.filter(|_| is_in_chunks(step.size)),
        })
    }
}

impl<D: Disk> Landing<'_, '_, '_, D> {
    fn take(&mut self, index: usize, arriving: Result<Arriving, Trouble>) -> Result<(), Trouble> {
        match arriving.and_then(|arriving| self.one(index, arriving)) {
            Ok((part, recipe)) => {
                self.bytes += self.steps[index].size;
                let chunks = recipe.and_then(|recipe| self.derived(&self.steps[index], &recipe));
                self.arrived.push((index, part, chunks));
            }
            Err(trouble) => {
                let Self { run, steps, .. } = self;
                return run.failed(&steps[index].path, trouble);
            }
        }
        if self.arrived.len() >= MOST || self.bytes >= MOST_BYTES {
            return self.settle();
        }
        Ok(())
    }

    /// The chunks of what was put together, where those of its base were noted.
    fn derived(&self, step: &Receiving, recipe: &Recipe) -> Option<Vec<Chunk>> {
        let base = self.store.chunks(step.row.id, step.base?).ok()??;
        recipe.chunks(&base)
    }

    fn one(&mut self, index: usize, arriving: Arriving) -> Result<(D::Part, Option<Recipe>), Trouble> {
        let step = &self.steps[index];
        let Some(hash) = step.row.hash else { return Err(Trouble::Item("no content is named".to_owned())) };
        let incoming = Incoming { hash, size: step.size, mtime_ns: step.mtime_ns };
        let count = Arc::new(AtomicU64::new(0));
        let is_delta = matches!(arriving, Arriving::Delta(_));
        let counted = |from| Box::new(Counted { from, count: Arc::clone(&count) });
        let arriving = match arriving {
            Arriving::Whole(from) => Arriving::Whole(counted(from)),
            Arriving::Delta(from) => Arriving::Delta(counted(from)),
        };
        let part = self.disk.receive(&step.path, arriving, &incoming, step.replaces.as_ref());
        self.run.report.received += count.load(Ordering::Relaxed);
        if part.is_err() && is_delta {
            // Whatever was wrong with it, the next attempt is for all of its bytes.
            self.whole.insert(hash);
        }
        part
    }

    /// Puts in place what has arrived.
    fn settle(&mut self) -> Result<(), Trouble> {
        let arrived = std::mem::take(&mut self.arrived);
        self.bytes = 0;
        if arrived.is_empty() {
            return Ok(());
        }
        self.disk.flush()?;
        let mut notes = Vec::new();
        let mut ended = None;
        for (index, part, chunks) in arrived {
            let step = &self.steps[index];
            match self.disk.place(&step.path, part, step.replaces.as_ref()) {
                Ok(look) => {
                    let mut row = step.row.clone();
                    if let Some(hash) = row.hash.filter(|_| is_in_chunks(step.size))
                        && let Some(chunks) = chunks.or_else(|| self.disk.chunks(&step.path, &look).ok())
                    {
                        notes.push(Note::Chunks { id: row.id, hash, chunks });
                    }
                    row.look = Some(look_of(Kind::File, self.disk.settled(look)));
                    notes.push(Note::Agreed(row));
                    self.run.count("received");
                }
                Err(trouble) => {
                    if let Err(side) = self.run.failed(&step.path, trouble) {
                        ended = ended.or(Some(side));
                    }
                }
            }
        }
        self.disk.flush()?;
        note(self.store, self.memory, notes)?;
        ended.map_or(Ok(()), Err)
    }
}

/// Counts what is read.
struct Counted {
    from: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
