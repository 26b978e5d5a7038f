//! The tables that events are of, by the numbers that the server has for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use bintrail_proto::binlog::decoder::TableMapEvent;
use bintrail_proto::binlog::table_map;

use crate::index::record::Column;
use crate::table::Table;

/// About as many bytes of tables as are remembered. Between statements none has to be.
const MOST: usize = 32 * 1024 * 1024;

/// As many as one statement may have remembered.
const MOST_OF_A_STATEMENT: usize = 4 * MOST;

/// What a table takes beside its columns and its event.
const TABLE: usize = 256;

/// What a column takes in a [`Table`], with what its texts take beside their bytes.
const COLUMN: usize = size_of::<table_map::Column>() + size_of::<Column>() + 192;

/// What is known of each table, and the TABLE_MAP_EVENT that it is known from.
#[derive(Debug)]
pub(crate) struct Tables<T> {
    known: HashMap<u64, Known<T>>,
    /// The number that each had last, by schema and name.
    numbers: HashMap<(Box<str>, Box<str>), u64>,
    /// About as many bytes as all this takes.
    size: usize,
}

#[derive(Debug)]
struct Known<T> {
    body: Box<[u8]>,
    table: T,
    size: usize,
}

/// What is known of a table, and how much that is.
pub(crate) trait Columns {
    /// How many columns of it are in memory.
    fn columns(&self) -> usize;
}

impl Columns for Option<Arc<Table>> {
    fn columns(&self) -> usize {
        self.as_ref().map_or(0, |table| table.map.columns.len())
    }
}

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            numbers: HashMap::new(),
            size: 0,
        }
    }
}

impl<T: Columns> Tables<T> {
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.known.get(&number).map(|known| &known.table)
    }

    /// Is the table known by just this event? Or by one that has another number for it, and what was made of that is
    /// `certain`: a server with more tables than its caches hold gives them new numbers all the time.
    pub(crate) fn knows(
        &mut self,
        map: &TableMapEvent<'_>,
        certain: impl FnOnce(&T) -> bool,
    ) -> bool {
        // Rows of those that are forgotten by this are counted as ones without a table.
        if self.size > MOST_OF_A_STATEMENT {
            self.clear();
        }
        if let Some(known) = self.known.get(&map.table_id)
            && *known.body == *map.body
        {
            return true;
        }
        let name = (map.schema.into(), map.table.into());
        let Some(before) = self.numbers.insert(name, map.table_id) else {
            let names = map.schema.len().saturating_add(map.table.len());
            self.size = self.size.saturating_add(names.saturating_add(TABLE));
            return false;
        };
        let Slot::Occupied(slot) = self.known.entry(before) else {
            return false;
        };
        let known = slot.get();
        if !(same_but_number(&known.body, map.body) && certain(&known.table)) {
            return false;
        }
        let known = slot.remove();
        self.size = self.size.saturating_sub(known.size);
        self.define(map.table_id, map.body, known.table);
        true
    }

    pub(crate) fn define(&mut self, number: u64, body: &[u8], table: T) {
        // A label takes about ten times its bytes in the event.
        let size = TABLE
            .saturating_add(table.columns().saturating_mul(COLUMN))
            .saturating_add(body.len().saturating_mul(match table.columns() {
                0 => 1,
                _ => 16,
            }));
        self.size = self.size.saturating_add(size);
        let known = Known {
            body: body.into(),
            table,
            size,
        };
        if let Some(before) = self.known.insert(number, known) {
            self.size = self.size.saturating_sub(before.size);
        }
    }

    pub(crate) fn forget(&mut self, number: u64) {
        if let Some(known) = self.known.remove(&number) {
            self.size = self.size.saturating_sub(known.size);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let size = &mut self.size;
        self.known.retain(|_, known| {
            let keep = keep(&known.table);
            if !keep {
                *size = size.saturating_sub(known.size);
            }
            keep
        });
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.numbers.clear();
        self.size = 0;
    }

    /// Between statements, of which each describes its tables anew: forgets all when they have become many. The
    /// server tells of no number that is gone.
    pub(crate) fn tidy(&mut self) {
        if self.size > MOST {
            self.clear();
        }
    }
}

/// Do two TABLE_MAP_EVENTs tell the same, whatever their numbers?
fn same_but_number(one: &[u8], other: &[u8]) -> bool {
    // int<6> table_id
    one.len() > 6 && one.get(6..) == other.get(6..)
}

#[cfg(test)]
mod tests {
    use bintrail_proto::binlog::format_description::Flavor;

    use super::*;

    /// A table of as many columns.
    impl Columns for u16 {
        fn columns(&self) -> usize {
            usize::from(*self)
        }
    }

    fn map(table_id: u64, table: &'static str, rest: &[u8]) -> (u64, &'static str, Vec<u8>) {
        let number = table_id.to_le_bytes();
        (table_id, table, [&number[..6], rest].concat())
    }

    fn knows(
        tables: &mut Tables<u16>,
        (table_id, table, body): &(u64, &str, Vec<u8>),
        certain: bool,
    ) -> bool {
        let map = TableMapEvent {
            table_id: *table_id,
            schema: "s",
            table,
            body,
            flavor: Flavor::MySql,
        };
        tables.knows(&map, |_| certain)
    }

    #[test]
    fn a_new_number_makes_no_new_table() {
        let mut tables = Tables::default();
        let first = map(1, "a", b"columns");
        assert!(!knows(&mut tables, &first, true));
        tables.define(1, &first.2, 7);
        assert!(knows(&mut tables, &first, false));

        let again = map(2, "a", b"columns");
        assert!(!knows(&mut tables, &again, false));
        assert!(!knows(&mut tables, &map(3, "b", b"columns"), true));
        tables.define(2, &again.2, 8);
        assert!(knows(&mut tables, &map(4, "a", b"columns"), true));
        assert_eq!((tables.get(4), tables.get(2)), (Some(&8), None));
        // Another definition.
        assert!(!knows(&mut tables, &map(5, "a", b"other columns"), true));
        // What was forgotten is not known by its name.
        tables.retain(|_| false);
        assert!(!knows(&mut tables, &map(6, "a", b"columns"), true));
    }

    #[test]
    fn many_are_forgotten_between_statements() {
        // Few and wide, or many that are left out.
        for (count, columns) in [(40, 4096), (100_000, 0)] {
            let mut tables = Tables::default();
            let body = vec![1; 4096 + 512];
            for number in 0..count {
                tables.define(number, &body, columns);
                assert!(tables.get(number).is_some());
            }
            tables.tidy();
            assert_eq!(tables.get(1), None);
            assert_eq!(tables.size, 0);
        }
    }

    #[test]
    fn many_of_one_statement_are_forgotten_too() {
        let mut tables = Tables::default();
        for number in 0..400 {
            let map = map(number, "t", &number.to_le_bytes());
            assert!(!knows(&mut tables, &map, true));
            tables.define(number, &map.2, 4096);
            assert!(tables.size <= MOST_OF_A_STATEMENT + MOST);
        }
        assert_eq!(tables.get(0), None);
        assert!(tables.get(399).is_some());
    }

    #[test]
    fn names_are_bounded_too() {
        let mut tables = Tables::<u16>::default();
        for number in 0..200_000 {
            let name = format!("t{number}");
            let map = TableMapEvent {
                table_id: 1,
                schema: "s",
                table: &name,
                body: b"",
                flavor: Flavor::MySql,
            };
            tables.knows(&map, |_| true);
            tables.tidy();
        }
        assert!(tables.numbers.len() < 150_000);
    }

    #[test]
    fn what_is_forgotten_counts_no_longer() {
        let mut tables = Tables::default();
        let first = map(1, "a", b"columns");
        knows(&mut tables, &first, true);
        let names = tables.size;
        for number in 1..100 {
            let again = map(number, "a", b"columns");
            if !knows(&mut tables, &again, true) {
                tables.define(number, &again.2, 7);
            }
        }
        assert_eq!(tables.known.len(), 1);
        tables.define(99, b"other", 4);
        tables.define(100, b"", 4);
        tables.forget(99);
        tables.retain(|_| false);
        assert_eq!(tables.size, names);
    }
}
