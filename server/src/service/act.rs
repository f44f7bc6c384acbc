//! One act on a drive inside the writer's transaction: the third step of the write path (algorithms A, Commit).
//!
//! An [`Act`] locks the drive's row, checks the right, and then changes nodes, versions, changes and ops together, so
//! that the commit makes all of it the promise or none. It touches no file: the placer does, from the ops.

mod leaving;
mod many;

pub use many::NewContent;

use holdfast_protocol::DrivePath;
use uuid::Uuid;

use crate::catalog::changes::{self, Actor, Side};
use crate::catalog::db::Tx;
use crate::catalog::drives::{self, Drive, Right, Visible};
use crate::catalog::events::{self, NewEvent};
use crate::catalog::nodes::{self, Content, NewNode, Node, Resolved};
use crate::catalog::ops::{self, NewOp};
use crate::catalog::properties;
use crate::catalog::sums;
use crate::catalog::versions::{self, NewVersion};
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Kind, Result};
use crate::service::files::read_only;
use crate::service::placement::READ_ONLY;
use crate::service::trash::RESTORE;
use crate::store::Blob;

/// A folder staged in a slot, waiting to be placed.
#[derive(Debug, Clone, Copy)]
pub struct StagedFolder {
    /// Its slot.
    pub slot: Uuid,
    /// What `stat` says of it.
    pub stat: Stat,
}

/// The code of the error that says how many folders must be staged before the act can be tried again.
pub const NEEDS_FOLDERS: &str = "needs-staged-folders";

/// A file's content as an act made it current.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file after the act.
    pub node: Node,
    /// Sequence of the change.
    pub seq: i64,
    /// Whether no live file was there before.
    pub created: bool,
}

/// Which version a content that is put becomes.
enum Origin<'a> {
    /// A new one.
    New { reason: &'a str },
    /// That of a conflict's candidate.
    Candidate { version: i64 },
}

/// What the activity log tells of a content beside its path.
fn written(blob: &Blob, reason: &str) -> [(&'static str, String); 2] {
    [("hash", blob.hash.to_string()), ("reason", reason.to_owned())]
}

/// One act on one drive.
pub struct Act<'t> {
    /// The transaction, for whatever else belongs to the act.
    pub tx: &'t mut Tx,
    /// The drive, its row locked.
    pub drive: Drive,
    /// Internal key of its root folder's node.
    pub root: i64,
    /// Who acts and when.
    pub actor: Actor,
    /// Tokens of locks that whoever acts has sent.
    pub(super) tokens: Vec<Uuid>,
    /// Whether anything in the drive is locked, once that was asked.
    pub(super) has_locks: Option<bool>,
    head: i64,
}

fn may_not() -> Error {
    Error::forbidden("you may read this drive but not change it")
}

fn takes_changes(drive: &Drive) -> Result<()> {
    let Some(why) = &drive.degraded else { return Ok(()) };
    if why == READ_ONLY {
        return Err(read_only());
    }
    let kind = if why.contains("space") { Kind::NoSpace } else { Kind::Unavailable };
    Err(Error::new(kind, format!("the drive takes no changes now: {why}")).retry_after(30))
}

/// Whether a user could change a drive just now: a first look, before a large content is received. [`Act::begin`]
/// looks again.
///
/// # Errors
/// 403 without the right or `drive-read-only`, 507 or 503 when the drive takes no changes.
pub fn could_change(visible: &Visible) -> Result<()> {
    if visible.right < Right::Edit {
        return Err(may_not());
    }
    takes_changes(&visible.drive)
}

impl<'t> Act<'t> {
    /// Locks the drive and checks the actor's right.
    ///
    /// # Errors
    /// Not found when the drive is not for the actor to see, forbidden without the right, 507 or 503 when the drive
    /// takes no writes now, 403 `drive-read-only` when its disk can only be read.
    pub async fn begin(tx: &'t mut Tx, drive: i64, actor: Actor, need: Right) -> Result<Self> {
        let gone = || Error::not_found("there is no such drive");
        let drive = drives::lock(tx, drive).await?.ok_or_else(gone)?;
        if let Some(user) = actor.user_id.filter(|user| *user != drive.owner_id) {
            let right = drives::right(tx, drive.id, user).await?.ok_or_else(gone)?;
            if right < need {
                return Err(may_not());
            }
        }
        // What is on a disk that can only be read is noticed all the same.
        if actor.user_id.is_some() || drive.degraded.as_deref() != Some(READ_ONLY) {
            takes_changes(&drive)?;
        }
        Self::on(tx, drive, actor)
    }

    /// An act that only looks, in a transaction that writes nothing.
    ///
    /// # Errors
    /// Not found when the drive is not there.
    pub async fn look(tx: &'t mut Tx, drive: i64, actor: Actor) -> Result<Self> {
        let drive =
            drives::by_id(tx, drive).await?.ok_or_else(|| Error::not_found("there is no such drive"))?;
        Self::on(tx, drive, actor)
    }

    fn on(tx: &'t mut Tx, drive: Drive, actor: Actor) -> Result<Self> {
        let root = drive.root_node_id.ok_or_else(|| Error::internal("a drive without a root node"))?;
        let head = drive.head_seq;
        Ok(Self { tx, drive, root, actor, tokens: Vec::new(), has_locks: None, head })
    }

    /// Where a path leads now.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn resolve(&mut self, path: &DrivePath) -> Result<Resolved> {
        nodes::resolve(self.tx, self.root, path).await
    }

    /// Sequence of the last change so far, this act's included.
    pub fn head(&self) -> i64 {
        self.head
    }

    pub(super) fn next(&mut self) -> i64 {
        self.head += 1;
        self.head
    }

    /// Logs what was done, with the drive and actor filled in.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn log(
        &mut self,
        kind: &'static str,
        path: &DrivePath,
        detail: &[(&str, String)],
    ) -> Result<()> {
        let event = self.event(kind, path, detail);
        events::add(self.tx, event).await
    }

    fn event(&self, kind: &'static str, path: &DrivePath, detail: &[(&str, String)]) -> NewEvent {
        NewEvent {
            at: self.actor.now,
            actor_id: self.actor.user_id,
            device_id: self.actor.device_id,
            drive_id: Some(self.drive.id),
            kind,
            path: Some(path.to_string()),
            result: "ok",
            detail: detail.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect(),
        }
    }

    /// Whether a name in a folder is not that of something else for the drive's file system: what is written there would
    /// displace that. `but`: what is to be called so may have been called nearly so.
    ///
    /// # Errors
    /// Conflict `name-twin`; the catalogue's.
    pub(super) async fn may_be_called(&mut self, folder: i64, name: &str, but: Option<i64>) -> Result<()> {
        if !self.drive.folds_case {
            return Ok(());
        }
        match nodes::twin(self.tx, folder, name).await?.filter(|twin| Some(twin.id) != but) {
            None => Ok(()),
            Some(twin) => {
                let why = "the drive's disk cannot tell this name from that of another file or folder there";
                Err(Error::conflict(why).code("name-twin").with("name", twin.name))
            }
        }
    }

    pub(super) async fn record(&mut self, seq: i64, kind: &'static str, old: &Side, id: i64) -> Result<Node> {
        let node = nodes::by_id(self.tx, id).await?;
        self.record_as(seq, kind, old, &node).await?;
        Ok(node)
    }

    pub(super) async fn record_as(
        &mut self,
        seq: i64,
        kind: &'static str,
        old: &Side,
        new: &Node,
    ) -> Result<()> {
        changes::insert(self.tx, self.drive.id, seq, kind, &self.actor, old, new).await
    }

    /// The folder at a path, made with all missing ones above it out of folders staged before.
    ///
    /// # Errors
    /// Conflict when a file is in the way; [`NEEDS_FOLDERS`] when `staged` does not suffice.
    pub async fn folder(&mut self, path: &DrivePath, staged: &mut Vec<StagedFolder>) -> Result<Node> {
        let found = self.resolve(path).await?;
        let in_the_way = || Error::conflict("a file is in the way").with("path", path.to_string());
        if let Some(node) = found.node {
            return if node.is_folder() { Ok(node) } else { Err(in_the_way()) };
        }
        if let Some(file) = found.blocked_by() {
            return Err(Error::conflict("a file is in the way").with("name", file.name.clone()));
        }
        if staged.len() < found.missing {
            return Err(Error::internal("not enough folders staged")
                .code(NEEDS_FOLDERS)
                .with("folders", u64::try_from(found.missing).unwrap_or(u64::MAX)));
        }
        let depth = path.components().count();
        let mut here = found.above.last().cloned().ok_or_else(in_the_way)?;
        let mut names: Vec<&str> = path.components().take(depth - found.missing).collect();
        for name in path.components().skip(depth - found.missing) {
            names.push(name);
            let slot = staged.pop().ok_or_else(in_the_way)?;
            here = self.mkdir(&here, name, &DrivePath::from_checked(names.join("/")), slot).await?;
        }
        Ok(here)
    }

    async fn mkdir(
        &mut self,
        parent: &Node,
        name: &str,
        path: &DrivePath,
        staged: StagedFolder,
    ) -> Result<Node> {
        self.may_add_to(parent.id).await?;
        self.may_be_called(parent.id, name, None).await?;
        let seq = self.next();
        let new = NewNode {
            drive_id: self.drive.id,
            parent_id: parent.id,
            name,
            kind: "folder",
            seq,
            ident: staged.stat.ident,
            mtime_ns: staged.stat.mtime_ns,
            slot: Some(staged.slot),
            now: self.actor.now,
        };
        let node = nodes::insert(self.tx, &new).await?;
        let op = NewOp {
            uuid: staged.slot,
            drive_id: self.drive.id,
            seq,
            kind: "mkdir",
            node_id: node.id,
            version_id: None,
            path: path.as_str().to_owned(),
            dst: None,
            ident: staged.stat.ident,
            hash: None,
            displaced: None,
            now: self.actor.now,
        };
        ops::insert(self.tx, &op).await?;
        self.record_as(seq, "add", &Side::default(), &node).await?;
        self.log("folder-created", path, &[]).await?;
        Ok(node)
    }

    /// Makes a staged content the current one of the file at a path whose folder is there and where no folder stands.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn put(
        &mut self,
        folder: &Node,
        path: &DrivePath,
        blob: &Blob,
        reason: &str,
    ) -> Result<Written> {
        self.put_as(folder, path, blob, Origin::New { reason }).await
    }

    /// As [`Act::put`], of a conflict's candidate in the slot where it was received: it leaves the slot, and its version
    /// becomes the file's.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn put_candidate(
        &mut self,
        folder: &Node,
        path: &DrivePath,
        blob: &Blob,
        version: i64,
    ) -> Result<Written> {
        self.put_as(folder, path, blob, Origin::Candidate { version }).await
    }

    async fn put_as(
        &mut self,
        folder: &Node,
        path: &DrivePath,
        blob: &Blob,
        origin: Origin<'_>,
    ) -> Result<Written> {
        let name = path.name().ok_or_else(|| Error::conflict("the drive's root is no file"))?;
        let live = nodes::child(self.tx, folder.id, name).await?;
        match &live {
            Some(node) => self.may_change(node).await?,
            None => {
                self.may_add_to(folder.id).await?;
                self.may_be_called(folder.id, name, None).await?;
            }
        }
        let displaced = match &live {
            Some(node) => self.displace(node, blob.slot).await?.0,
            None => None,
        };
        let seq = self.next();
        let created = live.is_none();
        let before = match live {
            Some(node) => node,
            None => {
                let node = self.file_to_fill(folder, name, blob.stat.ident, seq).await?;
                // What was set on a file that died here was set on that one, not on a new one of its name.
                if node.is_dead() && !matches!(origin, Origin::New { reason: RESTORE }) {
                    properties::clear(self.tx, node.id).await?;
                }
                node
            }
        };
        let (version, reason) = match origin {
            Origin::New { reason } => (self.version(&before, path, blob, reason).await?, reason),
            Origin::Candidate { version } => {
                let (number, reason, now) = (before.last_version + 1, "conflict", self.actor.now);
                let node = Some(before.id);
                versions::promote(self.tx, version, node, number, path.as_str(), reason, now).await?;
                versions::leave_slot(self.tx, version).await?;
                (version, reason)
            }
        };
        let content = Content {
            hash: blob.hash,
            size: blob.size.cast_signed(),
            mtime_ns: blob.stat.mtime_ns,
            ident: blob.stat.ident,
            version,
            number: before.last_version + 1,
            slot: Some(blob.slot),
        };
        let node = nodes::set_content(self.tx, &before, seq, &content, self.actor.now).await?;
        let op = NewOp { displaced, ..self.put_op(&node, version, path, blob) };
        ops::insert(self.tx, &op).await?;
        let old = if before.current_version_id.is_none() { Side::default() } else { Side::from(&before) };
        self.record_as(seq, if created { "add" } else { "modify" }, &old, &node).await?;
        let detail = written(blob, reason);
        self.log(if created { "file-created" } else { "file-changed" }, path, &detail).await?;
        Ok(Written { node, seq, created })
    }

    /// The node a new file fills: the one that died there last, else a new one.
    pub(super) async fn file_to_fill(
        &mut self,
        folder: &Node,
        name: &str,
        ident: Ident,
        seq: i64,
    ) -> Result<Node> {
        if let Some(mut dead) = nodes::dead_file(self.tx, folder.id, name).await? {
            nodes::remember_name(self.tx, &dead, dead.seq).await?;
            nodes::set_named(self.tx, dead.id, seq).await?;
            dead.named_seq = seq;
            return Ok(dead);
        }
        let new = NewNode {
            drive_id: self.drive.id,
            parent_id: folder.id,
            name,
            kind: "file",
            seq,
            ident,
            mtime_ns: 0,
            slot: None,
            now: self.actor.now,
        };
        nodes::insert(self.tx, &new).await
    }

    /// The placement of a content that a file has got.
    fn put_op(&self, node: &Node, version: i64, path: &DrivePath, blob: &Blob) -> NewOp {
        NewOp {
            uuid: blob.slot,
            drive_id: self.drive.id,
            seq: node.seq,
            kind: "put",
            node_id: node.id,
            version_id: Some(version),
            path: path.as_str().to_owned(),
            dst: None,
            ident: blob.stat.ident,
            hash: Some(blob.hash),
            displaced: None,
            now: self.actor.now,
        }
    }

    /// A content as the version of a file with a number.
    fn new_version<'b>(
        &self,
        (node, n): (i64, i64),
        path: &'b DrivePath,
        blob: &Blob,
        reason: &'b str,
    ) -> NewVersion<'b> {
        NewVersion {
            drive_id: self.drive.id,
            node_id: Some(node),
            n: Some(n),
            path: path.as_str(),
            hash: blob.hash,
            size: blob.size.cast_signed(),
            mtime_ns: blob.stat.mtime_ns,
            ident: blob.stat.ident,
            origin: Some(blob.slot),
            slot: None,
            sealed: false,
            reason,
            now: self.actor.now,
            created_by: self.actor.user_id,
            device_id: self.actor.device_id,
        }
    }

    async fn version(&mut self, node: &Node, path: &DrivePath, blob: &Blob, reason: &str) -> Result<i64> {
        let new = self.new_version((node.id, node.last_version + 1), path, blob, reason);
        let version = versions::insert(self.tx, &new).await?;
        if let Some(known) = &blob.sums {
            sums::set(self.tx, version, &known.sha1, &known.md5).await?;
        }
        Ok(version)
    }

    /// Adds a content to a file's history without making it current: it stays in the slot it was staged in.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn keep_version(
        &mut self,
        node: &Node,
        path: &DrivePath,
        blob: &Blob,
        reason: &str,
    ) -> Result<i64> {
        let version = self.version(node, path, blob, reason).await?;
        versions::seal(self.tx, version, blob.stat.ident, blob.slot).await?;
        nodes::set_last_version(self.tx, node.id, node.last_version + 1).await?;
        Ok(version)
    }

    /// Ends the act: the drive's head is raised to its last change, which is returned.
    ///
    /// # Errors
    /// The catalogue's.
    pub async fn finish(self) -> Result<i64> {
        if self.head != self.drive.head_seq {
            drives::set_head(self.tx, self.drive.id, self.head).await?;
        }
        Ok(self.head)
    }
}
