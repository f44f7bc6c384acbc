//! What the black-box tests share: a real `holdfastd` per test, on any engine, and a client that talks to it.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a test that has lost its server or its data can only fail"
)]

mod client;
mod cutting;
mod drive;
mod image;
mod postgres;
mod server;

pub use client::{Answer, Client};
pub use cutting::Cutting;
pub use drive::{home_of, only_slots, plain, send_raw, slots, status_of_raw};
pub use image::{Disk, Over, tool};
pub use server::{Builder, Server, binary};

/// Which engine keeps a server's catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite in the data directory.
    Sqlite,
    /// A database of its own on the Postgres that `HOLDFAST_TEST_POSTGRES` names.
    Postgres,
}

/// What a test may begin with.
pub trait Given: Sized {
    /// A fresh one.
    fn given(engine: Engine) -> impl Future<Output = Self>;
}

impl Given for Server {
    async fn given(engine: Engine) -> Self {
        Self::start(engine).await
    }
}

impl Given for Builder {
    async fn given(engine: Engine) -> Self {
        Server::builder(engine)
    }
}

/// Runs one test; [`both_engines!`] calls it.
pub fn run<G: Given, F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(G) -> F) {
    block_on(async move { test(G::given(engine).await).await });
}

/// Runs a future to its end on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// Makes two tests of each function, `<name>::sqlite` and `<name>::postgres`. Each gets a `Server` of its own, or a
/// `Builder` to start one with choices. Without `HOLDFAST_TEST_POSTGRES` the latter fail; `tests/run` sets it.
#[macro_export]
macro_rules! both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($given:ident: $type:ident) $body:block)+) => {$(
        async fn $name($given: $crate::$type) $body

        mod $name {
            $(#[$attribute])*
            #[test]
            fn sqlite() {
                $crate::run($crate::Engine::Sqlite, super::$name);
            }

            $(#[$attribute])*
            #[test]
            fn postgres() {
                $crate::run($crate::Engine::Postgres, super::$name);
            }
        }
    )+};
}

/// Hex of so many random bytes: names and passwords of tests.
pub fn random_hex(bytes: usize) -> String {
    use rand::RngCore as _;
    let mut buffer = vec![0; bytes];
    rand::rng().fill_bytes(&mut buffer);
    hex::encode(buffer)
}

/// Notes that a test cannot do its work on this machine, and why; the test then returns. `tests/run` counts and names it.
pub fn skip(test: &str, why: &str) {
    use std::io::Write as _;
    eprintln!("skipped: {test}: {why}");
    if let Some(list) = std::env::var_os("HOLDFAST_TEST_SKIPS") {
        let mut list =
            std::fs::File::options().create(true).append(true).open(list).expect("the list of skips");
        writeln!(list, "{test}: {why}").expect("a line in the list of skips");
    }
}

/// Asks again and again until there is an answer, for at most half a minute.
///
/// # Panics
/// When the time is over; `what` says what was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
