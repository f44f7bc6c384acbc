//! Tests of placing, on a model of a file system and on a real folder.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

mod cases;
mod check;
mod folder;
mod machine;
mod means;
mod model;
mod placer;
mod property;
mod sim;
