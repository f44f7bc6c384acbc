//! `holdfast`, the command line: the real program against a real server, and against servers that talk nonsense.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod config;
mod conflicts;
mod cuts;
mod devices;
mod drives;
mod fake;
mod files;
mod history;
mod jobs;
mod large;
mod login;
mod names;
mod nonsense;
mod portable;
mod reference;
mod renewal;
mod stop;
mod tls;
mod tool;
