//! Recognises the reserved folder `.holdfast` in every spelling that some file system would take for it
//! (design section 5: "unreachable through every protocol, in any case or Unicode spelling").

use unicode_normalization::UnicodeNormalization;

const RESERVED: &str = ".holdfast";
/// How FAT names `.holdfast` in its short form; Linux resolves it, too, on such a disk.
const SHORT: &str = "holdfa~";

/// Whether some file system would open the reserved folder under this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    if name.is_ascii() {
        return matches_folded(&name.to_ascii_lowercase());
    }
    let compatible: String = name.chars().filter(|&c| !is_ignorable(c)).nfkc().collect();
    let folded: String =
        compatible.chars().flat_map(char::to_lowercase).filter(|&c| !is_ignorable(c)).nfkc().collect();
    matches_folded(&folded)
}

fn matches_folded(name: &str) -> bool {
    // What follows a colon is a stream of the same file on NTFS; trailing dots and spaces are dropped by Windows.
    let name = name.split_once(':').map_or(name, |(before, _)| before).trim_end_matches(['.', ' ']);
    name == RESERVED
        || name
            .strip_prefix(SHORT)
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Unicode's `Default_Ignorable_Code_Point` (UAX 44): HFS+ and others compare names without them.
fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::is_reserved;

    #[test]
    fn every_spelling_of_the_reserved_folder_is_recognised() {
        for name in [
            ".holdfast",
            ".HoldFast",
            ".holdfast.",
            ".holdfast. . ",
            ".holdfast::$INDEX_ALLOCATION",
            "HOLDFA~1",
            ".hold\u{200d}fast",
            "\u{feff}.holdfast",
            ".hold\u{fe0f}fa\u{17f}t",
            ".holdfa\u{fb06}",
            "\u{ff0e}\u{ff28}\u{ff4f}\u{ff4c}\u{ff44}\u{ff46}\u{ff41}\u{ff53}\u{ff54}",
            "\u{2024}holdfast",
            ".holdfast\u{a0}",
            ".hold\u{e0100}fast",
            ".h\u{2134}ldfast",
        ] {
            assert!(is_reserved(name), "{name:?}");
        }
    }

    #[test]
    fn names_that_only_resemble_it_are_free() {
        for name in [
            "holdfast",
            ".holdfast2",
            ".hold",
            ".holdfast.txt",
            "holdfa~",
            "holdfa~x",
            "..holdfast",
            ".höldfast",
        ] {
            assert!(!is_reserved(name), "{name:?}");
        }
    }
}
