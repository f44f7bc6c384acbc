//! What every verb of `sync` does with a pair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::runtime::Handle;

use crate::agent::engine::{Engine, Report};
use crate::agent::local::{LocalFolder, OpenError};
use crate::agent::plan::Guard;
use crate::agent::server::Drive;
use crate::agent::store::{Opened, Store};
use crate::agent::{Settings, Trouble};
use crate::commands::failure::Exit;
use crate::commands::{Context, Failure};
use crate::show::visible;
use crate::state::{Config, Pair};

/// A pair with its engine.
pub struct Syncing {
    /// Which.
    pub pair: Pair,
    /// What keeps it in sync.
    pub engine: Engine<Drive, LocalFolder>,
    /// What is set.
    pub settings: Settings,
}

/// The pairs of these folders, or all.
pub fn chosen(context: &Context, wanted: &[PathBuf]) -> Result<Vec<Pair>, Failure> {
    let pairs = all(context)?;
    if pairs.is_empty() {
        return Err(Failure::not_found("no folder of this device is kept in sync")
            .hint("add one with `holdfast sync add LOCAL DRIVE`"));
    }
    if wanted.is_empty() {
        return Ok(pairs);
    }
    wanted.iter().map(|local| of(&pairs, local).cloned()).collect()
}

/// All pairs.
pub fn all(context: &Context) -> Result<Vec<Pair>, Failure> {
    context.state.pairs().map_err(|error| {
        let failure = Failure::failed(format!("{}: {error}", context.state.pairs_file().display()));
        if error.kind() == std::io::ErrorKind::InvalidData {
            return failure.hint(
                "which folders are synced is not known any more; `holdfast sync add` each of them as before, and the file is set \
                 aside: what is remembered of the folders themselves still counts",
            );
        }
        failure
    })
}

/// Changes the pairs while no other command does.
pub fn change(
    context: &Context,
    change: impl FnOnce(&mut Vec<Pair>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(aside) = context.state.change_pairs(change)? {
        context.out.note(&format!("the list of folders was damaged and lies in {} now", aside.display()))?;
    }
    Ok(())
}

/// The pair of a folder.
pub fn of<'p>(pairs: &'p [Pair], local: &Path) -> Result<&'p Pair, Failure> {
    let path = absolute(local);
    pairs.iter().find(|pair| pair.local == path).ok_or_else(|| {
        Failure::not_found(format!("{} is not kept in sync", local.display()))
            .hint("`holdfast sync status` shows which folders are")
    })
}

/// A path from the top, links resolved as far as it is there.
pub fn absolute(local: &Path) -> PathBuf {
    std::fs::canonicalize(local).or_else(|_| std::path::absolute(local)).unwrap_or_else(|_| local.to_owned())
}

/// Opens the folder and the memory of a pair.
pub fn begin(context: &Context, pair: &Pair) -> Result<Syncing, Failure> {
    let account = context.account()?;
    if account.server.to_string() != pair.server {
        return Err(Failure::new(
            Exit::Denied,
            format!("it belongs to the server {}, and you are logged in at {}", pair.server, account.server),
        )
        .about(pair.local.display()));
    }
    let folder = LocalFolder::open(&pair.local, pair.id).map_err(|error| of_folder(pair, &error))?;
    let path = context.state.memory_of(pair)?;
    let (store, opened) = Store::open(&path).map_err(|trouble| of_trouble(pair, &trouble))?;
    if let Opened::SetAside(aside) = opened {
        context.out.note(&format!(
            "{}: what was remembered of it is damaged and lies in {} now; everything is compared anew",
            pair.local.display(),
            aside.display()
        ))?;
    }
    let drive = Drive::new(context.api()?, pair.drive.to_string(), Handle::current());
    let engine = Engine::new(drive, folder, store).map_err(|trouble| of_trouble(pair, &trouble))?;
    let settings = Settings {
        root: pair.node,
        device: account.device_name,
        windows: cfg!(windows),
        folds: cfg!(any(windows, target_os = "macos")),
        left_out: pair.scope(),
        guard: guard(&context.config()?),
        ..Settings::default()
    };
    Ok(Syncing { pair: pair.clone(), engine, settings })
}

/// How many deletions are not asked about.
pub fn guard(config: &Config) -> Guard {
    let number = |name| usize::try_from(config.number(name)).unwrap_or(usize::MAX);
    Guard { files: number("guard-files"), percent: number("guard-percent") }
}

fn of_folder(pair: &Pair, error: &OpenError) -> Failure {
    let exit = match error {
        OpenError::Offline(_) => Exit::Unreachable,
        OpenError::Busy => Exit::Conflict,
        OpenError::Io { .. } => Exit::Failed,
    };
    Failure::new(exit, error.to_string()).about(pair.local.display())
}

/// Why a sync ended early.
pub fn of_trouble(pair: &Pair, trouble: &Trouble) -> Failure {
    Failure::new(Exit::Unreachable, trouble.to_string()).about(pair.local.display())
}

impl Syncing {
    /// Syncs once, on a thread of its own.
    pub async fn sync(mut self, confirm: Option<String>) -> (Self, Result<Report, Trouble>) {
        self.settings.confirmed = confirm;
        self.settings.time = now_for_names();
        let pair = self.pair.clone();
        let done = tokio::task::spawn_blocking(move || {
            let report = self.engine.sync(&mut self.settings);
            let told = self.engine.tell(&outcome(&report));
            (self, told.and(report))
        });
        match done.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(Box::new(format!("{}: {error}", pair.local.display()))),
        }
    }
}

/// How a sync went, as `sync status` shows it.
fn outcome(report: &Result<Report, Trouble>) -> BTreeMap<&'static str, String> {
    let now = OffsetDateTime::now_utc().unix_timestamp().to_string();
    match report {
        Ok(report) => {
            let reason = report.failed.first().map(|(path, why)| format!("{path}: {why}"));
            let waits = report.withheld.as_ref().map_or(0, |withheld| withheld.paths.len());
            BTreeMap::from([
                ("synced_at", now),
                ("state", if report.quiet && reason.is_none() { "in sync" } else { "incomplete" }.to_owned()),
                ("reason", reason.unwrap_or_default()),
                ("withheld", waits.to_string()),
            ])
        }
        Err(trouble) => BTreeMap::from([("state", "waiting".to_owned()), ("reason", trouble.to_string())]),
    }
}

/// The time as it goes into a conflict copy's name: to the minute, as the clock on the wall.
pub fn now_for_names() -> String {
    crate::show::Clock::Local.show(OffsetDateTime::now_utc()).replace(':', ".")
}

/// A time by the clock on the wall; in UTC where this system does not tell.
pub fn local(time: OffsetDateTime) -> OffsetDateTime {
    time::UtcOffset::local_offset_at(time).map_or(time, |offset| time.to_offset(offset))
}

/// A report for scripts.
pub fn value(pair: &Pair, report: &Report) -> Value {
    let withheld = report.withheld.as_ref();
    json!({
        "local": pair.local.display().to_string(), "place": pair.place(), "done": report.done,
        "sent": report.sent, "received": report.received, "conflicts": named(&report.conflicts, "copy"),
        "failed": named(&report.failed, "reason"), "notices": named(&report.notices, "reason"),
        "withheld": withheld.map(|withheld| json!({"token": withheld.token, "paths": withheld.paths})),
        "quiet": report.quiet,
    })
}

/// Pairs of a path and something.
pub fn named(list: &[(String, String)], what: &str) -> Vec<Value> {
    list.iter().map(|(path, other)| json!({"path": path, what: other})).collect()
}

/// A report for people.
pub fn tell(context: &Context, pair: &Pair, report: &Report) -> Result<(), Failure> {
    let out = &context.out;
    let local = pair.local.display();
    let done: Vec<String> = report.done.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let done = if done.is_empty() { "nothing to do".to_owned() } else { done.join(", ") };
    out.note(&format!("{local} <-> {}: {done}", pair.place()))?;
    for (path, copy) in &report.conflicts {
        out.line(&visible(&format!("  both sides changed {path}: this device's is {copy}")))?;
    }
    for (path, why) in &report.notices {
        out.note(&format!("  {path}: {why}"))?;
    }
    for (path, why) in &report.failed {
        out.line(&visible(&format!("  not done: {path}: {why}")))?;
    }
    if let Some(withheld) = &report.withheld {
        let count = withheld.paths.len();
        out.line(&format!(
            "  {count} files vanished here; if that was meant, delete them on the server with\n    \
             holdfast sync now --confirm {}",
            withheld.token
        ))?;
        for path in withheld.paths.iter().take(10) {
            out.line(&visible(&format!("    {path}")))?;
        }
    }
    Ok(())
}
