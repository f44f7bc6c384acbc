//! The layout that all index files share: JSON that anybody can read, and one entry a line, so that it is written and read
//! as a stream, and can be searched with `grep`.
//!
//! ```text
//! {"format":"holdfast-index","format_version":1,..,"entries":[
//! {"path":"a.txt",..},
//! {"path":"b.txt",..}
//! ],"end":{"entries":2,..,"sha256":".."}}
//! ```
//!
//! The last line proves that the file is whole: it counts the entries, and has the SHA-256 of all bytes before it.

use std::fs::File;
use std::io::{self, BufRead, Read as _, Write};
use std::os::unix::fs::FileExt as _;

use holdfast_protocol::ContentHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{IndexError, reason};
use crate::Hasher;

/// Longest line, in bytes with its end. A path of 4,096 bytes of which each has to be escaped is some 24 KiB.
pub const MAX_LINE: usize = 64 * 1024;
/// A file with more bad entries than this is not worth reading on.
pub const MAX_BAD: u64 = 10_000;
/// Of so many bad entries it is told where they are and what is wrong.
const TOLD: usize = 20;

/// What kind of index file it is.
pub trait Format {
    /// What `format` says in the header.
    const NAME: &'static str;
    /// The version that is written; a higher one is not understood.
    const VERSION: u64 = 1;
    /// What the list of entries is called.
    const LIST: &'static str;
    /// What is known of all entries, but for `format` and `format_version`.
    type Header: Serialize + DeserializeOwned;
    /// One line.
    type Entry: Serialize + DeserializeOwned;
    /// What the end says of all entries.
    type Totals: Serialize + DeserializeOwned + Default + PartialEq + Clone;
    /// What of an entry decides whether another may follow it.
    type Key;

    /// Adds an entry to the totals.
    fn add(totals: &mut Self::Totals, entry: &Self::Entry);

    /// Takes what the entries do not tell from what was written at the end.
    fn complete(totals: &mut Self::Totals, said: &Self::Totals);

    /// What decides whether another may follow.
    fn key(entry: &Self::Entry) -> Self::Key;

    /// Whether an entry may stand there.
    ///
    /// # Errors
    /// Why not.
    fn check(entry: &Self::Entry, before: Option<&Self::Key>) -> Result<(), &'static str>;
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End<T> {
    /// How many lines there are between the first and this one.
    pub entries: u64,
    /// What they come to.
    #[serde(flatten)]
    pub totals: T,
    /// Of all bytes before this line.
    pub sha256: ContentHash,
}

#[derive(Serialize)]
struct Head<'h, H> {
    format: &'static str,
    format_version: u64,
    #[serde(flatten)]
    header: &'h H,
}

#[derive(Deserialize)]
struct Mark {
    format: String,
    format_version: u64,
}

/// Writes an index file entry by entry; memory does not grow with their number.
pub struct Writer<W, F: Format> {
    to: W,
    hasher: Hasher,
    line: Vec<u8>,
    entries: u64,
    totals: F::Totals,
    before: Option<F::Key>,
}

impl<W: Write, F: Format> Writer<W, F> {
    /// Begins a file.
    ///
    /// # Errors
    /// `InvalidInput` for a header that is too long; what the writer says.
    pub fn new(to: W, header: &F::Header) -> io::Result<Self> {
        let mut line = serde_json::to_vec(&Head { format: F::NAME, format_version: F::VERSION, header })?;
        line.pop();
        let mut writer =
            Self { to, hasher: Hasher::new(), line, entries: 0, totals: F::Totals::default(), before: None };
        writer.line.extend_from_slice(opening::<F>().as_bytes());
        writer.put()?;
        Ok(writer)
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// `InvalidInput` for an entry that may not stand there or is too long; what the writer says.
    pub fn push(&mut self, entry: &F::Entry) -> io::Result<()> {
        F::check(entry, self.before.as_ref())
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        self.line.clear();
        if self.entries > 0 {
            self.line.extend_from_slice(b",\n");
        }
        serde_json::to_writer(&mut self.line, entry)?;
        self.put()?;
        self.entries += 1;
        F::add(&mut self.totals, entry);
        self.before = Some(F::key(entry));
        Ok(())
    }

    /// What the entries come to, for what they do not tell themselves.
    pub fn totals(&mut self) -> &mut F::Totals {
        &mut self.totals
    }

    /// Writes the end. Without it the file is torn.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<(W, End<F::Totals>)> {
        self.line.clear();
        self.line.extend_from_slice(if self.entries > 0 { b"\n" } else { b"" });
        self.put()?;
        let end = End { entries: self.entries, totals: self.totals, sha256: self.hasher.finish() };
        self.to.write_all(b"],\"end\":")?;
        self.to.write_all(&serde_json::to_vec(&end)?)?;
        self.to.write_all(b"}\n")?;
        self.to.flush()?;
        Ok((self.to, end))
    }

    fn put(&mut self) -> io::Result<()> {
        // The comma and the line's end before it count as well, which is nearer to the bound than a reader is.
        if self.line.len() >= MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "longer than a line of an index may be"));
        }
        self.hasher.update(&self.line);
        self.to.write_all(&self.line)
    }
}

/// How the first line ends, with the line's end.
fn opening<F: Format>() -> String {
    format!(",\"{}\":[\n", F::LIST)
}

/// An entry that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Reads an index file entry by entry. Whatever the file holds: no line beyond [`MAX_LINE`] is taken in, nothing else is
/// kept, and the first thing wrong with the structure ends it. An entry that is bad by itself is counted and skipped.
pub struct Reader<R, F: Format> {
    from: R,
    hasher: Hasher,
    line: Vec<u8>,
    number: u64,
    position: u64,
    header: F::Header,
    entries: u64,
    totals: F::Totals,
    before: Option<F::Key>,
    bad: u64,
    told: Vec<Bad>,
    next: Next,
    end: Option<End<F::Totals>>,
    is_intact: bool,
}

/// What may come.
#[derive(PartialEq, Eq)]
enum Next {
    First,
    Entry,
    End,
    Nothing,
}

impl<R: BufRead, F: Format> Reader<R, F> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`IndexError`] for what is no index file of this kind.
    pub fn new(mut from: R) -> Result<Self, IndexError> {
        let (mut hasher, mut line) = (Hasher::new(), Vec::new());
        let foreign = |why: &str| IndexError::Foreign(why.to_owned());
        if !take_line(&mut from, &mut line)? {
            // What was cut off so early may have been anything; only a beginning like ours is told as ours.
            let ours = format!("{{\"format\":\"{}\",", F::NAME);
            let is_ours = !line.is_empty() && line.len() < MAX_LINE && line.starts_with(ours.as_bytes());
            return Err(if is_ours {
                IndexError::Torn { line: 0 }
            } else {
                foreign("its first line is not")
            });
        }
        hasher.update(&line);
        let opening = opening::<F>();
        let text = line.trim_ascii_end().strip_suffix(opening.trim_ascii_end().as_bytes());
        let mut text = text.ok_or_else(|| foreign("its first line is not"))?.to_vec();
        text.push(b'}');
        let mark: Mark = serde_json::from_slice(&text).map_err(|e| IndexError::Foreign(reason(&e)))?;
        if mark.format != F::NAME || mark.format_version == 0 {
            return Err(foreign(&format!("it does not say that it is {}", F::NAME)));
        }
        if mark.format_version > F::VERSION {
            return Err(IndexError::TooNew(mark.format_version));
        }
        let header = serde_json::from_slice(&text).map_err(|e| IndexError::broken(1, reason(&e)))?;
        Ok(Self {
            from,
            hasher,
            line,
            number: 1,
            position: 0,
            header,
            entries: 0,
            totals: F::Totals::default(),
            before: None,
            bad: 0,
            told: Vec::new(),
            next: Next::First,
            end: None,
            is_intact: false,
        })
    }

    /// What is known of all entries.
    pub fn header(&self) -> &F::Header {
        &self.header
    }

    /// Where the line of the entry before begins, in bytes from the beginning of the file.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// What it reads from.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// How many entries were skipped so far.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// The first of them.
    pub fn told(&self) -> &[Bad] {
        &self.told
    }

    /// What the end says; `None` until it was reached: what was read before is not known to be whole.
    pub fn end(&self) -> Option<&End<F::Totals>> {
        self.end.as_ref()
    }

    /// Whether every byte is as it was written, and the end counts what there is. False until the end was reached.
    pub fn is_intact(&self) -> bool {
        self.is_intact
    }

    fn step(&mut self) -> Result<Option<F::Entry>, IndexError> {
        while self.next != Next::Nothing {
            self.position += self.line.len() as u64;
            if !take_line(&mut self.from, &mut self.line)? {
                if self.line.len() >= MAX_LINE {
                    return Err(IndexError::broken(self.number + 1, "longer than a line of an index may be"));
                }
                return Err(IndexError::Torn { line: self.number });
            }
            self.number += 1;
            let text = self.line.trim_ascii();
            if let Some(end) = text.strip_prefix(b"],\"end\":") {
                let end = end.strip_suffix(b"}").map(<[u8]>::to_vec);
                self.finish(end.as_deref())?;
                return Ok(None);
            }
            if self.next == Next::End {
                return Err(IndexError::broken(self.number - 1, "there is no comma before the next entry"));
            }
            let (text, next) = match text.strip_suffix(b",") {
                Some(text) => (text, Next::Entry),
                None => (text, Next::End),
            };
            let read = serde_json::from_slice::<F::Entry>(text);
            self.hasher.update(&self.line);
            self.next = next;
            self.entries += 1;
            let why = match read {
                Ok(entry) => match F::check(&entry, self.before.as_ref()) {
                    Ok(()) => {
                        F::add(&mut self.totals, &entry);
                        self.before = Some(F::key(&entry));
                        return Ok(Some(entry));
                    }
                    Err(why) => why.to_owned(),
                },
                // Understood as JSON, and not as an entry.
                Err(e) if e.is_data() => reason(&e),
                Err(e) => return Err(IndexError::broken(self.number, reason(&e))),
            };
            self.skip(why)?;
        }
        Ok(None)
    }

    fn skip(&mut self, why: String) -> Result<(), IndexError> {
        self.bad += 1;
        if self.bad > MAX_BAD {
            let why = format!("more than {MAX_BAD} entries are bad, this one, too: {why}");
            return Err(IndexError::broken(self.number, why));
        }
        if self.told.len() < TOLD {
            self.told.push(Bad { line: self.number, why });
        }
        Ok(())
    }

    fn finish(&mut self, text: Option<&[u8]>) -> Result<(), IndexError> {
        let broken = |why: String| Err(IndexError::broken(self.number, why));
        let Some(text) = text else { return broken("the end is not closed".to_owned()) };
        if self.next == Next::Entry {
            return broken("there is a comma, and no entry after it".to_owned());
        }
        let end: End<F::Totals> = match serde_json::from_slice(text) {
            Ok(end) => end,
            Err(e) => return broken(reason(&e)),
        };
        if end.entries != self.entries {
            return broken(format!("the end counts {} entries, and there are {}", end.entries, self.entries));
        }
        if !self.from.fill_buf()?.is_empty() {
            return broken("something follows the end".to_owned());
        }
        let mut totals = self.totals.clone();
        F::complete(&mut totals, &end.totals);
        let hash = std::mem::take(&mut self.hasher).finish();
        self.is_intact = self.bad == 0 && hash == end.sha256 && totals == end.totals;
        self.next = Next::Nothing;
        self.end = Some(end);
        Ok(())
    }
}

impl<R: BufRead, F: Format> Iterator for Reader<R, F> {
    type Item = Result<F::Entry, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.next = Next::Nothing;
        }
        step.transpose()
    }
}

/// The entry whose line begins there; `None` where none does.
pub(super) fn entry_at<F: Format>(file: &File, position: u64) -> Option<F::Entry> {
    let mut line = vec![0; MAX_LINE];
    let mut length = 0;
    // Most lines are short, and few are long.
    for most in [1024, MAX_LINE] {
        length += file.read_at(&mut line[length..most], position + length as u64).ok()?;
        if let Some(end) = line[..length].iter().position(|&b| b == b'\n') {
            let text = line[..end].trim_ascii();
            return serde_json::from_slice(text.strip_suffix(b",").unwrap_or(text)).ok();
        }
    }
    None
}

/// Takes in the next line with its end, and never more than [`MAX_LINE`]. False: there is no end of a line within that.
fn take_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    from.take(MAX_LINE as u64).read_until(b'\n', line)?;
    Ok(line.last() == Some(&b'\n'))
}
