//! REST: handlers extract, call one use case and map its answer.

pub mod api;
pub mod auth;
pub mod conditions;
pub mod connection;
pub mod content;
pub mod delta;
pub mod entry;
pub mod extract;
pub mod fields;
pub mod fragment;
pub mod linger;
pub mod listen;
pub mod once;
pub mod origin;
pub mod page;
pub mod problem;
pub mod ranges;
pub mod records;
pub mod router;
pub mod target;
pub mod time;
pub mod tus;
pub mod upload;
