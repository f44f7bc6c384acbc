//! Rules for names, passwords and roles of accounts and devices.

use unicode_normalization::UnicodeNormalization as _;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Also manages accounts and the server.
    Admin,
    /// Uses their own drives and those shared with them.
    Member,
}

impl Role {
    /// The word in the catalogue and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// From the word in the catalogue and the API.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }
}

/// The pseudo-device that migration 0002 makes (000-20); no client may take its name.
pub const LEGACY_DEVICE: &str = "legacy_client";

/// Most characters of a user name.
const LONGEST_NAME: usize = 64;
/// Most bytes that a character of a stored name takes as it may be typed: a letter and three marks, each of four bytes.
const WIDEST: usize = 16;

/// The key under which a user name is unique: accounts never differ by case or Unicode form alone.
pub fn username_key(username: &str) -> String {
    username.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// The key of a name that somebody signs in with; `None` when it is longer than any name can be written. Folding takes
/// time and room by the length, and whoever signs in has not proved anything yet.
pub fn login_key(username: &str) -> Option<String> {
    (username.len() <= LONGEST_NAME * WIDEST).then(|| username_key(username))
}

/// A name as it is stored, or why it cannot be one.
///
/// # Errors
/// A sentence for the public.
pub fn username(text: &str) -> Result<String, &'static str> {
    let name =
        plain(text, LONGEST_NAME).ok_or("a user name has 1 to 64 characters and no control characters")?;
    // Basic ends the name at the first colon (RFC 7617, section 2); a slash would end a path.
    if name.contains([':', '/', '\\']) {
        return Err("a user name has no colon and no slash");
    }
    Ok(name)
}

/// What people read instead of the user name.
///
/// # Errors
/// A sentence for the public.
pub fn display_name(text: &str) -> Result<String, &'static str> {
    plain(text, 128).ok_or("a display name has 1 to 128 characters and no control characters")
}

/// What a device or program is called by its owner.
///
/// # Errors
/// A sentence for the public.
pub fn device_name(text: &str) -> Result<String, &'static str> {
    plain(text, 128).ok_or("a name has 1 to 128 characters and no control characters")
}

/// The name a client chose for itself (003-02), unique per user.
///
/// # Errors
/// A sentence for the public.
pub fn device_id(text: &str) -> Result<&str, &'static str> {
    if text.is_empty() || text.len() > 128 || text.trim() != text || text.chars().any(char::is_control) {
        return Err("a device_id has 1 to 128 bytes, no control characters and no blank at its ends");
    }
    if text == LEGACY_DEVICE {
        return Err("this device_id is reserved");
    }
    Ok(text)
}

/// Long enough to be worth guessing at, short enough to hash.
///
/// # Errors
/// A sentence for the public.
pub fn password(text: &str) -> Result<(), &'static str> {
    match text.len() {
        8..=1024 => Ok(()),
        _ => Err("a password has 8 to 1024 bytes"),
    }
}

fn plain(text: &str, longest: usize) -> Option<String> {
    if text.len() > longest * WIDEST {
        return None;
    }
    let text: String = text.trim().nfc().collect();
    let fits = (1..=longest).contains(&text.chars().count());
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_share_a_key() {
        assert_eq!(username_key("Ada"), username_key(" aDA "));
        assert_eq!(username_key("e\u{301}va"), username_key("\u{c9}va"));
        assert_ne!(username_key("ada"), username_key("eva"));
    }

    #[test]
    fn a_name_is_not_folded_before_its_length_is_known_to_be_possible() {
        let decomposed = "a\u{323}\u{302}".repeat(64);
        assert_eq!(login_key(&decomposed), Some("\u{1ead}".repeat(64)));
        assert_eq!(login_key(&format!("ada{}", " ".repeat(2000))), None);
        assert!(username(&format!("ada{}", " ".repeat(2000))).is_err());
    }

    #[test]
    fn names_that_would_break_basic_or_a_path_are_refused() {
        for bad in ["", "  ", "a:b", "a/b", "a\\b", "a\u{0}b", "a\nb"] {
            assert!(username(bad).is_err(), "{bad:?}");
        }
        assert!(username(&"x".repeat(65)).is_err());
        assert_eq!(username(" Ada "), Ok("Ada".to_owned()));
    }

    #[test]
    fn a_device_may_not_pose_as_the_legacy_client() {
        assert!(device_id("legacy_client").is_err());
        assert_eq!(device_id("iphone-12345"), Ok("iphone-12345"));
        assert!(device_id(" x").is_err());
        assert!(device_id("a\tb").is_err());
    }

    #[test]
    fn a_password_has_a_length_that_is_worth_something() {
        assert!(password("short").is_err());
        assert!(password("long enough").is_ok());
        assert!(password(&"x".repeat(1025)).is_err());
    }
}
