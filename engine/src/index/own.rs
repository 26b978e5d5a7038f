//! The tables of an index on MySQL, which no index may hold the changes of: each change that it took in would be one
//! more to take in, without end.

use bintrail_proto::binlog::table_map::TableMap;

/// An index's tables, but for what the server itself keeps of them.
const TABLES: [&str; 13] = [
    "index_version",
    "sources",
    "stream_state",
    "source_servers",
    "table_versions",
    "transactions",
    "prepared_transactions",
    ROWS,
    "key_changes",
    "places",
    "schema_changes",
    "gaps",
    "index_state",
];

const ROWS: &str = "row_changes";

/// The columns of [`ROWS`], with their `enum_field_types`: what tells an index from other schemas.
const COLUMNS: [(&str, u8); 11] = [
    ("change_id", 8),
    ("committed_at", 18),
    ("source_id", 3),
    ("table_id", 3),
    ("place_in_transaction", 3),
    ("transaction_id", 8),
    ("event_type", 1),
    ("pk_hash", 254),
    ("pk_values", 252),
    ("row_before", 252),
    ("row_after", 252),
];

/// Asks a server for the columns of all tables that are called like [`ROWS`]: schema and column, in order.
pub(crate) const QUESTION: &str = "SELECT table_schema, column_name FROM information_schema.columns \
     WHERE table_name = 'row_changes' ORDER BY table_schema, ordinal_position";

/// The schemas that hold an index, of the answer to [`QUESTION`].
pub(crate) fn schemas_of(answer: &[(String, String)]) -> Vec<String> {
    answer
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter(|columns| {
            let names = columns.iter().map(|(_, name)| name.as_str());
            names.eq(COLUMNS.iter().map(|(name, _)| *name))
        })
        .filter_map(|columns| columns.first())
        .map(|(schema, _)| schema.clone())
        .collect()
}

/// Is this the table of an index that holds the row changes?
pub(crate) fn is_rows(map: &TableMap) -> bool {
    let types = map.columns.iter().map(|column| column.type_code);
    *map.table == *ROWS && types.eq(COLUMNS.iter().map(|(_, code)| *code))
}

/// Would a table of this name be the index's own, in a schema that holds an index?
pub(crate) fn is_own(table: &str) -> bool {
    TABLES.contains(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::convert::tables_of;

    const SCHEMA: &str = include_str!("mysql/schema.sql");

    #[test]
    fn the_tables_are_those_of_the_index() {
        assert!(tables_of(SCHEMA).map(|(table, _)| table).eq(TABLES));
    }

    #[test]
    fn an_index_is_told_by_all_columns_of_its_rows() {
        let columns = |schema: &str, count: usize| -> Vec<(String, String)> {
            let names = COLUMNS.iter().take(count);
            names
                .map(|(name, _)| (schema.to_owned(), (*name).to_owned()))
                .collect()
        };
        let all = COLUMNS.len();
        let answer = [columns("a", all), columns("b", all - 1), columns("c", all)].concat();
        assert_eq!(schemas_of(&answer), ["a", "c"]);
        assert!(schemas_of(&[]).is_empty());
    }
}
