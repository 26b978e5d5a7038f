//! Which way leads to the rows asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::find;
use super::statements::{Statements, select, source_of};
use super::{Question, Segment, no_such_column};
use crate::index::convert::{known_by_name, parse_columns};
use crate::index::read::Value;
use crate::index::record::{KnownBy, change_ids_of};
use crate::index::{Index, Result};

/// A table of fewer rows is read through the index on keys, whose first part is the table.
const SMALL: u64 = 100_000;

/// Ids beyond which reading them one by one is announced.
const MANY: u64 = 500_000;

/// The way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// Row by row through a range of ids.
    Range,
    /// Through the index on keys: the hashes asked for, or with none whole tables.
    Keys(Vec<[u8; 8]>),
    /// Through the transactions of a session.
    Session(u32),
}

/// A way, and where it leads through.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) path: Path,
    /// The definitions that the tables asked for have had.
    pub(super) tables: Option<Vec<u32>>,
    /// Row changes that a question by key or column passes over, because nobody knows their columns' names.
    pub(super) nameless: u64,
    /// Ids still to be read, source by source.
    pub(super) left: VecDeque<Segment>,
    /// All of them, oldest first.
    all: Vec<Segment>,
}

pub(super) async fn plan(
    index: &Index,
    statements: &Statements,
    question: &Question,
) -> Result<Plan> {
    let tables = tables(index, question).await?;
    let mut all = Vec::new();
    let sources = covered(index).await?;
    let alone = sources.len() == 1;
    for covered in sources {
        if question
            .source_id
            .is_some_and(|id| id != source_of(covered.from))
        {
            continue;
        }
        let mut segment = covered;
        if let Some(gtid) = &question.gtid {
            segment = find::gtid(index, *statements, covered, gtid, MANY).await?;
        } else if question.since.is_some() || question.until.is_some() {
            segment = find::time(index, *statements, covered, question, alone).await?;
        }
        if !segment.is_empty() {
            all.push(segment);
        }
    }
    if tables.as_ref().is_some_and(Vec::is_empty) {
        all.clear();
    }
    let hashes: Vec<_> = question.keys.iter().map(|key| hash(key)).collect();
    let path = if question.gtid.is_some() {
        Path::Range
    } else if !hashes.is_empty() {
        Path::Keys(hashes)
    } else if let Some(connection_id) = question.connection_id {
        Path::Session(connection_id)
    } else if let Some(tables) = &tables
        && !all.is_empty()
    {
        let count = statements.count(tables, question, SMALL);
        let counted = index.read_again(count, usize::MAX).await?;
        match counted
            .rows
            .first()
            .map(|cells| cells.peek(0))
            .transpose()?
        {
            Some(rows) if rows < SMALL => Path::Keys(Vec::new()),
            _ => Path::Range,
        }
    } else {
        Path::Range
    };
    let mut plan = Plan {
        path,
        tables,
        nameless: nameless(index, statements, question, &all).await?,
        left: VecDeque::new(),
        all,
    };
    if matches!(plan.path, Path::Keys(_)) && plan.tables.is_none() {
        plan.tables = Some(all_tables(index).await?);
    }
    let narrow = question.gtid.is_some() || question.since.is_some() || question.until.is_some();
    if !narrow && plan.leaves_out(question) {
        let ids: u64 = plan
            .all
            .iter()
            .map(|segment| segment.to - segment.from)
            .sum();
        if ids > MANY {
            let what = match plan.path {
                Path::Session(_) => "the transactions of",
                _ => "all of",
            };
            tracing::warn!(
                "no index leads to these rows alone: {what} up to {ids} row changes are looked at; --pk, --gtid, --since \
                 or --until would narrow it"
            );
        }
    }
    plan.rewind(question.newest_first);
    Ok(plan)
}

impl Plan {
    pub(super) fn rewind(&mut self, newest_first: bool) {
        self.left = self.all.iter().copied().collect();
        if newest_first {
            self.left = self.left.drain(..).rev().collect();
        }
    }

    /// Does it look at rows that the answer leaves out?
    fn leaves_out(&self, question: &Question) -> bool {
        match self.path {
            Path::Keys(_) => false,
            Path::Session(_) => true,
            Path::Range => {
                self.tables.is_some()
                    || !question.event_types.is_empty()
                    || question.changed_column.is_some()
                    || !question.values.is_empty()
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let way = match &self.path {
            Path::Range => "row changes by their ids".to_owned(),
            Path::Keys(hashes) if hashes.is_empty() => {
                "all rows of the tables, by the index row_changes_key".to_owned()
            }
            Path::Keys(hashes) => format!("{} keys, by the index row_changes_key", hashes.len()),
            Path::Session(id) => format!("transactions of connection {id}, then their rows by id"),
        };
        let mut out = format!("way: {way}\n");
        if let Some(tables) = &self.tables {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "table definitions: {}", tables.len());
        }
        for Segment { from, to } in &self.all {
            let _ = writeln!(out, "ids: {from} up to {to}");
        }
        out
    }
}

/// What the sources' checkpoints cover.
async fn covered(index: &Index) -> Result<Vec<Segment>> {
    let states = select(
        "SELECT source_id, next_change_id FROM stream_state ORDER BY source_id",
        Vec::new(),
    );
    let mut covered = Vec::new();
    for mut cells in index.read_again(states, usize::MAX).await?.rows {
        covered.push(Segment {
            from: change_ids_of(cells.a_number(0)?).start,
            to: cells.a_number(1)?,
        });
    }
    Ok(covered)
}

/// The ids of the definitions that the tables asked for have had; `None` when all are asked for.
async fn tables(index: &Index, question: &Question) -> Result<Option<Vec<u32>>> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    for (column, name) in [
        ("schema_name", &question.schema),
        ("table_name", &question.table),
    ] {
        if let Some(name) = name {
            conditions.push(format!("{column} = ?"));
            values.push(Value::Text(name.clone()));
        }
    }
    if conditions.is_empty() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT table_id, columns FROM table_versions WHERE {}",
        conditions.join(" AND ")
    );
    let mut ids = Vec::new();
    let mut columns = Vec::new();
    for mut cells in index
        .read_again(select(sql, values), usize::MAX)
        .await?
        .rows
    {
        ids.push(cells.a_number(0)?);
        columns.extend(parse_columns(&cells.a_text(1)?)?);
    }
    if ids.is_empty() {
        tracing::warn!(
            "the index has seen no such table; names are compared as they are written, case included"
        );
        return Ok(Some(ids));
    }
    let named = question.values.iter().map(|(column, _)| column);
    for name in named.chain(&question.changed_column) {
        if !columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case(name))
        {
            return Err(no_such_column(name));
        }
    }
    Ok(Some(ids))
}

/// Counts, up to a number, the row changes without names that a question by name cannot find.
async fn nameless(
    index: &Index,
    statements: &Statements,
    question: &Question,
    all: &[Segment],
) -> Result<u64> {
    if question.keys.is_empty() && question.values.is_empty() && question.changed_column.is_none() {
        return Ok(0);
    }
    let mut sql = "SELECT table_id FROM table_versions WHERE known_by = ?".to_owned();
    let mut values = vec![Value::Text(known_by_name(KnownBy::Position).to_owned())];
    for (condition, name) in [
        (" AND schema_name = ?", &question.schema),
        (" AND table_name = ?", &question.table),
    ] {
        if let Some(name) = name {
            sql.push_str(condition);
            values.push(Value::Text(name.clone()));
        }
    }
    let mut ids: Vec<u32> = Vec::new();
    for mut cells in index
        .read_again(select(sql, values), usize::MAX)
        .await?
        .rows
    {
        ids.push(cells.a_number(0)?);
    }
    let mut count = 0_u64;
    for segment in all.iter().filter(|_| !ids.is_empty()) {
        let counted = statements.count_in(&ids, *segment, SMALL);
        for cells in index.read_again(counted, usize::MAX).await?.rows {
            count = count.saturating_add(cells.peek(0)?);
        }
    }
    if count > 0 {
        tracing::warn!(
            rows = count,
            "row changes of a table whose column names are not known are passed over: they have no key and no named \
             columns; ask for them by --table, --gtid or --since"
        );
    }
    Ok(count)
}

async fn all_tables(index: &Index) -> Result<Vec<u32>> {
    let all = select("SELECT table_id FROM table_versions", Vec::new());
    let mut ids = Vec::new();
    for mut cells in index.read_again(all, usize::MAX).await?.rows {
        ids.push(cells.a_number(0)?);
    }
    // A list may not be empty, and no table has this id.
    if ids.is_empty() {
        ids.push(0);
    }
    Ok(ids)
}

/// As the rows' `pk_hash` is made.
fn hash(key: &str) -> [u8; 8] {
    let digest = Sha256::digest(key);
    digest.first_chunk::<8>().copied().unwrap_or_default()
}
