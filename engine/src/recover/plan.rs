//! What a table's row changes ask for, by its definition then and now.

use std::fmt::Write as _;

use super::OnConflict;
use super::condition::{write_condition, write_key};
use super::fit::{Fit, Place};
use super::foreign::{ForeignKey, Name, Rule};
use super::kind::Kind;
use super::literal::Refusal;
use crate::index::record::{KnownBy, TableVersion};
use crate::query::{Change, Image};

/// A table's definition, compiled for writing statements.
#[derive(Debug)]
pub(super) struct Plan {
    /// `` `schema`.`table` ``
    pub(super) name: String,
    pub(super) columns: Vec<ColumnPlan>,
    pub(super) has_key: bool,
    /// Its schema and name.
    pub(super) of: Name,
    /// Are rows of it deleted?
    pub(super) deletes: bool,
    /// Foreign keys that refer to it.
    pub(super) referred: Vec<ForeignKey>,
    /// Why no statement can be written for it.
    refusal: Option<Refusal>,
}

#[derive(Debug)]
pub(super) struct ColumnPlan {
    /// As the images have it.
    pub(super) name: String,
    /// As the table has it now.
    pub(super) quoted: String,
    pub(super) kind: Kind,
    pub(super) key: bool,
    /// Computed from others, so that it is not to be written.
    pub(super) generated: bool,
    /// Dropped since.
    gone: bool,
    /// NULL is no value of it any more.
    never_null: bool,
    /// May the server set it by itself on an UPDATE that does not?
    pub(super) sets_itself: bool,
}

/// What is to be done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Insert,
    Update,
    Delete,
}

/// A row change as it is to be done: a value a column of the plan, `None` where it stays out of it.
#[derive(Debug)]
pub(super) struct Work<'i> {
    pub(super) action: Action,
    /// What the row should hold; nothing when there should be none.
    pub(super) found: Vec<Option<&'i str>>,
    /// What it is to hold.
    pub(super) wanted: Vec<Option<&'i str>>,
}

impl Plan {
    pub(super) fn of(table: &TableVersion, fit: &Fit) -> Self {
        let mut refusal = fit.refusal.clone();
        if table.known_by == KnownBy::Position {
            refusal = Some("the names of its columns are not known; set binlog_row_metadata=FULL on the source".into());
        }
        let columns = table
            .columns
            .iter()
            .zip(&fit.columns)
            .map(|(column, place)| {
                let kind = Kind::of(column).unwrap_or_else(|| {
                    let unknown = format!(
                        "its column {} is of the unknown type {}",
                        column.name, column.column_type
                    );
                    refusal.get_or_insert(unknown.into());
                    Kind::Number
                });
                let base = column
                    .column_type
                    .split(['(', ' '])
                    .next()
                    .unwrap_or_default();
                let (now, never_null) = match place {
                    Place::As { name, never_null } => (name, *never_null),
                    Place::Gone => (&column.name, false),
                };
                ColumnPlan {
                    name: column.name.clone(),
                    quoted: quoted_name(now),
                    kind,
                    key: column.pk.is_some(),
                    generated: column.generated == Some(true),
                    gone: *place == Place::Gone,
                    never_null,
                    sets_itself: matches!(base, "timestamp" | "datetime"),
                }
            });
        let columns: Vec<ColumnPlan> = columns.collect();
        Self {
            name: format!("{}.{}", quoted_name(&fit.schema), quoted_name(&fit.table)),
            has_key: columns.iter().any(|column| column.key),
            columns,
            of: (fit.schema.clone(), fit.table.clone()),
            deletes: false,
            referred: Vec::new(),
            refusal,
        }
    }

    /// What a row change asks for; `None` when there is nothing to do.
    pub(super) fn work<'i>(
        &self,
        change: &'i Change,
        redo: bool,
    ) -> Result<Option<Work<'i>>, Refusal> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let before = self.values(change.before.as_deref())?;
        let after = self.values(change.after.as_deref())?;
        let (action, mut found, mut wanted) = match (before, after) {
            (None, Some(after)) if redo => (Action::Insert, Vec::new(), after),
            (None, Some(after)) => (Action::Delete, after, Vec::new()),
            (Some(before), None) if redo => (Action::Delete, before, Vec::new()),
            (Some(before), None) => (Action::Insert, Vec::new(), before),
            (Some(mut before), Some(mut after)) => {
                if !self.complete(&mut before, &mut after)? {
                    return Ok(None);
                }
                if redo {
                    (Action::Update, before, after)
                } else {
                    (Action::Update, after, before)
                }
            }
            (None, None) => return Err("it has no image".into()),
        };
        if action != Action::Update {
            self.check_whole(action, if found.is_empty() { &wanted } else { &found })?;
        }
        for (at, column) in self.columns.iter().enumerate() {
            if column.never_null && wanted.get(at) == Some(&Some("null")) {
                return Err(
                    format!("its column {} was NULL and is NOT NULL by now", column.name).into(),
                );
            }
            if column.gone {
                if let Some(value) = found.get_mut(at) {
                    *value = None;
                }
                if let Some(value) = wanted.get_mut(at) {
                    *value = None;
                }
            }
        }
        Ok(Some(Work {
            action,
            found,
            wanted,
        }))
    }

    /// The image's value of each column.
    fn values<'i>(&self, image: Option<&'i str>) -> Result<Option<Vec<Option<&'i str>>>, Refusal> {
        let Some(text) = image else { return Ok(None) };
        let image = Image::parse(text)
            .map_err(|error| Refusal::from(format!("its image cannot be read: {error}")))?;
        let mut there = image.columns().peekable();
        let values = self.columns.iter().map(|column| {
            let value = there.next_if(|(name, _)| *name == column.name);
            value.map(|(_, value)| value)
        });
        let values = values.collect();
        match there.next() {
            Some((name, _)) => Err(format!("its image has a column {name} that it has not").into()),
            None => Ok(Some(values)),
        }
    }

    /// A whole row comes or goes: are all its values there, and is there a place for them?
    fn check_whole(&self, action: Action, values: &[Option<&str>]) -> Result<(), Refusal> {
        for (column, value) in self.columns.iter().zip(values) {
            if column.generated {
                continue;
            }
            if value.is_none() {
                return Err(lacks(column));
            }
            if column.gone && action == Action::Insert {
                return Err(format!(
                    "its column {} is no longer there, so that the row's value of it has no place",
                    column.name
                )
                .into());
            }
        }
        Ok(())
    }

    /// Fills in what the images of an update leave out because it did not change (`binlog_row_image` MINIMAL or
    /// NOBLOB). Does anything change?
    fn complete<'i>(
        &self,
        before: &mut [Option<&'i str>],
        after: &mut [Option<&'i str>],
    ) -> Result<bool, Refusal> {
        let mut changes = false;
        let mut computed = false;
        for ((column, before), after) in self.columns.iter().zip(before).zip(after) {
            if column.generated {
                computed |= before.is_some() && after.is_some() && before != after;
                continue;
            }
            match (*before, *after) {
                (Some(old), Some(new)) if old == new => {}
                (Some(_), Some(_)) if column.gone => {
                    return Err(format!(
                        "its column {}, which it changed, is no longer there",
                        column.name
                    )
                    .into());
                }
                (Some(_), Some(_)) => changes = true,
                (Some(old), None) => *after = Some(old),
                // What the source left out of both did not change, but for a JSON document that it logged in part.
                (None, None) if self.has_key && !column.key && column.kind != Kind::Json => {}
                (None, _) => return Err(lacks(column)),
            }
        }
        if computed && !changes {
            return Err(
                "it changed columns alone that the server computes, which no statement sets: so MariaDB logs that a row \
                 of a system-versioned table was deleted"
                    .into(),
            );
        }
        Ok(changes)
    }

    /// A condition that a row with these values meets, by its key alone or by all of them.
    pub(super) fn condition(
        &self,
        out: &mut String,
        values: &[Option<&str>],
        by_key: bool,
    ) -> Result<(), Refusal> {
        let mut first = true;
        // The key comes first, for those who read it.
        for keys in [true, false] {
            for (column, value) in self.columns.iter().zip(values) {
                let Some(value) = value else { continue };
                if column.key != keys || by_key && !keys || column.generated && !keys {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push_str(" AND ");
                }
                write_condition(out, &column.quoted, &column.kind, value, column.key)
                    .map_err(|refusal| of_column(column, &refusal))?;
            }
        }
        Ok(())
    }

    /// A condition that a row meets whose key is the same to the server.
    pub(super) fn loose_key(
        &self,
        out: &mut String,
        values: &[Option<&str>],
    ) -> Result<(), Refusal> {
        let mut first = true;
        for (column, value) in self.columns.iter().zip(values) {
            let Some(value) = value.filter(|_| column.key) else {
                continue;
            };
            if !std::mem::take(&mut first) {
                out.push_str(" AND ");
            }
            write_key(out, &column.quoted, &column.kind, value)
                .map_err(|refusal| of_column(column, &refusal))?;
        }
        Ok(())
    }

    /// Finds the row: by its key and by everything else it should hold, and if none refers to it that would go along, unless it
    /// is to be overwritten.
    pub(super) fn find(
        &self,
        out: &mut String,
        work: &Work<'_>,
        on_conflict: OnConflict,
    ) -> Result<(), Refusal> {
        let by_key = self.has_key && on_conflict == OnConflict::Force;
        self.condition(out, &work.found, by_key)?;
        if on_conflict != OnConflict::Force {
            for key in self.referred.iter().filter(|key| self.is_left(key, work)) {
                out.push_str(" AND NOT EXISTS ");
                self.referring(out, key, work)?;
            }
        }
        if !self.has_key {
            // Of rows that are alike in everything, one.
            out.push_str(" LIMIT 1");
        }
        Ok(())
    }
}

impl Plan {
    /// Does this leave or change along the rows that refer to the row by a foreign key? Those of a key that is changed
    /// stay with their row where the key says so.
    pub(super) fn is_left(&self, key: &ForeignKey, work: &Work<'_>) -> bool {
        let changes = |name: &str| {
            let at = self.place(name);
            at.is_some_and(|at| work.found.get(at) != work.wanted.get(at))
        };
        match work.action {
            Action::Insert => false,
            Action::Update => {
                key.on_update != Rule::Cascade && key.columns.iter().any(|(_, own)| changes(own))
            }
            Action::Delete => true,
        }
    }

    /// A question for the rows that refer to a row by a foreign key, in brackets.
    pub(super) fn referring(
        &self,
        out: &mut String,
        key: &ForeignKey,
        work: &Work<'_>,
    ) -> Result<(), Refusal> {
        let child = (quoted_name(&key.child.0), quoted_name(&key.child.1));
        // Behind a LIMIT a statement may read the table that it changes.
        let _ = write!(
            out,
            "(SELECT 1 FROM (SELECT 1 FROM {}.{} WHERE ",
            child.0, child.1
        );
        let mut known = true;
        for (at, (own, referred)) in key.columns.iter().enumerate() {
            if at > 0 {
                out.push_str(" AND ");
            }
            let column = self.place(referred).and_then(|at| {
                let value = work.found.get(at).copied().flatten()?;
                Some((self.columns.get(at)?, value))
            });
            match column {
                Some((column, value)) => write_key(out, &quoted_name(own), &column.kind, value)
                    .map_err(|refusal| of_column(column, &refusal))?,
                // It refers to what the images have not: then any row may.
                None => {
                    known = false;
                    out.push('1');
                }
            }
        }
        if key.child == self.of && self.has_key && known {
            out.push_str(" AND NOT (");
            self.condition(out, &work.found, true)?;
            out.push(')');
        }
        out.push_str(" LIMIT 1) AS referring)");
        Ok(())
    }

    /// The place of a column by its name now.
    fn place(&self, name: &str) -> Option<usize> {
        let quoted = quoted_name(name).to_lowercase();
        self.columns
            .iter()
            .position(|column| column.quoted.to_lowercase() == quoted)
    }
}

pub(super) fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn lacks(column: &ColumnPlan) -> Refusal {
    format!(
        "its image lacks column {} (binlog_row_image was not FULL)",
        column.name
    )
    .into()
}

pub(super) fn of_column(column: &ColumnPlan, refusal: &Refusal) -> Refusal {
    format!("its column {} {refusal}", column.name).into()
}
