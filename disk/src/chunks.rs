//! Cuts a content into chunks where it says so itself, so that what is put in somewhere moves no cut elsewhere.

use std::io::{self, Read};
use std::ops::Range;

use fastcdc::v2020::StreamCDC;
use holdfast_protocol::delta::{Chunk, Recipe};

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

/// New bytes are cut when there are so many of them.
const CUT_AT: usize = 1024 * 1024;
/// Most steps and new chunks that are taken down, some 2 MB: whoever sends a difference says how many steps it has.
const MOST_PARTS: usize = 50_000;

/// Takes down how a content is put together. What is copied begins and ends at cuts, so what is between is cut as all of the
/// content would be.
#[derive(Debug)]
pub struct Recorder {
    /// `None` when it became too long.
    recipe: Option<Recipe>,
    parts: usize,
    /// New bytes that are not cut yet; they begin at a cut.
    new: Vec<u8>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { recipe: Some(Recipe::default()), parts: 0, new: Vec::new() }
    }
}

impl Recorder {
    /// These bytes of the base come next.
    ///
    /// # Errors
    /// None in practice: what is read is in memory.
    pub fn copied(&mut self, range: Range<u64>) -> io::Result<()> {
        self.cut(0)?;
        self.add(1, |recipe| recipe.copied(range));
        Ok(())
    }

    /// These new bytes come next.
    ///
    /// # Errors
    /// None in practice.
    pub fn told(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.recipe.is_none() {
            return Ok(());
        }
        self.new.extend_from_slice(bytes);
        // What follows may move the last cut.
        if self.new.len() >= CUT_AT { self.cut(1) } else { Ok(()) }
    }

    /// Cuts the new bytes, but for so many of the last chunks.
    fn cut(&mut self, but: usize) -> io::Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        let mut chunks = chunks_of(&self.new[..])?;
        chunks.truncate(chunks.len().saturating_sub(but));
        let length: usize = chunks.iter().map(|chunk| chunk.length as usize).sum();
        self.new.drain(..length);
        if !chunks.is_empty() {
            self.add(chunks.len(), |recipe| recipe.told(chunks));
        }
        Ok(())
    }

    fn add(&mut self, parts: usize, add: impl FnOnce(&mut Recipe)) {
        self.parts += parts;
        if self.parts > MOST_PARTS {
            (self.recipe, self.new) = (None, Vec::new());
        } else if let Some(recipe) = &mut self.recipe {
            add(recipe);
        }
    }

    /// All of it; `None` when it has too many parts to be worth it.
    ///
    /// # Errors
    /// None in practice.
    pub fn finish(mut self) -> io::Result<Option<Recipe>> {
        self.cut(0)?;
        Ok(self.recipe)
    }
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
    fn the_chunks_of_what_was_put_together_are_told_without_reading_it() {
        let base = content(24 << 20);
        let mut new = base.clone();
        new[3 << 20..4 << 20].fill(9);
        new.splice(10 << 20..10 << 20, content(9 << 20).into_iter().rev());
        new.drain(20 << 20..21 << 20);
        new.extend_from_slice(b"and more");
        let (of_base, of_new) = (chunks_of(&base[..]).unwrap(), chunks_of(&new[..]).unwrap());
        let mut recorder = Recorder::default();
        for step in delta::steps(&of_base, &of_new) {
            match step {
                delta::Step::Copy(range) => recorder.copied(range).unwrap(),
                delta::Step::New(range) => {
                    let bytes =
                        &new[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
                    bytes.chunks(100_000).for_each(|piece| recorder.told(piece).unwrap());
                }
            }
        }
        let recipe = recorder.finish().unwrap().unwrap();
        assert_eq!(recipe.chunks(&of_base), Some(of_new));
        let mut elsewhere = Recipe::default();
        elsewhere.copied(1..5);
        assert_eq!(elsewhere.chunks(&of_base), None);
    }

    #[test]
    fn a_difference_of_very_many_steps_is_not_taken_down() {
        let mut recorder = Recorder::default();
        for at in 0..2 * MOST_PARTS as u64 {
            recorder.copied(at..at + 1).unwrap();
        }
        recorder.told(b"and more").unwrap();
        assert!(recorder.new.is_empty());
        assert_eq!(recorder.finish().unwrap(), None);
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
