//! Statements whose length depends on what they are about: lists of values, and conditions that may be absent.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Query, Value};
use crate::catalog::db::EngineName;

/// Most rows of one statement: with up to 16 values each below both engines' limits, of which SQLite's is 32,766 values.
pub const STATEMENT: usize = 2000;
/// Most rows of one statement whose rows have more values, up to 65.
const WIDE: usize = 500;
/// Lengths of lists. Each is a text of its own, and connections keep what they prepared: of few lengths it takes little.
const PORTIONS: [usize; 6] = [STATEMENT, 500, 125, 25, 5, 1];

/// A list in portions, a statement for each; with the place in the list where each begins.
pub fn portions<T>(list: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    cut(list, STATEMENT)
}

/// The same of rows with more than 16 values each.
pub fn wide_portions<T>(list: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    cut(list, WIDE)
}

fn cut<T>(mut list: &[T], most: usize) -> impl Iterator<Item = (usize, &[T])> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let length = PORTIONS.into_iter().find(|length| *length <= list.len().min(most))?;
        let (portion, rest) = list.split_at(length);
        list = rest;
        begin += length;
        Some((begin - length, portion))
    })
}

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

#[cfg(test)]
mod tests {
    use super::{STATEMENT, portions};

    #[test]
    fn a_list_is_asked_for_whole_and_in_its_order_by_statements_of_few_lengths() {
        for length in [0, 1, 4, 7, 124, 1999, 2000, 2001, 9999] {
            let list: Vec<usize> = (0..length).collect();
            let whole: Vec<usize> = portions(&list).flat_map(|(_, portion)| portion).copied().collect();
            assert_eq!(whole, list);
            for (begin, portion) in portions(&list) {
                assert_eq!(portion[0], begin);
            }
            assert!(portions(&list).count() <= list.len() / STATEMENT + 18);
        }
        let lengths: std::collections::BTreeSet<usize> = (0..5000)
            .flat_map(|length| {
                portions(&vec![(); length]).map(|(_, portion)| portion.len()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(lengths.len(), 6);
    }
}
