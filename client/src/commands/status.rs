//! `holdfast status`

use serde_json::json;

use super::{Context, Failure};
use crate::api::ConflictState;

/// Show where you are logged in, and whether something needs you
#[derive(clap::Args)]
#[command(
    after_long_help = "--json: {server, version, username, user_id, device_id, device_name, drives: [{name, state, reason}], \
open_conflicts, state}; open_conflicts counts no further than one page, `more_conflicts` says that there are more"
)]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let account = context.account()?;
    let api = context.api()?;
    let about = api.about().await?;
    let drives = api.drives().await?;
    let page = api.conflicts(ConflictState::Open, None).await?;
    let (conflicts, more) = (page.conflicts.len(), page.next.is_some());
    let out = &context.out;
    if out.json {
        let drives: Vec<_> = drives
            .iter()
            .map(|drive| json!({"name": drive.name, "state": drive.state, "reason": drive.reason}))
            .collect();
        return Ok(out.value(&json!({
            "server": account.server.to_string(), "version": about.version, "username": account.username,
            "user_id": account.user_id, "device_id": account.device_id, "device_name": account.device_name,
            "drives": drives, "open_conflicts": conflicts, "more_conflicts": more,
            "state": context.state.folder().display().to_string(),
        }))?);
    }
    let line = |what: &str, value: &str| out.line(&format!("{what:<10} {}", crate::show::visible(value)));
    line("server", &format!("{} (version {})", account.server, about.version))?;
    line("account", &account.username)?;
    line("device", &account.device_name)?;
    for drive in &drives {
        let reason = drive.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        line("drive", &format!("{} ({}{reason})", drive.name, drive.state))?;
    }
    let count = format!("{conflicts}{} open", if more { " or more" } else { "" });
    line("conflicts", if conflicts == 0 { "none" } else { &count })?;
    Ok(())
}
