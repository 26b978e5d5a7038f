//! The statement that undoes a row change, or does it again.

use std::fmt::Write as _;

use super::OnConflict;
use super::literal::{Kind, Literals, Refusal, write_condition, write_quoted};
use crate::index::record::{EventType, KnownBy, TableVersion};
use crate::query::{Change, Image, changed_columns};

/// A table's definition, compiled for writing statements.
#[derive(Debug)]
pub(super) struct Plan {
    /// `` `schema`.`table` ``
    name: String,
    columns: Vec<ColumnPlan>,
    has_key: bool,
    /// Why no statement can be written for it.
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct ColumnPlan {
    name: String,
    quoted: String,
    kind: Kind,
    key: bool,
    generated: bool,
    /// May the server set it by itself on an UPDATE that does not?
    sets_itself: bool,
}

/// What statements are written with.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) literals: Literals,
    pub(super) on_conflict: OnConflict,
    pub(super) redo: bool,
}

pub(super) fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl Plan {
    pub(super) fn of(table: &TableVersion) -> Self {
        let mut refusal = None;
        if table.known_by == KnownBy::Position {
            refusal = Some("the names of its columns are not known; set binlog_row_metadata=FULL on the source".into());
        }
        let columns = table.columns.iter().map(|column| {
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
            ColumnPlan {
                name: column.name.clone(),
                quoted: quoted_name(&column.name),
                kind,
                key: column.pk.is_some(),
                generated: column.generated == Some(true),
                sets_itself: matches!(base, "timestamp" | "datetime"),
            }
        });
        let columns: Vec<ColumnPlan> = columns.collect();
        Self {
            name: format!(
                "{}.{}",
                quoted_name(&table.schema),
                quoted_name(&table.table)
            ),
            has_key: columns.iter().any(|column| column.key),
            columns,
            refusal,
        }
    }

    /// The image's value of each column; a refusal when it does not have them all.
    fn values<'i>(&self, image: &Image<'i>) -> Result<Vec<Option<&'i str>>, Refusal> {
        let mut there = image.columns().peekable();
        let mut values = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let value = there.next_if(|(name, _)| *name == column.name);
            if value.is_none() && !column.generated {
                return Err(format!(
                    "its image lacks column {} (binlog_row_image was not FULL)",
                    column.name
                )
                .into());
            }
            values.push(value.map(|(_, value)| value));
        }
        Ok(values)
    }
}

impl Writer {
    /// Appends the statement for `change`, and the one that looks what came of it. Nothing, when there is nothing
    /// to do.
    pub(super) fn write(
        &mut self,
        out: &mut String,
        plan: &Plan,
        change: &Change,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = &plan.refusal {
            return Err(refusal.clone());
        }
        let (before, after) = (parse(&change.before)?, parse(&change.after)?);
        let (from, to) = if self.redo {
            (before, after)
        } else {
            (after, before)
        };
        match (&from, &to) {
            (None, Some(to)) => self.insert(out, plan, to, change),
            (Some(from), None) => self.delete(out, plan, from, change),
            (Some(from), Some(to)) => self.update(out, plan, from, to, change),
            (None, None) => Err("it has no image".into()),
        }
    }

    fn insert(
        &mut self,
        out: &mut String,
        plan: &Plan,
        image: &Image<'_>,
        change: &Change,
    ) -> Result<(), Refusal> {
        let values = plan.values(image)?;
        let mut names = String::new();
        let mut literals = String::new();
        let mut sets = String::new();
        for (column, value) in plan.columns.iter().zip(&values) {
            let Some(value) = value.filter(|_| !column.generated) else {
                continue;
            };
            for list in [&mut names, &mut literals, &mut sets] {
                if !list.is_empty() {
                    list.push_str(", ");
                }
            }
            names.push_str(&column.quoted);
            let start = literals.len();
            self.literals
                .write(&mut literals, &column.kind, value)
                .map_err(|refusal| of_column(column, &refusal))?;
            let _ = write!(
                sets,
                "{} = {}",
                column.quoted,
                literals.get(start..).unwrap_or_default()
            );
        }
        let name = &plan.name;
        if self.on_conflict == OnConflict::Stop || !plan.has_key {
            // A row of this key is an error of the server's own.
            let _ = writeln!(out, "INSERT INTO {name} ({names}) VALUES ({literals});");
            return Ok(());
        }
        let mut key = String::new();
        self.condition(&mut key, plan, &values, true)?;
        if self.on_conflict == OnConflict::Force {
            let _ = writeln!(out, "UPDATE {name} SET {sets} WHERE {key};");
        }
        let _ = writeln!(
            out,
            "INSERT INTO {name} ({names}) SELECT {literals} FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM {name} WHERE {key});"
        );
        if self.on_conflict == OnConflict::Skip {
            self.look(out, change, "its key is taken");
        }
        Ok(())
    }

    fn delete(
        &mut self,
        out: &mut String,
        plan: &Plan,
        image: &Image<'_>,
        change: &Change,
    ) -> Result<(), Refusal> {
        let values = plan.values(image)?;
        let _ = write!(out, "DELETE FROM {} WHERE ", plan.name);
        self.find(out, plan, &values)?;
        out.push_str(";\n");
        self.look(out, change, NOT_AS_EXPECTED);
        Ok(())
    }

    fn update(
        &mut self,
        out: &mut String,
        plan: &Plan,
        from: &Image<'_>,
        to: &Image<'_>,
        change: &Change,
    ) -> Result<(), Refusal> {
        let (found, wanted) = (plan.values(from)?, plan.values(to)?);
        let changed: Vec<&str> = changed_columns(from, to).collect();
        let mut sets = String::new();
        let mut any = false;
        for (column, value) in plan.columns.iter().zip(&wanted) {
            let Some(value) = value.filter(|_| !column.generated) else {
                continue;
            };
            let changes = changed.contains(&column.name.as_str());
            if !changes && !column.sets_itself {
                continue;
            }
            any |= changes;
            if !sets.is_empty() {
                sets.push_str(", ");
            }
            let _ = write!(sets, "{} = ", column.quoted);
            self.literals
                .write(&mut sets, &column.kind, value)
                .map_err(|refusal| of_column(column, &refusal))?;
        }
        if !any {
            return Ok(());
        }
        let _ = write!(out, "UPDATE {} SET {sets} WHERE ", plan.name);
        self.find(out, plan, &found)?;
        out.push_str(";\n");
        self.look(out, change, NOT_AS_EXPECTED);
        Ok(())
    }

    /// Finds the row: by its key and by everything else it should hold, unless it is to be overwritten.
    fn find(&self, out: &mut String, plan: &Plan, values: &[Option<&str>]) -> Result<(), Refusal> {
        let by_key = plan.has_key && self.on_conflict == OnConflict::Force;
        self.condition(out, plan, values, by_key)?;
        if !plan.has_key {
            // Of rows that are alike in everything, one.
            out.push_str(" LIMIT 1");
        }
        Ok(())
    }

    fn condition(
        &self,
        out: &mut String,
        plan: &Plan,
        values: &[Option<&str>],
        by_key: bool,
    ) -> Result<(), Refusal> {
        let mut first = true;
        // The key comes first, for those who read it.
        for keys in [true, false] {
            for (column, value) in plan.columns.iter().zip(values) {
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

fn parse(text: &Option<String>) -> Result<Option<Image<'_>>, Refusal> {
    let image = text.as_deref().map(Image::parse).transpose();
    image.map_err(|error| format!("its image cannot be read: {error}").into())
}

const NOT_AS_EXPECTED: &str = "the row is not as it should be";

fn of_column(column: &ColumnPlan, refusal: &Refusal) -> Refusal {
    format!("its column {} {refusal}", column.name).into()
}

/// What is done to rows, for a summary.
pub(super) const fn kind(event_type: EventType, redo: bool) -> usize {
    match (event_type, redo) {
        (EventType::Insert, true) | (EventType::Delete, false) => 0,
        (EventType::Update, _) => 1,
        (EventType::Delete, true) | (EventType::Insert, false) => 2,
    }
}
