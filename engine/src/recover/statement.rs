//! The statement that undoes a row change, or does it again.

use std::fmt::Write as _;

use super::OnConflict;
use super::literal::{Literals, Refusal, write_quoted};
use super::plan::{Action, ColumnPlan, Plan, Work, of_column};
use crate::query::Change;

/// What statements are written with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) literals: Literals,
    pub(super) on_conflict: OnConflict,
    pub(super) redo: bool,
}

impl Writer {
    /// Appends the statement for `change`, and the one that looks what came of it. `None`, when there is nothing to
    /// do.
    pub(super) fn write(
        &mut self,
        out: &mut String,
        plan: &Plan,
        change: &Change,
    ) -> Result<Option<Action>, Refusal> {
        let Some(work) = plan.work(change, self.redo)? else {
            return Ok(None);
        };
        let keyed = plan.has_key;
        match (work.action, self.on_conflict) {
            // A row of this key is an error of the server's own.
            (Action::Insert, OnConflict::Stop) => self.insert(out, plan, &work)?,
            (Action::Insert, _) if !keyed => self.insert(out, plan, &work)?,
            (Action::Insert, OnConflict::Force) => {
                self.overwrite(out, plan, &work)?;
                out.push_str(";\n");
                self.insert_where_none(out, plan, &work)?;
            }
            (Action::Insert, OnConflict::Skip) => {
                self.insert_where_none(out, plan, &work)?;
                out.push_str(";\n");
                self.look(out, change, "its key is taken");
                return Ok(Some(work.action));
            }
            (Action::Update | Action::Delete, _) => {
                self.change(out, plan, &work)?;
                out.push_str(";\n");
                let what = if plan.referred.iter().any(|key| plan.is_left(key, &work)) {
                    "the row is not as it should be or others refer to it"
                } else {
                    "the row is not as it should be"
                };
                self.look(out, change, what);
                return Ok(Some(work.action));
            }
        }
        out.push_str(";\n");
        Ok(Some(work.action))
    }

    /// `INSERT INTO … VALUES (…)`
    pub(super) fn insert(
        &mut self,
        out: &mut String,
        plan: &Plan,
        work: &Work<'_>,
    ) -> Result<(), Refusal> {
        self.insert_into(out, plan, work);
        out.push_str(" VALUES (");
        self.list(out, plan, work, false)?;
        out.push(')');
        Ok(())
    }

    /// An INSERT that does nothing when the key is taken.
    pub(super) fn insert_where_none(
        &mut self,
        out: &mut String,
        plan: &Plan,
        work: &Work<'_>,
    ) -> Result<(), Refusal> {
        self.insert_into(out, plan, work);
        out.push_str(" SELECT ");
        self.list(out, plan, work, false)?;
        let _ = write!(
            out,
            " FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM {} WHERE ",
            plan.name
        );
        plan.loose_key(out, &work.wanted)?;
        out.push(')');
        Ok(())
    }

    /// Gives the row that has the key all values of the one to be inserted.
    pub(super) fn overwrite(
        &mut self,
        out: &mut String,
        plan: &Plan,
        work: &Work<'_>,
    ) -> Result<(), Refusal> {
        let _ = write!(out, "UPDATE {} SET ", plan.name);
        self.list(out, plan, work, true)?;
        out.push_str(" WHERE ");
        plan.loose_key(out, &work.wanted)
    }

    /// The UPDATE or DELETE.
    pub(super) fn change(
        &mut self,
        out: &mut String,
        plan: &Plan,
        work: &Work<'_>,
    ) -> Result<(), Refusal> {
        if work.action == Action::Delete {
            let _ = write!(out, "DELETE FROM {} WHERE ", plan.name);
            return plan.find(out, work, self.on_conflict);
        }
        let _ = write!(out, "UPDATE {} SET ", plan.name);
        let mut first = true;
        let values = work.found.iter().zip(&work.wanted);
        for (column, (found, wanted)) in plan.columns.iter().zip(values) {
            let Some(value) = wanted.filter(|_| !column.generated) else {
                continue;
            };
            if *found == Some(value) && !column.sets_itself {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push_str(", ");
            }
            let _ = write!(out, "{} = ", column.quoted);
            self.literal(out, column, value)?;
        }
        out.push_str(" WHERE ");
        plan.find(out, work, self.on_conflict)
    }

    fn insert_into(&self, out: &mut String, plan: &Plan, work: &Work<'_>) {
        let _ = write!(out, "INSERT INTO {} (", plan.name);
        let mut first = true;
        for (column, value) in plan.columns.iter().zip(&work.wanted) {
            if value.is_none() || column.generated {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push_str(", ");
            }
            out.push_str(&column.quoted);
        }
        out.push(')');
    }

    /// The values to be written, `a, b` or `x = a, y = b`.
    fn list(
        &mut self,
        out: &mut String,
        plan: &Plan,
        work: &Work<'_>,
        named: bool,
    ) -> Result<(), Refusal> {
        let mut first = true;
        for (column, value) in plan.columns.iter().zip(&work.wanted) {
            let Some(value) = value.filter(|_| !column.generated) else {
                continue;
            };
            if !std::mem::take(&mut first) {
                out.push_str(", ");
            }
            if named {
                let _ = write!(out, "{} = ", column.quoted);
            }
            self.literal(out, column, value)?;
        }
        Ok(())
    }

    fn literal(
        &mut self,
        out: &mut String,
        column: &ColumnPlan,
        value: &str,
    ) -> Result<(), Refusal> {
        self.literals
            .write(out, &column.kind, value)
            .map_err(|refusal| of_column(column, &refusal))
    }

    /// Stops, or tells, when the statement before did not find its row.
    fn look(&self, out: &mut String, change: &Change, conflict: &str) {
        let table = format!("{}.{}", change.table.schema, change.table.table);
        let mut text = String::new();
        // The server takes a mode apart at its commas.
        let message = format!(
            "conflict: change {} of {table}: {conflict}",
            change.change_id
        );
        write_quoted(&mut text, &message.replace([',', '\n', '\r'], " "));
        let _ = match self.on_conflict {
            OnConflict::Stop => writeln!(
                out,
                "SET sql_mode = IF(ROW_COUNT() = 1, @@sql_mode, {text});"
            ),
            OnConflict::Skip | OnConflict::Force => {
                writeln!(
                    out,
                    "SELECT {text} AS skipped FROM DUAL WHERE ROW_COUNT() < 1;"
                )
            }
        };
    }
}
