//! The name of the copy that `keep_both` stores beside a file.

use holdfast_protocol::DrivePath;
use holdfast_protocol::path::{MAX_NAME, ancestors};

use super::is_fat_refused;

/// Longest part of a device's name in a copy's name, in bytes.
const MAX_DEVICE: usize = 64;
/// What follows the last dot is kept as an extension up to that many bytes.
const MAX_EXTENSION: usize = 32;
const MAX_TRIES: u32 = 10_000;

/// `name (conflict from <device>).ext` beside `path`, numbered when taken. Where a file stands in the place of a folder
/// above the path, that folder gets the suffix. `None` when no name is free or the path would be too long.
///
/// `is_taken`: anything stands at this path. `is_file`: a file does.
pub fn conflict_copy(
    path: &DrivePath,
    device: &str,
    is_taken: impl Fn(&str) -> bool,
    is_file: impl Fn(&str) -> bool,
) -> Option<DrivePath> {
    let head = ancestors(path.as_str()).filter(|above| is_file(above)).last().unwrap_or(path.as_str());
    let rest = &path.as_str()[head.len()..];
    let (folder, name) = head.rsplit_once('/').unwrap_or(("", head));
    let (stem, extension) = split(name, rest.is_empty());
    let device = label(device);
    (1..MAX_TRIES).find_map(|number| {
        let number = if number == 1 { String::new() } else { format!(" {number}") };
        let suffix = format!(" (conflict from {device}{number})");
        let room = MAX_NAME.checked_sub(suffix.len() + extension.len())?;
        let name = format!("{}{suffix}{extension}", cut(stem, room));
        let copy = DrivePath::parse_entry(&format!("{folder}/{name}{rest}")).ok()?;
        let is_free = !is_taken(copy.as_str()) && !ancestors(copy.as_str()).any(&is_file);
        is_free.then_some(copy)
    })
}

/// The name without and its extension with the dot; a folder has none, and a leading dot begins none.
fn split(name: &str, is_file: bool) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if is_file && dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    }
}

/// A device's name as part of a file name that every system can hold.
fn label(device: &str) -> String {
    let safe: String = device
        .chars()
        .map(|c| if c == '/' || c.is_control() || is_fat_refused(c) { '_' } else { c })
        .collect();
    match cut(safe.trim(), MAX_DEVICE).trim_end() {
        "" => "device".to_owned(),
        label => label.to_owned(),
    }
}

/// At most that many bytes of a text, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use proptest::prelude::*;

    fn copy(path: &str, device: &str, taken: &[&str]) -> String {
        let path = DrivePath::parse(path).unwrap();
        conflict_copy(&path, device, |at| taken.contains(&at), |_| false).unwrap().as_str().to_owned()
    }

    #[test]
    fn the_copy_stands_beside_the_file_and_keeps_its_extension() {
        assert_eq!(copy("a/report.txt", "phone", &[]), "a/report (conflict from phone).txt");
        assert_eq!(copy(".profile", "phone", &[]), ".profile (conflict from phone)");
        let first = "a/report (conflict from phone).txt";
        assert_eq!(copy("a/report.txt", "phone", &[first]), "a/report (conflict from phone 2).txt");
        assert_eq!(copy("x", "../etc\n", &[]), "x (conflict from .._etc_)");
        assert_eq!(copy("x", " ", &[]), "x (conflict from device)");
    }

    #[test]
    fn a_folder_whose_place_a_file_took_gets_the_suffix() {
        let path = DrivePath::parse("a/b.d/c.txt").unwrap();
        let found = conflict_copy(&path, "phone", |_| false, |at| at == "a/b.d").unwrap();
        assert_eq!(found.as_str(), "a/b.d (conflict from phone)/c.txt");
    }

    proptest! {
        #[test]
        fn a_copy_of_any_name_can_be_stored(name in "[^/\\x00]{1,85}", device in "\\PC{0,90}") {
            let Ok(path) = DrivePath::root().join(&name) else { return Ok(()) };
            let taken = path.as_str().to_owned();
            let found = conflict_copy(&path, &device, |at| at == taken, |_| false).unwrap();
            prop_assert_ne!(&found, &path);
            prop_assert_eq!(DrivePath::parse(found.as_str()).unwrap(), found);
        }
    }
}
