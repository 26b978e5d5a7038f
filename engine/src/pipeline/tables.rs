//! The tables that events are of, by the numbers that the server has for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use bintrail_proto::binlog::decoder::TableMapEvent;

/// Tables remembered. Between transactions none has to be.
const MOST: usize = 4096;

/// What is known of each table, and the TABLE_MAP_EVENT that it is known from.
#[derive(Debug)]
pub(crate) struct Tables<T> {
    known: HashMap<u64, (Box<[u8]>, T)>,
    /// The number that each had last, by schema and name.
    numbers: HashMap<(Box<str>, Box<str>), u64>,
}

impl<T> Default for Tables<T> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T> Tables<T> {
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.known.get(&number).map(|(_, table)| table)
    }

    /// Is the table known by just this event? Or by one that has another number for it, and what was made of that is
    /// `certain`: a server with more tables than its caches hold gives them new numbers all the time.
    pub(crate) fn knows(
        &mut self,
        map: &TableMapEvent<'_>,
        certain: impl FnOnce(&T) -> bool,
    ) -> bool {
        if let Some((body, _)) = self.known.get(&map.table_id)
            && **body == *map.body
        {
            return true;
        }
        let name = (map.schema.into(), map.table.into());
        let Some(before) = self.numbers.insert(name, map.table_id) else {
            return false;
        };
        let Slot::Occupied(slot) = self.known.entry(before) else {
            return false;
        };
        let (body, table) = slot.get();
        if !(same_but_number(body, map.body) && certain(table)) {
            return false;
        }
        let (_, table) = slot.remove();
        self.define(map.table_id, map.body, table);
        true
    }

    pub(crate) fn define(&mut self, number: u64, body: &[u8], table: T) {
        self.known.insert(number, (body.into(), table));
    }

    pub(crate) fn forget(&mut self, number: u64) {
        self.known.remove(&number);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.known.retain(|_, (_, table)| keep(table));
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.numbers.clear();
    }

    /// Between transactions: forgets all when they have become many. The server tells of no number that is gone.
    pub(crate) fn tidy(&mut self) {
        if self.known.len().max(self.numbers.len()) > MOST {
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

    fn map(table_id: u64, table: &'static str, rest: &[u8]) -> (u64, &'static str, Vec<u8>) {
        let number = table_id.to_le_bytes();
        (table_id, table, [&number[..6], rest].concat())
    }

    fn knows(
        tables: &mut Tables<u8>,
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
    fn many_are_forgotten_between_transactions() {
        let mut tables = Tables::default();
        for number in 0..10_000 {
            tables.define(number, &[], 0_u8);
        }
        tables.tidy();
        assert_eq!(tables.get(1), None);
    }
}
