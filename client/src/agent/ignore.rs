//! What is not synced because somebody said so: the file `.holdfastignore` in the root of what is synced, with the syntax of
//! gitignore(5), after a list that is built in. Rules are judged by a path alone, so both sides are judged by the same.

use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The file's name, in the root of what is synced. It is synced itself, whatever it says.
pub const FILE: &str = ".holdfastignore";

/// A file beyond this many bytes is not read.
pub const MOST_BYTES: usize = 64 * 1024;
/// So many broken lines are told of.
const MOST_NOTICES: usize = 20;

/// What is ignored without being asked: what programs and systems leave lying about for themselves, and nothing that a person
/// would look for. A line of the file takes one of them back, as in `!desktop.ini`. Documented in docs/agent.md.
pub const BUILT_IN: &[&str] = &[
    // What file managers note about a folder.
    ".DS_Store",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    // What says that a document is open just now.
    "~$*",
    ".~lock.*#",
    // What was deleted and is still open, and what is being downloaded.
    ".nfs0000*",
    ".fuse_hidden*",
    "*.crdownload",
    ".holdfast-*.part",
    // What a system keeps in the root of a disk.
    "/.Trash-*/",
    "/.Trashes/",
    "/.Spotlight-V100/",
    "/.fseventsd/",
    "/$RECYCLE.BIN/",
    "/System Volume Information/",
    "/lost+found/",
];

/// Rules, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ignore {
    rules: Arc<Gitignore>,
}

impl Default for Ignore {
    /// Nothing is ignored, not even what is built in.
    fn default() -> Self {
        Self { rules: Arc::new(Gitignore::empty()) }
    }
}

impl Ignore {
    /// What is built in, and then the lines of a file. `folds`: the device takes names for one that differ by case
    /// only. Also what is wrong with the file; a line that is broken counts as absent.
    pub fn read(text: &[u8], folds: bool) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let mut builder = GitignoreBuilder::new("");
        let _ = builder.case_insensitive(folds);
        for line in BUILT_IN {
            let _ = builder.add_line(None, line);
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let said = match std::str::from_utf8(line) {
                Ok(line) => builder.add_line(None, line).err().map(|error| error.to_string()),
                Err(_) => Some("it is not UTF-8".to_owned()),
            };
            if let Some(said) = said {
                wrong.push(format!("line {} counts as absent: {said}", number + 1));
            }
        }
        if wrong.len() > MOST_NOTICES {
            let more = wrong.len() - MOST_NOTICES;
            wrong.truncate(MOST_NOTICES);
            wrong.push(format!("and {more} more lines"));
        }
        let rules = builder.build().unwrap_or_else(|error| {
            wrong.push(format!("none of it counts: {error}"));
            Gitignore::empty()
        });
        (Self { rules: Arc::new(rules) }, wrong)
    }

    /// Whether an entry is ignored, by its path below the root of what is synced. What lies in a folder that is ignored is so
    /// too, and is not to be asked about.
    pub fn is_ignored(&self, path: &str, is_folder: bool) -> bool {
        path != FILE && self.rules.matched(path, is_folder).is_ignore()
    }

    /// Whether these are the very rules, not only such as say the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rules, &other.rules)
    }

    /// Whether nothing is ignored at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Ignore {
        let (ignore, wrong) = Ignore::read(text.as_bytes(), false);
        assert!(wrong.is_empty(), "{wrong:?}");
        ignore
    }

    #[test]
    fn lines_mean_what_they_mean_to_git() {
        let ignore = rules("# comment\n*.tmp\n!keep.tmp\nbuild/\n/top.txt\ndocs/**/draft?.txt\n\\#odd\n");
        for (path, is_folder) in [
            ("a.tmp", false),
            ("deep/down/a.tmp", false),
            ("build", true),
            ("deep/build", true),
            ("top.txt", false),
            ("docs/a/b/draft1.txt", false),
            ("#odd", false),
        ] {
            assert!(ignore.is_ignored(path, is_folder), "{path}");
        }
        for (path, is_folder) in [
            ("keep.tmp", false),
            ("build", false),
            ("deep/top.txt", false),
            ("draft1.txt", false),
            ("a.tmp.txt", false),
        ] {
            assert!(!ignore.is_ignored(path, is_folder), "{path}");
        }
    }

    #[test]
    fn what_is_built_in_can_be_taken_back_and_the_file_itself_is_never_ignored() {
        for path in [".DS_Store", "photos/Thumbs.db", "~$report.docx", "a/.~lock.report.odt#"] {
            assert!(rules("").is_ignored(path, false), "{path}");
        }
        for path in ["report.docx", "archive.part", "my.DS_Store.txt", "~notes"] {
            assert!(!rules("").is_ignored(path, false), "{path}");
        }
        assert!(rules("").is_ignored(".Trash-1000", true));
        assert!(!rules("").is_ignored("holiday/.Trash-1000", true));
        assert!(!rules("!Thumbs.db").is_ignored("photos/Thumbs.db", false));
        assert!(!rules("*").is_ignored(FILE, false));
        assert!(rules("*").is_ignored("deep/.holdfastignore", false));
    }

    #[test]
    fn a_line_that_is_broken_is_told_of_and_the_others_count() {
        let (ignore, wrong) = Ignore::read(b"\xef\xbb\xbf*.tmp\r\n[z-a]\n\xff\xfe\n*.bak\n", false);
        assert!(ignore.is_ignored("x.tmp", false) && ignore.is_ignored("x.bak", false));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("line 2") && wrong[1].starts_with("line 3"), "{wrong:?}");
    }

    #[test]
    fn a_device_that_folds_case_ignores_in_any_case() {
        assert!(Ignore::read(b"Build/", true).0.is_ignored("BUILD", true));
        assert!(!Ignore::read(b"Build/", false).0.is_ignored("BUILD", true));
    }
}
