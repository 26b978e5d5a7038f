//! Names in `--schemas` and `--tables` that no table has.

use crate::filter::{Filter, Name};
use crate::source::server::quote;

use super::finding::{Finding, Fix};
use super::privileges::identifier;

pub(super) const CHECK: &str = "filters";

/// Names that a message has.
const NAMED: usize = 10;

/// Asks for the tables of these names, or for one in each of these schemas; `None` where nothing is named. The server
/// compares in its own way, which may find names of another case too.
pub(super) fn question(filter: &Filter) -> Option<String> {
    let named = filter.names();
    let of_tables = named.iter().any(|name| name.table.is_some());
    let wanted = named
        .iter()
        .filter(|name| name.table.is_some() == of_tables);
    let conditions: Vec<String> = wanted
        .map(|name| {
            let schema = name
                .schema
                .map(|name| format!("TABLE_SCHEMA = {}", quote(name)));
            let table = name
                .table
                .map(|name| format!("TABLE_NAME = {}", quote(name)));
            let both: Vec<String> = schema.into_iter().chain(table).collect();
            format!("({})", both.join(" AND "))
        })
        .collect();
    let (table, group) = if of_tables {
        ("TABLE_NAME", "")
    } else {
        ("MIN(TABLE_NAME)", " GROUP BY TABLE_SCHEMA")
    };
    (!conditions.is_empty()).then(|| {
        format!(
            "SELECT TABLE_SCHEMA, {table} FROM information_schema.TABLES \
             WHERE TABLE_TYPE NOT LIKE '%VIEW' AND ({}){group}",
            conditions.join(" OR ")
        )
    })
}

/// `found` is the answer to [`question`].
pub(super) fn judge(filter: &Filter, found: &[(String, String)], sees_all: bool) -> Finding {
    let kept: Vec<&(String, String)> = found
        .iter()
        .filter(|(schema, table)| filter.keeps(schema, table))
        .collect();
    let has =
        |name: &Name<'_>, (schema, table): &(String, String), same: fn(&str, &str) -> bool| {
            name.schema.is_none_or(|name| same(name, schema))
                && name.table.is_none_or(|name| same(name, table))
        };
    let missing: Vec<Name<'_>> = filter
        .names()
        .into_iter()
        .filter(|name| !kept.iter().any(|found| has(name, found, |a, b| a == b)))
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            CHECK,
            "there are tables for all that --schemas and --tables name",
        );
    }
    // Without regard to case, as people read.
    let alike = found.iter().find(|found| {
        missing
            .iter()
            .any(|name| has(name, found, |a, b| a.to_lowercase() == b.to_lowercase()))
    });
    let names: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let seen = if sees_all {
        ""
    } else {
        " that this account can see"
    };
    Finding::warning(
        CHECK,
        format!(
            "no table{seen} matches {}{more}: nothing is kept by that until there is one",
            names.join(", ")
        ),
    )
    .fix(Fix::Advice(match alike {
        Some((schema, table)) => format!(
            "names are compared as they are written, case included, and a table has to be in both lists; there is {}.{}",
            identifier(schema),
            identifier(table)
        ),
        None => "see that the names are right: they are compared as they are written, case included".to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use crate::filter::filter_of;

    #[test]
    fn what_is_asked_for() {
        assert_eq!(question(&filter_of(&[], &[])), None);
        let schemas = question(&filter_of(&["a", "b'"], &[])).unwrap();
        assert!(
            schemas.ends_with(
                "((TABLE_SCHEMA = _utf8mb4 x'61') OR (TABLE_SCHEMA = _utf8mb4 x'6227')) GROUP BY TABLE_SCHEMA"
            ),
            "{schemas}"
        );
        let tables = question(&filter_of(&["a"], &["t", "b.u"])).unwrap();
        assert!(
            tables.ends_with(
                "((TABLE_NAME = _utf8mb4 x'74') OR (TABLE_SCHEMA = _utf8mb4 x'62' AND TABLE_NAME = _utf8mb4 x'75'))"
            ),
            "{tables}"
        );
    }

    #[test]
    fn names_that_no_table_has() {
        let message = |schemas: &[&str], tables: &[&str], found: &[(&str, &str)]| {
            let found: Vec<_> = found
                .iter()
                .map(|(schema, table)| ((*schema).to_owned(), (*table).to_owned()))
                .collect();
            let finding = judge(&filter_of(schemas, tables), &found, true);
            if finding.severity == Severity::Ok {
                return None;
            }
            assert_eq!(finding.severity, Severity::Warning);
            Some(finding.to_string())
        };
        assert_eq!(message(&["a"], &[], &[("a", "t")]), None);
        assert_eq!(message(&["a"], &["t"], &[("a", "t"), ("b", "t")]), None);
        assert_eq!(message(&[], &["t", "b.u"], &[("a", "t"), ("b", "u")]), None);
        let text = message(&["a", "b"], &[], &[("a", "t")]).unwrap();
        assert!(text.contains("no table matches --schemas b:"), "{text}");
        let text = message(&[], &["t", "b.u"], &[("a", "t")]).unwrap();
        assert!(text.contains("no table matches --tables b.u:"), "{text}");
        // Each has one, and none is in both.
        let text = message(&["a"], &["t"], &[("b", "t")]).unwrap();
        assert!(
            text.contains("no table matches --schemas a, --tables t:"),
            "{text}"
        );
        let text = message(&[], &["A.t"], &[("a", "T")]).unwrap();
        assert!(text.contains("there is `a`.`T`"), "{text}");
    }
}
