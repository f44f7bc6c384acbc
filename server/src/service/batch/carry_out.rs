//! Committing the acts of a batch in their order. Their contents are durable by then.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use uuid::Uuid;

use super::{Acted, Prepared, Staged, Step, new_files};
use crate::catalog::db::{AMBIGUOUS, Tx};
use crate::catalog::drives::Right;
use crate::catalog::nodes;
use crate::error::{Error, Result};
use crate::service::act::{Act, NEEDS_FOLDERS, StagedFolder};
use crate::service::files::{self, NewFolder, Outcome, Put, PutDone, Who};
use crate::service::placement::Mounted;
use crate::store::Blob;

/// Acts that one turn of the writer carries out: others who write do not wait for the whole of a batch.
const GROUP: usize = 256;

/// An act that is about to be committed, and its place among all.
struct Due {
    at: usize,
    step: Step,
    content: Option<Staged>,
}

/// What is told of an act, before it is known whether it is in the plain folder.
#[derive(Debug)]
pub struct Told {
    /// What became of it.
    pub acted: Acted,
    /// Sequence of its change; `None` when nothing was changed.
    pub seq: Option<i64>,
}

pub(super) async fn all(
    mounted: &Arc<Mounted>,
    who: &Who,
    acts: Vec<Prepared>,
) -> Result<Vec<Result<Acted>>> {
    let mut told: Vec<Option<Result<Told>>> = Vec::with_capacity(acts.len());
    let mut due = VecDeque::new();
    for (at, act) in acts.into_iter().enumerate() {
        match act.step {
            Ok(step) => {
                due.push_back(Due { at, step, content: act.content });
                told.push(None);
            }
            Err(refused) => told.push(Some(Err(refused))),
        }
    }
    let mut folders = Folders::staged(mounted, missing_folders(mounted, &due).await?).await?;
    while !due.is_empty() {
        let group: Vec<Due> = due.drain(..due.len().min(GROUP)).collect();
        let turn = turn(mounted, who, group, &mut folders).await;
        for (at, outcome) in turn.told {
            told[at] = Some(outcome);
        }
        // What is left had to wait for more folders to be made.
        for act in turn.left.into_iter().rev() {
            due.push_front(act);
        }
        if let Some(more) = turn.needs {
            let staged = Folders::staged(mounted, more).await;
            match staged {
                Ok(mut staged) => folders.0.append(&mut staged.take()),
                Err(error) => {
                    for act in due.drain(..) {
                        told[act.at] = Some(Err(same(&error)));
                    }
                }
            }
        }
    }
    Ok(placed(mounted, told).await)
}

/// Folders in slots, to be removed again as far as no act has used them.
struct Folders(Vec<StagedFolder>, Arc<Mounted>);

impl Folders {
    async fn staged(mounted: &Arc<Mounted>, count: usize) -> Result<Self> {
        Ok(Self(files::stage_folders(mounted, count).await?, Arc::clone(mounted)))
    }

    fn take(&mut self) -> Vec<StagedFolder> {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        self.0.iter().for_each(|folder| self.1.store.discard(folder.slot));
    }
}

/// How many folders the acts will probably make: those of their paths that are not there. Should it be more in the end, they
/// are made then.
async fn missing_folders(mounted: &Arc<Mounted>, due: &VecDeque<Due>) -> Result<usize> {
    let mut wanted = HashSet::new();
    for act in due {
        let path = match &act.step {
            Step::Put(file) if file.parents => file.path.parent(),
            Step::Move(transfer) if transfer.parents => transfer.to.parent(),
            Step::Mkdir { path, .. } => Some(path.clone()),
            _ => None,
        };
        let mut next = path;
        while let Some(path) = next.filter(|path| !path.is_root()) {
            next = path.parent();
            if !wanted.insert(path) {
                break;
            }
        }
    }
    let root = mounted.root_node;
    mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let mut missing = 0;
                for path in wanted {
                    missing += usize::from(nodes::resolve(tx, root, &path).await?.node.is_none());
                }
                Ok(missing)
            })
        })
        .await
}

/// What came of one turn of the writer.
struct Turn {
    told: Vec<(usize, Result<Told>)>,
    left: Vec<Due>,
    /// So many more folders must be staged for the first that is left.
    needs: Option<usize>,
}

/// What one transaction did, in the order of its acts.
#[derive(Debug)]
pub struct Committed {
    /// What became of each; fewer than there were acts when `needs` is there.
    pub outcomes: Vec<Result<Outcome<Told>>>,
    /// Folders that none of them has used.
    pub folders: Vec<StagedFolder>,
    /// So many more folders must be staged for the next.
    pub needs: Option<usize>,
}

/// What a transaction is told of an act. Contents stay behind: they must outlive a transaction that fails.
#[derive(Debug, Clone)]
pub struct Todo {
    /// What is to be done.
    pub step: Arc<Step>,
    /// The content in its slot, staged and durable, of an act that has one.
    pub blob: Option<Blob>,
}

async fn turn(mounted: &Arc<Mounted>, who: &Who, group: Vec<Due>, folders: &mut Folders) -> Turn {
    let mut waiting: VecDeque<(usize, Arc<Step>, Option<Staged>)> =
        group.into_iter().map(|due| (due.at, Arc::new(due.step), due.content)).collect();
    let todo: Vec<Todo> = waiting
        .iter()
        .map(|(_, step, content)| Todo {
            step: Arc::clone(step),
            blob: content.as_ref().map(|content| content.blob),
        })
        .collect();
    let given = folders.take();
    let slots: Vec<Uuid> = given.iter().map(|folder| folder.slot).collect();
    let (drive, now, whose) = (mounted.id, mounted.clock().now(), who.clone());
    let committed = mounted
        .db()
        .write_in_parts(move |tx| {
            Box::pin(async move { commit_in(tx, drive, now, &whose, todo, given).await })
        })
        .await;
    let mut turn = Turn { told: Vec::new(), left: Vec::new(), needs: None };
    match committed {
        Err(error) => {
            let unknown = error.problem_code() == Some(AMBIGUOUS);
            if !unknown {
                slots.iter().for_each(|slot| mounted.store.discard(*slot));
            }
            for (at, _, content) in waiting {
                // It may stand: recovery will tell; the slot must stay.
                if let Some(content) = content.filter(|_| unknown) {
                    content.keep();
                }
                turn.told.push((at, Err(same(&error))));
            }
        }
        Ok(committed) => {
            folders.0 = committed.folders;
            turn.needs = committed.needs;
            for outcome in committed.outcomes {
                let Some((at, _, content)) = waiting.pop_front() else { break };
                let (told, kept) = match outcome {
                    Ok(Outcome::Done(told, _)) => (Ok(told), true),
                    Ok(Outcome::Already(told)) => (Ok(told), false),
                    Ok(Outcome::Refused(error, kept)) => (Err(error), kept),
                    Err(error) => (Err(error), false),
                };
                if let Some(content) = content.filter(|_| kept) {
                    content.keep();
                }
                turn.told.push((at, told));
            }
            for (at, step, content) in waiting {
                match Arc::try_unwrap(step) {
                    Ok(step) => turn.left.push(Due { at, step, content }),
                    Err(_) => turn.told.push((at, Err(Error::internal("an act is still under way")))),
                }
            }
        }
    }
    turn
}

/// Carries out acts in their order inside one transaction, each a part of it: what is refused takes none of the others along.
/// Everything that a batch changes in the catalogue is changed here; contents and folders were staged before.
///
/// # Errors
/// The catalogue's: then nothing of it may stay.
pub async fn commit_in(
    tx: &mut Tx,
    drive: i64,
    now: i64,
    who: &Who,
    todo: Vec<Todo>,
    folders: Vec<StagedFolder>,
) -> Result<Committed> {
    commit_by(ShortWay::default(), tx, (drive, now), who, todo, folders).await
}

/// As [`commit_in`], each act by itself.
#[cfg(test)]
pub async fn commit_one_by_one(
    tx: &mut Tx,
    drive: i64,
    now: i64,
    who: &Who,
    todo: Vec<Todo>,
    folders: Vec<StagedFolder>,
) -> Result<Committed> {
    let never = ShortWay { wait: usize::MAX, ..ShortWay::default() };
    commit_by(never, tx, (drive, now), who, todo, folders).await
}

async fn commit_by(
    mut short: ShortWay,
    tx: &mut Tx,
    (drive, now): (i64, i64),
    who: &Who,
    todo: Vec<Todo>,
    mut folders: Vec<StagedFolder>,
) -> Result<Committed> {
    let mut outcomes = Vec::with_capacity(todo.len());
    let mut needs = None;
    while let Some(act) = todo.get(outcomes.len()) {
        if short.is_tried() {
            let part = tx.begin_part().await?;
            let done = new_files::all(tx, drive, now, who, &todo[outcomes.len()..]).await;
            short.went(done.as_ref().map_or(0, Vec::len));
            match done {
                Ok(done) => {
                    tx.keep_part().await?;
                    if !done.is_empty() {
                        outcomes.extend(done.into_iter().map(Ok));
                        continue;
                    }
                }
                Err(_) => tx.undo_part(part).await?,
            }
        }
        let given = folders.clone();
        let part = tx.begin_part().await?;
        match one(tx, drive, now, who, act, &mut folders).await {
            Ok(outcome) => {
                tx.keep_part().await?;
                outcomes.push(Ok(outcome));
            }
            Err(error) => {
                tx.undo_part(part).await?;
                folders = given;
                needs = more_folders(&error, folders.len());
                if needs.is_some() {
                    break;
                }
                outcomes.push(Err(error));
            }
        }
    }
    Ok(Committed { outcomes, folders, needs })
}

/// When the short way for new files is tried: where it has led nowhere, not before ever more acts were carried out by themselves,
/// so that looking for it costs a batch of other acts little.
#[derive(Default)]
struct ShortWay {
    wait: usize,
    pause: usize,
}

impl ShortWay {
    /// Asked before each act.
    fn is_tried(&mut self) -> bool {
        let now = self.wait == 0;
        self.wait = self.wait.saturating_sub(1);
        now
    }

    /// So many acts went by it.
    fn went(&mut self, acts: usize) {
        self.pause = if acts > 0 { 0 } else { (self.pause * 2).max(1) };
        self.wait = self.pause;
    }
}

/// How many more folders an act needs that was refused for want of them.
fn more_folders(error: &Error, had: usize) -> Option<usize> {
    let needed = error.fields().get("folders").filter(|_| error.problem_code() == Some(NEEDS_FOLDERS))?;
    let needed = usize::try_from(needed.as_u64()?).ok()?;
    // Not more than it had would never do: then the act counts wrong, and must not go on for ever.
    needed.checked_sub(had).filter(|more| *more > 0)
}

async fn one(
    tx: &mut Tx,
    drive: i64,
    now: i64,
    who: &Who,
    todo: &Todo,
    folders: &mut Vec<StagedFolder>,
) -> Result<Outcome<Told>> {
    let mut act = Act::begin(tx, drive, who.actor(now), Right::Edit).await?;
    act.guarded(&who.guard).await?;
    let before = act.head();
    let outcome = match (&*todo.step, todo.blob) {
        (Step::Put(file), Some(blob)) => {
            let reason = who.reason();
            let (path, expect, parents) = (file.path.clone(), file.expect, file.parents);
            let put = Put { path, blob, expect, parents, reason, upload: None };
            match files::put_in(&mut act, &put, who, folders).await? {
                Outcome::Done(done, seq) => Outcome::Done(told(done, Some(seq)), seq),
                Outcome::Already(done) => Outcome::Already(told(done, None)),
                Outcome::Refused(error, kept) => Outcome::Refused(error, kept),
            }
        }
        (Step::Put(_), None) => return Err(Error::internal("a content was not staged")),
        (Step::Mkdir { path, parents }, _) => {
            let (path, parents) = (path.clone(), *parents);
            let new = NewFolder { path, parents, exist_ok: true, properties: Vec::new() };
            let done = files::make_in(&mut act, &new, who, folders).await?;
            changed(done, before, act.head())
        }
        (Step::Delete(deletion), _) => {
            files::delete_in(&mut act, deletion, who).await?;
            let seq = Some(act.head());
            let acted = Acted { node: None, created: false, version: None, placed: true };
            Outcome::Done(Told { acted, seq }, act.head())
        }
        (Step::Move(transfer), _) => {
            let done = files::rename_in(&mut act, transfer, who, folders).await?;
            changed(done, before, act.head())
        }
    };
    act.finish().await?;
    Ok(outcome)
}

fn changed(done: PutDone, before: i64, head: i64) -> Outcome<Told> {
    if before == head {
        Outcome::Already(told(done, None))
    } else {
        Outcome::Done(told(done, Some(head)), head)
    }
}

pub(super) fn told(done: PutDone, seq: Option<i64>) -> Told {
    let acted = Acted { node: Some(done.node), created: done.created, version: done.version, placed: true };
    Told { acted, seq }
}

/// Adds which of them are in the plain folder by now; the last one is waited for.
async fn placed(mounted: &Arc<Mounted>, told: Vec<Option<Result<Told>>>) -> Vec<Result<Acted>> {
    let last = told.iter().filter_map(|one| one.as_ref()?.as_ref().ok()?.seq).max();
    if let Some(last) = last {
        mounted.placed(last).await;
    }
    let mut all = Vec::with_capacity(told.len());
    for one in told {
        let one = one.unwrap_or_else(|| Err(Error::internal("an act was forgotten")));
        all.push(match one {
            Ok(mut one) => {
                if let Some(seq) = one.seq {
                    one.acted.placed = mounted.attempted() >= seq && mounted.placed(seq).await;
                }
                // What waits in a slot only gets another name; no op tells of it.
                one.acted.placed &= one.acted.node.as_ref().is_none_or(|node| node.state != "unplaced");
                Ok(one.acted)
            }
            Err(error) => Err(error),
        });
    }
    all
}

/// An error that several acts have met.
fn same(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.public().to_owned());
    match error.problem_code() {
        Some(code) => same.code(code),
        None => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_that_counts_its_folders_wrong_does_not_go_on_for_ever() {
        let needs = |folders: u64| Error::internal("few").code(NEEDS_FOLDERS).with("folders", folders);
        assert_eq!(more_folders(&needs(3), 1), Some(2));
        assert_eq!(more_folders(&needs(3), 3), None);
        assert_eq!(more_folders(&needs(3), 4), None);
        assert_eq!(more_folders(&Error::conflict("no").with("folders", 3), 1), None);
    }
}
