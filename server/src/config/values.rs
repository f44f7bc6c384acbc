//! From the text of a setting to its type.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::{
    Admin, Config, ConfigError, Limits, LogFormat, Resolved, Secret, TlsSettings, VolumeSettings,
    VolumeSource,
};
use crate::domain::hosts::Host;

impl Config {
    /// The effective settings.
    ///
    /// # Errors
    /// The first value that is none of its kind, with its key and source.
    pub fn from_resolved(resolved: &Resolved) -> Result<Self, ConfigError> {
        let admin = match (resolved.text("admin_username"), resolved.text("admin_password")) {
            (Some(username), Some(password)) => {
                Some(Admin { username: username.to_owned(), password: Secret::new(password) })
            }
            (None, None) => None,
            (Some(_), None) => {
                return Err(ConfigError("admin_username is set, admin_password is not".into()));
            }
            (None, Some(_)) => {
                return Err(ConfigError("admin_password is set, admin_username is not".into()));
            }
        };
        let seconds =
            |key| value(resolved, key, "a number of seconds", |t| t.parse().ok()).map(Duration::from_secs);
        let positive = |key| {
            value(resolved, key, "a whole number above 0", |t| {
                t.parse::<u32>().ok().filter(|number| *number > 0)
            })
        };
        Ok(Self {
            listen: address_or_none(resolved, "listen")?,
            tls: tls(resolved)?,
            data_dir: PathBuf::from(text(resolved, "data_dir")?),
            database_url: Secret::new(value(
                resolved,
                "database_url",
                "a sqlite: or postgres: URL",
                database_url,
            )?),
            trusted_proxies: match resolved.text("trusted_proxies") {
                Some(_) => {
                    value(resolved, "trusted_proxies", "addresses or networks, comma-separated", networks)?
                }
                None => Vec::new(),
            },
            admin,
            log: text(resolved, "log")?,
            log_format: value(resolved, "log_format", "text or json", |t| match t {
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            })?,
            migrate: value(resolved, "migrate", "true or false", |t| match t {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            })?,
            shutdown_grace: seconds("shutdown_grace")?,
            access_lifetime: seconds("tokens.access_lifetime")?,
            refresh_lifetime: seconds("tokens.refresh_lifetime")?,
            volumes: VolumeSettings {
                refresh_interval: positive("volumes.refresh_interval")
                    .map(|seconds| Duration::from_secs(seconds.into()))?,
                source: match text(resolved, "volumes.source")?.as_str() {
                    "system" => VolumeSource::System,
                    "none" => VolumeSource::Nobody,
                    file => VolumeSource::File(PathBuf::from(file)),
                },
            },
            limits: Limits {
                json_body: value(resolved, "limits.json_body", SIZE, size)?,
                manifest_body: value(resolved, "limits.manifest_body", SIZE, size)?,
                manifest_entries: value(resolved, "limits.manifest_entries", "a whole number", |t| {
                    t.parse().ok()
                })?,
                upload_size: value(resolved, "limits.upload_size", "a size or none", |t| match t {
                    "none" => Some(None),
                    other => size(other).map(Some),
                })?,
                uploads: positive("limits.uploads")?,
                upload_lifetime: positive("limits.upload_lifetime").map(|s| Duration::from_secs(s.into()))?,
                login_attempts: positive("limits.login_attempts")?,
                login_attempts_per_address: positive("limits.login_attempts_per_address")?,
                login_window: positive("limits.login_window").map(|s| Duration::from_secs(s.into()))?,
            },
        })
    }
}

/// TLS, and that something is served at all.
fn tls(resolved: &Resolved) -> Result<Option<TlsSettings>, ConfigError> {
    let path = |key| resolved.text(key).map(PathBuf::from);
    let files = match (path("tls_cert"), path("tls_key")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(ConfigError("tls_cert is set, tls_key is not".into())),
        (None, Some(_)) => return Err(ConfigError("tls_key is set, tls_cert is not".into())),
    };
    let names = match resolved.text("tls_names") {
        Some(_) => value(resolved, "tls_names", "names or addresses without port, comma-separated", hosts)?,
        None => Vec::new(),
    };
    match address_or_none(resolved, "tls_listen")? {
        Some(listen) => Ok(Some(TlsSettings { listen, files, names })),
        None if files.is_some() => Err(ConfigError(
            "tls_cert is set, but tls_listen is none: say where https is to be served".into(),
        )),
        None if address_or_none(resolved, "listen")?.is_none() => {
            Err(ConfigError("listen and tls_listen are both none: nothing would be served".into()))
        }
        None => Ok(None),
    }
}

const SIZE: &str = "a number of bytes, or one with KiB, MiB, GiB or TiB";

fn value<T>(
    resolved: &Resolved,
    key: &str,
    wanted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, ConfigError> {
    let text = resolved.text(key).ok_or_else(|| ConfigError(format!("{key} is not set")))?;
    parse(text).ok_or_else(|| {
        // The value itself stays out of the message: it may be a secret.
        let source = resolved.source(key).map(ToString::to_string).unwrap_or_default();
        ConfigError(format!("{key} ({source}) must be {wanted}"))
    })
}

fn text(resolved: &Resolved, key: &str) -> Result<String, ConfigError> {
    value(resolved, key, "some text", |text| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn address_or_none(resolved: &Resolved, key: &str) -> Result<Option<String>, ConfigError> {
    text(resolved, key).map(|text| Some(text).filter(|text| text != "none"))
}

fn hosts(text: &str) -> Option<Vec<Host>> {
    text.split(',').map(|name| Host::parse(name.trim())).collect()
}

fn database_url(text: &str) -> Option<String> {
    ["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
        .then(|| text.to_owned())
}

/// `127.0.0.1, 172.16.0.0/12`: an address alone is a network of one.
fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| -> Option<IpNet> {
        text.parse()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical())))
    };
    text.split(',').map(|text| network(text.trim())).collect()
}

/// `1048576`, `1024KiB`, `1 MiB`, ...
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let factor = match text.get(digits.len()..)?.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1_u64 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
