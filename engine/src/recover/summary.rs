//! What was found, in numbers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::literal::Refusal;
use super::one_line;
use super::plan::Action;
use crate::clock::rfc3339;
use crate::error::Error;
use crate::index::Index;
use crate::index::record::Micros;
use crate::query::Change;

/// What was found.
#[derive(Debug, Default)]
pub struct Summary {
    /// Row changes in all.
    pub changes: u64,
    /// By schema and table.
    pub tables: BTreeMap<(String, String), Counts>,
    /// Ids and commit times of the first and the last row change.
    pub span: Option<[(u64, Micros); 2]>,
    /// Tables whose generated columns are not known.
    pub maybe_generated: BTreeSet<(String, String)>,
    /// Tables that were emptied, a line each.
    pub(super) emptied: String,
    /// What is known of rows that foreign keys changed along, a line each.
    pub(super) followers: BTreeSet<String>,
    /// Gaps among the row changes, a line each.
    gaps: BTreeSet<String>,
    pub(super) sources: BTreeSet<u32>,
    refusals: BTreeMap<String, (u64, u64)>,
    /// Keys told apart in all tables.
    told_apart: usize,
}

/// What there is of a table.
#[derive(Debug, Default)]
pub struct Counts {
    /// Statements that insert, update and delete a row.
    pub statements: [u64; 3],
    /// The keys of the rows.
    rows: HashSet<u64>,
    /// There are more of them.
    more_rows: bool,
}

/// Refusals named in the error.
const NAMED: usize = 5;

/// Keys told apart, so that memory does not depend on how many there are.
const TOLD_APART: usize = 100_000;

impl Summary {
    pub(super) fn add(&mut self, change: &Change, action: Option<Action>) {
        let table = &change.table;
        let name = (table.schema.clone(), table.table.clone());
        self.changes = self.changes.saturating_add(1);
        if table
            .columns
            .iter()
            .any(|column| column.generated.is_none())
        {
            self.maybe_generated.insert(name.clone());
        }
        let counts = self.tables.entry(name).or_default();
        if let Some(action) = action {
            counts.add(action);
        }
        if let Some(key) = &change.pk_values {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            let key = hasher.finish();
            if self.told_apart < TOLD_APART {
                self.told_apart += usize::from(counts.rows.insert(key));
            } else {
                counts.more_rows |= !counts.rows.contains(&key);
            }
        }
        self.sources.insert(change.transaction.source_id);
        let this = (change.change_id, change.transaction.committed_at);
        let [first, last] = self.span.unwrap_or([this, this]);
        self.span = Some([first.min(this), last.max(this)]);
    }

    /// The tables whose rows others may have changed along with: those of rows that were inserted had none yet.
    pub(super) fn leading(&self) -> impl Iterator<Item = &(String, String)> {
        let changed = self.tables.iter().filter(|(_, counts)| {
            let [inserts, updates, _] = counts.statements;
            inserts > 0 || updates > 0
        });
        changed.map(|(name, _)| name)
    }

    pub(super) fn refuse(&mut self, change: &Change, why: &Refusal) {
        let table = &change.table;
        let text = format!("{}.{}: {why}", table.schema, table.table);
        let (count, _) = self.refusals.entry(text).or_insert((0, change.change_id));
        *count = count.saturating_add(1);
    }

    /// Notes the gaps that lie among the row changes.
    pub(super) async fn find_gaps(&mut self, index: &Index) -> Result<(), Error> {
        let Some([(first, _), (last, _)]) = self.span else {
            return Ok(());
        };
        for source_id in &self.sources {
            let gaps = index.gaps(*source_id).await?;
            let among = gaps
                .iter()
                .filter(|(next, _)| first < *next && *next <= last);
            self.gaps.extend(among.map(|(next, found)| {
                format!(
                    "before change {next} there is a gap, found at {}: the changes that were lost in it are not among these",
                    rfc3339(*found)
                )
            }));
        }
        Ok(())
    }

    /// The error when not all of it can be done exactly.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.refusals.is_empty() {
            let count: u64 = self.refusals.values().map(|(count, _)| count).sum();
            let mut reasons: Vec<String> = self
                .refusals
                .iter()
                .take(NAMED)
                .map(|(why, (count, first))| format!("{why} (change {first}, {count} in all)"))
                .collect();
            let more = self.refusals.len().saturating_sub(NAMED);
            if more > 0 {
                reasons.push(format!("and {}", count_of(more as u64, "more reason")));
            }
            return Err(Error::Refused(format!(
                "{} cannot be written exactly; leave {} out with --table, --pk or --changed-column: {}",
                count_of(count, "row change"),
                if count == 1 { "it" } else { "them" },
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
        for ((schema, table), counts) in &self.tables {
            let _ = writeln!(
                out,
                "{}: {}",
                one_line(&format!("{schema}.{table}")),
                counts.describe()
            );
        }
        if let Some([first, last]) = self.span {
            for (which, (id, at)) in [("first", first), ("last", last)] {
                let _ = writeln!(out, "{which} change: {id}, committed {}", rfc3339(at));
            }
        }
        out.push_str(&self.emptied);
        for line in &self.gaps {
            let _ = writeln!(out, "{line}");
        }
        for line in &self.followers {
            let _ = writeln!(out, "{}", one_line(line));
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

impl Counts {
    pub(super) fn add(&mut self, action: Action) {
        let [inserts, updates, deletes] = &mut self.statements;
        let count = match action {
            Action::Insert => inserts,
            Action::Update => updates,
            Action::Delete => deletes,
        };
        *count = count.saturating_add(1);
    }

    /// `3 statements on 2 rows: INSERT 1, UPDATE 2`
    fn describe(&self) -> String {
        let kinds: Vec<String> = self
            .statements
            .iter()
            .zip(["INSERT", "UPDATE", "DELETE"])
            .filter(|(count, _)| **count > 0)
            .map(|(count, what)| format!("{what} {count}"))
            .collect();
        let all: u64 = self.statements.iter().sum();
        let rows = match self.rows.len() {
            0 => String::new(),
            rows => {
                let more = if self.more_rows { "more than " } else { "" };
                format!(" on {more}{}", count_of(rows as u64, "row"))
            }
        };
        let colon = if kinds.is_empty() { "" } else { ": " };
        format!(
            "{}{rows}{colon}{}",
            count_of(all, "statement"),
            kinds.join(", ")
        )
    }
}

/// `1 row`, `2 rows`
pub(super) fn count_of(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
