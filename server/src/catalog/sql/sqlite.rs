//! SQLite, on the thread that asks: connections, transactions and statements.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use super::column::{Columns, FromRow, Value, plan};

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 256;
/// How long a connection waits for one of another process.
const BUSY: Duration = Duration::from_secs(30);

/// Connections to one file, at most so many at once; they stay open.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    cache_kib: u32,
    begin: &'static str,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    size: u32,
}

impl Pool {
    /// Connections whose transactions are begun with `begin`, each with so much of a cache. Opens the first.
    ///
    /// # Errors
    /// SQLite's.
    pub fn open(path: &Path, size: u32, cache_kib: u32, begin: &'static str) -> Result<Arc<Self>, Error> {
        let pool = Self {
            path: path.to_owned(),
            cache_kib,
            begin,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(size as usize)),
            size,
        };
        let first = pool.connect()?;
        pool.idle().push(first);
        Ok(Arc::new(pool))
    }

    fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        // A plan is made once for a text. Else SQLite makes it anew for each value of a LIMIT.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // Sixteen megabytes of log before its pages are written to their places: what changes often is written once.
        connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
        connection.pragma_update(None, "cache_size", -i64::from(self.cache_kib))?;
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction, once a connection is free.
    ///
    /// # Errors
    /// SQLite's; [`Error::Closed`] after [`Pool::close`].
    pub async fn begin(self: &Arc<Self>) -> Result<Transaction, Error> {
        let closed = |_| Error::Closed;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let mut transaction =
            Transaction { connection: Some(connection), pool: Arc::clone(self), _permit: permit };
        execute(&mut transaction, self.begin, &[])?;
        Ok(transaction)
    }

    /// Waits for the transactions under way, takes no more, and closes all connections.
    pub async fn close(&self) {
        if let Ok(all) = self.permits.acquire_many(self.size).await {
            self.permits.close();
            drop(all);
        }
        self.idle().clear();
    }
}

/// A transaction; undone unless it was committed.
#[derive(Debug)]
pub struct Transaction {
    /// There until it is dropped.
    connection: Option<Connection>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Transaction {
    fn connection(&self) -> Result<&Connection, Error> {
        self.connection.as_ref().ok_or(Error::Closed)
    }

    /// Commits.
    ///
    /// # Errors
    /// SQLite's: whether it stands is then not known.
    pub fn commit(mut self) -> Result<(), Error> {
        execute(&mut self, "COMMIT", &[]).map(drop)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // SQLite may have given the transaction up by itself (a full disk).
        let usable = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if usable {
            self.pool.idle().push(connection);
        }
    }
}

fn prepared<'c>(
    transaction: &'c Transaction,
    sql: &str,
    values: &[Value<'_>],
) -> Result<CachedStatement<'c>, Error> {
    let mut statement = transaction.connection()?.prepare_cached(sql)?;
    for at in 1..=statement.parameter_count() {
        // `$7` is a name to SQLite, numbered by when it is met first.
        let number = statement.parameter_name(at).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        let place = number.unwrap_or(at).checked_sub(1);
        let value = place.and_then(|place| values.get(place)).ok_or(Error::NoValue(at))?;
        statement.raw_bind_parameter(at, value)?;
    }
    Ok(statement)
}

/// Runs a statement for what it does; gives the number of rows it touched.
///
/// # Errors
/// SQLite's.
pub fn execute(transaction: &mut Transaction, sql: &str, values: &[Value<'_>]) -> Result<u64, Error> {
    Ok(prepared(transaction, sql, values)?.raw_execute()? as u64)
}

/// Hands over row after row of a statement's answer for as long as `each` says true.
///
/// # Errors
/// SQLite's, and what `each` says.
pub fn rows<T: FromRow, E: From<Error>>(
    transaction: &mut Transaction,
    sql: &str,
    values: &[Value<'_>],
    mut each: impl FnMut(T) -> Result<bool, E>,
) -> Result<(), E> {
    let mut statement = prepared(transaction, sql, values)?;
    let plan = plan::<T>(&statement.column_names())?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(Error::from)? {
        if !each(T::from_row(&mut Columns::of_sqlite(row, &plan))?)? {
            break;
        }
    }
    Ok(())
}

/// How SQLite goes about a text, a line for each step.
#[cfg(test)]
pub fn plan_of(transaction: &mut Transaction, sql: &str) -> Result<Vec<String>, Error> {
    let connection = transaction.connection()?;
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        steps.push(row.get(3)?);
    }
    Ok(steps)
}

/// Has SQLite look at a text without running it.
#[cfg(test)]
pub fn prepare(transaction: &mut Transaction, sql: &str) -> Result<(), Error> {
    Ok(transaction.connection()?.prepare(sql).map(drop)?)
}
