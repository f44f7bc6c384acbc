//! The disk's words in the domain's.

use holdfast_disk as disk;

use crate::domain::stat::{EntryKind, Ident, Stat};

impl From<disk::Ident> for Ident {
    fn from(ident: disk::Ident) -> Self {
        Self { ino: ident.ino, btime_ns: ident.btime_ns }
    }
}

impl From<disk::EntryKind> for EntryKind {
    fn from(kind: disk::EntryKind) -> Self {
        match kind {
            disk::EntryKind::File => Self::File,
            disk::EntryKind::Folder => Self::Folder,
            disk::EntryKind::Link => Self::Link,
            disk::EntryKind::Other => Self::Other,
        }
    }
}

impl From<disk::Stat> for Stat {
    fn from(stat: disk::Stat) -> Self {
        Self {
            ident: stat.ident.into(),
            kind: stat.kind.into(),
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            nlink: stat.nlink,
            mode: stat.mode,
        }
    }
}
