//! `holdfastd serve`: listen, say so, serve, drain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, print};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::listen;
use crate::http::router::router;
use crate::service::setup::{self, FirstAccount};

/// Where a running server writes its real address, for `healthcheck` and for whoever asked for port 0.
pub(super) fn listen_file(config: &Config) -> PathBuf {
    config.data_dir.join("listen")
}

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    allow_many_files();
    let app = App::open(config, Clock::system()).await?;
    app.start().await?;
    let first = setup::at_start(&app).await?;
    let listener = TcpListener::bind(&app.config.listen)
        .await
        .map_err(|error| Failure(format!("cannot listen on {}: {error}", app.config.listen)))?;
    let address = listener.local_addr()?;
    let told = listen_file(&app.config);
    if let Err(error) = write_whole(&told, &format!("{address}\n")) {
        // A full disk is no reason not to serve what is on it.
        tracing::warn!(%error, "the address could not be noted; `holdfastd healthcheck` asks the configured one");
    }
    greet(&app, address, &first)?;

    let stopping = app.clone();
    let mut asked = Asked::new()?;
    let stop = async move {
        asked.wait().await;
        tracing::info!("stopping: requests under way are finished");
        stopping.drain();
        tokio::spawn(async move {
            asked.wait().await;
            tracing::warn!("stopping at once: asked a second time");
            std::process::exit(1);
        });
    };
    if !listen::serve(listener, router(app.clone()), stop, app.config.shutdown_grace).await {
        tracing::warn!("requests still under way are cut off");
    }
    app.close().await;
    if let Err(error) = std::fs::remove_file(&told)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the note of the address stays behind");
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM or SIGINT.
struct Asked {
    terminate: Signal,
    interrupt: Signal,
}

impl Asked {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
    }
}

/// A household's programs open many files at once; the usual soft limit of 1,024 is for programs that use `select`.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Under another name first: whoever reads it sees nothing or all.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, path)
}

/// What it is, where to go, how to log in.
fn greet(app: &App, address: SocketAddr, first: &FirstAccount) -> Result<(), Failure> {
    print(&format!("Holdfast {} serves {}", env!("CARGO_PKG_VERSION"), app.config.data_dir.display()))?;
    let address = reachable(address);
    print(&format!("  API and documentation: http://{address}/docs"))?;
    match first {
        FirstAccount::Exists => print("  Log in: POST /api/auth/login with your user name and password"),
        FirstAccount::Made(name) => print(&format!(
            "  Log in: POST /api/auth/login as {name}, the account just made from the settings"
        )),
        FirstAccount::Code(code) => {
            print("  No account yet. Make the first one with this one-time setup code:")?;
            print(&format!("    {code}"))?;
            print(&format!(
                "    curl http://{address}/api/setup -H 'Content-Type: application/json' \\\n      \
                 -d '{{\"code\": \"{code}\", \"username\": \"NAME\", \"password\": \"PASSWORD\"}}'"
            ))
        }
    }
}

/// Where a browser on this machine finds the server; `0.0.0.0` is no place to go to.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
