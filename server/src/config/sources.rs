//! Where values come from, and how they are shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{SETTINGS, Secrecy, Setting};

/// Why the settings cannot be used, in words for whoever started the program.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The named TOML file.
    File(PathBuf),
    /// The named variable.
    Environment(&'static str),
    /// The named flag.
    Flag(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// Settings given on the command line, by key.
#[derive(Debug, Clone, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS.iter().filter(|s| s.flag.is_some()) {
            if let Some(value) = matches.get_one::<String>(setting.key) {
                self.0.insert(setting.key, value.clone());
            }
        }
        Ok(())
    }
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| match setting.flag {
            Some(flag) => command.arg(
                Arg::new(setting.key)
                    .long(flag)
                    .value_name("VALUE")
                    .help(setting.help)
                    .help_heading("Settings")
                    .hide_short_help(!matches!(
                        setting.key,
                        "config" | "listen" | "tls_listen" | "data_dir" | "database_url"
                    ))
                    .global(true),
            ),
            None => command,
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Every setting that has a value, with where it came from.
#[derive(Debug, Clone)]
pub struct Resolved(BTreeMap<&'static str, (String, Source)>);

/// A setting as `holdfastd config` shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Its key.
    pub key: &'static str,
    /// Its environment variable.
    pub environment: &'static str,
    /// Its value, masked where it is secret; `None`: not set.
    pub value: Option<String>,
    /// Where the value came from.
    pub source: String,
}

impl Resolved {
    /// Gathers values from all sources.
    ///
    /// # Errors
    /// A file that cannot be read, is not TOML, or has a key that is no setting.
    pub fn gather(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut found = BTreeMap::new();
        let environment = |setting: &Setting| env(setting.env).filter(|value| !value.is_empty());
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                found.insert(setting.key, (default.to_owned(), Source::Default));
            }
        }
        let file = flags
            .0
            .get("config")
            .cloned()
            .or_else(|| SETTINGS.iter().find(|setting| setting.key == "config").and_then(environment));
        if let Some(path) = file {
            read_file(Path::new(&path), &mut found)?;
        }
        for setting in SETTINGS {
            if let Some(value) = environment(setting) {
                found.insert(setting.key, (value, Source::Environment(setting.env)));
            }
            if let (Some(flag), Some(value)) = (setting.flag, flags.0.get(setting.key)) {
                found.insert(setting.key, (value.clone(), Source::Flag(flag)));
            }
        }
        if !found.contains_key("data_dir") {
            found.insert("data_dir", (default_data_dir(&env), Source::Default));
        }
        if !found.contains_key("database_url") {
            let url = found.get("data_dir").map(|(dir, _)| default_database_url(dir)).unwrap_or_default();
            found.insert("database_url", (url, Source::Default));
        }
        Ok(Self(found))
    }

    /// The text of a setting, if it has one.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|(value, _)| value.as_str())
    }

    /// Where a setting's value came from.
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.0.get(key).map(|(_, source)| source)
    }

    /// Every setting of the table, secrets masked.
    pub fn shown(&self) -> Vec<Shown> {
        SETTINGS
            .iter()
            .map(|setting| match self.0.get(setting.key) {
                Some((value, source)) => Shown {
                    key: setting.key,
                    environment: setting.env,
                    value: Some(mask(setting.secrecy, value)),
                    source: source.to_string(),
                },
                None => Shown {
                    key: setting.key,
                    environment: setting.env,
                    value: None,
                    source: "not set".to_owned(),
                },
            })
            .collect()
    }
}

/// What may be shown of a value.
fn mask(secrecy: Secrecy, value: &str) -> String {
    const HIDDEN: &str = "(hidden)";
    match secrecy {
        Secrecy::Open => value.to_owned(),
        Secrecy::Hidden => HIDDEN.to_owned(),
        Secrecy::Url if value.starts_with("sqlite:") => value.to_owned(),
        Secrecy::Url => match url::Url::parse(value) {
            Ok(mut url) if !url.cannot_be_a_base() => {
                if url.password().is_some() && url.set_password(Some("hidden")).is_err() {
                    return HIDDEN.to_owned();
                }
                let query: Vec<(String, String)> = url
                    .query_pairs()
                    .map(|(key, value)| {
                        let shown = if key.to_lowercase().contains("pass") { "hidden" } else { &*value };
                        (key.to_string(), shown.to_owned())
                    })
                    .collect();
                if !query.is_empty() {
                    url.query_pairs_mut().clear().extend_pairs(query);
                }
                url.to_string()
            }
            _ => HIDDEN.to_owned(),
        },
    }
}

fn read_file(path: &Path, found: &mut BTreeMap<&'static str, (String, Source)>) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError(format!("the configuration {} cannot be read: {error}", path.display()))
    })?;
    let table: toml::Table = text
        .parse()
        .map_err(|error| ConfigError(format!("the configuration {} is not TOML: {error}", path.display())))?;
    let mut flat = Vec::new();
    flatten("", &table, &mut flat);
    for (key, value) in flat {
        let setting = SETTINGS.iter().find(|s| s.key == key && s.key != "config").ok_or_else(|| {
            ConfigError(format!("the configuration {} has an unknown key: {key}", path.display()))
        })?;
        let value = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => {
                return Err(ConfigError(format!(
                    "{key} in {} must be text, a whole number or true/false",
                    path.display()
                )));
            }
        };
        found.insert(setting.key, (value, Source::File(path.to_owned())));
    }
    Ok(())
}

/// `[limits] json_body = 1` becomes `limits.json_body`.
fn flatten<'a>(prefix: &str, table: &'a toml::Table, into: &mut Vec<(String, &'a toml::Value)>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, into),
            other => into.push((key, other)),
        }
    }
}

/// `holdfast` in the user's data directory (XDG Base Directory), so that the same data are found from anywhere;
/// without a home directory, a folder where the program was started.
fn default_data_dir(env: &impl Fn(&str) -> Option<String>) -> String {
    let set = |name| env(name).filter(|value| Path::new(value).is_absolute());
    if let Some(data) = set("XDG_DATA_HOME") {
        format!("{data}/holdfast")
    } else if let Some(home) = set("HOME") {
        format!("{home}/.local/share/holdfast")
    } else {
        "holdfast-data".to_owned()
    }
}

/// A URL decodes `%` and ends a path at `?` or `#`; everything unusual is therefore encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

fn default_database_url(data_dir: &str) -> String {
    format!("sqlite:{}/catalog.db", utf8_percent_encode(data_dir, PATH))
}
