//! Objects of files that nobody specified: the few fields that mean something are taken, all else is passed over as it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The fields that mean something.
const KNOWN: &[&str] = &[
    "backend_url",
    "created",
    "created_at",
    "display_name",
    "file_modified",
    "file_path",
    "file_size",
    "filename",
    "import_date",
    "import_session_id",
    "imported_at",
    "imalink_storage_version",
    "indexed_at",
    "index_version",
    "last_indexed",
    "modified",
    "modified_at",
    "name",
    "notes",
    "original_filename",
    "path",
    "photo_count",
    "relative_path",
    "sent_to_backend",
    "session_id",
    "session_title",
    "sha256",
    "size",
    "source_path",
    "storage_filename",
    "storage_uuid",
    "total_files",
    "total_photos",
    "total_size_bytes",
    "version",
];
/// What lists of files are called.
const LISTS: [&str; 3] = ["files", "photos", "images"];
/// Longest text that is taken.
const LONGEST: usize = 64 * 1024;
/// So many tags are taken.
const MAX_TAGS: usize = 100;

/// Scalars as text, by their names.
#[derive(Debug, Default)]
pub(super) struct Fields {
    texts: BTreeMap<&'static str, String>,
    tags: Vec<String>,
}

impl Fields {
    /// A field that is a text, a number or a truth value, and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// Takes the value of a field, or passes it over.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "tags" {
            self.tags = map.next_value::<Tags>()?.0;
        } else if let Some(known) = KNOWN.iter().find(|known| **known == key) {
            if let Scalar(Some(text)) = map.next_value()? {
                self.texts.insert(known, text);
            }
        } else {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads one object; each element of its lists of files goes to `list`. Also tells how many such lists there were. What is
/// held is one element at a time.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_object(from: impl Read, list: &mut dyn FnMut(Fields)) -> Result<(Fields, usize), String> {
    let mut json = serde_json::Deserializer::from_reader(from);
    let read = Top(list).deserialize(&mut json).and_then(|read| json.end().map(|()| read));
    read.map_err(|error| {
        let text = error.to_string();
        text.char_indices().nth(200).map_or(text.as_str(), |(at, _)| &text[..at]).to_owned()
    })
}

struct Top<'l>(&'l mut dyn FnMut(Fields));

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = (Fields, usize);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = (Fields, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut fields, mut lists) = (Fields::default(), 0);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if LISTS.contains(&&*key) {
                lists += usize::from(map.next_value_seed(List(&mut *self.0))?);
            } else {
                fields.take(&key, &mut map)?;
            }
        }
        Ok((fields, lists))
    }
}

/// A list of files, or files by whatever they were keyed by. False when it is neither.
struct List<'l>(&'l mut dyn FnMut(Fields));

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while let Some(fields) = list.next_element::<Fields>()? {
            (self.0)(fields);
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            let fields: Fields = map.next_value()?;
            (self.0)(fields);
        }
        Ok(true)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// One file: an object, or its path alone.
impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                    fields.take(&key, &mut map)?;
                }
                Ok(fields)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Fields, E> {
                Ok(Fields { texts: BTreeMap::from([("path", text.to_owned())]), tags: Vec::new() })
            }
        }
        deserializer.deserialize_any(One)
    }
}

/// A text, number or truth value as text; `None` for all else.
struct Scalar(Option<String>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar, E> {
                if text.len() > LONGEST {
                    Err(E::custom("a text is too long"))
                } else {
                    Ok(Scalar(Some(text.into())))
                }
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(Some(value.to_string())))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list of texts, or one; what is none in it is passed over.
struct Tags(Vec<String>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tags")
            }

            fn visit_str<E>(self, text: &str) -> Result<Tags, E> {
                Ok(Tags(vec![text.to_owned()]))
            }

            fn visit_unit<E>(self) -> Result<Tags, E> {
                Ok(Tags(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags, A::Error> {
                let mut tags = Vec::new();
                while let Some(Scalar(tag)) = list.next_element()? {
                    if let Some(tag) = tag.filter(|_| tags.len() < MAX_TAGS) {
                        tags.push(tag);
                    }
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}
