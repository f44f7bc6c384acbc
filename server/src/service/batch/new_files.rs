//! The short way for what a first sync is made of: a run of new files in folders that are there. All that carrying out one act
//! after the other would ask for each of them is asked for the whole run, and written with few statements.

use std::collections::{HashMap, HashSet};

use holdfast_protocol::DrivePath;

use super::carry_out::{Todo, Told, told};
use super::{NewFile, Step};
use crate::catalog::agreements::{self, Stored};
use crate::catalog::db::Tx;
use crate::catalog::drives::Right;
use crate::catalog::nodes;
use crate::error::Result;
use crate::service::act::{Act, NewContent};
use crate::service::agreement;
use crate::service::files::{Outcome, PutDone, Who};
use crate::store::Blob;

/// Fewer are not worth it.
const LEAST: usize = 4;

/// Carries out the new files at the beginning of a list of acts, up to the first act that is something else. None where these
/// are few, or what each of them has to be looked at for by itself: a lock, a condition of the request, a name. After an error nothing
/// of it may stay; one by one they tell what is wrong.
///
/// # Errors
/// The catalogue's, and those of [`Act::begin`].
pub(super) async fn all(
    tx: &mut Tx,
    drive: i64,
    now: i64,
    who: &Who,
    todo: &[Todo],
) -> Result<Vec<Outcome<Told>>> {
    let run = candidates(todo);
    if run.len() < LEAST || who.guard.has_conditions() {
        return Ok(Vec::new());
    }
    let mut act = Act::begin(tx, drive, who.actor(now), Right::Edit).await?;
    // Two of them may have names that the drive's disk cannot tell apart.
    if act.drive.folds_case || act.has_locks().await? {
        return Ok(Vec::new());
    }
    let run = in_known_folders(&mut act, run).await?;
    let names: Vec<(i64, &str)> =
        run.iter().map(|new| (new.folder, new.path.name().unwrap_or_default())).collect();
    let taken = nodes::ever_named(act.tx, &names).await?;
    let run = &run[..taken.into_iter().min().unwrap_or(run.len())];
    if run.len() < LEAST {
        return Ok(Vec::new());
    }
    let written = act.put_new(run, who.reason()).await?;
    if let Some(device) = who.syncing {
        let state = agreement::state(&mut act, device).await?;
        let agreed: Vec<(&DrivePath, Stored, i64)> = run
            .iter()
            .zip(&written)
            .map(|(new, written)| (new.path, Stored::File(new.blob.hash), written.seq))
            .collect();
        agreements::agree_all(act.tx, state, &agreed).await?;
    }
    act.finish().await?;
    let done = written.into_iter().map(|written| {
        let seq = written.seq;
        Outcome::Done(told(PutDone::written(written), Some(seq)), seq)
    });
    Ok(done.collect())
}

/// The contents at the beginning that may be those of new files, as far as can be told without the catalogue.
fn candidates(todo: &[Todo]) -> Vec<(&NewFile, &Blob)> {
    let mut paths = HashSet::new();
    todo.iter()
        .map_while(|todo| match (&*todo.step, &todo.blob) {
            (Step::Put(file), Some(blob)) => Some((file, blob)),
            _ => None,
        })
        .take_while(|(file, blob)| {
            let is_plain = file.expect.holds(None) && blob.sums.is_none() && !file.path.is_root();
            is_plain && paths.insert(&file.path)
        })
        .collect()
}

/// Those at the beginning whose folders are there. Each folder is looked up once.
async fn in_known_folders<'f>(
    act: &mut Act<'_>,
    run: Vec<(&'f NewFile, &'f Blob)>,
) -> Result<Vec<NewContent<'f>>> {
    let mut folders: HashMap<DrivePath, Option<i64>> = HashMap::from([(DrivePath::root(), Some(act.root))]);
    let mut known = Vec::with_capacity(run.len());
    for (file, blob) in run {
        let Some(parent) = file.path.parent() else { break };
        let Some(folder) = folder(act, &parent, &mut folders).await? else { break };
        known.push(NewContent { folder, path: &file.path, blob });
    }
    Ok(known)
}

async fn folder(
    act: &mut Act<'_>,
    path: &DrivePath,
    folders: &mut HashMap<DrivePath, Option<i64>>,
) -> Result<Option<i64>> {
    // Up to what is known, and down again.
    let mut unknown = Vec::new();
    let mut next = Some(path.clone());
    let mut here = None;
    while let Some(path) = next {
        if let Some(known) = folders.get(&path) {
            here = *known;
            break;
        }
        next = path.parent();
        unknown.push(path);
    }
    while let Some(path) = unknown.pop() {
        let child = match (here, path.name()) {
            (Some(above), Some(name)) => nodes::child(act.tx, above, name).await?,
            _ => None,
        };
        here = child.filter(nodes::Node::is_folder).map(|node| node.id);
        folders.insert(path, here);
    }
    Ok(here)
}
