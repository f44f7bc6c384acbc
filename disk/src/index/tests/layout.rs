//! What is written is read, and what is not whole is noticed.

use std::cmp::Ordering;
use std::io;

use super::*;

#[test]
fn an_index_is_one_json_document_with_an_entry_a_line() {
    let bytes = written(&[a_file("a.txt", b"a"), Entry::new(DrivePath::parse("b").unwrap(), Kind::Folder)]);
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with(r#"{"format":"holdfast-index","format_version":1,"drive_id":"#), "{text}");
    assert!(lines[1].starts_with(r#"{"path":"a.txt","kind":"file","size":1,"#), "{text}");
    assert!(lines[2].starts_with(r#"{"path":"b","kind":"folder","#), "{text}");
    let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["entries"].as_array().unwrap().len(), 2);
    assert_eq!((&whole["end"]["files"], &whole["end"]["folders"]), (&1.into(), &1.into()));
    let none: serde_json::Value = serde_json::from_slice(&written(&[])).unwrap();
    assert_eq!(none["entries"], serde_json::json!([]));
}

#[test]
fn paths_are_in_the_order_of_a_walk() {
    let ordered = ["a", "a/b", "a/b/c", "a/b.c", "a b", "a!", "a-b", "a.txt", "ab", "b"];
    for pair in ordered.windows(2) {
        assert_eq!(order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        assert_eq!(order(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        assert_eq!(order(pair[0], pair[0]), Ordering::Equal);
    }
}

#[test]
fn an_entry_out_of_order_or_too_long_is_not_written() {
    let mut writer = IndexWriter::new(Vec::new(), &a_header()).unwrap();
    writer.push(&a_file("b", b"b")).unwrap();
    for path in ["a", "b"] {
        assert_eq!(
            writer.push(&a_file(path, b"x")).unwrap_err().kind(),
            io::ErrorKind::InvalidInput,
            "{path}"
        );
    }
    let mut header = a_header();
    header.name = "n".repeat(MAX_LINE);
    let refused = IndexWriter::new(Vec::new(), &header).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn the_longest_path_in_the_worst_letters_is_written_and_read() {
    let path = vec!["\u{1}".repeat(255); 16].join("/");
    let entries = [a_file(&path, b"x")];
    assert_eq!(read(&written(&entries)).0, entries);
}

#[test]
fn a_changed_byte_is_noticed_and_a_changed_count_is_refused() {
    let entries = [a_file("a.txt", b"a"), a_file("b.txt", b"b")];
    let text = String::from_utf8(written(&entries)).unwrap();
    let renamed = text.replacen("a.txt", "A.txt", 1);
    let (found, intact) = read(renamed.as_bytes());
    assert_eq!((found.len(), intact.unwrap()), (2, false), "it can be read, and is not believed");
    let (_, refused) = read(text.replace("\"entries\":2", "\"entries\":3").as_bytes());
    assert!(matches!(refused, Err(IndexError::Broken { line: 4, .. })), "{refused:?}");
    let (_, intact) = read(text.replace("\"files\":2", "\"files\":3").as_bytes());
    assert!(!intact.unwrap());
}

#[test]
fn a_session_tells_what_came_of_each_file() {
    let (dir, root) = a_drive();
    let header = SessionHeader {
        id: Uuid::from_u128(3),
        drive_id: Uuid::from_u128(7),
        title: "Summer".into(),
        date: a_time(),
        written_at: a_time(),
        source: "/media/camera/DCIM".into(),
        organise: Organise::Template,
        template: Some("{year}/{month}".into()),
        migrated_from: None,
    };
    let files: Vec<SessionFile> = [
        (FileState::Copied, Some("2026/1.jpg")),
        (FileState::Verified, Some("2026/2.jpg")),
        (FileState::Catalogued, Some("2026/3.jpg")),
        (FileState::Skipped, Some("old/4.jpg")),
        (FileState::Failed, None),
    ]
    .into_iter()
    .map(|(state, path)| SessionFile {
        original_name: "DSC.JPG".into(),
        stored_name: path.and_then(|path| path.rsplit('/').next()).map(str::to_owned),
        path: path.map(|path| DrivePath::parse(path).unwrap()),
        sha256: None,
        size: 10,
        imported_at: Some(a_time()),
        state,
        error: (state == FileState::Failed).then(|| "unreadable".into()),
    })
    .collect();
    let end = write_session::<io::Error>(&root, &header, |writer| {
        files.iter().try_for_each(|file| writer.push(file))
    })
    .unwrap();
    let expected = Statistics {
        total_scanned: 5,
        new_imports: 3,
        duplicates_skipped: 1,
        errors: 1,
        total_size_bytes: 30,
    };
    assert_eq!(end.totals, expected);
    let mut reader = open_session(&root, header.id).unwrap();
    assert_eq!(reader.by_ref().map(Result::unwrap).collect::<Vec<_>>(), files);
    assert_eq!((reader.header(), reader.is_intact()), (&header, true));
    fs::write(dir.path().join(RESERVED).join(IMPORTS).join("notes.json"), "{}").unwrap();
    assert_eq!(sessions(&root).unwrap(), [header.id]);
    assert!(matches!(open_session(&root, Uuid::nil()), Err(IndexError::Absent)));
    let mut lost = files[0].clone();
    lost.path = None;
    assert!(SessionWriter::new(Vec::new(), &header).unwrap().push(&lost).is_err());
}

#[test]
fn whoever_fails_while_writing_leaves_the_old_index_and_nothing_else() {
    let (dir, root) = a_drive();
    let old = [a_file("old", b"1")];
    let put = |entries: &[Entry]| {
        write::<io::Error>(&root, &a_header(), |writer| entries.iter().try_for_each(|e| writer.push(e)))
    };
    put(&old).unwrap();
    let failed = write::<io::Error>(&root, &a_header(), |writer| {
        writer.push(&a_file("new", b"2"))?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let found: Vec<Entry> = open(&root).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, old);
    let reserved = dir.path().join(RESERVED);
    let names = || fs::read_dir(&reserved).unwrap().count();
    assert_eq!(names(), 2, "the signature and the old index");
    // Of one who was killed in the middle of it.
    fs::write(reserved.join("index.json.part"), "{\"format\":\"holdfast-in").unwrap();
    put(&[a_file("newer", b"3")]).unwrap();
    assert_eq!(names(), 2);
    assert_eq!(open(&root).unwrap().next().unwrap().unwrap().path.as_str(), "newer");
}

#[test]
fn a_link_or_a_pipe_in_the_place_of_an_index_is_not_read() {
    let (dir, root) = a_drive();
    let index = dir.path().join(RESERVED).join(FILE);
    fs::write(dir.path().join("elsewhere"), written(&[])).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &index).unwrap();
    assert!(matches!(open(&root), Err(IndexError::Io(_))));
    fs::remove_file(&index).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &index, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(matches!(open(&root), Err(IndexError::Foreign(why)) if why.contains("regular")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_written_is_read_as_it_was(entries in some_entries(12)) {
        let bytes = written(&entries);
        let mut reader = IndexReader::new(&bytes[..]).unwrap();
        let found: Vec<Entry> = reader.by_ref().map(Result::unwrap).collect();
        prop_assert_eq!(&found, &entries);
        prop_assert_eq!(reader.header(), &a_header());
        prop_assert!(reader.is_intact());
        prop_assert_eq!(reader.end().unwrap().entries, entries.len() as u64);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    }

    #[test]
    fn a_torn_index_is_never_taken_for_whole(entries in some_entries(6), cut in any::<prop::sample::Index>()) {
        let bytes = written(&entries);
        let (found, outcome) = read(&bytes[..cut.index(bytes.len())]);
        prop_assert!(outcome.is_err());
        prop_assert!(found.len() <= entries.len() && found[..] == entries[..found.len()]);
    }

    #[test]
    fn no_change_of_an_index_makes_a_reader_panic_or_lead_elsewhere(
        entries in some_entries(6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'/'), Just(b'.'),
            Just(b'"'), Just(b'\n'), Just(b','), Just(b'0')], 0..3_u8), 1..8),
    ) {
        let before = written(&entries);
        let mut bytes = before.clone();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let (found, outcome) = read(&bytes);
        for entry in &found {
            let path = entry.path.as_str();
            prop_assert!(!path.starts_with('/') && DrivePath::parse_entry(path).is_ok(), "{:?}", path);
        }
        prop_assert!(bytes == before || !outcome.unwrap_or(false) || found == entries);
    }
}
