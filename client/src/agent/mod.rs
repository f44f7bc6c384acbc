//! The agent: keeps a folder of this device and a drive of the server alike (docs/design/006-the-agent.md).
//!
//! Three trees are what it knows: [`trees`] has the server's as its feed told it, the folder's as it was walked, and what both
//! last agreed on. [`plan()`] decides from these alone what is to be done; [`engine`] pulls, scans, plans and does it, over
//! whatever keeps the two contracts [`Remote`] and [`Disk`]: the real ones, and those of the simulation.

pub mod engine;
pub mod ignore;
pub mod inventory;
pub mod local;
pub mod mounts;
pub mod names;
pub mod plan;
pub mod schedule;
pub mod server;
pub mod store;
pub mod trees;

mod contract;

/// The agent's own folder in the root of what is synced: its marker, what is on its way in, what was taken away.
pub const OWN: &str = ".holdfast-sync";

pub use contract::{Act, Arriving, Disk, Done, Feed, Heard, Incoming, Put, Remote, Scan, Trouble, Wanted};
pub use plan::{Plan, Settings, Step, plan};
