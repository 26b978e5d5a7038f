//! Which tables are kept.

use std::fmt;

use bintrail_proto::binlog::query::StatusVars;

use crate::index::own;
use crate::index::record::Kept;

/// Chooses tables by schema and name. Names are compared as they are written, case included.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    schemas: Vec<String>,
    /// Keep the server's own schemas even when no schema is named.
    system_schemas: bool,
    /// Schemas that hold an index, whose tables are left out whatever else is said.
    indexes: Vec<String>,
    /// A table in any schema, or in the one named.
    tables: Vec<(Option<String>, String)>,
}

/// A name as `--schemas` or `--tables` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) schema: Option<&'a str>,
    pub(crate) table: Option<&'a str>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.schema, self.table) {
            (Some(schema), Some(table)) => write!(f, "--tables {schema}.{table}"),
            (None, Some(table)) => write!(f, "--tables {table}"),
            (schema, None) => write!(f, "--schemas {}", schema.unwrap_or_default()),
        }
    }
}

/// Schemas of the server itself, which are kept only when they are named.
const SYSTEM_SCHEMAS: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

impl Filter {
    /// `schemas` as names, `tables` as `table` or `schema.table`; empty lists choose all. Space around
    /// a name is no part of it, and an empty name is none: `BINTRAIL_SCHEMAS=` sets no filter.
    #[must_use]
    pub fn new(schemas: &[String], tables: &[String]) -> Self {
        let named = |names: &[String]| -> Vec<String> {
            let names = names.iter().map(|name| name.trim());
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let tables = named(tables)
            .iter()
            .map(|table| match table.split_once('.') {
                Some((schema, table)) => (Some(schema.to_owned()), table.to_owned()),
                None => (None, table.clone()),
            })
            .collect();
        Self {
            schemas: named(schemas),
            tables,
            system_schemas: false,
            indexes: Vec::new(),
        }
    }

    /// As the index has noted it.
    pub(crate) fn of(kept: &Kept) -> Self {
        Self {
            schemas: kept.schemas.clone(),
            tables: kept.tables.clone(),
            ..Self::default()
        }
    }

    /// As it is, but the server's own schemas are kept as well.
    #[must_use]
    pub fn with_system_schemas(self) -> Self {
        Self {
            system_schemas: true,
            ..self
        }
    }

    /// From now on without the tables of the index that this schema holds.
    pub(crate) fn leave_out_index(&mut self, schema: &str) {
        if !self.indexes.iter().any(|index| index == schema) {
            self.indexes.push(schema.to_owned());
        }
    }

    /// Is this a table of an index that is left out?
    pub(crate) fn is_of_index(&self, schema: &str, table: &str) -> bool {
        own::is_own(table) && self.indexes.iter().any(|index| index == schema)
    }

    /// The schemas and tables to keep where all of them are named: a schema, or a schema and a table in it.
    pub(crate) fn kept_by_name(&self) -> Option<Vec<(&str, Option<&str>)>> {
        let mut kept = Vec::new();
        for (of, table) in &self.tables {
            match of {
                Some(schema) => kept.push((schema.as_str(), Some(table.as_str()))),
                None if self.schemas.is_empty() => return None,
                None => {
                    let schemas = self.schemas.iter();
                    kept.extend(schemas.map(|schema| (schema.as_str(), Some(table.as_str()))));
                }
            }
        }
        if self.tables.is_empty() {
            kept.extend(self.schemas.iter().map(|schema| (schema.as_str(), None)));
        }
        kept.retain(|(schema, _)| {
            self.schemas.is_empty() || self.schemas.iter().any(|kept| kept == schema)
        });
        (!kept.is_empty()).then_some(kept)
    }

    /// As the index notes it.
    pub(crate) fn kept(&self, since: String) -> Kept {
        Kept {
            schemas: self.schemas.clone(),
            tables: self.tables.clone(),
            since,
        }
    }

    /// Is everything that `other` keeps kept by this one? For certain, by the names alone.
    pub(crate) fn keeps_all_of(&self, other: &Self) -> bool {
        let of_tables: Option<Vec<&String>> =
            other.tables.iter().map(|(of, _)| of.as_ref()).collect();
        let schemas = match (other.schemas.as_slice(), of_tables) {
            ([], Some(schemas)) if !schemas.is_empty() => Some(schemas),
            ([], _) => None,
            (schemas, _) => Some(schemas.iter().collect()),
        };
        let schemas_kept = match schemas {
            None => self.schemas.is_empty(),
            Some(schemas) => schemas.into_iter().all(|schema| self.keeps_some_of(schema)),
        };
        let table_kept = |(of, name): &(Option<String>, String)| {
            let mut kept = self.tables.iter();
            kept.any(|(kept_of, kept)| kept == name && (kept_of.is_none() || kept_of == of))
        };
        schemas_kept
            && (self.tables.is_empty()
                || !other.tables.is_empty() && other.tables.iter().all(table_kept))
    }

    /// What it names, in its own words.
    pub(crate) fn names(&self) -> Vec<Name<'_>> {
        let schemas = self.schemas.iter().map(|schema| Name {
            schema: Some(schema),
            table: None,
        });
        let tables = self.tables.iter().map(|(schema, table)| Name {
            schema: schema.as_deref(),
            table: Some(table),
        });
        schemas.chain(tables).collect()
    }

    /// May a statement change tables that are kept? Its text may name any, whatever its default schema: only the
    /// schemas that its event says it changes can tell that it does not.
    #[must_use]
    pub fn keeps_statement(&self, status: &StatusVars<'_>) -> bool {
        status.updated_schemas.is_none_or(|updated| {
            updated.names().any(|name| {
                name.is_empty()
                    || std::str::from_utf8(name).map_or(true, |name| self.keeps_some_of(name))
            })
        })
    }

    /// May tables of this schema be kept?
    #[must_use]
    pub fn keeps_some_of(&self, schema: &str) -> bool {
        let named = |of: &Option<String>| of.as_deref() == Some(schema);
        let schema_kept = if self.schemas.is_empty() {
            self.system_schemas
                || !SYSTEM_SCHEMAS.contains(&schema)
                || self.tables.iter().any(|(of, _)| named(of))
        } else {
            self.schemas.iter().any(|kept| kept == schema)
        };
        schema_kept
            && (self.tables.is_empty()
                || self.tables.iter().any(|(of, _)| of.is_none() || named(of)))
    }

    /// Is this table kept?
    #[must_use]
    pub fn keeps(&self, schema: &str, table: &str) -> bool {
        let named = self
            .tables
            .iter()
            .any(|(of, name)| name == table && of.as_deref().is_none_or(|of| of == schema));
        let schema_kept = if self.schemas.is_empty() {
            self.system_schemas
                || !SYSTEM_SCHEMAS.contains(&schema)
                || self
                    .tables
                    .iter()
                    .any(|(of, name)| of.as_deref() == Some(schema) && name == table)
        } else {
            self.schemas.iter().any(|kept| kept == schema)
        };
        !self.is_of_index(schema, table) && schema_kept && (self.tables.is_empty() || named)
    }
}

/// What these names keep, for tests.
#[cfg(test)]
pub(crate) fn filter_of(schemas: &[&str], tables: &[&str]) -> Filter {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    Filter::new(&owned(schemas), &owned(tables))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named() {
        let named = |schemas: &[&str], tables: &[&str]| {
            let filter = filter_of(schemas, tables);
            let kept = filter.kept_by_name()?.into_iter();
            let kept = kept.map(|(schema, table)| format!("{schema}.{}", table.unwrap_or("*")));
            Some(kept.collect::<Vec<_>>().join(" "))
        };
        assert_eq!(named(&[], &[]), None);
        assert_eq!(named(&[], &["a.t", "u"]), None);
        assert_eq!(named(&["a", "b"], &[]).unwrap(), "a.* b.*");
        assert_eq!(named(&[], &["a.t", "b.u"]).unwrap(), "a.t b.u");
        assert_eq!(named(&["a"], &["b.u", "t", "a.v"]).unwrap(), "a.t a.v");
    }

    #[test]
    fn what_keeps_all_of_another() {
        let all = |one: (&[&str], &[&str]), other: (&[&str], &[&str])| {
            filter_of(one.0, one.1).keeps_all_of(&filter_of(other.0, other.1))
        };
        let nothing: (&[&str], &[&str]) = (&[], &[]);
        for (one, other, expected) in [
            (nothing, nothing, true),
            (nothing, (&["a"], &["t"]), true),
            (nothing, (&["mysql"], &[]), false),
            (nothing, (&[], &["mysql.user"]), false),
            ((&["a"], &[]), nothing, false),
            ((&["a", "b"], &[]), (&["b"], &["t"]), true),
            ((&["a"], &[]), (&["a", "b"], &[]), false),
            ((&["a"], &[]), (&[], &["a.t"]), true),
            ((&["a"], &[]), (&[], &["t"]), false),
            ((&[], &["t"]), (&[], &["a.t", "t"]), true),
            ((&[], &["a.t"]), (&[], &["t"]), false),
            ((&[], &["a.t"]), (&["a"], &[]), false),
        ] {
            assert_eq!(all(one, other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn schemas_with_tables_that_are_kept() {
        let kept = |filter: &Filter| {
            let schemas = ["shop", "crm", "mysql"].into_iter();
            let kept: Vec<_> = schemas.filter(|name| filter.keeps_some_of(name)).collect();
            kept.join(" ")
        };
        assert_eq!(kept(&filter_of(&[], &[])), "shop crm");
        assert_eq!(kept(&filter_of(&["mysql", "crm"], &[])), "crm mysql");
        assert_eq!(kept(&filter_of(&[], &["mysql.user", "crm.t"])), "crm mysql");
        assert_eq!(kept(&filter_of(&[], &["t"])), "shop crm");
        assert_eq!(kept(&filter_of(&["shop", "crm"], &["crm.t"])), "crm");
        let all = filter_of(&[], &[]).with_system_schemas();
        assert_eq!(kept(&all), "shop crm mysql");
    }

    #[test]
    fn schemas_and_tables() {
        let all = filter_of(&[], &[]);
        assert!(all.keeps("shop", "orders") && !all.keeps("mysql", "user"));
        let shop = filter_of(&["shop"], &[]);
        assert!(shop.keeps("shop", "orders") && !shop.keeps("crm", "orders"));
        let orders = filter_of(&[], &["orders", "crm.people"]);
        assert!(orders.keeps("shop", "orders") && orders.keeps("crm", "people"));
        assert!(!orders.keeps("shop", "people"));
        let mut own = filter_of(&["shop"], &[]);
        own.leave_out_index("shop");
        assert!(own.keeps("shop", "orders") && !own.keeps("shop", "row_changes"));
        let both = filter_of(&["shop"], &["orders"]);
        assert!(
            both.keeps("shop", "orders")
                && !both.keeps("crm", "orders")
                && !both.keeps("shop", "x")
        );
        let unset = filter_of(&[""], &["", " "]);
        assert!(unset.keeps("shop", "orders") && !unset.keeps("mysql", "user"));
        assert!(filter_of(&["crm", " shop"], &[" orders "]).keeps("shop", "orders"));
        assert!(filter_of(&["mysql"], &[]).keeps("mysql", "user"));
        assert!(filter_of(&[], &["mysql.user"]).keeps("mysql", "user"));
    }
}
