//! Which names which device can hold (design section 5: told as such, never silently renamed or merged), and the names
//! given to copies.

mod copies;
mod spelling;
mod twins;

pub use copies::conflict_copy;
pub use spelling::respell;
pub use twins::Twins;

use holdfast_protocol::plan::Reason;

/// What matters of a device's system about names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// Any name that the server can hold, case and Unicode form as they are.
    Posix,
    /// Reserved names and characters, no trailing dot or space, case ignored.
    Windows,
    /// No colon; case and Unicode form ignored. Apple's systems.
    Apple,
    /// FAT's characters, case ignored: Android's shared storage.
    Android,
}

impl Platform {
    /// From the free text that a device gave as its platform. What nobody knows is taken for a system that can hold
    /// every name: a wrong guess would hide files from it.
    pub fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if any(&["darwin", "mac", "ios", "ipad", "iphone", "apple"]) {
            Self::Apple
        } else if any(&["windows", "win32", "win64"]) {
            Self::Windows
        } else if any(&["android"]) {
            Self::Android
        } else {
            Self::Posix
        }
    }

    /// Two names that differ only by case or Unicode form are one file there.
    pub fn folds(self) -> bool {
        self != Self::Posix
    }

    /// Why the system cannot hold a path (without leading slash), whatever else is there; `None` when it can.
    pub fn obstacle(self, path: &str) -> Option<Reason> {
        path.split('/').find_map(|name| match self {
            Self::Posix => None,
            Self::Apple => name.contains(':').then_some(Reason::UnholdableName),
            Self::Android => name.contains(is_fat_refused).then_some(Reason::UnholdableName),
            Self::Windows if is_windows_device(name) => Some(Reason::ReservedName),
            Self::Windows if name.contains(is_fat_refused) || name.ends_with(['.', ' ']) => {
                Some(Reason::UnholdableName)
            }
            Self::Windows => None,
        })
    }
}

/// Characters that FAT and NTFS names cannot have ("Naming Files, Paths, and Namespaces" in the Windows documentation).
fn is_fat_refused(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '\\' | '|' | '?' | '*' | '\0'..='\x1f')
}

/// `CON`, `nul.txt` and the like: what stands before the first dot names a device, on every folder of a Windows disk.
fn is_windows_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ').to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => ["COM", "LPT"].iter().any(|kind| {
            let number = stem.strip_prefix(kind).map(|rest| rest.chars().collect::<Vec<_>>());
            matches!(number.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_is_not_asked_to_hold_what_it_cannot() {
        for (name, reason) in [
            ("a/CON/b", Reason::ReservedName),
            ("nul.txt", Reason::ReservedName),
            ("com1", Reason::ReservedName),
            ("LPT³ .log", Reason::ReservedName),
            ("a:b", Reason::UnholdableName),
            ("what?", Reason::UnholdableName),
            ("end./x", Reason::UnholdableName),
            ("end ", Reason::UnholdableName),
            ("tab\there", Reason::UnholdableName),
        ] {
            assert_eq!(Platform::Windows.obstacle(name), Some(reason), "{name}");
            assert_eq!(Platform::Posix.obstacle(name), None, "{name}");
        }
        for name in ["console", "com10", "COMX", "a.con", "LPT", "naïve.txt"] {
            assert_eq!(Platform::Windows.obstacle(name), None, "{name}");
        }
        assert_eq!(Platform::Apple.obstacle("a:b"), Some(Reason::UnholdableName));
        assert_eq!(Platform::Android.obstacle("a|b"), Some(Reason::UnholdableName));
    }

    #[test]
    fn a_platform_is_read_from_what_the_device_calls_itself() {
        assert_eq!(Platform::of("Windows 11"), Platform::Windows);
        assert_eq!(Platform::of("Darwin 25"), Platform::Apple);
        assert_eq!(Platform::of("iOS"), Platform::Apple);
        assert_eq!(Platform::of("android"), Platform::Android);
        assert_eq!(Platform::of("linux"), Platform::Posix);
        assert_eq!(Platform::of(""), Platform::Posix);
    }
}
