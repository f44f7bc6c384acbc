//! The command line: one file per verb. A verb reads its arguments, asks the API, and shows the answer.

mod completions;
mod config;
mod conflicts;
mod context;
mod devices;
mod discover;
mod drives;
mod failure;
mod find;
mod get;
mod history;
mod index;
mod jobs;
mod login;
mod logout;
mod ls;
mod mkdir;
mod mv;
mod place;
mod put;
mod reference;
mod restore;
mod rm;
mod status;
mod sync;
mod trash;
mod volumes;

pub use context::Context;
pub use failure::{Exit, Failure};

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::platform;

/// Works with a Holdfast server: files, their history, and conflicts between devices.
#[derive(Parser)]
#[command(
    name = "holdfast",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_long_help = AFTER
)]
struct Line {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const EVERYWHERE: &str = "With every command";

const AFTER: &str = "\
Paths: [DRIVE:]PATH is a path in a drive, as in photos:2026/beach.jpg. Without DRIVE the drive that the setting `drive` names \
is meant, which is `home`. What stands before the first colon is a drive unless it has a slash in it: write /a:b.txt for a file \
with a colon in its name, and ./-x (on this device) or /-x (in a drive) for one that begins with a dash.

Exit codes:
  0    done
  1    failed for another reason
  2    the command line is wrong
  3    no such file, folder, version or other thing
  4    something else is there, or it was changed meanwhile
  5    not logged in, or not permitted
  6    the server cannot be reached, or cannot answer now: worth trying again
  130  interrupted

With --json, results are JSON on standard output; each command's help names the fields, and later versions only add to them. \
An error is then told on standard error as {\"error\": {\"exit\", \"message\", \"hint\", \"type\", \"status\"}}; `type` and `status` \
are the server's, where it refused, and null otherwise.";

#[derive(clap::Args)]
struct Global {
    /// Where the login and the settings are kept, else the folder in HOLDFAST_STATE; another folder is another login
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    state: Option<OsString>,
    /// Show results as JSON, for scripts
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Show nothing but what was asked for, and errors
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Verb {
    Login(login::Args),
    Logout(logout::Args),
    Status(status::Args),
    Drives(drives::Args),
    Volumes(volumes::Args),
    Discover(discover::Args),
    Index(index::Args),
    Find(find::Args),
    Jobs(jobs::Args),
    Ls(ls::Args),
    Get(get::Args),
    Put(put::Args),
    Mkdir(mkdir::Args),
    Mv(mv::MoveArgs),
    Cp(mv::CopyArgs),
    Rm(rm::Args),
    History(history::Args),
    Restore(restore::Args),
    Trash(trash::Args),
    Conflicts(conflicts::Args),
    Sync(sync::Args),
    Devices(devices::Args),
    Config(config::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Reference(reference::Args),
}

/// Runs the command that this program was started with.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return misread(&error),
    };
    let context = match Context::new(line.global.state, line.global.json, line.global.quiet) {
        Ok(context) => context,
        Err(failure) => return failure.tell(line.global.json),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::failed(format!("this program cannot run here: {error}")).tell(context.out.json);
        }
    };
    let stops_itself = match &line.verb {
        Verb::Sync(args) => args.stops_itself(),
        Verb::Index(_) => true,
        _ => false,
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = dispatch(&context, line.verb) => done,
            _ = platform::interrupted(), if !stops_itself => Err(Failure::interrupted()),
        }
    });
    // What is still being read or hashed in the background has nobody left to tell.
    runtime.shutdown_background();
    match done.and_then(|()| Ok(context.out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = context.out.flush();
            failure.tell(context.out.json)
        }
    }
}

/// What is wrong with the command line, or the help that it asks for.
fn misread(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let told = error.to_string();
        let first = told.lines().next().unwrap_or_default();
        return Failure::usage(first.trim_start_matches("error: ")).hint("`--help` tells how").tell(true);
    }
    // Nobody is left to be told where even that cannot be written.
    let _ = error.print();
    if error.use_stderr() { Failure::usage("").code() } else { ExitCode::SUCCESS }
}

async fn dispatch(context: &Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Login(args) => login::run(context, args).await,
        Verb::Logout(args) => logout::run(context, args).await,
        Verb::Status(args) => status::run(context, args).await,
        Verb::Drives(args) => drives::run(context, args).await,
        Verb::Volumes(args) => volumes::run(context, args).await,
        Verb::Discover(args) => discover::run(context, args).await,
        Verb::Index(args) => index::run(context, args).await,
        Verb::Find(args) => find::run(context, args).await,
        Verb::Jobs(args) => jobs::run(context, args).await,
        Verb::Ls(args) => ls::run(context, args).await,
        Verb::Get(args) => get::run(context, args).await,
        Verb::Put(args) => put::run(context, args).await,
        Verb::Mkdir(args) => mkdir::run(context, args).await,
        Verb::Mv(args) => mv::run_move(context, args).await,
        Verb::Cp(args) => mv::run_copy(context, args).await,
        Verb::Rm(args) => rm::run(context, args).await,
        Verb::History(args) => history::run(context, args).await,
        Verb::Restore(args) => restore::run(context, args).await,
        Verb::Trash(args) => trash::run(context, args).await,
        Verb::Conflicts(args) => conflicts::run(context, args).await,
        Verb::Sync(args) => sync::run(context, args).await,
        Verb::Devices(args) => devices::run(context, args).await,
        Verb::Config(args) => config::run(context, args),
        Verb::Completions(args) => completions::run(context, &args),
        Verb::Reference(_) => reference::run(context),
    }
}
