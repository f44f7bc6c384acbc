//! What a device tells of a drive, against what is known of it (docs/design/012-reports.md). The last word counts: the
//! server's order decides, and never a time that a disk says.

use holdfast_protocol::{ContentHash, Kind};

/// What `stat` says of a file or folder, and what it holds where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// File or folder.
    pub kind: Kind,
    /// Bytes; 0 for a folder.
    pub size: u64,
    /// Nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    /// A file's content, if it is known.
    pub hash: Option<ContentHash>,
}

/// What becomes of a node that is told of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It is as it was.
    Same,
    /// It is this now.
    Changed(Sight),
    /// Something of another kind is in its place: it is gone.
    Replaced,
}

impl Sight {
    /// What is told, over what was known. A content that was known stays known as long as nothing says that the file was
    /// written: a device that does not read its files must not take away what another has read.
    pub fn over(self, known: Self) -> Became {
        if self.kind != known.kind {
            return Became::Replaced;
        }
        let is_unwritten = (self.size, self.mtime_ns) == (known.size, known.mtime_ns);
        let now = Self { hash: self.hash.or(known.hash.filter(|_| is_unwritten)), ..self };
        if now == known { Became::Same } else { Became::Changed(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Option<ContentHash> = Some(ContentHash::EMPTY);

    fn file(size: u64, mtime_ns: i64, hash: Option<ContentHash>) -> Sight {
        Sight { kind: Kind::File, size, mtime_ns, hash }
    }

    #[test]
    fn what_is_told_again_is_the_same_and_keeps_the_content_that_is_known() {
        assert_eq!(file(1, 2, None).over(file(1, 2, HASH)), Became::Same);
        assert_eq!(file(1, 2, HASH).over(file(1, 2, HASH)), Became::Same);
        assert_eq!(file(1, 2, HASH).over(file(1, 2, None)), Became::Changed(file(1, 2, HASH)));
    }

    #[test]
    fn a_file_that_was_written_has_an_unknown_content_until_somebody_reads_it() {
        for now in [file(9, 2, None), file(1, 3, None)] {
            assert_eq!(now.over(file(1, 2, HASH)), Became::Changed(now));
        }
    }

    #[test]
    fn another_kind_of_thing_is_another_thing() {
        let folder = Sight { kind: Kind::Folder, size: 0, mtime_ns: 2, hash: None };
        assert_eq!(folder.over(file(0, 2, None)), Became::Replaced);
        assert_eq!(file(0, 2, None).over(folder), Became::Replaced);
    }
}
