//! What a folder would be as a drive: the answer to `POST /api/drives` with `dry_run`.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::service::drives::survey;

/// What would become a drive, had it not only been asked. Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Survey {
    /// The folder.
    root: String,
    /// The drive that its signature says it is; null: it would be a new one.
    signed: Option<Uuid>,
    /// Files.
    files: u64,
    /// Folders within.
    folders: u64,
    /// Bytes of the files.
    bytes: u64,
    /// Symbolic links: recorded, never followed.
    links: u64,
    /// Sockets, pipes and devices: left alone.
    special: u64,
    /// What could not be read.
    unreadable: u64,
    /// Folders on which other file systems are mounted: they would not belong to the drive.
    other_file_systems: u64,
    /// Which names somebody cannot hold.
    names: Names,
    /// What the file system can do.
    file_system: FileSystem,
    /// The first fifty of what is wrong.
    remarks: Vec<Remark>,
    /// There is more than was looked at: at most two million files and folders, and for 20 seconds.
    cut_off: bool,
}

/// How many names somebody cannot hold.
#[derive(Debug, Serialize, ToSchema)]
struct Names {
    /// Not UTF-8, reserved, or too long: they would not become the drive's.
    refused: u64,
    /// Like another in the same folder but for case or Unicode form.
    twins: u64,
    /// Not for Windows.
    windows: u64,
    /// Not for Apple's systems.
    apple: u64,
    /// Not for Android.
    android: u64,
}

/// What can be told of a file system without writing to it.
#[derive(Debug, Serialize, ToSchema)]
struct FileSystem {
    /// Bytes in all.
    total_bytes: Option<u64>,
    /// Bytes that may still be written.
    available_bytes: Option<u64>,
    /// Nothing can be written.
    read_only: bool,
    /// It tells when files were made, without which a drive is not opened for writing.
    birth_times: bool,
    /// Names that differ by case are one; null: there was no name to try it with.
    folds_case: Option<bool>,
    /// What is found out by trying, when the drive is made.
    not_tried: [&'static str; 4],
}

/// Something that is wrong with a file or folder.
#[derive(Debug, Serialize, ToSchema)]
struct Remark {
    /// `refused-name`, `twin-name`, `unholdable-name`, `unreadable` or `other-file-system`.
    what: &'static str,
    /// Where, below the folder.
    path: String,
}

impl From<survey::Survey> for Survey {
    fn from(found: survey::Survey) -> Self {
        let (names, file_system) = (found.names, found.file_system);
        Self {
            root: found.root,
            signed: found.signed,
            files: found.files,
            folders: found.folders,
            bytes: found.bytes,
            links: found.links,
            special: found.special,
            unreadable: found.unreadable,
            other_file_systems: found.other_file_systems,
            names: Names {
                refused: names.refused,
                twins: names.twins,
                windows: names.windows,
                apple: names.apple,
                android: names.android,
            },
            file_system: FileSystem {
                total_bytes: file_system.capacity.total,
                available_bytes: file_system.capacity.available,
                read_only: file_system.is_read_only,
                birth_times: file_system.tells_births,
                folds_case: file_system.folds_case,
                not_tried: ["exchange", "stable_inodes", "reflink", "hardlink"],
            },
            remarks: found.remarks.into_iter().map(|(what, path)| Remark { what, path }).collect(),
            cut_off: found.is_cut_off,
        }
    }
}
