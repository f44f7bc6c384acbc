//! Files: write, delete, make folders, move, copy. Each is staged and durable first, then one commit, then placed.

mod copies;
mod folders;
mod moves;
mod put;

use std::sync::Arc;

use holdfast_protocol::{ContentHash, DrivePath};
use uuid::Uuid;

pub use copies::{copy, stage_opened};
pub use folders::{Deletion, NewFolder, delete, make_folder, make_folder_with};
pub(super) use folders::{delete_in, make_in};
pub use moves::rename;
pub(super) use moves::rename_in;
pub use put::{Outcome, Put, put};
pub(super) use put::{put_in, try_put};

use super::act::{NEEDS_FOLDERS, StagedFolder, Written};
use super::locks::Guard;
use super::once::Once;
use super::placement::Mounted;
use crate::catalog::changes::Actor;
use crate::catalog::db::{AMBIGUOUS, Tx, TxFuture};
use crate::catalog::nodes::Node;
use crate::error::{Error, Kind, Result};
use crate::store::Phys;

/// Who asks, and whether it is an explicit sync act of one of their devices.
#[derive(Debug, Clone)]
pub struct Who {
    /// Internal key of the account.
    pub user_id: i64,
    /// Internal key of the device the credential belongs to, for the record.
    pub device_id: Option<i64>,
    /// The device named by the header `Holdfast-Device`: only then agreements change and conflicts open.
    pub syncing: Option<i64>,
    /// What the request says about locks.
    pub guard: Guard,
    /// By what the request is remembered, if it has an `Idempotency-Key`. Moves and copies ask for it.
    pub once: Option<Arc<Once>>,
}

impl Who {
    pub(super) fn actor(&self, now: i64) -> Actor {
        Actor {
            user_id: Some(self.user_id),
            device_id: self.syncing.or(self.device_id),
            action: Uuid::new_v4(),
            now,
        }
    }

    /// Why a content of theirs becomes a version.
    pub(super) fn reason(&self) -> &'static str {
        if self.syncing.is_some() { "sync" } else { "manual" }
    }
}

/// What the caller expects to replace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    #[default]
    Anything,
    /// No file (`If-None-Match: *`).
    Nothing,
    /// Some file (`If-Match: *`).
    Something,
    /// A file with this content (`If-Match`).
    Content(ContentHash),
    /// What cannot be: a condition that did not hold when it was looked at, or that no content can meet.
    Never,
}

impl Expect {
    pub(super) fn holds(self, there: Option<ContentHash>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => there.is_none(),
            Self::Something => there.is_some(),
            Self::Content(hash) => there == Some(hash),
            Self::Never => false,
        }
    }

    pub(super) fn refused(self, there: Option<ContentHash>) -> Error {
        let error = Error::precondition("another was faster: the content there is not the expected one")
            .with("actual_hash", there.map(|h| h.to_string()));
        match self {
            Self::Content(hash) => error.with("expected_hash", hash.to_string()),
            _ => error,
        }
    }
}

/// How an act went.
#[derive(Debug, Clone)]
pub struct Done<T> {
    /// What it made.
    pub value: T,
    /// Whether it is in the plain folder already; false: committed, placement pending.
    pub placed: bool,
}

/// A file as a write left it.
#[derive(Debug, Clone)]
pub struct PutDone {
    /// The file.
    pub node: Node,
    /// Whether no file was there before.
    pub created: bool,
    /// Number of the version that is current, where the act was about a content.
    pub version: Option<i64>,
}

impl PutDone {
    pub(super) fn written(written: Written) -> Self {
        Self { version: Some(written.node.last_version), node: written.node, created: written.created }
    }
}

/// A move or copy.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// From where.
    pub from: DrivePath,
    /// To where.
    pub to: DrivePath,
    /// What the source must be.
    pub expect: Expect,
    /// Whether a live file or folder at the target is replaced; else that is 409.
    pub overwrite: bool,
    /// Whether missing folders above the target are made.
    pub parents: bool,
    /// A copy of a folder without what is in it.
    pub shallow: bool,
}

fn no_folder(parent: &DrivePath) -> Error {
    Error::conflict("the folder it would be in does not exist").with("path", parent.to_string())
}

/// Runs an act that may have to make folders: they are staged and durable before the commit, as many as it turns out
/// to need; what is left over is removed again.
pub(super) async fn with_folders<T, F, G>(mounted: &Arc<Mounted>, parents: bool, act: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(Vec<StagedFolder>) -> G,
    G: for<'a> FnOnce(&'a mut Tx) -> TxFuture<'a, (T, Vec<StagedFolder>)> + Send + 'static,
{
    let mut needed = 0;
    loop {
        let staged = stage_folders(mounted, needed).await?;
        let slots: Vec<Uuid> = staged.iter().map(|s| s.slot).collect();
        match mounted.db().write(act(staged)).await {
            Ok((value, left)) => {
                left.iter().for_each(|s| mounted.store.discard(s.slot));
                return Ok(value);
            }
            Err(error) => {
                let more = error.fields().get("folders").and_then(serde_json::Value::as_u64);
                if error.problem_code() != Some(AMBIGUOUS) {
                    slots.iter().for_each(|slot| mounted.store.discard(*slot));
                }
                match more.and_then(|n| usize::try_from(n).ok()) {
                    // The same number again would never do: then the act counts wrong, and must not go on for ever.
                    Some(more) if parents && error.problem_code() == Some(NEEDS_FOLDERS) && more > needed => {
                        needed = more;
                    }
                    _ => return Err(error),
                }
            }
        }
    }
}

/// Folders in slots, durable.
pub(super) async fn stage_folders(mounted: &Arc<Mounted>, count: usize) -> Result<Vec<StagedFolder>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let store = Arc::clone(&mounted.store);
    tokio::task::spawn_blocking(move || -> std::io::Result<Vec<StagedFolder>> {
        let mut staged = Vec::with_capacity(count);
        let mut stage = || -> std::io::Result<()> {
            for _ in 0..count {
                let (slot, stat) = store.stage_folder(None)?;
                staged.push(StagedFolder { slot, stat });
            }
            let slots: Vec<Uuid> = staged.iter().map(|s| s.slot).collect();
            store.make_durable(&slots)
        };
        match stage() {
            Ok(()) => Ok(staged),
            Err(error) => {
                staged.iter().for_each(|s| store.discard(s.slot));
                Err(error)
            }
        }
    })
    .await
    .map_err(Error::internal)?
    .map_err(disk_error)
}

/// Of a folder of a drive at which something else is mounted.
pub fn elsewhere() -> Error {
    let why =
        "something else is mounted there, which is no part of the drive; what the drive has there is hidden";
    Error::conflict(why).code("other-file-system")
}

/// Of a drive that can only be read.
pub fn read_only() -> Error {
    Error::forbidden("the drive's disk can only be read").code("drive-read-only")
}

/// Whether the folder that something is to be in is part of the drive, before anything is promised.
pub(super) async fn within_reach(mounted: &Arc<Mounted>, path: &DrivePath) -> Result<()> {
    let (store, place) = (Arc::clone(&mounted.store), Phys::from(path));
    let there = tokio::task::spawn_blocking(move || store.lstat(&place)).await.map_err(Error::internal)?;
    match there {
        Err(source) if source.kind() == std::io::ErrorKind::CrossesDevices => {
            Err(elsewhere().because(source))
        }
        // What else is wrong there is told by the act itself.
        _ => Ok(()),
    }
}

/// The domain's word for an error of the disk.
pub fn disk_error(source: std::io::Error) -> Error {
    match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            Error::new(Kind::NoSpace, "no space is left on the drive").because(source)
        }
        Some(rustix::io::Errno::ROFS) => read_only().because(source),
        Some(rustix::io::Errno::XDEV) => elsewhere().because(source),
        Some(rustix::io::Errno::NAMETOOLONG) => {
            Error::invalid("the name is too long for the drive").because(source)
        }
        _ => Error::unavailable("the drive cannot be written now", 30).because(source),
    }
}
