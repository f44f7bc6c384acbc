//! `holdfast sync now`

use std::path::PathBuf;

use serde_json::{Value, json};

use super::pair::{self, Syncing};
use crate::agent::plan::Plan;
use crate::agent::{Step, Trouble};
use crate::commands::{Context, Failure};
use crate::show::visible;
use crate::state::Pair;

pub async fn run(
    context: &Context,
    local: &[PathBuf],
    dry_run: bool,
    confirm: Option<String>,
) -> Result<(), Failure> {
    let pairs = pair::chosen(context, local)?;
    let mut values = Vec::new();
    let mut failure = None;
    for pair in pairs {
        match one(context, &pair, dry_run, confirm.clone()).await {
            Ok((value, outcome)) => {
                values.push(value);
                failure = failure.or(outcome);
            }
            // The others are synced all the same.
            Err(error) => failure = Some(error),
        }
    }
    if context.out.json {
        context.out.value(&values)?;
    }
    failure.map_or(Ok(()), Err)
}

async fn one(
    context: &Context,
    pair: &Pair,
    dry_run: bool,
    confirm: Option<String>,
) -> Result<(Value, Option<Failure>), Failure> {
    let syncing = pair::begin(context, pair)?;
    if dry_run {
        let plan = planned(syncing).await.map_err(|trouble| pair::of_trouble(pair, &trouble))?;
        return Ok((show(context, pair, &plan)?, None));
    }
    let (_, report) = syncing.sync(confirm).await;
    let report = report.map_err(|trouble| pair::of_trouble(pair, &trouble))?;
    if !context.out.json {
        pair::tell(context, pair, &report)?;
    }
    let outcome = if !report.failed.is_empty() || !report.quiet {
        Some(Failure::failed("not everything could be done").about(pair.local.display()))
    } else if report.withheld.is_some() {
        Some(Failure::conflict("deletions wait to be confirmed").about(pair.local.display()))
    } else {
        None
    };
    Ok((pair::value(pair, &report), outcome))
}

async fn planned(mut syncing: Syncing) -> Result<Plan, Trouble> {
    syncing.settings.time = pair::now_for_names();
    let done = tokio::task::spawn_blocking(move || syncing.engine.dry_run(&mut syncing.settings));
    done.await.map_err(|error| Trouble::Side(error.to_string()))?
}

/// What would be done.
fn show(context: &Context, pair: &Pair, plan: &Plan) -> Result<Value, Failure> {
    let steps: Vec<(&str, &str)> =
        plan.steps.iter().filter_map(|step| Some((what(step)?, step.key()))).collect();
    if !context.out.json {
        context.out.note(&format!("{} <-> {}", pair.local.display(), pair.place()))?;
        for (what, path) in &steps {
            context.out.line(&visible(&format!("  {what:<15} {path}")))?;
        }
        for (path, why) in &plan.notices {
            context.out.line(&visible(&format!("  {:<15} {path}: {why}", "leave")))?;
        }
        if let Some(withheld) = &plan.withheld {
            context.out.line(&format!(
                "  {:<15} {} files that vanished here",
                "ask about",
                withheld.paths.len()
            ))?;
        }
    }
    let withheld = plan.withheld.as_ref();
    Ok(json!({
        "local": pair.local.display().to_string(), "place": pair.place(),
        "steps": steps.iter().map(|(what, path)| json!({"what": what, "path": path})).collect::<Vec<_>>(),
        "conflicts": pair::named(&plan.conflicts, "copy"), "notices": pair::named(&plan.notices, "reason"),
        "withheld": withheld.map(|withheld| json!({"token": withheld.token, "paths": withheld.paths})),
    }))
}

/// What a step does; `None` for one that only notes something.
fn what(step: &Step) -> Option<&'static str> {
    match step {
        Step::Agree { .. } | Step::Forget { .. } => None,
        Step::MakeLocal { .. } => Some("make here"),
        Step::MakeRemote { .. } => Some("make there"),
        Step::MoveLocal { .. } => Some("move here"),
        Step::MoveRemote { .. } => Some("move there"),
        Step::DeleteLocal { .. } => Some("remove here"),
        Step::DeleteRemote { .. } => Some("remove there"),
        Step::Download(_) => Some("receive"),
        Step::Upload(_) => Some("send"),
    }
}
