//! `holdfast config`

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{Context, Failure};
use crate::show::Table;
use crate::state::{KEYS, Key};

/// Show and change settings
#[derive(clap::Args)]
#[command(after_long_help = about())]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Show all settings, or one
    #[command(after_long_help = "--json: {KEY: {value, set}}; `set` is false where the default holds")]
    Show {
        /// Which
        key: Option<String>,
    },
    /// Set one
    Set {
        /// Which
        key: String,
        /// To what
        value: String,
    },
    /// Go back to the default of one
    Unset {
        /// Which
        key: String,
    },
    /// Show where they are kept
    Path,
}

fn about() -> String {
    let lines = KEYS.iter().map(|key| format!("  {:<14}  {}", key.name, key.about));
    format!("Settings:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::Show { key: None }) {
        Verb::Show { key } => show(context, key.as_deref()),
        Verb::Set { key, value } => Ok(context.state.set(&key, Some(&value))?),
        Verb::Unset { key } => Ok(context.state.set(&key, None)?),
        Verb::Path => Ok(context.out.line(&context.state.config_file().display().to_string())?),
    }
}

fn show(context: &Context, named: Option<&str>) -> Result<(), Failure> {
    let config = context.config()?;
    let keys: Vec<&Key> = match named {
        Some(name) => vec![Key::named(name)?],
        None => KEYS.iter().collect(),
    };
    if context.out.json {
        let values: Map<String, Value> = keys
            .iter()
            .map(|key| {
                let (value, is_set) = config.of(key);
                (key.name.to_owned(), json!({"value": value, "set": is_set}))
            })
            .collect();
        return Ok(context.out.value(&values)?);
    }
    if named.is_some() {
        for key in keys {
            context.out.line(&config.text(key.name))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&["SETTING", "", "VALUE"]);
    for key in keys {
        let (_, is_set) = config.of(key);
        table.row([key.name.to_owned(), if is_set { "set" } else { "" }.to_owned(), config.text(key.name)]);
    }
    Ok(table.write(&context.out)?)
}
