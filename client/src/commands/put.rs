//! `holdfast put`

use std::path::{Path, PathBuf};

use super::place::Place;
use super::{Context, Failure};
use crate::api::{ApiError, Condition, Put};
use crate::platform;
use crate::show::size;

/// Put a file of this device into a drive
#[derive(clap::Args)]
#[command(after_long_help = "\
What is at the path is replaced and stays in history (`holdfast history`), unless --if-absent is given. The modification time \
goes with the file. A file that changes while it is being sent is refused as a whole.

--json: {path, hash, size, version, id, mtime_ns}")]
pub struct Args {
    /// The file
    #[arg(value_name = "LOCAL")]
    local: PathBuf,
    /// Where to: a path, or a folder to put it into; the drive's top folder when absent
    #[arg(value_name = "[DRIVE:]PATH", default_value = "")]
    path: String,
    /// Only where nothing is; the same content is no other one, and fine
    #[arg(long)]
    if_absent: bool,
    /// Make missing folders above
    #[arg(short, long)]
    parents: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let found = std::fs::metadata(&args.local)
        .map_err(|error| ApiError::Local { path: args.local.clone(), error })?;
    if found.is_dir() {
        return Err(Failure::usage(format!("{} is a folder", args.local.display()))
            .hint("name a file; folders are put one file at a time"));
    }
    if !found.is_file() {
        return Err(Failure::usage(format!("{} is not a file", args.local.display())));
    }
    let name = name_of(&args.local)?;
    let api = context.api()?;
    let place = Place::read(context, &args.path)?.into_if_folder(&api, &name).await?;
    let bar = context.bar(&name, Some(found.len()))?;
    let put = Put {
        drive: &place.drive,
        path: &place.path,
        condition: if args.if_absent { Condition::New } else { Condition::Any },
        mtime_ns: platform::mtime_ns(&found),
        parents: args.parents,
        hash: None,
    };
    let written = api.put_file(&put, &args.local, bar.as_ref().map(crate::show::Bar::progress)).await;
    drop(bar);
    let written = written.map_err(|error| match error.problem() {
        Some(problem) if problem.status == 412 && args.if_absent => {
            Failure::conflict(format!("{place} is there already"))
                .hint("leave out --if-absent to replace it; the old content stays in history")
        }
        Some(_) => Failure::from(error).about(&place),
        None => Failure::from(error),
    })?;
    if context.out.json {
        return Ok(context.out.value(&written)?);
    }
    Ok(context.out.note(&format!("{} -> {place} ({})", args.local.display(), size(written.size)))?)
}

fn name_of(local: &Path) -> Result<String, Failure> {
    // `docs/..` has no name of its own, but the folder that it is was refused before.
    let name = local.file_name().unwrap_or(local.as_os_str());
    name.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::failed(format!("{}: the name is not UTF-8, and cannot be one in a drive", local.display()))
    })
}
