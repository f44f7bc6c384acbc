//! What people set, in `config.toml`: flat keys, all of them known by name. An unknown one is refused, since a setting that is
//! spelt wrong and silently does nothing is found out at the worst time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use toml::Value;

use super::State;
use crate::agent::schedule;
use crate::{api, platform};

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is for, for people.
    pub about: &'static str,
    /// What holds without it.
    default: Default,
    /// What it may be.
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Default {
    Text(&'static str),
    Number(i64),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Name,
    OneOf(&'static [&'static str]),
    Number { least: i64, most: i64 },
    Rate,
    Schedule,
}

/// All settings, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    Key {
        name: "drive",
        about: "the drive that is meant where a path names none",
        default: Default::Text("home"),
        kind: Kind::Name,
    },
    Key {
        name: "times",
        about: "how times are shown: local or utc",
        default: Default::Text("local"),
        kind: Kind::OneOf(&["local", "utc"]),
    },
    Key {
        name: "progress",
        about: "whether long transfers show how far they are on a terminal: auto or never",
        default: Default::Text("auto"),
        kind: Kind::OneOf(&["auto", "never"]),
    },
    Key {
        name: "attempts",
        about: "how often a request is made at most before it counts as failed",
        default: Default::Number(4),
        kind: Kind::Number { least: 1, most: 20 },
    },
    Key {
        name: "silence",
        about: "seconds without a byte after which a server counts as gone",
        default: Default::Number(60),
        kind: Kind::Number { least: 1, most: 3600 },
    },
    Key {
        name: "schedule",
        about: "when `sync run` syncs: always, every 15 min, or at 02:00",
        default: Default::Text("always"),
        kind: Kind::Schedule,
    },
    Key {
        name: "upload-limit",
        about: "how fast contents are sent at most: none, or as in 2 MB/s or 16 Mbit/s",
        default: Default::Text("none"),
        kind: Kind::Rate,
    },
    Key {
        name: "download-limit",
        about: "how fast contents are received at most, likewise",
        default: Default::Text("none"),
        kind: Kind::Rate,
    },
    Key {
        name: "guard-files",
        about: "so many files are deleted on the server without asking",
        default: Default::Number(50),
        kind: Kind::Number { least: 0, most: 1_000_000_000 },
    },
    Key {
        name: "guard-percent",
        about: "and so many in a hundred, if that is more",
        default: Default::Number(20),
        kind: Kind::Number { least: 0, most: 100 },
    },
];

/// The settings as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    set: BTreeMap<&'static str, Value>,
}

/// What is wrong with a setting.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such key.
    #[error("there is no setting {name:?}{}", suggestion(.name))]
    Unknown {
        /// As it was written.
        name: String,
    },
    /// A value that the key does not take.
    #[error("{name} has to be {expected}, not {got:?}")]
    Value {
        /// The key.
        name: &'static str,
        /// What it takes.
        expected: String,
        /// What was given.
        got: String,
    },
    /// Not TOML.
    #[error("{} cannot be understood: {detail}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        detail: String,
    },
    /// The file system's.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn suggestion(name: &str) -> String {
    let folded = name.to_lowercase();
    let near = KEYS.iter().map(|key| (strsim::damerau_levenshtein(&folded, key.name), key.name)).min();
    match near {
        Some((distance, near)) if distance <= 3 && distance < near.len() => {
            format!("; did you mean {near:?}?")
        }
        _ => {
            let all: Vec<_> = KEYS.iter().map(|key| key.name).collect();
            format!("; there are {}", all.join(", "))
        }
    }
}

impl Key {
    /// The key of a name.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the name that was probably meant.
    pub fn named(name: &str) -> Result<&'static Self, ConfigError> {
        let found = KEYS.iter().find(|key| key.name == name);
        found.ok_or_else(|| ConfigError::Unknown { name: name.to_owned() })
    }

    fn default_value(&self) -> Value {
        match self.default {
            Default::Text(text) => Value::String(text.to_owned()),
            Default::Number(number) => Value::Integer(number),
        }
    }

    /// The value as people write it on a command line.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    fn read(&self, text: &str) -> Result<Value, ConfigError> {
        let value = match self.kind {
            Kind::Number { .. } => text.trim().parse().ok().map(Value::Integer),
            _ => Some(Value::String(text.to_owned())),
        };
        match value {
            Some(value) => self.check(value),
            None => Err(self.refused(text)),
        }
    }

    fn check(&self, value: Value) -> Result<Value, ConfigError> {
        let fits = match (self.kind, &value) {
            (Kind::Name, Value::String(text)) => holdfast_protocol::check_name(text).is_ok(),
            (Kind::OneOf(words), Value::String(text)) => words.contains(&text.as_str()),
            (Kind::Rate, Value::String(text)) => api::read_rate(text).is_ok(),
            (Kind::Schedule, Value::String(text)) => text.parse::<schedule::Schedule>().is_ok(),
            (Kind::Number { least, most }, Value::Integer(number)) => (least..=most).contains(number),
            _ => false,
        };
        if fits { Ok(value) } else { Err(self.refused(&shown(&value))) }
    }

    fn refused(&self, got: &str) -> ConfigError {
        let expected = match self.kind {
            Kind::Name => "a name without a slash".to_owned(),
            Kind::OneOf(words) => words.join(" or "),
            Kind::Rate => format!("none, or at least {} B/s, as in 2 MB/s", api::SLOWEST),
            Kind::Schedule => schedule::EXPECTED.to_owned(),
            Kind::Number { least, most } => format!("a number from {least} to {most}"),
        };
        ConfigError::Value { name: self.name, expected, got: got.to_owned() }
    }
}

/// As people write it on a command line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Config {
    /// The value of a key and whether somebody set it.
    pub fn of(&self, key: &Key) -> (Value, bool) {
        match self.set.get(key.name) {
            Some(value) => (value.clone(), true),
            None => (key.default_value(), false),
        }
    }

    /// A key's value as text.
    pub fn text(&self, name: &'static str) -> String {
        let found = self.set.get(name).map(shown);
        found.unwrap_or_else(|| Key::named(name).map(|key| shown(&key.default_value())).unwrap_or_default())
    }

    /// A key's value as a number.
    pub fn number(&self, name: &'static str) -> u64 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A key's value as bytes a second; `None` for no limit.
    pub fn rate(&self, name: &'static str) -> Option<u64> {
        api::read_rate(&self.text(name)).ok().flatten()
    }

    /// When `sync run` syncs.
    pub fn schedule(&self) -> schedule::Schedule {
        self.text("schedule").parse().unwrap_or_default()
    }
}

impl State {
    /// The settings; without a file, the defaults.
    ///
    /// # Errors
    /// [`ConfigError`], also for a single key that is unknown or has a value that it does not take.
    pub fn config(&self) -> Result<Config, ConfigError> {
        parse(&self.config_text()?, self)
    }

    fn config_text(&self) -> Result<String, ConfigError> {
        let path = self.config_file();
        match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read.map_err(|error| ConfigError::Io { path, error }),
        }
    }

    /// Sets a key, or takes it out with `None`. Comments and the order of the file stay as they are.
    ///
    /// # Errors
    /// [`ConfigError`]; then nothing has changed.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<(), ConfigError> {
        let key = Key::named(name)?;
        let line = value.map(|value| key.read(value)).transpose()?.map(|value| format!("{name} = {value}"));
        let mut lines: Vec<String> = self.config_text()?.lines().map(str::to_owned).collect();
        let is_of_key = |line: &String| line.split_once('=').is_some_and(|(before, _)| before.trim() == name);
        match (lines.iter().position(is_of_key), line) {
            (Some(at), Some(line)) => lines[at] = line,
            (Some(at), None) => {
                lines.remove(at);
            }
            (None, Some(line)) => lines.push(line),
            (None, None) => return Ok(()),
        }
        let mut text = lines.join("\n");
        text.push('\n');
        parse(&text, self)?;
        let path = self.config_file();
        let written = self.make().and_then(|()| platform::replace_private(&path, text.as_bytes()));
        written.map_err(|error| ConfigError::Io { path, error })
    }
}

fn parse(text: &str, state: &State) -> Result<Config, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: state.config_file(),
        detail: error.message().to_owned(),
    })?;
    let mut set = BTreeMap::new();
    for (name, value) in table {
        let key = Key::named(&name)?;
        set.insert(key.name, key.check(value)?);
    }
    Ok(Config { set })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().join("state").into_os_string())).unwrap();
        (folder, state)
    }

    #[test]
    fn every_default_is_a_value_that_its_key_takes() {
        for key in KEYS {
            assert!(key.check(key.default_value()).is_ok(), "{}", key.name);
        }
    }

    #[test]
    fn a_comment_stays_when_a_key_is_set_and_taken_out() {
        let (_folder, state) = state();
        state.set("drive", Some("photos")).unwrap();
        let text = format!("# mine\n{}", std::fs::read_to_string(state.config_file()).unwrap());
        std::fs::write(state.config_file(), text).unwrap();
        state.set("attempts", Some("7")).unwrap();
        state.set("drive", Some("it \"is\"")).unwrap();
        let config = state.config().unwrap();
        assert_eq!((config.text("drive"), config.number("attempts")), ("it \"is\"".to_owned(), 7));
        state.set("drive", None).unwrap();
        assert_eq!(std::fs::read_to_string(state.config_file()).unwrap(), "# mine\nattempts = 7\n");
    }

    #[test]
    fn a_key_that_is_spelt_wrong_is_refused_with_the_right_one() {
        let (_folder, state) = state();
        let error = state.set("atempts", Some("3")).unwrap_err().to_string();
        assert!(error.contains("did you mean \"attempts\"?"), "{error}");
        state.make().unwrap();
        std::fs::write(state.config_file(), "Drive = \"x\"\n").unwrap();
        let error = state.config().unwrap_err().to_string();
        assert!(error.contains("did you mean \"drive\"?"), "{error}");
    }

    #[test]
    fn a_value_that_a_key_does_not_take_changes_nothing() {
        let (_folder, state) = state();
        for (name, value) in [("attempts", "0"), ("attempts", "many"), ("times", "swiss"), ("drive", "a/b")] {
            assert!(matches!(state.set(name, Some(value)), Err(ConfigError::Value { .. })), "{name}");
        }
        assert!(!state.config_file().exists());
    }
}
