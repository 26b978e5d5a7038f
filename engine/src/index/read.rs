//! One SELECT on either backend: what [`query`](crate::query) is made of.

use super::convert::damaged;
use super::error::Result;

/// A SELECT with `?` for its values.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

/// A value for a `?`.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Cells>,
    /// Were rows left out because those here are large?
    pub(crate) cut: bool,
}

/// Takes the rows up to a number of bytes, at least one.
#[derive(Debug)]
pub(super) struct Taker {
    rows: Rows,
    room: usize,
}

impl Taker {
    pub(super) fn new(room: usize) -> Self {
        Self {
            rows: Rows::default(),
            room,
        }
    }

    /// Is there room for more?
    pub(super) fn wants_more(&mut self) -> bool {
        self.rows.cut |= self.room == 0;
        !self.rows.cut
    }

    pub(super) fn take(&mut self, cells: Cells) {
        let bytes: usize = cells.0.iter().map(Cell::bytes).sum();
        self.room = self.room.saturating_sub(bytes);
        self.rows.rows.push(cells);
    }

    pub(super) fn done(self) -> Rows {
        self.rows
    }
}

/// The cells of a row, taken out one by one.
#[derive(Debug)]
pub(crate) struct Cells(pub(super) Vec<Cell>);

/// One cell.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Null,
    Number(i128),
    Text(String),
}

impl Cell {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len().saturating_add(64),
            _ => 64,
        }
    }
}

impl Cells {
    fn take(&mut self, at: usize) -> Result<Cell> {
        let cell = self
            .0
            .get_mut(at)
            .ok_or_else(|| damaged("too few columns"))?;
        Ok(std::mem::replace(cell, Cell::Null))
    }

    /// A number that is there and stays there.
    pub(crate) fn peek(&self, at: usize) -> Result<u64> {
        match self.0.get(at) {
            Some(Cell::Number(number)) => u64::try_from(*number).map_err(damaged),
            other => Err(damaged(format!("{other:?}"))),
        }
    }

    /// A text, or NULL.
    pub(crate) fn text(&mut self, at: usize) -> Result<Option<String>> {
        Ok(match self.take(at)? {
            Cell::Null => None,
            Cell::Text(text) => Some(text),
            Cell::Number(number) => Some(number.to_string()),
        })
    }

    /// A number, or NULL.
    pub(crate) fn number<T: TryFrom<i128>>(&mut self, at: usize) -> Result<Option<T>> {
        match self.take(at)? {
            Cell::Null => Ok(None),
            Cell::Number(number) => T::try_from(number).map(Some).map_err(|_| damaged(number)),
            Cell::Text(text) => Err(damaged(text)),
        }
    }

    /// A number that is there.
    pub(crate) fn a_number<T: TryFrom<i128>>(&mut self, at: usize) -> Result<T> {
        self.number(at)?.ok_or_else(|| damaged("NULL"))
    }

    /// A text that is there.
    pub(crate) fn a_text(&mut self, at: usize) -> Result<String> {
        self.text(at)?.ok_or_else(|| damaged("NULL"))
    }
}
