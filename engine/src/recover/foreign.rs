//! The foreign keys of the target, by which rows change along with others.

use std::collections::BTreeSet;

use super::target::Target;
use crate::error::Error;
use crate::source::server::{quote, text};

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

impl Target {
    /// The foreign keys that refer to a table.
    pub(super) async fn foreign_keys(
        &mut self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<ForeignKey>, Error> {
        let rows = self
            .query(&format!(
                "SELECT r.CONSTRAINT_SCHEMA, r.CONSTRAINT_NAME, r.TABLE_NAME, r.DELETE_RULE, r.UPDATE_RULE, k.COLUMN_NAME, \
                 k.REFERENCED_COLUMN_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS r \
                 JOIN information_schema.KEY_COLUMN_USAGE k ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA \
                 AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME \
                 WHERE r.UNIQUE_CONSTRAINT_SCHEMA = {} AND r.REFERENCED_TABLE_NAME = {} \
                 AND k.REFERENCED_COLUMN_NAME IS NOT NULL \
                 ORDER BY r.CONSTRAINT_SCHEMA, r.TABLE_NAME, r.CONSTRAINT_NAME, k.ORDINAL_POSITION",
                quote(schema),
                quote(table)
            ))
            .await?;
        let mut keys: Vec<ForeignKey> = Vec::new();
        let mut last = None;
        for row in &rows.rows {
            let cell = |at: usize| text(row, at).unwrap_or_default();
            let name = (cell(0), cell(1), cell(2));
            if last.as_ref() != Some(&name) {
                keys.push(ForeignKey {
                    child: (name.0.clone(), name.2.clone()),
                    columns: Vec::new(),
                    parent: (schema.to_owned(), table.to_owned()),
                    on_delete: Rule::of(&cell(3)),
                    on_update: Rule::of(&cell(4)),
                });
                last = Some(name);
            }
            if let Some(key) = keys.last_mut() {
                key.columns.push((cell(5), cell(6)));
            }
        }
        Ok(keys)
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
