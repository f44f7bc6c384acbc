//! `holdfast index`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use holdfast_disk::SignatureError;
use holdfast_disk::index::{Options, Report, UpdateError, open_root, update};
use serde_json::json;

use super::{Context, Failure};
use crate::platform;
use crate::show::{Out, size, visible};

/// Write the index of a drive's folder, so that it tells what is on it wherever it is plugged in
#[derive(clap::Args)]
#[command(after_long_help = "\
The folder has to carry a drive's signature (.holdfast/drive.json). The index is written beside it, and only when it is whole: \
whatever happens, the old one or the new one is there. Files that look as they did are not read again. What cannot be looked at \
is kept as it was told before.

--json: {drive_id, name, written_at, files, folders, links, total_size_bytes, hashed, added, changed, gone, kept, moved, read, \
read_bytes, before, unseen, problems: [{path, why}]}; `kept` are entries that could not be looked at, `before` says why an index that was there \
was not used, and `problems` has the first hundred")]
pub struct Args {
    /// The drive's folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Read the contents, so that files can be found by them
    #[arg(long)]
    hash: bool,
    /// Read also those again that look as they did
    #[arg(long, requires = "hash")]
    again: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let place = visible(&args.path.display().to_string()).into_owned();
    let name = args.path.file_name().unwrap_or(args.path.as_os_str()).to_string_lossy().into_owned();
    let bar = if args.hash { context.bar(&name, None)? } else { None };
    let progress = bar.as_ref().map(crate::show::Bar::progress);
    let interrupted = platform::interrupted();
    tokio::pin!(interrupted);
    // Listened for before anything is begun.
    tokio::select! {
        biased;
        _ = &mut interrupted => return Err(Failure::interrupted()),
        () = std::future::ready(()) => {}
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let mut writing = tokio::task::spawn_blocking(move || {
        let root = open_root(&args.path)?;
        let options = Options { hash: args.hash, again: args.again };
        update(root, concat!("holdfast ", env!("CARGO_PKG_VERSION")), options, &mut |at| {
            if let Some(progress) = &progress {
                progress(at.bytes);
            }
            if asked.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let written = tokio::select! {
        written = &mut writing => written,
        _ = &mut interrupted => {
            stop.store(true, Ordering::Relaxed);
            // It ends at the next file or piece, and takes away what it had begun.
            writing.await
        }
    };
    drop(bar);
    let written = written.map_err(|error| Failure::failed(error.to_string()))?;
    let report = written.map_err(|error| failure(error).about(place))?;
    tell(&context.out, &report)
}

fn failure(error: UpdateError) -> Failure {
    match error {
        UpdateError::Cancelled => Failure::interrupted(),
        UpdateError::InUse => Failure::conflict(error.to_string())
            .hint("take the drive offline there first, or let the server index it"),
        UpdateError::Signature(SignatureError::Absent) => {
            Failure::not_found("this folder is no drive: it carries no signature")
                .hint("a server makes it one: `POST /api/drives` with its folder as root")
        }
        UpdateError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Failure::not_found("there is no such folder on this device")
        }
        error => Failure::failed(error.to_string()),
    }
}

fn tell(out: &Out, report: &Report) -> Result<(), Failure> {
    let (signature, totals) = (&report.signature, &report.end.totals);
    if out.json {
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|(path, why)| json!({"path": path.display().to_string(), "why": why}))
            .collect();
        let rfc3339 = &time::format_description::well_known::Rfc3339;
        return Ok(out.value(&json!({
            "drive_id": signature.drive_id, "name": signature.name,
            "written_at": signature.last_indexed.and_then(|at| at.format(rfc3339).ok()),
            "files": totals.files, "folders": totals.folders, "links": totals.links,
            "total_size_bytes": totals.total_size_bytes, "hashed": totals.hashed, "unseen": totals.unseen,
            "added": report.added, "changed": report.changed, "gone": report.gone, "kept": report.kept, "moved": report.moved,
            "read": report.read, "read_bytes": report.read_bytes,
            "before": report.before.as_ref().map(ToString::to_string), "problems": problems,
        }))?);
    }
    if let Some(before) = &report.before {
        eprintln!("holdfast: the index before was not used: {}", visible(&before.to_string()));
    }
    for (path, why) in &report.problems {
        eprintln!("holdfast: {}: {}", visible(&shown(path)), visible(why));
    }
    let untold = report.problem_count.saturating_sub(report.problems.len() as u64);
    if untold > 0 {
        eprintln!("holdfast: and {untold} more");
    }
    out.note(&format!(
        "{}: {} files in {} folders, {}; {} new, {} changed, {} gone",
        signature.name,
        totals.files,
        totals.folders,
        size(totals.total_size_bytes),
        report.added,
        report.changed,
        report.gone
    ))?;
    if totals.hashed > 0 {
        let known = totals.hashed.saturating_sub(report.read);
        out.note(&format!(
            "{} contents read ({}), {known} known from before",
            report.read,
            size(report.read_bytes)
        ))?;
    }
    if report.kept > 0 {
        out.note(&format!("{} entries could not be looked at, and are told as before", report.kept))?;
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
