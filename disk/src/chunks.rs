//! Cuts a content into chunks where it says so itself, so that what is put in somewhere moves no cut elsewhere.

use std::io::{self, Read};

use fastcdc::v2020::StreamCDC;
use holdfast_protocol::delta::Chunk;

use crate::Hasher;

/// Bytes of a chunk: at least, on average, at most. Both sides of a difference cut for themselves, so these may change.
const LEAST: usize = 16 * 1024;
const AVERAGE: usize = 64 * 1024;
const MOST: usize = 256 * 1024;

/// All chunks of what a reader yields, in their order.
///
/// # Errors
/// What the reader says.
pub fn chunks_of(from: impl Read) -> io::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    for cut in StreamCDC::new(from, LEAST, AVERAGE, MOST) {
        let bytes = cut.map_err(io::Error::from)?.data;
        let mut hasher = Hasher::new();
        hasher.update(&bytes);
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        chunks.push(Chunk { hash: hasher.finish(), length });
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use holdfast_protocol::delta;

    use super::*;

    /// Bytes that look random and are the same each time.
    fn content(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let step = |state: &mut u64| {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            state.to_le_bytes()
        };
        (0..length / 8).flat_map(|_| step(&mut state)).collect()
    }

    fn travels(base: &[u8], new: &[u8]) -> u64 {
        delta::size_of(&delta::steps(&chunks_of(base).unwrap(), &chunks_of(new).unwrap()))
    }

    #[test]
    fn chunks_add_up_to_the_content_and_have_its_hashes() {
        let content = content(3 << 20);
        let mut rest = &content[..];
        for chunk in chunks_of(&content[..]).unwrap() {
            let (bytes, after) = rest.split_at(chunk.length as usize);
            let (hash, _) = crate::hash_reader(bytes).unwrap();
            assert_eq!(chunk.hash, hash);
            rest = after;
        }
        assert!(rest.is_empty());
        assert!(chunks_of(&b""[..]).unwrap().is_empty());
    }

    #[test]
    fn a_byte_at_the_front_or_some_in_the_middle_change_few_chunks() {
        let base = content(16 << 20);
        let longer: Vec<u8> = std::iter::once(7).chain(base.iter().copied()).collect();
        assert!(travels(&base, &longer) <= 2 * MOST as u64, "{}", travels(&base, &longer));
        let mut edited = base.clone();
        edited[5 << 20..6 << 20].fill(9);
        assert!(travels(&base, &edited) <= (1 << 20) + 2 * MOST as u64 + 100, "{}", travels(&base, &edited));
        assert!(travels(&base, &base) < 50);
    }
}
