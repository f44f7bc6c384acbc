//! Content hashes: SHA-256 by the processor's own instructions where it has them, streamed.

use std::io::{self, Read};

use holdfast_protocol::ContentHash;
use sha2::{Digest, Sha256};

/// How much is read at once; bounds the memory that hashing a file of any size takes.
pub const BUFFER: usize = 256 * 1024;

/// A content hash in the making.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// The hash of nothing so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes added.
    pub fn finish(self) -> ContentHash {
        ContentHash::from_bytes(self.0.finalize().into())
    }
}

/// Hashes what a reader yields; returns the hash and the number of bytes. Needs [`BUFFER`] bytes of memory.
///
/// # Errors
/// What the reader says, but for interruptions.
pub fn hash_reader(mut from: impl Read) -> io::Result<(ContentHash, u64)> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finish(), size)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_content_has_the_hash_that_everybody_knows_it_by() {
        let (hash, size) = hash_reader(&b"abc"[..]).unwrap();
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(size, 3);
        assert_eq!(hash_reader(io::empty()).unwrap().0, Hasher::new().finish());
    }

    #[test]
    fn a_content_larger_than_the_buffer_is_hashed_whole() {
        let bytes: Vec<u8> = (0..BUFFER * 2 + 17).map(|i| (i % 251) as u8).collect();
        let mut whole = Hasher::new();
        whole.update(&bytes);
        assert_eq!(hash_reader(&bytes[..]).unwrap(), (whole.finish(), bytes.len() as u64));
    }
}
