//! What changed in a large file: a new content told as parts of another one that both sides have, and the bytes that are
//! new (`docs/design/008-deltas.md` has the format).

use std::collections::HashMap;
use std::ops::Range;

use crate::ContentHash;

/// Media type of a delta.
pub const MEDIA_TYPE: &str = "application/x-holdfast-delta";
/// Its name in `A-IM` and `IM` (RFC 3229).
pub const CODING: &str = "holdfast-delta";
/// Files of fewer bytes travel whole.
pub const FROM: u64 = 1024 * 1024;
/// And files of more: the chunks of both are held while they are compared, some 20 MB for each of them at this size.
pub const UP_TO: u64 = 16 * 1024 * 1024 * 1024;

const MAGIC: &[u8; 4] = b"HFD1";
const HEAD: usize = 12;
const COPY: u8 = b'C';
const LITERAL: u8 = b'L';
const END: u8 = b'E';
/// Bytes of a step that copies, and of the head of one that brings bytes.
const COPY_LENGTH: usize = 17;
const LITERAL_LENGTH: usize = 5;
/// Most bytes that one step brings.
const MOST_LITERAL: u64 = u32::MAX as u64;

/// A part of a content, cut where the content says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// SHA-256 of its bytes.
    pub hash: ContentHash,
    /// Bytes.
    pub length: u32,
}

/// A step in putting the new content together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// These bytes of the base.
    Copy(Range<u64>),
    /// These bytes of the new content, which travel.
    New(Range<u64>),
}

/// How the new content is made of the base, both given as all of their chunks in order.
pub fn steps(base: &[Chunk], new: &[Chunk]) -> Vec<Step> {
    let mut places = HashMap::with_capacity(base.len());
    let mut at = 0;
    for chunk in base {
        // The first place of several: what follows it is more often what follows here.
        places.entry((chunk.hash, chunk.length)).or_insert(at);
        at += u64::from(chunk.length);
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut at = 0;
    for chunk in new {
        let length = u64::from(chunk.length);
        let here = at..at + length;
        at = here.end;
        let place = places.get(&(chunk.hash, chunk.length)).map(|place| *place..*place + length);
        match (steps.last_mut(), place) {
            (Some(Step::Copy(last)), Some(place)) if last.end == place.start => last.end = place.end,
            (_, Some(place)) => steps.push(Step::Copy(place)),
            (Some(Step::New(last)), None) if here.end - last.start <= MOST_LITERAL => last.end = here.end,
            (_, None) => steps.push(Step::New(here)),
        }
    }
    steps
}

/// How a content was put together of a base: enough to tell its chunks where those of the base are known, without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    parts: Vec<Made>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Made {
    Copied(Range<u64>),
    New(Vec<Chunk>),
}

impl Recipe {
    /// These bytes of the base come next.
    pub fn copied(&mut self, range: Range<u64>) {
        self.parts.push(Made::Copied(range));
    }

    /// Something new comes next, cut from its beginning on.
    pub fn told(&mut self, chunks: Vec<Chunk>) {
        self.parts.push(Made::New(chunks));
    }

    /// What it takes to remember: its steps and its new chunks.
    pub fn weight(&self) -> usize {
        let of = |part: &Made| if let Made::New(chunks) = part { chunks.len() } else { 1 };
        self.parts.iter().map(of).sum()
    }

    /// The content's chunks; `None` where something was copied that does not begin and end where the base is cut.
    pub fn chunks(&self, base: &[Chunk]) -> Option<Vec<Chunk>> {
        let mut at = 0;
        let mut starts = Vec::with_capacity(base.len() + 1);
        for chunk in base {
            starts.push(at);
            at += u64::from(chunk.length);
        }
        starts.push(at);
        let mut chunks = Vec::with_capacity(base.len());
        for part in &self.parts {
            match part {
                Made::Copied(range) => {
                    let from = starts.binary_search(&range.start).ok()?;
                    let to = starts.binary_search(&range.end).ok()?;
                    chunks.extend_from_slice(base.get(from..to)?);
                }
                Made::New(new) => chunks.extend_from_slice(new),
            }
        }
        Some(chunks)
    }
}

/// What the delta of a content of so many bytes begins with.
pub fn head(size: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(MAGIC);
    head[4..].copy_from_slice(&size.to_le_bytes());
    head
}

/// A step as it is written; the bytes of a [`Step::New`] follow it.
pub fn written(step: &Step) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COPY_LENGTH);
    match step {
        Step::Copy(from) => {
            bytes.push(COPY);
            bytes.extend(from.start.to_le_bytes());
            bytes.extend((from.end - from.start).to_le_bytes());
        }
        Step::New(range) => {
            bytes.push(LITERAL);
            let length = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
            bytes.extend(length.to_le_bytes());
        }
    }
    bytes
}

/// What a delta ends with.
pub const fn end() -> [u8; 1] {
    [END]
}

/// Bytes of a whole delta.
pub fn size_of(steps: &[Step]) -> u64 {
    let of = |step: &Step| match step {
        Step::Copy(_) => COPY_LENGTH as u64,
        Step::New(range) => LITERAL_LENGTH as u64 + (range.end - range.start),
    };
    HEAD as u64 + steps.iter().map(of).sum::<u64>() + 1
}

/// Why bytes are no delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// It begins with something else.
    #[error("this is no delta")]
    NoDelta,
    /// A step of an unknown kind, or of no bytes.
    #[error("the delta has a step that means nothing")]
    BadStep,
    /// A step copies what the base has not.
    #[error("the delta copies from beyond its base")]
    Beyond,
    /// The steps bring more or less than was declared.
    #[error("the delta adds up to another size than it declares")]
    OtherSize,
    /// Bytes after its end.
    #[error("the delta goes on after its end")]
    AfterEnd,
    /// It ended before its end.
    #[error("the delta breaks off")]
    BrokenOff,
}

/// A part of a delta that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'b> {
    /// These bytes of the base come next.
    Copy(Range<u64>),
    /// These bytes come next.
    Bytes(&'b [u8]),
}

/// Reads a delta as it arrives, in pieces of any length; keeps no more than the beginning of a step.
#[derive(Debug)]
pub struct Reader {
    base: u64,
    /// Declared bytes of the result; `None` before the head.
    size: Option<u64>,
    /// So many of them were told.
    told: u64,
    begun: Vec<u8>,
    /// Bytes of the current step that are still to come.
    literal: u64,
    ended: bool,
}

impl Reader {
    /// For a delta on a base of so many bytes.
    pub fn new(base: u64) -> Self {
        Self { base, size: None, told: 0, begun: Vec::with_capacity(COPY_LENGTH), literal: 0, ended: false }
    }

    /// Bytes of the result, once its head was read.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Takes from the front of what arrived; gives the next part of it, `None` when more has to arrive.
    ///
    /// # Errors
    /// [`DeltaError`].
    pub fn next<'b>(&mut self, arrived: &mut &'b [u8]) -> Result<Option<Part<'b>>, DeltaError> {
        loop {
            if arrived.is_empty() {
                return Ok(None);
            }
            if self.ended {
                return Err(DeltaError::AfterEnd);
            }
            if self.literal > 0 {
                let most = usize::try_from(self.literal).unwrap_or(usize::MAX).min(arrived.len());
                let (bytes, rest) = arrived.split_at(most);
                *arrived = rest;
                self.literal -= bytes.len() as u64;
                return Ok(Some(Part::Bytes(bytes)));
            }
            let wanted = match (self.size, self.begun.first()) {
                (None, _) => HEAD,
                (_, None) => 1,
                (_, Some(&COPY)) => COPY_LENGTH,
                (_, Some(&LITERAL)) => LITERAL_LENGTH,
                (_, Some(_)) => return Err(DeltaError::BadStep),
            };
            let (bytes, rest) = arrived.split_at((wanted - self.begun.len()).min(arrived.len()));
            self.begun.extend_from_slice(bytes);
            *arrived = rest;
            if self.begun.len() < wanted {
                continue;
            }
            if let Some(part) = self.step()? {
                return Ok(Some(part));
            }
        }
    }

    /// What was begun is as long as its first byte asked for.
    fn step<'b>(&mut self) -> Result<Option<Part<'b>>, DeltaError> {
        let number =
            |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let part = match (self.size, &self.begun[..]) {
            (None, head) => {
                let rest = head.strip_prefix(&MAGIC[..]).ok_or(DeltaError::NoDelta)?;
                self.size = Some(number(rest));
                None
            }
            (Some(size), [END]) => {
                if self.told != size {
                    return Err(DeltaError::OtherSize);
                }
                self.ended = true;
                None
            }
            // The kind alone was read; its numbers come next.
            (_, [COPY | LITERAL]) => return Ok(None),
            (_, [COPY, numbers @ ..]) => {
                let (start, length) = (number(&numbers[..8]), number(&numbers[8..]));
                let end = start.checked_add(length).filter(|end| *end <= self.base);
                let from = start..end.ok_or(DeltaError::Beyond)?;
                self.tell(length)?;
                Some(Part::Copy(from))
            }
            (_, [LITERAL, numbers @ ..]) => {
                self.literal = number(numbers);
                self.tell(self.literal)?;
                None
            }
            _ => return Err(DeltaError::BadStep),
        };
        self.begun.clear();
        Ok(part)
    }

    fn tell(&mut self, length: u64) -> Result<(), DeltaError> {
        if length == 0 {
            return Err(DeltaError::BadStep);
        }
        let told = self.told.checked_add(length);
        self.told = told.filter(|told| Some(*told) <= self.size).ok_or(DeltaError::OtherSize)?;
        Ok(())
    }

    /// To be called when nothing more arrives.
    ///
    /// # Errors
    /// [`DeltaError::BrokenOff`].
    pub fn finish(&self) -> Result<(), DeltaError> {
        if self.ended { Ok(()) } else { Err(DeltaError::BrokenOff) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use proptest::prelude::*;

    use super::*;

    /// Contents of few different chunks, each of one letter, so that they have much in common.
    fn chunks(letters: &[u8]) -> (Vec<Chunk>, Vec<u8>) {
        let mut content = Vec::new();
        let mut chunks = Vec::new();
        for letter in letters {
            let length = u32::from(*letter % 7) + 1;
            content.extend(std::iter::repeat_n(*letter, length as usize));
            chunks.push(Chunk { hash: ContentHash::from_bytes([*letter; 32]), length });
        }
        (chunks, content)
    }

    fn whole(steps: &[Step], new: &[u8]) -> Vec<u8> {
        let mut delta = head(new.len() as u64).to_vec();
        for step in steps {
            delta.extend(written(step));
            if let Step::New(range) = step {
                delta
                    .extend(&new[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]);
            }
        }
        delta.extend(end());
        delta
    }

    fn apply(base: &[u8], delta: &[u8], piece: usize) -> Result<Vec<u8>, DeltaError> {
        let mut reader = Reader::new(base.len() as u64);
        let mut result = Vec::new();
        for mut arrived in delta.chunks(piece) {
            while let Some(part) = reader.next(&mut arrived)? {
                match part {
                    Part::Copy(from) => result.extend(
                        &base[usize::try_from(from.start).unwrap()..usize::try_from(from.end).unwrap()],
                    ),
                    Part::Bytes(bytes) => result.extend(bytes),
                }
            }
        }
        reader.finish()?;
        Ok(result)
    }

    proptest! {
        #[test]
        fn a_delta_makes_the_new_content_of_the_base_in_pieces_of_any_length(
            base in prop::collection::vec(0_u8..12, 0..40), new in prop::collection::vec(0_u8..12, 0..40), piece in 1_usize..40,
        ) {
            let ((base_chunks, base), (new_chunks, new)) = (chunks(&base), chunks(&new));
            let steps = steps(&base_chunks, &new_chunks);
            let delta = whole(&steps, &new);
            prop_assert_eq!(size_of(&steps), delta.len() as u64);
            prop_assert_eq!(apply(&base, &delta, piece), Ok(new));
        }

        #[test]
        fn bytes_that_are_no_delta_are_refused_and_never_make_more_than_they_declare(
            base in prop::collection::vec(0_u8..12, 0..20), mut delta in prop::collection::vec(any::<u8>(), 0..60),
            size in 0_u64..200, with_head: bool,
        ) {
            if with_head {
                delta.splice(..0, head(size));
            }
            let (_, base) = chunks(&base);
            if let Ok(result) = apply(&base, &delta, 7) {
                prop_assert_eq!(result.len() as u64, size);
            }
        }
    }

    #[test]
    fn what_is_the_same_does_not_travel_and_what_follows_each_other_is_one_step() {
        let ((base, _), (new, _)) = (chunks(&[1, 2, 3, 4, 5]), chunks(&[1, 2, 9, 4, 5]));
        assert_eq!(steps(&base, &new), [Step::Copy(0..5), Step::New(5..8), Step::Copy(9..20)]);
    }

    #[test]
    fn a_delta_that_does_not_add_up_is_refused() {
        let base = b"0123456789";
        let made = |size: u64, steps: &[Step], rest: &[u8]| {
            let mut delta = head(size).to_vec();
            steps.iter().for_each(|step| delta.extend(written(step)));
            delta.extend(rest);
            apply(base, &delta, 3)
        };
        assert_eq!(made(10, &[Step::Copy(0..10)], b"E").unwrap(), base);
        assert_eq!(made(10, &[Step::Copy(0..10)], b""), Err(DeltaError::BrokenOff));
        assert_eq!(made(10, &[Step::Copy(0..10)], b"EE"), Err(DeltaError::AfterEnd));
        assert_eq!(made(9, &[Step::Copy(0..10)], b"E"), Err(DeltaError::OtherSize));
        assert_eq!(made(11, &[Step::Copy(0..10)], b"E"), Err(DeltaError::OtherSize));
        assert_eq!(made(11, &[Step::Copy(0..11)], b"E"), Err(DeltaError::Beyond));
        assert_eq!(made(0, &[Step::Copy(3..3)], b"E"), Err(DeltaError::BadStep));
        assert_eq!(made(4, &[Step::New(0..4)], b"abc"), Err(DeltaError::BrokenOff));
        assert_eq!(made(1, &[], b"X"), Err(DeltaError::BadStep));
        let mut beyond = head(u64::MAX).to_vec();
        beyond.push(COPY);
        beyond.extend([0xff; 16]);
        assert_eq!(apply(base, &beyond, 50), Err(DeltaError::Beyond));
        assert_eq!(apply(base, b"HFD2........E", 50), Err(DeltaError::NoDelta));
    }
}
