//! Names: what a device cannot hold, and what a conflict copy is called.

use holdfast_protocol::path::MAX_NAME;

/// Why a device cannot hold a name; `None`: it can.
pub fn unholdable(name: &str, windows: bool) -> Option<&'static str> {
    if name.eq_ignore_ascii_case(super::OWN) {
        return Some("the agent's own name");
    }
    if !windows {
        return None;
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && matches!(n.as_bytes()[0], b'1'..=b'9'))
    };
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || is_port("COM") || is_port("LPT") {
        Some("a name that the device's system reserves")
    } else if name.ends_with(['.', ' '])
        || name.chars().any(|c| c < ' ' || matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*'))
    {
        Some("characters or an ending that the device's system cannot store")
    } else {
        None
    }
}

/// The name under which a content is kept beside another that has its name: `report (conflict, laptop, 2026-11-20 14.05).odt`.
/// The ending stays, and so does the limit of 255 bytes.
pub fn conflict_copy(name: &str, device: &str, time: &str, taken: impl Fn(&str) -> bool) -> String {
    let device: String =
        device.chars().filter(|c| !c.is_control() && !"/\\:*?\"<>|".contains(*c)).take(40).collect();
    copy(
        name,
        |n| {
            if n == 0 {
                format!(" (conflict, {device}, {time})")
            } else {
                format!(" (conflict, {device}, {time}, {})", n + 1)
            }
        },
        taken,
    )
}

/// The name that something has for a moment, while what goes round in a circle changes places.
pub fn passing(name: &str, taken: impl Fn(&str) -> bool) -> String {
    copy(name, |n| if n == 0 { " (moving)".to_owned() } else { format!(" (moving, {})", n + 1) }, taken)
}

fn copy(name: &str, mark: impl Fn(usize) -> String, taken: impl Fn(&str) -> bool) -> String {
    // A dot in front makes a hidden file, not an ending; an ending is short.
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= 16);
    let (stem, ending) = name.split_at(dot.unwrap_or(name.len()));
    let mut n = 0;
    loop {
        let mark = mark(n);
        let room = MAX_NAME.saturating_sub(mark.len() + ending.len());
        let mut end = stem.len().min(room);
        while !stem.is_char_boundary(end) {
            end -= 1;
        }
        let made = format!("{}{mark}{ending}", &stem[..end]);
        if !taken(&made) {
            return made;
        }
        n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_copy_is_named_for_people_and_keeps_its_ending() {
        let named = |name: &str| conflict_copy(name, "laptop", "2026-11-20 14.05", |_| false);
        assert_eq!(named("report.odt"), "report (conflict, laptop, 2026-11-20 14.05).odt");
        assert_eq!(named(".bashrc"), ".bashrc (conflict, laptop, 2026-11-20 14.05)");
        assert_eq!(named("README"), "README (conflict, laptop, 2026-11-20 14.05)");
    }

    #[test]
    fn a_long_name_is_cut_between_letters_and_stays_within_the_limit() {
        let name = format!("{}.odt", "é".repeat(125));
        let made = conflict_copy(&name, "laptop", "2026-11-20 14.05", |_| false);
        assert!(
            made.len() <= MAX_NAME && made.ends_with("(conflict, laptop, 2026-11-20 14.05).odt"),
            "{made}"
        );
    }

    #[test]
    fn a_name_that_is_taken_is_counted_up() {
        let taken = ["a (conflict, x, t).b", "a (conflict, x, t, 2).b"];
        assert_eq!(conflict_copy("a.b", "x", "t", |name| taken.contains(&name)), "a (conflict, x, t, 3).b");
    }

    #[test]
    fn a_device_with_windows_rules_holds_no_ports_and_no_colons() {
        for name in ["con", "LPT1.txt", "a:b", "a.", "x "] {
            assert!(unholdable(name, true).is_some(), "{name}");
            assert!(unholdable(name, false).is_none(), "{name}");
        }
        assert!(unholdable("console.log", true).is_none());
    }
}
