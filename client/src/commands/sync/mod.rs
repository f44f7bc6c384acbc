//! `holdfast sync`: folders kept in sync.

mod add;
mod follow;
mod live;
mod now;
mod pair;
mod pause;
mod remove;
mod reporting;
mod scope;
mod status;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Context, Failure};

/// Keep folders of this device in sync with folders in drives
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Keep a folder of this device in sync with a drive, or with a folder in one
    #[command(after_long_help = "\
Nothing is transferred yet: `holdfast sync now` does it once, `holdfast sync run` again and again. What is in both is compared \
by content; of what differs both are kept. Folders that are not there are made.

--json: {id, local, drive, drive_name, path, node, server, left_out: [{node, path, keep}], paused}")]
    Add {
        /// The folder of this device
        #[arg(value_name = "LOCAL")]
        local: PathBuf,
        /// A drive, or a folder in one
        #[arg(value_name = "DRIVE[:PATH]")]
        place: String,
        /// A folder in it that is left out on this device; may be given several times
        #[arg(long, value_name = "FOLDER")]
        without: Vec<String>,
    },
    /// Keep a folder in sync no more; its files stay on both sides
    Remove {
        /// The folder of this device
        #[arg(value_name = "LOCAL")]
        local: PathBuf,
    },
    /// Leave folders out on this device; they stay on the server and on other devices
    #[command(after_long_help = "\
From the next sync on, what is in them goes from here into .holdfast-sync/trash of the folder that is synced, where it lies for 30 \
days: what was changed here is sent first, what the server has not yet got stays here. With --keep all stays here. What is made in \
such a folder later stays here and is not sent. A folder is left out whatever it is called by now. For files, and for folders of one \
name wherever they are, write .holdfastignore in the folder that is synced.")]
    Exclude {
        /// Folders of this device, or where they would be
        #[arg(required = true, value_name = "FOLDER")]
        folders: Vec<PathBuf>,
        /// Leave what is here where it is
        #[arg(long)]
        keep: bool,
    },
    /// Take folders in again that were left out
    #[command(after_long_help = "\
The next sync brings what is in them. What is here is compared with that by content; of what differs both are kept.")]
    Include {
        /// Where they would be on this device
        #[arg(required = true, value_name = "FOLDER")]
        folders: Vec<PathBuf>,
    },
    /// Let `sync run` rest
    #[command(after_long_help = "\
A `sync run` that is under way notices at once; what it is just sending or receiving is finished. `sync now` works all the same.")]
    Pause {
        /// Only these folders of this device; all when absent
        #[arg(value_name = "LOCAL")]
        local: Vec<PathBuf>,
        /// For how long, as in 30min, 2h or 1d; until `sync resume` when absent
        #[arg(long = "for", value_name = "TIME")]
        span: Option<String>,
    },
    /// End the rest of `sync run`
    Resume {
        /// Only these folders of this device; all when absent
        #[arg(value_name = "LOCAL")]
        local: Vec<PathBuf>,
    },
    /// Sync now, once
    #[command(after_long_help = "\
Where both sides changed a file, the server's keeps the name and this device's is kept beside it, as in \
`report (conflict, laptop, 2026-11-20 14.05).odt`. What is removed or replaced here lies in .holdfast-sync/trash of the folder \
for 30 days. When so many files vanished from this device that it may not have been meant (all, or more than the settings \
`guard-files` and `guard-percent` say), their deletion waits until it is confirmed with --confirm; the token is shown.

The exit code is 0 when both sides hold the same, 4 when something waits for you, 1 when something could not be done.

--json: an array of {local, place, done: {WHAT: COUNT}, sent, received, conflicts, failed, notices, withheld: {token, paths}, \
quiet}; with --dry-run of {local, place, steps, conflicts, notices, withheld}")]
    Now {
        /// Only these folders of this device; all when absent
        #[arg(value_name = "LOCAL")]
        local: Vec<PathBuf>,
        /// Show what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Delete on the server what is withheld
        #[arg(long, value_name = "TOKEN")]
        confirm: Option<String>,
    },
    /// Show which folders are kept in sync, and how their last sync went
    #[command(after_long_help = "\
--json: an array of {local, place, server, synced_at, state, reason, files, withheld, left_out: [{path, keep}], paused, \
paused_until, schedule, next_at}; times in seconds since 1970")]
    Status,
    /// Keep in sync until it is stopped
    #[command(after_long_help = "\
Changes are noticed on both sides as they happen. What cannot be done now (no network, a folder that is not mounted) is tried \
again later. It syncs as the setting `schedule` says, notices within seconds what is set, paused, left out, added or removed by \
other commands, and lets the folder go while it rests. Stop it with Ctrl-C or SIGTERM: what is under way is left for the next run.

--json: a line for each sync in which something was done, as of `sync now`")]
    Run,
}

impl Args {
    /// Whether the verb ends in its own way when somebody asks it to stop.
    pub fn stops_itself(&self) -> bool {
        matches!(self.verb, Verb::Run)
    }
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb {
        Verb::Add { local, place, without } => add::run(context, &local, &place, &without).await,
        Verb::Remove { local } => remove::run(context, &local),
        Verb::Exclude { folders, keep } => scope::exclude(context, &folders, keep).await,
        Verb::Include { folders } => scope::include(context, &folders),
        Verb::Pause { local, span } => pause::pause(context, &local, span.as_deref()),
        Verb::Resume { local } => pause::resume(context, &local),
        Verb::Now { local, dry_run, confirm } => now::run(context, &local, dry_run, confirm).await,
        Verb::Status => status::run(context),
        Verb::Run => follow::run(context).await,
    }
}
