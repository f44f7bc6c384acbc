//! Checksums that a sender declares for a content, as ownCloud's clients write them: `SHA1:<hex>`, several in a row.

use holdfast_protocol::ContentHash;

/// A checksum that was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-1.
    Sha1([u8; 20]),
    /// MD5.
    Md5([u8; 16]),
    /// SHA-256: the content's own name.
    Sha256(ContentHash),
    /// Adler-32.
    Adler32(u32),
}

impl Checksum {
    /// Reads a list that is parted by white space. Kinds that are not known are passed over; `None` for what is no such
    /// list, and for a checksum of a known kind that cannot be one.
    pub fn read(text: &str) -> Option<Vec<Self>> {
        let mut read = Vec::new();
        let mut any = false;
        for one in text.split_ascii_whitespace() {
            any = true;
            let (kind, value) =
                one.split_once(':').filter(|(kind, value)| !kind.is_empty() && !value.is_empty())?;
            match kind.to_ascii_uppercase().as_str() {
                "SHA1" => read.push(Self::Sha1(bytes(value)?)),
                "MD5" => read.push(Self::Md5(bytes(value)?)),
                "SHA256" => read.push(Self::Sha256(ContentHash::from_bytes(bytes(value)?))),
                "ADLER32" => read.push(Self::Adler32(number(value)?)),
                _ => {}
            }
        }
        any.then_some(read)
    }
}

fn bytes<const N: usize>(value: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(value, &mut bytes).ok().map(|()| bytes)
}

fn number(value: &str) -> Option<u32> {
    // Some leave out zeros in front.
    let digits = value.len() <= 8 && value.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(value, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn each_known_kind_is_read_in_either_case_and_others_are_passed_over() {
        let text =
            format!("sha1:{} MD5:{}  SHA3-256:whatever Adler32:84b021f", "AB".repeat(20), "cd".repeat(16));
        let read = Checksum::read(&text).unwrap();
        let expected =
            [Checksum::Sha1([0xab; 20]), Checksum::Md5([0xcd; 16]), Checksum::Adler32(0x084b_021f)];
        assert_eq!(read, expected);
        let hash = ContentHash::EMPTY;
        assert_eq!(Checksum::read(&format!("SHA256:{hash}")).unwrap(), [Checksum::Sha256(hash)]);
        assert_eq!(Checksum::read("SHA512:ab").unwrap(), []);
    }

    #[test]
    fn what_is_no_checksum_is_told_as_such() {
        for bad in
            ["", " ", "SHA1", "SHA1:", ":ab", "SHA1:ab", "MD5:xx", "ADLER32:123456789", "ADLER32:+1", "a b"]
        {
            assert_eq!(Checksum::read(bad), None, "{bad}");
        }
    }
}
