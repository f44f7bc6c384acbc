//! `holdfast sync status`

use serde_json::json;
use time::{OffsetDateTime, UtcOffset};

use super::pair;
use crate::agent::store::Store;
use crate::commands::{Context, Failure};
use crate::show::{Table, visible};

pub fn run(context: &Context) -> Result<(), Failure> {
    let clock = context.clock()?;
    let config = context.config()?;
    let (schedule, written) = (config.schedule(), config.text("schedule"));
    let now = pair::local(OffsetDateTime::now_utc());
    let mut values = Vec::new();
    let mut more = Vec::new();
    let mut table = Table::new(&["LAST SYNC", "PLACE", "FOLDER", "STATE"]);
    for pair in pair::all(context)? {
        // Only looked at: another agent may be at work with it.
        let (facts, files) = Store::peek(&context.state.memory_of(&pair)?);
        let fact = |name: &str| facts.get(name).filter(|text| !text.is_empty()).cloned();
        let synced_at = fact("synced_at").and_then(|text| text.parse::<i64>().ok());
        let at = synced_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let state = fact("state").unwrap_or_else(|| "not synced yet".to_owned());
        let reason = fact("reason");
        let withheld = fact("withheld").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let paused = pair.paused.filter(|pause| pause.holds(now));
        let next = schedule.next(at, now);
        let left_out: Vec<_> =
            pair.left_out.iter().map(|folder| json!({"path": folder.path, "keep": folder.keep})).collect();
        values.push(json!({
            "local": pair.local.display().to_string(), "place": pair.place(), "server": pair.server,
            "synced_at": synced_at, "state": state, "reason": reason, "files": files, "withheld": withheld,
            "left_out": left_out, "paused": paused.is_some(), "paused_until": paused.and_then(|pause| pause.until),
            "schedule": written, "next_at": paused.is_none().then(|| next.unix_timestamp()),
        }));
        let told = match (paused, reason) {
            (Some(pause), _) => {
                let until = pause.until.and_then(|until| OffsetDateTime::from_unix_timestamp(until).ok());
                until.map_or_else(
                    || "paused".to_owned(),
                    |until| format!("paused until {}", clock.show(until)),
                )
            }
            (None, Some(reason)) => format!("{state}: {reason}"),
            (None, None) => state.clone(),
        };
        table.row([clock.maybe(at), pair.place(), pair.local.display().to_string(), told]);
        for folder in &pair.left_out {
            let kept = if folder.keep { " (what is here stays)" } else { "" };
            more.push(format!("left out: {}{kept}", pair.local.join(&folder.path).display()));
        }
        if paused.is_none() && next > now {
            let (folder, at) = (pair.local.display(), clock.show(next.to_offset(UtcOffset::UTC)));
            more.push(format!("{written}: {folder} is synced next at {at}"));
        }
    }
    if context.out.json {
        return Ok(context.out.value(&values)?);
    }
    if values.is_empty() {
        return Ok(context.out.note("no folder of this device is kept in sync")?);
    }
    table.write(&context.out)?;
    more.iter().try_for_each(|line| context.out.line(&visible(line)))?;
    Ok(())
}
