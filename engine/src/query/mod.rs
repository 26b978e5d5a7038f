//! Questions to the change index, and their answers page by page.
//!
//! An answer shows what the view `binlog_events` shows: whole transactions below the checkpoint that
//! the source had when the question was put, and no XA transaction before it is committed. It is read
//! in pages by `change_id`, each a statement of its own, so that no transaction stays open on the index
//! and memory does not depend on how long the answer is.

mod candidates;
mod definitions;
mod find;
mod image;
mod key;
pub mod moment;
mod plan;
mod question;
mod schema;
mod segment;
pub mod show;
mod statements;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub(crate) use definitions::Definition;
pub use image::{Image, changed_columns, text_of};
pub use question::Question;
pub use schema::{SchemaChanges, SeenSchemaChange};
pub(crate) use segment::Segment;

use crate::index::convert::damaged;
use crate::index::places::BLOCK_BITS;
use crate::index::read::{Cells, Rows, Select};
use crate::index::record::{EventType, Micros, TableVersion};
use crate::index::{ErrorKind, Index, IndexError, Result};
use candidates::Candidate;
use plan::{Path, Plan};
use statements::Statements;

/// A row change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its number.
    pub change_id: u64,
    /// What was done.
    pub event_type: EventType,
    /// The transaction that did it.
    pub transaction: Arc<Facts>,
    /// The id of the table's definition at that time.
    pub table_id: u32,
    /// The table's definition at that time.
    pub table: Arc<TableVersion>,
    /// The key's values.
    pub pk_values: Option<String>,
    /// The row before, JSON.
    pub before: Option<String>,
    /// The row after, JSON.
    pub after: Option<String>,
    /// The key that an update gave the row, where that is another.
    pub new_key: Option<String>,
}

/// What is known of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The id of its first row change.
    pub transaction_id: u64,
    /// The source it was committed on.
    pub source_id: u32,
    /// Its GTID.
    pub gtid: Option<String>,
    /// The binlog file it stands in.
    pub binlog_file: String,
    /// Where it starts there.
    pub start_position: u64,
    /// Where it ends there.
    pub end_position: u64,
    /// When it was committed.
    pub committed_at: Micros,
    /// The session that made it.
    pub connection_id: Option<u32>,
    /// When an XA transaction that was prepared first was decided.
    pub decided_at: Option<Micros>,
    /// Is it an XA transaction that is not committed?
    undecided: bool,
}

/// Row changes and bytes of the first page and of later ones: the first is to be there at once.
const FIRST_PAGE: u64 = 100;
const PAGE: u64 = 1_000;
const PAGE_BYTES: usize = 8 << 20;

/// Row changes read at once where none of those before fitted.
const MOST_ROWS: u64 = 4_000;

/// Keys found at once.
const CANDIDATES: u64 = 10_000;
const FIRST_CANDIDATES: u64 = 1_000;

/// Blocks found at once, and how many of them one read of transactions goes through.
const PLACES: u64 = 64;
const SESSION_RUN: u64 = 4;

/// Ids looked at by one statement, so that none runs for long.
const WINDOW: u64 = 1_000_000;

/// The rest of an answer.
#[derive(Debug)]
pub struct Answer<'a> {
    index: &'a Index,
    question: Question,
    plan: Plan,
    statements: Statements,
    tables: HashMap<u32, Arc<TableVersion>>,
    /// The transaction of the last row, as it was first seen.
    last: Option<Arc<Facts>>,
    /// What is to be read of the segments under way.
    candidates: VecDeque<Candidate>,
    blocks: VecDeque<Segment>,
    found: VecDeque<Segment>,
    /// Images that were read and not looked at yet.
    images: Option<Vec<Cells>>,
    given: u64,
    page: u64,
}

impl Index {
    /// Puts a question.
    ///
    /// # Errors
    ///
    /// When the index cannot be read, and [`ErrorKind::NoSuchColumn`] for a column that none of the
    /// tables asked about has had.
    pub async fn ask(&self, question: Question) -> Result<Answer<'_>> {
        self.ask_within(question, None).await
    }

    /// Puts a question about changes of these ids.
    async fn ask_within(&self, question: Question, ids: Option<Segment>) -> Result<Answer<'_>> {
        let statements = Statements::of(self);
        let mut plan = plan::plan(self, &statements, &question).await?;
        if let Some(ids) = ids {
            plan.keep(ids);
            plan.rewind(question.newest_first);
        }
        Ok(Answer {
            index: self,
            question,
            plan,
            statements,
            tables: HashMap::new(),
            last: None,
            candidates: VecDeque::new(),
            blocks: VecDeque::new(),
            found: VecDeque::new(),
            images: None,
            given: 0,
            page: FIRST_PAGE,
        })
    }

    /// A read that a lost connection does not end: it changes nothing, so it may be done again.
    async fn read_again(&self, select: Select, room: usize) -> Result<Rows> {
        match self.read(select.clone(), room).await {
            Err(error) if error.kind() == ErrorKind::Lost => self.read(select, room).await,
            result => result,
        }
    }
}

impl Answer<'_> {
    /// Row changes that a question by key or column passes over, because nobody knows their columns' names.
    #[must_use]
    pub const fn nameless(&self) -> u64 {
        self.plan.nameless
    }

    /// Begins again from the start. What was committed since the question was put stays out of it.
    pub fn rewind(&mut self, newest_first: bool) {
        self.question.newest_first = newest_first;
        self.plan.rewind(newest_first);
        self.last = None;
        self.candidates.clear();
        self.blocks.clear();
        self.found.clear();
        self.images = None;
        self.given = 0;
        self.page = FIRST_PAGE;
    }

    /// The next row changes; none at the end.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn next_page(&mut self) -> Result<Vec<Change>> {
        let limit = self.question.limit.unwrap_or(u64::MAX);
        while self.given < limit {
            let Some(rows) = self.next_rows().await? else {
                break;
            };
            let mut page = Vec::with_capacity(rows.len());
            for row in rows {
                let change = self.change(row).await?;
                if self.given < limit && self.fits(&change)? {
                    self.given = self.given.saturating_add(1);
                    page.push(change);
                }
            }
            if !page.is_empty() {
                self.page = PAGE;
                return Ok(page);
            }
            // What fits is far apart.
            self.page = self.page.saturating_mul(4).min(MOST_ROWS);
        }
        Ok(Vec::new())
    }

    /// The row changes of these ids, whatever is asked for.
    pub(crate) async fn of_ids(&mut self, ids: &[u64]) -> Result<Vec<Change>> {
        let select = self.statements.of_ids(ids);
        let mut changes = Vec::with_capacity(ids.len());
        for row in self.index.read_again(select, usize::MAX).await?.rows {
            changes.push(self.change(row).await?);
        }
        Ok(changes)
    }

    /// The next rows that may fit; `None` at the end.
    async fn next_rows(&mut self) -> Result<Option<Vec<Cells>>> {
        let newest_first = self.question.newest_first;
        loop {
            if !self.candidates.is_empty() {
                return self.next_candidates().await.map(Some);
            }
            if let Some(images) = self.images.take() {
                self.sift(images).await?;
                continue;
            }
            if let Some(mut segment) = self.found.pop_front() {
                let sifts = self.is_far() && self.question.may_sift();
                let rows = self.range(&mut segment, sifts).await?;
                if !segment.is_empty() {
                    self.found.push_front(segment);
                }
                if sifts {
                    self.images = Some(rows);
                    continue;
                }
                return Ok(Some(rows));
            }
            if let Some(run) = self.blocks.pop_front() {
                self.next_in_blocks(run).await?;
                continue;
            }
            let Some(mut segment) = self.plan.left.pop_front() else {
                return Ok(None);
            };
            match &self.plan.path {
                Path::Range => self.found.push_back(segment),
                Path::Keys(hashes) => {
                    let most = if self.page == FIRST_PAGE {
                        FIRST_CANDIDATES
                    } else {
                        CANDIDATES
                    };
                    let select =
                        self.statements
                            .candidates(&self.plan, hashes, segment, newest_first, most);
                    let found = self.index.read_again(select, usize::MAX).await?;
                    self.candidates = self.statements.read_candidates(found)?;
                    let full = self.candidates.len() as u64 >= most;
                    if let Some(last) = self.candidates.back()
                        && full
                    {
                        let all = segment;
                        segment.give_back(all, last.change_id, newest_first);
                        self.plan.left.push_front(segment);
                    }
                }
                Path::Blocks | Path::Session(_) => self.next_blocks(segment).await?,
            }
        }
    }

    /// Finds the next blocks of a segment.
    async fn next_blocks(&mut self, mut segment: Segment) -> Result<()> {
        let newest_first = self.question.newest_first;
        let select = self
            .statements
            .places(&self.plan.places, segment, newest_first);
        let found = self.index.read_again(select, usize::MAX).await?;
        let full = found.rows.len() as u64 >= PLACES;
        for cells in found.rows {
            let block = cells.peek(0)?;
            let run = Segment {
                from: (block << BLOCK_BITS).max(segment.from),
                to: (block.saturating_add(1) << BLOCK_BITS).min(segment.to),
            };
            // Those that are next to each other are read in one go.
            match self.blocks.back_mut() {
                Some(last) if last.takes(run, &self.plan.path) => {
                    last.from = last.from.min(run.from);
                    last.to = last.to.max(run.to);
                }
                _ => self.blocks.push_back(run),
            }
        }
        if let Some(last) = self.blocks.back()
            && full
        {
            if newest_first {
                segment.to = last.from;
            } else {
                segment.from = last.to;
            }
            if !segment.is_empty() {
                self.plan.left.push_front(segment);
            }
        }
        Ok(())
    }

    /// Finds what is to be read of a run of blocks.
    async fn next_in_blocks(&mut self, mut run: Segment) -> Result<()> {
        let Path::Session(connection_id) = self.plan.path else {
            self.found.push_back(run);
            return Ok(());
        };
        let newest_first = self.question.newest_first;
        let select = self
            .statements
            .of_session(connection_id, run, newest_first, self.page);
        let found = self.index.read_again(select, usize::MAX).await?;
        let full = found.rows.len() as u64 >= self.page;
        for mut cells in found.rows {
            let from: u64 = cells.a_number(0)?;
            let count: u64 = cells.a_number(1)?;
            self.found.push_back(Segment {
                from,
                to: from.saturating_add(count),
            });
        }
        if let Some(last) = self.found.back()
            && full
        {
            let all = run;
            run.give_back(all, last.from, newest_first);
            if !run.is_empty() {
                self.blocks.push_front(run);
            }
        }
        Ok(())
    }

    /// Was what fits far apart of late?
    const fn is_far(&self) -> bool {
        self.page > PAGE
    }

    /// The rows of a window of `segment`, which keeps the rest; or their images alone.
    async fn range(&self, segment: &mut Segment, images: bool) -> Result<Vec<Cells>> {
        let newest_first = self.question.newest_first;
        let window = segment.window(newest_first);
        let (plan, question) = (&self.plan, &self.question);
        let select = if images {
            self.statements.images(plan, window, question, self.page)
        } else {
            self.statements.range(plan, window, question, self.page)
        };
        let read = self.index.read_again(select, PAGE_BYTES).await?;
        let full = read.rows.len() as u64 >= self.page;
        if let Some(last) = read.rows.last()
            && (full || read.cut)
        {
            segment.give_back(window, last.peek(0)?, newest_first);
        }
        Ok(read.rows)
    }

    async fn change(&mut self, mut cells: Cells) -> Result<Change> {
        let change_id: u64 = cells.a_number(0)?;
        let table_id: u32 = cells.a_number(1)?;
        let transaction_id: u64 = cells.a_number(2)?;
        let event_type = match cells.a_number::<u8>(3)? {
            1 => EventType::Insert,
            2 => EventType::Update,
            3 => EventType::Delete,
            other => return Err(damaged(other)),
        };
        let transaction = match &self.last {
            // An XA transaction that is committed meanwhile is not shown in part.
            Some(facts) if facts.transaction_id == transaction_id => Arc::clone(facts),
            _ => {
                let facts = Arc::new(Facts {
                    transaction_id,
                    source_id: statements::source_of(change_id),
                    gtid: cells.text(7)?,
                    binlog_file: cells.a_text(8)?,
                    start_position: cells.a_number(9)?,
                    end_position: cells.a_number(10)?,
                    committed_at: cells.a_number(11)?,
                    connection_id: cells.number(12)?,
                    decided_at: cells.number(15)?,
                    undecided: cells.text(13)?.is_some_and(|state| state != "committed"),
                });
                self.last = Some(Arc::clone(&facts));
                facts
            }
        };
        Ok(Change {
            change_id,
            event_type,
            transaction,
            table_id,
            table: self.table(table_id).await?,
            pk_values: cells.text(4)?,
            before: cells.text(5)?,
            after: cells.text(6)?,
            new_key: cells.text(14)?,
        })
    }

    async fn table(&mut self, table_id: u32) -> Result<Arc<TableVersion>> {
        if let Some(table) = self.tables.get(&table_id) {
            return Ok(Arc::clone(table));
        }
        let select = statements::table(table_id);
        let found = self.index.read_again(select, usize::MAX).await?;
        let cells = found.rows.into_iter().next();
        let mut cells = cells.ok_or_else(|| damaged(format!("no table {table_id}")))?;
        let table = Arc::new(TableVersion {
            schema: cells.a_text(0)?,
            table: cells.a_text(1)?,
            columns: crate::index::convert::parse_columns(&cells.a_text(2)?)?,
            known_by: crate::index::convert::parse_known_by(&cells.a_text(3)?)?,
            valid_from: (cells.a_text(4)?, cells.a_number(5)?),
        });
        self.tables.insert(table_id, Arc::clone(&table));
        Ok(table)
    }

    /// Does it fit the question? The statements leave out only what is cheap to leave out there.
    fn fits(&self, change: &Change) -> Result<bool> {
        let question = &self.question;
        let facts = &change.transaction;
        let given = |wanted: &Option<String>, has: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == has)
        };
        let fits = !facts.undecided
            && given(&question.schema, &change.table.schema)
            && given(&question.table, &change.table.table)
            && (question.gtid.is_none() || question.gtid == facts.gtid)
            && question
                .since
                .is_none_or(|since| facts.committed_at >= since)
            && question
                .until
                .is_none_or(|until| facts.committed_at < until)
            && (question.connection_id.is_none() || question.connection_id == facts.connection_id)
            && (question.event_types.is_empty()
                || question.event_types.contains(&change.event_type))
            && (question.keys.is_empty()
                || [&change.pk_values, &change.new_key]
                    .into_iter()
                    .flatten()
                    .any(|key| question.keys.contains(key)));
        if !fits || !question.is_about_images() {
            return Ok(fits);
        }
        question.fits_images(change.before.as_deref(), change.after.as_deref())
    }

    /// How the question is answered: the way, and the index's own plan of its main statement.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub async fn explain(&self) -> Result<String> {
        let mut out = self.plan.describe();
        let segment = self.plan.left.front().copied();
        let Some(segment) = segment else {
            out.push_str("nothing to read\n");
            return Ok(out);
        };
        let newest_first = self.question.newest_first;
        let mut selects = Vec::new();
        match &self.plan.path {
            Path::Range => {}
            Path::Keys(hashes) => {
                selects.push(self.statements.candidates(
                    &self.plan,
                    hashes,
                    segment,
                    newest_first,
                    FIRST_CANDIDATES,
                ));
                let candidate = Candidate::example(segment.from);
                selects.push(self.statements.rows_of(&[candidate], newest_first));
            }
            Path::Blocks => {
                selects.push(
                    self.statements
                        .places(&self.plan.places, segment, newest_first),
                );
            }
            Path::Session(id) => {
                selects.push(
                    self.statements
                        .places(&self.plan.places, segment, newest_first),
                );
                selects.push(
                    self.statements
                        .of_session(*id, segment, newest_first, FIRST_PAGE),
                );
            }
        }
        if !matches!(self.plan.path, Path::Keys(_)) {
            let (plan, question) = (&self.plan, &self.question);
            selects.push(self.statements.range(plan, segment, question, FIRST_PAGE));
            if self.question.may_sift() {
                selects.push(self.statements.images(plan, segment, question, MOST_ROWS));
            }
        }
        for select in selects {
            let explained = self.statements.explain(select);
            out.push('\n');
            out.push_str(&explained.sql);
            out.push_str("\n\n");
            for cells in self.index.read_again(explained, usize::MAX).await?.rows {
                out.push_str(&self.statements.read_explained(cells)?);
                out.push('\n');
            }
        }
        Ok(out)
    }
}

/// A column that no table asked about has had.
fn no_such_column(name: &str) -> IndexError {
    IndexError::new(
        ErrorKind::NoSuchColumn,
        format!(
            "no table asked about has had a column {name}: see its name in `bintrail query --format json`"
        ),
    )
}
