//! What has to be known of a source and a table before the state of any of its rows can be told: where the moment
//! lies among the row changes, and what may have changed rows without a row change in the index.

use crate::clock::rfc3339;
use crate::index::convert::parse_columns;
use crate::index::read::Value;
use crate::index::record::Micros;
use crate::index::{ErrorKind, Index, IndexError, Result};
use crate::query::find::{self, Covered};
use crate::query::plan::covered;
use crate::query::statements::{Statements, list, select, source_of};
use crate::query::{Question, Segment};
use crate::schema::{Effect, Fate, effect, fate};

/// Rows lost without a row change by these reasons of `capture_skips`.
const UNSEEN: [&str; 8] = [
    "statement_dml",
    "incident",
    "unreadable_table",
    "unreadable_rows",
    "rows_without_table_map",
    "old_rows_event",
    "rolled_back_in_part",
    "xa_prepared_before",
];

/// Characters of a statement that are told of.
const STATEMENT: usize = 80;

/// What may have changed rows without a row change: between two row changes, or among some that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Barrier {
    /// The changes below are before it.
    pub(super) from: u64,
    /// Those from here on are behind it.
    pub(super) to: u64,
    /// Does it, or may a part of it, lie before the moment, and behind?
    pub(super) before: bool,
    pub(super) behind: bool,
    /// What it does to the rows.
    pub(super) effect: Effect,
    /// When it was.
    pub(super) at: Option<Micros>,
    /// What it was.
    pub(super) what: String,
}

/// A moment of a source's history.
#[derive(Debug)]
pub(super) struct View {
    pub(super) source_id: u32,
    /// All that the index had of the source when it was looked at.
    pub(super) all: Segment,
    /// Its last moment.
    pub(super) at: Micros,
    pub(super) schema: String,
    /// The first change that is not before the moment.
    pub(super) cut: u64,
    /// When the first change in the index was committed.
    pub(super) begins: Option<Micros>,
    /// What may have changed rows of the table, in order.
    pub(super) barriers: Vec<Barrier>,
    /// What emptied the table last before the moment.
    pub(super) emptied: Option<super::Emptied>,
    /// The definitions that the table has had.
    pub(super) tables: Vec<u32>,
}

impl View {
    /// Looks at a table as it was when all that was committed up to `at`, and nothing later, had been.
    pub(super) async fn of(index: &Index, asked: &super::Asked) -> Result<Self> {
        let statements = Statements::of(index);
        let tables = tables_of(index, asked).await?;
        let source_id = the_source(asked, &tables)?;
        let mine: Vec<_> = tables.iter().filter(|t| t.source_id == source_id).collect();
        let statuses = index.statuses().await?;
        let covered = covered(index).await?;
        let covered = covered
            .into_iter()
            .find(|covered| source_of(covered.ids.from) == source_id)
            .ok_or_else(|| no_such_table(asked))?;
        let name = mine.first().ok_or_else(|| no_such_table(asked))?;
        if mine.iter().all(|table| table.keyless) {
            return Err(IndexError::new(
                ErrorKind::NoSuchTable,
                format!(
                    "{}.{} has no primary key that the index knows, so its rows cannot be told apart: `bintrail query` has \
                     its changes",
                    name.schema, name.table
                ),
            ));
        }
        let at = asked.at.unwrap_or(Micros::MAX);
        let cut = match asked.at {
            Some(at) => cut(index, statements, covered, at).await?,
            None => covered.ids.to,
        };
        let mut view = Self {
            source_id,
            all: covered.ids,
            at,
            schema: name.schema.clone(),
            cut,
            begins: find::first_from(index, statements, covered.ids.from, covered.ids.to)
                .await?
                .map(|first| first.committed_at),
            barriers: Vec::new(),
            emptied: None,
            tables: mine.iter().map(|table| table.table_id).collect(),
        };
        view.schema_changes(index, (&name.schema, &name.table))
            .await?;
        view.gaps(index).await?;
        let keyless: Vec<u32> = mine
            .iter()
            .filter(|table| table.keyless)
            .map(|table| table.table_id)
            .collect();
        view.keyless(index, statements, &keyless).await?;
        view.barriers.sort_by_key(|barrier| barrier.from);
        for status in statuses.iter().filter(|s| s.source_id == source_id) {
            let Some(checkpoint) = &status.state.checkpoint else {
                continue;
            };
            if asked.at.is_some() && checkpoint.last_event_time.is_none_or(|last| last < at) {
                tracing::warn!(
                    last_event = checkpoint.last_event_time.map(rfc3339),
                    "the index has nothing so late yet: rows are shown as the last event that it has read left them"
                );
            }
            for (reason, skip) in &checkpoint.capture_skips.0 {
                if UNSEEN.contains(&reason.as_str()) {
                    tracing::warn!(
                        reason,
                        count = skip.count,
                        last = skip.last,
                        last_at = rfc3339(skip.last_at),
                        "some changes could not be kept, and rows may have been changed by them: see `bintrail status`"
                    );
                }
            }
        }
        Ok(view)
    }

    /// Adds what lies between two changes.
    fn between(&mut self, next: u64, at: Option<Micros>, effect: Effect, what: String) {
        // Where the moment is at the same place, the time tells, or else nobody does.
        let at_cut = next == self.cut;
        self.barriers.push(Barrier {
            from: next,
            to: next,
            before: next < self.cut || at_cut && at.is_none_or(|at| at <= self.at),
            behind: next > self.cut || at_cut && at.is_none_or(|at| at > self.at),
            effect,
            at,
            what,
        });
    }

    async fn schema_changes(&mut self, index: &Index, table: (&str, &str)) -> Result<()> {
        for definition in index.definitions(Some(self.source_id)).await? {
            if definition.next_change_id > self.all.to {
                break;
            }
            let effect = effect(&definition.statement, table);
            if effect != Effect::None {
                let (next, at) = (definition.next_change_id, definition.committed_at);
                self.between(next, Some(at), effect, told(&definition.statement.sql));
                if effect == Effect::Empties
                    && let Fate::Empties(what) = fate(&definition.statement, table.0, table.1)
                    && self.barriers.last().is_some_and(|barrier| barrier.before)
                {
                    let gtid = definition.gtid;
                    self.emptied = Some(super::Emptied { what, at, gtid });
                }
            }
        }
        Ok(())
    }

    async fn gaps(&mut self, index: &Index) -> Result<()> {
        for (next, found) in index.gaps(self.source_id).await? {
            if next <= self.all.to {
                let what = format!("a gap in the history, found at {}", rfc3339(found));
                self.between(next, None, Effect::Unknown, what);
            }
        }
        Ok(())
    }

    /// Changes under a definition without a key, or without names, have none: whose they are nobody knows.
    async fn keyless(
        &mut self,
        index: &Index,
        statements: Statements,
        tables: &[u32],
    ) -> Result<()> {
        if tables.is_empty() {
            return Ok(());
        }
        let bounds = statements.bounds(tables, self.all);
        for mut cells in index.read_again(bounds, usize::MAX).await?.rows {
            let (Some(from), Some(last)) = (cells.number::<u64>(0)?, cells.number::<u64>(1)?)
            else {
                continue;
            };
            self.barriers.push(Barrier {
                from,
                to: last.saturating_add(1),
                before: from < self.cut,
                behind: last >= self.cut,
                effect: Effect::Unknown,
                at: None,
                what: "row changes without a key".to_owned(),
            });
        }
        Ok(())
    }

    /// The last of the barriers between a change and the moment; with `None` from the history's beginning on.
    pub(super) fn before(&self, change_id: Option<u64>) -> impl Iterator<Item = &Barrier> {
        self.barriers
            .iter()
            .filter(move |b| b.before && change_id.is_none_or(|id| b.to > id))
    }

    /// What lies between row changes.
    pub(super) fn events(&self) -> impl Iterator<Item = super::Event> {
        self.barriers.iter().map(|barrier| super::Event {
            next: barrier.from,
            at: barrier.at,
            what: barrier.what.clone(),
        })
    }

    /// Those between the moment and a later change.
    pub(super) fn behind(&self, change_id: u64) -> impl Iterator<Item = &Barrier> {
        self.barriers
            .iter()
            .filter(move |b| b.behind && b.from <= change_id)
    }
}

/// The first change that is not before the moment.
async fn cut(index: &Index, statements: Statements, covered: Covered, at: Micros) -> Result<u64> {
    let until = Question {
        until: Some(at.saturating_add(1)),
        ..Question::default()
    };
    let before = find::time(index, statements, covered, &until).await?;
    // A clock that went back shows a moment more than once: this is the last time.
    let last = statements.last_transaction(before, at);
    let last = index.read_again(last, usize::MAX).await?.rows.pop();
    let cut = match last.map(find::of_transaction).transpose()? {
        Some(last) => last.ids.to,
        None => covered.ids.from,
    };
    let since = Question {
        since: Some(at.saturating_add(1)),
        ..Question::default()
    };
    let later = find::time(index, statements, covered, &since).await?;
    let mixed = statements.any_later(
        Segment {
            from: later.from,
            to: cut,
        },
        at,
    );
    if !index.read_again(mixed, usize::MAX).await?.rows.is_empty() {
        tracing::warn!(
            "the source's clock went back, so that it showed this time more than once: rows are shown as of the last time"
        );
    }
    Ok(cut)
}

/// A definition of the table asked for.
struct Definition {
    table_id: u32,
    source_id: u32,
    schema: String,
    table: String,
    /// Is the primary key not known, or none there?
    keyless: bool,
}

async fn tables_of(index: &Index, asked: &super::Asked) -> Result<Vec<Definition>> {
    let mut sql =
        "SELECT table_id, source_id, schema_name, table_name, columns FROM table_versions WHERE table_name = ?"
            .to_owned();
    let mut values = vec![Value::Text(asked.table.clone())];
    if let Some(schema) = &asked.schema {
        sql.push_str(" AND schema_name = ?");
        values.push(Value::Text(schema.clone()));
    }
    sql.push_str(" ORDER BY table_id");
    let mut tables = Vec::new();
    for mut cells in index
        .read_again(select(sql, values), usize::MAX)
        .await?
        .rows
    {
        let columns = parse_columns(&cells.a_text(4)?)?;
        let table = Definition {
            table_id: cells.a_number(0)?,
            source_id: cells.a_number(1)?,
            schema: cells.a_text(2)?,
            table: cells.a_text(3)?,
            keyless: columns.iter().all(|column| column.pk.is_none()),
        };
        if asked.source_id.is_none_or(|id| id == table.source_id) {
            tables.push(table);
        }
    }
    Ok(tables)
}

/// The source whose table is asked for: one and only one.
fn the_source(asked: &super::Asked, tables: &[Definition]) -> Result<u32> {
    let first = tables.first().ok_or_else(|| no_such_table(asked))?;
    if let Some(other) = tables.iter().find(|table| table.schema != first.schema) {
        return Err(IndexError::new(
            ErrorKind::NoSuchTable,
            format!(
                "there is a table {} in {} and in {}: say which with --schema",
                asked.table, first.schema, other.schema
            ),
        ));
    }
    match tables
        .iter()
        .find(|table| table.source_id != first.source_id)
    {
        None => Ok(first.source_id),
        Some(other) => Err(IndexError::new(
            ErrorKind::NoSuchTable,
            format!(
                "the sources {} and {} both have this table: say which with --source-id",
                first.source_id, other.source_id
            ),
        )),
    }
}

fn no_such_table(asked: &super::Asked) -> IndexError {
    IndexError::new(
        ErrorKind::NoSuchTable,
        format!(
            "the index has seen no row change of a table {}{}; names are compared as they are written, case included",
            asked
                .schema
                .as_ref()
                .map_or_else(String::new, |schema| format!("{schema}.")),
            asked.table
        ),
    )
}

/// A statement in one short line.
fn told(statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= STATEMENT {
        return line;
    }
    let mut cut: String = line.chars().take(STATEMENT).collect();
    cut.push('…');
    cut
}

impl Statements {
    /// A time of the index as microseconds.
    pub(in crate::query) fn micros(self, column: &str) -> String {
        match self {
            Self::Sqlite => column.to_owned(),
            Self::MySql => format!("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {column})"),
        }
    }

    /// The last transaction of these ids that was committed at a time or before.
    fn last_transaction(self, segment: Segment, at: Micros) -> crate::index::read::Select {
        let found = self.found_transactions();
        let mut sql = format!("SELECT {found} WHERE transaction_id >= ? AND transaction_id < ?");
        let mut values = vec![Value::Number(segment.from), Value::Number(segment.to)];
        self.bound(&mut sql, &mut values, "<=", at);
        sql.push_str(" ORDER BY transaction_id DESC LIMIT 1");
        select(sql, values)
    }

    /// Any transaction of these ids that was committed later.
    fn any_later(self, segment: Segment, at: Micros) -> crate::index::read::Select {
        let found = self.found_transactions();
        let mut sql = format!("SELECT {found} WHERE transaction_id >= ? AND transaction_id < ?");
        let mut values = vec![Value::Number(segment.from), Value::Number(segment.to)];
        self.bound(&mut sql, &mut values, ">", at);
        sql.push_str(" LIMIT 1");
        select(sql, values)
    }

    fn bound(self, sql: &mut String, values: &mut Vec<Value>, operator: &str, at: Micros) {
        sql.push_str(&format!(" AND committed_at {operator} ?"));
        values.push(self.time_value(at));
    }

    /// The first and the last change of each of these definitions.
    fn bounds(self, tables: &[u32], segment: Segment) -> crate::index::read::Select {
        let index = self.by_key();
        select(
            format!(
                "SELECT MIN(r.change_id), MAX(r.change_id) FROM row_changes AS r {index} \
                 WHERE r.table_id IN ({}) AND r.change_id >= ? AND r.change_id < ? GROUP BY r.table_id",
                list(tables)
            ),
            vec![Value::Number(segment.from), Value::Number(segment.to)],
        )
    }
}
