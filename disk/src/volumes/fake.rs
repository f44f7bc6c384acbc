//! A probe for tests: tells what a JSON file says, read anew each time.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use super::{Probe, Snapshot};

/// A file beyond this many bytes is not one.
const MAX_BYTES: u64 = 16 << 20;

/// Tells the [`Snapshot`] in a JSON file. Of a volume, `name`, `fingerprint` and `kind` suffice.
#[derive(Debug, Clone)]
pub struct Fake {
    file: PathBuf,
}

impl Fake {
    /// The file need not be there yet.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }
}

impl Probe for Fake {
    fn probe(&self) -> Snapshot {
        let mut text = Vec::new();
        let read = File::open(&self.file).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
        let snapshot = match read {
            Ok(_) => serde_json::from_slice::<Snapshot>(&text).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match snapshot {
            Ok(mut snapshot) => {
                snapshot.volumes.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
                snapshot
            }
            Err(why) => Snapshot::unseen(format!("{} tells no volumes: {why}", self.file.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_file_that_is_rewritten_is_told_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("volumes.json");
        let probe: Box<dyn Probe> = Box::new(Fake::new(&file));
        let text = r#"{"volumes":[{"name":"b","fingerprint":"fs:b","kind":"usb",
            "mounts":[{"mount_point":"/mnt/b"}]},{"name":"a","fingerprint":"fs:a","kind":"internal"}]}"#;
        std::fs::write(&file, text).unwrap();
        let seen = probe.probe();
        assert!(seen.complete && seen.problems.is_empty());
        let names: Vec<_> = seen.volumes.iter().map(|volume| &volume.name[..]).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(seen.volumes[1].mounts[0].root, "/");
        std::fs::write(&file, serde_json::to_vec(&Snapshot { volumes: Vec::new(), ..seen }).unwrap())
            .unwrap();
        assert!(probe.probe().volumes.is_empty());
    }

    #[test]
    fn a_missing_or_damaged_file_is_a_problem_and_does_not_say_that_all_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("volumes.json");
        assert!(!Fake::new(&file).probe().complete);
        std::fs::write(&file, "{").unwrap();
        let seen = Fake::new(&file).probe();
        assert!(!seen.complete && seen.problems.len() == 1, "{seen:?}");
    }
}
