//! A fresh catalogue on either engine, for tests of the catalogue itself.
#![expect(clippy::expect_used, clippy::panic, reason = "a test without its catalogue can only fail")]

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::db::{Db, Engine, EngineName, Tx};
use super::{migrate, sql};

/// Makes two tests of each function, `<name>::sqlite` and `<name>::postgres`, each over a catalogue of its own that
/// has every migration. Without `HOLDFAST_TEST_POSTGRES` the latter fail; `tests/run` sets it, or skips and counts them.
macro_rules! both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($db:ident: Db) $body:block)+) => {$(
        async fn $name($db: $crate::catalog::db::Db) $body

        mod $name {
            $(#[$attribute])*
            #[test]
            fn sqlite() {
                $crate::catalog::testing::run($crate::catalog::db::EngineName::Sqlite, super::$name);
            }

            $(#[$attribute])*
            #[test]
            fn postgres() {
                $crate::catalog::testing::run($crate::catalog::db::EngineName::Postgres, super::$name);
            }
        }
    )+};
}
pub(crate) use both_engines;

/// Runs one test over a catalogue that has every migration.
pub(crate) fn run<F: Future<Output = ()>>(engine: EngineName, test: impl FnOnce(Db) -> F) {
    run_empty(engine, |db| async move {
        migrate::up(&db, None).await.expect("every migration");
        test(db).await;
    });
}

/// Runs one test over a catalogue that has nothing yet.
pub(crate) fn run_empty<F: Future<Output = ()>>(engine: EngineName, test: impl FnOnce(Db) -> F) {
    match engine {
        EngineName::Sqlite => {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = format!("sqlite:{}/catalog.db", folder.path().display());
            block_on(async { test(Db::connect(&url).await.expect("a catalogue")).await });
        }
        EngineName::Postgres => {
            let database = Database::create();
            block_on(async { test(Db::connect(&database.url).await.expect("a catalogue")).await });
        }
    }
}

/// Runs one test over two such catalogues on one engine.
pub(crate) fn run_on_two<F: Future<Output = ()>>(engine: EngineName, test: impl FnOnce(Db, Db) -> F) {
    let (folder, databases) = match engine {
        EngineName::Sqlite => (Some(tempfile::tempdir().expect("a temporary folder")), Vec::new()),
        EngineName::Postgres => (None, vec![Database::create(), Database::create()]),
    };
    let url = |n: usize| match &folder {
        Some(folder) => format!("sqlite:{}/{n}.db", folder.path().display()),
        None => databases[n].url.clone(),
    };
    block_on(async {
        let (one, other) = (Db::connect(&url(0)).await, Db::connect(&url(1)).await);
        let (one, other) = (one.expect("a catalogue"), other.expect("a catalogue"));
        for db in [&one, &other] {
            migrate::up(db, None).await.expect("every migration");
        }
        test(one, other).await;
    });
}

/// Every row of every table that a drive's acts write to, in the order of their keys, as text.
pub(crate) async fn everything(tx: &mut Tx) -> Result<String, sql::Error> {
    let mut all = String::new();
    for table in TABLES {
        let query = match tx.engine_name() {
            EngineName::Postgres => format!("SELECT t::text FROM {table} t ORDER BY 1"),
            EngineName::Sqlite => {
                let columns: Vec<String> =
                    rows(tx, &format!("SELECT name FROM pragma_table_info('{table}')")).await?;
                let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
                format!("SELECT {} FROM {table}", quoted.join(" || ',' || "))
            }
        };
        let mut found = rows(tx, &query).await?;
        // By their first number, which is the key.
        found.sort_by_key(|row| {
            let digits = row.trim_start_matches('(').split(',').next().unwrap_or_default();
            (digits.parse::<i64>().unwrap_or_default(), row.clone())
        });
        for row in found {
            all.push_str(&format!("{table}: {row}\n"));
        }
    }
    Ok(all)
}

/// Tables that acts on a drive write to.
const TABLES: [&str; 12] = [
    "drives",
    "drive_reports",
    "nodes",
    "node_names",
    "file_versions",
    "changes",
    "ops",
    "sync_states",
    "sync_metadata",
    "conflicts",
    "events",
    "dav_locks",
];

async fn rows(tx: &mut Tx, text: &str) -> Result<Vec<String>, sql::Error> {
    match &mut tx.engine {
        Engine::Sqlite(transaction) => {
            let mut all = Vec::new();
            sql::sqlite::rows(transaction, text, &[], |row: String| {
                all.push(row);
                Ok::<_, sql::Error>(true)
            })?;
            Ok(all)
        }
        Engine::Postgres(transaction) => {
            Ok(sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_all(&mut **transaction).await?)
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A Postgres database that goes away with this value, also when the test fails.
struct Database {
    maintenance: PgConnectOptions,
    name: String,
    url: String,
}

impl Database {
    fn create() -> Self {
        let Ok(base) = std::env::var("HOLDFAST_TEST_POSTGRES") else {
            panic!(
                "HOLDFAST_TEST_POSTGRES must be the URL of a throwaway Postgres; `tests/run` starts one and sets it"
            )
        };
        let name = format!("holdfast_test_{}", uuid::Uuid::new_v4().simple());
        let mut url = url::Url::parse(&base).expect("HOLDFAST_TEST_POSTGRES is a URL");
        url.set_path(&name);
        let maintenance =
            PgConnectOptions::from_str(&base).expect("HOLDFAST_TEST_POSTGRES is a Postgres URL");
        let database = Self { maintenance, name, url: url.into() };
        database.maintain("CREATE DATABASE").expect("a database");
        database
    }

    fn maintain(&self, what: &str) -> Result<(), sqlx::Error> {
        let end = if what.starts_with("DROP") { " WITH (FORCE)" } else { "" };
        let sql = format!("{what} {}{end}", self.name);
        block_on(async {
            let mut connection = PgConnection::connect_with(&self.maintenance).await?;
            connection.execute(AssertSqlSafe(sql)).await.map(drop)
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.maintain("DROP DATABASE").is_err() {
            eprintln!("the test database {} could not be dropped", self.name);
        }
    }
}

/// SQL texts with their names.
pub(super) type Statements = &'static [(&'static str, &'static str)];

/// Names constants for [`FILES`].
macro_rules! statements {
    ($($name:ident),+ $(,)?) => { &[$((stringify!($name), $name)),+] };
}
pub(super) use statements;

/// Every SQL text of the catalogue, by file. What is missing here fails a test below.
pub(super) const FILES: &[(&str, Statements)] = &[
    ("agreements", super::agreements::STATEMENTS),
    ("app_passwords", super::app_passwords::STATEMENTS),
    ("changes", super::changes::STATEMENTS),
    ("conflicts", super::conflicts::STATEMENTS),
    ("devices", super::devices::STATEMENTS),
    ("drive_writes", super::drive_writes::STATEMENTS),
    ("drives", super::drives::STATEMENTS),
    ("events", super::events::STATEMENTS),
    ("feed", super::feed::STATEMENTS),
    ("findings", super::findings::STATEMENTS),
    ("forgetting", super::forgetting::STATEMENTS),
    ("idempotency", super::idempotency::STATEMENTS),
    ("jobs", super::jobs::STATEMENTS),
    ("lived", super::lived::STATEMENTS),
    ("locks", super::locks::STATEMENTS),
    ("members", super::members::STATEMENTS),
    ("migrate", migrate::STATEMENTS),
    ("mounts", super::mounts::STATEMENTS),
    ("node_writes", super::node_writes::STATEMENTS),
    ("nodes", super::nodes::STATEMENTS),
    ("ops", super::ops::STATEMENTS),
    ("properties", super::properties::STATEMENTS),
    ("reports", super::reports::STATEMENTS),
    ("sessions", super::sessions::STATEMENTS),
    ("settings", super::settings::STATEMENTS),
    ("since", super::since::STATEMENTS),
    ("slots", super::slots::STATEMENTS),
    ("sums", super::sums::STATEMENTS),
    ("sync", super::sync::STATEMENTS),
    ("tree", super::tree::STATEMENTS),
    ("uploads", super::uploads::STATEMENTS),
    ("users", super::users::STATEMENTS),
    ("versions", super::versions::STATEMENTS),
    ("volumes", super::volumes::STATEMENTS),
];
