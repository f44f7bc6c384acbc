//! How a command fails: a sentence that says what is wrong, one that says what to do, and a code for scripts.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::json;

use crate::api::{ApiError, Problem, Trouble};
use crate::show::visible;
use crate::state::{AccountError, ConfigError};

/// The exit codes, as `--help` tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Failed for another reason.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// Something else is there, or it was changed meanwhile.
    Conflict = 4,
    /// Not logged in, or not permitted.
    Denied = 5,
    /// The server cannot be reached, or cannot answer now.
    Unreachable = 6,
    /// Somebody asked it to stop.
    Interrupted = 130,
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    hint: Option<String>,
    problem: Option<Box<Problem>>,
    /// Whoever read the results has seen enough.
    is_quiet: bool,
}

impl Failure {
    /// With a code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, problem: None, is_quiet: false }
    }

    /// For a reason of its own.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// No such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, message)
    }

    /// Something else is there.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Exit::Conflict, message)
    }

    /// Nobody is logged in.
    pub fn not_logged_in() -> Self {
        Self::new(Exit::Denied, "you are not logged in, or your login has ended")
            .hint("log in with `holdfast login URL`")
    }

    /// Somebody asked it to stop.
    pub fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted; nothing is left half done")
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What it is about, in front of the message.
    #[must_use]
    pub fn about(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The code for scripts.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }

    /// Says it on standard error.
    pub fn tell(&self, json: bool) -> ExitCode {
        let code = self.code();
        if self.is_quiet {
            return code;
        }
        let mut stderr = io::stderr();
        let _ = if json {
            let problem = self.problem.as_deref();
            let error = json!({
                "exit": self.exit as u8,
                "message": self.message,
                "hint": self.hint,
                "type": problem.map(|problem| &problem.kind),
                "status": problem.map(|problem| problem.status),
            });
            writeln!(stderr, "{}", json!({"error": error}))
        } else {
            let hint = self.hint.as_deref().map(|hint| format!("\n  {}", visible(hint))).unwrap_or_default();
            writeln!(stderr, "holdfast: {}{hint}", visible(&self.message))
        };
        code
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<io::Error> for Failure {
    /// Of writing results.
    fn from(error: io::Error) -> Self {
        let is_quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Self { is_quiet, ..Self::failed(format!("the result cannot be written: {error}")) }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = if matches!(error, ConfigError::Io { .. }) { Exit::Failed } else { Exit::Usage };
        Self::new(exit, error.to_string())
            .hint("`holdfast config show` lists the settings, `holdfast config path` says where they are")
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let failure = Self::failed(format!("the login cannot be used: {error}"));
        match error {
            AccountError::Damaged { .. } => {
                failure.hint("log in again with `holdfast login URL`; nothing else is lost")
            }
            AccountError::Io { .. } => {
                failure.hint("name another folder with --state DIR, or set its permissions right")
            }
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let exit = match error.trouble() {
            Trouble::NotFound => Exit::NotFound,
            Trouble::Conflict => Exit::Conflict,
            Trouble::Denied => Exit::Denied,
            Trouble::Unreachable => Exit::Unreachable,
            Trouble::Other => Exit::Failed,
        };
        let plain = |message: String| Self::new(exit, message);
        match error {
            ApiError::Problem(problem) => of_problem(exit, problem),
            ApiError::NotLoggedIn => Self::not_logged_in(),
            ApiError::Unreachable { .. } => {
                plain(error.to_string()).hint("check that it runs, and that this device is in its network")
            }
            ApiError::Timeout => plain("the server does not answer".into()).hint("try again later"),
            ApiError::Tls { detail } => plain(format!("there is no secure connection to the server: {detail}")).hint(
                "if the server is its own authority, get its certificate (http://SERVER:8000/ca.crt), compare it with what \
                 the server printed at its start, and log in with --ca FILE",
            ),
            ApiError::Redirected { to } => plain(format!("the server sends its visitors to {to:?}"))
                .hint("if that is where your server is, log in there; nothing was sent to it"),
            ApiError::Nonsense { detail } => {
                plain(format!("the server's answer makes no sense: {detail}"))
            }
            ApiError::WrongContent { .. } => {
                plain(error.to_string()).hint("nothing was changed; if it happens again, have the server's disk checked")
            }
            ApiError::Broken { .. } => plain(error.to_string()).hint("try again; nothing was left half done"),
            ApiError::Changed { .. } => plain(error.to_string()).hint("put it again when it is not being written to"),
            ApiError::Local { path, error } => of_local(&path, &error),
            ApiError::Store(_) => plain(error.to_string()),
        }
    }
}

/// What this device's own disk refuses.
fn of_local(path: &std::path::Path, error: &io::Error) -> Failure {
    let what = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::not_found(format!("{what}: there is no such file on this device"))
        }
        io::ErrorKind::AlreadyExists => Failure::conflict(format!("{what} is there already")),
        io::ErrorKind::IsADirectory => Failure::failed(format!("{what} is a folder")),
        io::ErrorKind::StorageFull => Failure::failed(format!("{what}: this device's disk is full")),
        _ => Failure::failed(format!("{what}: {error}")),
    }
}

/// What the server refuses, with what can be done about it.
fn of_problem(exit: Exit, problem: Box<Problem>) -> Failure {
    let detail = if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    let message = match problem.name() {
        "drive-offline" => "the drive is offline: its disk is not there".to_owned(),
        _ if problem.status >= 500 && problem.status != 503 && problem.status != 507 => {
            format!("the server is at fault: {detail}")
        }
        _ => detail,
    };
    let hint = match (problem.name(), problem.status) {
        ("wrong-credentials", _) => Some("check the name and the password".to_owned()),
        ("too-many-attempts", _) | (_, 429) => Some(wait(&problem)),
        ("drive-offline", _) => Some("attach the disk, then try again".to_owned()),
        ("other-device", _) => {
            Some("this login speaks for its own device alone; do it on that device".to_owned())
        }
        ("locked", _) => Some("another program has it open; close it there, or wait".to_owned()),
        ("in-deleted-folder", _) => Some("`holdfast trash list` shows the folder; restore that".to_owned()),
        (_, 412) => Some("somebody else was faster; look at it and try again".to_owned()),
        (_, 507) => Some("make room on the server's disk".to_owned()),
        (_, 502..=504) => Some(wait(&problem)),
        _ => None,
    };
    Failure { exit, message, hint, problem: Some(problem), is_quiet: false }
}

fn wait(problem: &Problem) -> String {
    match problem.retry_after.map(|after| after.as_secs()) {
        Some(seconds) if seconds > 90 => format!("try again in {} minutes", seconds.div_ceil(60)),
        Some(seconds) => format!("try again in {seconds} seconds"),
        None => "try again later".to_owned(),
    }
}
