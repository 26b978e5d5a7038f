//! Changes that a source does not write to its binary log.

use crate::filter::Filter;

use super::finding::{Finding, Fix};

/// The name of the check that [`filters`] is.
pub(super) const FILTERS: &str = "binlog_filters";

/// The name of the check that [`replicated`] is.
pub(super) const REPLICATED: &str = "log_replica_updates";

/// A server that was started with a binary log, and has none now.
pub(super) fn stopped() -> Finding {
    Finding::error(
        "log_bin",
        "the server has stopped writing its binary log, after an error that its error log tells of \
         (binlog_error_action=IGNORE_ERROR): what it commits is lost to a stream",
    )
    .fix(Fix::Advice(
        "restart the server, and set binlog_error_action=ABORT_SERVER where it has that".to_owned(),
    ))
}

/// `binlog-do-db` and `binlog-ignore-db`, as the status of the binary log lists them.
pub(super) fn filters(only: &str, ignored: &str, filter: &Filter) -> Finding {
    const CHECK: &str = FILTERS;
    if only.is_empty() && ignored.is_empty() {
        return Finding::ok(CHECK, "none");
    }
    let logged = |schema: &str| {
        (only.is_empty() || only.split(',').any(|name| name == schema))
            && !ignored.split(',').any(|name| name == schema)
    };
    let wanted = filter.kept_by_name();
    if let Some(wanted) = &wanted
        && wanted.iter().all(|(schema, _)| logged(schema))
    {
        return Finding::ok(CHECK, "what this stream keeps is logged");
    }
    let mut option = Vec::new();
    for (name, value) in [("binlog-do-db", only), ("binlog-ignore-db", ignored)] {
        if !value.is_empty() {
            option.push(format!("{name}={value}"));
        }
    }
    let option = option.join(" and ");
    Finding::warning(
        CHECK,
        format!("the source runs with {option}: changes of the schemas that this leaves out are not logged"),
    )
    .fix(Fix::Advice(format!(
        "restart the server without {option}, or name what is logged in --schemas"
    )))
}

/// Changes that the source itself got as a replica, while `variable` is OFF.
pub(super) fn replicated(variable: &str, is_replica: Option<bool>) -> Finding {
    let option = format!("{}=ON", variable.replace('_', "-"));
    match is_replica {
        Some(true) => Finding::error(
            REPLICATED,
            format!(
                "the source is a replica itself, and {variable} is OFF: the changes that it gets from its own source \
                 are not in its binary log"
            ),
        )
        .fix(Fix::ServerOption(option)),
        Some(false) => Finding::ok(REPLICATED, "OFF, and the source is no replica"),
        None => Finding::info(
            REPLICATED,
            format!(
                "{variable} is OFF: if the source is a replica itself, which this account may not see, changes from \
                 its own source are not in its binary log"
            ),
        )
        .fix(Fix::ServerOption(option)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn schemas_that_are_not_logged() {
        let judge = |only, ignored, schemas: &[&str]| {
            let schemas: Vec<String> = schemas.iter().map(ToString::to_string).collect();
            filters(only, ignored, &Filter::new(&schemas, &[])).severity
        };
        use Severity::{Ok, Warning};
        for (only, ignored, schemas, severity) in [
            ("", "", &[][..], Ok),
            ("shop,crm", "", &[], Warning),
            ("shop,crm", "", &["shop"], Ok),
            ("shop", "", &["shop", "crm"], Warning),
            ("", "scratch", &[], Warning),
            ("", "scratch", &["shop"], Ok),
            ("", "scratch", &["scratch"], Warning),
        ] {
            assert_eq!(
                judge(only, ignored, schemas),
                severity,
                "{only}/{ignored} {schemas:?}"
            );
        }
    }

    #[test]
    fn a_replica_that_does_not_log_what_it_gets() {
        let found = |is_replica| replicated("log_slave_updates", is_replica);
        assert_eq!(found(Some(true)).severity, Severity::Error);
        assert_eq!(found(Some(true)).fix[0].text(), "log-slave-updates=ON");
        assert_eq!(found(Some(false)).severity, Severity::Ok);
        assert_eq!(found(None).severity, Severity::Info);
    }
}
