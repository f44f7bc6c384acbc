//! `holdfastd user add|passwd|list`: accounts, for whoever may run commands on the server.

use std::io::{BufRead as _, IsTerminal as _};

use super::{Failure, as_owner, print};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::domain::accounts::Role;
use crate::service::remembered::A_MOMENT;
use crate::service::users::{self, Wanted};

/// What to do with accounts. Passwords are read from standard input, never from the command line.
#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Make an account; its password is the first line of standard input
    Add {
        /// What it signs in with
        username: String,
        /// What people read
        #[arg(long)]
        display_name: Option<String>,
        /// It also manages accounts and the server
        #[arg(long)]
        admin: bool,
    },
    /// Set an account's password, the first line of standard input, and end its logins
    Passwd {
        /// What it signs in with
        username: String,
    },
    /// List accounts
    List,
}

pub(super) async fn run(verb: User, config: Config) -> Result<(), Failure> {
    as_owner(&config)?;
    let app = App::open(config, Clock::system()).await?;
    match verb {
        User::Add { username, display_name, admin } => {
            let role = if admin { Role::Admin } else { Role::Member };
            let wanted = Wanted { username, display_name, password: read_password()?, role };
            let user = users::create(&app, None, wanted).await?;
            print(&format!("{}  {}  {}", user.uuid, user.username, user.role.as_str()))
        }
        User::Passwd { username } => {
            let user = users::by_name(&app, &username).await?;
            users::reset_password(&app, None, user.uuid, read_password()?).await?;
            // A running server has not been told; when this command ends, the old password is of no use anywhere.
            tokio::time::sleep(A_MOMENT).await;
            Ok(())
        }
        User::List => {
            let mut after = 0;
            loop {
                let page = users::all(&app, after, 500).await?;
                let Some(last) = page.last() else { return Ok(()) };
                after = last.id;
                for user in page {
                    let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
                    print(&format!("{}  {}  {}  {state}", user.uuid, user.username, user.role.as_str()))?;
                }
            }
        }
    }
}

/// The first line of standard input. Typed at a terminal it is asked for and not shown.
fn read_password() -> Result<Secret, Failure> {
    let stdin = std::io::stdin();
    let hidden = if stdin.is_terminal() {
        eprint!("Password: ");
        Some(Hidden::start(&stdin)?)
    } else {
        None
    };
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    if hidden.is_some() {
        eprintln!();
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure("the first line of standard input must be the password".to_owned()));
    }
    Ok(Secret::new(password))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    stdin: &'a std::io::Stdin,
    before: rustix::termios::Termios,
}

impl<'a> Hidden<'a> {
    fn start(stdin: &'a std::io::Stdin) -> std::io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // Nothing can be done about a terminal that has gone away.
        let _ = tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}
