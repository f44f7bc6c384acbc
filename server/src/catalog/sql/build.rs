//! Statements whose length depends on what they are about: lists of values, and conditions that may be absent.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Query, Value};
use crate::catalog::db::EngineName;

/// Puts a statement together. Its text is made of constants alone; values stand beside it.
#[derive(Debug)]
pub struct Builder<'q> {
    engine: EngineName,
    sql: String,
    values: Vec<Value<'q>>,
}

impl<'q> Builder<'q> {
    /// A statement for an engine that begins like this.
    pub fn new(engine: EngineName, sql: &'static str) -> Self {
        Self { engine, sql: sql.to_owned(), values: Vec::new() }
    }

    /// Adds text.
    pub fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Adds a value.
    pub fn bind(&mut self, value: impl Into<Value<'q>>) -> &mut Self {
        self.values.push(value.into());
        match self.engine {
            // Without a number: SQLite looks each numbered one up among all those before it.
            EngineName::Sqlite => self.sql.push('?'),
            EngineName::Postgres => {
                // Writing to a string cannot fail.
                let _ = write!(self.sql, "${}", self.values.len());
            }
        }
        self
    }

    /// Adds values with commas between.
    pub fn list<V: Into<Value<'q>>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.sql.push_str(", ");
            }
            self.bind(value);
        }
        self
    }

    /// Adds `VALUES (..), (..)`, a row for each.
    pub fn rows<const N: usize>(&mut self, rows: impl IntoIterator<Item = [Value<'q>; N]>) -> &mut Self {
        for (i, row) in rows.into_iter().enumerate() {
            self.sql.push_str(if i == 0 { "VALUES (" } else { "), (" });
            self.list(row);
        }
        self.sql.push(')');
        self
    }

    /// The statement.
    pub fn build(self) -> Query<'q> {
        Query { sql: Cow::Owned(self.sql), values: self.values }
    }
}
