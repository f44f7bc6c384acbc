//! What the engine asks of the two sides: of the server, and of the device's disk.

use std::collections::BTreeSet;
use std::io::Read;

use holdfast_protocol::delta::{self, Chunk, Recipe};
use holdfast_protocol::{ContentHash, DrivePath};

use super::trees::{LocalTree, Look, NodeId, RemoteNode};

/// Why something was not done. Nothing was changed then, unless the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It is no longer what the plan took it for (412, 409, 404; another stat): look again and decide anew.
    #[error("it has changed meanwhile: {0}")]
    Changed(String),
    /// This one thing cannot be done now; others can.
    #[error("{0}")]
    Item(String),
    /// Nothing can be done on that side now: not reachable, offline, full, not allowed.
    #[error("{0}")]
    Side(String),
}

/// One page of the feed.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    /// Nodes whose latest change is after the token that was asked with, by its sequence.
    pub changes: Vec<RemoteNode>,
    /// To be asked with next.
    pub token: String,
    /// There is more at once.
    pub more: bool,
    /// The token was not known any more: this is the feed from its beginning, and what was known before counts no more.
    pub reset: bool,
}

/// A content to be sent.
#[derive(Debug, Clone)]
pub struct Put {
    /// Where, from the drive's root.
    pub path: DrivePath,
    /// What will be read, or the server is to refuse it.
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
    /// When it was last written, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// What it may replace; `None`: only where no file is.
    pub expect: Option<ContentHash>,
    /// How it is made of what it replaces, where that is worth it.
    pub delta: Option<Vec<delta::Step>>,
}

/// An act on the server. Paths are from the drive's root.
#[derive(Debug, Clone)]
pub enum Act<O> {
    /// Writes a file. A content that is there already succeeds; [`Trouble::Changed`] when another content is there than
    /// expected, or what was read is not what the put says.
    Put(Put, O),
    /// Makes a folder; one that is there is fine. [`Trouble::Changed`] when a file is in the way or the folder above is not
    /// there.
    MakeFolder(DrivePath),
    /// Moves a file or folder, replacing nothing. [`Trouble::Changed`] when something else is at `from`, or anything at `to`.
    Rename {
        /// From here.
        from: DrivePath,
        /// To here.
        to: DrivePath,
        /// A file's content.
        expect: Option<ContentHash>,
    },
    /// Deletes a file that has this content; [`Trouble::Changed`] when it has not.
    DeleteFile(DrivePath, ContentHash),
    /// Deletes a folder in which nothing is; [`Trouble::Changed`] when something is in it.
    DeleteFolder(DrivePath),
}

/// The node that an act was about, if the server names it.
pub type Done = Option<NodeId>;

/// A content that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it is, from the drive's root.
    pub path: DrivePath,
    /// Which it is.
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
    /// A content that the device has, of which the new one may be made.
    pub base: Option<ContentHash>,
}

/// A content as it arrives. Whoever reads checks the hash.
pub enum Arriving {
    /// All of its bytes.
    Whole(Box<dyn Read + Send>),
    /// A delta to the base that was named.
    Delta(Box<dyn Read + Send>),
}

/// The server, as the engine sees it: a feed, and acts that name paths from the drive's root and carry a condition.
pub trait Remote {
    /// A content of the device's as it is handed over to be sent.
    type Outgoing;

    /// Nodes changed since a token; without one, all.
    ///
    /// # Errors
    /// [`Trouble`].
    fn feed(&self, since: Option<&str>) -> Result<Feed, Trouble>;

    /// Does acts of one kind, each for itself: what became of each, in their order. Contents may overtake each other; all else
    /// is done in order.
    fn act(&self, acts: Vec<Act<Self::Outgoing>>) -> Vec<Result<Done, Trouble>>;

    /// Reads contents as they are now, and hands each over as it arrives, by its place in what was wanted; in any order. Goes on
    /// as long as `take` does.
    ///
    /// # Errors
    /// What `take` says, and [`Trouble::Side`] for all that was not handed over.
    fn fetch(
        &self,
        wanted: &[Wanted],
        take: &mut dyn FnMut(usize, Result<Arriving, Trouble>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble>;

    /// The contents that a node has had and whose bytes are kept.
    ///
    /// # Errors
    /// [`Trouble`].
    fn history(&self, id: NodeId) -> Result<Vec<ContentHash>, Trouble>;
}

/// A folder as it was found.
#[derive(Debug)]
pub struct Scan {
    /// What is in it.
    pub tree: LocalTree,
    /// What is left alone, by its path, and why.
    pub notices: Vec<(String, String)>,
}

/// What may have changed in the folder since it was walked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Anything.
    Everything,
    /// What is directly in these folders, paths from the root; the root is empty.
    In(BTreeSet<String>),
}

impl Default for Heard {
    fn default() -> Self {
        Self::In(BTreeSet::new())
    }
}

impl Heard {
    /// Takes what else was heard.
    pub fn and(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::In(folders), Self::In(others)) => folders.extend(others),
            (_, Self::Everything) => *self = Self::Everything,
            (Self::Everything, _) => {}
        }
    }

    /// Something may have changed about what has this path.
    pub fn about(&mut self, path: &str) {
        if let Self::In(folders) = self {
            let (folder, _) = path.rsplit_once('/').unwrap_or_default();
            if !folders.contains(folder) {
                folders.insert(folder.to_owned());
            }
        }
    }
}

/// The device's folder, as the engine sees it. Paths are relative to its root, `/` between names. Nothing is replaced or
/// removed that does not look as it was judged, and what is removed can be brought back for a while. What is changed lasts
/// from the next [`Disk::flush`] on.
pub trait Disk {
    /// A content as it is handed over to be sent.
    type Outgoing;
    /// A content that has arrived and is not in its place; gone when it is dropped.
    type Part;

    /// Walks the folder. `known` tells the content of what looks untouched; all else is hashed. `before` is what it was and in
    /// which folders it may be otherwise by now: only these are looked at again, and what is new in them.
    ///
    /// # Errors
    /// [`Trouble::Side`] when the root is not the folder it was: offline, never empty (P8).
    fn scan(
        &self,
        before: Option<(Scan, &BTreeSet<String>)>,
        known: &dyn Fn(&Look) -> Option<ContentHash>,
    ) -> Result<Scan, Trouble>;

    /// How an entry looks; `None` when nothing is there.
    ///
    /// # Errors
    /// [`Trouble`].
    fn look(&self, path: &str) -> Result<Option<Look>, Trouble>;

    /// A look fit to be kept: without its `ctime_ns` when that is so fresh that a change right now might not alter it.
    fn settled(&self, look: Look) -> Look;

    /// Waits until what looks fresh now does so no more.
    fn settle(&self);

    /// Makes a folder where nothing is.
    ///
    /// # Errors
    /// [`Trouble`].
    fn make_folder(&self, path: &str) -> Result<Look, Trouble>;

    /// Renames an entry, replacing nothing; returns how it looks before and after.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when another file than judged is there, or anything at `to`.
    fn rename(&self, from: &str, to: &str, judged: &Look) -> Result<(Look, Look), Trouble>;

    /// Takes a file away to where it can be brought back from.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when it looks otherwise than judged.
    fn remove_file(&self, path: &str, judged: &Look) -> Result<(), Trouble>;

    /// Removes a folder in which nothing is.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when something is in it.
    fn remove_folder(&self, path: &str) -> Result<(), Trouble>;

    /// Hands over a file that looks as judged. Whoever reads it checks the hash: it may be written to meanwhile.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when it does not.
    fn open(&self, path: &str, judged: &Look) -> Result<Self::Outgoing, Trouble>;

    /// Where a file that looks as judged may be cut into chunks.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when it does not.
    fn chunks(&self, path: &str, judged: &Look) -> Result<Vec<Chunk>, Trouble>;

    /// Takes a content in and checks its hash; `base` is what a delta is based on, and looks as judged. Of one that came as a
    /// delta it is told how it was put together.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when it is not what was said.
    fn receive(
        &self,
        path: &str,
        content: Arriving,
        what: &Incoming,
        base: Option<&Look>,
    ) -> Result<(Self::Part, Option<Recipe>), Trouble>;

    /// Puts a content in place, in one step, after checking that what it replaces still looks as it was judged; `replaces: None`:
    /// nothing may be there. Only after a flush, so that no power cut finds a name without its content.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when something else is there.
    fn place(&self, path: &str, part: Self::Part, replaces: Option<&Look>) -> Result<Look, Trouble>;

    /// Makes durable what was received and changed until now.
    ///
    /// # Errors
    /// [`Trouble::Side`]; nothing of it counts then.
    fn flush(&self) -> Result<(), Trouble>;
}

/// A content on its way in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// What it has to be.
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
    /// When it was last written, nanoseconds since 1970.
    pub mtime_ns: i64,
}
