//! TLS: which certificate is served, where it comes from, and how it stays current without a restart
//! (docs/design/003-tls.md).

pub mod authority;
mod keep;
pub mod pair;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use self::authority::{Authority, Public};
use self::pair::Pair;
use crate::clock::Clock;
use crate::config::TlsSettings;
use crate::domain::hosts::{self, Host};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often (in looks) the names of this machine are.
const LOOKS_PER_NAMES: u32 = 15;
/// What is left of a certificate when a warning is due, in seconds.
const SOON: i64 = 14 * 86_400;

/// Why there is no TLS, in words for whoever runs the server.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What is served over TLS, now and later.
#[derive(Debug)]
pub struct Tls {
    current: Arc<Current>,
    config: Arc<ServerConfig>,
    provider: Arc<CryptoProvider>,
    source: Source,
    clock: Clock,
}

/// Where certificates come from.
#[derive(Debug)]
enum Source {
    Files { cert: PathBuf, key: PathBuf, seen: Mutex<Seen> },
    Own { authority: Authority, added: Vec<Host> },
}

/// What tells a file's change: size, inode, and modification in nanoseconds, of both files.
type Seen = [Option<(u64, u64, i64, i64)>; 2];

/// The certificate that is served to whoever comes next.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the certificate that the settings name, or that of the server's own authority in `<data_dir>/tls`, which is
    /// made when there is none.
    ///
    /// # Errors
    /// A sentence that names the setting or the file.
    pub fn open(settings: &TlsSettings, data_dir: &Path, clock: &Clock) -> Result<Self, Fault> {
        let provider = Arc::new(ring::default_provider());
        let now = seconds(clock);
        let (source, pair) = match &settings.files {
            Some((cert, key)) => {
                let seen = Mutex::new(look_at(cert, key));
                let pair = Pair::read(cert, key, &provider)?;
                (Source::Files { cert: cert.clone(), key: key.clone(), seen }, pair)
            }
            None => {
                let authority = Authority::open(&data_dir.join("tls"), &hostname(), now)?;
                let pair = authority.server(&this_machine(&settings.names), now, &provider)?;
                (Source::Own { authority, added: settings.names.clone() }, pair)
            }
        };
        tell(&pair, now, "the certificate");
        let current = Arc::new(Current(RwLock::new(pair.key)));
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Current>::clone(&current);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Fault(format!("no version of TLS can be spoken: {error}")))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { current, config: Arc::new(config), provider, source, clock: clock.clone() })
    }

    /// What a listener needs.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The server's own authority, if it has one.
    pub fn authority(&self) -> Option<&Public> {
        match &self.source {
            Source::Own { authority, .. } => Some(&authority.public),
            Source::Files { .. } => None,
        }
    }

    /// Looks again and again whether another certificate is to be served. Never ends by itself.
    pub async fn keep_current(self: Arc<Self>) {
        for round in 1_u32.. {
            tokio::time::sleep(LOOK).await;
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || tls.look(round % LOOKS_PER_NAMES == 0)).await;
            if let Err(error) = looked {
                tracing::warn!(%error, "the certificate could not be looked at");
            }
        }
    }

    /// What is broken is told once and changes nothing.
    fn look(&self, names_too: bool) {
        let found = match &self.source {
            Source::Files { cert, key, seen } => {
                let now = look_at(cert, key);
                let before =
                    std::mem::replace(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner), now);
                if now == before {
                    return;
                }
                Pair::read(cert, key, &self.provider)
            }
            Source::Own { .. } if !names_too => return,
            Source::Own { authority, added } => {
                authority.server(&this_machine(added), seconds(&self.clock), &self.provider)
            }
        };
        match found {
            Ok(pair) => self.serve(pair),
            Err(fault) => tracing::warn!(%fault, "the certificate stays as it was"),
        }
    }

    fn serve(&self, pair: Pair) {
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.cert != pair.key.cert {
            tell(&pair, seconds(&self.clock), "another certificate");
            *current = pair.key;
        }
    }
}

fn tell(pair: &Pair, now: i64, what: &str) {
    let about = &pair.about;
    let until = time::OffsetDateTime::from_unix_timestamp(about.until)
        .map_or_else(|_| about.until.to_string(), |at| at.date().to_string());
    if about.until - now < SOON {
        tracing::warn!(serial = about.serial, until, "{what} is served over TLS and ends soon or has ended");
    } else {
        tracing::info!(serial = about.serial, until, "{what} is served over TLS");
    }
}

fn look_at(cert: &Path, key: &Path) -> Seen {
    [cert, key].map(|path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.len(), found.ino(), found.mtime(), found.mtime_nsec()))
    })
}

fn seconds(clock: &Clock) -> i64 {
    clock.now().div_euclid(1_000_000)
}

/// What this machine calls itself.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn this_machine(added: &[Host]) -> BTreeSet<Host> {
    let addresses: Vec<IpAddr> = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(error) => {
            tracing::warn!(%error, "the addresses of this machine are not known");
            Vec::new()
        }
    };
    hosts::of_machine(&hostname(), &addresses, added)
}
