//! What keeps SQL that was written without a look at the foreign keys from deleting rows that others refer to.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::foreign::Name;
use super::literal::write_quoted;
use super::plan::Plan;
use super::{OnConflict, Options};

/// The tables that rows are deleted of without knowing whether others go along.
pub(super) fn tables(
    options: Options,
    foreign_keys: bool,
    plans: &HashMap<u32, Plan>,
) -> BTreeSet<&Name> {
    let unguarded = !foreign_keys
        && options.foreign_key_checks
        && !options.redo
        && options.on_conflict != OnConflict::Force;
    let deleting = plans.values().filter(|plan| plan.deletes && unguarded);
    deleting.map(|plan| &plan.of).collect()
}

/// What the SQL does about them, for the summary.
pub(super) fn line(tables: &BTreeSet<&Name>) -> Option<String> {
    let names: Vec<String> = tables.iter().map(|(s, t)| format!("{s}.{t}")).collect();
    (!names.is_empty()).then(|| {
        format!(
            "rows of {} are deleted: should other tables refer to them with ON DELETE CASCADE or SET NULL, the SQL ends \
             before it changes anything, as rows that came since would go along unseen; give --target-dsn \
             mysql://USER@HOST/ to have each of them looked at",
            names.join(", ")
        )
    })
}

/// Ends the SQL where foreign keys refer to these tables by which rows would go along.
pub(super) fn sql(tables: &BTreeSet<&Name>) -> String {
    let mut out = String::new();
    for (schema, table) in tables {
        // Of an error's text servers show 200 characters, and of a mode no more than up to its first comma.
        out.push_str(
            "SET sql_mode = COALESCE((SELECT CONCAT('conflict: write this with --target-dsn mysql://USER@HOST/ to have it \
             looked up which rows of ', REPLACE(GROUP_CONCAT(DISTINCT CONCAT_WS('.', CONSTRAINT_SCHEMA, TABLE_NAME) \
             SEPARATOR ' and '), ',', ' '), ",
        );
        let why = format!(" would go along with those deleted of {schema}.{table}");
        write_quoted(&mut out, &why.replace([',', '\n', '\r'], " "));
        out.push_str(") FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE ");
        for (column, name) in [
            ("UNIQUE_CONSTRAINT_SCHEMA", schema),
            ("REFERENCED_TABLE_NAME", table),
        ] {
            // Writing to a String cannot fail.
            let _ = write!(out, "{column} = ");
            write_quoted(&mut out, name);
            // It may be compared less strictly than the server tells tables apart.
            let _ = write!(
                out,
                " AND (@@lower_case_table_names > 0 OR CAST({column} AS BINARY) = "
            );
            write_quoted(&mut out, name);
            out.push_str(") AND ");
        }
        out.push_str("DELETE_RULE IN ('CASCADE', 'SET NULL')), @@sql_mode);\n");
    }
    out
}
