//! Why an index file is not used.

use std::io;

/// Longest reason that is told; a hostile file does not fill a log.
const LONGEST: usize = 200;

/// Why an index file is not used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is none.
    #[error("there is no index (.holdfast/index.json)")]
    Absent,
    /// It is something else, perhaps another program's.
    #[error("this is no index of Holdfast: {0}")]
    Foreign(String),
    /// Written by a later version of Holdfast.
    #[error("the index has format version {0}, which this version of Holdfast does not know")]
    TooNew(u64),
    /// Its structure is damaged; nothing of it counts from there on.
    #[error("the index is damaged at line {line}: {why}")]
    Broken {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// It ends before its end: whoever wrote or copied it did not get through.
    #[error("the index ends after line {line}, before its end: it was not written or copied whole")]
    Torn {
        /// The last whole line, counted from 1; 0 for none.
        line: u64,
    },
    /// Longer than anything that is read.
    #[error("the index has {0} bytes, more than is read")]
    TooLong(u64),
    /// More entries than are held in memory.
    #[error("the index has more than {0} entries, more than are held in memory")]
    TooMany(u64),
    /// It could not be read.
    #[error("the index cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl IndexError {
    /// A structure that is damaged there.
    pub(super) fn broken(line: u64, why: impl Into<String>) -> Self {
        Self::Broken { line, why: why.into() }
    }
}

/// What is wrong with one line, without the position that means nothing outside of it, and never longer than is told.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why);
    let cut = text.char_indices().nth(LONGEST).map_or(text, |(at, _)| &text[..at]);
    format!("{cut} (column {})", error.column())
}
