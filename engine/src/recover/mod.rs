//! SQL that undoes row changes, or does them again.
//!
//! What is found in the index is written as statements for the `mysql` client, newest first. Each finds its row
//! by the key and by every value it should hold, so that a row changed since is left alone and reported.
//! All of it is gone through once before anything is written: what cannot be undone exactly is refused by name, and
//! nothing is guessed.

mod literal;
mod statement;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use crate::clock::rfc3339;
use crate::error::Error;
use crate::index::record::{Micros, TableVersion};
use crate::query::{Answer, Change};
use literal::{Literals, Refusal};
use statement::{Plan, Writer, kind};

/// What to do about a row that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// End with an error, and nothing done.
    Stop,
    /// Leave it alone and say so.
    Skip,
    /// Find it by its key alone, and overwrite it.
    Force,
}

/// How the SQL is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Do the changes again, in place of undoing them.
    pub redo: bool,
    /// What to do about conflicts.
    pub on_conflict: OnConflict,
    /// Row changes a transaction; all in one without.
    pub batch: Option<u64>,
    /// Let the server check foreign keys?
    pub foreign_key_checks: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Summary {
    /// Rows to be inserted, updated and deleted, by schema and table.
    pub tables: BTreeMap<(String, String), [u64; 3]>,
    /// Ids and commit times of the first and the last row change.
    pub span: Option<[(u64, Micros); 2]>,
    /// Tables whose generated columns are not known.
    pub maybe_generated: BTreeSet<(String, String)>,
    sources: BTreeSet<u32>,
    refusals: BTreeMap<String, (u64, u64)>,
}

/// Refusals named in the error.
const NAMED: usize = 5;

impl Summary {
    /// Row changes in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.tables.values().flatten().sum()
    }

    fn add(&mut self, change: &Change, redo: bool) {
        let table = &change.table;
        let name = (table.schema.clone(), table.table.clone());
        if table
            .columns
            .iter()
            .any(|column| column.generated.is_none())
        {
            self.maybe_generated.insert(name.clone());
        }
        let kinds = self.tables.entry(name).or_default();
        if let Some(count) = kinds.get_mut(kind(change.event_type, redo)) {
            *count = count.saturating_add(1);
        }
        self.sources.insert(change.transaction.source_id);
        let this = (change.change_id, change.transaction.committed_at);
        let [first, last] = self.span.unwrap_or([this, this]);
        self.span = Some([first.min(this), last.max(this)]);
    }

    fn refuse(&mut self, change: &Change, why: &Refusal) {
        let table = &change.table;
        let text = format!("{}.{}: {why}", table.schema, table.table);
        let (count, _) = self.refusals.entry(text).or_insert((0, change.change_id));
        *count = count.saturating_add(1);
    }

    /// The error when not all of it can be done exactly.
    fn check(&self) -> Result<(), Error> {
        if !self.refusals.is_empty() {
            let count: u64 = self.refusals.values().map(|(count, _)| count).sum();
            let mut reasons: Vec<String> = self
                .refusals
                .iter()
                .take(NAMED)
                .map(|(why, (count, first))| format!("{why} (change {first}, {count} in all)"))
                .collect();
            if self.refusals.len() > NAMED {
                reasons.push(format!("and {} more reasons", self.refusals.len() - NAMED));
            }
            return Err(Error::Refused(format!(
                "{count} row changes cannot be written exactly; leave them out with --table, --pk or --changed-column: {}",
                reasons.join("; ")
            )));
        }
        if self.sources.len() > 1 {
            let sources: Vec<String> = self.sources.iter().map(ToString::to_string).collect();
            return Err(Error::Refused(format!(
                "the row changes are of sources {}: name one with --source-id",
                sources.join(" and ")
            )));
        }
        Ok(())
    }

    /// As people read it: a line a table, and what to know.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        for ((schema, table), kinds) in &self.tables {
            let rows: Vec<String> = kinds
                .iter()
                .zip(["insert", "update", "delete"])
                .filter(|(count, _)| **count > 0)
                .map(|(count, what)| format!("{what} {count}"))
                .collect();
            let _ = writeln!(
                out,
                "{}: {}",
                one_line(&format!("{schema}.{table}")),
                rows.join(", ")
            );
        }
        if let Some([first, last]) = self.span {
            for (which, (id, at)) in [("first", first), ("last", last)] {
                let _ = writeln!(out, "{which} change: {id}, committed {}", rfc3339(at));
            }
        }
        for (schema, table) in &self.maybe_generated {
            let name = one_line(&format!("{schema}.{table}"));
            let _ = writeln!(
                out,
                "{name}: the index does not tell which columns are generated; if one is, the server refuses the statements"
            );
        }
        out
    }
}

/// SQL under way.
#[derive(Debug)]
struct Sql {
    writer: Writer,
    plans: HashMap<usize, (Arc<TableVersion>, Plan)>,
}

impl Sql {
    fn new(options: Options) -> Self {
        Self {
            writer: Writer {
                literals: Literals::default(),
                on_conflict: options.on_conflict,
                redo: options.redo,
            },
            plans: HashMap::new(),
        }
    }

    fn write(&mut self, out: &mut String, change: &Change) -> Result<(), Refusal> {
        // The definition is held, so that its address stays its own.
        let (_, plan) = self
            .plans
            .entry(Arc::as_ptr(&change.table) as usize)
            .or_insert_with(|| (Arc::clone(&change.table), Plan::of(&change.table)));
        self.writer.write(out, plan, change)
    }
}

/// Goes through the row changes and writes nothing.
///
/// # Errors
///
/// [`Error::Refused`] when not all of them can be written exactly, and the index's.
pub async fn check(answer: &mut Answer<'_>, options: Options) -> Result<Summary, Error> {
    let mut summary = Summary::default();
    let mut sql = Sql::new(options);
    let mut text = String::new();
    answer.rewind(!options.redo);
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        for change in &page {
            text.clear();
            summary.add(change, options.redo);
            if let Err(refusal) = sql.write(&mut text, change) {
                summary.refuse(change, &refusal);
            }
        }
    }
    summary.check()?;
    Ok(summary)
}

/// Writes the SQL of row changes that [`check`] has gone through.
///
/// # Errors
///
/// The index's and the output's.
pub async fn write(
    answer: &mut Answer<'_>,
    options: Options,
    summary: &Summary,
    out: &mut impl Write,
) -> Result<(), Error> {
    let mut sql = Sql::new(options);
    let mut text = header(options, summary);
    let mut count = 0_u64;
    answer.rewind(!options.redo);
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        for change in &page {
            if let Some(batch) = options.batch
                && count > 0
                && count.is_multiple_of(batch)
            {
                text.push_str("COMMIT;\nSTART TRANSACTION;\n");
            }
            count = count.saturating_add(1);
            sql.write(&mut text, change)
                .map_err(|refusal| Error::Refused(refusal.into_owned()))?;
            out.write_all(text.as_bytes()).map_err(Error::Output)?;
            text.clear();
        }
    }
    text.push_str("COMMIT;\n");
    out.write_all(text.as_bytes()).map_err(Error::Output)?;
    out.flush().map_err(Error::Output)
}

/// Strict, so that nothing is stored but what is written; and every value that a column may hold may be written.
const SQL_MODE: &str =
    "STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION";

fn header(options: Options, summary: &Summary) -> String {
    let what = if options.redo { "does again" } else { "undoes" };
    let mut out = format!(
        "-- bintrail {} recover: {what} {} row changes.\n",
        env!("CARGO_PKG_VERSION"),
        summary.count()
    );
    for line in summary.describe().lines() {
        let _ = writeln!(out, "--   {line}");
    }
    out.push_str(match options.on_conflict {
        OnConflict::Stop => {
            "-- A row that is not as it should be ends it with an error, and nothing is done: do not run it with --force.\n"
        }
        OnConflict::Skip => "-- A row that is not as it should be is left alone; each is printed.\n",
        OnConflict::Force => "-- Rows are found by their keys alone, and overwritten.\n",
    });
    let _ = writeln!(
        out,
        "SET NAMES utf8mb4;\nSET time_zone = '+00:00';\nSET sql_mode = '{SQL_MODE}';\n\
         SET foreign_key_checks = {};\nSTART TRANSACTION;",
        u8::from(options.foreign_key_checks)
    );
    out
}

/// Fit for a comment.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
