//! Use cases: what REST, WebDAV, console and jobs all call. One file per noun.

pub mod act;
pub mod adopt;
pub mod agreement;
pub mod app_passwords;
pub mod caller;
pub mod checksums;
pub mod conflicts;
pub mod content;
pub mod devices;
pub mod drives;
pub mod events;
pub mod feed;
pub mod files;
pub mod follow;
pub mod history;
pub mod judge;
mod lent;
pub mod listing;
pub mod locks;
pub mod passwords;
pub mod placement;
pub mod properties;
pub mod pulse;
pub mod recovery;
pub mod remembered;
pub mod scan;
pub mod sessions;
pub mod setup;
pub mod since;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod touch;
pub mod trash;
pub mod upload;
pub mod users;
