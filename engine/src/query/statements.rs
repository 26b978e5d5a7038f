//! The SQL of the questions, for both backends. Each statement says which index it goes by: the way
//! is chosen here, where it is known how ids, keys and transactions hang together.

use super::plan::{Plan, Span};
use super::{Change, Facts, PLACES, Question, Segment};
use crate::index::places::{BLOCK_BITS, Kind};
use crate::index::read::{Cells, Select, Value};
use crate::index::record::{CHANGE_ID_BITS, EventType, Micros};
use crate::index::time::timestamp;
use crate::index::{Index, Result};

/// The backend's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statements {
    Sqlite,
    MySql,
}

/// The source that an id belongs to.
pub(super) fn source_of(change_id: u64) -> u32 {
    u32::try_from(change_id >> CHANGE_ID_BITS)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

pub(super) fn text(time: Micros) -> String {
    String::from_utf8_lossy(&timestamp(time)).into_owned()
}

pub(super) fn select(sql: impl Into<String>, values: Vec<Value>) -> Select {
    Select {
        sql: sql.into(),
        values,
    }
}

/// A table definition by its id.
pub(super) fn table(table_id: u32) -> Select {
    select(
        "SELECT schema_name, table_name, columns, known_by, valid_from_file, valid_from_position \
         FROM table_versions WHERE table_id = ?",
        vec![Value::Number(table_id.into())],
    )
}

/// The statements that changed definitions behind a row change, without those whose text is not kept.
pub(super) fn definitions_since(change: &Change) -> Select {
    select(
        "SELECT schema_name, sql_mode, temporary, statement FROM schema_changes \
         WHERE source_id = ? AND next_change_id > ? \
         AND change_type NOT IN ('CREATE USER', 'ALTER USER', 'CREATE SERVER', 'ALTER SERVER') \
         ORDER BY schema_change_id",
        vec![
            Value::Number(change.transaction.source_id.into()),
            Value::Number(change.change_id),
        ],
    )
}

/// What a source is.
pub(super) fn server_of(source_id: u32) -> Select {
    select(
        "SELECT flavor, version FROM sources WHERE source_id = ?",
        vec![Value::Number(source_id.into())],
    )
}

/// The tables that a source has row changes of.
pub(super) fn tables_of(source_id: u32) -> Select {
    select(
        "SELECT DISTINCT schema_name, table_name FROM table_versions WHERE source_id = ?",
        vec![Value::Number(source_id.into())],
    )
}

/// The definition that a table of this name has at the end of what the index has.
pub(super) fn present(source_id: u32, schema: &str, table: &str) -> Select {
    select(
        "SELECT columns, known_by FROM table_versions WHERE schema_name = ? AND table_name = ? AND source_id = ? \
         AND valid_until_file IS NULL ORDER BY table_id DESC LIMIT 1",
        vec![
            Value::Text(schema.to_owned()),
            Value::Text(table.to_owned()),
            Value::Number(source_id.into()),
        ],
    )
}

/// `1,2,3`
pub(super) fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(",")
}

/// The condition on whose the places are, and the values of their bounds.
fn places_in(whose: &[(Kind, Vec<u32>)], segment: Segment) -> (String, Vec<Value>) {
    let last = segment.to.saturating_sub(1);
    let any = whose.iter().map(|(kind, numbers)| {
        let kind = kind.number();
        format!("kind = {kind} AND number IN ({})", list(numbers))
    });
    (
        format!("({})", any.collect::<Vec<_>>().join(" OR ")),
        vec![
            Value::Number(segment.from >> BLOCK_BITS),
            Value::Number(last >> BLOCK_BITS),
        ],
    )
}

/// The texts one of which an image has that has this value of a column, as images are written without blanks; none
/// where it may be written in several ways.
fn texts_of(value: &str) -> Vec<String> {
    if value.contains(|c| c < ' ' || c == '"' || c == '\\') {
        return Vec::new();
    }
    let mut texts = vec![format!(":\"{value}\"")];
    if serde_json::from_str::<&serde_json::value::RawValue>(value).is_ok() {
        texts.push(format!(":{value}"));
    }
    texts
}

pub(super) const fn direction(newest_first: bool) -> &'static str {
    if newest_first { "DESC" } else { "ASC" }
}

impl Statements {
    pub(super) const fn of(index: &Index) -> Self {
        match index {
            Index::Sqlite(_) => Self::Sqlite,
            Index::MySql(_) => Self::MySql,
        }
    }

    /// Where changes of a source were lost.
    pub(super) fn gaps(self, source_id: u32) -> Select {
        let found_at = self.micros("found_at");
        select(
            format!(
                "SELECT next_change_id, {found_at} FROM gaps WHERE source_id = ? ORDER BY next_change_id"
            ),
            vec![Value::Number(source_id.into())],
        )
    }

    /// The statements that changed definitions.
    pub(super) fn definitions(self, source_id: Option<u32>) -> Select {
        let committed_at = match self {
            Self::Sqlite => "committed_at",
            Self::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at)",
        };
        let of = if source_id.is_some() {
            " AND source_id = ?"
        } else {
            ""
        };
        // These leave tables as they are.
        let others = [
            "VIEW",
            "TRIGGER",
            "PROCEDURE",
            "FUNCTION",
            "EVENT",
            "USER",
            "ROLE",
            "SERVER",
        ];
        let others = others.map(|object| format!("change_type NOT LIKE '% {object}'"));
        select(
            format!(
                "SELECT schema_name, sql_mode, temporary, statement, source_id, next_change_id, {committed_at}, gtid \
                 FROM schema_changes WHERE {}{of} ORDER BY schema_change_id",
                others.join(" AND ")
            ),
            source_id
                .map(|id| Value::Number(id.into()))
                .into_iter()
                .collect(),
        )
    }

    /// The columns that an answer reads, of `r` and its transaction `t`.
    fn columns(self) -> String {
        let committed_at = match self {
            Self::Sqlite => "t.committed_at",
            Self::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', t.committed_at)",
        };
        let decided_at = match self {
            Self::Sqlite => "t.decided_at",
            Self::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', t.decided_at)",
        };
        format!(
            "r.change_id, r.table_id, r.transaction_id, r.event_type, r.pk_values, r.row_before, \
             r.row_after, t.gtid, t.binlog_file, t.start_position, t.end_position, {committed_at}, \
             t.connection_id, t.xa_state, k.pk_values, {decided_at}"
        )
    }

    /// What the sources' checkpoints cover, and what was lost to them.
    pub(super) fn states(self) -> String {
        let gap_lost_at = match self {
            Self::Sqlite => "gap_lost_at",
            Self::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', gap_lost_at)",
        };
        format!(
            "SELECT source_id, next_change_id, clock_back, {gap_lost_at}, gap_lost_detail FROM stream_state \
             ORDER BY source_id"
        )
    }

    /// Rows by their ids, each with its transaction.
    pub(super) fn rows(self) -> String {
        let from = match self {
            Self::Sqlite => "row_changes AS r NOT INDEXED CROSS JOIN transactions AS t NOT INDEXED",
            Self::MySql => {
                "row_changes AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN transactions AS t FORCE INDEX (PRIMARY)"
            }
        };
        format!(
            "SELECT {} FROM {from} ON t.transaction_id = r.transaction_id \
             AND r.change_id < t.transaction_id + t.row_count \
             LEFT JOIN key_changes AS k ON k.change_id = r.change_id AND r.event_type = 2",
            self.columns()
        )
    }

    /// Rows in a range of ids, without those that cannot fit.
    pub(super) fn range(
        self,
        plan: &Plan,
        window: Segment,
        question: &Question,
        limit: u64,
    ) -> Select {
        self.fitting(self.rows(), plan, window, question, limit)
    }

    /// The same, of each row no more than its images are looked at for, as a candidate and behind that.
    pub(super) fn images(
        self,
        plan: &Plan,
        window: Segment,
        question: &Question,
        limit: u64,
    ) -> Select {
        let from = match self {
            Self::Sqlite => "NULL, r.row_before, r.row_after FROM row_changes AS r NOT INDEXED",
            Self::MySql => {
                "CAST(r.committed_at AS CHAR), r.row_before, r.row_after FROM row_changes AS r FORCE INDEX (PRIMARY)"
            }
        };
        self.fitting(
            format!("SELECT r.change_id, {from}"),
            plan,
            window,
            question,
            limit,
        )
    }

    /// With the conditions that leave out what cannot fit.
    fn fitting(
        self,
        mut sql: String,
        plan: &Plan,
        window: Segment,
        question: &Question,
        limit: u64,
    ) -> Select {
        sql.push_str(" WHERE r.change_id >= ? AND r.change_id < ?");
        let mut values = vec![Value::Number(window.from), Value::Number(window.to)];
        if let Some(tables) = &plan.tables {
            sql.push_str(&format!(" AND r.table_id IN ({})", list(tables)));
        }
        if !question.event_types.is_empty() {
            let types = question.event_types.iter().map(|kind| *kind as u8);
            sql.push_str(&format!(" AND r.event_type IN ({})", list(types)));
        }
        if question.changed_column.is_some() {
            sql.push_str(&format!(" AND r.event_type = {}", EventType::Update as u8));
        }
        let texts = question.values.iter().map(|(_, value)| texts_of(value));
        for texts in texts.filter(|texts| !texts.is_empty()) {
            let has = match self {
                Self::Sqlite => "INSTR(CONCAT_WS('', r.row_before, r.row_after), ?) > 0",
                // Text it would compare character by character. Above `max_allowed_packet` it is NULL.
                Self::MySql => {
                    "COALESCE(INSTR(CAST(CONCAT_WS('', r.row_before, r.row_after) AS BINARY), CAST(? AS BINARY)), 1) > 0"
                }
            };
            sql.push_str(&format!(" AND ({})", vec![has; texts.len()].join(" OR ")));
            values.extend(texts.into_iter().map(Value::Text));
        }
        self.time(&mut sql, &mut values, plan.span);
        if let Some(connection_id) = question.connection_id {
            sql.push_str(" AND t.connection_id = ?");
            values.push(Value::Number(connection_id.into()));
        }
        let order = direction(question.newest_first);
        sql.push_str(&format!(" ORDER BY r.change_id {order} LIMIT {limit}"));
        select(sql, values)
    }

    /// The commit time of `r`, which on MySQL also leads to its partition.
    pub(super) fn time(self, sql: &mut String, values: &mut Vec<Value>, span: Span) {
        let mut bound = |operator: &str, time: Option<Micros>| {
            let Some(time) = time else { return };
            sql.push_str(&format!(" AND r.committed_at {operator} ?"));
            values.push(self.time_value(time));
        };
        bound(">=", span.0);
        bound("<", span.1);
    }

    pub(super) fn time_value(self, time: Micros) -> Value {
        match self {
            // No commit time is before 1970.
            Self::Sqlite => Value::Number(u64::try_from(time).unwrap_or(0)),
            Self::MySql => Value::Text(text(time)),
        }
    }

    /// The blocks of ids that a plan goes through.
    pub(super) fn places(
        self,
        whose: &[(Kind, Vec<u32>)],
        segment: Segment,
        newest_first: bool,
    ) -> Select {
        let order = direction(newest_first);
        let (of, values) = places_in(whose, segment);
        select(
            format!(
                "SELECT DISTINCT block FROM places WHERE {of} AND block BETWEEN ? AND ? ORDER BY block {order} \
                 LIMIT {PLACES}"
            ),
            values,
        )
    }

    /// How many of them there are.
    pub(super) fn count_places(self, whose: &[(Kind, Vec<u32>)], segment: Segment) -> Select {
        let (of, values) = places_in(whose, segment);
        select(
            format!(
                "SELECT COUNT(DISTINCT block) FROM places WHERE {of} AND block BETWEEN ? AND ?"
            ),
            values,
        )
    }

    /// The transactions of a session of the source, and how many rows they have.
    pub(super) fn of_session(
        self,
        id: u32,
        window: Segment,
        newest_first: bool,
        most: u64,
    ) -> Select {
        let from = self.transactions();
        let order = direction(newest_first);
        select(
            format!(
                "SELECT transaction_id, row_count FROM {from} WHERE transaction_id >= ? \
                 AND transaction_id < ? AND connection_id = ? ORDER BY transaction_id {order} LIMIT {most}"
            ),
            vec![
                Value::Number(window.from),
                Value::Number(window.to),
                Value::Number(id.into()),
            ],
        )
    }

    /// The transactions by their ids.
    pub(super) const fn transactions(self) -> &'static str {
        match self {
            Self::Sqlite => "transactions NOT INDEXED",
            Self::MySql => "transactions FORCE INDEX (PRIMARY)",
        }
    }

    /// The first rows of a transaction, counted by their tables.
    pub(super) fn changed_by(self, transaction: &Facts, most: u64) -> Select {
        let by_id = match self {
            Self::Sqlite => "NOT INDEXED",
            Self::MySql => "FORCE INDEX (PRIMARY)",
        };
        let id = transaction.transaction_id;
        let mut sql = format!(
            "SELECT table_id, COUNT(*) FROM (SELECT r.table_id AS table_id FROM row_changes AS r {by_id} \
             WHERE r.change_id >= ? AND r.change_id < (SELECT transaction_id + row_count FROM {} WHERE transaction_id = ?)",
            self.transactions()
        );
        let mut values = vec![Value::Number(id), Value::Number(id)];
        let at = transaction.committed_at;
        self.time(
            &mut sql,
            &mut values,
            (Some(at), Some(at.saturating_add(1))),
        );
        sql.push_str(&format!(
            " ORDER BY r.change_id LIMIT {most}) AS counted GROUP BY table_id ORDER BY table_id"
        ));
        select(sql, values)
    }

    /// What is read of a transaction that is looked for, and from where: its id, rows, commit time and GTID.
    pub(super) const fn found_transactions(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "transaction_id, row_count, committed_at, gtid FROM transactions NOT INDEXED"
            }
            Self::MySql => {
                "transaction_id, row_count, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', committed_at), gtid \
                 FROM transactions FORCE INDEX (PRIMARY)"
            }
        }
    }

    /// The first transaction whose id is in a range.
    pub(super) fn first_transaction(self, segment: Segment) -> Select {
        let found = self.found_transactions();
        select(
            format!(
                "SELECT {found} WHERE transaction_id >= ? AND transaction_id < ? ORDER BY transaction_id LIMIT 1"
            ),
            vec![Value::Number(segment.from), Value::Number(segment.to)],
        )
    }

    /// Counts a table's rows, up to a number.
    pub(super) fn count(self, tables: &[u32], span: Span, most: u64) -> Select {
        let index = self.by_key();
        let mut sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM row_changes AS r {index} WHERE r.table_id IN ({})",
            list(tables)
        );
        let mut values = Vec::new();
        if self == Self::MySql {
            self.time(&mut sql, &mut values, span);
        }
        sql.push_str(&format!(" LIMIT {most}) AS counted"));
        select(sql, values)
    }

    /// Counts tables' rows in a range of ids, up to a number.
    pub(super) fn count_in(self, tables: &[u32], segment: Segment, most: u64) -> Select {
        let index = self.by_key();
        select(
            format!(
                "SELECT COUNT(*) FROM (SELECT 1 AS one FROM row_changes AS r {index} WHERE r.table_id IN ({}) \
                 AND r.change_id >= ? AND r.change_id < ? LIMIT {most}) AS counted",
                list(tables)
            ),
            vec![Value::Number(segment.from), Value::Number(segment.to)],
        )
    }

    pub(super) const fn by_key(self) -> &'static str {
        match self {
            Self::Sqlite => "INDEXED BY row_changes_key",
            Self::MySql => "FORCE INDEX (row_changes_key)",
        }
    }

    /// The statement that tells the index's own plan of `select`.
    pub(super) fn explain(self, select: Select) -> Select {
        let explain = match self {
            Self::Sqlite => "EXPLAIN QUERY PLAN",
            Self::MySql => "EXPLAIN FORMAT=TREE",
        };
        Select {
            sql: format!("{explain} {}", select.sql),
            values: select.values,
        }
    }

    pub(super) fn read_explained(self, mut cells: Cells) -> Result<String> {
        match self {
            Self::Sqlite => cells.a_text(3),
            Self::MySql => cells.a_text(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::texts_of;

    #[test]
    fn a_value_is_looked_for_in_each_form_that_an_image_may_have_it_in() {
        assert_eq!(texts_of("paid"), [r#":"paid""#]);
        assert_eq!(texts_of("-1.50"), [r#":"-1.50""#, ":-1.50"]);
        assert_eq!(texts_of("null"), [r#":"null""#, ":null"]);
        assert_eq!(texts_of("[1,true]"), [r#":"[1,true]""#, ":[1,true]"]);
        assert_eq!(texts_of("é/表"), [r#":"é/表""#]);
        for several in [r#"a"b"#, r"a\b", "a\nb", r#"{"k":1}"#] {
            assert!(texts_of(several).is_empty(), "{several}");
        }
    }
}
