//! Rules for what a drive is called and known by.

use holdfast_protocol::path::MAX_NAME;
use holdfast_protocol::{check_name, fold_key};

/// Most characters of a drive's name.
const LONGEST_NAME: usize = 128;
/// Most bytes of an identifier.
const LONGEST_IDENTIFIER: usize = 512;
/// Below `/dav/` this leads to drives by their ids.
pub const BY_ID: &str = "by-id";

/// What a drive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder of the server's.
    Nas,
    /// A disk that is carried about.
    Usb,
    /// A disk built into a device.
    Internal,
    /// A share in the network.
    Network,
    /// A folder that somebody's service keeps in sync.
    Cloud,
}

impl Kind {
    /// From the word in the API.
    ///
    /// # Errors
    /// A sentence for the public.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "nas" => Ok(Self::Nas),
            "usb" => Ok(Self::Usb),
            "internal" => Ok(Self::Internal),
            "network" => Ok(Self::Network),
            "cloud" => Ok(Self::Cloud),
            _ => Err("a drive's kind is nas, usb, internal, network or cloud"),
        }
    }

    /// The word in the catalogue and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nas => "nas",
            Self::Usb => "usb",
            Self::Internal => "internal",
            Self::Network => "network",
            Self::Cloud => "cloud",
        }
    }

    /// What a drive is called to which nobody gave a name.
    pub fn called(self) -> &'static str {
        match self {
            Self::Nas => "Folder",
            Self::Usb => "USB disk",
            Self::Internal => "Disk",
            Self::Network => "Network share",
            Self::Cloud => "Cloud folder",
        }
    }
}

/// A name as it is stored: one that can be part of a path (design section 5).
///
/// # Errors
/// A sentence for the public.
pub fn name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    let is_plain =
        !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.contains(char::is_control);
    if !is_plain || check_name(name).is_err() {
        return Err("a drive's name has 1 to 128 characters, no slash and no control characters");
    }
    if fold_key(name) == BY_ID {
        return Err("a drive cannot be called by-id");
    }
    Ok(name.to_owned())
}

/// Checks what a drive is known by: free text (000-09).
///
/// # Errors
/// A sentence for the public.
pub fn identifier(text: &str) -> Result<(), &'static str> {
    let is_plain =
        !text.trim().is_empty() && text.len() <= LONGEST_IDENTIFIER && !text.contains(char::is_control);
    is_plain.then_some(()).ok_or("a unique_identifier has 1 to 512 bytes and no control characters")
}

/// Checks who provides a cloud drive.
///
/// # Errors
/// A sentence for the public.
pub fn provider(text: &str) -> Result<(), &'static str> {
    let is_plain = !text.trim().is_empty() && text.len() <= 64 && !text.contains(char::is_control);
    is_plain.then_some(()).ok_or("a provider has 1 to 64 bytes and no control characters")
}

/// The first of a name, the name with 2, and so on that is free.
pub fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut number = 1_u32;
    let mut name = wanted.to_owned();
    while is_taken(&fold_key(&name)) {
        number = number.saturating_add(1);
        let mut short: String = wanted.chars().take(LONGEST_NAME - 11).collect();
        while short.len() > MAX_NAME - 11 {
            short.pop();
        }
        name = format!("{short} {number}");
    }
    name
}
