//! A Postgres database per server.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// A database that goes away with this value.
#[derive(Debug)]
pub(crate) struct Database {
    maintenance: PgConnectOptions,
    name: String,
    /// For `HOLDFAST_DATABASE_URL`.
    pub(crate) url: String,
}

impl Database {
    /// Makes an empty one.
    pub(crate) async fn create() -> Self {
        let base = std::env::var("HOLDFAST_TEST_POSTGRES").expect(
            "HOLDFAST_TEST_POSTGRES must be the URL of a throwaway Postgres; `tests/run` starts one and sets it",
        );
        let maintenance =
            PgConnectOptions::from_str(&base).expect("HOLDFAST_TEST_POSTGRES is a Postgres URL");
        let name = format!("holdfast_test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect_with(&maintenance).await.expect("Postgres answers");
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a database");
        let url = with_database(&base, &name);
        Self { maintenance, name, url }
    }

    /// Ends every connection to it.
    pub(crate) async fn cut_connections(&self) {
        let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        let mut connection = PgConnection::connect_with(&self.maintenance).await.expect("Postgres answers");
        let cut: i64 =
            sqlx::query_scalar(sql).bind(&self.name).fetch_one(&mut connection).await.expect("an answer");
        assert!(cut > 0, "the server had connections");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (maintenance, sql) =
            (self.maintenance.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        // A runtime of its own: this may run while the test's is busy unwinding.
        let dropped = std::thread::spawn(move || {
            crate::block_on(async move {
                let mut connection = PgConnection::connect_with(&maintenance).await?;
                connection.execute(AssertSqlSafe(sql)).await.map(drop)
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("the test database {} could not be dropped", self.name);
        }
    }
}

/// The same server, another database: `postgres://user@host:port/NAME?options`.
fn with_database(base: &str, name: &str) -> String {
    let (before, options) =
        base.split_once('?').map_or((base, None), |(before, options)| (before, Some(options)));
    let host_ends = before.find("://").map_or(0, |at| at + 3);
    let server = before[host_ends..].find('/').map_or(before, |at| &before[..host_ends + at]);
    match options {
        Some(options) => format!("{server}/{name}?{options}"),
        None => format!("{server}/{name}"),
    }
}
