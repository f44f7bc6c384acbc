//! Which folders of this device are kept in sync with which places on the server.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use holdfast_protocol::DrivePath;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::State;
use crate::agent::plan::LeftOut;
use crate::agent::schedule::Pause;
use crate::platform;

/// A folder and what it is kept in sync with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Which pair it is; also in the folder's marker.
    pub id: Uuid,
    /// The folder, absolute.
    pub local: PathBuf,
    /// The drive's id.
    pub drive: Uuid,
    /// What people call it.
    pub drive_name: String,
    /// Where in it, when the pair was made.
    pub path: DrivePath,
    /// The folder there, whatever it is called by now; nil for the drive itself.
    pub node: Uuid,
    /// The server.
    pub server: String,
    /// Folders in it that this device does not take part in.
    #[serde(default)]
    pub left_out: Vec<Folder>,
    /// Not synced by `sync run` for now.
    #[serde(default)]
    pub paused: Option<Pause>,
}

/// A folder that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Which, whatever it is called by now.
    pub node: Uuid,
    /// Where it was, from the folder that is synced, when it was left out.
    pub path: String,
    /// Whether what was here then stays here.
    pub keep: bool,
}

impl Pair {
    /// What the planner is told of the folders that are left out.
    pub fn scope(&self) -> Vec<LeftOut> {
        let of = |folder: &Folder| LeftOut { id: folder.node, path: folder.path.clone(), keep: folder.keep };
        self.left_out.iter().map(of).collect()
    }

    /// The place on the server, for people.
    pub fn place(&self) -> String {
        format!("{}:{}", self.drive_name, self.path)
    }
}

/// All pairs, as they are kept.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Pairs {
    pairs: Vec<Pair>,
}

impl State {
    /// Where the pairs are.
    pub fn pairs_file(&self) -> PathBuf {
        self.folder.join("sync.json")
    }

    /// All pairs.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] when the file is damaged.
    pub fn pairs(&self) -> io::Result<Vec<Pair>> {
        match std::fs::read(self.pairs_file()) {
            Ok(bytes) => {
                let read = serde_json::from_slice::<Pairs>(&bytes);
                // Also where it was cut off, which is another kind of error to the library.
                Ok(read.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?.pairs)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Changes the pairs while nobody else does. A file that is damaged is set aside first, and that name is returned: what it
    /// said is not known any more.
    ///
    /// # Errors
    /// What the system says, or whoever changes; then what was kept stands.
    pub fn change_pairs<E: From<io::Error>>(
        &self,
        change: impl FnOnce(&mut Vec<Pair>) -> Result<(), E>,
    ) -> Result<Option<PathBuf>, E> {
        self.make()?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(self.folder.join("sync.lock"))?;
        lock.lock()?;
        let (mut pairs, aside) = match self.pairs() {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => (Vec::new(), Some(self.set_aside()?)),
            pairs => (pairs?, None),
        };
        change(&mut pairs)?;
        self.keep_pairs(pairs)?;
        Ok(aside)
    }

    fn set_aside(&self) -> io::Result<PathBuf> {
        let named = |n: u32| self.folder.join(format!("sync.json.damaged-{n}"));
        let free = named((1..u32::MAX).find(|n| !named(*n).exists()).unwrap_or(u32::MAX));
        std::fs::rename(self.pairs_file(), &free)?;
        Ok(free)
    }

    fn keep_pairs(&self, pairs: Vec<Pair>) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&Pairs { pairs })?;
        platform::replace_private(&self.pairs_file(), &bytes)
    }

    /// Where the memory of a pair is.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn memory_of(&self, pair: &Pair) -> io::Result<PathBuf> {
        let folder = self.folder.join("sync");
        platform::make_private_folder(&folder)?;
        Ok(self.memory_file(pair.id))
    }

    fn memory_file(&self, id: Uuid) -> PathBuf {
        self.folder.join("sync").join(format!("{id}.db"))
    }

    /// Whether this agent once kept that pair in sync.
    pub fn remembers(&self, id: Uuid) -> bool {
        self.memory_file(id).exists()
    }

    /// Forgets what a pair remembers.
    ///
    /// # Errors
    /// What the system says.
    pub fn forget(&self, pair: &Pair) -> io::Result<()> {
        let memory = self.memory_of(pair)?;
        for suffix in ["", "-wal", "-shm"] {
            let mut path = memory.clone().into_os_string();
            path.push(suffix);
            match std::fs::remove_file(Path::new(&path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
