//! Every setting of `holdfastd`: its file key, environment name, flag and default, in one table.
//!
//! A value comes from, weakest first: the default, the TOML file, the environment, the command line. An empty
//! environment variable counts as absent.

mod sources;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
pub use sources::{ConfigError, Flags, Resolved, Source};

use crate::domain::hosts::Host;

/// One row of the table of settings.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in the file; a dot is a table.
    pub key: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Its flag without the dashes; `None` where a value must not appear in a list of processes.
    pub flag: Option<&'static str>,
    /// What holds when nobody says otherwise; `None`: absent, or worked out (`data_dir`, `database_url`).
    pub default: Option<&'static str>,
    /// How much of the value `holdfastd config` may show.
    pub secrecy: Secrecy,
    /// One sentence about it.
    pub help: &'static str,
}

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it.
    Open,
    /// A URL that may carry a password.
    Url,
    /// Nothing.
    Hidden,
}

const fn open(
    key: &'static str,
    env: &'static str,
    flag: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { key, env, flag: Some(flag), default, secrecy: Secrecy::Open, help }
}

/// The table.
pub const SETTINGS: &[Setting] = &[
    open("config", "HOLDFAST_CONFIG", "config", None, "TOML file with any of these settings"),
    open(
        "listen",
        "HOLDFAST_LISTEN",
        "listen",
        Some("127.0.0.1:8000"),
        "address and port to serve on; port 0 takes a free one; none: only https is served",
    ),
    open(
        "tls_listen",
        "HOLDFAST_TLS_LISTEN",
        "tls-listen",
        Some("none"),
        "address and port to serve https on, for example 0.0.0.0:8443; none: no https",
    ),
    open(
        "tls_cert",
        "HOLDFAST_TLS_CERT",
        "tls-cert",
        None,
        "PEM file with the certificate and its chain for https (default: one by the server's own authority)",
    ),
    open("tls_key", "HOLDFAST_TLS_KEY", "tls-key", None, "PEM file with the private key of tls_cert"),
    open(
        "tls_names",
        "HOLDFAST_TLS_NAMES",
        "tls-names",
        None,
        "names and addresses, comma-separated, that the own authority's certificate bears beside this machine's own",
    ),
    open(
        "data_dir",
        "HOLDFAST_DATA_DIR",
        "data-dir",
        None,
        "where the catalogue, the key and the home drives live (default: holdfast in the user's data directory)",
    ),
    Setting {
        key: "database_url",
        env: "HOLDFAST_DATABASE_URL",
        flag: Some("database-url"),
        default: None,
        secrecy: Secrecy::Url,
        help: "postgres://.. or sqlite:PATH (default: SQLite in the data directory)",
    },
    open(
        "trusted_proxies",
        "HOLDFAST_TRUSTED_PROXIES",
        "trusted-proxies",
        None,
        "addresses or networks of reverse proxies, comma-separated, whose X-Forwarded-For, -Proto and -Host are believed",
    ),
    Setting {
        key: "admin_username",
        env: "HOLDFAST_ADMIN_USERNAME",
        flag: None,
        default: None,
        secrecy: Secrecy::Open,
        help: "the first account, made when there is none",
    },
    Setting {
        key: "admin_password",
        env: "HOLDFAST_ADMIN_PASSWORD",
        flag: None,
        default: None,
        secrecy: Secrecy::Hidden,
        help: "the first account's password",
    },
    open(
        "log",
        "HOLDFAST_LOG",
        "log",
        Some("info"),
        "what to log: a level, or target=level, comma-separated",
    ),
    open("log_format", "HOLDFAST_LOG_FORMAT", "log-format", Some("text"), "text or json"),
    open(
        "migrate",
        "HOLDFAST_MIGRATE",
        "migrate",
        Some("true"),
        "whether the catalogue migrates itself at start",
    ),
    open(
        "shutdown_grace",
        "HOLDFAST_SHUTDOWN_GRACE",
        "shutdown-grace",
        Some("30"),
        "seconds that requests under way get to finish after SIGTERM",
    ),
    open(
        "tokens.access_lifetime",
        "HOLDFAST_TOKENS_ACCESS_LIFETIME",
        "tokens-access-lifetime",
        Some("3600"),
        "seconds an access token is good for; its login, account and device are looked at each time all the same",
    ),
    open(
        "tokens.refresh_lifetime",
        "HOLDFAST_TOKENS_REFRESH_LIFETIME",
        "tokens-refresh-lifetime",
        Some("5184000"),
        "seconds after its last use until a login ends (60 days)",
    ),
    open(
        "volumes.refresh_interval",
        "HOLDFAST_VOLUMES_REFRESH_INTERVAL",
        "volumes-refresh-interval",
        Some("30"),
        "seconds after which the machine's disks are looked at again, though nothing was heard of them",
    ),
    open(
        "volumes.source",
        "HOLDFAST_VOLUMES_SOURCE",
        "volumes-source",
        Some("system"),
        "system: this machine's disks; none: no disks; else a JSON file that tells them",
    ),
    open(
        "limits.json_body",
        "HOLDFAST_LIMITS_JSON_BODY",
        "limits-json-body",
        Some("1MiB"),
        "largest JSON body, manifests apart",
    ),
    open(
        "limits.manifest_body",
        "HOLDFAST_LIMITS_MANIFEST_BODY",
        "limits-manifest-body",
        Some("1GiB"),
        "largest manifest body",
    ),
    open(
        "limits.manifest_entries",
        "HOLDFAST_LIMITS_MANIFEST_ENTRIES",
        "limits-manifest-entries",
        Some("2000000"),
        "most entries of one manifest",
    ),
    open(
        "limits.upload_size",
        "HOLDFAST_LIMITS_UPLOAD_SIZE",
        "limits-upload-size",
        Some("none"),
        "largest file that may be uploaded; none: as large as the disk",
    ),
    open(
        "limits.uploads",
        "HOLDFAST_LIMITS_UPLOADS",
        "limits-uploads",
        Some("100"),
        "resumable uploads that one account may have under way",
    ),
    open(
        "limits.upload_lifetime",
        "HOLDFAST_LIMITS_UPLOAD_LIFETIME",
        "limits-upload-lifetime",
        Some("86400"),
        "seconds after its last byte until a resumable upload that was not completed is removed (1 day)",
    ),
    open(
        "limits.login_attempts",
        "HOLDFAST_LIMITS_LOGIN_ATTEMPTS",
        "limits-login-attempts",
        Some("10"),
        "wrong passwords for one account within the window",
    ),
    open(
        "limits.login_attempts_per_address",
        "HOLDFAST_LIMITS_LOGIN_ATTEMPTS_PER_ADDRESS",
        "limits-login-attempts-per-address",
        Some("30"),
        "wrong passwords from one address within the window",
    ),
    open(
        "limits.login_window",
        "HOLDFAST_LIMITS_LOGIN_WINDOW",
        "limits-login-window",
        Some("900"),
        "the window, in seconds",
    ),
];

/// The effective settings, typed.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port` to serve on, if not over TLS alone.
    pub listen: Option<String>,
    /// What is served over TLS, if anything is.
    pub tls: Option<TlsSettings>,
    /// Where everything lives.
    pub data_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://..`; may carry a password.
    pub database_url: Secret,
    /// Reverse proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The first account, if the settings name one.
    pub admin: Option<Admin>,
    /// A filter of `tracing_subscriber`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether the catalogue migrates itself at start.
    pub migrate: bool,
    /// What requests under way get after SIGTERM.
    pub shutdown_grace: Duration,
    /// What an access token is good for.
    pub access_lifetime: Duration,
    /// How long a login lasts after its last use.
    pub refresh_lifetime: Duration,
    /// The machine's disks.
    pub volumes: VolumeSettings,
    /// What is refused beyond.
    pub limits: Limits,
}

/// The machine's disks.
#[derive(Debug, Clone)]
pub struct VolumeSettings {
    /// After this they are looked at again, though nothing was heard of them.
    pub refresh_interval: Duration,
    /// Who tells of them.
    pub source: VolumeSource,
}

/// Who tells of the machine's disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// The system.
    System,
    /// Nobody: there are none.
    Nobody,
    /// A JSON file.
    File(PathBuf),
}

/// TLS.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// `host:port` to serve https on.
    pub listen: String,
    /// PEM files with the certificate and its key; `None`: the server's own authority makes them.
    pub files: Option<(PathBuf, PathBuf)>,
    /// What that authority's certificate bears beside the machine's own names.
    pub names: Vec<Host>,
}

/// What is refused beyond.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest JSON body in bytes, manifests apart.
    pub json_body: u64,
    /// Largest manifest body in bytes.
    pub manifest_body: u64,
    /// Most entries of one manifest.
    pub manifest_entries: u64,
    /// Largest uploaded file in bytes, if there is a limit.
    pub upload_size: Option<u64>,
    /// Resumable uploads that one account may have under way.
    pub uploads: u32,
    /// How long one lasts after its last byte.
    pub upload_lifetime: Duration,
    /// Wrong passwords for one account within the window.
    pub login_attempts: u32,
    /// Wrong passwords from one address within the window.
    pub login_attempts_per_address: u32,
    /// The window.
    pub login_window: Duration,
}

/// The first account.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Its name.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Text that never shows itself in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests;
