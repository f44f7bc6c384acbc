//! Everything that differs from one operating system to another, in one room. Nothing outside of it asks which one this is.

mod files;

pub use files::{create_new, create_private, mtime_ns, place, set_mtime, sync_folder};
