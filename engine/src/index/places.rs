//! What leads readers to rows without an index that each row would pay for: the blocks of ids in which a table
//! has rows, a column was changed and a session has transactions, and how far commit times ever went back.
//!
//! Blocks may stand there for nothing, since a discarded row's stays: they only say where to look.

use std::collections::HashSet;

use super::record::{Batch, Micros};

/// Bits of an id below its block.
pub(crate) const BLOCK_BITS: u32 = 12;

/// Blocks remembered as written; beyond that they are written again, which changes nothing.
const REMEMBERED: usize = 20_000;

/// Whose block it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A table's, by its `table_id`.
    Table,
    /// A session's, by its connection id.
    Session,
    /// A table's, in which a column was changed that has this bit in [`changed`](super::record::RowChange::changed).
    Column(u8),
}

impl Kind {
    /// The kind of a table's columns at this place.
    pub(crate) fn of_column(place: usize) -> Self {
        Self::Column(u8::try_from(place % 64).unwrap_or_default())
    }

    /// `places.kind`.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Table => 1,
            Self::Session => 2,
            Self::Column(bit) => 64 + bit,
        }
    }
}

/// A row of `places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) number: u32,
    pub(super) block: u64,
}

/// Those that were written since the last attach.
#[derive(Debug, Default)]
pub(super) struct Places(HashSet<Place>);

impl Places {
    /// Those of a batch that are still to be written. Whoever does not write them has to [`forget`](Self::forget).
    pub(super) fn new_in(&mut self, batch: &Batch) -> Vec<Place> {
        let mut new = Vec::new();
        let mut last = None;
        let mut seen = 0;
        for row in &batch.rows {
            let table = Place {
                kind: Kind::Table,
                number: row.table_id,
                block: row.change_id >> BLOCK_BITS,
            };
            // Nearly always that of the row before.
            if last != Some(table) {
                last = Some(table);
                seen = 0;
                self.take(table, &mut new);
            }
            let mut bits = row.changed & !seen;
            seen |= bits;
            while bits != 0 {
                let kind = Kind::of_column(bits.trailing_zeros() as usize);
                self.take(Place { kind, ..table }, &mut new);
                bits &= bits - 1;
            }
        }
        for transaction in &batch.transactions {
            if let Some(number) = transaction.connection_id {
                let session = Place {
                    kind: Kind::Session,
                    number,
                    block: transaction.transaction_id >> BLOCK_BITS,
                };
                if last != Some(session) {
                    last = Some(session);
                    self.take(session, &mut new);
                }
            }
        }
        new
    }

    fn take(&mut self, place: Place, new: &mut Vec<Place>) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        if self.0.insert(place) {
            new.push(place);
        }
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// The commit times of a batch's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) least: Micros,
    pub(super) latest: Micros,
    /// How far one is before an earlier transaction's.
    pub(super) back: Micros,
}

impl Clock {
    /// `None` without transactions.
    pub(super) fn of(batch: &Batch) -> Option<Self> {
        let mut times = batch
            .transactions
            .iter()
            .map(|transaction| transaction.committed_at);
        let first = times.next()?;
        let clock = Self {
            least: first,
            latest: first,
            back: 0,
        };
        Some(times.fold(clock, |clock, time| Self {
            least: clock.least.min(time),
            latest: clock.latest.max(time),
            back: clock.back.max(clock.latest.saturating_sub(time)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Transaction;
    use super::*;

    fn batch(times: &[Micros]) -> Batch {
        let transactions = times.iter().zip(1_u64..).map(|(time, id)| Transaction {
            transaction_id: id << BLOCK_BITS,
            gtid: None,
            binlog_file: String::new(),
            start_position: 0,
            end_position: 0,
            committed_at: *time,
            connection_id: Some(7),
            row_count: 1,
            xa: None,
            statement: None,
        });
        Batch {
            transactions: transactions.collect(),
            ..Batch::default()
        }
    }

    #[test]
    fn a_clock_goes_back_by_the_most_that_a_time_is_before_an_earlier_one() {
        assert_eq!(Clock::of(&batch(&[])), None);
        let clock = Clock::of(&batch(&[5, 9, 4, 8, 3, 10])).unwrap();
        assert_eq!((clock.least, clock.latest, clock.back), (3, 10, 6));
        let clock = Clock::of(&batch(&[1, 1, 2])).unwrap();
        assert_eq!((clock.least, clock.latest, clock.back), (1, 2, 0));
    }

    #[test]
    fn a_block_is_written_once() {
        let mut places = Places::default();
        let batch = batch(&[1, 2]);
        assert_eq!(places.new_in(&batch).len(), 2);
        assert_eq!(places.new_in(&batch), []);
        places.forget();
        assert_eq!(places.new_in(&batch).len(), 2);
    }
}
