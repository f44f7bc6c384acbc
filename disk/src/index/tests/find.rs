//! Looking for entries.

use super::*;

fn found(text: &str, paths: &[&str]) -> Vec<String> {
    let pattern = Pattern::new(text);
    paths.iter().filter(|path| pattern.matches(path)).map(|&path| path.to_owned()).collect()
}

#[test]
fn names_are_found_by_a_part_or_a_pattern_whatever_their_case_and_composition() {
    let paths = ["2024/Beach.JPG", "beach/x.txt", "Cafe\u{301}.txt", "a*b", "über.jpg"];
    assert_eq!(found("beach", &paths), ["2024/Beach.JPG"], "a folder's name is not its files'");
    assert_eq!(found("CAFÉ", &paths), ["Cafe\u{301}.txt"]);
    assert_eq!(found("*.jpg", &paths), ["2024/Beach.JPG", "über.jpg"]);
    assert_eq!(found("?ber.jpg", &paths), ["über.jpg"]);
    assert_eq!(found("caf?.txt", &paths), ["Cafe\u{301}.txt"], "one letter, however it is composed");
    assert_eq!(found("be*", &paths), ["2024/Beach.JPG"]);
    assert_eq!(found("each*", &paths), Vec::<String>::new(), "a pattern is of the whole name");
    assert_eq!(found("beach/", &paths), ["beach/x.txt"]);
    assert_eq!(found("2024/*", &paths), ["2024/Beach.JPG"]);
    assert_eq!(found("*", &paths).len(), paths.len());
}

#[test]
fn a_pattern_of_many_stars_takes_no_longer_than_it_should() {
    let pattern = Pattern::new(&"*a".repeat(100));
    assert!(!pattern.matches(&"a".repeat(99)));
    assert!(!pattern.matches(&format!("{}b", "a".repeat(200))));
    assert!(pattern.matches(&"a".repeat(200)));
}

proptest! {
    #[test]
    fn a_pattern_matches_as_its_definition_says(pattern in "[ab*?é]{0,6}", text in "[abé]{0,6}") {
        fn slow(pattern: &[char], text: &[char]) -> bool {
            match (pattern.split_first(), text.split_first()) {
                (None, None) => true,
                (Some(('*', rest)), None) => slow(rest, text),
                (Some(('*', rest)), Some((_, after))) => slow(rest, text) || slow(pattern, after),
                (Some(('?', rest)), Some((_, after))) => slow(rest, after),
                (Some((p, rest)), Some((t, after))) => p == t && slow(rest, after),
                _ => false,
            }
        }
        if pattern.contains(['*', '?']) {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Pattern::new(&pattern).matches(&text), slow(&letters(&pattern), &letters(&text)));
        }
    }
}

#[test]
fn all_that_is_asked_for_has_to_hold() {
    let mut entry = a_file("2024/beach.jpg", b"12345");
    entry.mtime_ns = 100;
    let folder = Entry::new(DrivePath::parse("2024").unwrap(), Kind::Folder);
    let asked = Query { name: Some(Pattern::new("beach")), hash: entry.sha256, ..Query::default() };
    assert!(asked.matches(&entry));
    let other = Query { hash: a_file("x", b"other").sha256, ..asked.clone() };
    assert!(!other.matches(&entry));
    let sized = |min_size, max_size| Query { min_size, max_size, ..Query::default() };
    assert!(sized(Some(5), Some(5)).matches(&entry) && !sized(Some(6), None).matches(&entry));
    assert!(!sized(None, Some(4)).matches(&entry) && !sized(Some(0), None).matches(&folder));
    let timed = |since_ns, before_ns| Query { since_ns, before_ns, ..Query::default() };
    assert!(timed(Some(100), Some(101)).matches(&entry) && !timed(Some(101), None).matches(&entry));
    assert!(!timed(None, Some(100)).matches(&entry));
    let folders = Query { kind: Some(Kind::Folder), ..Query::default() };
    assert!(folders.matches(&folder) && !folders.matches(&entry));
}

proptest! {
    #[test]
    fn an_index_in_memory_answers_as_a_look_at_each_entry_does(entries in some_entries(20), pick in any::<prop::sample::Index>()) {
        let bytes = written(&entries);
        let lookup = Lookup::load(IndexReader::new(&bytes[..]).unwrap(), 100).unwrap();
        prop_assert_eq!(lookup.entries(), &entries[..]);
        prop_assert_eq!(lookup.header(), &a_header());
        if let Some(one) = entries.get(pick.index(entries.len().max(1))).filter(|one| one.kind == Kind::File) {
            let paths = |found: Vec<&Entry>| {
                let mut paths: Vec<_> = found.iter().map(|entry| entry.path.clone()).collect();
                paths.sort();
                paths
            };
            let each = |is: &dyn Fn(&Entry) -> bool| paths(entries.iter().filter(|entry| is(entry)).collect());
            if let Some(hash) = one.sha256 {
                prop_assert_eq!(paths(lookup.with_hash(&hash).collect()), each(&|e| e.sha256 == Some(hash)));
            }
            let size = 0..=one.size;
            prop_assert_eq!(
                paths(lookup.of_size(size.clone()).collect()),
                each(&|e| e.kind == Kind::File && size.contains(&e.size))
            );
            let time = one.mtime_ns..=i64::MAX;
            prop_assert_eq!(
                paths(lookup.written(time.clone()).collect()),
                each(&|e| e.kind == Kind::File && time.contains(&e.mtime_ns))
            );
        }
    }
}

#[test]
fn an_index_that_is_too_large_or_not_whole_is_not_held_in_memory() {
    let entries: Vec<Entry> = (0..5).map(|n| a_file(&format!("{n}"), b"x")).collect();
    let bytes = written(&entries);
    let of = |bytes: &[u8], most| {
        Lookup::load(IndexReader::new(bytes).unwrap(), most).map(|lookup| lookup.entries().len())
    };
    assert_eq!(of(&bytes, 5).unwrap(), 5);
    assert!(matches!(of(&bytes, 4), Err(IndexError::TooMany(4))));
    assert!(matches!(of(&bytes[..bytes.len() - 9], 5), Err(IndexError::Torn { .. })));
    let turned = Lookup::load(IndexReader::new(&bytes[..]).unwrap(), 5).unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "whoever asks may be wrong")]
    let none = turned.of_size(9..=1).count();
    assert_eq!(none, 0);
}
