//! What is looked for in an index.

use holdfast_protocol::{ContentHash, fold_key};

use super::master::{Entry, Kind};

/// A part of a name, or a pattern of a whole one. Case and composition do not count: `Café` is found by `cafe\u{301}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    is_whole: bool,
    is_path: bool,
}

impl Pattern {
    /// Reads a pattern. With `*` (any letters) or `?` (one letter) it is that of a whole name, otherwise a part of it; with a slash
    /// in it, of the path instead.
    pub fn new(text: &str) -> Self {
        Self { text: fold_key(text), is_whole: text.contains(['*', '?']), is_path: text.contains('/') }
    }

    /// Whether a path, or its last name, is meant.
    pub fn matches(&self, path: &str) -> bool {
        let text = if self.is_path { path } else { path.rsplit('/').next().unwrap_or(path) };
        let text = fold_key(text);
        if self.is_whole { glob(self.text.as_bytes(), &text) } else { text.contains(&self.text) }
    }
}

/// Whether a text is of a pattern. Takes no longer than both their lengths multiplied.
fn glob(pattern: &[u8], text: &str) -> bool {
    let bytes = text.as_bytes();
    // How long the letter is that begins there.
    let letter = |at: usize| text[at..].chars().next().map_or(1, char::len_utf8);
    let (mut p, mut t) = (0, 0);
    // After the last star: what follows it in the pattern, and from where on it is looked for.
    let mut star: Option<(usize, usize)> = None;
    while t < bytes.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(b'?') => {
                p += 1;
                t += letter(t);
            }
            Some(&b) if b == bytes[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    let from = from + letter(from);
                    star = Some((after, from));
                    (p, t) = (after, from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// What is looked for. What is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What it is called.
    pub name: Option<Pattern>,
    /// What its content is.
    pub hash: Option<ContentHash>,
    /// What it is.
    pub kind: Option<Kind>,
    /// Bytes at least; then it is a file.
    pub min_size: Option<u64>,
    /// Bytes at most; then it is a file.
    pub max_size: Option<u64>,
    /// Written then or later, in nanoseconds since 1970.
    pub since_ns: Option<i64>,
    /// Written before that, in nanoseconds since 1970.
    pub before_ns: Option<i64>,
}

impl Query {
    /// Whether an entry is what is looked for.
    pub fn matches(&self, entry: &Entry) -> bool {
        let asks_size = self.min_size.is_some() || self.max_size.is_some();
        self.hash.is_none_or(|hash| entry.sha256 == Some(hash))
            && self.kind.is_none_or(|kind| entry.kind == kind)
            && (!asks_size || entry.kind == Kind::File)
            && self.min_size.is_none_or(|least| entry.size >= least)
            && self.max_size.is_none_or(|most| entry.size <= most)
            && self.since_ns.is_none_or(|since| entry.mtime_ns >= since)
            && self.before_ns.is_none_or(|before| entry.mtime_ns < before)
            && self.name.as_ref().is_none_or(|name| name.matches(entry.path.as_str()))
    }
}
