//! The account: which server, who, which device, and the tokens that prove it.

use std::any::Any;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::State;
use crate::api::{Address, TokenStore, Tokens};
use crate::platform;

/// Longest file that can be an account's.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A login, kept for the next run. After a logout it is still known which device this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Where.
    pub server: Address,
    /// Who, as the account signs in.
    pub username: String,
    /// Who, by id.
    pub user_id: Uuid,
    /// What this device calls itself: drawn once, and kept.
    pub device_id: String,
    /// What people call it.
    pub device_name: String,
    /// The certificate, in PEM, of an authority that is trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What proves the login; none after a logout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
}

/// Why an account cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file system's.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged: {detail}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl State {
    /// The account; `None` before the first login.
    ///
    /// # Errors
    /// [`AccountError`]; a damaged file is replaced by the next login, and nothing but the login is lost with it.
    pub fn account(&self) -> Result<Option<Account>, AccountError> {
        let path = self.account_file();
        let io = |error| AccountError::Io { path: path.clone(), error };
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
            Ok(found) if found.len() > LARGEST => {
                return Err(AccountError::Damaged { path, detail: "it is far too long".to_owned() });
            }
            Ok(_) => {}
        }
        let bytes = std::fs::read(&path).map_err(io)?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| AccountError::Damaged { path, detail: error.to_string() })
    }

    /// Keeps an account, durably, for its owner's eyes alone.
    ///
    /// # Errors
    /// The file system's; then the old one stands.
    pub fn keep(&self, account: &Account) -> Result<(), AccountError> {
        let path = self.account_file();
        let written = self.make().and_then(|()| {
            let bytes = serde_json::to_vec_pretty(account).map_err(io::Error::other)?;
            platform::replace_private(&path, &bytes)
        });
        written.map_err(|error| AccountError::Io { path, error })
    }

    /// Changes something of the account while nobody renews its tokens, which are kept beside it.
    ///
    /// # Errors
    /// The file system's; then the old one stands. Without an account nothing is done.
    pub fn change(&self, change: impl FnOnce(&mut Account)) -> Result<(), AccountError> {
        let locked = self.tokens().lock();
        let _alone = locked.map_err(|error| AccountError::Io { path: self.lock_file(), error })?;
        let Some(mut account) = self.account()? else { return Ok(()) };
        change(&mut account);
        self.keep(&account)
    }

    /// Where the account's tokens are kept.
    pub fn tokens(&self) -> FileStore {
        FileStore { state: self.clone() }
    }
}

/// Tokens in the account's file, shared by all programs that use the same state.
#[derive(Debug, Clone)]
pub struct FileStore {
    state: State,
}

impl TokenStore for FileStore {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        self.state.make()?;
        let mut options = OpenOptions::new();
        let file: File = options.create(true).truncate(false).write(true).open(self.state.lock_file())?;
        file.lock()?;
        Ok(Box::new(file))
    }

    fn load(&self) -> io::Result<Option<Tokens>> {
        let account = self.state.account().map_err(io::Error::other)?;
        Ok(account.and_then(|account| account.tokens))
    }

    fn save(&self, tokens: Option<&Tokens>) -> io::Result<()> {
        let Some(account) = self.state.account().map_err(io::Error::other)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let account = Account { tokens: tokens.cloned(), ..account };
        self.state.keep(&account).map_err(io::Error::other)
    }
}
