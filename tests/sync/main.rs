//! Document 003 and the rules of sync, asked as a plain client asks.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod bad_entries;
mod bad_input;
mod conflicts;
mod contract;
mod cut_off;
mod device;
mod folders;
mod moves;
mod resolutions;
mod safety;
mod strangers;
mod table;
mod tokens;
