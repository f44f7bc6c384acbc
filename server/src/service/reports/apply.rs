//! Writes what a report makes different: deaths first, then folders from above, then files; each a change of the drive, and a
//! statement for some hundred of them.

use std::collections::HashMap;

use holdfast_protocol::DrivePath;

use super::compare::Compared;
use super::{Done, Withheld};
use crate::catalog::changes::{self, NewChange, Side};
use crate::catalog::nodes::Node;
use crate::catalog::reports::{self as rows, Told};
use crate::error::{Error, Result};
use crate::service::act::Act;

/// Writes it, and says how much it was.
pub(super) async fn apply(
    act: &mut Act<'_>,
    compared: Compared<'_>,
    withheld: Option<Withheld>,
) -> Result<Done> {
    let Compared { mut folders, new_folders, new_files, changed, gone, unchanged, .. } = compared;
    let mut done = Done { unchanged, gone: gone.len(), changed: changed.len(), withheld, ..Done::default() };
    bury(act, gone).await?;
    for new in new_folders.into_values() {
        let mut told = Vec::with_capacity(new.len());
        for folder in &new {
            let name = folder.path.name().unwrap_or_default();
            let (parent_id, seq) = (above(&folders, folder.path.parent().as_ref())?, act.next());
            told.push(Told {
                parent_id,
                name,
                kind: "folder",
                seq,
                hash: None,
                size: 0,
                mtime_ns: folder.mtime_ns,
            });
        }
        let made = add(act, &told).await?;
        done.added += made.len();
        folders.extend(new.into_iter().map(|folder| folder.path).zip(made.iter().map(|node| node.id)));
    }
    let mut told = Vec::with_capacity(new_files.len());
    for file in &new_files {
        let (parent_id, seq) = (above(&folders, Some(file.folder))?, act.next());
        let sight = file.entry.sight;
        let (hash, size, mtime_ns) = (sight.hash, sight.size.cast_signed(), sight.mtime_ns);
        told.push(Told { parent_id, name: &file.entry.name, kind: "file", seq, hash, size, mtime_ns });
    }
    done.added += add(act, &told).await?.len();
    let mut again = Vec::with_capacity(changed.len());
    for (node, now) in changed {
        let new = rows::retold(&node, act.next(), now.hash, now.size.cast_signed(), now.mtime_ns);
        again.push((node, new));
    }
    let new: Vec<Node> = again.iter().map(|(_, new)| new.clone()).collect();
    rows::set_all(act.tx, &new, act.actor.now).await?;
    record(act, "modify", &again).await?;
    Ok(done)
}

fn above(folders: &HashMap<DrivePath, i64>, path: Option<&DrivePath>) -> Result<i64> {
    let found = path.and_then(|path| folders.get(path)).copied();
    found.ok_or_else(|| Error::internal("a file of a folder that was not made"))
}

async fn bury(act: &mut Act<'_>, gone: Vec<(Node, DrivePath)>) -> Result<()> {
    let mut dead = Vec::with_capacity(gone.len());
    for (node, _) in gone {
        let new = rows::dead(&node, act.next());
        dead.push((node, new));
    }
    let new: Vec<Node> = dead.iter().map(|(_, new)| new.clone()).collect();
    rows::set_dead_all(act.tx, &new, act.actor.now).await?;
    record(act, "delete", &dead).await
}

async fn add(act: &mut Act<'_>, told: &[Told<'_>]) -> Result<Vec<Node>> {
    let made = rows::insert_all(act.tx, act.drive.id, told, act.actor.now).await?;
    let (nothing, actor) = (Side::default(), act.actor);
    let new =
        made.iter().map(|new| NewChange { seq: new.seq, kind: "add", actor: &actor, old: &nothing, new });
    let new: Vec<NewChange<'_>> = new.collect();
    changes::insert_all(act.tx, act.drive.id, &new).await?;
    Ok(made)
}

async fn record(act: &mut Act<'_>, kind: &'static str, nodes: &[(Node, Node)]) -> Result<()> {
    let (sides, actor): (Vec<Side>, _) = (nodes.iter().map(|(old, _)| Side::from(old)).collect(), act.actor);
    let changes = nodes.iter().zip(&sides);
    let changes = changes.map(|((_, new), old)| NewChange { seq: new.seq, kind, actor: &actor, old, new });
    let changes: Vec<NewChange<'_>> = changes.collect();
    changes::insert_all(act.tx, act.drive.id, &changes).await
}
