//! `holdfast get`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::place::Place;
use super::{Context, Failure, history};
use crate::api::{Fetched, Source};
use crate::platform;
use crate::show::size;

/// Get a file from a drive
#[derive(clap::Args)]
#[command(after_long_help = "\
The file is written beside its place, compared with its hash, and put in place in one step: whatever happens, the old file or \
the whole new one is there. It gets the modification time that it has in the drive.

--json: {path, local, hash, size, mtime_ns}")]
pub struct Args {
    /// What to get
    #[arg(value_name = "[DRIVE:]PATH")]
    path: String,
    /// Where to: a file, a folder to put it into, or - for standard output; this folder when absent
    #[arg(value_name = "LOCAL")]
    local: Option<PathBuf>,
    /// Replace the file that is there
    #[arg(short, long)]
    force: bool,
    /// An older version: its number, or its id, from `holdfast history`
    #[arg(long, value_name = "N|ID")]
    version: Option<String>,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let place = Place::read_entry(context, &args.path)?;
    let api = context.api()?;
    let about = |error| Failure::from(error).about(&place);
    let (source, expect, total) = match &args.version {
        Some(version) => {
            let version = history::find(&api, &place, version).await?;
            let source = Source::Version { drive: &place.drive, id: version.id };
            (source, Some(version.hash), Some(version.size))
        }
        None => {
            let file = api.file_at(&place.drive, &place.path).await.map_err(about)?;
            let file = file.ok_or_else(|| {
                Failure::usage(format!("{place} is a folder"))
                    .hint("name a file in it; `holdfast ls -R` lists them")
            })?;
            (Source::File { drive: &place.drive, path: &place.path }, None, Some(file.size))
        }
    };
    let name = place.path.name().unwrap_or_default();
    let bar = context.bar(name, total)?;
    let progress = bar.as_ref().map(crate::show::Bar::progress);
    if args.local.as_deref() == Some(Path::new("-")) {
        let mut stdout = tokio::fs::File::from_std(platform::standard_output()?);
        let fetched = api.fetch(&source, expect.as_ref(), &mut stdout, progress.as_ref()).await;
        fetched.map_err(|error| match error {
            crate::api::ApiError::Local { error, .. } => Failure::from(error),
            error => Failure::from(error).about(&place),
        })?;
        return Ok(());
    }
    let target = target(args.local.as_deref(), name)?;
    if !args.force && std::fs::symlink_metadata(&target).is_ok() {
        return Err(there_already(&target));
    }
    let fetched = api.fetch_to_file(&source, expect.as_ref(), &target, args.force, progress.as_ref()).await;
    drop(bar);
    let fetched = fetched.map_err(|error| match error {
        crate::api::ApiError::Local { error, .. } if error.kind() == std::io::ErrorKind::AlreadyExists => {
            there_already(&target)
        }
        crate::api::ApiError::Local { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            Failure::not_found(format!("{}: there is no such folder on this device", target.display()))
        }
        error @ crate::api::ApiError::Local { .. } => error.into(),
        error => about(error),
    })?;
    let Fetched { hash, size: bytes, mtime_ns } = fetched;
    if context.out.json {
        let local = target.display().to_string();
        return Ok(context.out.value(
            &json!({"path": place.path, "local": local, "hash": hash, "size": bytes, "mtime_ns": mtime_ns}),
        )?);
    }
    Ok(context.out.note(&format!("{place} -> {} ({})", target.display(), size(bytes)))?)
}

fn there_already(target: &Path) -> Failure {
    Failure::conflict(format!("{} is there already", target.display()))
        .hint("replace it with --force, or name another place")
}

/// Where it goes: never anywhere but to the name that was given, or to its own in a folder.
fn target(local: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    let folder = match local {
        Some(local) if !local.is_dir() => return Ok(local.to_owned()),
        Some(folder) => folder,
        None => Path::new(""),
    };
    platform::check_local(name)
        .map_err(|why| Failure::failed(format!("{name:?} {why}")).hint("name a file to write it to"))?;
    Ok(folder.join(name))
}
