//! Where a device has a drive, and which drive a path on that device lies in (000-12, 000-13): by whole components, with the
//! separators and the case of that device's system.

#[cfg(test)]
mod tests;

use holdfast_protocol::fold_key;

use super::names::Platform;

/// Most bytes of a path.
const LONGEST: usize = 4096;
/// Most components of a path: more than any system takes in so many bytes that mean something.
const DEEPEST: usize = 256;

/// Whose rules a device's paths follow: what it said it runs on, else what one of its paths looks like.
pub fn platform_of(said: Option<&str>, path: &str) -> Platform {
    match said {
        Some(said) => Platform::of(said),
        None if path.contains('\\') || has_letter(path) => Platform::Windows,
        None => Platform::Posix,
    }
}

/// A path of a device's, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePath {
    /// What all paths begin with that lie in the same tree of names: `/`, `c:/`, `//server/share/`.
    root: String,
    /// The names, folded as that system folds them.
    keys: Vec<String>,
    /// The names as they were given.
    names: Vec<String>,
}

impl DevicePath {
    /// Takes a path apart.
    ///
    /// # Errors
    /// A sentence for the public: it is relative, empty, of another system, too long, or leads up again.
    pub fn parse(platform: Platform, text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("a path is empty");
        }
        if text.len() > LONGEST {
            return Err("a path has at most 4096 bytes");
        }
        if text.contains('\0') {
            return Err("a path holds no NUL");
        }
        match platform {
            Platform::Windows => Self::of_windows(text),
            Platform::Posix | Platform::Apple | Platform::Android => {
                let below = text.strip_prefix('/').ok_or("a path on this device begins with a slash")?;
                let key = |name: &str| if platform.folds() { fold_key(name) } else { name.to_owned() };
                Self::of("/".to_owned(), below.split('/'), key)
            }
        }
    }

    fn of_windows(text: &str) -> Result<Self, &'static str> {
        let text = text.replace('/', "\\");
        // The long form says the same without Windows' own reading of it.
        let (text, is_share) = if let Some(rest) = strip_prefix_folded(&text, "\\\\?\\UNC\\") {
            (rest.to_owned(), true)
        } else if let Some(rest) = text.strip_prefix("\\\\?\\") {
            (rest.to_owned(), false)
        } else if text.starts_with("\\\\.\\") {
            return Err("a path on this device names no device of Windows'");
        } else if let Some(rest) = text.strip_prefix("\\\\") {
            (rest.to_owned(), true)
        } else {
            (text, false)
        };
        if is_share {
            let mut parts = text.splitn(3, '\\');
            let (server, share) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if server.is_empty() || share.is_empty() {
                return Err("a path on a share names its server and the share");
            }
            let root = format!("//{}/{}/", fold_key(server), fold_key(share));
            return Self::of(root, parts.next().unwrap_or_default().split('\\'), windows_key);
        }
        if let Some(volume) = strip_prefix_folded(&text, "Volume{") {
            let (id, below) = volume.split_once('}').ok_or("a volume's name ends with a brace")?;
            return Self::of(format!("volume{{{}}}/", fold_key(id)), below.split('\\'), windows_key);
        }
        if !has_letter(&text) || !matches!(text.as_bytes().get(2), None | Some(b'\\')) {
            return Err("a path on this device begins with a drive letter and a backslash, or names a share");
        }
        let letter = text[..1].to_ascii_lowercase();
        Self::of(format!("{letter}:/"), text[2..].split('\\'), windows_key)
    }

    fn of<'t>(
        root: String,
        parts: impl Iterator<Item = &'t str>,
        key: impl Fn(&str) -> String,
    ) -> Result<Self, &'static str> {
        let (mut keys, mut names) = (Vec::new(), Vec::new());
        for name in parts.filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." {
                return Err("a path does not lead up again");
            }
            if keys.len() >= DEEPEST {
                return Err("a path has at most 256 components");
            }
            let key = key(name);
            if key.is_empty() {
                return Err("a name on this device is more than dots and spaces");
            }
            keys.push(key);
            names.push(name.to_owned());
        }
        Ok(Self { root, keys, names })
    }

    /// What two paths have in common that name the same place on that system.
    pub fn key(&self) -> String {
        self.key_of(self.keys.len())
    }

    fn key_of(&self, count: usize) -> String {
        format!("{}{}", self.root, self.keys[..count].join("/"))
    }

    /// The keys of all places that the path lies in, itself included: the longest first, and how much of the path lies below,
    /// with `/` between names.
    pub fn within(&self) -> impl Iterator<Item = (String, String)> {
        (0..=self.keys.len()).rev().map(|count| (self.key_of(count), self.names[count..].join("/")))
    }
}

/// Windows takes no notice of dots and spaces at a name's end, nor of case.
fn windows_key(name: &str) -> String {
    fold_key(name.trim_end_matches(['.', ' ']))
}

fn has_letter(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn strip_prefix_folded<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (begin, rest) = text.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}
