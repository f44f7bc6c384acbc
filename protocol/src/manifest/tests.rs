#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

use super::*;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn read(body: &str) -> Result<Manifest, ManifestError> {
    let whole = Manifest::from_slice(body.as_bytes(), Limits { max_entries: 4 });
    let streamed = Manifest::from_reader(body.as_bytes(), Limits { max_entries: 4 });
    let without_columns = |read: &Result<Manifest, ManifestError>| {
        format!("{read:?}").split(" column ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(without_columns(&whole), without_columns(&streamed), "a stream is read as a body is");
    whole
}

fn listed(entries: &str) -> Result<Manifest, ManifestError> {
    read(&format!(r#"{{"device_id": "phone", "file_list": [{entries}]}}"#))
}

fn file(path: &str) -> String {
    format!(r#"{{"path": "{path}", "hash": "{HASH}", "size": 0}}"#)
}

fn problem(entries: &str) -> (usize, EntryProblem) {
    match listed(entries) {
        Err(ManifestError::Entry { index, problem }) => (index, problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_request_of_document_003_is_read_word_for_word() {
    let body = format!(
        r#"{{
    "device_id": "iphone-12345",
    "file_list": [
      {{
        "path": "/Documents/file1.txt",
        "hash": "{HASH}",
        "size": 1024,
        "modified_at": "2025-01-01T12:00:00Z"
      }}
    ]
  }}"#
    );
    let manifest = read(&body).unwrap();
    assert_eq!(manifest.device_id, "iphone-12345");
    assert!(!manifest.is_delta() && !manifest.folders && !manifest.moves);
    assert_eq!(
        manifest.claims.get("Documents/file1.txt"),
        Some(&Claim::Held(Value::File(ContentHash::EMPTY)))
    );
}

#[test]
fn the_fields_may_come_in_any_order_and_unknown_ones_are_passed_over() {
    let body = format!(
        r#"{{"file_list": [
            {{"kind": "folder", "path": "d", "colour": [1, {{"a": null}}]}},
            {{"unreadable": true, "path": "d/secret"}},
            {{"deleted": true, "path": "d/old", "hash": null}},
            {{"size": 3, "modified_at": "2025-01-01T12:00:00.123456", "hash": "{}", "path": "d/new"}}
        ], "drive": "photos", "accept": ["move", "later"], "folders": true, "change_token": "t", "confirm": "c",
        "more": {{}}, "device_id": "x"}}"#,
        HASH.to_uppercase()
    );
    let manifest = read(&body).unwrap();
    assert_eq!(
        manifest.claims.iter().map(|(path, claim)| (path, *claim)).collect::<Vec<_>>(),
        [
            ("d", Claim::Held(Value::Folder)),
            ("d/new", Claim::Held(Value::File(ContentHash::EMPTY))),
            ("d/old", Claim::Deleted),
            ("d/secret", Claim::Unreadable),
        ]
    );
    assert!(manifest.is_delta() && manifest.folders && manifest.moves);
    assert_eq!((manifest.drive.as_deref(), manifest.confirm.as_deref()), (Some("photos"), Some("c")));
}

#[test]
fn a_token_with_complete_true_is_a_whole_list() {
    let whole =
        read(r#"{"device_id": "x", "change_token": "t", "complete": true, "file_list": []}"#).unwrap();
    assert!(!whole.is_delta());
    let without = read(r#"{"device_id": "x", "change_token": null, "file_list": []}"#).unwrap();
    assert!(!without.is_delta());
}

#[test]
fn a_bad_entry_is_named_by_its_index() {
    let good = file("good");
    for (bad, wanted) in [
        (format!(r#"{{"hash": "{HASH}"}}"#), EntryProblem::NoPath),
        (file("../up"), EntryProblem::Path(PathError::Dots)),
        (file("a/.Holdfast/drive.json"), EntryProblem::Path(PathError::Reserved)),
        (file("a\\u0000b"), EntryProblem::Path(PathError::Nul)),
        (file("/"), EntryProblem::Path(PathError::Root)),
        (file("/good/"), EntryProblem::Repeated),
        (r#"{"path": "f"}"#.to_owned(), EntryProblem::NoHash),
        (r#"{"path": "f", "hash": "sha256abc123..."}"#.to_owned(), EntryProblem::Hash(HashError::NotHex)),
        (format!(r#"{{"path": "f", "hash": "{HASH}", "size": -1}}"#), EntryProblem::Size),
        (format!(r#"{{"path": "f", "hash": "{HASH}", "size": 1.5}}"#), EntryProblem::Size),
        (format!(r#"{{"path": "f", "hash": "{HASH}", "size": "1"}}"#), EntryProblem::Size),
        (format!(r#"{{"path": "f", "hash": "{HASH}", "modified_at": "yesterday"}}"#), EntryProblem::Time),
        (format!(r#"{{"path": "f", "hash": "{HASH}", "kind": "pipe"}}"#), EntryProblem::Kind),
    ] {
        assert_eq!(problem(&format!("{good}, {bad}")), (1, wanted), "{bad}");
    }
    for bad in ["7", "[]", r#"{"path": 7}"#, r#"{"path": "f", "deleted": "yes"}"#] {
        assert!(matches!(problem(&format!("{good}, {bad}")), (1, EntryProblem::Shape(_))), "{bad}");
    }
}

#[test]
fn of_several_repeated_paths_the_first_is_named() {
    assert_eq!(problem(&[file("z"), file("a"), file("z"), file("a")].join(",")), (2, EntryProblem::Repeated));
}

#[test]
fn as_many_entries_as_the_limit_are_read_and_not_one_more() {
    let four = [file("a"), file("b"), file("c"), file("d")].join(",");
    assert_eq!(listed(&four).unwrap().claims.len(), 4);
    assert!(matches!(listed(&format!("{four}, {}", file("e"))), Err(ManifestError::TooMany { limit: 4 })));
}

#[test]
fn what_a_client_accepts_is_a_short_list() {
    let with = |accept: &str| {
        read(&format!(r#"{{"device_id": "x", "accept": {accept}, "file_list": []}}"#)).map(|read| read.moves)
    };
    let many = |count: usize| format!("[{} \"move\"]", "\"\", ".repeat(count - 1));
    assert!(with(&many(32)).unwrap());
    assert!(matches!(with(&many(33)), Err(ManifestError::Shape(_))));
    assert!(!with("null").unwrap() && !with("[]").unwrap() && !with(r#"["moves"]"#).unwrap());
    for bad in ["7", r#""move""#, "[7]", "[null]"] {
        assert!(matches!(with(bad), Err(ManifestError::Shape(_))), "{bad}");
    }
}

#[test]
fn broken_json_and_wrong_shapes_are_told_apart() {
    let followed = r#"{"device_id": "x", "file_list": []} x"#;
    for body in ["", "{", "nonsense", r#"{"device_id": "x", "file_list": [{"path": "a""#, followed] {
        assert!(matches!(read(body), Err(ManifestError::Syntax(_))), "{body}");
    }
    for body in
        ["[]", "{}", r#"{"device_id": "x"}"#, r#"{"file_list": []}"#, r#"{"device_id": 1, "file_list": []}"#]
    {
        assert!(matches!(read(body), Err(ManifestError::Shape(_))), "{body}");
    }
}

#[test]
fn a_body_that_breaks_off_is_an_input_error() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    assert!(matches!(Manifest::from_reader(Broken, Limits::default()), Err(ManifestError::Io(_))));
}

#[test]
fn what_a_client_writes_is_what_the_server_reads() {
    let request = ChangesRequest {
        device_id: "x".to_owned(),
        file_list: vec![FileEntry {
            path: "/a".to_owned(),
            hash: Some(ContentHash::EMPTY),
            size: Some(0),
            modified_at: Some(OffsetDateTime::UNIX_EPOCH),
            ..FileEntry::default()
        }],
        ..ChangesRequest::default()
    };
    let manifest = read(&serde_json::to_string(&request).unwrap()).unwrap();
    assert_eq!(manifest.claims.get("a"), Some(&Claim::Held(Value::File(ContentHash::EMPTY))));
}

#[test]
fn an_entry_takes_less_than_three_hundred_bytes() {
    let entries: Vec<String> =
        (0..10_000).map(|n| file(&format!("folder {}/picture {n}.jpeg", n % 100))).collect();
    let body = format!(r#"{{"device_id": "x", "file_list": [{}]}}"#, entries.join(","));
    let claims = Manifest::from_slice(body.as_bytes(), Limits::default()).unwrap().claims;
    assert!(claims.bytes() / claims.len() <= 300, "{} bytes an entry", claims.bytes() / claims.len());
}
