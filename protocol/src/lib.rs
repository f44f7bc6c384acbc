//! Types on the wire between Holdfast's server and its clients: hashes, paths, manifests, plans and the feed, and the checks
//! that both sides apply to them. No I/O beyond reading a manifest from a given reader.

pub mod batch;
pub mod feed;
pub mod hash;
pub mod manifest;
pub mod path;
pub mod path_map;
pub mod plan;
pub mod value;

mod reserved;

pub use hash::{ContentHash, HashError};
pub use path::{DrivePath, PathError, check_name, fold_key};
pub use path_map::PathMap;
pub use value::{Kind, Value};
