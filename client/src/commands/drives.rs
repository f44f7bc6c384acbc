//! `holdfast drives`

mod files;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use holdfast_disk::volumes::{Probe as _, Snapshot, System};

use super::{Context, Failure};
use crate::agent::mounts;
use crate::api::types::SeenDrive;
use crate::show::{JsonList, Table, size, visible};

/// List the drives that you may see, and tell the server which are plugged in here
#[derive(clap::Args)]
#[command(
    after_long_help = "--json: an array of {id, name, kind, right, state, reason, total_bytes, available_bytes, ..}"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List them (also without a verb)
    #[command(
        after_long_help = "--json: an array of {id, name, kind, right, state, reason, total_bytes, available_bytes, ..}"
    )]
    List,
    /// Tell which drives files of this device are in
    #[command(
        after_long_help = "--json: an array of {path, drive, relative_path, mount_point, reason}; drive is {id, name} or null. \
        Exit code 3 when one of them is in none"
    )]
    Where {
        /// Files or folders of this device; they need not be there
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Tell the server which disks and shares this device has now, and where
    #[command(
        after_long_help = "Removable disks, network shares, and whatever carries a drive's signature are reported. Drives of \
        which the server has not heard are added as yours. What was reported before and is not there any more counts as \
        unplugged.\n\nWith --files the server is also told what is on those drives of which it has no folder itself, so that they \
        can be listed while they are unplugged. Only names, sizes and times are told, with --hash also what the files hold. A file \
        that is not there any more is no longer listed; where many are gone, that is the case only with --confirm, and exit code 4 \
        tells of it.\n\n--json: an array of {drive_id, mount_point, is_available, last_seen_at}; with --files of {drive_id, \
        mount_point, added, changed, unchanged, gone, withheld, skipped, unread}"
    )]
    Report {
        /// Only say what would be reported
        #[arg(long)]
        dry_run: bool,
        /// Tell what is on drives, too: on all that are plugged in, or on one, named by its name or by a path in it
        #[arg(long, value_name = "DRIVE|PATH", num_args = 0..=1, conflicts_with = "dry_run")]
        files: Option<Option<String>>,
        /// Read the files, so that they can be found by what they hold
        #[arg(long, requires = "files")]
        hash: bool,
        /// What is gone from a drive was meant to go, however much it is
        #[arg(long, requires = "files")]
        confirm: bool,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => list(context).await,
        Verb::Where { paths } => tell_where(context, &paths).await,
        Verb::Report { files: Some(which), hash, confirm, .. } => {
            files::run(context, files::Wanted { which, hash, confirm }).await
        }
        Verb::Report { dry_run, .. } => report(context, dry_run).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let drives = context.api()?.drives().await?;
    if context.out.json {
        return Ok(context.out.value(&drives)?);
    }
    let mut table = Table::new(&["STATE", "KIND", "RIGHT", "SIZE", "FREE", "NAME"]);
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
    for drive in drives {
        let state = match drive.reason {
            Some(reason) => format!("{} ({reason})", drive.state),
            None => drive.state,
        };
        let (total, free) = (bytes(drive.total_bytes), bytes(drive.available_bytes));
        table.row([state, drive.kind, drive.right, total, free, drive.name]);
    }
    Ok(table.write(&context.out)?)
}

/// So many paths are asked for at once.
const TOGETHER: usize = 100;

async fn tell_where(context: &Context, paths: &[PathBuf]) -> Result<(), Failure> {
    let (api, device) = (context.api()?, context.account()?.device_id);
    let mut list = JsonList::new(&context.out);
    let mut lost = 0;
    for some in paths.chunks(TOGETHER) {
        let texts = some.iter().map(|path| absolute(path)).collect::<Result<Vec<_>, _>>()?;
        for found in api.drives_for_paths(&device, &texts).await? {
            lost += usize::from(found.found.is_none());
            if context.out.json {
                list.push(&found.for_scripts())?;
                continue;
            }
            match found.found {
                Some(there) => {
                    context.out.line(&visible(&format!("{}:{}", there.drive.name, there.relative_path)))?;
                }
                None => eprintln!("holdfast: {}: {}", visible(&found.path), found.reason.unwrap_or_default()),
            }
        }
    }
    if context.out.json {
        list.end()?;
    }
    if lost == 0 { Ok(()) } else { Err(Failure::not_found(format!("{lost} of {} in no drive", paths.len()))) }
}

fn absolute(path: &Path) -> Result<String, Failure> {
    let whole =
        std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    // Where it is there, links on the way to it are followed as whoever opens it would.
    let whole = whole.canonicalize().unwrap_or(whole);
    whole
        .into_os_string()
        .into_string()
        .map_err(|path| Failure::usage(format!("{} is not UTF-8", path.display())))
}

async fn report(context: &Context, dry_run: bool) -> Result<(), Failure> {
    let snapshot = probe().await?;
    for problem in &snapshot.problems {
        context.out.note(&visible(problem))?;
    }
    let seen = mounts::seen(&snapshot, &context.api()?.drives().await?);
    if dry_run {
        return told(context, &seen);
    }
    let mounts = context.api()?.report_drives(&context.account()?.device_id, &seen).await?;
    if context.out.json {
        return Ok(context.out.value(&mounts)?);
    }
    told(context, &seen)
}

async fn probe() -> Result<Snapshot, Failure> {
    let snapshot = tokio::task::spawn_blocking(|| System::new().probe());
    snapshot.await.map_err(|error| Failure::failed(error.to_string()))
}

fn told(context: &Context, seen: &[SeenDrive]) -> Result<(), Failure> {
    if context.out.json {
        return Ok(context.out.value(&seen)?);
    }
    let mut table = Table::new(&["KIND", "NAME", "PLACE"]);
    for one in seen {
        let name = one.name.clone().or_else(|| one.drive.clone()).unwrap_or_default();
        table.row([one.kind.clone().unwrap_or_default(), name, one.mount_point.clone()]);
    }
    Ok(table.write(&context.out)?)
}
