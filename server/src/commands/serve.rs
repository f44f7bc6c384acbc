//! `holdfastd serve`: listen, say so, serve, drain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, print};
use crate::app::{App, OverTls};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::listen::{self, Door};
use crate::http::router::router;
use crate::service::setup::{self, FirstAccount};

/// Where a running server writes its real addresses, one a line, that of https with `https://` in front: for
/// `healthcheck` and for whoever asked for port 0.
pub(super) fn listen_file(config: &Config) -> PathBuf {
    config.data_dir.join("listen")
}

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    allow_many_files();
    let app = App::open(config, Clock::system()).await?;
    let served = serve(&app).await;
    // Also when it did not come to serving: nothing may be at work when the runtime ends.
    app.close().await;
    served?;
    tracing::info!("stopped");
    Ok(())
}

async fn serve(app: &App) -> Result<(), Failure> {
    app.start().await?;
    let first = setup::at_start(app).await?;
    let (doors, at) = open_doors(app).await?;
    let told = listen_file(&app.config);
    if let Err(error) = write_whole(&told, &at.lines()) {
        // A full disk is no reason not to serve what is on it.
        tracing::warn!(%error, "the address could not be noted; `holdfastd healthcheck` asks the configured one");
    }
    greet(app, &at, &first)?;
    let keeping = app.over_tls().map(|served| tokio::spawn(Arc::clone(&served.tls).keep_current()));

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
    if !listen::serve(doors, router(app.clone()), stop, app.config.shutdown_grace).await {
        tracing::warn!("requests still under way are cut off");
    }
    if let Some(keeping) = keeping {
        keeping.abort();
    }
    if let Err(error) = std::fs::remove_file(&told)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the note of the address stays behind");
    }
    Ok(())
}

/// Where it really listens.
struct At {
    plain: Option<SocketAddr>,
    secure: Option<SocketAddr>,
}

impl At {
    fn lines(&self) -> String {
        let plain = self.plain.map(|address| format!("{address}\n"));
        let secure = self.secure.map(|address| format!("https://{address}\n"));
        [plain, secure].into_iter().flatten().collect()
    }

    /// Where a browser on this machine finds it.
    fn url(&self) -> String {
        match (self.plain, self.secure) {
            (Some(address), _) => format!("http://{}", reachable(address)),
            (None, Some(address)) => format!("https://{}", reachable(address)),
            (None, None) => String::new(),
        }
    }
}

/// Takes the addresses that the settings name, and what TLS needs before anybody comes.
async fn open_doors(app: &App) -> Result<(Vec<Door>, At), Failure> {
    let mut doors = Vec::new();
    let mut at = At { plain: None, secure: None };
    if let Some(listen) = &app.config.listen {
        let socket = bind(listen).await?;
        at.plain = Some(socket.local_addr()?);
        doors.push(Door { socket, tls: None });
    }
    let tls = app.open_tls().map_err(|fault| Failure(fault.to_string()))?;
    if let (Some(tls), Some(settings)) = (tls, &app.config.tls) {
        let socket = bind(&settings.listen).await?;
        let address = socket.local_addr()?;
        at.secure = Some(address);
        doors.push(Door { socket, tls: Some(tls.config()) });
        app.serves_tls(OverTls { tls, port: address.port() });
    }
    Ok((doors, at))
}

async fn bind(listen: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| Failure(format!("cannot listen on {listen}: {error}")))
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
fn greet(app: &App, at: &At, first: &FirstAccount) -> Result<(), Failure> {
    print(&format!("Holdfast {} serves {}", env!("CARGO_PKG_VERSION"), app.config.data_dir.display()))?;
    let url = at.url();
    print(&format!("  API and documentation: {url}/docs"))?;
    if let (Some(address), Some(served)) = (at.secure, app.over_tls()) {
        print(&format!("  The same over TLS: https://{}/docs", reachable(address)))?;
        if let Some(authority) = served.tls.authority() {
            print(&format!("  Its authority's certificate, for your devices: {url}/ca.crt"))?;
            print(&format!("    SHA-256 {}", authority.fingerprint))?;
        }
    }
    let trust = if at.plain.is_none() { " -k" } else { "" };
    match first {
        FirstAccount::Exists => print("  Log in: POST /api/auth/login with your user name and password"),
        FirstAccount::Made(name) => print(&format!(
            "  Log in: POST /api/auth/login as {name}, the account just made from the settings"
        )),
        FirstAccount::Code(code) => {
            print("  No account yet. Make the first one with this one-time setup code:")?;
            print(&format!("    {code}"))?;
            print(&format!(
                "    curl{trust} {url}/api/setup -H 'Content-Type: application/json' \\\n      \
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
