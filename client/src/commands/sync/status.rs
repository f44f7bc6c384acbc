//! `holdfast sync status`

use serde_json::json;
use time::OffsetDateTime;

use super::pair;
use crate::agent::store::Store;
use crate::commands::{Context, Failure};
use crate::show::Table;

pub fn run(context: &Context) -> Result<(), Failure> {
    let clock = context.clock()?;
    let mut values = Vec::new();
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
        values.push(json!({
            "local": pair.local.display().to_string(), "place": pair.place(), "server": pair.server,
            "synced_at": synced_at, "state": state, "reason": reason, "files": files, "withheld": withheld,
        }));
        let told = reason.map_or_else(|| state.clone(), |reason| format!("{state}: {reason}"));
        table.row([clock.maybe(at), pair.place(), pair.local.display().to_string(), told]);
    }
    if context.out.json {
        return Ok(context.out.value(&values)?);
    }
    if values.is_empty() {
        return Ok(context.out.note("no folder of this device is kept in sync")?);
    }
    Ok(table.write(&context.out)?)
}
