//! `holdfastd config`: the effective settings, secrets hidden.

use super::{Failure, print};
use crate::config::Resolved;

/// How to print them.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(show: &Show, resolved: &Resolved) -> Result<(), Failure> {
    let shown = resolved.shown();
    if show.json {
        return print(&serde_json::to_string_pretty(&shown).map_err(|error| Failure(error.to_string()))?);
    }
    let keys = shown.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    let names = shown.iter().map(|setting| setting.environment.len()).max().unwrap_or(0);
    for setting in &shown {
        let value = setting.value.as_deref().unwrap_or("-");
        print(&format!(
            "{:keys$}  {:names$}  {value}  ({})",
            setting.key, setting.environment, setting.source
        ))?;
    }
    Ok(())
}
