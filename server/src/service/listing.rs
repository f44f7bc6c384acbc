//! Listing what a drive holds, a page at a time. A page costs what it carries: the walk goes on where the last one
//! ended, and looks at nothing before that.

use std::collections::VecDeque;
use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::placement::Mounted;
use crate::catalog::db::{Db, Tx};
use crate::catalog::nodes::{self, Node};
use crate::error::{Error, Result};

/// A file or folder with its path.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it is.
    pub path: DrivePath,
    /// What it is.
    pub node: Node,
}

/// A part of a listing.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// In this order: every folder before what is in it, names within a folder by their bytes.
    pub entries: Vec<Entry>,
    /// The path after which the next page begins; `None` at the end.
    pub next: Option<DrivePath>,
}

/// What is at or in a path.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// A folder, or a file (then its entry is all there is to list).
    pub path: DrivePath,
    /// Also what is in folders within.
    pub recursive: bool,
    /// Only what comes after this path.
    pub after: Option<DrivePath>,
    /// Most entries.
    pub limit: usize,
}

/// Lists a folder or a whole tree of the drive whose root folder is this node (internal key).
///
/// # Errors
/// Not found when nothing is there; 400 for an `after` that lies elsewhere.
pub async fn list(db: &Db, root: i64, wanted: Wanted) -> Result<Listed> {
    db.read(move |tx| Box::pin(async move { page(tx, root, &wanted).await })).await
}

/// The file or folder at a path.
///
/// # Errors
/// Not found when nothing is there.
pub async fn entry(mounted: &Arc<Mounted>, path: &DrivePath) -> Result<Entry> {
    entry_in(mounted.db(), mounted.root_node, path).await
}

/// The same in the drive whose root folder is this node (internal key).
///
/// # Errors
/// Not found when nothing is there.
pub async fn entry_in(db: &Db, root: i64, path: &DrivePath) -> Result<Entry> {
    let wanted = path.clone();
    let found = db.glance(move |tx| Box::pin(async move { nodes::resolve(tx, root, &wanted).await })).await?;
    let node = found.node.ok_or_else(|| absent(path))?;
    Ok(Entry { path: path.clone(), node })
}

fn absent(path: &DrivePath) -> Error {
    Error::not_found("there is nothing").with("path", path.to_string())
}

/// Most rows that are read ahead in one folder.
const READ_AHEAD: usize = 256;

/// A folder on the way down.
struct Level {
    folder: i64,
    path: DrivePath,
    /// The name in it that was read last.
    after: String,
    /// Read already, still to be told.
    ahead: VecDeque<Node>,
    /// Whether there may be more to read.
    more: bool,
}

impl Level {
    fn new(folder: i64, path: DrivePath) -> Self {
        Self { folder, path, after: String::new(), ahead: VecDeque::new(), more: true }
    }

    async fn next(&mut self, tx: &mut Tx, room: usize) -> Result<Option<Entry>> {
        if self.ahead.is_empty() && self.more {
            let limit = room.clamp(1, READ_AHEAD);
            let rows = nodes::children(tx, self.folder, &self.after, limit as i64).await?;
            self.more = rows.len() == limit;
            self.after = rows.last().map(|node| node.name.clone()).unwrap_or_default();
            self.ahead = rows.into();
        }
        let Some(node) = self.ahead.pop_front() else { return Ok(None) };
        let path = beneath(&self.path, &node.name);
        Ok(Some(Entry { path, node }))
    }
}

/// What is of that name in a folder. A path may be longer than one that could be asked for: a folder above was moved.
fn beneath(folder: &DrivePath, name: &str) -> DrivePath {
    if folder.is_root() {
        DrivePath::from_checked(name)
    } else {
        DrivePath::from_checked(format!("{}/{name}", folder.as_str()))
    }
}

async fn page(tx: &mut Tx, root: i64, wanted: &Wanted) -> Result<Listed> {
    let top = nodes::resolve(tx, root, &wanted.path).await?.node.ok_or_else(|| absent(&wanted.path))?;
    if !top.is_folder() {
        let entry = Entry { path: wanted.path.clone(), node: top };
        return Ok(Listed {
            entries: wanted.after.is_none().then_some(entry).into_iter().collect(),
            next: None,
        });
    }
    let mut levels = resume(tx, &top, wanted).await?;
    let mut entries: Vec<Entry> = Vec::new();
    while let Some(level) = levels.last_mut() {
        // One more than wanted tells whether there is a next page.
        let Some(entry) = level.next(tx, wanted.limit + 1 - entries.len()).await? else {
            levels.pop();
            continue;
        };
        if entries.len() == wanted.limit {
            let next = entries.last().map(|entry| entry.path.clone());
            return Ok(Listed { entries, next });
        }
        if wanted.recursive && entry.node.is_folder() {
            levels.push(Level::new(entry.node.id, entry.path.clone()));
        }
        entries.push(entry);
    }
    Ok(Listed { entries, next: None })
}

/// The folders from the top to where the last page ended, as far as they still exist, each with the name after which
/// it goes on.
async fn resume(tx: &mut Tx, top: &Node, wanted: &Wanted) -> Result<Vec<Level>> {
    let mut levels = vec![Level::new(top.id, wanted.path.clone())];
    let Some(after) = &wanted.after else { return Ok(levels) };
    if !after.is_beneath(&wanted.path) {
        return Err(Error::malformed("the cursor is not valid"));
    }
    for name in after.components().skip(wanted.path.components().count()) {
        let Some(level) = levels.last_mut() else { break };
        name.clone_into(&mut level.after);
        let here = nodes::child(tx, level.folder, name).await?;
        let Some(folder) = here.filter(|node| wanted.recursive && node.is_folder()) else { break };
        let path = beneath(&level.path, name);
        levels.push(Level::new(folder.id, path));
    }
    Ok(levels)
}
