//! The REST surface, asked from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod app_passwords;
mod bad_input;
mod command_line;
mod connect;
mod devices;
mod document;
mod events;
mod limits;
mod login;
mod setup;
mod spelling;
mod stop;
mod tls;
mod tokens;
mod users;
