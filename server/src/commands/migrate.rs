//! `holdfastd migrate up|down|status [--to N]`.

use super::{Failure, as_owner, print};
use crate::catalog::db::Db;
use crate::catalog::migrate;
use crate::config::Config;
use crate::keys;

/// What to do with the catalogue's migrations.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Migrate {
    /// Apply all, or those up to a number
    Up {
        /// The last one to apply
        #[arg(long, value_name = "N")]
        to: Option<i64>,
    },
    /// Undo the newest, or all above a number
    Down {
        /// The last one to keep; 0 undoes all
        #[arg(long, value_name = "N")]
        to: Option<i64>,
    },
    /// List them
    Status,
}

pub(super) async fn run(verb: Migrate, config: &Config) -> Result<(), Failure> {
    as_owner(config)?;
    keys::make_data_dir(&config.data_dir)?;
    let db = Db::connect(config.database_url.reveal()).await?;
    match verb {
        Migrate::Up { to } => migrate::up(&db, to).await?,
        Migrate::Down { to } => migrate::down(&db, to).await?,
        Migrate::Status => {}
    }
    for step in migrate::status(&db).await? {
        let state = if step.applied { "applied" } else { "pending" };
        print(&format!("{:04}  {state}  {}", step.number, step.title))?;
    }
    Ok(())
}
