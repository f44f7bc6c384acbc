//! By what a volume is known again: the most specific identifiers it has, wherever it is mounted and whatever the system
//! calls its device today.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::kinds;

/// No fingerprint is longer, in bytes. Longer identifiers are hashed.
pub const MAX_BYTES: usize = 128;

/// What may tell a volume from others. Empty texts count as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The file system's type.
    pub file_system: Option<String>,
    /// The file system's UUID or serial number.
    pub uuid: Option<String>,
    /// The partition's UUID.
    pub part_uuid: Option<String>,
    /// The disk's world wide name.
    pub wwn: Option<String>,
    /// The disk's serial number.
    pub serial: Option<String>,
    /// The disk's model.
    pub model: Option<String>,
    /// The partition's number; none for a whole disk.
    pub part_number: Option<u32>,
    /// For a share: what is mounted, `server:/export` or `//server/share` or a URL.
    pub share: Option<String>,
    /// The file system's label.
    pub label: Option<String>,
    /// Bytes of the device.
    pub size: Option<u64>,
    /// What tells apart clones that have no serial number: a loop device's file, the device's name.
    pub place: Option<String>,
}

/// By what a volume is known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint {
    /// ASCII without blanks, at most [`MAX_BYTES`].
    pub text: String,
    /// Made from label, size and model, which two disks of one make may share.
    pub weak: bool,
}

/// The fingerprint of one volume, others not considered.
pub fn of(identity: &Identity) -> Fingerprint {
    let strong = |text| Fingerprint { text, weak: false };
    if let Some(share) = present(&identity.share) {
        let file_system = present(&identity.file_system).unwrap_or("share");
        return strong(share_text(file_system, share));
    }
    if let Some(uuid) = present(&identity.uuid) {
        let file_system = present(&identity.file_system).unwrap_or("unknown");
        return strong(compose("fs", &[kinds::family(file_system), &uuid.to_lowercase()]));
    }
    if let Some(uuid) = present(&identity.part_uuid) {
        return strong(compose("part", &[&uuid.to_lowercase()]));
    }
    let number = identity.part_number.map_or_else(|| "whole".to_owned(), |number| number.to_string());
    if let Some(wwn) = present(&identity.wwn) {
        return strong(compose("wwn", &[&wwn.to_lowercase(), &number]));
    }
    if let Some(serial) = present(&identity.serial) {
        // Cheap makers give every disk the same serial number; the model at least is then told apart.
        return strong(compose("serial", &[present(&identity.model).unwrap_or(""), serial, &number]));
    }
    let size = identity.size.map(|size| size.to_string()).unwrap_or_default();
    let [label, model, file_system] =
        [&identity.label, &identity.model, &identity.file_system].map(|text| present(text).unwrap_or(""));
    let text = compose("weak", &[kinds::family(file_system), label, &size, model, &number]);
    Fingerprint { text, weak: true }
}

/// The fingerprints of all volumes there are, in their order, no two alike; with what to tell people of clones.
///
/// Clones are all told apart by what is around the file system, none keeps the plain fingerprint: which of them is the
/// one that was there before cannot be known, and to take the wrong one for it would be worse than to take neither.
pub fn of_all(identities: &[Identity]) -> (Vec<Fingerprint>, Vec<String>) {
    let mut prints: Vec<Fingerprint> = identities.iter().map(of).collect();
    let mut problems = Vec::new();
    for like in groups(&prints) {
        let text = prints[like[0]].text.clone();
        problems.push(format!(
            "{} volumes have the same identity {text}; they are told apart by their disks",
            like.len()
        ));
        for &at in &like {
            let identity = &identities[at];
            let number = identity.part_number.map(|number| number.to_string()).unwrap_or_default();
            let around = [&identity.part_uuid, &identity.wwn, &identity.serial, &identity.model]
                .map(|text| present(text).unwrap_or(""));
            let is_bare = around[..3].iter().all(|text| text.is_empty());
            let place = if is_bare { present(&identity.place).unwrap_or("") } else { "" };
            let parts = [&text[..], around[0], around[1], around[2], around[3], &number, place];
            prints[at] = Fingerprint { text: compose("clone", &parts), weak: prints[at].weak || is_bare };
        }
    }
    // Two ways to one disk, or disks whose serial numbers are the same, too: only their place is left.
    for like in groups(&prints) {
        for at in like {
            let place = present(&identities[at].place).unwrap_or("");
            let text = compose("clone", &[&prints[at].text, place]);
            prints[at] = Fingerprint { text, weak: true };
        }
    }
    // Nothing at all tells these apart but their turn.
    for like in groups(&prints) {
        for (turn, at) in like.into_iter().enumerate().skip(1) {
            let text = compose("clone", &[&prints[at].text, "turn", &turn.to_string()]);
            prints[at] = Fingerprint { text, weak: true };
        }
    }
    (prints, problems)
}

/// Which of them are alike, each group with two members or more, in their order.
fn groups(prints: &[Fingerprint]) -> Vec<Vec<usize>> {
    let mut by_text: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, print) in prints.iter().enumerate() {
        by_text.entry(&print.text).or_default().push(at);
    }
    let mut groups: Vec<_> = by_text.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

/// The text if it says anything: an identifier of zeros is one that was never set.
fn present(text: &Option<String>) -> Option<&str> {
    let text = text.as_deref()?.trim();
    let says_nothing =
        text.chars().all(|c| matches!(c, '0' | '-' | ':' | ' ')) || text.eq_ignore_ascii_case("none");
    (!says_nothing).then_some(text)
}

/// Joins parts so that different parts never give the same text: what is long or holds anything but plain letters is
/// hashed, each part with its length, and a hash has a sign that no plain text has.
fn compose(prefix: &str, parts: &[&str]) -> String {
    let plain = format!("{prefix}:{}", parts.join(":"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if plain.len() <= MAX_BYTES && parts.iter().all(|part| part.chars().all(is_plain)) {
        return plain;
    }
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}:#{digest}")
}

fn share_text(file_system: &str, share: &str) -> String {
    let url = share_url(file_system, share);
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '[' | ']' | '@' | '$' | '~')
    };
    if url.len() + 4 <= MAX_BYTES && url.chars().all(is_plain) {
        format!("net:{url}")
    } else {
        compose("net", &[&url, "url"])
    }
}

/// A share as `type://server/share`: the server in lower case, no slash too many, no password.
pub fn share_url(file_system: &str, share: &str) -> String {
    let family = kinds::family(file_system);
    let (scheme, rest) = match share.split_once("://") {
        Some((scheme, rest)) => (scheme.to_lowercase(), rest.to_owned()),
        // //server/share, also written \\server\share
        None if share.starts_with("//") || share.starts_with("\\\\") => {
            (family.to_lowercase(), share.replace('\\', "/"))
        }
        // server:/export; an IPv6 address stands in brackets. Over ssh a path without a slash begins at home.
        None => {
            let is_bracketed =
                share.find('[').is_some_and(|at| share.find(':').is_some_and(|colon| at < colon));
            let end = share.find(']').filter(|_| is_bracketed).map_or(0, |at| at + 1);
            let rest = match share[end..].split_once(':') {
                Some((server, path)) if family == "sshfs" && !path.starts_with('/') => {
                    format!("{}{server}/~/{path}", &share[..end])
                }
                Some((server, path)) => format!("{}{server}/{path}", &share[..end]),
                None => share.to_owned(),
            };
            (family.to_lowercase(), rest)
        }
    };
    let mut parts = rest.split('/').filter(|part| !part.is_empty());
    let authority = parts.next().unwrap_or("");
    let server = match authority.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or("");
            format!("{name}@{}", host.to_lowercase())
        }
        None => authority.to_lowercase(),
    };
    let path: Vec<&str> = parts.collect();
    // A Windows share is the same in upper and lower case; what lies below it may not be.
    match path.split_first() {
        None => format!("{scheme}://{server}"),
        Some((first, below)) if scheme == "smb" => {
            let below: String = below.iter().map(|part| format!("/{part}")).collect();
            format!("{scheme}://{server}/{}{below}", first.to_lowercase())
        }
        Some(_) => format!("{scheme}://{server}/{}", path.join("/")),
    }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
