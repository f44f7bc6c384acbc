//! What `lstat` says of a file, as far as Holdfast's rules need it.

/// The identity of an inode: its number, and its birth time because numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    /// Inode number.
    pub ino: u64,
    /// Birth time in nanoseconds since 1970.
    pub btime_ns: i64,
}

/// What kind of thing a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link: recorded, never followed.
    Link,
    /// A socket, pipe or device: left alone.
    Other,
}

/// What `lstat` says of one directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Which inode it is.
    pub ident: Ident,
    /// What kind of thing it is.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Time of last modification in nanoseconds since 1970, signed.
    pub mtime_ns: i64,
    /// Names it has.
    pub nlink: u64,
    /// Permission bits.
    pub mode: u32,
}
