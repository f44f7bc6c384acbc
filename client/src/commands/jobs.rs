//! `holdfast jobs`

use std::time::Duration;

use clap::Subcommand;
use uuid::Uuid;

use super::{Context, Exit, Failure};
use crate::api::types::Job;
use crate::api::{Api, ApiError};
use crate::show::{JsonList, Table, size, visible};

/// Between two looks at a job that is waited for.
const PAUSE: Duration = Duration::from_millis(300);

const FIELDS: &str = "{id, kind, subject, owner, state, cancel_requested, resumable, done, total, unit, message, counters, result, \
    error, remaining_seconds, created_at, started_at, heartbeat_at, finished_at}";

/// Show long work that the server does; end it, or go on with it
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List jobs, the newest first (also without a verb); admins see everybody's, and what the server does all the time
    #[command(after_long_help = format!("--json: an array of {FIELDS}"))]
    List {
        /// Only those that are queued, running, finished, failed, cancelled or interrupted
        #[arg(long, value_name = "STATE")]
        only: Option<String>,
        /// Only those of a kind, for example speed-test
        #[arg(long)]
        kind: Option<String>,
    },
    /// Show one
    #[command(after_long_help = format!("--json: {FIELDS}"))]
    Show {
        /// Which, by its id
        id: Uuid,
    },
    /// End one; what is under way ends as soon as it can
    #[command(after_long_help = format!("--json: {FIELDS}"))]
    Cancel {
        /// Which, by its id
        id: Uuid,
    },
    /// Go on with one that was interrupted, and wait for its end
    #[command(after_long_help = format!("Exit codes as of `volumes speed-test`.\n\n--json: {FIELDS}"))]
    Resume {
        /// Which, by its id
        id: Uuid,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let api = context.api()?;
    let about = |id: Uuid| move |error: ApiError| Failure::from(error).about(id);
    match args.verb.unwrap_or(Verb::List { only: None, kind: None }) {
        Verb::List { only, kind } => list(context, &api, only.as_deref(), kind.as_deref()).await,
        Verb::Show { id } => show(context, &api.job(id).await.map_err(about(id))?),
        Verb::Cancel { id } => {
            let job = api.cancel_job(id).await.map_err(about(id))?;
            if context.out.json {
                return Ok(context.out.value(&job)?);
            }
            let told = if job.is_open() { "is asked to end" } else { "is cancelled" };
            Ok(context.out.note(&format!("{id} {told}"))?)
        }
        Verb::Resume { id } => {
            let job = api.resume_job(id).await.map_err(about(id))?;
            let job = follow(context, &api, job).await?;
            show(context, &job)?;
            judge(&job)
        }
    }
}

async fn list(context: &Context, api: &Api, only: Option<&str>, kind: Option<&str>) -> Result<(), Failure> {
    let clock = context.clock()?;
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["MADE", "STATE", "DONE", "ID", "KIND", "ABOUT"]);
    let mut cursor = None;
    loop {
        let page = api.jobs(only, kind, cursor.as_deref()).await?;
        for job in page.items {
            if context.out.json {
                list.push(&job)?;
                continue;
            }
            let about = job.subject.as_ref().map(|about| about.name.clone()).unwrap_or_default();
            table.row([
                clock.maybe(job.created_at),
                job.state.clone(),
                job.share().map_or_else(|| "-".to_owned(), |share| format!("{share} %")),
                job.id.to_string(),
                job.kind,
                about,
            ]);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json { Ok(list.end()?) } else { Ok(table.write(&context.out)?) }
}

/// Shows one, as JSON or line by line.
fn show(context: &Context, job: &Job) -> Result<(), Failure> {
    let out = &context.out;
    if out.json {
        return Ok(out.value(job)?);
    }
    let clock = context.clock()?;
    let line = |what: &str, value: &str| out.line(&format!("{what:<10} {}", visible(value)));
    let amount = |number| if job.unit == "bytes" { size(number) } else { format!("{number} {}", job.unit) };
    line("id", &job.id.to_string())?;
    line("kind", &job.kind)?;
    if let Some(about) = &job.subject {
        line("about", &about.name)?;
    }
    line("state", &job.state)?;
    let total = job.total.map(|total| format!(" of {}", amount(total))).unwrap_or_default();
    line("done", &format!("{}{total}", amount(job.done)))?;
    if let Some(seconds) = job.remaining_seconds.filter(|_| job.is_open()) {
        line("remaining", &format!("{seconds} s"))?;
    }
    for (what, text) in
        [("doing", job.message.as_ref().filter(|_| job.is_open())), ("error", job.error.as_ref())]
    {
        if let Some(text) = text {
            line(what, text)?;
        }
    }
    line("made", &clock.maybe(job.created_at))?;
    line("heard of", &clock.maybe(job.heartbeat_at))?;
    if let Some(result) = &job.result {
        line("result", &result.to_string())?;
    }
    Ok(())
}

/// Waits for a job's end, and shows how far it is meanwhile.
///
/// # Errors
/// The server's.
pub async fn follow(context: &Context, api: &Api, mut job: Job) -> Result<Job, Failure> {
    let name = job.subject.as_ref().map_or(job.kind.as_str(), |about| about.name.as_str()).to_owned();
    let mut bar = None;
    while job.is_open() {
        if bar.is_none() && job.unit == "bytes" && job.total.is_some() {
            bar = context.bar(&name, job.total)?;
        }
        if let Some(bar) = &bar {
            bar.progress()(job.done);
        }
        tokio::time::sleep(PAUSE).await;
        job = api.job(job.id).await?;
    }
    Ok(job)
}

/// Whether a job that has ended is a success.
///
/// # Errors
/// In the words of what became of it.
pub fn judge(job: &Job) -> Result<(), Failure> {
    match job.state.as_str() {
        "finished" => Ok(()),
        "cancelled" => Err(Failure::failed("the job was cancelled")),
        "interrupted" => Err(Failure::new(Exit::Unreachable, "the server stopped before the job was done")
            .hint(format!("go on with it: `holdfast jobs resume {}`", job.id))),
        _ => Err(Failure::failed(job.error.clone().unwrap_or_else(|| "the job has failed".to_owned()))),
    }
}
