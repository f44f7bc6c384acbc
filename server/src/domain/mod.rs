//! Pure rules: no async, no SQL, no files, no clock, no randomness.
#![warn(clippy::disallowed_methods)]

pub mod accounts;
pub mod checksums;
pub mod connect;
pub mod drives;
pub mod hosts;
pub mod jobs;
pub mod limits;
pub mod locks;
pub mod mounts;
pub mod names;
pub mod reconcile;
pub mod reports;
pub mod stat;
pub mod times;
pub mod uploads;
