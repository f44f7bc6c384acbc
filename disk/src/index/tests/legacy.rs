//! Layouts that came before.

use super::super::legacy::{Layout, Legacy, LegacyError, look, read};
use super::*;

const STORAGE: &str = r#"{
  "imalink_storage_version": "1.0",
  "storage_uuid": "6a0f7a58-3a43-4f0e-9d0f-3b1a2b6c7d8e",
  "display_name": "Main Photo Archive",
  "created_at": "2024-01-15T12:00:00Z",
  "last_indexed": "2024-10-19T20:30:45Z",
  "photo_count": 15432,
  "total_size_bytes": 45678901234,
  "backend_url": "http://localhost:8000/api/v1",
  "notes": "Vacation photos and family archives",
  "tags": ["vacation", "family", "2020-2024"]
}"#;

const MASTER: &str = r#"{
  "index_version": "1.0",
  "storage_uuid": "6a0f7a58-3a43-4f0e-9d0f-3b1a2b6c7d8e",
  "indexed_at": "2024-10-19T20:30:45Z",
  "total_files": 4,
  "files": {
    "def789ghi012": {"hothash": "def789ghi012", "filename": "IMG_2345.jpg",
      "relative_path": "photos/2024/02-February/IMG_2345.jpg", "file_size": 3456789, "import_session_id": 124,
      "indexed_at": "2024-10-19T20:30:45Z", "file_modified": "2024-02-10T14:20:00Z"},
    "abc123def456": {"hothash": "abc123def456", "filename": "IMG_1234.jpg",
      "relative_path": "photos/2024/01-January/IMG_1234.jpg", "file_size": 4567890, "import_session_id": 123,
      "indexed_at": "2024-10-19T20:30:45Z", "file_modified": "2024-01-15T10:30:00"},
    "evil": {"filename": "passwd", "relative_path": "../../etc/passwd", "file_size": 1},
    "again": {"filename": "IMG_1234.jpg", "relative_path": "photos/2024/01-January/IMG_1234.jpg"}
  },
  "conflicts": [{"type": "missing_file", "files": [1, 2, {"deep": []}]}]
}"#;

const SESSION: &str = r#"{
  "session_id": 123,
  "session_title": "Vacation 2024 - Summer",
  "import_date": "2024-10-19T20:00:00Z",
  "source_path": "/media/camera/DCIM/100NIKON/",
  "files": [
    {"original_filename": "DSC_1234.JPG", "storage_filename": "IMG_1234.jpg",
     "relative_path": "photos/2024/01-January/IMG_1234.jpg", "hothash": "abc123def456", "file_size": 4567890,
     "imported_at": "2024-10-19T20:01:23Z", "exif_extracted": true, "sent_to_backend": true},
    {"original_filename": "DSC_1235.JPG", "relative_path": "photos/x.jpg", "sent_to_backend": false},
    {"original_filename": "lost.JPG"}
  ],
  "stats": {"total_scanned": 150}, "errors": []
}"#;

const OLD: &str = r#"{"version": 0, "created_at": "2024-01-15 12:00:00",
  "photos": [{"filename": "a.jpg", "size": 10}, {"path": "photos/sub/b.jpg", "size": "20"}, {"path": "/etc/passwd"}]}"#;

/// A folder of the layout `storage`.
pub fn storage(folder: &Path) {
    fs::create_dir_all(folder.join("imalink-sessions")).unwrap();
    fs::write(folder.join(".imalink-storage"), STORAGE).unwrap();
    fs::write(folder.join("imalink-master.json"), MASTER).unwrap();
    fs::write(folder.join("imalink-sessions/session_001.json"), SESSION).unwrap();
}

/// A folder of the layout `v0`.
pub fn v0(folder: &Path) {
    fs::create_dir_all(folder.join("photos")).unwrap();
    fs::write(folder.join("index.json"), OLD).unwrap();
    fs::write(folder.join("metadata.txt"), "Grandma's pictures\n").unwrap();
}

const NAME: &str = "imalink_20240115_120000_abc1234";

fn of(folder: &Path, layout: Layout) -> Result<Legacy, LegacyError> {
    let name = folder.file_name().unwrap().to_str().unwrap();
    read(File::open(folder).unwrap(), name, layout)
}

fn paths(legacy: &Legacy) -> Vec<&str> {
    legacy.entries.iter().map(|entry| entry.path.as_str()).collect()
}

#[test]
fn a_storage_is_read_with_its_index_and_its_imports() {
    let dir = tempfile::tempdir().unwrap();
    storage(dir.path());
    let legacy = of(dir.path(), Layout::Storage).unwrap();
    let signature = &legacy.signature;
    assert_eq!(signature.drive_id.to_string(), "6a0f7a58-3a43-4f0e-9d0f-3b1a2b6c7d8e");
    assert_eq!((signature.name.as_str(), signature.tags.len()), ("Main Photo Archive", 3));
    assert_eq!((signature.file_count, signature.total_size_bytes), (15_432, 45_678_901_234));
    assert_eq!(signature.notes, "Vacation photos and family archives");
    assert_eq!(signature.migrated_from.as_deref(), Some("imalink_storage"));
    assert_eq!(signature.created_at.unix_timestamp(), 1_705_320_000);
    assert_eq!(
        paths(&legacy),
        ["photos/2024/01-January/IMG_1234.jpg", "photos/2024/02-February/IMG_2345.jpg"]
    );
    assert_eq!((legacy.listed, legacy.skipped), (4, 3), "{:?}", legacy.problems);
    let first = &legacy.entries[0];
    assert_eq!((first.size, first.mtime_ns), (4_567_890, 1_705_314_600_000_000_000));
    assert_eq!(first.sha256, None, "the hash of a preview is none of the content");
    let (header, files) = &legacy.sessions[0];
    assert_eq!(
        (header.title.as_str(), header.source.as_str()),
        ("Vacation 2024 - Summer", "/media/camera/DCIM/100NIKON/")
    );
    assert_eq!(first.import, Some(header.id), "file and import know each other");
    let states: Vec<_> = files.iter().map(|file| file.state).collect();
    assert_eq!(states, [FileState::Catalogued, FileState::Copied]);
    assert_eq!(files[0].original_name, "DSC_1234.JPG");
}

#[test]
fn a_folder_without_a_signature_gets_an_id_that_is_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(NAME);
    v0(&folder);
    let legacy = of(&folder, Layout::V0).unwrap();
    let signature = &legacy.signature;
    assert_eq!((signature.name.as_str(), signature.notes.as_str()), (NAME, "Grandma's pictures"));
    assert_eq!(signature.migrated_from.as_deref(), Some("legacy_v0"));
    assert_eq!(signature.created_at.unix_timestamp(), 1_705_320_000);
    assert_eq!(paths(&legacy), ["photos/a.jpg", "photos/sub/b.jpg"]);
    assert_eq!((legacy.listed, legacy.skipped, legacy.entries[1].size), (3, 1, 20));
    assert_eq!(of(&folder, Layout::V0).unwrap(), legacy);
    let mut seen = look(File::open(&folder).unwrap(), NAME, Layout::V0).unwrap();
    assert_eq!(seen.signature, legacy.signature);
    seen.entries.clone_from(&legacy.entries);
    assert_eq!(seen, legacy, "a look leaves out the entries alone");
    fs::write(folder.join("index.json"), OLD.replace("a.jpg", "other.jpg")).unwrap();
    assert_ne!(of(&folder, Layout::V0).unwrap().signature.drive_id, signature.drive_id);
}

#[test]
fn reading_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(NAME);
    v0(&folder);
    storage(&folder);
    let state = || {
        let mut all: Vec<_> = crate::Walk::new(File::open(&folder).unwrap())
            .unwrap()
            .map(|found| format!("{found:?}"))
            .collect();
        all.sort();
        all
    };
    let before = state();
    of(&folder, Layout::V0).unwrap();
    of(&folder, Layout::Storage).unwrap();
    assert_eq!(state(), before);
}

#[test]
fn a_time_without_a_zone_and_a_name_with_one_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(NAME);
    v0(&folder);
    fs::write(folder.join("index.json"), r#"{"images":{"x":"one.jpg"}}"#).unwrap();
    let legacy = of(&folder, Layout::V0).unwrap();
    assert_eq!(legacy.signature.created_at.unix_timestamp(), 1_705_320_000, "of the folder's name");
    assert_eq!(paths(&legacy), ["one.jpg"]);
}

#[test]
fn files_that_are_not_what_their_names_say_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(NAME);
    fs::create_dir(&folder).unwrap();
    let nested = format!("{{\"x\":{}", "[".repeat(100_000));
    let long = format!("{{\"name\":\"{}\",\"files\":[]}}", "n".repeat(100_000));
    for text in ["", "[]", "{}", "null", "{\"files\":5}", "{\"files\":[1]}", "{\"files\":[", &nested, &long] {
        fs::write(folder.join("index.json"), text).unwrap();
        fs::write(folder.join(".imalink-storage"), text).unwrap();
        for layout in [Layout::V0, Layout::Storage] {
            let refused = of(&folder, layout);
            assert!(matches!(refused, Err(LegacyError::Foreign { .. })), "{refused:?} for {text:.60}");
        }
    }
}

#[test]
fn a_storage_whose_index_is_damaged_is_one_all_the_same_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    storage(dir.path());
    fs::write(dir.path().join("imalink-master.json"), &MASTER[..300]).unwrap();
    fs::write(dir.path().join("imalink-sessions/session_002.json"), "{").unwrap();
    let legacy = of(dir.path(), Layout::Storage).unwrap();
    assert_eq!((legacy.problems.len(), legacy.sessions.len()), (2, 1), "{:?}", legacy.problems);
}

#[test]
fn what_was_read_can_be_written_as_it_is_today() {
    let dir = tempfile::tempdir().unwrap();
    storage(dir.path());
    let legacy = of(dir.path(), Layout::Storage).unwrap();
    assert_eq!(read_back(&legacy), legacy.entries);
    let (header, files) = &legacy.sessions[0];
    let mut writer = SessionWriter::new(Vec::new(), header).unwrap();
    files.iter().for_each(|file| writer.push(file).unwrap());
    writer.finish().unwrap();
}

fn read_back(legacy: &Legacy) -> Vec<Entry> {
    super::read(&written(&legacy.entries)).0
}
