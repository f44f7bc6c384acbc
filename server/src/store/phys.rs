//! Where something physically lies beneath a drive's root.

use std::fmt;

use holdfast_disk::RESERVED;
use holdfast_protocol::{DrivePath, PathError, check_name};
use uuid::Uuid;

/// Names a slot: the uuid of the op whose content waits in it, and which later holds what that op displaced.
pub type SlotId = Uuid;

/// A path beneath a drive's root, `/` between names and none in front: of the tree (`a/b`), or of a slot and what lies in
/// it (`.holdfast/versions/ab/<uuid>[/rest]`), or within the store of a content that arrives in parts. Made of checked names alone, so it leads nowhere else. Empty: the root.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phys(String);

impl Phys {
    /// The root of the tree.
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// A slot: `.holdfast/versions/<first two digits>/<uuid>`.
    pub fn slot(id: SlotId) -> Self {
        let bucket = id.as_bytes()[0];
        Self(format!("{RESERVED}/versions/{bucket:02x}/{id}"))
    }

    /// Where what an op displaces waits on its way into the slot, on a file system that cannot swap two names.
    pub(super) fn aside(id: SlotId) -> Self {
        Self(format!("{}.old", Self::slot(id).0))
    }

    /// Where an op puts a name that it takes away, to see what it was before it is gone.
    pub(super) fn spare(id: SlotId) -> Self {
        Self(format!("{}.spare", Self::slot(id).0))
    }

    /// A content that arrives in parts: `.holdfast/uploads/<uuid>`. The uuid is that of the slot it becomes.
    pub(super) fn upload(id: SlotId) -> Self {
        Self(format!("{RESERVED}/uploads/{id}"))
    }

    /// The folder of all contents that arrive in parts.
    pub(super) fn uploads() -> Self {
        Self(format!("{RESERVED}/uploads"))
    }

    /// The folder that holds the slots whose ids begin with these two digits.
    pub(super) fn bucket(bucket: u8) -> Self {
        Self(format!("{RESERVED}/versions/{bucket:02x}"))
    }

    /// Reads what [`Phys::as_str`] gave, however long: a folder's move makes the paths beneath it longer than any that a
    /// request may name.
    ///
    /// # Errors
    /// [`PathError`] for anything else, the reserved folder but for slots included.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let beneath =
            |above: Self, names: &str| names.split('/').try_fold(above, |path, name| path.join(name));
        if text.is_empty() {
            return Ok(Self::root());
        }
        let Some(inside) = text.strip_prefix(RESERVED).and_then(|rest| rest.strip_prefix("/versions/"))
        else {
            return beneath(Self::root(), text);
        };
        let mut names = inside.splitn(3, '/');
        let (Some(bucket), Some(name)) = (names.next(), names.next()) else {
            return Err(PathError::Reserved);
        };
        let slot = Self::slot(name.parse::<Uuid>().map_err(|_| PathError::Reserved)?);
        if slot.0 != format!("{RESERVED}/versions/{bucket}/{name}") {
            return Err(PathError::Reserved);
        }
        match names.next() {
            Some(rest) => beneath(slot, rest),
            None => Ok(slot),
        }
    }

    /// What is of that name in this folder.
    ///
    /// # Errors
    /// [`PathError`] for a name that could not be one.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        check_name(name)?;
        Ok(if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) })
    }

    /// The path as the file system takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the root of the tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// True where no other program has any business: in the reserved folder.
    pub(super) fn is_reserved(&self) -> bool {
        self.0.strip_prefix(RESERVED).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Where a slot's content may wait instead, on a file system that cannot swap two names; `None` for what is no slot
    /// itself.
    pub(super) fn aside_of_slot(&self) -> Option<Self> {
        self.slot_id().filter(|id| Self::slot(*id) == *self).map(Self::aside)
    }

    /// The slot that it is or lies in; `None` in the tree.
    pub fn slot_id(&self) -> Option<SlotId> {
        let rest = self.0.strip_prefix(RESERVED)?.strip_prefix("/versions/")?;
        rest.split('/').nth(1)?.parse().ok()
    }

    /// The folder it is in and its name there; `None` for the root.
    pub fn split(&self) -> Option<(&str, &str)> {
        match self.0.rsplit_once('/') {
            Some(split) => Some(split),
            None if self.0.is_empty() => None,
            None => Some(("", &self.0)),
        }
    }
}

impl From<DrivePath> for Phys {
    fn from(path: DrivePath) -> Self {
        Self(path.as_str().to_owned())
    }
}

impl From<&DrivePath> for Phys {
    fn from(path: &DrivePath) -> Self {
        Self(path.as_str().to_owned())
    }
}

impl fmt::Display for Phys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let slot = Phys::slot(Uuid::from_u128(0xab << 120 | 5));
        assert_eq!(slot.as_str(), ".holdfast/versions/ab/ab000000-0000-0000-0000-000000000005");
        let inside = slot.join("a").unwrap().join("b").unwrap();
        for path in [Phys::root(), slot.clone(), inside.clone(), Phys::root().join("x").unwrap()] {
            assert_eq!(Phys::parse(path.as_str()).unwrap(), path);
        }
        let long = vec!["name"; 2000].join("/");
        assert_eq!(Phys::parse(&long).unwrap().as_str(), long);
        assert_eq!(inside.slot_id(), slot.slot_id());
        assert_eq!(Phys::parse("a/b").unwrap().slot_id(), None);
    }

    #[test]
    fn nothing_leads_out_of_the_root_or_to_the_rest_of_the_reserved_folder() {
        for text in [
            "..",
            "a/../b",
            "a//b",
            "a\0",
            ".holdfast",
            ".holdfast/drive.json",
            ".holdfast/versions",
            ".holdfast/versions/log",
            ".holdfast/versions/ab",
            ".holdfast/versions/ab/x",
            ".holdfast/versions/ac/ab000000-0000-0000-0000-000000000005",
            ".holdfast/versions/ab/AB000000-0000-0000-0000-000000000005",
            ".holdfast/versions/ab/ab000000-0000-0000-0000-000000000005/..",
            ".holdfast/versions/ab/ab000000-0000-0000-0000-000000000005/",
            ".HOLDFAST/versions/ab/ab000000-0000-0000-0000-000000000005",
        ] {
            assert!(Phys::parse(text).is_err(), "{text}");
        }
    }
}
