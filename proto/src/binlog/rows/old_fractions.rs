//! Rows with columns in the temporal format of MariaDB before 10.1, of which no event tells whether they have fractions, and
//! so how wide they are.

use std::cell::Cell;

use crate::binlog::column::ColumnType;
use crate::binlog::table_map::{Column, TableMap};
use crate::binlog::value::Value;

use super::{RowsEvent, Span};

/// So many such columns are tried with all the fractions that they may have.
const MAX_TRIED: usize = 5;

/// And so many values are looked at for it.
const MAX_VALUES: usize = 2_000_000;

impl RowsEvent<'_> {
    /// Can the rows also have been written with fractions in such columns? Then what is read of them may be wrong.
    ///
    /// Of more than five such columns that is not tried, nor to the end where it takes very long: it may be.
    #[must_use]
    pub fn may_have_old_fractions(&self, table: &TableMap) -> bool {
        if !table.may_have_old_fractions() {
            return false;
        }
        let is_old = |column: &Column| column.column_type.is_old_temporal();
        let old: Vec<usize> = (0..)
            .zip(&table.columns)
            .filter(|(_, column)| is_old(column))
            .map(|(number, _)| number)
            .collect();
        if old.len() > MAX_TRIED {
            return true;
        }
        let choices = old.iter().fold(1_usize, |all, _| all.saturating_mul(7));
        let mut other = table.clone();
        let mut left = MAX_VALUES;
        (1..choices).any(|mut choice| {
            for number in &old {
                let digits = u8::try_from(choice % 7).unwrap_or_default();
                choice /= 7;
                if let Some(column) = other.columns.get_mut(*number)
                    && let Some(with) = column.column_type.with_old_fraction(digits)
                {
                    column.column_type = with;
                }
            }
            other.settle_old_fractions();
            self.add_up_within(&mut left, &other)
        })
    }

    /// Does each row end where the next one begins, and the last where the event does, with no column NULL that may not
    /// be, no text longer than its column, and old temporal values that are such?
    pub(super) fn add_up(&self, table: &TableMap) -> bool {
        let mut all = usize::MAX;
        self.add_up_within(&mut all, table)
    }

    /// Looks at no more than `left` values: behind that, they do.
    fn add_up_within(&self, left: &mut usize, table: &TableMap) -> bool {
        let sound = Cell::new(true);
        let image = || {
            let mut columns = table.columns.iter();
            let sound = &sound;
            move |span: Span| {
                if let Some(column) = columns.next()
                    && sound.get()
                {
                    sound.set(self.may_be(column, span));
                }
            }
        };
        let mut at = 0;
        while at < self.end && sound.get() {
            *left = left.saturating_sub(table.columns.len());
            if *left == 0 {
                return true;
            }
            match self.carve_row(table, at, image(), image()) {
                Ok((end, _)) => at = end,
                Err(_) => sound.set(false),
            }
        }
        sound.get()
    }

    fn may_be(&self, column: &Column, span: Span) -> bool {
        match span {
            Span::ABSENT => return true,
            Span::NULL => return column.nullable,
            _ => {}
        }
        match column.column_type {
            ColumnType::String { max_len }
            | ColumnType::VarChar { max_len }
            | ColumnType::VarCharCompressed { max_len } => span.len <= max_len.into(),
            kind if kind.is_old_temporal() => self
                .rows
                .get(span.start as usize..span.end() as usize)
                .is_some_and(|bytes| Value::decode(column, bytes).is_ok()),
            _ => true,
        }
    }
}
