//! Which folders of this device are kept in sync with which places on the server.

use std::io;
use std::path::{Path, PathBuf};

use holdfast_protocol::DrivePath;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::State;
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
}

impl Pair {
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
    fn pairs_file(&self) -> PathBuf {
        self.folder.join("sync.json")
    }

    /// All pairs.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] when the file is damaged.
    pub fn pairs(&self) -> io::Result<Vec<Pair>> {
        match std::fs::read(self.pairs_file()) {
            Ok(bytes) => Ok(serde_json::from_slice::<Pairs>(&bytes)?.pairs),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Keeps all pairs.
    ///
    /// # Errors
    /// What the system says; then what was kept stands.
    pub fn keep_pairs(&self, pairs: Vec<Pair>) -> io::Result<()> {
        self.make()?;
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
        Ok(folder.join(format!("{}.db", pair.id)))
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
