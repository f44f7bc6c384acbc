//! What a name stands for: the value that manifests, agreements and the server are compared by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ContentHash;

/// File or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Has content.
    File,
    /// Has names beneath it.
    Folder,
}

/// A file's content or a folder's being there (algorithms B, `Value`). Absence is `Option::None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A file with this content.
    File(ContentHash),
    /// A folder; what is beneath has values of its own.
    Folder,
}

impl Value {
    /// The content, if it is a file.
    pub const fn hash(self) -> Option<ContentHash> {
        match self {
            Self::File(hash) => Some(hash),
            Self::Folder => None,
        }
    }

    /// File or folder.
    pub const fn kind(self) -> Kind {
        match self {
            Self::File(_) => Kind::File,
            Self::Folder => Kind::Folder,
        }
    }

    /// True for a folder.
    pub const fn is_folder(self) -> bool {
        matches!(self, Self::Folder)
    }
}
