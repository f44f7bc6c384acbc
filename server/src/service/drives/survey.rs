//! What a folder would be as a drive, before it is one: looked at, and left as it is.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use holdfast_disk::stat::{EntryKind, Stat, stat_at, stat_of};
use holdfast_disk::{Found, Problem, Walk};
use holdfast_protocol::{DrivePath, fold_key};
use uuid::Uuid;

use super::roots::{self, Wanted};
use crate::app::App;
use crate::domain::drives::Capacity;
use crate::domain::names::Platform;
use crate::error::{Error, Result};
use crate::service::caller::Caller;

/// Most files and folders that are looked at.
const MOST: u64 = 2_000_000;
/// And for so long at most.
const LONGEST: Duration = Duration::from_secs(20);
/// So many of what is wrong are told by their paths.
const TOLD: usize = 50;
/// Between two looks at the clock.
const AT_ONCE: u64 = 1_000;

/// What is in a folder.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The folder.
    pub root: String,
    /// The drive that its signature says it is.
    pub signed: Option<Uuid>,
    /// Files.
    pub files: u64,
    /// Folders within.
    pub folders: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Symbolic links, which are never followed.
    pub links: u64,
    /// Sockets, pipes and devices, which are left alone.
    pub special: u64,
    /// What could not be read.
    pub unreadable: u64,
    /// Folders on which other file systems are mounted: they do not belong to the drive.
    pub other_file_systems: u64,
    /// Which names somebody cannot hold.
    pub names: Names,
    /// What the file system under it can do.
    pub file_system: FileSystem,
    /// Some of what is wrong, each with its path and a word for it.
    pub remarks: Vec<(&'static str, String)>,
    /// There is more than was looked at.
    pub is_cut_off: bool,
}

/// Names that somebody cannot hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names {
    /// Not UTF-8, reserved, or too long: they do not become the drive's.
    pub refused: u64,
    /// Like another in the same folder but for case or Unicode form.
    pub twins: u64,
    /// Not for Windows.
    pub windows: u64,
    /// Not for Apple's systems.
    pub apple: u64,
    /// Not for Android.
    pub android: u64,
}

/// What can be told of a file system without writing to it. Whether it exchanges two names in one step, clones files, and keeps
/// attributes is found out by trying, when the drive is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem {
    /// How large it is.
    pub capacity: Capacity,
    /// Nothing can be written.
    pub is_read_only: bool,
    /// It tells when a file was made, without which files cannot be told apart after a crash.
    pub tells_births: bool,
    /// Names that differ by case are one; `None`: there was no name to try it with.
    pub folds_case: Option<bool>,
}

/// Looks at a folder that is to become a drive, as [`roots::create`] would make it.
///
/// # Errors
/// As there; nothing is changed in any case.
pub async fn survey(app: &App, caller: &Caller, wanted: Wanted) -> Result<Survey> {
    caller.require_admin()?;
    survey_for(app, caller.user_id, wanted).await
}

/// The same for an account (internal key), asked on the server's own command line.
///
/// # Errors
/// As [`survey`].
pub async fn survey_for(app: &App, user: i64, wanted: Wanted) -> Result<Survey> {
    let (root, signed) = roots::would_make(app, user, wanted).await?;
    let stopping = app.clone();
    let look = tokio::task::spawn_blocking(move || look(&root, signed, &|| stopping.is_draining()));
    look.await.map_err(Error::internal)?
}

fn look(root: &Path, signed: Option<Uuid>, stops: &dyn Fn() -> bool) -> Result<Survey> {
    let unreadable = |error: std::io::Error| roots::bad_root(format!("the folder cannot be read: {error}"));
    let folder = File::open(root).map_err(unreadable)?;
    let file_system = file_system(&folder).map_err(unreadable)?;
    let mut survey =
        Survey { root: root.to_string_lossy().into_owned(), signed, file_system, ..Survey::default() };
    let (began, mut seen) = (Instant::now(), 0_u64);
    let mut siblings = Siblings::default();
    for found in Walk::new(&folder).map_err(unreadable)? {
        if seen == MOST || (seen.is_multiple_of(AT_ONCE) && (began.elapsed() > LONGEST || stops())) {
            survey.is_cut_off = true;
            break;
        }
        seen += 1;
        match found {
            Found::Entry { path, stat } => survey.entry(&folder, path, &stat, &mut siblings),
            Found::Problem { path, why } => survey.problem(path, &why),
        }
    }
    Ok(survey)
}

/// The names of a folder that was met so far: a walk tells all of one folder before those of another.
#[derive(Default)]
struct Siblings {
    folder: String,
    keys: HashSet<String>,
}

impl Siblings {
    /// Whether a name is like one before it.
    fn has_twin(&mut self, folder: &str, name: &str) -> bool {
        if self.folder != folder {
            folder.clone_into(&mut self.folder);
            self.keys.clear();
        }
        !self.keys.insert(fold_key(name))
    }
}

impl Survey {
    fn entry(&mut self, root: &File, path: String, stat: &Stat, siblings: &mut Siblings) {
        match stat.kind {
            EntryKind::File => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(stat.size);
            }
            EntryKind::Folder => self.folders += 1,
            EntryKind::Link => self.links += 1,
            EntryKind::Other => self.special += 1,
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if self.file_system.folds_case.is_none() && folder.is_empty() {
            self.file_system.folds_case = folds_case(root, name, stat);
        }
        let is_twin = siblings.has_twin(folder, name);
        let holds = |platform: Platform| u64::from(platform.obstacle(name).is_some());
        let (windows, apple, android) =
            (holds(Platform::Windows), holds(Platform::Apple), holds(Platform::Android));
        self.names.windows += windows;
        self.names.apple += apple;
        self.names.android += android;
        if DrivePath::parse(&path).is_err() {
            self.names.refused += 1;
            self.remark("refused-name", path);
        } else if is_twin {
            self.names.twins += 1;
            self.remark("twin-name", path);
        } else if windows + apple + android > 0 {
            self.remark("unholdable-name", path);
        }
    }

    fn problem(&mut self, path: PathBuf, why: &Problem) {
        let word = match why {
            Problem::NotUtf8 => {
                self.names.refused += 1;
                "refused-name"
            }
            Problem::Unreadable(_) => {
                self.unreadable += 1;
                "unreadable"
            }
            Problem::OtherFileSystem => {
                self.other_file_systems += 1;
                "other-file-system"
            }
        };
        self.remark(word, path.to_string_lossy().into_owned());
    }

    fn remark(&mut self, word: &'static str, path: String) {
        if self.remarks.len() < TOLD {
            self.remarks.push((word, path));
        }
    }
}

fn file_system(root: &File) -> std::io::Result<FileSystem> {
    let space = rustix::fs::fstatvfs(root)?;
    let bytes = |blocks: u64| Some(blocks.saturating_mul(space.f_frsize));
    Ok(FileSystem {
        capacity: Capacity { total: bytes(space.f_blocks), available: bytes(space.f_bavail) },
        is_read_only: space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
        tells_births: stat_of(root)?.ident.btime_ns != 0,
        folds_case: None,
    })
}

/// Asks for a name in the other case.
fn folds_case(root: &File, name: &str, stat: &Stat) -> Option<bool> {
    let other: String = name
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    if other == name {
        return None;
    }
    match stat_at(root, other.as_str()) {
        Ok(there) => Some(there.ident == stat.ident),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
        Err(_) => None,
    }
}
