//! Names that a device can hold.

/// Checks that a file of this name can be made on this device under exactly this name.
///
/// # Errors
/// What is wrong with it, to be read after the name.
pub fn check_local(name: &str) -> Result<(), &'static str> {
    if cfg!(windows) { check_windows(name) } else { Ok(()) }
}

/// Windows' rules ("Naming Files, Paths, and Namespaces").
fn check_windows(name: &str) -> Result<(), &'static str> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    if name.chars().any(|c| c.is_ascii_control() || r#"<>:"/\|?*"#.contains(c)) {
        return Err("has a character that this system does not allow in names");
    }
    if name.ends_with(['.', ' ']) {
        return Err("ends in a dot or space, which this system drops from names");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let is_port = is_port.is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']));
    if is_port || DEVICES.contains(&stem.as_str()) {
        return Err("is the name of a device on this system");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_is_not_asked_to_hold_what_it_cannot() {
        for name in ["a:b", "nul", "COM1.txt", "a.", "a ", "q?", "a\\b", "line\nfeed"] {
            assert!(check_windows(name).is_err(), "{name}");
        }
        for name in ["null", "COMMON.txt", "résumé.odt", ".profile", "a b"] {
            assert_eq!(check_windows(name), Ok(()), "{name}");
        }
    }
}
