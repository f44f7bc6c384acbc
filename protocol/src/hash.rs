//! The name of a content: the SHA-256 of its bytes (requirement 002-25).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

/// SHA-256 of a content. Written as 64 lower-case hexadecimal digits; upper case is accepted when read (003-06).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

/// A text or a byte string that is no content hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not 64 digits, or one of them is not hexadecimal.
    #[error("a content hash is 64 hexadecimal digits")]
    NotHex,
    /// Not 32 bytes.
    #[error("a content hash is 32 bytes")]
    NotThirtyTwoBytes,
}

impl ContentHash {
    /// The hash of no bytes at all. Many unrelated files share it, so it never identifies a moved file.
    pub const EMPTY: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// The hash with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for ContentHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HashError::NotHex)?;
        Ok(Self(bytes))
    }
}

impl From<[u8; 32]> for ContentHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for ContentHash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError::NotThirtyTwoBytes)
    }
}

impl AsRef<[u8]> for ContentHash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        match hex::encode_to_slice(self.0, &mut digits).ok().and_then(|()| std::str::from_utf8(&digits).ok())
        {
            Some(text) => f.pad(text),
            None => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = ContentHash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ContentHash, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl PartialSchema for ContentHash {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("SHA-256 of a content, 64 hexadecimal digits"))
            .pattern(Some("^[0-9a-fA-F]{64}$"))
            .examples([Self::EMPTY.to_string()])
            .into()
    }
}

impl ToSchema for ContentHash {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ContentHash")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        let text = ContentHash::EMPTY.to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(text.to_uppercase().parse::<ContentHash>().unwrap().to_string(), text);
        assert_eq!(serde_json::to_string(&ContentHash::EMPTY).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<ContentHash>(&format!("\"{text}\"")).unwrap(), ContentHash::EMPTY);
    }

    #[test]
    fn anything_but_sixty_four_digits_is_refused() {
        let long = "0".repeat(65);
        let other = "g".repeat(64);
        let accented = "é".repeat(32);
        for text in ["", "abc", "sha256abc123...", &long[..63], &long, &other, &accented] {
            assert_eq!(text.parse::<ContentHash>(), Err(HashError::NotHex), "{text}");
        }
        assert_eq!(ContentHash::try_from(&[0_u8; 31][..]), Err(HashError::NotThirtyTwoBytes));
    }
}
