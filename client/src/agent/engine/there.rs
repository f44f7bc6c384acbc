//! Steps on the server: noted as intended, done many at once, and noted as agreed.

use holdfast_protocol::delta::{self, Chunk};
use holdfast_protocol::{ContentHash, Kind};

use super::Engine;
use super::groups::Run;
use crate::agent::contract::{Act, Disk, Done, Put, Remote, Trouble};
use crate::agent::plan::{Entity, Intent, Sending, Step};
use crate::agent::store::Note;
use crate::agent::trees::{BaseRow, NodeId};

/// A step on its way.
struct Asked {
    key: String,
    what: &'static str,
    /// Bytes that go.
    bytes: u64,
    then: Then,
}

/// What is noted when it was done.
enum Then {
    /// This, whatever the server answers.
    Notes(Vec<Note>),
    /// The row of what was made, which gets the node that the server names, and the chunks of a file.
    Made { entity: Entity, row: BaseRow, was: Option<NodeId>, chunks: Option<Vec<Chunk>> },
}

/// An act, what is known of it, and what is noted before it.
type Prepared<O> = (Act<O>, Asked, Option<Intent>);

impl<R: Remote<Outgoing = D::Outgoing>, D: Disk> Engine<R, D> {
    /// Makes, moves or deletes on the server. Whether all was done.
    pub(super) fn there(&mut self, steps: Vec<Step>, run: &mut Run<'_>) -> Result<bool, Trouble> {
        let made = |engine: &mut Self, step: &Step, run: &mut Run<'_>| engine.structure(step, run);
        self.ask_all(steps, run, made)
    }

    /// Sends contents. Whether all went.
    pub(super) fn send(&mut self, steps: Vec<Step>, run: &mut Run<'_>) -> Result<bool, Trouble> {
        let made = |engine: &mut Self, step: &Step, run: &mut Run<'_>| match step {
            Step::Upload(sending) => engine.prepared(sending, run),
            _ => Err(not_here()),
        };
        self.ask_all(steps, run, made)
    }

    fn structure(&self, step: &Step, run: &Run<'_>) -> Result<Prepared<D::Outgoing>, Trouble> {
        let key = step.key().to_owned();
        let (act, what, then, intent) = match step {
            Step::MakeRemote { entity, path, parent, name, look, was, .. } => {
                let (parent, name) = (run.id_of(*parent)?, name.clone());
                let intent = Intent::Make { parent, name: name.clone() };
                let (id, kind, look) = (NodeId::nil(), Kind::Folder, Some(self.judged(Kind::Folder, *look)));
                let row = BaseRow { id, parent, name, kind, hash: None, seq: None, look };
                let then = Then::Made { entity: *entity, row, was: *was, chunks: None };
                (Act::MakeFolder(path.clone()), "folders made there", then, Some(intent))
            }
            Step::MoveRemote { id, from, to, expect, parent, name, .. } => {
                let (id, parent, name) = (*id, run.id_of(*parent)?, name.clone());
                let intent = Intent::Move { id, parent, name: name.clone() };
                let then = Then::Notes(vec![Note::Place { id, parent, name, by_us: true }]);
                let act = Act::Rename { from: from.clone(), to: to.clone(), expect: *expect };
                (act, "moved there", then, Some(intent))
            }
            Step::DeleteRemote { id, path, expect, .. } => {
                let act = match expect {
                    Some(hash) => Act::DeleteFile(path.clone(), *hash),
                    None => Act::DeleteFolder(path.clone()),
                };
                (act, "removed there", Then::Notes(vec![Note::Gone(*id)]), None)
            }
            _ => return Err(not_here()),
        };
        Ok((act, Asked { key, what, bytes: 0, then }, intent))
    }

    fn prepared(&self, sending: &Sending, run: &Run<'_>) -> Result<Prepared<D::Outgoing>, Trouble> {
        let &Sending { entity, ref local, ref path, parent, ref name, hash, look, expect, was } = sending;
        let parent = run.id_of(parent)?;
        let id = run.ids[entity];
        let chunks = if is_in_chunks(look.size) { Some(self.disk.chunks(local, &look)?) } else { None };
        let delta = match (&chunks, id, expect) {
            (Some(new), Some(id), Some(base)) if !self.whole.contains(&hash) => {
                let base = self.store.chunks(id, base)?;
                base.map(|base| delta::steps(&base, new)).filter(|steps| is_worth_it(steps, look.size))
            }
            _ => None,
        };
        let bytes = delta.as_ref().map_or(look.size, |steps| delta::size_of(steps));
        let put = Put { path: path.clone(), hash, size: look.size, mtime_ns: look.mtime_ns, expect, delta };
        let content = self.disk.open(local, &look)?;
        let intent = Intent::Put { id, parent, name: name.clone(), hash };
        // As it was judged, not as it looks now: what was written to it meanwhile is then seen as a change.
        let look = Some(self.judged(Kind::File, look));
        let (kind, name) = (Kind::File, name.clone());
        let row = BaseRow { id: NodeId::nil(), parent, name, kind, hash: Some(hash), seq: None, look };
        let then = Then::Made { entity, row, was: was.or(id), chunks };
        let asked = Asked { key: local.clone(), what: "sent", bytes, then };
        Ok((Act::Put(put, content), asked, Some(intent)))
    }

    fn ask_all(
        &mut self,
        steps: Vec<Step>,
        run: &mut Run<'_>,
        mut prepare: impl FnMut(&mut Self, &Step, &mut Run<'_>) -> Result<Prepared<D::Outgoing>, Trouble>,
    ) -> Result<bool, Trouble> {
        let (mut acts, mut asked, mut intents) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_done = true;
        for step in steps {
            match prepare(self, &step, run) {
                Ok((act, one, intent)) => {
                    acts.push(act);
                    asked.push(one);
                    intents.extend(intent.map(Note::Intent));
                }
                Err(trouble) => {
                    is_done = false;
                    run.failed(step.key(), trouble)?;
                }
            }
        }
        if acts.is_empty() {
            return Ok(is_done);
        }
        let was_quiet = self.memory.intents.is_empty();
        let deltas: Vec<Option<ContentHash>> = acts.iter().map(in_parts).collect();
        self.note(intents)?;
        let answers = self.remote.act(acts);
        let mut notes = Vec::new();
        let mut ended = None;
        for ((one, delta), answer) in asked.into_iter().zip(deltas).zip(answers) {
            let Asked { key, what, bytes, then } = one;
            match answer.and_then(|done| noted(then, done, &mut run.ids, &mut notes)) {
                Ok(()) => {
                    run.count(what);
                    run.report.sent += bytes;
                }
                Err(trouble) => {
                    is_done = false;
                    // Whatever was wrong with it, the next attempt is with all of its bytes.
                    self.whole.extend(delta);
                    if let Err(side) = run.failed(&key, trouble) {
                        ended = ended.or(Some(side));
                    }
                }
            }
        }
        if is_done && was_quiet {
            notes.push(Note::Quiet);
        }
        self.note(notes)?;
        ended.map_or(Ok(is_done), Err)
    }
}

fn noted(then: Then, done: Done, ids: &mut [Option<NodeId>], notes: &mut Vec<Note>) -> Result<(), Trouble> {
    match then {
        Then::Notes(these) => notes.extend(these),
        Then::Made { entity, row, was, chunks } => {
            let id = done.ok_or_else(|| Trouble::Item("the server does not say what it made".to_owned()))?;
            ids[entity] = Some(id);
            notes.extend(was.filter(|was| *was != id).map(Note::Gone));
            let hash = row.hash;
            notes.push(Note::Agreed(BaseRow { id, ..row }));
            if let (Some(chunks), Some(hash)) = (chunks, hash) {
                notes.push(Note::Chunks { id, hash, chunks });
            }
        }
    }
    Ok(())
}

/// The content that is sent as a delta.
fn in_parts<O>(act: &Act<O>) -> Option<ContentHash> {
    match act {
        Act::Put(put, _) if put.delta.is_some() => Some(put.hash),
        _ => None,
    }
}

/// Whether a file of so many bytes may travel as a delta one day.
pub(super) fn is_in_chunks(size: u64) -> bool {
    (delta::FROM..=delta::UP_TO).contains(&size)
}

/// Whether a delta is enough smaller than the whole to be put together there.
fn is_worth_it(steps: &[delta::Step], size: u64) -> bool {
    delta::size_of(steps) <= size / 10 * 9
}

fn not_here() -> Trouble {
    Trouble::Item("this is no step on the server".to_owned())
}
