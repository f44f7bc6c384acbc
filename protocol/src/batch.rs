//! Many small acts in one request, and many small contents in one answer: the types, and the framing of both.
//!
//! A body of `application/x-holdfast-batch` is one record after another. A record is a header, a JSON object in one line that
//! ends with a line feed, and as many bytes of content behind it as the header's `size` says, none where it has no `size`.
//! Empty lines before a header are passed over. Nothing ends the body but its end: one that ends within a record has
//! broken off.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ContentHash;

/// The content type of such a body.
pub const CONTENT_TYPE: &str = "application/x-holdfast-batch";
/// Most records of one body.
pub const MOST_RECORDS: usize = 2_000;
/// Most bytes of one content. Larger ones travel by themselves.
pub const MOST_EACH: u64 = 1024 * 1024;
/// Most bytes of a whole body.
pub const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes of a header, its line feed not counted.
pub const MOST_HEADER: usize = 32 * 1024;

/// An act: the header of a record that is sent to `POST /api/drives/{drive}/batch`. Paths are written as everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum BatchAct {
    /// Writes a file; its content follows.
    Put(BatchPut),
    /// Makes a folder. One that is there is fine.
    Mkdir(BatchMkdir),
    /// Deletes a file, or a folder.
    Delete(BatchDelete),
    /// Moves a file or folder.
    Move(BatchMove),
}

impl BatchAct {
    /// Bytes of content that follow.
    pub const fn size(&self) -> u64 {
        match self {
            Self::Put(put) => put.size,
            Self::Mkdir(_) | Self::Delete(_) | Self::Move(_) => 0,
        }
    }
}

/// A file to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchPut {
    /// Where.
    pub path: String,
    /// Bytes of content that follow.
    pub size: u64,
    /// SHA-256 that the content must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// When it was last written, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// What it may replace: a content hash, or `*` for any file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<String>,
    /// `*`: only where no file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_none_match: Option<String>,
    /// Make missing folders above.
    #[serde(default)]
    pub parents: bool,
}

/// A folder to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchMkdir {
    /// Where.
    pub path: String,
    /// Make missing folders above.
    #[serde(default)]
    pub parents: bool,
}

/// Something to be deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchDelete {
    /// What.
    pub path: String,
    /// The content that it must have, or `*` for any file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// A folder only if it holds nothing, and no file in its place unless `expect` tells which.
    #[serde(default)]
    pub empty: bool,
}

/// Something to be moved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchMove {
    /// From here.
    pub from: String,
    /// To here.
    pub to: String,
    /// The content that `from` must have, or `*` for any file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// Replace what is at `to`; it goes to the trash.
    #[serde(default)]
    pub overwrite: bool,
    /// Make missing folders above `to`.
    #[serde(default)]
    pub parents: bool,
}

/// What became of an act: a line of the answer, as the act's place in the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    /// The status that a request of its own would have got: 200, 201 or 204 when it is done.
    pub status: u16,
    /// The file or folder that was written, made or moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// A file's content now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was last written, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// Number of the version in its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// `pending`: done and durable, but not in the plain folder yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Why it was not done: what a problem+json of its own would say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub problem: Option<Map<String, Value>>,
}

/// Files whose contents are wanted: the body of `POST /api/drives/{drive}/contents`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContentsWanted {
    /// The files, 2000 at most.
    pub files: Vec<ContentWanted>,
}

/// A file whose content is wanted, by its id or by its path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContentWanted {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The content that it must have by now; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
}

/// A content: the header of a record of that answer, in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ContentHeader {
    /// 200 when the content follows; else the status that a request of its own would have got.
    pub status: u16,
    /// Bytes of content that follow.
    pub size: u64,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// SHA-256 of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// When it was last written, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtime_ns: Option<i64>,
    /// Why no content follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub problem: Option<Map<String, Value>>,
}

/// A header is longer than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record's header is longer than {MOST_HEADER} bytes")]
pub struct HeaderTooLong;

/// Takes such a body apart while it arrives. Keeps what was fed and not taken: feed no more than is wanted at once.
#[derive(Debug, Default)]
pub struct Unpacker {
    held: Vec<u8>,
    /// Bytes at the beginning that were taken.
    taken: usize,
    /// Bytes behind these in which no line feed is.
    searched: usize,
}

impl Unpacker {
    /// Adds what has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.drain(..self.taken);
        self.taken = 0;
        self.held.extend_from_slice(bytes);
    }

    /// Whether nothing is left over: between two records, the body may end.
    pub fn is_empty(&self) -> bool {
        self.left().iter().all(|byte| is_blank(*byte))
    }

    /// The next header, once it is here as a whole.
    ///
    /// # Errors
    /// [`HeaderTooLong`].
    pub fn header(&mut self) -> Result<Option<&[u8]>, HeaderTooLong> {
        if self.searched == 0 {
            let blank = self.left().iter().take_while(|byte| is_blank(**byte)).count();
            self.taken += blank;
        }
        let found = self.left()[self.searched..].iter().position(|byte| *byte == b'\n');
        let length = found.map_or(self.left().len(), |at| self.searched + at);
        if length > MOST_HEADER {
            return Err(HeaderTooLong);
        }
        if found.is_none() {
            self.searched = length;
            return Ok(None);
        }
        self.searched = 0;
        let begin = self.taken;
        self.taken += length + 1;
        Ok(Some(&self.held[begin..begin + length]))
    }

    /// The next bytes as a content, once they are all here.
    pub fn content(&mut self, size: usize) -> Option<&[u8]> {
        let begin = self.taken;
        let content = self.held.get(begin..begin + size)?;
        self.taken += size;
        Some(content)
    }

    fn left(&self) -> &[u8] {
        &self.held[self.taken..]
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A record's header as it is sent; its content goes behind it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn header(of: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(of)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use proptest::prelude::*;

    use super::*;

    fn put(path: &str, size: usize) -> BatchAct {
        BatchAct::Put(BatchPut { path: path.to_owned(), size: size as u64, ..BatchPut::default() })
    }

    /// Takes all whole records, in steps of some bytes.
    fn unpack(body: &[u8], step: usize) -> (Vec<(BatchAct, Vec<u8>)>, bool) {
        let mut unpacker = Unpacker::default();
        let (mut records, mut waiting) = (Vec::new(), None::<BatchAct>);
        for bytes in body.chunks(step) {
            unpacker.feed(bytes);
            loop {
                if let Some(act) = waiting.take() {
                    match unpacker.content(usize::try_from(act.size()).unwrap()) {
                        Some(content) => records.push((act, content.to_vec())),
                        None => {
                            waiting = Some(act);
                            break;
                        }
                    }
                }
                match unpacker.header().unwrap() {
                    Some(line) => waiting = Some(serde_json::from_slice(line).unwrap()),
                    None => break,
                }
            }
        }
        (records, waiting.is_none() && unpacker.is_empty())
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_however_it_arrives(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            step in 1_usize..100,
            blank in 0_usize..3,
            cut in 0_usize..400,
        ) {
            let (mut body, mut ends) = (Vec::new(), vec![0]);
            let records: Vec<(BatchAct, Vec<u8>)> = contents
                .into_iter()
                .enumerate()
                .map(|(n, content)| (put(&format!("/{n}"), content.len()), content))
                .collect();
            for (act, content) in &records {
                body.extend(std::iter::repeat_n(b'\n', blank));
                body.extend(header(act).unwrap());
                body.extend(content);
                ends.push(body.len());
            }
            prop_assert_eq!(unpack(&body, step), (records.clone(), true));
            let cut = cut.min(body.len());
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let (found, complete) = unpack(&body[..cut], step);
            // An empty content is whole as soon as its header is.
            prop_assert_eq!(&found[..], &records[..whole]);
            let between = body[ends[whole]..cut].iter().all(|byte| *byte == b'\n');
            prop_assert_eq!(complete, between);
        }
    }

    #[test]
    fn a_header_that_never_ends_is_not_kept_for_ever() {
        let mut unpacker = Unpacker::default();
        unpacker.feed(&vec![b'x'; MOST_HEADER]);
        assert_eq!(unpacker.header(), Ok(None));
        unpacker.feed(b"x");
        assert_eq!(unpacker.header(), Err(HeaderTooLong));
    }

    #[test]
    fn a_plain_program_can_write_an_act() {
        let act: BatchAct = serde_json::from_str(r#"{"act": "put", "path": "/a", "size": 3}"#).unwrap();
        assert_eq!(act, put("/a", 3));
        let act: BatchAct =
            serde_json::from_str(r#"{"act": "delete", "path": "/a", "empty": true}"#).unwrap();
        let delete = BatchDelete { path: "/a".to_owned(), empty: true, expect: None };
        assert_eq!(act, BatchAct::Delete(delete));
        assert!(serde_json::from_str::<BatchAct>(r#"{"act": "put", "path": "/a"}"#).is_err(), "no size");
    }
}
