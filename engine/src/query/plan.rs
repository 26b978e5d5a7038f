//! Which way leads to the rows asked for.

use std::collections::VecDeque;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::find::{self, Covered};
use super::statements::{Statements, select};
use super::{FIRST_PAGE, Question, Segment, no_such_column};
use crate::clock::rfc3339;
use crate::index::convert::{known_by_name, parse_columns};
use crate::index::places::{BLOCK_BITS, Kind};
use crate::index::read::{Select, Value};
use crate::index::record::{KnownBy, Micros, change_ids_of};
use crate::index::{Index, Result};

/// Rows of a table that are counted to choose a way: those of a larger one are read block by block.
const SMALL: u64 = 30_000;

/// Ids beyond which reading them one by one is announced.
const MANY: u64 = 500_000;

/// What a row that is passed over costs, counted in ids that are read from the index on keys and put in order.
const ROW_COST: u64 = 4;

/// Ids of a block.
const BLOCK: u64 = 1 << BLOCK_BITS;

/// Not before, and before.
pub(super) type Span = (Option<Micros>, Option<Micros>);

/// Whose blocks: of each kind, the numbers.
pub(super) type Whose = Vec<(Kind, Vec<u32>)>;

/// The way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// Row by row through a range of ids.
    Range,
    /// Through the index on keys: the hashes asked for, or with none whole tables.
    Keys(Vec<[u8; 8]>),
    /// Row by row through the blocks that have rows of the tables.
    Blocks,
    /// Through the transactions of a session, in the blocks that have some.
    Session(u32),
}

/// A way, and where it leads through.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) path: Path,
    /// The definitions that the tables asked for have had.
    pub(super) tables: Option<Vec<u32>>,
    /// Whose blocks it goes through, where it goes through blocks.
    pub(super) places: Whose,
    /// Row changes that a question by key or column passes over, because nobody knows their columns' names.
    pub(super) nameless: u64,
    /// Ids still to be read, source by source.
    pub(super) left: VecDeque<Segment>,
    /// When the rows were committed.
    pub(super) span: Span,
    /// All of them, oldest first.
    all: Vec<Segment>,
}

pub(super) async fn plan(
    index: &Index,
    statements: &Statements,
    question: &Question,
) -> Result<Plan> {
    let (tables, places) = tables(index, question).await?;
    let mut all = Vec::new();
    let mut span = (question.since, question.until);
    let mut states = states(index, statements).await?;
    states.retain(|state| question.source_id.is_none_or(|id| id == state.source_id));
    // Of the parts of an answer, the first says it for all.
    if question.behind.is_none() && question.ids.is_none() {
        warn(question, &states);
    }
    for State { covered, .. } in states {
        let mut segment = covered.ids;
        if let Some(gtid) = &question.gtid {
            let Some(found) = find::gtid(index, *statements, segment, gtid, MANY).await? else {
                continue;
            };
            segment = found.ids;
            if all.is_empty() && question.since.is_none() && question.until.is_none() {
                span = (
                    Some(found.committed_at),
                    Some(found.committed_at.saturating_add(1)),
                );
            } else {
                // Several sources may have it, at several times.
                span = (question.since, question.until);
            }
        } else if question.since.is_some() || question.until.is_some() {
            segment = find::time(index, *statements, covered, question).await?;
        }
        if let Some(ids) = &question.ids {
            segment.from = segment.from.max(ids.start);
            segment.to = segment.to.min(ids.end);
        }
        segment = segment.behind(question.behind, question.newest_first);
        if !segment.is_empty() {
            all.push(segment);
        }
    }
    if tables.as_ref().is_some_and(Vec::is_empty) {
        all.clear();
    }
    let mut plan = Plan {
        path: Path::Range,
        tables,
        places,
        nameless: nameless(index, statements, question, &all).await?,
        left: VecDeque::new(),
        span,
        all,
    };
    plan.path = plan.way(index, statements, question).await?;
    if matches!(plan.path, Path::Keys(_)) && plan.tables.is_none() {
        plan.tables = Some(all_tables(index).await?);
    }
    if question.gtid.is_none() && plan.leaves_out(question) {
        let ids = plan.looks_at(index, statements).await?;
        if ids > MANY {
            tracing::warn!(
                "no index leads to these rows alone: up to {ids} row changes are looked at; --pk, --gtid, --since or \
                 --until would narrow it"
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

    /// Leaves all other ids out.
    pub(super) fn keep(&mut self, ids: Segment) {
        for segment in &mut self.all {
            segment.from = segment.from.max(ids.from);
            segment.to = segment.to.min(ids.to);
        }
        self.all.retain(|segment| !segment.is_empty());
    }

    /// The way to the rows, once it is known where they are.
    async fn way(
        &self,
        index: &Index,
        statements: &Statements,
        question: &Question,
    ) -> Result<Path> {
        if question.gtid.is_some() || self.all.is_empty() {
            return Ok(Path::Range);
        }
        if !question.keys.is_empty() {
            let hashes = question.keys.iter().map(|key| hash(key));
            return Ok(Path::Keys(hashes.collect()));
        }
        if let Some(connection_id) = question.connection_id {
            return Ok(Path::Session(connection_id));
        }
        let Some(tables) = &self.tables else {
            return Ok(Path::Range);
        };
        let count = statements.count(tables, self.span, SMALL);
        let rows = one(index, count).await?;
        if rows >= SMALL {
            return Ok(Path::Blocks);
        }
        // Few rows are soon put in order; but where they are close to each other, so are the first of them found.
        let mut blocks = 0_u64;
        for segment in &self.all {
            let count = statements.count_places(&self.places, *segment);
            blocks = blocks.saturating_add(one(index, count).await?);
        }
        let first_page = if question.changed_column.is_some() {
            blocks
        } else {
            blocks.min(blocks.saturating_mul(FIRST_PAGE) / rows.max(1))
        };
        let passed_over = first_page.saturating_mul(BLOCK * ROW_COST);
        Ok(if rows <= passed_over {
            Path::Keys(Vec::new())
        } else {
            Path::Blocks
        })
    }

    /// Does it look at rows that the answer leaves out, and that no index tells apart?
    fn leaves_out(&self, question: &Question) -> bool {
        !matches!(self.path, Path::Keys(_))
            && (!question.event_types.is_empty()
                || question.changed_column.is_some()
                || !question.values.is_empty()
                || matches!(self.path, Path::Session(_)) && self.tables.is_some())
    }

    /// Ids that it goes through, at the most.
    async fn looks_at(&self, index: &Index, statements: &Statements) -> Result<u64> {
        let mut ids = 0_u64;
        for segment in &self.all {
            let width = segment.to.saturating_sub(segment.from);
            let in_blocks = if matches!(self.path, Path::Blocks | Path::Session(_)) {
                let count = statements.count_places(&self.places, *segment);
                one(index, count).await?.saturating_mul(BLOCK)
            } else {
                width
            };
            ids = ids.saturating_add(width.min(in_blocks));
        }
        Ok(ids)
    }

    pub(super) fn describe(&self) -> String {
        let way = match &self.path {
            Path::Range => "row changes by their ids".to_owned(),
            Path::Keys(hashes) if hashes.is_empty() => {
                "all rows of the tables, by the index row_changes_key".to_owned()
            }
            Path::Keys(hashes) => format!(
                "{} key{}, by the indexes row_changes_key and key_changes_key",
                hashes.len(),
                if hashes.len() == 1 { "" } else { "s" }
            ),
            Path::Blocks if matches!(self.places.first(), Some((Kind::Column(_), _))) => {
                "row changes by their ids, in the blocks in which the column was changed".to_owned()
            }
            Path::Blocks => {
                "row changes by their ids, in the blocks that have some of the tables".to_owned()
            }
            Path::Session(id) => {
                format!(
                    "transactions of connection {id}, in the blocks that have some, then their rows by id"
                )
            }
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

/// The one number of a SELECT.
async fn one(index: &Index, select: Select) -> Result<u64> {
    let found = index.read_again(select, usize::MAX).await?;
    found.rows.first().map_or(Ok(0), |cells| cells.peek(0))
}

/// What is known of a source's stream.
struct State {
    source_id: u32,
    /// What its checkpoint covers.
    covered: Covered,
    /// When changes were last found to be lost, and which.
    lost: Option<(Micros, String)>,
}

async fn states(index: &Index, statements: &Statements) -> Result<Vec<State>> {
    let select = select(statements.states(), Vec::new());
    let mut states = Vec::new();
    for mut cells in index.read_again(select, usize::MAX).await?.rows {
        let source_id = cells.a_number(0)?;
        states.push(State {
            source_id,
            covered: Covered {
                ids: Segment {
                    from: change_ids_of(source_id).start,
                    to: cells.a_number(1)?,
                },
                back: cells.a_number(2)?,
            },
            lost: cells.number(3)?.zip(cells.text(4)?),
        });
    }
    Ok(states)
}

/// What the sources' checkpoints cover.
pub(super) async fn covered(index: &Index) -> Result<Vec<Covered>> {
    let states = states(index, &Statements::of(index)).await?;
    Ok(states.into_iter().map(|state| state.covered).collect())
}

/// Says why an answer may have less than was meant, where that shows in the question.
fn warn(question: &Question, states: &[State]) {
    if let Some(id) = question.source_id
        && states.is_empty()
    {
        tracing::warn!("the index has no source {id}: `bintrail status` lists those it has");
    }
    if let (Some(since), Some(until)) = (question.since, question.until)
        && since >= until
    {
        tracing::warn!("--since is not before --until: no row change is in such a time");
    }
    for state in states {
        // What was lost was committed before that was found.
        if let Some((found, lost)) = &state.lost
            && question.since.is_none_or(|since| since <= *found)
        {
            tracing::warn!(
                source = state.source_id,
                found = rfc3339(*found),
                "the index lacks row changes that were lost in a gap, and no answer has them: {lost}"
            );
        }
    }
}

/// The ids of the definitions that the tables asked for have had, `None` when all are asked for; and whose blocks the
/// rows asked for are in.
async fn tables(index: &Index, question: &Question) -> Result<(Option<Vec<u32>>, Whose)> {
    let mut places = match question.connection_id {
        Some(id) => vec![(Kind::Session, vec![id])],
        None => Vec::new(),
    };
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
        return Ok((None, places));
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
        let id = cells.a_number(0)?;
        ids.push(id);
        let found = parse_columns(&cells.a_text(1)?)?;
        let kind = match &question.changed_column {
            _ if question.connection_id.is_some() => None,
            Some(name) => found
                .iter()
                .position(|column| column.name.eq_ignore_ascii_case(name))
                .map(Kind::of_column),
            None => Some(Kind::Table),
        };
        if let Some(kind) = kind {
            match places.iter_mut().find(|(of, _)| *of == kind) {
                Some((_, tables)) => tables.push(id),
                None => places.push((kind, vec![id])),
            }
        }
        columns.extend(found);
    }
    if ids.is_empty() {
        tracing::warn!(
            "the index has seen no such table; names are compared as they are written, case included"
        );
        return Ok((Some(ids), places));
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
    Ok((Some(ids), places))
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
        count = count.saturating_add(one(index, counted).await?);
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
pub(super) fn hash(key: &str) -> [u8; 8] {
    let digest = Sha256::digest(key);
    digest.first_chunk::<8>().copied().unwrap_or_default()
}
