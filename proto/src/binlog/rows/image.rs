//! A row of a rows event: its images, and the values in them.

use super::Span;
use super::partial::{DocumentChange, Partial};
use crate::binlog::json_diff::JsonDiffs;
use crate::binlog::table_map::{Column, TableMap};
use crate::binlog::value::Value;
use crate::error::Error;

/// One changed row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// The row as it was: of an UPDATE or DELETE.
    pub before: Option<Image<'r>>,
    /// The row as it is now: of an INSERT or UPDATE.
    pub after: Option<Image<'r>>,
}

/// The values of a row at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Image<'r> {
    pub(super) table: &'r TableMap,
    pub(super) data: &'r [u8],
    pub(super) spans: &'r [Span],
    /// Of an after image in PARTIAL_UPDATE_ROWS_EVENT.
    pub(super) partial: Option<&'r Partial>,
}

/// A column in an [`Image`], its value's bytes still as the event has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'r> {
    /// The image leaves the column out (`binlog_row_image` MINIMAL or NOBLOB).
    Absent,
    /// NULL.
    Null,
    /// The value's bytes, without their length.
    Bytes(&'r [u8]),
}

impl<'r> Image<'r> {
    /// The table that the image belongs to.
    #[must_use]
    pub const fn table(&self) -> &'r TableMap {
        self.table
    }

    /// Column `number`, from 0; absent behind the last one.
    #[must_use]
    #[inline]
    pub fn field(&self, number: usize) -> Field<'r> {
        self.spans
            .get(number)
            .map_or(Field::Absent, |span| self.resolve(*span))
    }

    /// All columns of the table, in order.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = (&'r Column, Field<'r>)> + use<'r> {
        let image = *self;
        self.table
            .columns
            .iter()
            .zip(self.spans)
            .map(move |(column, span)| (column, image.resolve(*span)))
    }

    #[inline]
    fn resolve(&self, span: Span) -> Field<'r> {
        match span {
            Span::NULL => Field::Null,
            Span::ABSENT => Field::Absent,
            Span { start, len } => {
                let (start, len) = (start as usize, len as usize);
                // Carved from the same data, so it is always there, unless it was made by a partial update.
                let bytes = self.data.get(start..start.wrapping_add(len));
                Field::Bytes(bytes.unwrap_or_else(|| self.patched(start, len)))
            }
        }
    }

    #[cold]
    fn patched(&self, start: usize, len: usize) -> &'r [u8] {
        let patched = self.partial.map_or(&[][..], |partial| &partial.patched);
        let start = start.wrapping_sub(self.data.len());
        patched
            .get(start..start.wrapping_add(len))
            .unwrap_or_default()
    }

    /// The documents that PARTIAL_UPDATE_ROWS_EVENT logs by their changes, in column order. In the image they are
    /// whole, but for those whose changes could not be applied: they are absent.
    pub fn changes(&self) -> impl Iterator<Item = DocumentChange<'r>> + use<'r> {
        let data = self.data;
        let changes = self.partial.map_or(&[][..], |partial| &partial.changes);
        changes.iter().map(move |change| {
            let Span { start, len } = change.diffs;
            let (start, len) = (start as usize, len as usize);
            let bytes = data.get(start..start.wrapping_add(len));
            DocumentChange {
                column: change.column.into(),
                diffs: JsonDiffs::new(bytes.unwrap_or_default()),
                applied: change.applied,
            }
        })
    }
}

impl<'r> Field<'r> {
    /// The value that the bytes are in `column`; `None` when absent.
    ///
    /// # Errors
    /// Bytes that no value of the column's type has.
    #[inline]
    pub fn value(self, column: &Column) -> Result<Option<Value<'r>>, Error> {
        Ok(match self {
            Self::Absent => None,
            Self::Null => Some(Value::Null),
            Self::Bytes(bytes) => Some(Value::decode(column, bytes)?),
        })
    }
}
