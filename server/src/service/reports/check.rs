//! Whether a report makes sense, before anything is asked of the catalogue.

use std::collections::HashSet;

use holdfast_protocol::{DrivePath, Kind, check_name};

use super::{Folder, Report};
use crate::error::{Error, Result};

/// Most files and folders of one request: so long at most, some tenths of a second, others wait for the catalogue.
const MOST: usize = 5_000;
/// Folders lie in one another at most so deep.
const DEEPEST: usize = 256;

/// Checks a report.
///
/// # Errors
/// 422 with the folder that is wrong.
pub(super) fn check(report: &Report) -> Result<()> {
    report.capacity.check().map_err(Error::invalid)?;
    let entries: usize = report.folders.iter().map(|folder| folder.entries.len()).sum();
    if entries + report.folders.len() > MOST {
        let why = format!("a report has at most {MOST} folders and entries; send the rest in further ones");
        return Err(Error::invalid(why).code("too-many-entries").with("limit", MOST));
    }
    let mut folders = HashSet::new();
    for folder in &report.folders {
        if !folders.insert(&folder.path) {
            return Err(wrong(folder, "a folder comes twice in one report"));
        }
        of_folder(folder)?;
    }
    let needed: HashSet<DrivePath> =
        report.folders.iter().flat_map(|folder| with_above(&folder.path)).collect();
    for folder in &report.folders {
        for file in folder.entries.iter().filter(|entry| entry.sight.kind == Kind::File) {
            if folder.path.join(&file.name).is_ok_and(|path| needed.contains(&path)) {
                return Err(wrong(folder, "one name is told as a file and as a folder")
                    .with("name", file.name.clone()));
            }
        }
    }
    Ok(())
}

fn of_folder(folder: &Folder) -> Result<()> {
    if folder.path.components().count() >= DEEPEST {
        return Err(wrong(folder, "folders lie in one another at most 256 deep"));
    }
    if !folder.is_complete && (folder.after.is_some() || folder.through.is_some()) {
        return Err(wrong(folder, "`after` and `through` say of which names the list is complete"));
    }
    let mut names = HashSet::new();
    for entry in &folder.entries {
        let name = &entry.name;
        let told: String = name.chars().take(100).collect();
        check_name(name).map_err(|why| wrong(folder, why.to_string()).with("name", told.clone()))?;
        folder.path.join(name).map_err(|why| wrong(folder, why.to_string()).with("name", told.clone()))?;
        if !names.insert(name) {
            return Err(wrong(folder, "a name comes twice in one folder").with("name", told));
        }
        if !folder.covers(name) {
            return Err(wrong(folder, "a name lies outside `after` and `through`").with("name", told));
        }
        let is_size = i64::try_from(entry.sight.size).is_ok();
        if !is_size || (entry.sight.kind == Kind::Folder && (entry.sight.size, entry.sight.hash) != (0, None))
        {
            return Err(wrong(folder, "a file has fewer than 2^63 bytes, and a folder no size and no hash")
                .with("name", told));
        }
    }
    Ok(())
}

/// A path and the folders above it, the drive's root apart.
pub(super) fn with_above(path: &DrivePath) -> impl Iterator<Item = DrivePath> {
    std::iter::successors(Some(path.clone()), DrivePath::parent).take_while(|path| !path.is_root())
}

fn wrong(folder: &Folder, why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid(why).code("bad-report").with("path", folder.path.to_string())
}
