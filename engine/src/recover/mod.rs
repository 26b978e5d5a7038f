//! SQL that undoes row changes, or does them again, to be looked at or to be run.
//!
//! What is found in the index becomes statements, newest first. Each finds its row by the key and by every value
//! it should hold, so that a row changed since is left alone and reported.
//! All of it is gone through once before anything is written: what cannot be undone exactly is refused by name, and
//! nothing is guessed.

mod along;
mod apply;
mod asked;
mod beside;
mod bytes;
mod condition;
mod conflict;
mod document;
mod emptied;
mod examine;
mod fit;
mod foreign;
mod guard;
mod kind;
mod literal;
mod losses;
mod plan;
mod statement;
mod summary;
mod target;
mod twofold;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io::Write;

pub use apply::{Applied, apply};
pub use asked::{Asked, ask};
pub use conflict::{Conflict, Conflicts};
pub use summary::{Counts, Summary};
pub use target::Target;

use crate::error::Error;
use crate::index::Index;
use crate::index::record::{Column, EventType};
use crate::query::{Answer, Change};
use crate::schema::{State, Way, same_columns};
use along::Item;
use beside::Beside;
use examine::Scene;
use fit::Fit;
use foreign::ForeignKey;
use literal::{Literals, Refusal};
use plan::{Action, Plan};
use statement::Writer;
use summary::count_of;

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

/// Row changes that were gone through: each can be written.
#[derive(Debug)]
pub struct Checked {
    /// What they are.
    pub summary: Summary,
    options: Options,
    /// Are the foreign keys of the target known?
    foreign_keys: bool,
    plans: HashMap<u32, Plan>,
}

/// Statements under way.
#[derive(Debug)]
struct Sql {
    writer: Writer,
    plans: HashMap<u32, Plan>,
}

impl Sql {
    fn new(options: Options, plans: HashMap<u32, Plan>) -> Self {
        Self {
            writer: Writer {
                literals: Literals::default(),
                on_conflict: options.on_conflict,
                redo: options.redo,
            },
            plans,
        }
    }

    fn write(&mut self, out: &mut String, change: &Change) -> Result<Option<Action>, Refusal> {
        let plan = self
            .plans
            .get(&change.table_id)
            .ok_or(Refusal::from("its table was not gone through"))?;
        self.writer.write(out, plan, change)
    }
}

/// Goes through the row changes and writes nothing. Where a target is given, the statements are for its tables as
/// they are, else for the newest definition that the index has.
///
/// # Errors
///
/// [`Error::Refused`] when not all of them can be written exactly, and the index's and the target's.
pub async fn check(
    asked: &mut Asked<'_>,
    options: Options,
    mut target: Option<&mut Target>,
) -> Result<Checked, Error> {
    let nameless = asked.answer.nameless();
    if nameless > 0 {
        return Err(Error::Refused(format!(
            "{} of a table whose column names are not known may be meant as well, and cannot be found by --pk, --where or \
             --changed-column: what is found would be undone in part; `bintrail query` with --table and --since shows more",
            count_of(nameless, "row change")
        )));
    }
    let foreign_keys = target.is_some();
    let mut check = Check {
        longest: target
            .as_deref()
            .map_or(usize::MAX, |target| target.longest),
        summary: Summary::default(),
        sql: Sql::new(options, HashMap::new()),
        text: String::new(),
    };
    // Rows of a table that was emptied are none of their transactions'.
    let of_rows = asked.is_of_rows();
    let mut beside = Beside::default();
    asked.rewind(!options.redo);
    loop {
        let page = asked.next_page().await?;
        if page.is_empty() {
            break;
        }
        for item in &page {
            if of_rows {
                beside.note(&item.change);
            }
            check
                .pass(&asked.answer, item, target.as_deref_mut())
                .await?;
        }
    }
    check.summary.check()?;
    beside.tell(&mut asked.answer, options.redo).await?;
    check.summary.emptied = asked.describe();
    check.summary.find_gaps(asked.index).await?;
    if let Some(source_id) = leading_on(asked.index, &check.summary, options).await? {
        if let Some(target) = target {
            follow(asked, source_id, target, &mut check, options).await?;
            check.summary.check()?;
        } else {
            tracing::warn!("{NOT_FOLLOWED}");
            check.summary.followers.insert(NOT_FOLLOWED.to_owned());
        }
    }
    let plans = check.sql.plans;
    let followers = &mut check.summary.followers;
    followers.extend(guard::line(&guard::tables(options, foreign_keys, &plans)));
    Ok(Checked {
        summary: check.summary,
        options,
        foreign_keys,
        plans,
    })
}

/// Row changes as they are gone through.
struct Check {
    summary: Summary,
    sql: Sql,
    text: String,
    /// The longest statement that the target takes.
    longest: usize,
}

impl Check {
    async fn pass(
        &mut self,
        answer: &Answer<'_>,
        item: &Item,
        target: Option<&mut Target>,
    ) -> Result<(), Error> {
        let change = &item.change;
        self.text.clear();
        if let Entry::Vacant(place) = self.sql.plans.entry(change.table_id) {
            let mut target = target;
            let fit = fit(answer, change, target.as_deref_mut()).await?;
            let plan = place.insert(Plan::of(&change.table, &fit));
            // What is done again, the rules of foreign keys do again.
            if let Some(target) = target.filter(|_| !self.sql.writer.redo) {
                plan.referred = target.foreign_keys(&fit.schema, &fit.table).await?;
            }
        }
        let written = self.sql.write(&mut self.text, change);
        if let (Ok(Some(Action::Delete)), Some(plan)) =
            (&written, self.sql.plans.get_mut(&change.table_id))
        {
            plan.deletes = true;
        }
        let span = self.summary.span;
        match written {
            // A packet has some bytes of its own.
            Ok(_) if self.text.len().saturating_add(1024) > self.longest => self.summary.refuse(
                change,
                &format!(
                    "its statement of {} bytes is longer than the target's max_allowed_packet of {}",
                    self.text.len(),
                    self.longest
                )
                .into(),
            ),
            Ok(action) if !item.by_server => self.summary.add(change, action),
            Ok(_) => {}
            Err(refusal) => self.summary.refuse(change, &refusal),
        }
        if item.along {
            // Its own change is none of those that are asked about.
            self.summary.span = span;
        }
        Ok(())
    }
}

const NOT_FOLLOWED: &str = "foreign keys were not looked up: rows that the source deleted or changed along with these, below its \
                            binlog, are not among them; to have them found, give --target-dsn mysql://USER@HOST/";

/// The source, when it may have changed other rows along with these by the rules of foreign keys, without logging them.
async fn leading_on(
    index: &Index,
    summary: &Summary,
    options: Options,
) -> Result<Option<u32>, Error> {
    let Some(source_id) = summary.sources.first().copied() else {
        return Ok(None);
    };
    // What is done again, the server does again.
    let none = options.redo || summary.leading().next().is_none();
    Ok((!none && !index.logs_cascades(source_id).await?).then_some(source_id))
}

/// Finds the rows that went along with others so.
async fn follow(
    asked: &mut Asked<'_>,
    source_id: u32,
    target: &mut Target,
    check: &mut Check,
    options: Options,
) -> Result<(), Error> {
    let changed = check.summary.leading().cloned().collect();
    let keys = target.leading_from(changed).await?;
    if keys.is_empty() {
        return Ok(());
    }
    let mut ids = HashSet::new();
    asked.rewind(false);
    loop {
        let page = asked.next_page().await?;
        if page.is_empty() {
            break;
        }
        for Item { change, .. } in page {
            let table = (&change.table.schema, &change.table.table);
            let parent = |key: &ForeignKey| (&key.parent.0, &key.parent.1) == table;
            if change.event_type != EventType::Insert && keys.iter().any(parent) {
                ids.insert(change.change_id);
            }
        }
    }
    let checks = options.foreign_key_checks;
    asked.along = along::find(asked.index, source_id, &keys, ids, checks).await?;
    check.summary.followers.clone_from(&asked.along.notes);
    if asked.along.is_empty() {
        return Ok(());
    }
    // They are gone through as the others were.
    asked.rewind(true);
    loop {
        let page = asked.next_page().await?;
        if page.is_empty() {
            return Ok(());
        }
        for item in page.iter().filter(|item| item.along) {
            check.pass(&asked.answer, item, Some(&mut *target)).await?;
        }
    }
}

/// Where the values of a change's table have their place now.
async fn fit(
    answer: &Answer<'_>,
    change: &Change,
    target: Option<&mut Target>,
) -> Result<Fit, Error> {
    let table = &change.table;
    let was = &table.columns;
    let mut way = Way::new(&table.schema, &table.table, was);
    for statement in answer.definitions_since(change).await? {
        if let Err(why) = way.pass(&statement) {
            return Ok(Fit::refused(&way.name, was, why));
        }
    }
    let (schema, table) = &way.name;
    let source_id = change.transaction.source_id;
    // The index may have seen rows of it behind the last statement, whose names tell more.
    let mut now = match way.state {
        State::Dropped => None,
        State::There | State::Again => answer.present(source_id, schema, table).await?,
    };
    if let Some(now) = &now
        && way.has_been(now) == Some(false)
    {
        let why = format!(
            "its columns are {} by now, and no statement that the index has made them so",
            names(now)
        );
        return Ok(Fit::refused(&way.name, was, why));
    }
    if let Some(target) = target {
        let there = target.columns(schema, table).await?;
        if there.is_empty() {
            let why = format!(
                "the target has no table {schema}.{table}, or its user may not see it: CREATE it first, where it was dropped"
            );
            return Ok(Fit::refused(&way.name, was, why));
        }
        if let Some(expected) = way.columns.as_ref().filter(|_| way.state != State::Dropped)
            && !same_columns(expected, &there)
        {
            let why = format!(
                "its columns are {} to the index and {} to the target: which is which is not known",
                names(expected),
                names(&there)
            );
            return Ok(Fit::refused(&way.name, was, why));
        }
        now = Some(there);
    }
    let now = now.as_ref().or(way.columns.as_ref());
    let Some(now) = now else {
        let why = "the names of its columns by now are not known; --target-dsn has the target asked for them";
        return Ok(Fit::refused(&way.name, was, why.to_owned()));
    };
    Ok(Fit::new(&way.name, was, &way.names, now))
}

/// `id, a, b`
fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

/// Looks which rows of the target are not as they should be, and changes nothing.
///
/// # Errors
///
/// The index's and the target's.
pub async fn examine(
    asked: &mut Asked<'_>,
    checked: &Checked,
    target: &mut Target,
) -> Result<Conflicts, Error> {
    let mut scene = Scene::new(checked.options);
    asked.rewind(!checked.options.redo);
    loop {
        let page = asked.next_page().await?;
        if page.is_empty() {
            return Ok(scene.conflicts);
        }
        scene.page(&page, &checked.plans, target).await?;
    }
}

/// Writes the SQL of row changes that [`check`] has gone through.
///
/// # Errors
///
/// The index's and the output's.
pub async fn write(
    asked: &mut Asked<'_>,
    checked: Checked,
    out: &mut impl Write,
) -> Result<(), Error> {
    let Checked {
        summary,
        options,
        foreign_keys,
        plans,
    } = checked;
    let mut text = header(options, &summary);
    text.push_str(&guard::sql(&guard::tables(options, foreign_keys, &plans)));
    text.push_str("START TRANSACTION;\n");
    let mut sql = Sql::new(options, plans);
    let mut count = 0_u64;
    asked.rewind(!options.redo);
    loop {
        let page = asked.next_page().await?;
        if page.is_empty() {
            break;
        }
        for Item { change, .. } in page.iter().filter(|item| !item.by_server) {
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
        "-- bintrail {} recover: {what} {}.\n",
        env!("CARGO_PKG_VERSION"),
        count_of(summary.changes, "row change")
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
         SET foreign_key_checks = {};",
        u8::from(options.foreign_key_checks)
    );
    out
}

/// Fit for a comment.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
