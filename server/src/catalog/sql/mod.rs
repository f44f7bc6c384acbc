//! One SQL text for both engines (`docs/design/005-sqlite-without-a-thread.md`): a [`Query`] with its values, run on
//! whichever engine a [`Tx`] has. SQLite runs on the thread that asks, Postgres by its asynchronous driver.

mod build;
mod column;
pub mod sqlite;

pub use build::{Builder, STATEMENT, portions, wide_portions};
pub(crate) use column::row;
pub use column::{Column, Columns, FromRow, Value};

use std::borrow::Cow;
use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query as PgQuery;
use sqlx::{AssertSqlSafe, Postgres, Row as _, SqlSafeStr as _};
use uuid::Uuid;

use self::column::plan;
use super::db::{Engine, Tx};
use crate::error;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Postgres says so, or the connection to it.
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// A column is not in the answer.
    #[error("the answer has no column {0}")]
    NoColumn(&'static str),
    /// A value is not what the code takes it for.
    #[error("column {0} of the answer is not of the type that is asked for")]
    OtherType(usize),
    /// A statement names a value that was not given.
    #[error("the statement has no value {0}")]
    NoValue(usize),
    /// The catalogue was closed.
    #[error("the catalogue is closed")]
    Closed,
    /// One row was expected.
    #[error("the answer has no row")]
    NoRow,
    /// A write in parts could not undo one of them.
    #[error("a write in parts was given up")]
    GivenUp,
}

impl Error {
    /// Whether a row was refused because another has its key.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => matches!(
                error.extended_code,
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            ),
            Self::Postgres(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }

    /// Whether SQLite could not read, write or sync its file.
    pub fn is_disk_failure(&self) -> bool {
        matches!(self, Self::Sqlite(rusqlite::Error::SqliteFailure(error, _))
            if error.extended_code & 0xff == rusqlite::ffi::SQLITE_IOERR)
    }
}

impl From<Error> for error::Error {
    fn from(source: Error) -> Self {
        match source {
            // Nobody's fault here, and over when the database is back or less is asked of it at once.
            Error::Postgres(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)
            | Error::Closed => Self::unavailable("the catalogue does not answer", 5).because(source),
            source => Self::internal(source),
        }
    }
}

/// A statement with its values, `$1` the first.
#[derive(Debug)]
pub struct Query<'q> {
    sql: Cow<'static, str>,
    values: Vec<Value<'q>>,
}

/// A statement whose text is known beforehand.
pub fn query<'q>(sql: &'static str) -> Query<'q> {
    Query { sql: Cow::Borrowed(sql), values: Vec::new() }
}

impl<'q> Query<'q> {
    /// Adds the next value.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds the next values.
    #[must_use]
    pub fn bind_all(mut self, values: impl IntoIterator<Item = Value<'q>>) -> Self {
        self.values.extend(values);
        self
    }

    /// Runs it for what it does; gives the number of rows it touched.
    ///
    /// # Errors
    /// The engine's.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64, Error> {
        match &mut tx.engine {
            Engine::Sqlite(transaction) => sqlite::execute(transaction, &self.sql, &self.values),
            Engine::Postgres(transaction) => {
                Ok(self.for_postgres()?.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }

    /// Every row of its answer.
    ///
    /// # Errors
    /// The engine's, and those of reading a row.
    pub async fn fetch_all<T: FromRow>(self, tx: &mut Tx) -> Result<Vec<T>, Error> {
        match &mut tx.engine {
            Engine::Sqlite(transaction) => {
                let mut all = Vec::new();
                sqlite::rows(transaction, &self.sql, &self.values, |row| {
                    all.push(row);
                    Ok::<_, Error>(true)
                })?;
                Ok(all)
            }
            Engine::Postgres(transaction) => {
                let rows = self.for_postgres()?.fetch_all(&mut **transaction).await?;
                let plan = rows.first().map(postgres_plan::<T>).transpose()?.unwrap_or_default();
                rows.iter().map(|row| T::from_row(&mut Columns::of_postgres(row, &plan))).collect()
            }
        }
    }

    /// The first row of its answer, if there is any.
    ///
    /// # Errors
    /// The engine's, and those of reading a row.
    pub async fn fetch_optional<T: FromRow>(self, tx: &mut Tx) -> Result<Option<T>, Error> {
        match &mut tx.engine {
            Engine::Sqlite(transaction) => {
                let mut first = None;
                sqlite::rows(transaction, &self.sql, &self.values, |row| {
                    first = Some(row);
                    Ok::<_, Error>(false)
                })?;
                Ok(first)
            }
            Engine::Postgres(transaction) => {
                let row = self.for_postgres()?.fetch_optional(&mut **transaction).await?;
                row.map(|row| T::from_row(&mut Columns::of_postgres(&row, &postgres_plan::<T>(&row)?)))
                    .transpose()
            }
        }
    }

    /// The first row of its answer.
    ///
    /// # Errors
    /// As [`Query::fetch_optional`], and [`Error::NoRow`].
    pub async fn fetch_one<T: FromRow>(self, tx: &mut Tx) -> Result<T, Error> {
        self.fetch_optional(tx).await?.ok_or(Error::NoRow)
    }

    /// Hands over row after row, so that an answer of any length takes little memory.
    ///
    /// # Errors
    /// The engine's, those of reading a row, and what `each` says of one, which ends it.
    pub async fn for_each<T: FromRow>(
        self,
        tx: &mut Tx,
        mut each: impl FnMut(T) -> error::Result<()> + Send,
    ) -> error::Result<()> {
        match &mut tx.engine {
            Engine::Sqlite(transaction) => {
                sqlite::rows(transaction, &self.sql, &self.values, |row| each(row).map(|()| true))
            }
            Engine::Postgres(transaction) => {
                let mut rows = self.for_postgres()?.fetch(&mut **transaction);
                let mut plan = None;
                while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                    let plan = match &mut plan {
                        Some(plan) => plan,
                        none => none.insert(postgres_plan::<T>(&row)?),
                    };
                    each(T::from_row(&mut Columns::of_postgres(&row, plan))?)?;
                }
                Ok(())
            }
        }
    }

    fn for_postgres<'s>(&'s self) -> Result<PgQuery<'s, Postgres, PgArguments>, Error> {
        let mut arguments = PgArguments::default();
        for value in &self.values {
            value.add_to(&mut arguments)?;
        }
        let text = match &self.sql {
            Cow::Borrowed(text) => sqlx::SqlStr::from_static(text),
            // Built of constant parts; values are never part of the text.
            Cow::Owned(text) => AssertSqlSafe(text.clone()).into_sql_str(),
        };
        Ok(sqlx::query_with(text, arguments))
    }
}

/// A new public id for a row of a table that only grows. Random, but for its first bytes, which say when it was made: rows
/// of one time then lie together in the index of their ids, where wholly random ones would touch a page each.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// The keys that an engine gave to new rows, in the order of these rows' public ids.
///
/// # Errors
/// [`Error::NoRow`] when one of them has none.
pub fn in_order(ids: &[Uuid], given: Vec<(i64, Uuid)>) -> Result<Vec<i64>, Error> {
    let given: HashMap<Uuid, i64> = given.into_iter().map(|(key, id)| (id, key)).collect();
    ids.iter().map(|id| given.get(id).copied().ok_or(Error::NoRow)).collect()
}

fn postgres_plan<T: FromRow>(row: &PgRow) -> Result<Vec<usize>, Error> {
    let names: Vec<&str> = row.columns().iter().map(sqlx::Column::name).collect();
    plan::<T>(&names)
}

/// How SQLite goes about a text; nothing on Postgres.
#[cfg(test)]
pub fn plan_of(tx: &mut Tx, sql: &str) -> Result<Vec<String>, Error> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => sqlite::plan_of(transaction, sql),
        Engine::Postgres(_) => Ok(Vec::new()),
    }
}

/// How an engine goes about a query with its values.
#[cfg(test)]
pub async fn explained(tx: &mut Tx, query: Query<'_>) -> Result<Vec<String>, Error> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => sqlite::plan_of(transaction, &query.sql),
        Engine::Postgres(_) => {
            let sql = Cow::Owned(format!("EXPLAIN {}", query.sql));
            Query { sql, values: query.values }.fetch_all(tx).await
        }
    }
}

/// Has a text looked at by the engine without running it.
///
/// # Errors
/// The engine's, when it does not take it.
#[cfg(test)]
pub async fn prepare(tx: &mut Tx, sql: &'static str) -> Result<(), Error> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => sqlite::prepare(transaction, sql),
        Engine::Postgres(transaction) => {
            let sql = sqlx::SqlStr::from_static(sql);
            Ok(sqlx::Executor::prepare(&mut **transaction, sql).await.map(drop)?)
        }
    }
}
