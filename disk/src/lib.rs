//! What Holdfast's programs do with a disk: name files by identity, reach them without leaving a root, walk, hash and
//! sign a drive's root, copy what a file carries besides its bytes, and tell what volumes there are. Knows no catalogue.

pub mod attrs;
pub mod beneath;
mod birth;
pub mod chunks;
pub mod hash;
pub mod index;
pub mod read;
pub mod signature;
pub mod stat;
pub mod sums;
pub mod sync;
pub mod volumes;
pub mod walk;

pub use chunks::{Recorder, chunks_of};
pub use hash::{Hasher, hash_reader};
pub use signature::{RESERVED, Signature, SignatureError};
pub use stat::{EntryKind, Ident, Stat};
pub use sums::{Summer, Sums};
pub use walk::{Found, Problem, Walk};

/// Says that a test could not do its work here; `tests/run` counts and names it.
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot say that it was skipped can only fail")]
fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    eprintln!("skipped: {test}: {why}");
    if let Some(list) = std::env::var_os("HOLDFAST_TEST_SKIPS") {
        let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}
