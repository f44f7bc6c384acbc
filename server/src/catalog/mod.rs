//! The catalogue: the only place with SQL. One text for both engines; `sql` runs it.

pub mod agreements;
pub mod app_passwords;
pub mod changes;
pub mod conflicts;
pub mod db;
pub mod devices;
pub mod drive_writes;
pub mod drives;
pub mod events;
pub mod feed;
pub mod findings;
pub mod forgetting;
pub mod idempotency;
pub mod jobs;
pub mod lived;
pub mod locks;
pub mod members;
pub mod migrate;
pub mod mounts;
mod node_writes;
pub mod nodes;
pub mod ops;
pub mod properties;
pub mod reports;
pub mod sessions;
pub mod settings;
pub mod since;
pub mod slots;
pub mod sql;
pub mod sums;
pub mod sync;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod uploads;
pub mod users;
pub mod versions;
pub mod volumes;
mod writer;
