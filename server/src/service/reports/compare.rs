//! What a report says beside what the catalogue knows. Nothing is written here: a few queries for the whole report, however
//! many files it names.

use std::collections::{BTreeMap, HashMap, HashSet};

use holdfast_protocol::{DrivePath, Kind};

use super::check::with_above;
use super::{Entry, Folder, Report};
use crate::catalog::nodes::{self, Node};
use crate::catalog::reports as rows;
use crate::domain::reports::{Became, Sight};
use crate::error::{Error, Result};
use crate::service::act::Act;

/// Rows that are read at once of a folder that is told in parts.
const PAGE: i64 = 2_000;

/// A folder to be made.
#[derive(Debug, Clone)]
pub(super) struct NewFolder {
    /// Where.
    pub path: DrivePath,
    /// Nanoseconds since 1970; 0 where it was not told.
    pub mtime_ns: i64,
}

/// A file to be added.
#[derive(Debug, Clone)]
pub(super) struct NewFile<'r> {
    /// Its folder.
    pub folder: &'r DrivePath,
    /// The file.
    pub entry: &'r Entry,
    /// Whether something of another kind has its name.
    pub replaces: bool,
}

/// What is different.
#[derive(Debug, Default)]
pub(super) struct Compared<'r> {
    /// The folders that are there, by path.
    pub folders: HashMap<DrivePath, i64>,
    /// Those to be made, by their depth.
    pub new_folders: BTreeMap<usize, Vec<NewFolder>>,
    /// Paths of folders at which there is a file by now.
    pub blocked: HashSet<DrivePath>,
    /// Files to be added.
    pub new_files: Vec<NewFile<'r>>,
    /// What is otherwise than was known.
    pub changed: Vec<(Node, Sight)>,
    /// What is no longer there, with its path.
    pub gone: Vec<(Node, DrivePath)>,
    /// How many are as was known.
    pub unchanged: usize,
    /// Nodes that were named.
    seen: HashSet<i64>,
}

impl<'r> Compared<'r> {
    /// Looks at all that a report names, and at what it does not name where it is complete.
    pub async fn read(act: &mut Act<'_>, report: &'r Report) -> Result<Self> {
        let mut compared =
            Self { folders: HashMap::from([(DrivePath::root(), act.root)]), ..Self::default() };
        compared.folders(act, report).await?;
        compared.files(act, report).await?;
        compared.missing(act, report).await?;
        Ok(compared)
    }

    /// Whether the report names any file.
    pub fn names_files(report: &Report) -> bool {
        report.folders.iter().flat_map(|folder| &folder.entries).any(|entry| entry.sight.kind == Kind::File)
    }

    /// Leaves out what is gone, and what would take its place.
    pub fn withhold(&mut self) {
        self.gone.clear();
        let blocked = std::mem::take(&mut self.blocked);
        let is_free = |path: &DrivePath| with_above(path).all(|path| !blocked.contains(&path));
        for folders in self.new_folders.values_mut() {
            folders.retain(|folder| is_free(&folder.path));
        }
        self.new_files.retain(|file| !file.replaces && is_free(file.folder));
    }

    async fn folders(&mut self, act: &mut Act<'_>, report: &'r Report) -> Result<()> {
        // By depth, so that a folder is looked up in one that is known; with its time, where it is named itself.
        let mut wanted: BTreeMap<usize, BTreeMap<DrivePath, Option<Sight>>> = BTreeMap::new();
        for folder in &report.folders {
            for path in with_above(&folder.path) {
                wanted.entry(path.components().count()).or_default().entry(path).or_default();
            }
            for entry in folder.entries.iter().filter(|entry| entry.sight.kind == Kind::Folder) {
                let path = folder.path.join(&entry.name).map_err(Error::internal)?;
                wanted.entry(path.components().count()).or_default().insert(path, Some(entry.sight));
            }
        }
        for (depth, paths) in wanted {
            let paths: Vec<(DrivePath, Option<Sight>)> = paths.into_iter().collect();
            let parents = paths
                .iter()
                .map(|(path, _)| path.parent().and_then(|above| self.folders.get(&above).copied()));
            let parents: Vec<Option<i64>> = parents.collect();
            let asked: Vec<(usize, (i64, &str))> = paths
                .iter()
                .zip(&parents)
                .enumerate()
                .filter_map(|(at, ((path, _), parent))| Some((at, ((*parent)?, path.name()?))))
                .collect();
            let names: Vec<(i64, &str)> = asked.iter().map(|(_, name)| *name).collect();
            let mut found = rows::named(act.tx, &names).await?;
            let mut nodes: HashMap<usize, Node> = asked
                .iter()
                .enumerate()
                .filter_map(|(asked_at, (at, _))| Some((*at, found.remove(&asked_at)?)))
                .collect();
            for (at, (path, told)) in paths.iter().enumerate() {
                match nodes.remove(&at) {
                    Some(node) if node.is_folder() => self.known_folder(node, path, *told),
                    other => {
                        if let Some(file) = other {
                            self.blocked.insert(path.clone());
                            self.seen.insert(file.id);
                            self.gone.push((file, path.clone()));
                        }
                        let mtime_ns = told.map_or(0, |told| told.mtime_ns);
                        let new = NewFolder { path: path.clone(), mtime_ns };
                        self.new_folders.entry(depth).or_default().push(new);
                    }
                }
            }
        }
        Ok(())
    }

    fn known_folder(&mut self, node: Node, path: &DrivePath, told: Option<Sight>) {
        self.folders.insert(path.clone(), node.id);
        self.seen.insert(node.id);
        if let Some(told) = told {
            self.told_again(node, told);
        }
    }

    /// Counts what is as it was, and keeps what is not.
    fn told_again(&mut self, node: Node, told: Sight) {
        match told.over(sight_of(&node)) {
            Became::Changed(now) => self.changed.push((node, now)),
            Became::Same | Became::Replaced => self.unchanged += 1,
        }
    }

    async fn files(&mut self, act: &mut Act<'_>, report: &'r Report) -> Result<()> {
        let files = report.folders.iter().flat_map(|folder| {
            let files = folder.entries.iter().filter(|entry| entry.sight.kind == Kind::File);
            files.map(move |entry| (&folder.path, entry))
        });
        let (mut names, mut asked) = (Vec::new(), Vec::new());
        for (folder, entry) in files {
            match self.folders.get(folder) {
                Some(id) => {
                    names.push((*id, entry.name.as_str()));
                    asked.push((folder, entry));
                }
                None => self.new_files.push(NewFile { folder, entry, replaces: false }),
            }
        }
        let mut found = rows::named(act.tx, &names).await?;
        for (at, (folder, entry)) in asked.into_iter().enumerate() {
            match found.remove(&at) {
                None => self.new_files.push(NewFile { folder, entry, replaces: false }),
                Some(node) => {
                    self.seen.insert(node.id);
                    if node.is_folder() {
                        let path = folder.join(&entry.name).map_err(Error::internal)?;
                        self.gone.push((node, path));
                        self.new_files.push(NewFile { folder, entry, replaces: true });
                    } else {
                        self.told_again(node, entry.sight);
                    }
                }
            }
        }
        Ok(())
    }

    /// What is in complete folders and was not named.
    async fn missing(&mut self, act: &mut Act<'_>, report: &'r Report) -> Result<()> {
        let complete = report.folders.iter().filter(|folder| folder.is_complete);
        let known = complete.filter_map(|folder| Some((*self.folders.get(&folder.path)?, folder)));
        let (parts, whole): (Vec<_>, Vec<_>) =
            known.partition(|(_, folder)| folder.after.is_some() || folder.through.is_some());
        let ids: Vec<i64> = whole.iter().map(|(id, _)| *id).collect();
        let seen = &self.seen;
        let mut gone = rows::in_folders(act.tx, &ids, |node| !seen.contains(&node.id)).await?;
        for (id, folder) in &parts {
            gone.extend(self.missing_of(act, *id, folder).await?);
        }
        let paths: HashMap<i64, &DrivePath> =
            whole.iter().chain(&parts).map(|(id, folder)| (*id, &folder.path)).collect();
        for node in gone {
            let folder = node.parent_id.and_then(|parent| paths.get(&parent));
            let folder = folder.ok_or_else(|| Error::internal("a node of a folder that nobody asked for"))?;
            let name = DrivePath::from_checked(match folder.as_str() {
                "" => node.name.clone(),
                above => format!("{above}/{}", node.name),
            });
            self.gone.push((node, name));
        }
        Ok(())
    }

    async fn missing_of(&self, act: &mut Act<'_>, id: i64, folder: &Folder) -> Result<Vec<Node>> {
        let mut gone = Vec::new();
        let mut after = folder.after.clone().unwrap_or_default();
        loop {
            let page = nodes::children(act.tx, id, &after, PAGE).await?;
            let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
            for node in page {
                if !folder.covers(&node.name) {
                    return Ok(gone);
                }
                node.name.clone_into(&mut after);
                if !self.seen.contains(&node.id) {
                    gone.push(node);
                }
            }
            if is_last {
                return Ok(gone);
            }
        }
    }
}

/// What is known of a node.
fn sight_of(node: &Node) -> Sight {
    Sight {
        kind: if node.is_folder() { Kind::Folder } else { Kind::File },
        size: node.size.cast_unsigned(),
        mtime_ns: node.mtime_ns,
        hash: node.content_hash(),
    }
}
