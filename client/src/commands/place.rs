//! `[DRIVE:]PATH` on a command line.

use holdfast_protocol::DrivePath;

use super::context::Context;
use super::failure::Failure;
use crate::api::{Api, ApiError};

/// A path in a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A name or id.
    pub drive: String,
    /// Where in it.
    pub path: DrivePath,
    /// Whether it was written with a slash at its end: a folder is meant.
    pub is_folder: bool,
}

impl Place {
    /// What was written on a command line.
    ///
    /// # Errors
    /// When it cannot be a path in a drive.
    pub fn read(context: &Context, text: &str) -> Result<Self, Failure> {
        let (drive, path) = split(text);
        let drive = match drive {
            Some(drive) => drive.to_owned(),
            None => context.config()?.text("drive"),
        };
        Self::of(text, drive, path)
    }

    /// Something else in the drive of this place, which need not be named again.
    ///
    /// # Errors
    /// When it cannot be a path in that drive, or names another or the drive itself.
    pub fn beside(&self, text: &str) -> Result<Self, Failure> {
        let (drive, path) = split(text);
        if drive.is_some_and(|drive| drive != self.drive) {
            return Err(Failure::usage(format!("{text:?} is in another drive than {self}")));
        }
        Self::of(text, self.drive.clone(), path)?.entry(text)
    }

    fn of(text: &str, drive: String, path: &str) -> Result<Self, Failure> {
        let parsed = DrivePath::parse(path)
            .map_err(|error| Failure::usage(error.to_string()).about(format_args!("{text:?}")))?;
        Ok(Self { drive, is_folder: path.ends_with('/') || parsed.is_root(), path: parsed })
    }

    fn entry(self, text: &str) -> Result<Self, Failure> {
        if self.path.is_root() {
            return Err(Failure::usage(format!("{text:?} names the drive itself; name something in it")));
        }
        Ok(self)
    }

    /// Like [`Place::read`], for what has to be something in a drive and not the drive itself.
    ///
    /// # Errors
    /// When it cannot be a path in a drive, or names the drive itself.
    pub fn read_entry(context: &Context, text: &str) -> Result<Self, Failure> {
        Self::read(context, text)?.entry(text)
    }

    /// The same in the drive, at another path.
    pub fn at(&self, path: DrivePath) -> Self {
        Self { drive: self.drive.clone(), path, is_folder: false }
    }

    /// Where something called `name` goes that is put here: into the folder that is here, if one is, else here.
    ///
    /// # Errors
    /// The server's.
    pub async fn into_if_folder(self, api: &Api, name: &str) -> Result<Self, Failure> {
        let is_folder = self.is_folder
            || match api.file_at(&self.drive, &self.path).await {
                Ok(file) => file.is_none(),
                Err(ApiError::Problem(problem)) if problem.status == 404 => false,
                Err(error) => return Err(Failure::from(error).about(&self)),
            };
        if !is_folder {
            return Ok(self);
        }
        let path = self.path.join(name);
        let path = path.map_err(|error| Failure::usage(error.to_string()).about(format_args!("{name:?}")))?;
        Ok(self.at(path))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.drive, self.path)
    }
}

/// The drive, if one is named, and the rest.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.split_once(':') {
        Some((drive, path)) if !drive.is_empty() && !drive.contains('/') => (Some(drive), path),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_colon_is_a_drive_unless_it_has_a_slash() {
        assert_eq!(split("photos:2026/a.jpg"), (Some("photos"), "2026/a.jpg"));
        assert_eq!(split("photos:"), (Some("photos"), ""));
        assert_eq!(split("photos:a:b"), (Some("photos"), "a:b"));
        assert_eq!(split("/a:b.txt"), (None, "/a:b.txt"));
        assert_eq!(split("dir/a:b.txt"), (None, "dir/a:b.txt"));
        assert_eq!(split("a.txt"), (None, "a.txt"));
        assert_eq!(split(":a"), (None, ":a"));
    }
}
