//! Times on the wire.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Microseconds since 1970, on the wire as RFC 3339 in UTC: `2025-01-01T13:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&time.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let object: Object = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .build();
        object.into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn a_time_is_written_as_the_document_shows_it() {
        let wire = |micros| serde_json::to_string(&Timestamp(micros)).unwrap();
        assert_eq!(wire(1_735_736_400_000_000), "\"2025-01-01T13:00:00Z\"");
        assert_eq!(wire(1_735_736_400_000_001), "\"2025-01-01T13:00:00.000001Z\"");
        assert_eq!(wire(-1_000_000), "\"1969-12-31T23:59:59Z\"");
    }
}
