//! Files, folders, versions and trash over REST, and the plain folder behind them.
//!
//! Seen to fail with: `If-Match` that any file meets; a digest that is not compared; pages that begin anew; `.holdfast` as a
//! name; uploads that are not swept; displaced versions that nobody finds; times to the microsecond; a range off by one;
//! versions of any drive by their id; outside renames taken for new files; a catalogue that takes no write any more once
//! its disk was full.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod bad_input;
mod bad_paths;
mod conditions;
mod content;
mod copies;
mod deltas;
mod disk_full;
mod folders;
mod history;
mod home;
mod listing;
mod moves;
mod names;
mod outside;
mod ranges;
mod strangers;
mod times;
mod trash;
