//! A sorted collection keyed by path in a compact layout: all paths in one text, entries in one vector. Manifests of
//! millions of entries, the server's tree and a device's agreements are held and merged in this form (P7).

use std::cmp::Ordering;

/// Entries by path (without leading slash), sorted by the bytes of the path. An entry costs its path, its value and
/// 6 bytes rounded up to the value's alignment.
#[derive(Debug, Clone)]
pub struct PathMap<T> {
    text: String,
    entries: Vec<Entry<T>>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    value: T,
    start: u32,
    length: u16,
}

/// Collects entries in any order for a [`PathMap`].
#[derive(Debug, Clone)]
pub struct PathMapBuilder<T>(PathMap<T>);

/// No room: a path beyond 65,535 bytes, or all paths together beyond 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many or too long paths for one collection")]
pub struct Full;

/// A path was pushed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} repeats the path of an earlier one")]
pub struct Repeated {
    /// How many entries were pushed before the repeating one.
    pub index: usize,
}

impl<T> PathMapBuilder<T> {
    /// An empty builder.
    pub const fn new() -> Self {
        Self(PathMap { text: String::new(), entries: Vec::new() })
    }

    /// An empty builder with room for that many entries.
    pub fn with_capacity(entries: usize) -> Self {
        Self(PathMap { text: String::new(), entries: Vec::with_capacity(entries) })
    }

    /// Adds an entry. Pushing in path order makes [`PathMapBuilder::finish`] cheap.
    ///
    /// # Errors
    /// [`Full`] beyond what the layout can address.
    pub fn push(&mut self, path: &str, value: T) -> Result<(), Full> {
        let start = u32::try_from(self.0.text.len()).map_err(|_| Full)?;
        let length = u16::try_from(path.len()).map_err(|_| Full)?;
        self.0.text.push_str(path);
        self.0.entries.push(Entry { value, start, length });
        Ok(())
    }

    /// How many entries were pushed.
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// True before the first push.
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// Sorts the entries.
    ///
    /// # Errors
    /// [`Repeated`] names the first entry whose path was pushed before.
    pub fn finish(self) -> Result<PathMap<T>, Repeated> {
        let PathMap { text, mut entries } = self.0;
        entries.sort_by(|a, b| key(&text, a).cmp(key(&text, b)));
        // The sort is stable and texts were appended in order, so of two equal paths the later one repeats.
        let repeated = entries
            .windows(2)
            .filter(|pair| key(&text, &pair[0]) == key(&text, &pair[1]))
            .map(|pair| pair[1].start)
            .min();
        match repeated {
            Some(start) => {
                Err(Repeated { index: entries.iter().filter(|entry| entry.start < start).count() })
            }
            None => Ok(PathMap { text, entries }),
        }
    }
}

impl<T> Default for PathMapBuilder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for PathMap<T> {
    fn default() -> Self {
        Self { text: String::new(), entries: Vec::new() }
    }
}

impl<T> PathMap<T> {
    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry's value at a path.
    pub fn get(&self, path: &str) -> Option<&T> {
        self.entries
            .binary_search_by(|entry| key(&self.text, entry).cmp(path))
            .ok()
            .map(|at| &self.entries[at].value)
    }

    /// All entries in path order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &T)> + ExactSizeIterator {
        self.entries.iter().map(|entry| (key(&self.text, entry), &entry.value))
    }

    /// The entries strictly beneath a folder, in path order. Beneath the root (`""`) are all but the root.
    pub fn beneath(&self, folder: &str) -> impl Iterator<Item = (&str, &T)> {
        let from = self.entries.partition_point(|entry| {
            let path = key(&self.text, entry);
            if folder.is_empty() {
                path.is_empty()
            } else {
                // Compared with "folder/" without building that text.
                let shared = path.len().min(folder.len());
                match path.as_bytes()[..shared].cmp(&folder.as_bytes()[..shared]) {
                    Ordering::Equal => path.as_bytes().get(folder.len()).is_none_or(|&next| next < b'/'),
                    unequal => unequal == Ordering::Less,
                }
            }
        });
        self.entries[from..]
            .iter()
            .map(|entry| (key(&self.text, entry), &entry.value))
            .take_while(move |(path, _)| crate::path::beneath(path, folder))
    }

    /// Bytes of memory held, for the bounds of P7.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry<T>>()
    }
}

fn key<'a, T>(text: &'a str, entry: &Entry<T>) -> &'a str {
    let start = entry.start as usize;
    &text[start..start + usize::from(entry.length)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn map(paths: &[&str]) -> Result<PathMap<usize>, Repeated> {
        let mut builder = PathMapBuilder::new();
        for (n, path) in paths.iter().enumerate() {
            builder.push(path, n).unwrap();
        }
        builder.finish()
    }

    #[test]
    fn the_first_repeating_entry_is_named() {
        assert_eq!(map(&["b", "a", "b", "a"]).unwrap_err(), Repeated { index: 2 });
        assert_eq!(map(&["z", "a", "a", "z", "z"]).unwrap_err(), Repeated { index: 2 });
    }

    #[test]
    fn names_that_sort_around_the_slash_are_not_taken_for_children() {
        let found = map(&["a", "a b", "a.txt", "a/x", "a/y/z", "a0", "ab"]).unwrap();
        assert_eq!(found.beneath("a").map(|(path, _)| path).collect::<Vec<_>>(), ["a/x", "a/y/z"]);
        assert_eq!(found.beneath("").count(), 7);
        assert_eq!(found.beneath("c").count(), 0);
    }

    proptest! {
        #[test]
        fn it_answers_as_an_ordinary_map_does(
            wanted in prop::collection::btree_map("[ab.]{1,2}(/[ab.]{1,2}){0,2}", 0..9_usize, 0..40),
            asked in "[ab.]{1,2}(/[ab.]{1,2}){0,1}",
        ) {
            let mut builder = PathMapBuilder::new();
            for (path, &value) in wanted.iter().rev() {
                builder.push(path, value).unwrap();
            }
            let built = builder.finish().unwrap();
            let model: BTreeMap<&str, &usize> = wanted.iter().map(|(path, value)| (path.as_str(), value)).collect();
            prop_assert_eq!(built.iter().collect::<Vec<_>>(), model.iter().map(|(p, v)| (*p, *v)).collect::<Vec<_>>());
            prop_assert_eq!(built.get(&asked), model.get(asked.as_str()).copied());
            let inside = format!("{asked}/");
            let expected: Vec<_> = model.iter().filter(|(p, _)| p.starts_with(&inside)).map(|(p, v)| (*p, *v)).collect();
            prop_assert_eq!(built.beneath(&asked).collect::<Vec<_>>(), expected);
        }
    }
}
