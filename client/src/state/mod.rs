//! What is kept between two runs, in one folder: the account (with the tokens, for its owner's eyes alone) and what people
//! set. Several folders are several agents on one machine.

mod account;
mod config;
mod pairs;

pub use account::{Account, AccountError, FileStore};
pub use config::{Config, ConfigError, KEYS, Key};
pub use pairs::{Folder, Pair};

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform;

/// The folder.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// The folder that somebody named, else the one in `HOLDFAST_STATE`, else where this system keeps such things; `None` for
    /// a user who has no home.
    pub fn at(named: Option<OsString>) -> Option<Self> {
        let named = named.or_else(|| std::env::var_os("HOLDFAST_STATE"));
        // An empty variable counts as absent, as for the server.
        let folder = match named.filter(|name| !name.is_empty()) {
            Some(named) => PathBuf::from(named),
            None => platform::data_folder()?.join("holdfast"),
        };
        Some(Self { folder })
    }

    /// Where it is; it need not exist.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes it, if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self) -> io::Result<()> {
        platform::make_private_folder(&self.folder)
    }

    /// Who is logged in, and where.
    fn account_file(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    /// What people set.
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Held while tokens are exchanged.
    fn lock_file(&self) -> PathBuf {
        self.folder.join("account.lock")
    }
}
