//! The network drive, asked from outside.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod bad_input;
mod checksums;
mod files;
mod locks;
mod macos;
mod mount;
mod overwrite;
mod properties;
mod sync_collection;
mod times;
mod windows;
