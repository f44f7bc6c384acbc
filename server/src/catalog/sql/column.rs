//! Values that go into a statement and come out of its answer.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use sqlx::Arguments as _;
use sqlx::postgres::{PgArguments, PgRow};
use uuid::Uuid;

use super::Error;

/// A value for a statement. `None` is NULL, which Postgres wants to know the type of, too.
#[derive(Debug, Clone)]
pub enum Value<'q> {
    /// A whole number.
    Number(Option<i64>),
    /// Yes or no; SQLite keeps 1 or 0.
    Truth(bool),
    /// Text.
    Text(Option<Cow<'q, str>>),
    /// Bytes.
    Bytes(Option<Cow<'q, [u8]>>),
    /// A public id; SQLite keeps its 16 bytes.
    Id(Option<Uuid>),
}

impl Value<'_> {
    pub(super) fn add_to(&self, arguments: &mut PgArguments) -> Result<(), Error> {
        match self {
            Self::Number(number) => arguments.add(number),
            Self::Truth(truth) => arguments.add(truth),
            Self::Text(text) => arguments.add(text.as_deref()),
            Self::Bytes(bytes) => arguments.add(bytes.as_deref()),
            Self::Id(id) => arguments.add(id),
        }
        .map_err(|source| Error::Postgres(sqlx::Error::Encode(source)))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Number(Some(number)) => ValueRef::Integer(*number),
            Self::Truth(truth) => ValueRef::Integer(i64::from(*truth)),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Id(Some(id)) => ValueRef::Blob(id.as_bytes()),
            Self::Number(None) | Self::Text(None) | Self::Bytes(None) | Self::Id(None) => ValueRef::Null,
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

macro_rules! values {
    ($kind:ident: $($from:ty => |$value:ident| $into:expr;)+) => {$(
        impl<'q> From<$from> for Value<'q> {
            fn from($value: $from) -> Self {
                Self::$kind($into)
            }
        }
    )+};
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

values! {Number:
    i64 => |value| Some(value);
    Option<i64> => |value| value;
}
values! {Id:
    Uuid => |value| Some(value);
    Option<Uuid> => |value| value;
}
values! {Text:
    &'q str => |value| Some(Cow::Borrowed(value));
    Option<&'q str> => |value| value.map(Cow::Borrowed);
    &'q String => |value| Some(Cow::Borrowed(value));
    &'q Option<String> => |value| value.as_deref().map(Cow::Borrowed);
    String => |value| Some(Cow::Owned(value));
    Option<String> => |value| value.map(Cow::Owned);
}
values! {Bytes:
    &'q [u8] => |value| Some(Cow::Borrowed(value));
    Option<&'q [u8]> => |value| value.map(Cow::Borrowed);
    &'q Vec<u8> => |value| Some(Cow::Borrowed(&value[..]));
    Vec<u8> => |value| Some(Cow::Owned(value));
    Option<Vec<u8>> => |value| value.map(Cow::Owned);
}

/// What a column of an answer can be read as.
pub trait Column: Sized {
    /// From SQLite; `None`: it is something else.
    fn of_sqlite(value: ValueRef<'_>) -> Option<Self>;

    /// From Postgres.
    ///
    /// # Errors
    /// When it is something else.
    fn of_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error>;
}

macro_rules! columns {
    ($($as:ty: $pattern:pat => $into:expr;)+) => {$(
        impl Column for $as {
            fn of_sqlite(value: ValueRef<'_>) -> Option<Self> {
                match value {
                    $pattern => $into,
                    _ => None,
                }
            }

            fn of_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error> {
                sqlx::Row::try_get(row, at)
            }
        }

        impl Column for Option<$as> {
            fn of_sqlite(value: ValueRef<'_>) -> Option<Self> {
                match value {
                    ValueRef::Null => Some(None),
                    value => <$as>::of_sqlite(value).map(Some),
                }
            }

            fn of_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error> {
                sqlx::Row::try_get(row, at)
            }
        }
    )+};
}

columns! {
    i64: ValueRef::Integer(number) => Some(number);
    i32: ValueRef::Integer(number) => number.try_into().ok();
    bool: ValueRef::Integer(number) => Some(number != 0);
    String: ValueRef::Text(text) => std::str::from_utf8(text).ok().map(str::to_owned);
    Vec<u8>: ValueRef::Blob(bytes) => Some(bytes.to_vec());
    Uuid: ValueRef::Blob(bytes) => Uuid::from_slice(bytes).ok();
}

#[derive(Debug, Clone, Copy)]
enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r PgRow),
}

/// A row's columns, read one after the other in the order in which [`FromRow::names`] tells them.
#[derive(Debug)]
pub struct Columns<'r> {
    row: Row<'r>,
    plan: &'r [usize],
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of_sqlite(row: &'r rusqlite::Row<'r>, plan: &'r [usize]) -> Self {
        Self { row: Row::Sqlite(row), plan, next: 0 }
    }

    pub(super) fn of_postgres(row: &'r PgRow, plan: &'r [usize]) -> Self {
        Self { row: Row::Postgres(row), plan, next: 0 }
    }

    /// The next one.
    ///
    /// # Errors
    /// When it is not of that type.
    pub fn read<T: Column>(&mut self) -> Result<T, Error> {
        // Without names the answer's own order counts.
        let at = self.plan.get(self.next).copied().unwrap_or(self.next);
        self.next += 1;
        match self.row {
            Row::Sqlite(row) => T::of_sqlite(row.get_ref(at)?).ok_or(Error::OtherType(at)),
            Row::Postgres(row) => Ok(T::of_postgres(row, at)?),
        }
    }
}

/// What a row can be read as: a structure by the names of its fields (`row!`), a tuple or a single value by position.
pub trait FromRow: Sized {
    /// Adds the names of its columns, in the order in which it reads them; none: it goes by position.
    fn names(names: &mut Vec<&'static str>);

    /// Reads it.
    ///
    /// # Errors
    /// When a column is not of its type.
    fn from_row(columns: &mut Columns<'_>) -> Result<Self, Error>;
}

/// Where the columns that are wanted stand in an answer with these names.
pub(super) fn plan<T: FromRow>(answer: &[&str]) -> Result<Vec<usize>, Error> {
    let mut wanted = Vec::new();
    T::names(&mut wanted);
    let place = |(i, name): (usize, &&'static str)| {
        // Mostly they are asked for in their own order.
        let there = answer.get(i).is_some_and(|there| there == name).then_some(i);
        there.or_else(|| answer.iter().position(|there| there == name)).ok_or(Error::NoColumn(name))
    };
    wanted.iter().enumerate().map(place).collect()
}

impl<T: Column> FromRow for T {
    fn names(_: &mut Vec<&'static str>) {}

    fn from_row(columns: &mut Columns<'_>) -> Result<Self, Error> {
        columns.read()
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))+) => {$(
        impl<$($part: Column),+> FromRow for ($($part,)+) {
            fn names(_: &mut Vec<&'static str>) {}

            fn from_row(columns: &mut Columns<'_>) -> Result<Self, Error> {
                Ok(($(columns.read::<$part>()?,)+))
            }
        }
    )+};
}

tuples! {
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
}

/// Has a structure read from the columns named like its fields, or `as "another"`; `[field: Type]` before them is a field
/// that is itself such a structure, read from the same row.
macro_rules! row {
    ($of:ty $([$inner:ident: $type:ty])? { $($field:ident $(as $name:literal)?),* $(,)? }) => {
        impl $crate::catalog::sql::FromRow for $of {
            fn names(names: &mut Vec<&'static str>) {
                $(<$type as $crate::catalog::sql::FromRow>::names(names);)?
                names.extend([$($crate::catalog::sql::row!(@name $field $($name)?)),*]);
            }

            fn from_row(
                columns: &mut $crate::catalog::sql::Columns<'_>,
            ) -> Result<Self, $crate::catalog::sql::Error> {
                Ok(Self {
                    $($inner: <$type as $crate::catalog::sql::FromRow>::from_row(columns)?,)?
                    $($field: columns.read()?,)*
                })
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
pub(crate) use row;
