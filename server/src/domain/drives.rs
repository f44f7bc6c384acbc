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

/// How large a drive is, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Bytes in all.
    pub total: Option<u64>,
    /// Bytes that may still be written.
    pub available: Option<u64>,
}

impl Capacity {
    /// Checks what somebody says of a drive.
    ///
    /// # Errors
    /// A sentence for the public.
    pub fn check(self) -> Result<Self, &'static str> {
        let too_much = |bytes: Option<u64>| bytes.is_some_and(|bytes| i64::try_from(bytes).is_err());
        if too_much(self.total) || too_much(self.available) {
            return Err("a drive has fewer than 2^63 bytes");
        }
        match (self.total, self.available) {
            (Some(total), Some(available)) if available > total => {
                Err("available_bytes is more than total_bytes")
            }
            _ => Ok(self),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(self) -> bool {
        self == Self::default()
    }

    /// Whether it is worth noting after what was noted before: another size, or another hundredth of it free.
    pub fn is_news_after(self, before: Self) -> bool {
        let (Some(now), Some(then)) = (self.available, before.available) else { return self != before };
        self.total != before.total || now.abs_diff(then) > self.total.unwrap_or_default() / 100
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(total: u64, available: u64) -> Capacity {
        Capacity { total: Some(total), available: Some(available) }
    }

    #[test]
    fn a_capacity_that_cannot_be_is_refused() {
        assert!(of(10, 10).check().is_ok() && Capacity::default().check().is_ok());
        assert!(of(10, 11).check().is_err());
        assert!(of(u64::MAX, 1).check().is_err());
        assert!(Capacity { total: None, available: Some(1 << 63) }.check().is_err());
    }

    #[test]
    fn a_disk_that_fills_slowly_is_noted_by_the_hundredth() {
        assert!(of(1000, 500).is_news_after(Capacity::default()));
        assert!(!of(1000, 500).is_news_after(of(1000, 510)));
        assert!(of(1000, 500).is_news_after(of(1000, 511)) && of(1000, 522).is_news_after(of(1000, 511)));
        assert!(of(1001, 500).is_news_after(of(1000, 500)));
        assert!(Capacity { total: Some(1), available: None }.is_news_after(of(1, 1)));
    }
}
