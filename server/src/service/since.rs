//! What is different in a folder since a change of its drive (RFC 6578): what is there now and was not, or not so; and
//! what was there and is not any more.
//!
//! It is told change by change, in the order of the drive: each file or folder at its latest one. A folder that came to
//! where it is brings along what was in it by then: whoever follows has the folder before what is in it, and where a file
//! was before, loses nothing when that makes room for the folder. The head is read before anything else, so that what
//! changes meanwhile is told again the next time, never left out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use super::locks;
use super::placement::Mounted;
use super::properties::{Described, Wanted};
use crate::catalog::db::Tx;
use crate::catalog::since::{self, Changed};
use crate::catalog::{changes, drives, nodes, properties, sums, tree};
use crate::error::{Error, Result};

/// Rows that are read at once.
const PAGE: usize = 500;
/// The code of the refusal of what is no folder.
pub const NO_FOLDER: &str = "no-folder";
/// The code of the refusal of a token that says nothing about the folder any more.
pub const OTHER_TOKEN: &str = "other-sync-token";

/// Something that is different, with the sequence by which it is told.
#[derive(Debug)]
pub struct Different {
    /// Sequence of the change that it belongs to. These never go back.
    pub seq: i64,
    /// Where.
    pub path: DrivePath,
    /// Whether it is, or was, a folder.
    pub is_folder: bool,
    /// What is there; `None`: nothing any more.
    pub now: Option<Described>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The folder.
    pub folder: DrivePath,
    /// The change up to which everything is known; `None`: nothing is.
    pub since: Option<Uuid>,
    /// Also what is in folders within.
    pub deep: bool,
    /// What is wanted of each file and folder.
    pub wanted: Wanted,
}

/// The differences, read a page at a time.
pub struct Walk {
    mounted: Arc<Mounted>,
    scope: Scope,
    /// Everything up to this was told, or will be by what is below.
    at: i64,
    read: VecDeque<Changed>,
    down: Vec<Level>,
    /// The newest change when it began: what it is all told up to.
    pub head: Uuid,
}

#[derive(Debug, Clone)]
struct Scope {
    drive: i64,
    folder: i64,
    path: DrivePath,
    since: i64,
    /// Sequence by which the folder, or one above it, came to where it is: what is older belongs to that change, for no token
    /// from before says anything about the folder.
    came: i64,
    head: i64,
    deep: bool,
    wanted: Wanted,
}

/// A folder that came to where it is, of which the members are still to be told.
#[derive(Debug, Clone)]
struct Level {
    folder: i64,
    path: DrivePath,
    after: String,
    /// Sequence of the change by which it came.
    seq: i64,
}

/// Begins to tell what is different.
///
/// # Errors
/// 404 when nothing is there, 403 [`NO_FOLDER`] and [`OTHER_TOKEN`].
pub async fn begin(mounted: &Arc<Mounted>, asked: Asked) -> Result<Walk> {
    let (id, root) = (mounted.id, mounted.root_node);
    let (scope, head) = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let drive =
                    drives::by_id(tx, id).await?.ok_or_else(|| Error::internal("a drive that went"))?;
                let head = changes::token_at(tx, id, drive.head_seq).await?;
                let head = head.ok_or_else(|| Error::internal("a drive whose head is no change"))?;
                let absent = || Error::not_found("there is nothing").with("path", asked.folder.to_string());
                let found = nodes::resolve(tx, root, &asked.folder).await?;
                let folder = found.node.ok_or_else(absent)?;
                if !folder.is_folder() {
                    return Err(
                        Error::forbidden("only a folder tells what is different in it").code(NO_FOLDER)
                    );
                }
                let other = || Error::forbidden("the token says nothing about this folder").code(OTHER_TOKEN);
                let came = found.above.iter().map(|above| above.seq).max().unwrap_or(0).max(folder.seq);
                let since = match asked.since {
                    None => 0,
                    Some(change) => {
                        let seq = since::seq_of(tx, id, change).await?.ok_or_else(other)?;
                        // Then another folder was at this address, or this one at another.
                        if seq < drive.prune_floor || came > seq {
                            return Err(other());
                        }
                        seq
                    }
                };
                let scope = Scope {
                    drive: id,
                    folder: folder.id,
                    path: asked.folder,
                    since,
                    came,
                    head: drive.head_seq,
                    deep: asked.deep,
                    wanted: asked.wanted,
                };
                Ok((scope, head))
            })
        })
        .await?;
    Ok(Walk {
        mounted: Arc::clone(mounted),
        at: scope.since,
        scope,
        read: VecDeque::new(),
        down: Vec::new(),
        head,
    })
}

/// The change of a sequence that something was told with.
///
/// # Errors
/// The catalogue's.
pub async fn token_of(mounted: &Arc<Mounted>, seq: i64) -> Result<Uuid> {
    let drive = mounted.id;
    let found = mounted.db().read(move |tx| Box::pin(changes::token_at(tx, drive, seq))).await?;
    found.ok_or_else(|| Error::internal("a node whose sequence is no change"))
}

impl Walk {
    /// The next differences; `None` at the end. Each comes once, those of one change together.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn next(&mut self) -> Result<Option<Vec<Different>>> {
        loop {
            let (scope, at) = (self.scope.clone(), self.at);
            let (read, down) = (std::mem::take(&mut self.read), std::mem::take(&mut self.down));
            let now = self.mounted.clock().now();
            let turn = self.mounted.db().read(move |tx| {
                Box::pin(async move {
                    let telling = Telling {
                        tx,
                        scope,
                        now,
                        told: Vec::new(),
                        ways: HashMap::new(),
                        old: HashMap::new(),
                    };
                    telling.turn(at, read, down).await
                })
            });
            let turn = turn.await?;
            (self.at, self.read, self.down) = (turn.at, turn.read, turn.down);
            if !turn.told.is_empty() {
                return Ok(Some(turn.told));
            }
            if turn.is_over {
                return Ok(None);
            }
        }
    }
}

/// What a turn leaves.
struct Turn {
    at: i64,
    read: VecDeque<Changed>,
    down: Vec<Level>,
    told: Vec<Different>,
    is_over: bool,
}

/// How a folder is reached from the one that was asked for.
#[derive(Debug, Clone)]
struct Way {
    path: DrivePath,
    /// The latest change of a folder on the way, of those that are told.
    seq: i64,
}

/// One turn, in one transaction.
struct Telling<'t> {
    tx: &'t mut Tx,
    scope: Scope,
    now: i64,
    told: Vec<Different>,
    /// Of folders as they are: `None` for one that is not within, or not live.
    ways: HashMap<i64, Option<Way>>,
    /// Of folders as they were.
    old: HashMap<i64, Option<String>>,
}

impl Telling<'_> {
    async fn turn(mut self, mut at: i64, mut read: VecDeque<Changed>, mut down: Vec<Level>) -> Result<Turn> {
        let mut is_over = false;
        while self.told.len() < PAGE {
            if let Some(level) = down.pop() {
                self.descend(level, &mut down).await?;
            } else if let Some(changed) = read.pop_front() {
                at = changed.seq;
                self.tell(changed, &mut down).await?;
            } else {
                let (drive, head) = (self.scope.drive, self.scope.head);
                read = since::changed(self.tx, drive, at, head, PAGE as i64).await?.into();
                if read.is_empty() {
                    is_over = true;
                    break;
                }
            }
        }
        Ok(Turn { at, read, down, told: self.told, is_over })
    }

    async fn tell(&mut self, changed: Changed, down: &mut Vec<Level>) -> Result<()> {
        let (id, seq, is_folder) = (changed.member.id, changed.seq, changed.member.is_folder());
        let since = self.scope.since;
        if !changed.is_dead()
            && self.reaches(changed.parent_id)
            && let Some(way) = self.way(changed.parent_id).await?
        {
            let path = beneath(&way.path, &changed.member.name);
            // Where a folder above came later, that one brings this along.
            if since == 0 || way.seq <= seq {
                if is_folder && self.scope.deep && since > 0 {
                    down.push(Level { folder: id, path: path.clone(), after: String::new(), seq });
                }
                self.present(seq, path, changed.clone()).await?;
            }
        }
        let kept_name = changed.named_seq <= since;
        if since == 0 || (kept_name && !changed.is_dead()) {
            return Ok(());
        }
        let before = match kept_name {
            true => Some((changed.parent_id, changed.member.name.clone())),
            false => since::name_at(self.tx, id, since).await?,
        };
        match before {
            Some((parent, name)) if self.reaches(parent) => match self.old_way(parent).await? {
                Some(above) => self.gone(&changed, joined(&above, &name)).await,
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Whether what is in a folder belongs to the answer, as far as its depth goes.
    fn reaches(&self, parent: i64) -> bool {
        self.scope.deep || parent == self.scope.folder
    }

    /// Tells members of a folder that came along with it.
    async fn descend(&mut self, mut level: Level, down: &mut Vec<Level>) -> Result<()> {
        let page = since::members(self.tx, level.folder, &level.after, PAGE as i64).await?;
        let (whole, seq) = (page.len() == PAGE, level.seq);
        if let (true, Some(last)) = (whole, page.last()) {
            last.member.name.clone_into(&mut level.after);
            down.push(level.clone());
        }
        for member in page {
            // It came later than the folder: it is told, with all in it, when it came.
            if member.seq > seq {
                continue;
            }
            let path = beneath(&level.path, &member.member.name);
            if member.member.is_folder() {
                down.push(Level { folder: member.member.id, path: path.clone(), after: String::new(), seq });
            }
            self.present(seq, path, member).await?;
        }
        Ok(())
    }

    async fn present(&mut self, seq: i64, path: DrivePath, changed: Changed) -> Result<()> {
        let (member, wanted) = (changed.member, self.scope.wanted);
        let (id, is_folder) = (member.id, member.is_folder());
        let described = Described {
            dead: if wanted.dead { properties::of_node(self.tx, id).await? } else { Vec::new() },
            locks: if wanted.locks { locks::covering(self.tx, id, self.now).await? } else { Vec::new() },
            sums: if wanted.sums { sums::of_node(self.tx, id).await? } else { None },
            member,
        };
        let seq = seq.max(self.scope.came);
        self.told.push(Different { seq, path, is_folder, now: Some(described) });
        Ok(())
    }

    /// Tells what is no longer where it was. Where a folder above went, that one says so for all that was in it.
    async fn gone(&mut self, changed: &Changed, was: String) -> Result<()> {
        let seq = changed.seq;
        let was = DrivePath::from_checked(was);
        let found = nodes::resolve(self.tx, self.scope.folder, &was).await?;
        match (&found.node, found.missing) {
            (None, 1) if found.folder().is_some() => self.absent(seq, &was, changed.member.is_folder()),
            (Some(now), _)
                if now.is_folder()
                    && changed.member.is_folder()
                    && now.id != changed.member.id
                    && self.scope.deep =>
            {
                self.replaced(seq, was, changed.member.id, now.id).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Another folder is where one was: what was in that one and did not leave it by itself is gone with it.
    async fn replaced(&mut self, seq: i64, path: DrivePath, before: i64, now: i64) -> Result<()> {
        let mut left = vec![(path, before, now)];
        while let Some((path, before, now)) = left.pop() {
            for member in since::unchanged(self.tx, before, self.scope.since).await? {
                let member = member.member;
                let at = beneath(&path, &member.name);
                match nodes::child(self.tx, now, &member.name).await? {
                    None => self.absent(seq, &at, member.is_folder()),
                    Some(there) if there.id == member.id => {}
                    Some(there) if there.is_folder() && member.is_folder() => {
                        left.push((at, member.id, there.id));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn absent(&mut self, seq: i64, within: &DrivePath, is_folder: bool) {
        let path = within.components().fold(self.scope.path.clone(), |path, name| beneath(&path, name));
        self.told.push(Different { seq, path, is_folder, now: None });
    }

    async fn way(&mut self, folder: i64) -> Result<Option<Way>> {
        if let Some(known) = self.ways.get(&folder) {
            return Ok(known.clone());
        }
        let lineage = nodes::lineage(self.tx, folder).await?;
        let from = lineage.iter().position(|node| node.id == self.scope.folder);
        let head = self.scope.head;
        let way = from.filter(|_| tree::is_live(&lineage)).map(|from| {
            let below = &lineage[from + 1..];
            Way {
                path: below.iter().fold(self.scope.path.clone(), |path, node| beneath(&path, &node.name)),
                seq: below.iter().map(|node| node.seq).filter(|seq| *seq <= head).max().unwrap_or(0),
            }
        });
        self.ways.insert(folder, way.clone());
        Ok(way)
    }

    /// The path of a folder within the one that was asked for, as it was; `None` when it was not in it, or not at all.
    async fn old_way(&mut self, folder: i64) -> Result<Option<String>> {
        if let Some(known) = self.old.get(&folder) {
            return Ok(known.clone());
        }
        let mut names = Vec::new();
        let mut here = folder;
        let mut reached = true;
        while here != self.scope.folder {
            let node = nodes::by_id(self.tx, here).await?;
            let was_there = node.named_seq <= self.scope.since;
            let then = match node.parent_id {
                Some(parent) if was_there && !(node.is_dead() && node.seq <= self.scope.since) => {
                    Some((parent, node.name))
                }
                Some(_) if !was_there => since::name_at(self.tx, here, self.scope.since).await?,
                _ => None,
            };
            let Some((parent, name)) = then else {
                reached = false;
                break;
            };
            names.push(name);
            here = parent;
        }
        names.reverse();
        let way = reached.then(|| names.join("/"));
        self.old.insert(folder, way.clone());
        Ok(way)
    }
}

fn joined(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

/// What is of that name in a folder. A path may be longer than one that could be asked for: a folder above was moved.
fn beneath(folder: &DrivePath, name: &str) -> DrivePath {
    DrivePath::from_checked(joined(folder.as_str(), name))
}
