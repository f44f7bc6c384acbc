//! Reads a manifest as a stream: entries go into the compact collection one by one, whatever the order of the fields.

use std::fmt;
use std::io::{self, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::entry::{EntrySeed, Scratch};
use super::{Claim, Claims, EntryProblem, Limits, Manifest, ManifestError};
use crate::path_map::{PathMapBuilder, Repeated};

impl Manifest {
    /// Reads one manifest from a reader (buffer it; it is read in small pieces). Memory is what the claims take.
    ///
    /// # Errors
    /// [`ManifestError`]; nothing of the manifest counts then.
    pub fn from_reader(reader: impl Read, limits: Limits) -> Result<Self, ManifestError> {
        read(&mut serde_json::Deserializer::from_reader(reader), limits)
    }

    /// Reads one manifest from a body that is already here.
    ///
    /// # Errors
    /// As [`Manifest::from_reader`].
    pub fn from_slice(body: &[u8], limits: Limits) -> Result<Self, ManifestError> {
        read(&mut serde_json::Deserializer::from_slice(body), limits)
    }
}

fn read<'de, R: serde_json::de::Read<'de>>(
    json: &mut serde_json::Deserializer<R>,
    limits: Limits,
) -> Result<Manifest, ManifestError> {
    let mut failure = None;
    let mut index = None;
    let seed = ManifestSeed { limits, index: &mut index, failure: &mut failure };
    let read = seed.deserialize(&mut *json).and_then(|manifest| json.end().map(|()| manifest));
    read.map_err(|error| match (error.classify(), failure, index) {
        (Category::Io, ..) => ManifestError::Io(io::Error::from(error)),
        (Category::Syntax | Category::Eof, ..) => ManifestError::Syntax(error.to_string()),
        (Category::Data, Some(failure), _) => failure,
        (Category::Data, None, Some(index)) => {
            ManifestError::Entry { index, problem: EntryProblem::Shape(error.to_string()) }
        }
        (Category::Data, None, None) => ManifestError::Shape(error.to_string()),
    })
}

/// `index` is the entry being read; `failure` what the JSON reader's error text cannot carry.
struct ManifestSeed<'a> {
    limits: Limits,
    index: &'a mut Option<usize>,
    failure: &'a mut Option<ManifestError>,
}

impl<'de> DeserializeSeed<'de> for ManifestSeed<'_> {
    type Value = Manifest;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Manifest, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ManifestSeed<'_> {
    type Value = Manifest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with device_id and file_list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Manifest, A::Error> {
        let (mut device_id, mut claims) = (None, None);
        let (mut drive, mut change_token, mut complete, mut confirm) = (None, None, None, None);
        let (mut folders, mut moves) = (false, false);
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "device_id" => device_id = Some(map.next_value::<String>()?),
                "file_list" if claims.is_some() => return Err(A::Error::duplicate_field("file_list")),
                "file_list" => {
                    claims = Some(map.next_value_seed(ListSeed {
                        limits: self.limits,
                        index: &mut *self.index,
                        failure: &mut *self.failure,
                    })?);
                }
                "drive" => drive = map.next_value()?,
                "change_token" => change_token = map.next_value()?,
                "complete" => complete = map.next_value()?,
                "confirm" => confirm = map.next_value()?,
                "folders" => folders = map.next_value::<Option<bool>>()?.unwrap_or(false),
                "accept" => moves = map.next_value_seed(AcceptSeed)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let device_id = device_id.ok_or_else(|| A::Error::missing_field("device_id"))?;
        let claims = claims.ok_or_else(|| A::Error::missing_field("file_list"))?;
        Ok(Manifest { device_id, drive, change_token, complete, folders, moves, confirm, claims })
    }
}

/// Whether `accept` names moves. Its entries are looked at one by one: a body may be as large as a list of all files.
struct AcceptSeed;

/// Most entries of `accept`.
const ACCEPTED: usize = 32;

impl<'de> DeserializeSeed<'de> for AcceptSeed {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for AcceptSeed {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of what the client can do")
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let (mut moves, mut read) = (false, 0);
        while let Some(is_move) = list.next_element_seed(IsMove)? {
            moves |= is_move;
            read += 1;
            if read > ACCEPTED {
                return Err(A::Error::custom(format_args!("accept has at most {ACCEPTED} entries")));
            }
        }
        Ok(moves)
    }
}

/// Whether a text is `move`; it is not kept.
struct IsMove;

impl<'de> DeserializeSeed<'de> for IsMove {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsMove {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        Ok(text == "move")
    }
}

struct ListSeed<'a> {
    limits: Limits,
    index: &'a mut Option<usize>,
    failure: &'a mut Option<ManifestError>,
}

impl ListSeed<'_> {
    fn fail<E: Error>(self, failure: ManifestError) -> E {
        let error = E::custom(&failure);
        *self.failure = Some(failure);
        error
    }
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = Claims;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claims, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Claims, A::Error> {
        let limit = self.limits.max_entries;
        let mut claims = PathMapBuilder::<Claim>::new();
        let mut scratch = Scratch::default();
        loop {
            let index = claims.len();
            *self.index = Some(index);
            if index == limit {
                // The list must end here; anything more is refused unread.
                if list.next_element::<IgnoredAny>()?.is_some() {
                    return Err(self.fail(ManifestError::TooMany { limit }));
                }
                break;
            }
            match list.next_element_seed(EntrySeed(&mut scratch)) {
                Ok(None) => break,
                Ok(Some(claim)) => {
                    if claims.push(&scratch.path, claim).is_err() {
                        return Err(self.fail(ManifestError::TooMany { limit: index }));
                    }
                }
                Err(error) => {
                    if let Some(problem) = scratch.problem.take() {
                        *self.failure = Some(ManifestError::Entry { index, problem });
                    }
                    return Err(error);
                }
            }
        }
        *self.index = None;
        claims.finish().map_err(|Repeated { index }| {
            self.fail(ManifestError::Entry { index, problem: EntryProblem::Repeated })
        })
    }
}
