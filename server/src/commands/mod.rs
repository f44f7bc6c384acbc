//! The command line: one file per verb. Data goes to standard output, everything else to standard error.

mod adopt;
mod config;
mod healthcheck;
mod migrate;
mod openapi;
mod serve;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, Flags, LogFormat, Resolved};
use crate::error::Error;

/// Holdfast's server: plain folders, synced, mounted and versioned. Without a verb it serves.
#[derive(Debug, Parser)]
#[command(name = "holdfastd", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    settings: Flags,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve until SIGTERM or SIGINT (also without a verb)
    Serve,
    /// Apply, undo or list the catalogue's migrations
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Print the effective settings and where each came from
    Config(config::Show),
    /// Make, list and repair accounts
    #[command(subcommand)]
    User(user::User),
    /// Make a drive of a folder of this machine, which stays where it is, or only tell what it would be
    Adopt(adopt::Adopt),
    /// Ask the running server whether it is ready; the exit code tells
    Healthcheck,
    /// Print the API document
    Openapi,
}

/// Why a command failed, in words for whoever ran it.
#[derive(Debug)]
struct Failure(String);

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for Failure {
    /// Whoever runs commands on the server may read the causes too.
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            next = cause.source();
        }
        Self(text)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            eprintln!("holdfastd: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let resolved = Resolved::gather(&cli.settings, |name| std::env::var(name).ok())?;
    if let Some(Verb::Openapi) = cli.verb {
        return openapi::run();
    }
    let settings = Config::from_resolved(&resolved)?;
    if let Some(Verb::Config(show)) = cli.verb {
        return config::run(&show, &resolved);
    }
    start_log(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.verb {
            None | Some(Verb::Serve) => serve::run(settings).await,
            Some(Verb::Migrate(verb)) => migrate::run(verb, &settings).await,
            Some(Verb::User(verb)) => user::run(verb, settings).await,
            Some(Verb::Adopt(adopt)) => adopt::run(adopt, settings).await,
            Some(Verb::Healthcheck) => healthcheck::run(&settings).await,
            Some(Verb::Config(_) | Verb::Openapi) => Ok(()),
        }
    })
}

/// What a superuser makes in somebody else's data directory, that somebody can no longer write: a server would fail over
/// its own catalogue. `docker exec` is that superuser unless it is told otherwise.
fn as_owner(config: &Config) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let folder = &config.data_dir;
    match std::fs::metadata(folder) {
        Ok(found) if found.uid() != 0 && rustix::process::geteuid().is_root() => {
            let (uid, gid) = (found.uid(), found.gid());
            Err(Failure(format!(
                "{} belongs to user {uid}: run this as that user (docker exec --user {uid}:{gid} ..)",
                folder.display()
            )))
        }
        _ => Ok(()),
    }
}

/// To standard error, in the chosen form; quiet libraries unless they are asked for.
fn start_log(config: &Config) -> Result<(), Failure> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::builder()
        .parse(&config.log)
        .map_err(|error| Failure(format!("log ({}) is not a filter: {error}", config.log)))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

/// Prints a line of data; a reader that has gone away is not an error.
fn print(line: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
