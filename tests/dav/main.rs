//! The network drive, asked from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod abort;
mod bad_input;
mod checksums;
mod crowd;
mod files;
mod locks;
mod macos;
mod mount;
mod overwrite;
mod properties;
mod sync_collection;
mod times;
mod windows;
