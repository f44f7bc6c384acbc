//! `holdfast drives`

use super::{Context, Failure};
use crate::show::Table;

/// List the drives that you may see
#[derive(clap::Args)]
#[command(after_long_help = "--json: an array of {id, name, kind, right, state, reason}")]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<(), Failure> {
    let drives = context.api()?.drives().await?;
    if context.out.json {
        return Ok(context.out.value(&drives)?);
    }
    let mut table = Table::new(&["STATE", "KIND", "RIGHT", "NAME"]);
    for drive in drives {
        let state = match drive.reason {
            Some(reason) => format!("{} ({reason})", drive.state),
            None => drive.state,
        };
        table.row([state, drive.kind, drive.right, drive.name]);
    }
    Ok(table.write(&context.out)?)
}
