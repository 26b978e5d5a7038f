//! The foreign keys of the target, by which rows change along with others.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::target::Target;
use crate::error::Error;
use crate::source::server::{is_name, quote, text};

/// Schema and table.
pub(super) type Name = (String, String);

/// What becomes of the rows that refer to one that goes, or gets another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The same.
    Cascade,
    /// They refer to none any more.
    SetNull,
    /// Nothing: it is forbidden.
    Forbid,
}

impl Rule {
    fn of(text: &str) -> Self {
        match text {
            "CASCADE" => Self::Cascade,
            "SET NULL" => Self::SetNull,
            _ => Self::Forbid,
        }
    }
}

/// A foreign key.
#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    pub(super) child: Name,
    /// The columns of the child, and those of the parent that they refer to.
    pub(super) columns: Vec<(String, String)>,
    pub(super) parent: Name,
    pub(super) on_delete: Rule,
    pub(super) on_update: Rule,
}

impl ForeignKey {
    /// Do rows change along?
    pub(super) fn leads_on(&self) -> bool {
        (self.on_delete, self.on_update) != (Rule::Forbid, Rule::Forbid)
    }

    /// `(ON DELETE CASCADE)`
    pub(super) fn rules(&self) -> String {
        let rules = [("ON DELETE", self.on_delete), ("ON UPDATE", self.on_update)];
        let rules: Vec<String> = rules
            .into_iter()
            .filter_map(|(when, rule)| match rule {
                Rule::Cascade => Some(format!("{when} CASCADE")),
                Rule::SetNull => Some(format!("{when} SET NULL")),
                Rule::Forbid => None,
            })
            .collect();
        rules.join(", ")
    }
}

/// A foreign key without its columns.
#[derive(Debug, Clone)]
pub(super) struct Constraint {
    child: Name,
    name: String,
    parent: Name,
    on_delete: Rule,
    on_update: Rule,
    /// Does the server take names that differ in case for one?
    folds: bool,
}

impl Constraint {
    fn of(row: &[Option<Bytes>]) -> Self {
        let cell = |at: usize| text(row, at).unwrap_or_default();
        Self {
            child: (cell(0), cell(1)),
            name: cell(2),
            parent: (cell(3), cell(4)),
            on_delete: Rule::of(&cell(5)),
            on_update: Rule::of(&cell(6)),
            folds: cell(7) != "0",
        }
    }

    fn refers_to(&self, schema: &str, table: &str) -> bool {
        is_name(&self.parent.0, schema, self.folds) && is_name(&self.parent.1, table, self.folds)
    }
}

impl Target {
    /// The foreign keys that refer to a table.
    pub(super) async fn foreign_keys(
        &mut self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<ForeignKey>, Error> {
        if self.constraints.is_none() {
            // Whatever is asked of it, an older server opens every table that it has: so it is asked once.
            let rows = self
                .query(
                    "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, \
                     DELETE_RULE, UPDATE_RULE, @@lower_case_table_names FROM information_schema.REFERENTIAL_CONSTRAINTS \
                     ORDER BY CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME",
                )
                .await?;
            let constraints = rows.rows.iter().map(|row| Constraint::of(row));
            self.constraints = Some(constraints.collect());
        }
        let constraints = self.constraints.iter().flatten();
        let referring = constraints.filter(|constraint| constraint.refers_to(schema, table));
        let mut keys = Vec::new();
        for constraint in referring.cloned().collect::<Vec<_>>() {
            keys.push(ForeignKey {
                columns: self.columns_of_key(&constraint).await?,
                child: constraint.child,
                parent: (schema.to_owned(), table.to_owned()),
                on_delete: constraint.on_delete,
                on_update: constraint.on_update,
            });
        }
        Ok(keys)
    }

    async fn columns_of_key(&mut self, key: &Constraint) -> Result<Vec<(String, String)>, Error> {
        let rows = self
            .query(&format!(
                "SELECT TABLE_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
                 WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} AND CONSTRAINT_NAME = {} \
                 AND REFERENCED_COLUMN_NAME IS NOT NULL ORDER BY ORDINAL_POSITION",
                quote(&key.child.0),
                quote(&key.child.1),
                quote(&key.name)
            ))
            .await?;
        let cell = |row: &[_], at| text(row, at).unwrap_or_default();
        let of_key = |row: &&Vec<_>| is_name(&cell(row, 0), &key.child.1, key.folds);
        let columns = rows.rows.iter().filter(of_key);
        Ok(columns.map(|row| (cell(row, 1), cell(row, 2))).collect())
    }

    /// The foreign keys by which rows change along with those of these tables, also over several tables.
    pub(super) async fn leading_from(
        &mut self,
        tables: Vec<Name>,
    ) -> Result<Vec<ForeignKey>, Error> {
        let mut keys = Vec::new();
        let mut seen: BTreeSet<Name> = tables.iter().cloned().collect();
        let mut left = tables;
        while let Some((schema, table)) = left.pop() {
            for key in self.foreign_keys(&schema, &table).await? {
                if !key.leads_on() {
                    continue;
                }
                if seen.insert(key.child.clone()) {
                    left.push(key.child.clone());
                }
                keys.push(key);
            }
        }
        Ok(keys)
    }
}
