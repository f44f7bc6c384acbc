//! What every verb works with.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use crate::api::{Api, Limits, Patience};
use crate::show::{Bar, Clock, Out};
use crate::state::{Account, Config, State};

/// Where results go, and what is kept between two runs.
#[derive(Debug)]
pub struct Context {
    /// Where results go.
    pub out: Out,
    /// What is kept between two runs.
    pub state: State,
    /// How fast contents move, whatever moves them.
    pub limits: Limits,
}

impl Context {
    /// The context of a run with these options.
    ///
    /// # Errors
    /// When there is no place to keep anything.
    pub fn new(state: Option<OsString>, json: bool, quiet: bool) -> Result<Self, Failure> {
        let state = State::at(state).ok_or_else(|| {
            Failure::usage("this user has no home folder to keep a login in")
                .hint("name a folder with --state DIR")
        })?;
        Ok(Self { out: Out::new(json, quiet), state, limits: Limits::default() })
    }

    /// What people set.
    ///
    /// # Errors
    /// When a setting is not one.
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(self.state.config()?)
    }

    /// How times are shown.
    ///
    /// # Errors
    /// When a setting is not one.
    pub fn clock(&self) -> Result<Clock, Failure> {
        Ok(if self.config()?.text("times") == "utc" { Clock::Utc } else { Clock::Local })
    }

    /// Whether a long transfer shows how far it is.
    ///
    /// # Errors
    /// When a setting is not one.
    pub fn bar(&self, what: &str, total: Option<u64>) -> Result<Option<Bar>, Failure> {
        let is_wanted = !self.out.json && !self.out.quiet && self.config()?.text("progress") == "auto";
        Ok(Bar::new(is_wanted, what, total))
    }

    /// The account that is logged in.
    ///
    /// # Errors
    /// When none is.
    pub fn account(&self) -> Result<Account, Failure> {
        let account = self.state.account()?;
        account.filter(|account| account.tokens.is_some()).ok_or_else(Failure::not_logged_in)
    }

    /// The server, as the account that is logged in.
    ///
    /// # Errors
    /// When none is.
    pub fn api(&self) -> Result<Api, Failure> {
        let account = self.account()?;
        let authority = account.authority.as_deref().map(str::as_bytes);
        let api = Api::new(account.server, authority, Arc::new(self.state.tokens()))?;
        let config = self.config()?;
        self.limits.set(config.rate("upload-limit"), config.rate("download-limit"));
        Ok(api.with_patience(self.patience()?).with_limits(self.limits.clone()))
    }

    /// How long a server is waited for.
    ///
    /// # Errors
    /// When a setting is not one.
    pub fn patience(&self) -> Result<Patience, Failure> {
        let config = self.config()?;
        Ok(Patience {
            stall: Duration::from_secs(config.number("silence").max(1)),
            attempts: u32::try_from(config.number("attempts")).unwrap_or(1).max(1),
            ..Patience::default()
        })
    }
}
