//! Escaping: the same text, as a shell, a command prompt, an address or davfs2 reads it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986, section 2.3: everything but these is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A name as a part of an address.
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A word of a POSIX shell (POSIX.1, section 2.2.2): in single quotes where it needs any.
pub fn shell(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b':' | b'@' | b'%' | b'+')
    };
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word of Windows' command prompt.
pub fn cmd(text: &str) -> String {
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b':' | b'[' | b']')
    };
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    // Programs read "\"" as a quotation mark inside of quotation marks.
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// A value in a file of davfs2, whose quotation marks, apostrophes and backslashes are escaped.
pub fn davfs2(text: &str) -> String {
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@'))
    {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A name made of small letters, digits and single hyphens, for folders and remotes that are called after a drive.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().take(40) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "drive".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in [
            "",
            "ada",
            "-n",
            "o'neil",
            "a b",
            "$(id)`id`",
            "50% \\ \"x\"",
            "ä\u{1f600}",
            "~",
            "a;b|c&d",
            "*?[x]",
            "#",
            "'",
        ] {
            let script = format!("printf %s {}", shell(text));
            let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
        assert_eq!(shell("https://nas:8443/dav/home/"), "https://nas:8443/dav/home/");
    }

    #[test]
    fn a_slug_is_a_name_everywhere() {
        assert_eq!(slug("Photos 2024"), "photos-2024");
        assert_eq!(slug("  --  "), "drive");
        assert_eq!(slug("写真"), "drive");
        assert_eq!(slug("a//b-"), "a-b");
    }
}
