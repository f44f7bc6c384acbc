//! Numbered, reversible migrations, embedded in the program, the same numbers on both engines.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, SqlitePool};

use super::db::{Db, EngineName};
use super::sql;
use crate::error::{Error, Result};

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

/// One migration as `holdfastd migrate status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Whether this catalogue has it.
    pub applied: bool,
}

/// What to do; resolved per engine by [`Db`].
#[derive(Debug, Clone, Copy)]
pub enum Run {
    /// Apply everything up to a number.
    UpTo(i64),
    /// Undo everything above a number.
    DownTo(i64),
}

impl Run {
    pub(super) async fn on_sqlite(self, pool: &SqlitePool) -> Result<(), MigrateError> {
        match self {
            Self::UpTo(number) => SQLITE.run_to(number, pool).await,
            Self::DownTo(number) => SQLITE.undo(pool, number).await,
        }
    }

    pub(super) async fn on_postgres(self, pool: &PgPool) -> Result<(), MigrateError> {
        match self {
            Self::UpTo(number) => POSTGRES.run_to(number, pool).await,
            Self::DownTo(number) => POSTGRES.undo(pool, number).await,
        }
    }
}

fn migrator(db: &Db) -> &'static Migrator {
    match db.engine_name() {
        EngineName::Sqlite => &SQLITE,
        EngineName::Postgres => &POSTGRES,
    }
}

/// The highest number this program knows.
pub fn newest(db: &Db) -> i64 {
    migrator(db).iter().map(|m| m.version).max().unwrap_or(0)
}

/// Applies migrations up to `to`, or all.
///
/// # Errors
/// An unknown number, a catalogue newer than the program, or a failing migration.
pub async fn up(db: &Db, to: Option<i64>) -> Result<()> {
    run(db, to, Run::UpTo(to.unwrap_or_else(|| newest(db)))).await
}

/// Undoes migrations above `to`, or the newest applied one.
///
/// # Errors
/// An unknown number, or a failing migration.
pub async fn down(db: &Db, to: Option<i64>) -> Result<()> {
    let target = match to {
        Some(number) => number,
        None => {
            let applied: Vec<i64> =
                status(db).await?.iter().filter(|s| s.applied).map(|s| s.number).collect();
            applied.iter().rev().nth(1).copied().unwrap_or(0)
        }
    };
    run(db, Some(target), Run::DownTo(target)).await
}

async fn run(db: &Db, named: Option<i64>, run: Run) -> Result<()> {
    if let Some(number) = named.filter(|n| *n != 0)
        && !migrator(db).version_exists(number)
    {
        return Err(Error::invalid(format!("there is no migration {number}")));
    }
    db.migrator(run).await.map_err(|source| {
        Error::conflict(format!("the catalogue could not be migrated: {source}")).because(source)
    })
}

const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";

/// Every migration this program knows and whether the catalogue has it.
///
/// # Errors
/// The catalogue's.
pub async fn status(db: &Db) -> Result<Vec<Step>> {
    let applied: Vec<i64> = db
        .read(|tx| {
            Box::pin(async move {
                // A catalogue that was never migrated has no such table; that is an answer, not a failure.
                Ok(sql::query(APPLIED).fetch_all(tx).await.unwrap_or_default())
            })
        })
        .await?;
    Ok(migrator(db)
        .iter()
        .filter(|m| m.migration_type.is_up_migration())
        .map(|m| Step {
            number: m.version,
            title: m.description.to_string(),
            applied: applied.contains(&m.version),
        })
        .collect())
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    APPLIED
};
