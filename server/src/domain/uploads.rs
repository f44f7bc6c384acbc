//! What a client says of a resumable upload: `Upload-Metadata` and `Upload-Checksum` of tus 1.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_protocol::{ContentHash, DrivePath};

use super::checksums::Checksum;
use super::times::decimal_seconds;

/// Longest `Upload-Metadata` that is taken, in bytes.
pub const MOST_METADATA: usize = 16 * 1024;
/// Names of the checksums that a part may have, as `Tus-Checksum-Algorithm` lists them.
pub const ALGORITHMS: &str = "sha1,sha256,md5";

/// What an upload may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Whatever is there.
    ReplaceAnything,
    /// A file, whatever it holds.
    ReplaceAFile,
    /// Only this content.
    Replace(ContentHash),
    /// Nothing.
    ReplaceNothing,
}

/// What an upload is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// The drive, by id or name; `None`: the home drive.
    pub drive: Option<String>,
    /// The file.
    pub path: DrivePath,
    /// When the content was last written, in nanoseconds since 1970.
    pub mtime_ns: Option<i64>,
    /// The content's hash.
    pub hash: Option<ContentHash>,
    /// What it may replace.
    pub may: May,
    /// Whether missing folders above are made, where the client says so.
    pub parents: Option<bool>,
}

/// Why it is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not written as tus has it.
    Malformed,
    /// A value cannot be one.
    Bad {
        /// The key.
        key: &'static str,
        /// What would be right.
        wanted: String,
    },
}

/// Reads an `Upload-Metadata`: keys with base64 values, comma-separated. Unknown keys are passed over. The name of the
/// file is taken from `path`, else from what clients in browsers send by themselves: `relativePath`, `filename`, `name`.
///
/// # Errors
/// [`Fault`].
pub fn meant(metadata: &str) -> Result<Meant, Fault> {
    let pairs = pairs(metadata)?;
    let get = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str());
    // Some clients write the text of a missing value.
    let named = |key| get(key).filter(|value| !matches!(*value, "" | "null" | "undefined"));
    let bad = |key, wanted: &str| Fault::Bad { key, wanted: wanted.to_owned() };
    let relative = named("relativePath");
    let name = get("path").or(relative).or(named("filename")).or(named("name"));
    let name = name.ok_or_else(|| bad("path", "the path of the file"))?;
    let path = DrivePath::parse(name).map_err(|error| bad("path", &error.to_string()))?;
    if path.is_root() {
        return Err(bad("path", "the path of a file"));
    }
    let mtime_ns = match (get("mtime_ns"), get("mtime")) {
        (Some(text), _) => Some(text.parse().map_err(|_| bad("mtime_ns", "whole nanoseconds since 1970"))?),
        (None, Some(text)) => Some(decimal_seconds(text).ok_or_else(|| bad("mtime", "seconds since 1970"))?),
        (None, None) => None,
    };
    let hash = match get("hash") {
        Some(text) => Some(text.parse().map_err(|_| bad("hash", "a SHA-256 in hexadecimal digits"))?),
        None => None,
    };
    let may = match get("expect") {
        None => May::ReplaceAnything,
        Some("*") => May::ReplaceAFile,
        Some("none") => May::ReplaceNothing,
        Some(text) => May::Replace(
            text.trim_matches('"').parse().map_err(|_| bad("expect", "a content hash, * or none"))?,
        ),
    };
    let parents = match get("parents") {
        Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        Some(_) => return Err(bad("parents", "true or false")),
        // Whoever uploads a folder means its folders, too.
        None => (get("path").is_none() && relative.is_some()).then_some(true),
    };
    Ok(Meant { drive: get("drive").map(str::to_owned), path, mtime_ns, hash, may, parents })
}

fn pairs(metadata: &str) -> Result<Vec<(&str, String)>, Fault> {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // A value may be left out.
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).map_err(|_| Fault::Malformed)?;
        let value = String::from_utf8(value).map_err(|_| Fault::Malformed)?;
        if pairs.iter().any(|(other, _)| *other == key) {
            return Err(Fault::Malformed);
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// Reads an `Upload-Checksum`: the algorithm and the value in base64. `None` for what is none of ours.
pub fn checksum(text: &str) -> Option<Checksum> {
    let (algorithm, value) = text.trim().split_once(' ')?;
    let bytes = STANDARD.decode(value.trim()).ok()?;
    match algorithm {
        "sha1" => bytes.try_into().ok().map(Checksum::Sha1),
        "md5" => bytes.try_into().ok().map(Checksum::Md5),
        "sha256" => ContentHash::try_from(bytes.as_slice()).ok().map(Checksum::Sha256),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn written(pairs: &[(&str, &str)]) -> String {
        let one = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
        pairs.iter().map(one).collect::<Vec<_>>().join(",")
    }

    fn path_of(pairs: &[(&str, &str)]) -> String {
        meant(&written(pairs)).unwrap().path.to_string()
    }

    #[test]
    fn a_path_outweighs_what_browsers_send_by_themselves() {
        assert_eq!(path_of(&[("filename", "c.txt"), ("path", "a/b.txt")]), "/a/b.txt");
        assert_eq!(path_of(&[("name", "c.txt"), ("relativePath", "null"), ("type", "text/plain")]), "/c.txt");
        let folder = meant(&written(&[("name", "c.txt"), ("relativePath", "d/c.txt")])).unwrap();
        assert_eq!((folder.path.as_str(), folder.parents), ("d/c.txt", Some(true)));
        assert_eq!(meant(&written(&[("path", "d/c.txt")])).unwrap().parents, None);
    }

    #[test]
    fn everything_that_may_be_said_is_understood() {
        let hash = ContentHash::EMPTY.to_string();
        let all = written(&[
            ("drive", "photos"),
            ("path", "a"),
            ("mtime", "12.5"),
            ("hash", &hash),
            ("expect", "none"),
            ("parents", "true"),
        ]);
        let meant = meant(&all).unwrap();
        assert_eq!(meant.drive.as_deref(), Some("photos"));
        assert_eq!(meant.mtime_ns, Some(12_500_000_000));
        assert_eq!((meant.hash, meant.may), (Some(ContentHash::EMPTY), May::ReplaceNothing));
        assert_eq!(meant.parents, Some(true));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        let refused = |key, value| match meant(&written(&[("filename", "a"), (key, value)])) {
            Err(Fault::Bad { key, .. }) => key,
            other => unreachable!("{other:?}"),
        };
        for (key, value) in [
            ("path", "../a"),
            ("path", ".holdfast/uploads/a"),
            ("path", ""),
            ("mtime", "x"),
            ("mtime_ns", "1.5"),
            ("hash", "abc"),
            ("expect", "abc"),
            ("parents", "maybe"),
        ] {
            assert_eq!(refused(key, value), key, "{value}");
        }
        for broken in ["path *", "path /w==", "path YQ==,path YQ=="] {
            assert_eq!(meant(broken), Err(Fault::Malformed), "{broken}");
        }
        assert!(matches!(meant(""), Err(Fault::Bad { key: "path", .. })));
    }

    #[test]
    fn a_checksum_is_one_of_the_named_kinds() {
        let sha256 = format!("sha256 {}", STANDARD.encode(ContentHash::EMPTY.as_bytes()));
        assert_eq!(checksum(&sha256), Some(Checksum::Sha256(ContentHash::EMPTY)));
        assert!(matches!(checksum("sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="), Some(Checksum::Sha1(_))));
        for bad in ["sha1 AAAA", "crc32 AAAA", "sha256", ""] {
            assert_eq!(checksum(bad), None, "{bad}");
        }
    }
}
