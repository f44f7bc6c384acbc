//! What the simulation's devices and people talk to: a server in memory, or that and the real catalogue side by side.

mod memory;
mod real;
mod twin;

use std::cell::RefCell;
use std::rc::Rc;

use holdfast_client::agent::trees::NodeId;
use holdfast_client::agent::{Feed, Trouble};
use holdfast_disk::Hasher;
use holdfast_protocol::ContentHash;

pub use memory::Memory;
pub use twin::Twin;

/// The hash of bytes.
pub fn hash_of(bytes: &[u8]) -> ContentHash {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// What a put may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Anything,
    Nothing,
    Content(ContentHash),
}

impl Expect {
    fn holds(self, there: Option<ContentHash>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => there.is_none(),
            Self::Content(hash) => there == Some(hash),
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone)]
pub enum Deed {
    Put {
        path: String,
        bytes: Rc<[u8]>,
        mtime_ns: i64,
        expect: Expect,
    },
    MakeFolder(String),
    Rename {
        from: String,
        to: String,
        expect: Option<ContentHash>,
    },
    Delete {
        path: String,
        expect: Option<ContentHash>,
        only_empty: bool,
    },
    /// Brings something deleted back.
    Restore(NodeId),
    /// Makes an earlier content of a file the current one: the one before so many.
    GoBack(NodeId, usize),
}

/// What became of it: the node it is about then, but for what was deleted.
pub type Became = Result<Option<NodeId>, Trouble>;

/// The server.
pub trait Server {
    /// Does what one request asks for, in its order and with one commit.
    fn acts(&mut self, deeds: &[Deed]) -> Vec<Became>;

    /// Does as much and dies before the commit; then it is begun anew.
    fn dies(&mut self, deeds: &[Deed]);

    /// A page of the feed.
    fn feed(&mut self, since: Option<&str>, limit: usize) -> Feed;

    /// The contents that a file has had, the newest first.
    fn history(&mut self, id: NodeId) -> Vec<ContentHash>;

    /// The file at a path, and its content.
    fn look(&mut self, path: &str) -> Option<(NodeId, ContentHash)>;

    /// No token that was given until now is known any more.
    fn forget(&mut self);

    /// The same in memory.
    fn memory(&self) -> &Memory;

    /// What was not as it should be, since this was asked last.
    fn fault(&mut self) -> Option<String>;

    /// What does not hold of all it keeps, in the end.
    ///
    /// # Errors
    /// That.
    fn check(&mut self) -> Result<(), String>;
}

/// Which server a schedule runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Memory,
    /// Both, compared all the time.
    Twin,
}

thread_local! {
    static HOUSE: RefCell<Option<Rc<real::House>>> = const { RefCell::new(None) };
}

/// A server in which nothing is.
pub fn open(on: On) -> Box<dyn Server> {
    match on {
        On::Memory => Box::new(Memory::default()),
        On::Twin => HOUSE.with(|house| {
            // A catalogue serves many schedules, a drive for each; it is left before it is large.
            let mut house = house.borrow_mut();
            let open = match house.take().filter(|house| !house.is_worn()) {
                Some(open) => open,
                None => Rc::new(real::House::open()),
            };
            *house = Some(Rc::clone(&open));
            Box::new(Twin::new(real::Real::new(open)))
        }),
    }
}
