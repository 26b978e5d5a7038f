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

pub(super) fn judge(
    names: impl Iterator<Item = (String, String)>,
    filter: &Filter,
    sees_all: bool,
    variables: &Variables,
) -> Finding {
    let mut rows = 0_usize;
    let tables: Vec<_> = names
        .inspect(|_| rows = rows.saturating_add(1))
        .filter(|(schema, table)| filter.keeps(schema, table))
        .collect();
    if tables.is_empty() {
        return if sees_all {
            Finding::ok(CHECK, "every table that is kept has one")
        } else {
            Finding::info(
                CHECK,
                "every table that this account can see has one; it lacks SELECT on others",
            )
        };
    }
    let named: Vec<String> = tables
        .iter()
        .take(NAMED)
        .map(|(schema, table)| format!("{}.{}", identifier(schema), identifier(table)))
        .collect();
    let more = match tables.len().saturating_sub(NAMED) {
        _ if rows > MAX_ROWS => " and many more".to_owned(),
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let have = if tables.len() == 1 { "has" } else { "have" };
    // It then is not in the way of INSERTs that name no columns, nor in SELECT *.
    let invisible = match variables.version() {
        version if variables.is_mariadb() => version >= (10, 3, 0),
        version => version >= (8, 0, 23),
    };
    let column = if variables.is_mariadb() && invisible {
        "bintrail_pk BIGINT UNSIGNED NOT NULL INVISIBLE AUTO_INCREMENT PRIMARY KEY"
    } else if invisible {
        "bintrail_pk BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY"
    } else {
        "bintrail_pk BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY"
    };
    Finding::warning(
        CHECK,
        format!(
            "{}{more} {have} no primary key: their changes are kept, but a row cannot be looked up by its key, nor \
             two equal rows be told apart",
            named.join(", ")
        ),
    )
    .fixes(
        named
            .iter()
            .map(|table| Fix::Sql(format!("ALTER TABLE {table} ADD COLUMN {column};"))),
    )
}
