//! What is written is as `docs/formats/` says. The few words of JSON Schema that the schemas use are read here; one that is not
//! known fails the test, so that nothing in them is passed over.

use serde_json::{Value, json};

use super::*;

const DRIVE: &str = include_str!("../../../../docs/formats/drive.schema.json");
const INDEX: &str = include_str!("../../../../docs/formats/index.schema.json");
const IMPORT: &str = include_str!("../../../../docs/formats/import.schema.json");

/// What is wrong with a value; none where it is as the schema says.
fn faults(schema: &Value, all: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault = |is_wrong: bool, what: &str| {
        if is_wrong {
            found.push(format!("{at}: {what}: {value}"));
        }
    };
    for (word, said) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "title" | "description" | "$defs" | "properties" | "items" | "$ref" => {}
            "type" => {
                let types: Vec<&str> = match said {
                    Value::String(one) => vec![one],
                    many => many.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect(),
                };
                fault(!types.iter().any(|one| is_of_type(value, one)), word);
            }
            "const" => fault(value != said, word),
            "enum" => fault(!said.as_array().unwrap().contains(value), word),
            "required" => {
                for name in said.as_array().unwrap() {
                    fault(value.get(name.as_str().unwrap()).is_none(), &format!("no {name}"));
                }
            }
            "minimum" => fault(value.as_i64().is_some_and(|number| number < said.as_i64().unwrap()), word),
            "minLength" => fault(length(value) < said.as_u64().unwrap(), word),
            "maxLength" => fault(length(value) > said.as_u64().unwrap(), word),
            "pattern" => {
                fault(!is_of_pattern(value.as_str().unwrap_or_default(), said.as_str().unwrap()), word);
            }
            "format" => {
                fault(value.as_str().is_some_and(|text| !is_of_format(text, said.as_str().unwrap())), word);
            }
            unknown => panic!("{at}: this test does not know {unknown:?}"),
        }
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = all.pointer(name.strip_prefix('#').unwrap()).unwrap();
        found.extend(faults(target, all, value, at));
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.get(name) {
            found.extend(faults(schema, all, value, &format!("{at}/{name}")));
        }
    }
    if let Some((schema, items)) = schema.get("items").zip(value.as_array()) {
        for (number, item) in items.iter().enumerate() {
            found.extend(faults(schema, all, item, &format!("{at}/{number}")));
        }
    }
    found
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        unknown => panic!("this test does not know the type {unknown:?}"),
    }
}

fn length(value: &Value) -> u64 {
    value.as_str().map_or(0, |text| text.chars().count() as u64)
}

fn is_of_pattern(text: &str, pattern: &str) -> bool {
    match pattern {
        "^[0-9a-f]{64}$" => text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        "^[^/]+(/[^/]+)*$" => text.split('/').all(|name| !name.is_empty()),
        unknown => panic!("this test does not know the pattern {unknown:?}"),
    }
}

fn is_of_format(text: &str, format: &str) -> bool {
    match format {
        "uuid" => Uuid::try_parse(text).is_ok() && text.len() == 36,
        "date-time" => OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).is_ok(),
        unknown => panic!("this test does not know the format {unknown:?}"),
    }
}

#[track_caller]
fn assert_is(schema: &str, document: &[u8]) -> Value {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let document: Value = serde_json::from_slice(document).unwrap();
    assert_eq!(faults(&schema, &schema, &document, ""), Vec::<String>::new());
    document
}

/// The names that a schema knows at a place.
fn known(schema: &str, at: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    names(&schema.pointer(at).unwrap()["properties"])
}

fn names(value: &Value) -> Vec<String> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}

/// A file of which all is known.
fn a_full_entry() -> Entry {
    let mut entry = a_file("a/b.txt", b"b");
    entry.seen_at = Some(a_time());
    entry.stat = Some(Stamp { ino: 1, btime_ns: 2, ctime_ns: 3 });
    entry.import = Some(Uuid::from_u128(1));
    entry.id = Some(Uuid::from_u128(2));
    entry
}

#[test]
fn a_signature_is_as_its_schema_says_and_has_nothing_that_is_not_in_it() {
    let (dir, root) = a_drive();
    let path = dir.path().join(RESERVED).join(crate::signature::FILE);
    assert_is(DRIVE, &fs::read(&path).unwrap());
    let mut signature = Signature::read(&root).unwrap();
    signature.last_indexed = Some(a_time());
    signature.server_url = Some("http://nas:8000".into());
    signature.tags = vec!["family".into()];
    signature.migrated_from = Some("legacy_v0".into());
    signature.write(&root).unwrap();
    let document = assert_is(DRIVE, &fs::read(&path).unwrap());
    assert_eq!(names(&document), known(DRIVE, ""));
}

#[test]
fn an_index_is_as_its_schema_says_and_has_nothing_that_is_not_in_it() {
    let document = assert_is(INDEX, &written(&[a_full_entry()]));
    assert_eq!(names(&document), known(INDEX, ""));
    assert_eq!(names(&document["entries"][0]), known(INDEX, "/$defs/entry"));
    assert_eq!(names(&document["end"]), known(INDEX, "/properties/end"));
    let mut header = a_header();
    (header.head, header.written_by) = (None, String::new());
    assert_is(INDEX, &IndexWriter::new(Vec::new(), &header).unwrap().finish().unwrap().0);
}

#[test]
fn a_session_is_as_its_schema_says_and_has_nothing_that_is_not_in_it() {
    let header = SessionHeader {
        id: Uuid::from_u128(3),
        drive_id: Uuid::from_u128(7),
        title: "Summer".into(),
        date: a_time(),
        written_at: a_time(),
        source: "/media/camera".into(),
        organise: Organise::Date,
        template: Some("{year}".into()),
        migrated_from: Some("imalink_storage".into()),
    };
    let mut writer = SessionWriter::new(Vec::new(), &header).unwrap();
    let file = SessionFile {
        original_name: "DSC.JPG".into(),
        stored_name: Some("b.txt".into()),
        path: Some(DrivePath::parse("a/b.txt").unwrap()),
        sha256: a_full_entry().sha256,
        size: 1,
        imported_at: Some(a_time()),
        state: FileState::Verified,
        error: Some("slow".into()),
    };
    writer.push(&file).unwrap();
    let document = assert_is(IMPORT, &writer.finish().unwrap().0);
    assert_eq!(names(&document), known(IMPORT, ""));
    assert_eq!(names(&document["files"][0]), known(IMPORT, "/$defs/file"));
    assert_eq!(names(&document["end"]), known(IMPORT, "/properties/end"));
}

#[test]
fn a_schema_refuses_what_is_not_so() {
    let schema: Value = serde_json::from_str(INDEX).unwrap();
    let good: Value = serde_json::from_slice(&written(&[a_full_entry()])).unwrap();
    for (at, wrong) in [
        ("/format", json!("other")),
        ("/format_version", json!(2)),
        ("/drive_id", json!("7")),
        ("/written_at", json!("yesterday")),
        ("/entries", json!({})),
        ("/entries/0/path", json!("/a")),
        ("/entries/0/path", json!("")),
        ("/entries/0/path", json!("a".repeat(4097))),
        ("/entries/0/kind", json!("socket")),
        ("/entries/0/size", json!(-1)),
        ("/entries/0/sha256", json!("ABC")),
        ("/entries/0/stat", json!({"ino": 1})),
        ("/end/entries", json!("1")),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(at).unwrap() = wrong.clone();
        assert_ne!(faults(&schema, &schema, &document, ""), Vec::<String>::new(), "{at} {wrong}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_as_the_schema_says(entries in some_entries(8)) {
        let schema: Value = serde_json::from_str(INDEX).unwrap();
        let document: Value = serde_json::from_slice(&written(&entries)).unwrap();
        prop_assert_eq!(faults(&schema, &schema, &document, ""), Vec::<String>::new());
    }
}
