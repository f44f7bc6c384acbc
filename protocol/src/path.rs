//! Paths inside a drive, as every protocol spells them, and the checks that keep a path inside its drive (P6).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::UnicodeNormalization;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema, openapi::RefOr};

use crate::reserved::is_reserved;

/// Longest name of one file or folder, in bytes of UTF-8 (`NAME_MAX` of the file systems behind a drive).
pub const MAX_NAME: usize = 255;
/// Longest path inside a drive, in bytes of UTF-8 without the leading slash.
pub const MAX_PATH: usize = 4096;

/// A path inside a drive: components joined by `/`, no slash in front; empty for the drive's root. Names are kept as
/// given, neither folded nor normalised (design section 5). Ordered by bytes. Printed and serialised with a leading
/// slash, as document 003 writes paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DrivePath(String);

/// Why a text is no path of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Two slashes in a row, or an empty name.
    #[error("a path has an empty component")]
    Empty,
    /// `.` or `..`.
    #[error("a path may not have . or .. as a component")]
    Dots,
    /// A NUL byte.
    #[error("a path may not contain NUL")]
    Nul,
    /// A slash inside what has to be one name.
    #[error("a name may not contain a slash")]
    Slash,
    /// A component beyond [`MAX_NAME`] bytes.
    #[error("a name is longer than 255 bytes")]
    NameTooLong,
    /// More than [`MAX_PATH`] bytes.
    #[error("a path is longer than 4096 bytes")]
    TooLong,
    /// The reserved folder `.holdfast`, in whatever spelling.
    #[error("the name .holdfast is reserved")]
    Reserved,
    /// The drive's root, where only something inside it will do.
    #[error("the path names the drive itself")]
    Root,
    /// Not at or beneath the folder it should be moved out of.
    #[error("the path is not inside that folder")]
    Outside,
}

/// Checks one name: not empty, `.` or `..`, no slash or NUL, at most [`MAX_NAME`] bytes, not reserved.
pub fn check_name(name: &str) -> Result<(), PathError> {
    match name {
        "" => return Err(PathError::Empty),
        "." | ".." => return Err(PathError::Dots),
        _ => {}
    }
    if name.contains('\0') {
        Err(PathError::Nul)
    } else if name.contains('/') {
        Err(PathError::Slash)
    } else if name.len() > MAX_NAME {
        Err(PathError::NameTooLong)
    } else if is_reserved(name) {
        Err(PathError::Reserved)
    } else {
        Ok(())
    }
}

/// The folded key of a name or path: two names with one key are twins, which some devices cannot tell apart
/// (design section 5: NFC, then lower case).
pub fn fold_key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower-casing can undo the composition, so it is composed again: the key of a key is that key.
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// The checked path without its outer slashes; empty for the root.
pub(crate) fn normal(text: &str) -> Result<&str, PathError> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    if !text.is_empty() {
        text.split('/').try_for_each(check_name)?;
    }
    Ok(text)
}

impl DrivePath {
    /// The drive's root.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Reads a path; one leading and one trailing slash are tolerated, `""` and `/` are the root.
    ///
    /// # Errors
    /// [`PathError`] for anything that could leave the drive, reach the reserved folder or not be stored.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        normal(text).map(|path| Self(path.to_owned()))
    }

    /// Like [`DrivePath::parse`], but refuses the root, for what has to be a file or folder of the drive.
    ///
    /// # Errors
    /// [`PathError::Root`] and what [`DrivePath::parse`] refuses.
    pub fn parse_entry(text: &str) -> Result<Self, PathError> {
        match normal(text)? {
            "" => Err(PathError::Root),
            path => Ok(Self(path.to_owned())),
        }
    }

    /// True for the drive's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names from the root downwards; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The folder it is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()))
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        if self.is_root() { None } else { self.0.rsplit('/').next() }
    }

    /// This folder's child with that one name.
    ///
    /// # Errors
    /// What [`check_name`] refuses, and [`PathError::TooLong`].
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_name(name)?;
        let path = if self.is_root() { name.to_owned() } else { format!("{}/{name}", self.0) };
        Self::within_length(path)
    }

    /// Strictly inside that folder, on whole components; everything but the root is beneath the root.
    pub fn is_beneath(&self, folder: &Self) -> bool {
        beneath(&self.0, &folder.0)
    }

    /// Where this path lands when `from`, which is this path or a folder above it, is moved to `to`.
    ///
    /// # Errors
    /// [`PathError::Outside`] when it is neither; [`PathError::TooLong`] when the new path would be.
    pub fn rebase(&self, from: &Self, to: &Self) -> Result<Self, PathError> {
        if self == from {
            return Ok(to.clone());
        }
        if !self.is_beneath(from) {
            return Err(PathError::Outside);
        }
        let rest = if from.is_root() { &self.0 } else { &self.0[from.0.len() + 1..] };
        Self::within_length(if to.is_root() { rest.to_owned() } else { format!("{}/{rest}", to.0) })
    }

    /// Without the leading slash; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes a path that was read from a place where only checked paths are stored (the catalogue).
    /// A text that did not pass [`DrivePath::parse`] must not come in this way.
    pub fn from_checked(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    fn within_length(path: String) -> Result<Self, PathError> {
        if path.len() > MAX_PATH { Err(PathError::TooLong) } else { Ok(Self(path)) }
    }
}

/// `path` strictly inside `folder`, both without leading slash, on whole components.
pub fn beneath(path: &str, folder: &str) -> bool {
    if folder.is_empty() {
        return !path.is_empty();
    }
    path.len() > folder.len() && path.as_bytes()[folder.len()] == b'/' && path.starts_with(folder)
}

/// Every folder strictly above a path (without leading slash), the innermost first, without the root.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(at, _)| &path[..at])
}

impl FromStr for DrivePath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl AsRef<str> for DrivePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DrivePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<DrivePath> for String {
    fn from(path: DrivePath) -> Self {
        path.0
    }
}

impl fmt::Display for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0)
    }
}

impl fmt::Debug for DrivePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for DrivePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DrivePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = DrivePath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path inside a drive")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DrivePath, E> {
                DrivePath::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl PartialSchema for DrivePath {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some(
                "path inside a drive, with a leading slash in answers and with or without one in requests",
            ))
            .max_length(Some(MAX_PATH + 2))
            .examples(["/Documents/file1.txt"])
            .into()
    }
}

impl ToSchema for DrivePath {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("DrivePath")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> DrivePath {
        DrivePath::parse(text).unwrap()
    }

    #[test]
    fn one_slash_on_either_side_is_tolerated_and_the_answer_has_one_in_front() {
        for text in ["a/b", "/a/b", "a/b/", "/a/b/"] {
            assert_eq!(path(text).as_str(), "a/b");
            assert_eq!(path(text).to_string(), "/a/b");
        }
        assert!(path("").is_root() && path("/").is_root());
        assert_eq!(DrivePath::parse_entry("/"), Err(PathError::Root));
        assert_eq!(serde_json::to_string(&path("a/b")).unwrap(), "\"/a/b\"");
        assert_eq!(serde_json::from_str::<DrivePath>("\"/a/b\"").unwrap(), path("a/b"));
    }

    #[test]
    fn a_path_that_could_leave_the_drive_or_reach_the_reserved_folder_is_refused() {
        let name = "n".repeat(256);
        let long = vec!["n".repeat(255); 17].join("/");
        for (text, why) in [
            ("a//b", PathError::Empty),
            ("//a", PathError::Empty),
            ("a/./b", PathError::Dots),
            ("..", PathError::Dots),
            ("/a/../b", PathError::Dots),
            ("a\0", PathError::Nul),
            (&name, PathError::NameTooLong),
            (&long, PathError::TooLong),
            (".holdfast", PathError::Reserved),
            ("/a/.HOLDFAST/versions", PathError::Reserved),
            ("a/.holdfast ", PathError::Reserved),
        ] {
            assert_eq!(DrivePath::parse(text), Err(why), "{text}");
        }
        assert_eq!(path("a").join("b/c"), Err(PathError::Slash));
        assert_eq!(path("a").join(".."), Err(PathError::Dots));
    }

    #[test]
    fn beneath_is_judged_on_whole_components() {
        assert!(path("a/b").is_beneath(&path("a")));
        assert!(path("a").is_beneath(&DrivePath::root()));
        assert!(!path("a").is_beneath(&path("a")));
        assert!(!path("ab/c").is_beneath(&path("a")));
        assert!(!DrivePath::root().is_beneath(&DrivePath::root()));
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
    }

    #[test]
    fn a_move_of_a_folder_takes_what_is_beneath_along() {
        assert_eq!(path("a/b/c").rebase(&path("a/b"), &path("x")).unwrap(), path("x/c"));
        assert_eq!(path("a/b").rebase(&path("a/b"), &path("x")).unwrap(), path("x"));
        assert_eq!(path("a/b").rebase(&path("a"), &DrivePath::root()).unwrap(), path("b"));
        assert_eq!(path("b").rebase(&DrivePath::root(), &path("a")).unwrap(), path("a/b"));
        assert_eq!(path("ab").rebase(&path("a"), &path("x")), Err(PathError::Outside));
    }

    #[test]
    fn twins_share_a_folded_key() {
        assert_eq!(fold_key("Re\u{301}sume\u{301}.TXT"), fold_key("résumé.txt"));
        assert_ne!(fold_key("resume.txt"), fold_key("résumé.txt"));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_comes_back_as_it_went_in(text in "\\PC{0,40}|[a.~/ ]{0,12}") {
            if let Ok(path) = DrivePath::parse(&text) {
                prop_assert_eq!(text.trim_matches('/'), path.as_str());
                let printed = path.to_string();
                prop_assert_eq!(&DrivePath::parse(&printed).unwrap(), &path);
                let rebuilt = path.components().try_fold(DrivePath::root(), |above, name| above.join(name));
                prop_assert_eq!(rebuilt.unwrap(), path.clone());
                prop_assert!(path.components().all(|name| check_name(name).is_ok()));
            }
        }

        #[test]
        fn the_key_of_a_key_is_that_key(text in "\\PC{0,24}") {
            prop_assert_eq!(fold_key(&fold_key(&text)), fold_key(&text));
        }
    }
}
