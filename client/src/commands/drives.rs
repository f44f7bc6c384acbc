//! `holdfast drives`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use holdfast_disk::volumes::{Probe as _, System};

use super::{Context, Failure};
use crate::agent::mounts;
use crate::api::types::SeenDrive;
use crate::show::{JsonList, Table, visible};

/// List the drives that you may see, and tell the server which are plugged in here
#[derive(clap::Args)]
#[command(after_long_help = "--json: an array of {id, name, kind, right, state, reason}")]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List them (also without a verb)
    #[command(after_long_help = "--json: an array of {id, name, kind, right, state, reason}")]
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
        unplugged.\n\n--json: an array of {drive_id, mount_point, is_available, last_seen_at}"
    )]
    Report {
        /// Only say what would be reported
        #[arg(long)]
        dry_run: bool,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => list(context).await,
        Verb::Where { paths } => tell_where(context, &paths).await,
        Verb::Report { dry_run } => report(context, dry_run).await,
    }
}

async fn list(context: &Context) -> Result<(), Failure> {
    let drives = context.api()?.drives().await?;
    if context.out.json {
        return Ok(context.out.value(&drives)?);
    }
    let mut table = Table::new(&["STATE", "KIND", "RIGHT", "NAME"]);
    for drive in drives {
        let state = match drive.reason {
            Some(reason) => format!("{} ({reason})", drive.state),
            None => drive.state,
        };
        table.row([state, drive.kind, drive.right, drive.name]);
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
    let snapshot = tokio::task::spawn_blocking(|| System::new().probe());
    let snapshot = snapshot.await.map_err(|error| Failure::failed(error.to_string()))?;
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
