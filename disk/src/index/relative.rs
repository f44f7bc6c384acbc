//! How paths stand in index files: relative, without a slash in front (002-26), and never such that they lead elsewhere.

use std::borrow::Cow;

use holdfast_protocol::DrivePath;
use serde::{Deserialize, Deserializer, Serializer, de};

pub(super) fn serialize<S: Serializer>(path: &DrivePath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.as_str())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DrivePath, D::Error> {
    parse(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A path as it stands in an index file.
///
/// # Errors
/// Why it is none.
pub(super) fn parse(text: &str) -> Result<DrivePath, String> {
    // Elsewhere a slash on either side is tolerated.
    if text.starts_with('/') || text.ends_with('/') {
        return Err("a path in an index has no slash at either end".to_owned());
    }
    DrivePath::parse_entry(text).map_err(|error| error.to_string())
}

/// The same for paths that may be absent.
pub(super) mod option {
    use super::{Cow, Deserialize as _, Deserializer, DrivePath, Serializer, de, parse};

    pub fn serialize<S: Serializer>(path: &Option<DrivePath>, serializer: S) -> Result<S::Ok, S::Error> {
        match path {
            Some(path) => serializer.serialize_some(path.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DrivePath>, D::Error> {
        let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
        text.map(|text| parse(&text).map_err(de::Error::custom)).transpose()
    }
}
