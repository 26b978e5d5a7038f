//! Runs the statements on a server, and tells what came of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::along::Item;
use super::conflict::{Conflict, Conflicts, What};
use super::examine::{conflict, differs};
use super::literal::Literals;
use super::plan::{Action, Plan, Work};
use super::statement::Writer;
use super::summary::count_of;
use super::target::Target;
use super::{Asked, Checked, OnConflict, Options, examine, one_line};
use crate::error::Error;
use crate::query::Change;
use crate::source::Error as LinkError;

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// Rows inserted, updated and deleted, by schema and table.
    pub tables: BTreeMap<(String, String), [u64; 3]>,
    /// Rows that were not as they should be, and were left alone or overwritten.
    pub conflicts: Conflicts,
    /// Rows that were left alone.
    pub left_alone: u64,
    /// Transactions committed.
    pub transactions: u64,
}

impl Applied {
    /// As people read it: a line a conflict and a line a table.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = self.conflicts.describe(true);
        for ((schema, table), counts) in &self.tables {
            let kinds: Vec<String> = counts
                .iter()
                .zip(["inserted", "updated", "deleted"])
                .filter(|(count, _)| **count > 0)
                .map(|(count, what)| format!("{} {what}", count_of(*count, "row")))
                .collect();
            if !kinds.is_empty() {
                let name = one_line(&format!("{schema}.{table}"));
                let _ = writeln!(out, "{name}: {}", kinds.join(", "));
            }
        }
        if self.left_alone > 0 {
            let _ = writeln!(
                out,
                "left alone: {}",
                count_of(self.left_alone, "row change")
            );
        }
        let _ = writeln!(
            out,
            "committed: {}",
            count_of(self.transactions, "transaction")
        );
        out
    }
}

/// Statements under way on the target.
struct Run<'t> {
    target: &'t mut Target,
    writer: Writer,
    options: Options,
    applied: Applied,
    /// Row changes in the transaction that is open.
    open: u64,
    /// Row changes committed, and the last of them.
    committed: u64,
    committed_to: u64,
    /// The last one run.
    last: u64,
}

/// What a statement came to.
enum Outcome {
    Done,
    Conflict(What),
}

/// Looks whether every row is as it should be, and then runs the statements, in one transaction or in one for so many
/// row changes as the options say.
///
/// # Errors
///
/// [`Error::Conflicts`] when rows are not as they should be and this is to end it, [`Error::Target`], and the index's.
/// Each says what was committed; what was not has left nothing behind.
pub async fn apply(
    asked: &mut Asked<'_>,
    checked: Checked,
    target: &mut Target,
) -> Result<Applied, Error> {
    let options = checked.options;
    let tables = checked.summary.tables.keys().cloned().collect();
    let without = target.without_transactions(&tables).await?;
    if !without.is_empty() {
        return Err(Error::Refused(format!(
            "the target has tables without transactions, where half of it could be done: {}; leave them out, or \
             write the SQL with --output",
            without.join(", ")
        )));
    }
    let found = examine(asked, &checked, target).await?;
    if found.count > 0 && options.on_conflict == OnConflict::Stop {
        return Err(stopped(&found, "nothing was changed"));
    }
    let mut run = Run {
        target,
        writer: Writer {
            literals: Literals::default(),
            on_conflict: options.on_conflict,
            redo: options.redo,
        },
        options,
        applied: Applied::default(),
        open: 0,
        committed: 0,
        committed_to: 0,
        last: 0,
    };
    if options.on_conflict == OnConflict::Force {
        run.applied.conflicts = found;
    }
    let done = run.all(asked, &checked.plans).await;
    if done.is_err() && run.open > 0 {
        // A server that is gone does so by itself.
        run.target.change("ROLLBACK").await.ok();
    }
    done?;
    Ok(run.applied)
}

fn stopped(conflicts: &Conflicts, done: &str) -> Error {
    let mut rows: Vec<String> = conflicts
        .first
        .iter()
        .take(5)
        .map(ToString::to_string)
        .collect();
    let more = conflicts.count.saturating_sub(rows.len() as u64);
    if more > 0 {
        rows.push(format!(
            "and {more} more, which --dry-run --on-conflict skip lists"
        ));
    }
    rows.extend(conflicts.likely());
    let order = match rows
        .iter()
        .any(|row| row.contains("a foreign key constraint fails"))
    {
        true => {
            "; rows that only come back in another order than their keys ask for need --no-foreign-key-checks"
        }
        false => "",
    };
    let (rows_are, them) = match conflicts.count {
        1 => ("1 row is not as it should be".to_owned(), "it"),
        count => (format!("{count} rows are not as they should be"), "them"),
    };
    Error::Conflicts(format!(
        "{rows_are}, and {done}; leave {them} alone with --on-conflict skip, or overwrite {them} with --on-conflict \
         force{order}: {}",
        rows.join("; ")
    ))
}

impl Run<'_> {
    async fn all(
        &mut self,
        asked: &mut Asked<'_>,
        plans: &HashMap<u32, Plan>,
    ) -> Result<(), Error> {
        asked.rewind(!self.options.redo);
        loop {
            let page = asked.next_page().await?;
            if page.is_empty() {
                break;
            }
            for Item { change, .. } in page.iter().filter(|item| !item.by_server) {
                if self.options.batch.is_some_and(|batch| self.open >= batch) {
                    self.commit().await?;
                }
                let Some(plan) = plans.get(&change.table_id) else {
                    return Err(Error::Internal("a table was not gone through".to_owned()));
                };
                let refused =
                    |refusal: super::literal::Refusal| Error::Refused(refusal.into_owned());
                if let Some(work) = plan.work(change, self.options.redo).map_err(refused)? {
                    if self.open == 0 {
                        self.statement("START TRANSACTION").await?;
                    }
                    self.open = self.open.saturating_add(1);
                    self.one(change, plan, &work).await?;
                    self.last = change.change_id;
                }
            }
        }
        if self.open > 0 {
            self.commit().await?;
        }
        Ok(())
    }

    async fn one(&mut self, change: &Change, plan: &Plan, work: &Work<'_>) -> Result<(), Error> {
        let what = match self.outcome(plan, work).await? {
            Outcome::Done => {
                let table = &change.table;
                let name = (table.schema.clone(), table.table.clone());
                let [inserted, updated, deleted] = self.applied.tables.entry(name).or_default();
                let count = match work.action {
                    Action::Insert => inserted,
                    Action::Update => updated,
                    Action::Delete => deleted,
                };
                *count = count.saturating_add(1);
                return Ok(());
            }
            Outcome::Conflict(what) => what,
        };
        if self.options.on_conflict == OnConflict::Stop {
            let mut conflicts = Conflicts::default();
            conflicts.add(conflict(change, what));
            return Err(stopped(&conflicts, &self.done()));
        }
        self.applied.left_alone = self.applied.left_alone.saturating_add(1);
        let conflicts = &mut self.applied.conflicts;
        // What it is about to overwrite was told before.
        if !conflicts
            .first
            .iter()
            .any(|told: &Conflict| told.change_id == change.change_id)
        {
            conflicts.add(conflict(change, what));
        }
        Ok(())
    }

    async fn outcome(&mut self, plan: &Plan, work: &Work<'_>) -> Result<Outcome, Error> {
        let refused = |refusal: super::literal::Refusal| Error::Refused(refusal.into_owned());
        let mut sql = String::new();
        let force = self.options.on_conflict == OnConflict::Force && plan.has_key;
        if work.action == Action::Insert && force {
            self.writer
                .overwrite(&mut sql, plan, work)
                .map_err(refused)?;
            if let Err(outcome) = self.try_one(&sql).await? {
                return Ok(outcome);
            }
            sql.clear();
            self.writer
                .insert_where_none(&mut sql, plan, work)
                .map_err(refused)?;
            return Ok(match self.try_one(&sql).await? {
                Err(outcome) => outcome,
                Ok(_) => Outcome::Done,
            });
        }
        if work.action == Action::Insert {
            self.writer.insert(&mut sql, plan, work).map_err(refused)?;
        } else {
            self.writer.change(&mut sql, plan, work).map_err(refused)?;
        }
        match self.try_one(&sql).await? {
            Err(outcome) => Ok(outcome),
            Ok(1) => Ok(Outcome::Done),
            // It held all of it already.
            Ok(0) if force && work.action == Action::Update && self.holds(plan, work).await? => {
                Ok(Outcome::Done)
            }
            Ok(0) => differs(plan, work, self.target)
                .await
                .map(Outcome::Conflict),
            Ok(count) => Err(Error::Internal(format!(
                "a statement on one row of {} changed {count}",
                plan.name
            ))),
        }
    }

    /// Is there a row with its key?
    async fn holds(&mut self, plan: &Plan, work: &Work<'_>) -> Result<bool, Error> {
        let mut sql = format!("SELECT 1 FROM {} WHERE ", plan.name);
        plan.condition(&mut sql, &work.found, true)
            .map_err(|refusal| Error::Refused(refusal.into_owned()))?;
        Ok(!self.target.query(&sql).await?.rows.is_empty())
    }

    /// Rows changed, or what kept the server from it.
    async fn try_one(&mut self, sql: &str) -> Result<Result<u64, Outcome>, Error> {
        match self.target.change(sql).await {
            Ok(count) => Ok(Ok(count)),
            Err(LinkError::Server(error)) if IN_THE_WAY.contains(&error.code) => {
                Ok(Err(Outcome::Conflict(What::Other(error.message))))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn statement(&mut self, sql: &str) -> Result<(), Error> {
        match self.target.change(sql).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if let Err(error) = self.target.change("COMMIT").await {
            let lost = !matches!(error, LinkError::Server(_));
            let mut done = self.done();
            if lost {
                let _ = write!(
                    done,
                    "; whether the transaction that was just being committed, {} down to change {}, is in is not known: \
                     --dry-run with --target-dsn shows it",
                    count_of(self.open, "row change"),
                    self.last
                );
            }
            return Err(self.target.error_with(error, done));
        }
        self.applied.transactions = self.applied.transactions.saturating_add(1);
        self.committed = self.committed.saturating_add(self.open);
        self.committed_to = self.last;
        self.open = 0;
        Ok(())
    }

    fn failed(&self, error: LinkError) -> Error {
        self.target.error_with(error, self.done())
    }

    /// What is done for good.
    fn done(&self) -> String {
        if self.committed == 0 {
            return "nothing was changed".to_owned();
        }
        format!(
            "committed so far: {} with {}, down to change {}, and nothing of the rest is done; where tables have keys, \
             --on-conflict skip goes on with it",
            count_of(self.applied.transactions, "transaction"),
            count_of(self.committed, "row change"),
            self.committed_to
        )
    }
}

/// Errors that mean that a row is not as it should be: another has a key that it needs
/// (`ER_DUP_ENTRY`, `ER_DUP_KEY`, `ER_DUP_ENTRY_WITH_KEY_NAME`), or a foreign key forbids it (`ER_ROW_IS_REFERENCED`,
/// `ER_NO_REFERENCED_ROW` and their second versions).
const IN_THE_WAY: [u16; 7] = [1022, 1062, 1586, 1216, 1217, 1451, 1452];
