//! The agent of `holdfast` against a real server: folders of several devices, kept in sync.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod campaign;
mod following;
mod laptop;
mod liar;
mod lies;
mod living;
mod once;
mod people;
mod plugged;
mod scope;
mod wire;
