//! `holdfast conflicts`

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use uuid::Uuid;

use super::{Context, Failure};
use crate::api::types::StoredConflict;
use crate::api::{Api, ConflictState, Way};
use crate::show::{JsonList, Table, visible};

/// Show and settle what two sides changed at once
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

const FIELDS: &str = "{id, drive, path, base_hash, client_hash, server_hash, server_kind, device_id, candidate_present, state, \
resolution, created_at}";

#[derive(Subcommand)]
enum Verb {
    /// List conflicts, in the order in which they arose
    #[command(after_long_help = format!("--json: an array of {FIELDS}"))]
    List {
        /// Which ones
        #[arg(long, value_enum, default_value_t = Which::Open)]
        which: Which,
    },
    /// Show one
    #[command(after_long_help = format!("--json: {FIELDS}"))]
    Show {
        /// Its id, or as much of the beginning as only it has
        id: String,
    },
    /// Settle one
    #[command(after_long_help = "\
  local    the device's content wins; the server's stays in history
  server   the server's file stays; the device's content is replaced by its next sync
  version  the server's file stays; the device's content becomes a version in its history
  both     the server's file stays; the device's content becomes a file of its own beside it

For the last two the server needs the device's content. Where it does not have it yet, name the file that holds it with --file.

--json: {file_path, conflict_id, resolution, resolved, needs, copy}")]
    Resolve {
        /// Its id, or as much of the beginning as only it has
        id: String,
        /// What is kept
        #[arg(long, value_enum)]
        keep: Keep,
        /// The file of this device that holds the device's content
        #[arg(long, value_name = "LOCAL")]
        file: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// Still to be settled
    Open,
    /// Settled
    Resolved,
    /// Settled by themselves
    Obsolete,
}

#[derive(Clone, Copy, ValueEnum)]
enum Keep {
    Local,
    Server,
    Version,
    Both,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::List { which: Which::Open }) {
        Verb::List { which } => list(context, which).await,
        Verb::Show { id } => show(context, &id).await,
        Verb::Resolve { id, keep, file } => resolve(context, &id, keep, file).await,
    }
}

async fn list(context: &Context, which: Which) -> Result<(), Failure> {
    let state = match which {
        Which::Open => ConflictState::Open,
        Which::Resolved => ConflictState::Resolved,
        Which::Obsolete => ConflictState::Obsolete,
    };
    let (api, clock) = (context.api()?, context.clock()?);
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["SINCE", "ID", "DEVICE", "PATH"]);
    let mut cursor = None;
    loop {
        let page = api.conflicts(state, cursor.as_deref()).await?;
        for conflict in page.conflicts {
            if context.out.json {
                list.push(&conflict)?;
                continue;
            }
            let device = conflict.device_id.unwrap_or_else(|| "the server's disk".to_owned());
            let since = clock.show(conflict.created_at);
            table.row([since, conflict.id.to_string(), device, conflict.path.to_string()]);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json {
        return Ok(list.end()?);
    }
    if table.is_empty() {
        Ok(context.out.note("there are no such conflicts")?)
    } else {
        Ok(table.write(&context.out)?)
    }
}

async fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let (api, clock) = (context.api()?, context.clock()?);
    let conflict = find(&api, id).await?;
    let out = &context.out;
    if out.json {
        return Ok(out.value(&conflict)?);
    }
    let line = |what: &str, value: String| out.line(&format!("{what:<11} {}", visible(&value)));
    let hash = |hash: Option<String>| hash.unwrap_or_else(|| "nothing".to_owned());
    line("path", conflict.path.to_string())?;
    line("since", clock.show(conflict.created_at))?;
    line("device", conflict.device_id.unwrap_or_else(|| "the server's disk".to_owned()))?;
    line("both held", hash(conflict.base_hash.map(|hash| hash.to_string())))?;
    line("the device", conflict.client_hash.to_string())?;
    line("the server", hash(conflict.server_hash.map(|hash| hash.to_string())))?;
    let is_here = if conflict.candidate_present { "is on the server" } else { "is on the device alone" };
    line("content", format!("the device's {is_here}"))?;
    let state = match (conflict.state, conflict.resolution) {
        (ConflictState::Open, _) => "open; settle it with `holdfast conflicts resolve`".to_owned(),
        (ConflictState::Resolved, Some(way)) => format!("settled: {way:?}"),
        (state, _) => format!("{state:?}"),
    };
    Ok(line("state", state)?)
}

async fn resolve(context: &Context, id: &str, keep: Keep, file: Option<PathBuf>) -> Result<(), Failure> {
    let way = match keep {
        Keep::Local => Way::KeepLocal,
        Keep::Server => Way::KeepServer,
        Keep::Version => Way::CreateVersion,
        Keep::Both => Way::KeepBoth,
    };
    let api = context.api()?;
    let conflict = find(&api, id).await?;
    let about = |error| Failure::from(error).about(&conflict.path);
    if let Some(file) = file.filter(|_| !conflict.candidate_present) {
        let total = std::fs::metadata(&file).ok().map(|found| found.len());
        let bar = context.bar(&file.display().to_string(), total)?;
        let progress = bar.as_ref().map(crate::show::Bar::progress);
        api.put_candidate(conflict.id, &file, progress).await.map_err(about)?;
    }
    let resolved = api.resolve(conflict.id, way, conflict.server_hash.as_ref()).await.map_err(about)?;
    if context.out.json {
        context.out.value(&resolved)?;
    }
    if !resolved.resolved {
        return Err(Failure::conflict(format!(
            "{}: the device's content is not on the server yet",
            conflict.path
        ))
        .hint("name the file that holds it with --file LOCAL"));
    }
    let copy = resolved.copy.map(|copy| format!("; the device's content is {copy}")).unwrap_or_default();
    Ok(context.out.note(&format!("{} is settled{copy}", conflict.path))?)
}

/// A conflict by its id or the beginning of it.
async fn find(api: &Api, named: &str) -> Result<StoredConflict, Failure> {
    if let Ok(id) = named.parse::<Uuid>() {
        return api
            .conflict(id)
            .await
            .map_err(|error| Failure::from(error).about(format_args!("conflict {id}")));
    }
    let named = named.to_lowercase();
    if named.len() < 4 {
        return Err(Failure::usage("name at least four characters of a conflict's id"));
    }
    let mut found: Option<StoredConflict> = None;
    let mut cursor = None;
    loop {
        let page = api.conflicts(ConflictState::Open, cursor.as_deref()).await?;
        for conflict in
            page.conflicts.into_iter().filter(|conflict| conflict.id.to_string().starts_with(&named))
        {
            if found.replace(conflict).is_some() {
                return Err(Failure::conflict(format!(
                    "several open conflicts have ids that begin with {named:?}"
                ))
                .hint("write more of it"));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    found.ok_or_else(|| {
        Failure::not_found(format!("no open conflict has an id that begins with {named:?}"))
            .hint("`holdfast conflicts list` shows them")
    })
}
