//! Tables without a primary key.

use std::collections::BTreeSet;

use crate::filter::Filter;
use crate::source::server::quote;
use crate::source::variables::Variables;

use super::finding::{Finding, Fix};
use super::privileges::identifier;

pub(super) const CHECK: &str = "primary_keys";

/// Tables that an answer may have.
const MAX_ROWS: usize = 10_000;

/// Tables that are named.
const NAMED: usize = 10;

/// Asks for them, up to [`MAX_ROWS`] and one: those in the schemas of `filter`, and perhaps others.
///
/// A unique key is no primary one, though `information_schema.COLUMNS` may call it so. STATISTICS is what every server
/// shows to an account that has SELECT only, and this way of asking reads each view once.
pub(super) fn question(filter: &Filter) -> String {
    let schemas: BTreeSet<&str> = filter
        .kept_by_name()
        .into_iter()
        .flatten()
        .map(|(schema, _)| schema)
        .collect();
    let within = if schemas.is_empty() {
        "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')".to_owned()
    } else {
        let names: Vec<String> = schemas.into_iter().map(quote).collect();
        format!("IN ({})", names.join(", "))
    };
    let limit = MAX_ROWS.saturating_add(1);
    format!(
        "SELECT s, t FROM (\
         SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, 0 AS k FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA {within} UNION ALL \
         SELECT TABLE_SCHEMA, TABLE_NAME, 1 FROM information_schema.STATISTICS \
         WHERE INDEX_NAME = 'PRIMARY' AND SEQ_IN_INDEX = 1 AND TABLE_SCHEMA {within}\
         ) AS a GROUP BY s, t HAVING SUM(k) = 0 ORDER BY s, t LIMIT {limit}"
    )
}

/// Asks for a table's columns, which of them is AUTO_INCREMENT, and for the number of its partitions.
pub(super) fn layout(schema: &str, table: &str) -> String {
    let of = format!(
        "TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        quote(schema),
        quote(table)
    );
    format!(
        "SELECT COLUMN_NAME, EXTRA LIKE '%auto_increment%', \
         (SELECT COUNT(PARTITION_NAME) FROM information_schema.PARTITIONS WHERE {of}) \
         FROM information_schema.COLUMNS WHERE {of}"
    )
}

/// Tables without a primary key.
#[derive(Debug)]
pub(super) struct Keyless {
    /// Those that are named.
    pub(super) named: Vec<(String, String)>,
    others: usize,
    many: bool,
}

impl Keyless {
    /// Those that are kept, of what [`question`] has found.
    pub(super) fn of(names: impl Iterator<Item = (String, String)>, filter: &Filter) -> Self {
        let mut rows = 0_usize;
        let mut named: Vec<_> = names
            .inspect(|_| rows = rows.saturating_add(1))
            .filter(|(schema, table)| filter.keeps(schema, table))
            .collect();
        let others = named.len().saturating_sub(NAMED);
        named.truncate(NAMED);
        Self {
            named,
            others,
            many: rows > MAX_ROWS,
        }
    }

    /// `fixes` has one for each that is named.
    pub(super) fn judge(&self, fixes: Vec<Fix>, sees_all: bool) -> Finding {
        if self.named.is_empty() {
            return if sees_all {
                Finding::ok(CHECK, "every table that is kept has one")
            } else {
                Finding::info(
                    CHECK,
                    "every table that this account can see has one; it lacks SELECT on others",
                )
            };
        }
        let named: Vec<String> = self.named.iter().map(full_name).collect();
        let more = match self.others {
            _ if self.many => " and many more".to_owned(),
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let alone = named.len() == 1 && more.is_empty();
        let have = if alone { "has" } else { "have" };
        Finding::warning(
            CHECK,
            format!(
                "{}{more} {have} no primary key: their changes are kept, but a row cannot be looked up by its key, nor \
                 two equal rows be told apart",
                named.join(", ")
            ),
        )
        .fixes(fixes)
    }
}

fn full_name((schema, table): &(String, String)) -> String {
    format!("{}.{}", identifier(schema), identifier(table))
}

/// What gives a table a primary key. `columns`: each with whether it is AUTO_INCREMENT, of which a table has one at most.
pub(super) fn fix(
    name: &(String, String),
    columns: &[(String, bool)],
    partitioned: bool,
    variables: &Variables,
) -> Fix {
    let table = full_name(name);
    let counts = columns.iter().find(|(_, counts)| *counts);
    let (column, added) = match counts {
        Some((column, _)) => (identifier(column), None),
        None => {
            let column = free_name(columns);
            let added = format!("ADD COLUMN {column} {}", definition(variables));
            (column, Some(added))
        }
    };
    if partitioned {
        let added = added.map_or_else(String::new, |added| format!("{added}, "));
        return Fix::Advice(format!(
            "{table} is partitioned, so that its primary key has to have the columns of its PARTITION BY as well, which \
             then cannot be NULL: ALTER TABLE {table} {added}ADD PRIMARY KEY ({column}, those columns)"
        ));
    }
    Fix::Sql(match added {
        Some(added) => format!("ALTER TABLE {table} {added} PRIMARY KEY;"),
        None => format!("ALTER TABLE {table} ADD PRIMARY KEY ({column});"),
    })
}

/// A name that none of the columns has.
fn free_name(columns: &[(String, bool)]) -> String {
    let mut name = "bintrail_pk".to_owned();
    let mut number = 1_u32;
    while columns
        .iter()
        .any(|(taken, _)| taken.eq_ignore_ascii_case(&name))
    {
        number = number.saturating_add(1);
        name = format!("bintrail_pk{number}");
    }
    name
}

/// That of a column that numbers the rows. Where it can be invisible, it is not in the way of INSERTs that name no
/// columns, nor in SELECT *.
fn definition(variables: &Variables) -> &'static str {
    let version = variables.version();
    if variables.is_mariadb() && version >= (10, 3, 0) {
        "BIGINT UNSIGNED NOT NULL INVISIBLE AUTO_INCREMENT"
    } else if !variables.is_mariadb() && version >= (8, 0, 23) {
        "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE"
    } else {
        "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT"
    }
}
