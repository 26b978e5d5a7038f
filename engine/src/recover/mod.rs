//! SQL that undoes row changes, or does them again.
//!
//! What is found in the index is written as statements for the `mysql` client, newest first. Each finds its row
//! by the key and by every value it should hold, so that a row changed since is left alone and reported.
//! All of it is gone through once before anything is written: what cannot be undone exactly is refused by name, and
//! nothing is guessed.

mod literal;
mod statement;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::Write;

use crate::clock::rfc3339;
use crate::described::plain_type;
use crate::error::Error;
use crate::index::record::{Column, Micros};
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
    plans: HashMap<u32, Plan>,
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
        let plan = self
            .plans
            .entry(change.table_id)
            .or_insert_with(|| Plan::of(&change.table));
        self.writer.write(out, plan, change)
    }
}

/// Goes through the row changes and writes nothing.
///
/// # Errors
///
/// [`Error::Refused`] when not all of them can be written exactly, and the index's.
pub async fn check(answer: &mut Answer<'_>, options: Options) -> Result<Summary, Error> {
    if answer.nameless() > 0 {
        return Err(Error::Refused(format!(
            "{} row changes of a table whose column names are not known are among those asked about, and cannot be found \
             by --pk, --where or --changed-column: what is found would be undone in part; `bintrail query` with --table \
             and --since shows them",
            answer.nameless()
        )));
    }
    let mut summary = Summary::default();
    let mut sql = Sql::new(options);
    let mut text = String::new();
    let mut outdated: HashMap<u32, Option<Refusal>> = HashMap::new();
    answer.rewind(!options.redo);
    loop {
        let page = answer.next_page().await?;
        if page.is_empty() {
            break;
        }
        for change in &page {
            text.clear();
            summary.add(change, options.redo);
            let misfit = match outdated.entry(change.table_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let later = answer.later_columns(change).await?;
                    new.insert(misfit(&change.table.columns, &later))
                }
            };
            if let Some(refusal) = misfit {
                summary.refuse(change, refusal);
            } else if let Err(refusal) = sql.write(&mut text, change) {
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

/// Why values of `columns` may not be what they were under a later definition of the table. Columns may have come and
/// may have moved.
fn misfit(columns: &[Column], later: &[Vec<Column>]) -> Option<Refusal> {
    for now in later {
        for column in columns
            .iter()
            .filter(|column| column.generated != Some(true))
        {
            let Some(found) = now.iter().find(|now| now.name == column.name) else {
                return Some(
                    format!("it had a column {} that is no longer there", column.name).into(),
                );
            };
            if type_of(found) != type_of(column) || found.generated == Some(true) {
                let text = format!(
                    "its column {} was {} and is {} by now",
                    column.name, column.column_type, found.column_type
                );
                return Some(text.into());
            }
        }
    }
    None
}

/// A type, whichever way it is known: row metadata tells no display widths, and members apart from the type.
fn type_of(column: &Column) -> (String, Option<&str>, Option<&[String]>) {
    let name = plain_type(&column.column_type);
    let base = name.split(['(', ' ']).next().unwrap_or_default();
    let name = match base {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => {
            format!("{base} {}", name.contains("unsigned"))
        }
        "enum" | "set" | "year" => base.to_owned(),
        _ => name.to_owned(),
    };
    let charset = column
        .charset
        .as_deref()
        .map(|name| if name == "utf8" { "utf8mb3" } else { name });
    (name, charset, column.members.as_deref())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: &str) -> Column {
        Column {
            name: name.into(),
            column_type: column_type.into(),
            charset: None,
            nullable: true,
            pk: None,
            members: None,
            generated: Some(false),
            invisible: false,
        }
    }

    #[test]
    fn a_later_definition_fits_when_every_value_stays_what_it_was() {
        let was = [column("id", "int(11)"), column("a", "datetime(6)")];
        let fits = |now: &[Column]| misfit(&was, &[now.to_vec()]).map(Refusal::into_owned);
        assert_eq!(fits(&was), None);
        let moved = [
            column("b", "json"),
            column("a", "datetime(6)"),
            column("id", "int"),
        ];
        assert_eq!(fits(&moved), None);
        assert!(
            fits(&[column("id", "int")])
                .unwrap()
                .contains("column a that is no longer")
        );
        for other in ["datetime", "varchar(26)", "datetime(3)"] {
            let why = fits(&[column("id", "int"), column("a", other)]).unwrap();
            assert!(
                why.contains(&format!("was datetime(6) and is {other}")),
                "{why}"
            );
        }
        assert!(fits(&[column("id", "int unsigned"), was[1].clone()]).is_some());
        let mut computed = was.clone();
        computed[1].generated = Some(true);
        assert!(fits(&computed).is_some());
    }
}
