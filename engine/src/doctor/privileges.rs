//! What the account on the source may do, against what a stream needs.

use crate::filter::Filter;
use crate::source::variables::Variables;

use super::finding::{Finding, Fix, Severity};
use super::grants::Grants;
use super::settings::has_gtids;

/// An account as statements take it.
///
/// `current_user` is what `CURRENT_USER()` says: the name may hold an @, the host cannot.
pub(crate) fn account(current_user: &str) -> String {
    let (user, host) = current_user.rsplit_once('@').unwrap_or((current_user, "%"));
    format!("{}@{}", identifier(user), identifier(host))
}

/// A name in backquotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub(super) fn judge(
    grants: &Grants,
    account: &str,
    variables: &Variables,
    filter: &Filter,
) -> Vec<Finding> {
    vec![
        replication_slave(grants, account),
        replication_client(grants, account, variables),
        select(grants, account, variables, filter),
    ]
}

fn replication_slave(grants: &Grants, account: &str) -> Finding {
    const CHECK: &str = "replication_slave";
    if grants.everywhere("REPLICATION SLAVE") {
        return Finding::ok(CHECK, "granted");
    }
    Finding::error(
        CHECK,
        format!("{account} lacks REPLICATION SLAVE, without which the source sends no events"),
    )
    .sql(format!("GRANT REPLICATION SLAVE ON *.* TO {account};"))
}

fn replication_client(grants: &Grants, account: &str, variables: &Variables) -> Finding {
    const CHECK: &str = "replication_client";
    // MariaDB's name for it since 10.5, and what holds it.
    let names = ["REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"];
    if names.iter().any(|name| grants.everywhere(name)) {
        return Finding::ok(CHECK, "granted");
    }
    let (severity, why) = if has_gtids(variables) {
        (
            Severity::Warning,
            "without which a reset of the source's binary logs is not noticed",
        )
    } else {
        (
            Severity::Error,
            "without which a stream that goes by file and position finds no place to start",
        )
    };
    Finding::new(
        CHECK,
        severity,
        format!("{account} lacks REPLICATION CLIENT, {why}"),
    )
    .sql(format!("GRANT REPLICATION CLIENT ON *.* TO {account};"))
}

/// What is kept and cannot be read, as a GRANT names it.
pub(super) fn unseen(grants: &Grants, filter: &Filter) -> Vec<String> {
    match filter.kept_by_name() {
        Some(kept) => kept
            .into_iter()
            .filter(|(schema, table)| match table {
                None => !grants.in_schema("SELECT", schema),
                Some(table) => !grants.on_table("SELECT", schema, table),
            })
            .map(|(schema, table)| {
                let table = table.map_or("*".to_owned(), identifier);
                format!("{}.{table}", identifier(schema))
            })
            .collect(),
        None if grants.everywhere("SELECT") => grants
            .revoked("SELECT")
            .filter(|schema| filter.keeps_some_of(schema))
            .map(|schema| format!("{}.*", identifier(schema)))
            .collect(),
        None => vec!["*.*".to_owned()],
    }
}

fn select(grants: &Grants, account: &str, variables: &Variables, filter: &Filter) -> Finding {
    const CHECK: &str = "select";
    let missing = unseen(grants, filter);
    if missing.is_empty() {
        return Finding::ok(CHECK, "granted");
    }
    let objects = missing.join(", ");
    if variables.is("binlog_row_metadata", "FULL") {
        return Finding::ok(
            CHECK,
            format!("not granted on {objects}, and not needed: events name their columns"),
        );
    }
    Finding::warning(
        CHECK,
        format!(
            "{account} lacks SELECT on {objects}: of tables that it cannot see, columns are named @1, @2, … and \
             primary keys are not known"
        ),
    )
    .fixes(
        missing
            .iter()
            .map(|object| Fix::Sql(format!("GRANT SELECT ON {object} TO {account};"))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::filter_of;

    fn findings(lines: &[&str], gtid_mode: &str, metadata: &str, filter: &Filter) -> Vec<Finding> {
        let grants = Grants::parse(lines.iter().copied(), false);
        let variables = [
            ("version", "9.7.4"),
            ("gtid_mode", gtid_mode),
            ("binlog_row_metadata", metadata),
        ];
        judge(
            &grants,
            &account("o`x@y@%"),
            &variables.into_iter().collect(),
            filter,
        )
    }

    fn texts(findings: &[Finding]) -> Vec<(Severity, String)> {
        let text = |finding: &Finding| {
            finding
                .fix
                .iter()
                .map(|fix| fix.text().to_owned())
                .collect()
        };
        findings
            .iter()
            .filter(|finding| finding.severity > Severity::Ok)
            .map(|finding| (finding.severity, text(finding)))
            .collect()
    }

    #[test]
    fn what_is_missing_is_named_with_its_grant() {
        let all = Filter::default();
        let nothing = findings(&["GRANT USAGE ON *.* TO `o`"], "ON", "MINIMAL", &all);
        let to = "TO `o``x@y`@`%`;";
        assert_eq!(
            texts(&nothing),
            [
                (
                    Severity::Error,
                    format!("GRANT REPLICATION SLAVE ON *.* {to}")
                ),
                (
                    Severity::Warning,
                    format!("GRANT REPLICATION CLIENT ON *.* {to}")
                ),
                (Severity::Warning, format!("GRANT SELECT ON *.* {to}")),
            ]
        );
        // Without GTIDs there is no start without it; with FULL metadata nothing has to be looked up.
        let position = findings(
            &["GRANT REPLICATION SLAVE ON *.* TO `o`"],
            "OFF",
            "FULL",
            &all,
        );
        assert_eq!(
            texts(&position),
            [(
                Severity::Error,
                format!("GRANT REPLICATION CLIENT ON *.* {to}")
            )]
        );
        let mariadb = ["GRANT REPLICATION SLAVE, BINLOG MONITOR, SELECT ON *.* TO `o`"];
        assert_eq!(texts(&findings(&mariadb, "ON", "NO_LOG", &all)), []);
    }

    #[test]
    fn select_is_wanted_on_what_is_kept() {
        let grants = [
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `o`",
            "GRANT SELECT ON `shop`.* TO `o`",
            "GRANT SELECT ON `crm`.`people` TO `o`",
        ];
        let select = |schemas: &[&str], tables: &[&str]| {
            let filter = filter_of(schemas, tables);
            let found = texts(&findings(&grants, "ON", "MINIMAL", &filter));
            found.into_iter().map(|(_, fix)| fix).collect::<String>()
        };
        let to = "TO `o``x@y`@`%`;";
        assert_eq!(select(&["shop"], &[]), "");
        assert_eq!(
            select(&["shop", "crm"], &[]),
            format!("GRANT SELECT ON `crm`.* {to}")
        );
        assert_eq!(select(&[], &["crm.people", "shop.x"]), "");
        assert_eq!(select(&["crm"], &["people"]), "");
        assert_eq!(
            select(&[], &["crm.other"]),
            format!("GRANT SELECT ON `crm`.`other` {to}")
        );
        assert_eq!(
            select(&[], &["people"]),
            format!("GRANT SELECT ON *.* {to}")
        );
    }
}
