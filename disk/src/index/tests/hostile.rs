//! Files that mean harm: refused or skipped, with bounded memory and little reading.

use std::io::{self, BufReader, Read};

use super::*;

/// Yields a beginning, and then the same piece again and again, up to so many bytes; counts what was asked for.
struct Endless<'e> {
    begin: &'e [u8],
    piece: &'e [u8],
    at: usize,
    left: u64,
    given: u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let from = if self.begin.is_empty() { &self.piece[self.at..] } else { self.begin };
        let count = from.len().min(buffer.len()).min(usize::try_from(self.left).unwrap());
        buffer[..count].copy_from_slice(&from[..count]);
        if self.begin.is_empty() {
            self.at = (self.at + count) % self.piece.len();
        } else {
            self.begin = &self.begin[count..];
        }
        self.left -= count as u64;
        self.given += count as u64;
        Ok(count)
    }
}

const GIB: u64 = 1 << 30;

fn first_line() -> Vec<u8> {
    let bytes = written(&[]);
    bytes[..bytes.iter().position(|&b| b == b'\n').unwrap() + 1].to_vec()
}

/// How much of a gigabyte that begins so and goes on so was read before it was refused, and why.
fn refused(begin: &[u8], piece: &[u8]) -> (u64, IndexError) {
    let mut from = BufReader::with_capacity(4096, Endless { begin, piece, at: 0, left: GIB, given: 0 });
    let error = match IndexReader::new(&mut from) {
        Err(error) => error,
        Ok(mut reader) => reader.find_map(Result::err).unwrap(),
    };
    (from.get_ref().given, error)
}

#[test]
fn a_gigabyte_that_is_no_index_costs_one_line() {
    for (begin, piece) in [
        (&b""[..], &b"x"[..]),
        (b"", b"["),
        (b"", b"{\"a\":"),
        (b"{\"format\":\"holdfast-index\",\"name\":\"", b"n"),
        (b"{\"format\":\"holdfast-index\",\"x\":", b"["),
    ] {
        let (read, error) = refused(begin, piece);
        assert!(read <= 2 * MAX_LINE as u64, "{read} bytes for {error}");
        assert!(matches!(error, IndexError::Foreign(_)), "{error}");
    }
}

#[test]
fn a_gigabyte_without_an_end_of_line_costs_one_line() {
    for piece in [&b"["[..], b"x", b" ", b"{\"path\":", b"{\"path\":\"a", b"\0"] {
        let (read, error) = refused(&first_line(), piece);
        assert!(read <= 3 * MAX_LINE as u64, "{read} bytes for {error}");
        assert!(matches!(error, IndexError::Broken { line: 2, .. }), "{error}");
    }
}

#[test]
fn a_gigabyte_of_bad_entries_is_given_up() {
    for piece in [
        &b"{\"path\":\"../x\",\"kind\":\"file\"},\n"[..],
        b"{\"path\":\"a\",\"kind\":\"file\"},\n",
        b"{},\n",
        b"[],\n",
        b"1,\n",
    ] {
        let (read, error) = refused(&first_line(), piece);
        assert!(read <= (MAX_BAD + 1000) * piece.len() as u64 + 16_384, "{read} bytes for {error}");
        let IndexError::Broken { line, why } = error else { panic!("{error}") };
        assert!(line > MAX_BAD && why.len() < 1000, "{line} {why}");
    }
}

/// One entry among good ones; what of it was skipped, and why.
fn beside_good_ones(line: &str) -> (Vec<String>, Vec<Bad>) {
    let good = written(&[a_file("a", b"a"), a_file("z", b"z")]);
    let mut lines: Vec<&str> = std::str::from_utf8(&good).unwrap().lines().collect();
    let with_comma = format!("{line},");
    lines.insert(2, &with_comma);
    let text = lines.join("\n").replace("\"entries\":2", "\"entries\":3") + "\n";
    let mut reader = IndexReader::new(text.as_bytes()).unwrap();
    let paths = reader.by_ref().map(|entry| entry.unwrap().path.as_str().to_owned()).collect();
    assert!(!reader.is_intact());
    assert_eq!(reader.bad(), reader.told().len() as u64);
    (paths, reader.told().to_vec())
}

#[test]
fn a_bad_entry_is_skipped_and_told_and_the_others_are_read() {
    let long = "n".repeat(256);
    let deep = vec!["d"; 3000].join("/");
    let hash = "0".repeat(64);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (line, why) in [
        (r#"{"path":"../../etc/passwd","kind":"file"}"#.to_owned(), "component"),
        (r#"{"path":"/etc/passwd","kind":"file"}"#.to_owned(), "slash"),
        (r#"{"path":"b/","kind":"folder"}"#.to_owned(), "slash"),
        (r#"{"path":"b//c","kind":"file"}"#.to_owned(), "empty"),
        (r#"{"path":"","kind":"folder"}"#.to_owned(), "drive itself"),
        (r#"{"path":"b/.","kind":"file"}"#.to_owned(), "component"),
        (r#"{"path":"b\u0000c","kind":"file"}"#.to_owned(), "NUL"),
        (r#"{"path":".Holdfast/drive.json","kind":"file"}"#.to_owned(), "reserved"),
        (format!(r#"{{"path":"{long}","kind":"file"}}"#), "255"),
        (format!(r#"{{"path":"{deep}","kind":"file"}}"#), "4096"),
        (r#"{"path":5,"kind":"file"}"#.to_owned(), "invalid type"),
        (r#"{"kind":"file"}"#.to_owned(), "missing field"),
        (r#"{"path":"b","path":"c","kind":"file"}"#.to_owned(), "duplicate field"),
        (r#"{"path":"b","kind":"socket"}"#.to_owned(), "unknown variant"),
        (r#"{"path":"b","kind":"file","size":-1}"#.to_owned(), "invalid value"),
        (r#"{"path":"b","kind":"file","size":1e30}"#.to_owned(), "invalid type"),
        (r#"{"path":"b","kind":"file","sha256":"abc"}"#.to_owned(), "64 hexadecimal digits"),
        (format!(r#"{{"path":"b","kind":"file","size":3,"sha256":"{empty}"}}"#), "empty file"),
        (format!(r#"{{"path":"b","kind":"folder","sha256":"{hash}"}}"#), "no content"),
        (r#"{"path":"b","kind":"file","hashed_at":"yesterday"}"#.to_owned(), ""),
        (r#"{"path":"a","kind":"file"}"#.to_owned(), "twice"),
        (r#"{"path":"A","kind":"file"}"#.to_owned(), "order"),
        ("[]".to_owned(), "invalid"),
        ("null".to_owned(), "invalid type"),
    ] {
        let (paths, bad) = beside_good_ones(&line);
        assert_eq!(paths, ["a", "z"], "{line}");
        assert_eq!((bad.len(), bad[0].line), (1, 3), "{line}");
        assert!(bad[0].why.contains(why), "{line}: {}", bad[0].why);
    }
}

#[test]
fn what_is_not_known_is_passed_over() {
    let (paths, bad) = beside_good_ones(r#"{"colour":{"r":[1,2]},"path":"b","kind":"file","mtime_ns":-5}"#);
    assert_eq!((paths.len(), bad.len()), (3, 0));
}

#[test]
fn deep_nesting_costs_no_more_than_its_line() {
    let deep = |open: &str, close: &str| format!(r#""x":{}1{}"#, open.repeat(10_000), close.repeat(10_000));
    for deep in [deep("[", "]"), deep("{\"a\":", "}")] {
        let (paths, bad) = beside_good_ones(&format!(r#"{{{deep},"path":"b","kind":"file"}}"#));
        assert_eq!((paths.len(), bad.len()), (3, 0));
    }
    let (paths, bad) = beside_good_ones(&format!(
        r#"{{"path":{}1{},"kind":"file"}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    ));
    assert_eq!((paths.len(), bad.len()), (2, 1));
}

#[test]
fn a_damaged_structure_is_refused_with_its_line() {
    let good = String::from_utf8(written(&[a_file("a", b"a"), a_file("b", b"b")])).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    for (text, line) in [
        (join(&[lines[0], lines[2], lines[2], lines[3]]), 2),
        (join(&[lines[0], lines[1], lines[1], lines[3]]), 4),
        (join(&[lines[0], lines[1], "garbage", lines[3]]), 3),
        (join(&[lines[0], lines[1], "", lines[2], lines[3]]), 3),
        (join(&[lines[0], lines[1], "{\"path\":\"b\",\"kind\":\"file", lines[3]]), 3),
        (join(&[lines[0], lines[1], lines[2], lines[3], ""]), 4),
        (join(&[lines[0], lines[1], lines[2], lines[3], lines[3]]), 4),
        (join(&[lines[0], lines[1], lines[2], "],\"end\":{}}"]), 4),
        (join(&[lines[0], lines[1], lines[2], "],\"end\":{"]), 4),
    ] {
        let (_, outcome) = read(text.as_bytes());
        let Err(IndexError::Broken { line: at, .. }) = outcome else { panic!("{outcome:?} for {text}") };
        assert_eq!(at, line, "{text}");
    }
}

#[test]
fn other_formats_and_other_versions_are_told_apart() {
    let good = String::from_utf8(written(&[])).unwrap();
    let of = |text: &str| IndexReader::new(text.as_bytes()).err();
    let later = good.replace("\"format_version\":1", "\"format_version\":2");
    assert!(matches!(of(&later), Some(IndexError::TooNew(2))));
    let others = [
        String::new(),
        "{}\n".to_owned(),
        "<html>\n".to_owned(),
        good.replace("holdfast-index", "holdfast-import"),
        good.replace("\"format_version\":1", "\"format_version\":0"),
        good.replace("\"format_version\":1", "\"format_version\":-1"),
        good.replace("\"entries\":[", "\"files\":["),
    ];
    for other in &others {
        assert!(matches!(of(other), Some(IndexError::Foreign(_))), "{other}");
    }
    let nameless = good.replace("\"drive_id\"", "\"drive\"");
    assert!(matches!(of(&nameless), Some(IndexError::Broken { line: 1, .. })));
}

#[test]
fn what_a_file_says_does_not_fill_a_message() {
    let (_, bad) = beside_good_ones(&format!(r#"{{"path":"b","kind":"{}"}}"#, "k".repeat(60_000)));
    assert!(bad[0].why.len() < 300, "{}", bad[0].why.len());
}
