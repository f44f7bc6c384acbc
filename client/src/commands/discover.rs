//! `holdfast discover`

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use holdfast_disk::index::discover::{Candidate, DEEP, DEPTH, Event, Options, Sign, Summary, discover};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::{Context, Failure};
use crate::platform;
use crate::show::{Table, size};

/// Find folders of this device that are drives, also on disks that are plugged in
#[derive(clap::Args)]
#[command(after_long_help = "\
Without DIR it looks in your home folder and on what is mounted below /media, /mnt and /run/media. Links are not followed, and \
nothing is changed or added anywhere.

--json: {found: [{path, sign, drive_id, name, file_count, total_size_bytes, last_indexed, created_at, notes, tags, migrated_from, \
problem}], folders, unreadable, too_deep, mounts}; `sign` is `signature` or, for layouts of before, `imalink_storage` or `legacy_v0`")]
pub struct Args {
    /// Where to look
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Also in hidden folders, in what programs install, within drives, and deeper
    #[arg(long)]
    deep: bool,
    /// How many folders deep, instead of 6, or 64 with --deep
    #[arg(long, value_name = "N")]
    max_depth: Option<u16>,
    /// Also folders of layouts that came before
    #[arg(long)]
    legacy: bool,
    /// Also on file systems that are mounted below where it looks
    #[arg(long)]
    mounts: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let roots = if args.folders.is_empty() { platform::search_roots() } else { args.folders.clone() };
    let depth = if args.deep { DEEP } else { DEPTH };
    let options = Options {
        signature: true,
        legacy: args.legacy,
        deep: args.deep,
        max_depth: args.max_depth.map_or(depth, usize::from),
        mounts: args.mounts,
    };
    if let Some(none) = args.folders.iter().find(|folder| !folder.is_dir()) {
        return Err(Failure::not_found(format!("{} is no folder on this device", none.display())));
    }
    let looked = tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        let summary = discover(&roots, options, &mut |event| {
            if let Event::Found(candidate) = event {
                found.push((*candidate).clone());
            }
            ControlFlow::Continue(())
        });
        (found, summary)
    });
    let (found, summary) = looked.await.map_err(|error| Failure::failed(error.to_string()))?;
    tell(context, &found, &summary)
}

fn tell(context: &Context, found: &[Candidate], summary: &Summary) -> Result<(), Failure> {
    let out = &context.out;
    if out.json {
        let found: Vec<_> = found.iter().map(for_scripts).collect();
        return Ok(out.value(&json!({
            "found": found, "folders": summary.folders, "unreadable": summary.unreadable,
            "too_deep": summary.too_deep, "mounts": summary.mounts,
        }))?);
    }
    let clock = context.clock()?;
    let mut table = Table::new(&["SIGN", "FILES", "SIZE", "INDEXED", "NAME", "PLACE"]);
    let mut places: HashMap<_, u32> = HashMap::new();
    for candidate in found {
        let signature = candidate.signature.as_ref();
        if let Some(id) = candidate.drive_id() {
            *places.entry(id).or_default() += 1;
        }
        let problem = candidate.problem.as_deref().map(|problem| format!(" ({problem})")).unwrap_or_default();
        let dash = || "-".to_owned();
        table.row([
            word(candidate.sign).to_owned(),
            signature.map_or_else(dash, |signature| signature.file_count.to_string()),
            signature.map_or_else(dash, |signature| size(signature.total_size_bytes)),
            clock.maybe(candidate.last_indexed()),
            signature.map_or_else(dash, |signature| signature.name.clone()),
            format!("{}{problem}", candidate.path.display()),
        ]);
    }
    if !table.is_empty() {
        table.write(out)?;
    }
    if places.values().any(|&places| places > 1) {
        eprintln!("holdfast: one drive is found in several places: copies of it carry its signature");
    }
    let mut also = String::new();
    for (count, what) in [
        (summary.unreadable, "could not be read"),
        (summary.too_deep, "lie deeper"),
        (summary.mounts, "are other file systems"),
    ] {
        if count > 0 {
            also.push_str(&format!(", {count} {what}"));
        }
    }
    Ok(out.note(&format!("{} found in {} folders{also}", summary.found, summary.folders))?)
}

fn word(sign: Sign) -> &'static str {
    match sign {
        Sign::Signature => "signature",
        Sign::Legacy(layout) => layout.word(),
    }
}

fn for_scripts(candidate: &Candidate) -> Value {
    let signature = candidate.signature.as_ref();
    let time = |at: Option<time::OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
    json!({
        "path": candidate.path.display().to_string(),
        "sign": word(candidate.sign),
        "drive_id": candidate.drive_id(),
        "name": signature.map(|signature| &signature.name),
        "file_count": signature.map(|signature| signature.file_count),
        "total_size_bytes": signature.map(|signature| signature.total_size_bytes),
        "last_indexed": time(candidate.last_indexed()),
        "created_at": time(signature.map(|signature| signature.created_at)),
        "notes": signature.map(|signature| &signature.notes),
        "tags": signature.map(|signature| &signature.tags),
        "migrated_from": signature.and_then(|signature| signature.migrated_from.as_ref()),
        "problem": candidate.problem,
    })
}
