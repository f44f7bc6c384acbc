//! Checksums by which other programs know a content: SHA-1 and MD5, as ownCloud's clients use them, and Adler-32. None of
//! them proves anything against somebody who means harm; a content's own name is its SHA-256.

use md5::Md5;
use sha1::{Digest, Sha1};

/// The checksums of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// SHA-1.
    pub sha1: [u8; 20],
    /// MD5.
    pub md5: [u8; 16],
    /// Adler-32 (RFC 1950).
    pub adler32: u32,
}

/// The checksums of a content in the making.
#[derive(Clone, Default)]
pub struct Summer {
    sha1: Sha1,
    md5: Md5,
    adler: Adler,
}

impl Summer {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.md5.update(bytes);
        self.adler.update(bytes);
    }

    /// The checksums of all bytes added.
    pub fn finish(self) -> Sums {
        Sums {
            sha1: self.sha1.finalize().into(),
            md5: self.md5.finalize().into(),
            adler32: (self.adler.high << 16) | self.adler.low,
        }
    }
}

/// RFC 1950, section 8.2.
#[derive(Clone, Copy)]
struct Adler {
    low: u32,
    high: u32,
}

/// The largest prime below 65536.
const MODULUS: u32 = 65_521;
/// So many bytes can be added before 32 bits could overflow.
const RUN: usize = 5552;

impl Default for Adler {
    fn default() -> Self {
        Self { low: 1, high: 0 }
    }
}

impl Adler {
    fn update(&mut self, bytes: &[u8]) {
        for run in bytes.chunks(RUN) {
            for byte in run {
                self.low += u32::from(*byte);
                self.high += self.low;
            }
            self.low %= MODULUS;
            self.high %= MODULUS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> Sums {
        let mut summer = Summer::default();
        pieces.iter().for_each(|piece| summer.update(piece));
        summer.finish()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_content_has_the_checksums_that_everybody_knows_it_by() {
        let sums = of(&[b"abc"]);
        assert_eq!(hex(&sums.sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(&sums.md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of(&[b"Wikipedia"]).adler32, 0x11e6_0398);
        assert_eq!(of(&[]).adler32, 1);
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_a_content_arrives() {
        let bytes = vec![0xff; 3 * RUN + 17];
        assert_eq!(of(&[&bytes]), of(&[&bytes[..1], &bytes[1..RUN], &bytes[RUN..]]));
    }
}
