//! Reads one entry of `file_list` into reused buffers: no allocation of its own for each entry.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::{Claim, EntryProblem};
use crate::{ContentHash, Kind, Value, path};

/// Buffers and the first problem of the entries read so far.
#[derive(Default)]
pub(super) struct Scratch {
    /// The path of the entry just read, checked, without leading slash.
    pub(super) path: String,
    /// What is wrong with the entry, apart from the text that the JSON reader makes of it.
    pub(super) problem: Option<EntryProblem>,
}

impl Scratch {
    fn fail<E: Error>(&mut self, problem: EntryProblem) -> E {
        let error = E::custom(&problem);
        self.problem = Some(problem);
        error
    }
}

/// Yields what the entry claims and leaves its path in the scratch.
pub(super) struct EntrySeed<'a>(pub(super) &'a mut Scratch);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Claim;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claim, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry with path, hash, size and modified_at")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claim, A::Error> {
        let scratch = self.0;
        let (mut has_path, mut hash, mut kind) = (false, None, Kind::File);
        let (mut deleted, mut unreadable) = (false, false);
        while let Some(field) = map.next_key_seed(FieldSeed)? {
            match field {
                Field::Path => {
                    map.next_value_seed(PathSeed(scratch))?;
                    has_path = true;
                }
                Field::Hash => hash = map.next_value_seed(Text { read: hash_of, scratch })?,
                Field::Kind => {
                    kind = map.next_value_seed(Text { read: kind_of, scratch })?.unwrap_or(Kind::File);
                }
                Field::ModifiedAt => {
                    map.next_value_seed(Text { read: time_of, scratch })?;
                }
                Field::Size => map.next_value_seed(SizeSeed(scratch))?,
                Field::Deleted => deleted = map.next_value::<Option<bool>>()?.unwrap_or(false),
                Field::Unreadable => unreadable = map.next_value::<Option<bool>>()?.unwrap_or(false),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_path {
            return Err(scratch.fail(EntryProblem::NoPath));
        }
        Ok(match (deleted, unreadable, kind, hash) {
            (true, ..) => Claim::Deleted,
            (_, true, ..) => Claim::Unreadable,
            (_, _, Kind::Folder, _) => Claim::Held(Value::Folder),
            (_, _, Kind::File, Some(hash)) => Claim::Held(Value::File(hash)),
            (_, _, Kind::File, None) => return Err(scratch.fail(EntryProblem::NoHash)),
        })
    }
}

#[derive(Clone, Copy)]
enum Field {
    Path,
    Hash,
    Size,
    ModifiedAt,
    Kind,
    Deleted,
    Unreadable,
    Other,
}

struct FieldSeed;

impl<'de> DeserializeSeed<'de> for FieldSeed {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldSeed {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field of an entry")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            "path" => Field::Path,
            "hash" => Field::Hash,
            "size" => Field::Size,
            "modified_at" => Field::ModifiedAt,
            "kind" => Field::Kind,
            "deleted" => Field::Deleted,
            "unreadable" => Field::Unreadable,
            _ => Field::Other,
        })
    }
}

struct PathSeed<'a>(&'a mut Scratch);

impl<'de> DeserializeSeed<'de> for PathSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for PathSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path inside the drive")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match path::normal(text) {
            Ok("") => Err(self.0.fail(EntryProblem::Path(path::PathError::Root))),
            Ok(checked) => {
                self.0.path.clear();
                self.0.path.push_str(checked);
                Ok(())
            }
            Err(why) => Err(self.0.fail(EntryProblem::Path(why))),
        }
    }
}

/// A text or null, turned into something by a function.
struct Text<'a, T> {
    read: fn(&str) -> Result<T, EntryProblem>,
    scratch: &'a mut Scratch,
}

impl<'de, T> DeserializeSeed<'de> for Text<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T> Visitor<'_> for Text<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        (self.read)(text).map(Some).map_err(|problem| self.scratch.fail(problem))
    }
}

fn hash_of(text: &str) -> Result<ContentHash, EntryProblem> {
    text.parse().map_err(EntryProblem::Hash)
}

fn kind_of(text: &str) -> Result<Kind, EntryProblem> {
    match text {
        "file" => Ok(Kind::File),
        "folder" => Ok(Kind::Folder),
        _ => Err(EntryProblem::Kind),
    }
}

/// A time is only checked: it never decides anything (003-33). One without a zone, as Python's `isoformat` writes it,
/// is let pass.
fn time_of(text: &str) -> Result<(), EntryProblem> {
    let local = time::macros::format_description!(
        version = 2,
        "[year]-[month]-[day][first [T] [t] [ ]][hour]:[minute]:[second][optional [.[subsecond]]]"
    );
    let readable =
        OffsetDateTime::parse(text, &Rfc3339).is_ok() || PrimitiveDateTime::parse(text, &local).is_ok();
    if readable { Ok(()) } else { Err(EntryProblem::Time) }
}

struct SizeSeed<'a>(&'a mut Scratch);

impl<'de> DeserializeSeed<'de> for SizeSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for SizeSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size in bytes")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(self.0.fail(EntryProblem::Size))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(self.0.fail(EntryProblem::Size))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(self.0.fail(EntryProblem::Size))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(self.0.fail(EntryProblem::Size))
    }
}
